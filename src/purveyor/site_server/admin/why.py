"""Why a program is on a client, or is not: gathers what the site knows, in few questions, and lets `model.why` explain it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from purveyor.site_server.admin import programs as program_words
from purveyor.site_server.admin import resources, standing
from purveyor.site_server.admin.why_rows import (
    Machine,
    chain_of,
    contents_of,
    job_of,
    machine_of,
    offers_of,
    points_of,
    program_facts,
    publication_of,
    refused_of,
    replacing,
    requests_of,
    told_of,
)
from purveyor.site_server.database import advertisements, clients, packages, previews, programs, settings, site_keys
from purveyor.site_server.database import why as stored
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.keys import KeyName, KeySource
from purveyor.site_server.model import preview
from purveyor.site_server.model.dependencies import dependents_of
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.why.chain import Explanation, explained
from purveyor.site_server.model.why.facts import GoneOffer, OfferFacts, PackageFacts, ProgramFacts, Rhythm, Times, WhyFacts
from purveyor.wire.ids import ClientId, PackageId, ProgramNumber
from purveyor.wire.package_info import ProgramKey

MOST_PROGRAMS = 20
"""Programs of one package that are explained at once."""
SIGNING = frozenset({"packages", "offers"})
"""The roles that sign what clients are told of packages and advertisements."""
_MESSAGES = 100
_TROUBLES = 3
_GONE = 5
_ID = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyView:
    """Why a package is on a client, or is not. `is_there`: all of its programs that are explained are.

    Shape: an explanation for the program that was named; without one, for each that reaches the client or that it spoke of, or
    for each that stands where there is none; at most MOST_PROGRAMS.
    """

    client: str
    client_name: str
    package: PackageId
    package_name: str
    is_there: bool
    explanations: tuple[Explanation, ...]


def why(
    tx: Connection, client: str, package: PackageId, program: str = "", *, keys: KeySource | None = None, now: datetime
) -> WhyView:
    """Why a package, or one program of it, is on a client or not. The client is named by id or name, the program likewise.

    `keys` are those that are on the site server; None: nobody looks.
    Errors: RefusedError: there is no such client, package or program, nor ever was.
    """
    row = standing.known_package(tx, package)
    machine = _machine(tx, client)
    subjects = [_key(tx, package, program)] if program else _programs(tx, machine, package)
    away = frozenset() if keys is None else _keys_away(tx, keys)
    made = tuple(explained(_facts(tx, machine, row, key, away, now)) for key in subjects)
    return WhyView(
        client=machine.client.id,
        client_name=machine.client.name,
        package=package,
        package_name=str(row.name),
        is_there=all(one.is_there for one in made),
        explanations=made,
    )


def _keys_away(tx: Connection, keys: KeySource) -> frozenset[str]:
    """The roles that sign what clients are told and whose key, the one that counts, is not on the site server."""
    current = site_keys.keys_in(tx, KeyState.CURRENT)
    return frozenset(role for role in SIGNING if role in current and keys.find(KeyName(role, current[role].id)) is None)


# --- which ones are meant ---


def _machine(tx: Connection, text: str) -> Machine:
    """The client with this id or name, a removed one too, or the machine that was refused. Errors: RefusedError."""
    text = text.strip()
    is_id = bool(_ID.fullmatch(text))
    named = [ClientId(text.lower())] if is_id else clients.ids_named(tx, text, 2)
    row = clients.row_of(tx, named[0]) if len(named) == 1 else None
    if row is None and (is_id or not named):
        refused = stored.refusal(tx, text)
        if refused is not None:
            return refused_of(refused)
        last = None if is_id else stored.newest_named(tx, text)
        row = None if last is None else clients.row_of(tx, last)
    row = row or clients.row_of(tx, resources.find(tx, text))
    assert row is not None
    return machine_of(tx, row)


def _key(tx: Connection, package: PackageId, text: str) -> ProgramKey:
    """The program with this number or name, a deleted one too. Errors: RefusedError."""
    if text.isascii() and text.isdigit():
        key = ProgramKey(package, ProgramNumber(int(text[:9])))
        if programs.row_of(tx, key) is not None:
            return key
    return program_words.find(tx, package, text)


def _programs(tx: Connection, machine: Machine, package: PackageId) -> list[ProgramKey]:
    """The programs of a package that reach the client or that it spoke of, else those that are advertised, else all."""
    rows = advertisements.standing(tx, package=package)
    reaching = {row.program for row in rows if row.collection in machine.collections}
    spoken = set(stored.programs_spoken_of(tx, machine.client.number, package))
    standing_rows = [row.number for row in programs.standing(tx, package)]
    chosen = (reaching | spoken) or {row.program for row in rows} or set(standing_rows) or {1}
    return [ProgramKey(package, ProgramNumber(number)) for number in sorted(chosen)[:MOST_PROGRAMS]]


# --- the facts ---


def _facts(tx: Connection, machine: Machine, row: AnyRow, key: ProgramKey, keys_away: frozenset[str], now: datetime) -> WhyFacts:
    chosen = settings.read_settings(tx)
    rhythm = Rhythm(poll_seconds=chosen.poll_interval_seconds, heartbeat_seconds=chosen.heartbeat_interval_seconds)
    needed = programs.dependencies(tx)
    chain_keys, is_round = chain_of(needed, key)
    offers = offers_of(tx, machine, [key]) or offers_of(tx, machine, dependents_of(needed, [key]))
    offer = _farthest(offers, key, now)
    keys = [*chain_keys, key, *([] if offer is None else [offer.advertisement.key])]
    jobs = stored.jobs(tx, machine.client.number, keys)
    messages = stored.messages(tx, machine.client.number, key, _MESSAGES)
    program = program_facts(tx, machine, key, job=job_of(jobs.get(key), messages))
    chain = tuple(program_facts(tx, machine, one, job=job_of(jobs.get(one), ())) for one in reversed(chain_keys))
    concerned = sorted({one.package for one in (*chain_keys, key, *([] if offer is None else [offer.advertisement.key]))})
    heard_at = None if offer is None else stored.heard_of(tx, machine.client.number, offer.advertisement.id)
    offer_job = None if offer is None else jobs.get(offer.advertisement.key)
    if heard_at is None and offer is not None and offer_job is not None and offer_job.advertisement == offer.advertisement.id:
        heard_at = offer_job.at
    return WhyFacts(
        now=now,
        client=machine.client,
        package=_package(tx, machine, row),
        program=program,
        rhythm=rhythm,
        offers=offers,
        gone_offers=tuple(_gone(one) for one in stored.gone_advertisements(tx, key, _GONE)),
        offer=offer,
        heard_of_offer_at=heard_at,
        replaced_by=replacing(tx, machine, key, now),
        chain=chain,
        is_chain_round=is_round,
        contents=contents_of(tx, concerned),
        publication=publication_of(tx, machine, concerned, offer, keys_away),
        messages=told_of(messages),
        troubles=told_of(stored.troubles(tx, machine.client.number, _TROUBLES)),
        points=points_of(tx, now),
        is_alone_silent=_is_alone_silent(tx, machine, rhythm, now),
        requests=() if offer is None else requests_of(tx, machine, offer.advertisement.id, now),
        times=_times(tx, machine, offer, program, now),
    )


def _is_alone_silent(tx: Connection, machine: Machine, rhythm: Rhythm, now: datetime) -> bool:
    """Whether another client spoke lately, or there is none that should have: asked only of a client that is silent."""
    since = now - timedelta(seconds=rhythm.patience_seconds)
    one = machine.client
    if one.last_seen_at is None or one.last_seen_at >= since:
        return True
    return stored.has_other_heard(tx, one.number, since) or not stored.has_other_member(tx, one.number, since)


def _farthest(offers: Iterable[OfferFacts], key: ProgramKey, now: datetime) -> OfferFacts | None:
    """The advertisement that comes farthest: of those that reach the client one that holds now, and is mandatory."""

    def place(one: OfferFacts) -> tuple[object, ...]:
        said = one.advertisement
        has_expired = said.expires_at is not None and said.expires_at <= now
        return (
            said.key != key,
            not one.is_member,
            said.is_paused,
            has_expired,
            said.available_from > now,
            not said.assignments,
            said.id,
        )

    return min(offers, key=place, default=None)


def _package(tx: Connection, machine: Machine, row: AnyRow) -> PackageFacts:
    package = PackageId(row.id)
    state = PackageState(row.state)
    held = None if state is PackageState.ACTIVE else stored.holding(tx, machine.client.number, package)
    other = packages.row_of(tx, PackageId(row.replaced_by)) if row.replaced_by else None
    return PackageFacts(
        id=package,
        name=row.name,
        state=state,
        source_version=row.source_version,
        created_at=row.created_at,
        since=standing.state_since(row),
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by or "",
        replaced_by=row.replaced_by or "",
        replaced_by_name="" if other is None else other.name,
        retired_snapshot=row.retired_snapshot,
        is_holder=held is not None,
        removed_at=None if held is None else held.removed_at,
        acknowledged_at=None if held is None else held.acknowledged_at,
    )


def _gone(row: AnyRow) -> GoneOffer:
    return GoneOffer(id=row.id, name=row.name, collection_name=row.collection_name, deleted_at=row.deleted_at)


def _times(tx: Connection, machine: Machine, offer: OfferFacts | None, program: ProgramFacts, now: datetime) -> Times:
    """When it is due on this client, by its clock, its share and its windows."""
    if offer is None or not machine.client.number:
        return Times()
    windows = previews.windows_by_client(tx, [machine.client.number]).get(machine.client.number, ())
    reader = preview.Machine(ClientId(machine.client.id), machine.zone, windows)
    seconds = 1 if program.program is None else program.program.max_run_seconds
    found = preview.outlook(offer.advertisement, reader, now, max_run_seconds=seconds, count=1)
    return Times(last=found.last, following=found.following, events=preview.events_of(offer.advertisement), windows=len(windows))
