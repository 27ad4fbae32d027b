"""Advertisements: a program offered to a collection, optional or mandatory at times."""

from collections.abc import Iterable
from datetime import datetime
from typing import Unpack

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.admin import advertisement_views, standing
from purveyor.site_server.database import (
    advertisements,
    audit,
    collections,
    counters,
    offered,
    programs,
    publication,
    settings,
    wanted,
)
from purveyor.site_server.database.readiness import read_readiness
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import advertising
from purveyor.site_server.model import assignments as rules
from purveyor.site_server.model.advertising import Options
from purveyor.site_server.model.confirmation import Reach, confirm_reach
from purveyor.site_server.model.names import line_of
from purveyor.site_server.model.schedules import checked_instant
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber, advertisement_id_of
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import Assignment
from purveyor.wire.package_info import ProgramKey

NAME_LIMIT = 200

AdvertisementView = advertisement_views.AdvertisementView
OptionsGiven = advertising.OptionsGiven


def add(
    tx: Connection,
    *,
    package: PackageId,
    program: ProgramNumber,
    collection: CollectionId,
    name: str = "",
    available_from: datetime | None = None,
    expires_at: datetime | None = None,
    assignments: Iterable[str] = (),
    each_version: bool = False,
    is_paused: bool = False,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
    **given: Unpack[OptionsGiven],
) -> AdvertisementId:
    """A new advertisement. Assignments are written as people write them; without any it is optional.

    Errors: RefusedError: no such program or collection, impossible times, a program that could never run so, the same
    advertisement stands already. ConfirmationNeededError: it reaches many clients, or all.
    """
    standing.active_package(tx, package)
    key = ProgramKey(package, program)
    offered_program = programs.program_of(standing.standing_program(tx, key))
    target = standing.standing_collection(tx, collection)
    assigned = rules.numbered(rules.assignments_of(assignments, today=now.date()), (), 0).assignments
    options = advertising.options_with(Options(), given)
    starts_at = now if available_from is None else available_from
    starts_at, expires_at = checked_times(starts_at, expires_at)
    if expires_at is not None and expires_at <= now:
        raise RefusedError(f"it would have expired at {utc_text(expires_at)}, and run nowhere: choose a time to come")
    advertising.check_fit(offered_program, assigned, options, each_version=each_version)
    twin = _twin(tx, key, collection, assigned, options, available_from, expires_at, now=now, each_version=each_version)
    if twin is not None:
        raise RefusedError(f"{twin.id} ({twin.name}) advertises {key} to {target.name} in the same way already")
    title = line_of(name, "the name of an advertisement", NAME_LIMIT) or f"{offered_program.name} to {target.name}"[:NAME_LIMIT]
    reach = Reach(collections.member_count(tx, collection), target.is_all_systems)
    what = f"advertising {offered_program.name} to {target.name}"
    confirm_reach(what, reach, confirm_above=_confirm_above(tx), is_confirmed=is_confirmed)
    advertisement = advertisement_id_of(publication.site_code_of(tx), counters.next_number(tx, counters.ADVERTISEMENT))
    advertisements.insert_advertisement(
        tx,
        advertisement,
        name=title,
        key=key,
        collection=collection,
        available_from=starts_at,
        expires_at=expires_at,
        is_paused=is_paused,
        each_version=each_version,
        assignments=assigned,
        options=options,
        by=by,
        now=now,
    )
    if collections.mark_named(tx, collection):
        wanted.want_naming(tx, collection)
    wanted.want_offers(tx, collection)
    detail = {
        "program": str(key),
        "collection": collection,
        "assignments": [rules.text_of(one) for one in assigned],
        "reach": reach.client_count,
        **msgspec.to_builtins(options),
    }
    audit.record(tx, by=by, now=now, action="advertisement.add", about=advertisement, detail=detail)
    return advertisement


def edit(
    tx: Connection,
    advertisement: AdvertisementId,
    *,
    name: str | None = None,
    available_from: datetime | None = None,
    expires_at: datetime | None = None,
    never_expires: bool = False,
    assignments: Iterable[str] | None = None,
    each_version: bool | None = None,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
    **given: Unpack[OptionsGiven],
) -> AdvertisementView:
    """Changes what is given. An assignment whose time is changed is a new one, with a number of its own.

    Errors: RefusedError. ConfirmationNeededError: with the change it reaches further than before, many clients or all.
    """
    row = standing.standing_advertisement(tx, advertisement)
    before = advertisements.assignments_of(row)
    assigned = rules.Numbered(before, row.highest_assignment, False)
    if assignments is not None:
        said = rules.assignments_of(assignments, today=now.date(), before=before)
        assigned = rules.numbered(said, before, row.highest_assignment)
    old_options = advertisements.options_of(row)
    options = advertising.options_with(old_options, given)
    starts_at = row.available_from if available_from is None else available_from
    ends_at = None if never_expires else (row.expires_at if expires_at is None else expires_at)
    runs_each_version = row.each_version if each_version is None else each_version
    starts_at, ends_at = checked_times(starts_at, ends_at)
    title = row.name if name is None else (line_of(name, "the name of an advertisement", NAME_LIMIT) or row.name)
    old = (row.name, row.available_from, row.expires_at, row.each_version, before, old_options)
    if (title, starts_at, ends_at, runs_each_version, assigned.assignments, options) == old:
        raise RefusedError(f"nothing changed: {advertisement} ({row.name}) is so already")
    advertising.check_fit(programs.program_of(row), assigned.assignments, options, each_version=runs_each_version)
    is_wider = advertising.reaches_further(old_options, options) or (runs_each_version and not row.each_version)
    if assigned.has_new or is_wider:
        reach = Reach(row.members, row.is_all_systems)
        confirm_reach(f"this change of {row.name}", reach, confirm_above=_confirm_above(tx), is_confirmed=is_confirmed)
    advertisements.change(
        tx,
        advertisement,
        name=title,
        available_from=starts_at,
        expires_at=ends_at,
        each_version=runs_each_version,
        highest_assignment=assigned.highest,
        assignments=assigned.assignments,
        options=options,
    )
    wanted.want_offers(tx, CollectionId(row.collection))
    detail = {
        "name": title,
        "available_from": starts_at,
        "expires_at": ends_at,
        "each_version": runs_each_version,
        "assignments": [rules.text_of(one) for one in assigned.assignments],
        **msgspec.to_builtins(options),
    }
    audit.record(tx, by=by, now=now, action="advertisement.edit", about=advertisement, detail=detail)
    return shown(tx, advertisement)


