"""The rows behind an explanation, as the facts that `model.why` explains. Read only; decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import advertisements, clients, packages, points, programs
from purveyor.site_server.database import requests as stored_requests
from purveyor.site_server.database import why as stored
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.wanted import Kind
from purveyor.site_server.model import requests as request_rules
from purveyor.site_server.model.dependencies import Dependencies
from purveyor.site_server.model.points import PointKind, PointState
from purveyor.site_server.model.requests import Outcome, RequestState
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.sequence import PLACES_AN_ITEM
from purveyor.site_server.model.supersedence import replacing as replacing_keys
from purveyor.site_server.model.why.facts import (
    ClientFacts,
    ContentFacts,
    CopyFacts,
    Deed,
    JobFacts,
    OfferFacts,
    PointFacts,
    ProgramFacts,
    PublicationFacts,
    Replacing,
    RequestFacts,
    Rule,
    Told,
    Unpublished,
)
from purveyor.wire import offers, package_info, signed
from purveyor.wire.bandwidth import NOTHING, UNLIMITED, next_allowance, parse_budget, rate_at
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, RequestKind
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.platforms import is_of_platforms
from purveyor.wire.reports import Facts
from purveyor.wire.shards import ClientState, Shard
from purveyor.wire.status_messages import StatusId

CHAIN_LIMIT = 32
_ARRIVALS = 20
_DEEDS = 200
_REQUESTS = 20
_ROLES = {Kind.PACKAGE: "packages", Kind.OFFERS: "offers", Kind.NAMING: "lookup"}
_ABOUT = {Kind.PACKAGE: "package", Kind.OFFERS: "the offers of collection", Kind.NAMING: "the shards that name collection"}


class Machine(NamedTuple):
    """A client as it is asked about, with the collections that it belongs to."""

    client: ClientFacts
    zone: tzinfo
    collections: frozenset[str]
    shard_key: int


def machine_of(tx: Connection, row: AnyRow) -> Machine:
    """The client in a row."""
    facts = _facts(row.facts)
    zone = _zone_named(facts.zone)
    deeds = _deeds_by_object(tx, [row.id])
    deed = deeds.get(row.id)
    arrived = stored.arrivals(tx, row.number, _ARRIVALS)
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(arrived)]
    found = ClientFacts(
        number=row.number,
        id=row.id,
        name=row.name,
        state=row.state,
        reason=row.reason,
        facts=facts,
        zone=zone,
        since=row.joined_at,
        deed=deed,
        last_seen_at=row.last_seen_at,
        last_sequence=row.last_sequence,
        received=row.received,
        applied=row.applied,
        fork="" if row.fork is None else _fork_text(row.fork),
        keeper=row.keeper,
        was=row.was,
        lost_items=row.lost_items,
        longest_gap_seconds=max(gaps, default=None),
    )
    return Machine(found, zone or UTC, frozenset(one.id for one in clients.collections_of(tx, row.number)), row.shard_key)


def refused_of(row: AnyRow) -> Machine:
    """The machine in a row of refusals: it is no client."""
    found = ClientFacts(
        number=0,
        id=row.client_id,
        name=row.name,
        state=ClientState.REFUSED.value,
        reason=row.reason,
        facts=Facts(name=row.name, platform=""),
        zone=None,
        since=row.at,
    )
    return Machine(found, UTC, frozenset(), row.shard_key)


def chain_of(dependencies: Dependencies, key: ProgramKey) -> tuple[list[ProgramKey], bool]:
    """What a program depends on, the next one first, and whether that goes round."""
    chain: list[ProgramKey] = []
    following = dependencies.get(key)
    while following is not None and len(chain) < CHAIN_LIMIT:
        if following == key or following in chain:
            return [*chain, following], True
        chain.append(following)
        following = dependencies.get(following)
    return chain, False


def offers_of(tx: Connection, machine: Machine, keys: Collection[ProgramKey]) -> tuple[OfferFacts, ...]:
    """The standing advertisements of these programs, with what their collections make of the client."""
    rows = advertisements.standing(tx, programs=sorted(keys)) if keys else ()
    if not rows:
        return ()
    chosen = {CollectionId(row.collection) for row in rows}
    of_collections: dict[str, list[Rule]] = {}
    for rule in stored.rules(tx, chosen, machine.client.number):
        found = Rule(kind=rule.kind, other=rule.other or "", other_name=rule.other_name or "", holds=bool(rule.holds))
        of_collections.setdefault(rule.collection, []).append(found)
    deeds = _deeds_by_object(tx, [row.id for row in rows])
    return tuple(_offer(row, machine, of_collections.get(row.collection, []), deeds.get(row.id)) for row in rows)


def _offer(row: AnyRow, machine: Machine, rules: list[Rule], deed: Deed | None) -> OfferFacts:
    is_member = row.collection in machine.collections
    if row.is_all_systems:
        rules = [Rule(kind="all", holds=machine.client.state == ClientState.MEMBER)]
    elif not any(rule.kind == "direct" for rule in rules):
        rules = [Rule(kind="direct"), *rules]
    options = advertisements.options_of(row)
    advertisement = Advertisement(
        id=AdvertisementId(row.id),
        package=PackageId(row.package),
        program=ProgramNumber(row.program),
        available_from=row.available_from,
        expires_at=row.expires_at,
        is_paused=row.is_paused,
        each_version=row.each_version,
        assignments=advertisements.assignments_of(row),
        users=options.users,
        groups=options.groups,
        rerun=options.rerun,
        spread_seconds=options.spread_seconds,
        ignores_windows=bool(options.ignores_windows_because),
    )
    return OfferFacts(
        advertisement=advertisement,
        name=row.name,
        collection=CollectionId(row.collection),
        collection_name=row.collection_name,
        is_member=is_member,
        rules=tuple(rules),
        created_at=row.created_at,
        created_by=row.created_by,
        deed=deed,
    )


def program_facts(tx: Connection, machine: Machine, key: ProgramKey, *, job: JobFacts | None) -> ProgramFacts:
    """A program, deleted or not, and where it stands on the client."""
    row, package = programs.row_of(tx, key), packages.row_of(tx, key.package)
    if row is None:
        return ProgramFacts(key=key, job=job)
    program = programs.program_of(row)
    told = machine.client.facts
    return ProgramFacts(
        key=key,
        name=row.name,
        program=program,
        is_enabled=row.is_enabled,
        deleted_at=row.deleted_at,
        package_state=None if package is None else PackageState(package.state),
        deed=_deed_on_program(tx, key),
        fits=not machine.client.number or is_of_platforms(program.platforms, told.platform, told.architecture),
        job=job,
    )


def job_of(row: AnyRow | None, messages: Sequence[AnyRow]) -> JobFacts | None:
    """Where a program stands, as the client said, with the message that said so where it is still there."""
    if row is None:
        return None
    told_by = next((message.status for message in messages if _order(message) == row.order), None)
    return JobFacts(
        state=JobState(row.state),
        text=row.text,
        at=row.at,
        order=row.order,
        advertisement=row.advertisement or "",
        occurrence=row.occurrence,
        source_version=row.source_version,
        exit_code=row.exit_code,
        user=row.user,
        succeeded_version=row.succeeded_version,
        told_by=None if told_by is None else StatusId(told_by),
        cause=None if row.cause is None else Cause(row.cause),
    )


def told_of(rows: Sequence[AnyRow]) -> tuple[Told, ...]:
    """Status messages as facts."""
    return tuple(
        Told(
            status=row.status,
            at=row.at,
            arrived_at=row.arrived_at,
            order=_order(row),
            advertisement=row.advertisement or "",
            text=row.text,
        )
        for row in rows
    )


def replacing(tx: Connection, machine: Machine, key: ProgramKey, now: datetime) -> tuple[Replacing, ...]:
    """The programs that replace this one and are offered to the client now."""
    keys = replacing_keys(programs.replacements(tx), [key])
    found = []
    for row in advertisements.standing(tx, programs=sorted(keys)) if keys else ():
        has_expired = row.expires_at is not None and row.expires_at <= now
        other = ProgramKey(PackageId(row.package), ProgramNumber(row.program))
        if row.collection not in machine.collections or row.is_paused or has_expired:
            continue
        program = program_facts(tx, machine, other, job=None)
        if program.stands and program.is_enabled and program.fits:
            found.append(
                Replacing(key=other, name=program.name, advertisement=AdvertisementId(row.id), package_name=row.package_name)
            )
    return tuple(found)


def contents_of(tx: Connection, needed: Sequence[PackageId]) -> tuple[ContentFacts, ...]:
    """The content of these packages, and where it lies."""
    rows = [row for row in (packages.row_of(tx, package) for package in needed) if row is not None]
    copies: dict[str, list[CopyFacts]] = {}
    for row in stored.copies(tx, [row.manifest for row in rows if row.manifest]):
        copy = CopyFacts(point=row.point, state=row.state, since=row.since, failures=row.failures, problem=row.problem)
        copies.setdefault(row.manifest, []).append(copy)
    served, taken_in = stored.served_versions(tx, needed), stored.taken_in(tx, needed)
    return tuple(
        ContentFacts(
            package=PackageId(row.id),
            name=row.name,
            source_version=row.source_version,
            manifest=row.manifest or "",
            copies=tuple(copies.get(row.manifest, ())),
            served_version=served.get(PackageId(row.id)),
            taken_in_at=taken_in.get(PackageId(row.id)),
        )
        for row in rows
    )


def points_of(tx: Connection, now: datetime) -> tuple[PointFacts, ...]:
    """The points that clients are told of, how the site's own turns there go, and whether its own DP gives anything now."""
    found = []
    for one in points.standing(tx):
        if not one.is_told:
            continue
        budget = parse_budget(one.said.bandwidth) if one.id == points.HOME_DP else UNLIMITED
        is_closed = rate_at(budget, now, None) == NOTHING
        found.append(
            PointFacts(
                id=one.id,
                is_cap=one.kind is PointKind.CAP,
                url=one.said.url,
                is_draining=one.state is PointState.DRAINING,
                problem=one.problem,
                failures=one.failures,
                tried_at=one.tried_at,
                is_closed=is_closed,
                opens_at=next_allowance(budget, now, None) if is_closed else None,
            )
        )
    return tuple(found)


