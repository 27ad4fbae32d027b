"""What an advertisement will come to, before and after it exists. Read only: nothing is changed by looking ahead."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple, Unpack
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.admin import advertisements, standing
from purveyor.site_server.database import advertisements as stored
from purveyor.site_server.database import counters, previews, programs, publication, settings, windows
from purveyor.site_server.database.readiness import read_readiness
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import advertising
from purveyor.site_server.model import assignments as rules
from purveyor.site_server.model.advertising import Options, OptionsGiven
from purveyor.site_server.model.confirmation import Reach, needs_confirmation
from purveyor.site_server.model.preview import (
    DISTINCT,
    OTHERS,
    FiringView,
    Machine,
    events_of,
    notes_on,
    outlook,
    platform_groups,
    reached,
    zone_groups,
)
from purveyor.site_server.model.readiness import lacking_text, waiting_text
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber, advertisement_id_of
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import Program, ProgramKey
from purveyor.wire.platforms import is_of_platforms
from purveyor.wire.reports import Facts

LARGEST_LIMIT = 1000
MOST_FIRINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformView:
    """Members of one platform. `is_reached`: the program runs on it; None: on some of these it does, on others not."""

    platform: str
    members: int
    is_reached: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneView:
    """Members on one clock, and when it fires there: without anybody's share of a spread, and whatever windows say."""

    zone: str
    members: int
    is_known: bool
    following: tuple[FiringView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPreview:
    """One member: whether it is reached, what it said of the program last, when it was due last and is due next."""

    client: ClientId
    name: str
    platform: str
    zone: str
    is_zone_known: bool
    is_reached: bool
    state: JobState | None
    state_at: datetime | None
    last_seen_at: datetime | None
    windows: int
    last: FiringView | None
    following: tuple[FiringView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewView:
    """An advertisement's reach and times. `advertisement` is None while it does not exist.

    Shape: `clients` are the first by name, as many as were asked for; `members` are all.
    """

    advertisement: AdvertisementId | None
    package: PackageId
    program: ProgramNumber
    program_name: str
    collection: CollectionId
    collection_name: str
    members: int
    reached: int
    needs_confirmation: bool
    assignments: tuple[str, ...]
    events: tuple[str, ...]
    notes: tuple[str, ...]
    platforms: tuple[PlatformView, ...]
    zones: tuple[ZoneView, ...]
    clients: tuple[ClientPreview, ...]


class Asked(NamedTuple):
    """How much is asked for: clients at most, those with a part in their name alone, and times of each."""

    clients: int = 20
    containing: str = ""
    firings: int = 3


def of_standing(tx: Connection, advertisement: AdvertisementId, asked: Asked, now: datetime) -> PreviewView:
    """What a standing advertisement comes to. Errors: RefusedError when there is none."""
    row = standing.standing_advertisement(tx, advertisement)
    options = stored.options_of(row)
    offer = _offer(
        advertisement,
        ProgramKey(PackageId(row.package), ProgramNumber(row.program)),
        available_from=row.available_from,
        expires_at=row.expires_at,
        options=options,
    )
    offer = msgspec.structs.replace(offer, is_paused=row.is_paused, assignments=stored.assignments_of(row))
    return _preview(tx, _Subject(offer, programs.program_of(row), row.is_enabled, CollectionId(row.collection), True), asked, now)


def of_new(
    tx: Connection,
    asked: Asked,
    *,
    package: PackageId,
    program: ProgramNumber,
    collection: CollectionId,
    available_from: datetime | None = None,
    expires_at: datetime | None = None,
    assignments: Iterable[str] = (),
    each_version: bool = False,
    is_paused: bool = False,
    now: datetime,
    **given: Unpack[OptionsGiven],
) -> PreviewView:
    """What an advertisement would come to, if it were made now. Errors: RefusedError: as making it would be refused."""
    standing.active_package(tx, package)
    key = ProgramKey(package, program)
    row = standing.standing_program(tx, key)
    standing.standing_collection(tx, collection)
    options = advertising.options_with(Options(), given)
    assigned = rules.numbered(rules.assignments_of(assignments, today=now.date()), (), 0).assignments
    starts_at = now if available_from is None else available_from
    starts_at, expires_at = advertisements.checked_times(starts_at, expires_at)
    offered = programs.program_of(row)
    advertising.check_fit(offered, assigned, options, each_version=each_version)
    number = counters.highest_number(tx, counters.ADVERTISEMENT) + 1
    name = advertisement_id_of(publication.site_code_of(tx), number)
    offer = _offer(name, key, available_from=starts_at, expires_at=expires_at, options=options)
    offer = msgspec.structs.replace(offer, is_paused=is_paused, assignments=assigned)
    return _preview(tx, _Subject(offer, offered, row.is_enabled, collection, False), asked, now)


class _Subject(NamedTuple):
    """What is looked ahead for."""

    offer: Advertisement
    program: Program
    is_enabled: bool
    collection: CollectionId
    exists: bool


class _Counted(NamedTuple):
    """The members by platform and architecture, and by zone."""

    platforms: Counter[tuple[str, str]]
    zones: Counter[str]


def _preview(tx: Connection, subject: _Subject, asked: Asked, now: datetime) -> PreviewView:
    offer, program = subject.offer, subject.program
    target = standing.standing_collection(tx, subject.collection)
    counted = _count(tx, subject.collection)
    members = sum(counted.zones.values())
    reach = Reach(members, target.is_all_systems)
    window_count = len(windows.windows_of(tx, subject.collection))
    return PreviewView(
        advertisement=offer.id if subject.exists else None,
        package=offer.package,
        program=offer.program,
        program_name=program.name,
        collection=subject.collection,
        collection_name=str(target.name),
        members=members,
        reached=reached(counted.platforms, program.platforms),
        needs_confirmation=needs_confirmation(reach, settings.read_settings(tx).confirm_above),
        assignments=tuple(rules.text_of(one) for one in offer.assignments),
        events=events_of(offer),
        notes=(*notes_on(offer, now, is_enabled=subject.is_enabled, window_count=window_count), *_obstacles(tx, offer.key)),
        platforms=tuple(
            PlatformView(platform=group.name, members=group.members, is_reached=group.is_reached)
            for group in platform_groups(counted.platforms, program.platforms)
        ),
        zones=tuple(_zone_view(subject, name, count, asked, now) for name, count in zone_groups(counted.zones)),
        clients=_clients(tx, subject, asked, now),
    )


def _obstacles(tx: Connection, key: ProgramKey) -> tuple[str, ...]:
    """Why no client hears of it before something else happens."""
    readiness = read_readiness(tx)
    return tuple(filter(None, (waiting_text(readiness.awaited(key)), lacking_text(readiness.lacked(key)))))


def _count(tx: Connection, collection: CollectionId) -> _Counted:
    """The members counted. What too many different machines say of themselves is counted as one."""
    counted = _Counted(Counter(), Counter())
    for text in previews.facts_of_members(tx, collection):
        facts = _facts(text)
        platform = (facts.platform, facts.architecture)
        is_counted = platform in counted.platforms or len(counted.platforms) < DISTINCT
        counted.platforms[platform if is_counted else (OTHERS, "")] += 1
        is_counted = facts.zone in counted.zones or len(counted.zones) < DISTINCT
        counted.zones[facts.zone if is_counted else OTHERS] += 1
    return counted


def _zone_view(subject: _Subject, name: str, members: int, asked: Asked, now: datetime) -> ZoneView:
    zone = _zone_named(name)
    following: tuple[FiringView, ...] = ()
    if zone is not None:
        seconds = subject.program.max_run_seconds
        following = outlook(subject.offer, Machine(None, zone), now, max_run_seconds=seconds, count=asked.firings).following
    return ZoneView(zone=name, members=members, is_known=zone is not None, following=following)


def _clients(tx: Connection, subject: _Subject, asked: Asked, now: datetime) -> tuple[ClientPreview, ...]:
    limit = min(asked.clients, LARGEST_LIMIT)
    rows = previews.members(tx, subject.collection, subject.offer.key, containing=asked.containing, limit=limit)
    reaching = previews.windows_by_client(tx, [row.number for row in rows])
    views = []
    for row in rows:
        facts, own = _facts(row.facts), reaching.get(row.number, ())
        zone = _zone_named(facts.zone)
        machine = Machine(ClientId(row.id), zone or UTC, own)
        found = outlook(subject.offer, machine, now, max_run_seconds=subject.program.max_run_seconds, count=asked.firings)
        views.append(
            ClientPreview(
                client=ClientId(row.id),
                name=row.name,
                platform=facts.platform,
                zone=facts.zone,
                is_zone_known=zone is not None,
                is_reached=is_of_platforms(subject.program.platforms, facts.platform, facts.architecture),
                state=_state(row),
                state_at=row.job_at,
                last_seen_at=row.last_seen_at,
                windows=len(own),
                last=found.last,
                following=found.following,
            )
        )
    return tuple(views)


def _offer(
    advertisement: AdvertisementId, key: ProgramKey, *, available_from: datetime, expires_at: datetime | None, options: Options
) -> Advertisement:
    """The advertisement as clients read it, as far as it decides when something is due."""
    return Advertisement(
        id=advertisement,
        package=key.package,
        program=key.program,
        available_from=available_from,
        expires_at=expires_at,
        users=options.users,
        groups=options.groups,
        spread_seconds=options.spread_seconds,
        ignores_windows=bool(options.ignores_windows_because),
    )


def _facts(text: str) -> Facts:
    try:
        return from_bytes(text.encode(), Facts)
    except RejectedError:
        return Facts(name="", platform="")


def _state(row: AnyRow) -> JobState | None:
    return None if row.job_state is None else JobState(row.job_state)


def _zone_named(name: str) -> tzinfo | None:
    """The time zone with this name. None: there is none here; a client's word for it is any text."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None