def pause(tx: Connection, advertisement: AdvertisementId, *, by: str, now: datetime) -> AdvertisementView:
    """Holds an advertisement back; nothing is forgotten. Errors: RefusedError when it is paused."""
    return _set_paused(tx, advertisement, is_paused=True, by=by, now=now)


def resume(tx: Connection, advertisement: AdvertisementId, *, by: str, now: datetime) -> AdvertisementView:
    """Lets a paused advertisement go on. Errors: RefusedError when it is not paused."""
    return _set_paused(tx, advertisement, is_paused=False, by=by, now=now)


def delete(tx: Connection, advertisement: AdvertisementId, *, by: str, now: datetime) -> None:
    """Takes an advertisement back; the package stays known to the clients. Errors: RefusedError when there is none."""
    row = standing.standing_advertisement(tx, advertisement)
    offered.remember_advertisement(tx, advertisement)
    advertisements.mark_deleted(tx, [advertisement], now)
    wanted.want_offers(tx, CollectionId(row.collection))
    detail = {"name": row.name, "program": f"{row.package}/{row.program}", "collection": row.collection}
    audit.record(tx, by=by, now=now, action="advertisement.delete", about=advertisement, detail=detail)


def listed(
    tx: Connection, *, package: PackageId | None = None, collection: CollectionId | None = None
) -> tuple[AdvertisementView, ...]:
    """Standing advertisements by id: all, or those of a package, or to a collection."""
    readiness = read_readiness(tx)
    rows = advertisements.standing(tx, package=package, collection=collection)
    return tuple(advertisement_views.view_of(row, readiness) for row in rows)


def shown(tx: Connection, advertisement: AdvertisementId) -> AdvertisementView:
    """A standing advertisement. Errors: RefusedError when there is none."""
    return advertisement_views.view_of(standing.standing_advertisement(tx, advertisement), read_readiness(tx))


def _set_paused(tx: Connection, advertisement: AdvertisementId, *, is_paused: bool, by: str, now: datetime) -> AdvertisementView:
    row = standing.standing_advertisement(tx, advertisement)
    if row.is_paused == is_paused:
        raise RefusedError(f"nothing changed: {advertisement} ({row.name}) is {'paused already' if is_paused else 'not paused'}")
    advertisements.set_paused(tx, advertisement, is_paused=is_paused)
    wanted.want_offers(tx, CollectionId(row.collection))
    action = "advertisement.pause" if is_paused else "advertisement.resume"
    audit.record(tx, by=by, now=now, action=action, about=advertisement, detail={"name": row.name})
    return shown(tx, advertisement)


def checked_times(available_from: datetime, expires_at: datetime | None) -> tuple[datetime, datetime | None]:
    """From when and until when an advertisement is available, in UTC. Errors: RefusedError: it cannot be so."""
    available_from = checked_instant(available_from)
    expires_at = None if expires_at is None else checked_instant(expires_at)
    if expires_at is not None and expires_at <= available_from:
        raise RefusedError(f"it would expire at {utc_text(expires_at)}, before it is available: choose a later time")
    return available_from, expires_at


def _twin(
    tx: Connection,
    key: ProgramKey,
    collection: CollectionId,
    assignments: tuple[Assignment, ...],
    options: Options,
    available_from: datetime | None,
    expires_at: datetime | None,
    *,
    now: datetime,
    each_version: bool,
) -> AnyRow | None:
    """The standing advertisement that says exactly this. Where no begin was asked for, any that has begun counts."""
    for row in advertisements.standing(tx, collection=collection, programs=[key]):
        is_same_begin = row.available_from <= now if available_from is None else row.available_from == available_from
        is_same_end = row.expires_at == expires_at and row.each_version == each_version
        is_same_way = (
            rules.are_same(advertisements.assignments_of(row), assignments) and advertisements.options_of(row) == options
        )
        if is_same_begin and is_same_end and is_same_way:
            return row
    return None


def _confirm_above(tx: Connection) -> int:
    return settings.read_settings(tx).confirm_above