def publication_of(
    tx: Connection, machine: Machine, needed: Sequence[PackageId], offer: OfferFacts | None, keys_away: frozenset[str]
) -> PublicationFacts:
    """How far the publication of these packages and of the offers is, and which snapshot has them."""
    collection = CollectionId("") if offer is None else offer.collection
    targets = [package_info.path_of(package) for package in needed] + ([] if offer is None else [offers.path_of(collection)])
    published_at = stored.written_at(tx, targets)
    kept = stored.snapshots(tx)
    after = [version for version, at in kept.written if published_at is not None and at >= published_at]
    before = [version for version, at in kept.written if published_at is not None and at < published_at]
    return PublicationFacts(
        unpublished=tuple(_unpublished(row) for row in stored.unpublished(tx, needed, collection)),
        keys_away=keys_away,
        unwritten=stored.count_unwritten(tx),
        is_shard_behind=_is_shard_behind(stored.shard_of(tx, machine.shard_key), ClientId(machine.client.id), collection),
        published_at=published_at,
        needed=min(after, default=kept.newest),
        is_exact=bool(before) or min(after, default=0) == 1,
        snapshot=kept.newest,
    )


def _is_shard_behind(shard: stored.ShardRow | None, client: ClientId, collection: CollectionId) -> bool:
    """Whether a client's shard is yet to name the collection to it. Any word of its other clients has it written anew, too."""
    if shard is None or (shard.is_written and not shard.is_wanted):
        return False
    if not shard.is_written or shard.content is None:
        return True
    entry = from_bytes(signed.split("shard", shard.content).payload, Shard).entries.get(client)
    return entry is None or entry.state is not ClientState.MEMBER or collection not in entry.collections


def requests_of(tx: Connection, machine: Machine, advertisement: AdvertisementId, now: datetime) -> tuple[RequestFacts, ...]:
    """What was asked of runs by an advertisement on this client, the newest first."""
    found = []
    for row in stored.requests(tx, advertisement, machine.client.number, _REQUESTS):
        named = stored_requests.clients_of(row)
        if (named and ClientId(machine.client.id) not in named) or (row.only_failed and row.outcome is None):
            continue
        is_open = request_rules.state_of(row.closed_at, row.expires_at, now) is RequestState.OPEN
        found.append(
            RequestFacts(
                number=row.number,
                kind=RequestKind(row.kind),
                made_by=row.made_by,
                made_at=row.made_at,
                reason=row.reason,
                is_open=is_open,
                outcome=None if row.outcome is None else Outcome(row.outcome),
                text=row.text or "",
                answered_at=row.answered_at,
            )
        )
    return tuple(found)


def _unpublished(row: AnyRow) -> Unpublished:
    kind = Kind(row.kind)
    return Unpublished(what=f"{_ABOUT[kind]} {row.key}", role=_ROLES[kind], wanted=row.wanted, published=row.published)


def _deeds_by_object(tx: Connection, about: Sequence[str]) -> Mapping[str, Deed]:
    """The last thing that was done to each of these."""
    found: dict[str, Deed] = {}
    for row in stored.deeds(tx, about, _DEEDS):
        found.setdefault(row.object, Deed(action=row.action, by=row.actor, at=row.at))
    return found


def _deed_on_program(tx: Connection, key: ProgramKey) -> Deed | None:
    """The last thing that was done to a program; the audit has it under its package."""
    for row in stored.deeds(tx, [key.package], _DEEDS):
        if row.action.startswith("program.") and _program_in(row.detail) == key.program:
            return Deed(action=row.action, by=row.actor, at=row.at)
    return None


def _program_in(detail: str) -> object:
    try:
        return msgspec.json.decode(detail, type=dict[str, object]).get("program")
    except msgspec.MsgspecError:
        return None


def _order(message: AnyRow) -> int:
    return int(message.sequence) * PLACES_AN_ITEM + int(message.position)


def _facts(text: str) -> Facts:
    try:
        return from_bytes(text.encode(), Facts)
    except RejectedError:
        return Facts(name="", platform="")


def _fork_text(text: str) -> str:
    try:
        fork = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError:
        return text[:200]
    return ", ".join(f"{name} {value}" for name, value in sorted(fork.items()))[:500]


def _zone_named(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None
