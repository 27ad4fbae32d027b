"""What became of packages, programs, advertisements, collections and clients, and what clients said. Read only.

Current state and history are two things: states are where a job stands now, messages are what was said on the way.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.admin import advertisements, collections, programs, resources, standing
from purveyor.site_server.admin.status_views import (
    AdvertisementStatus,
    ClientStatus,
    CollectionStatus,
    JobView,
    MessageView,
    PackageStatus,
    ProgramStatus,
    StateCounts,
)
from purveyor.site_server.database import clients, points, status
from purveyor.site_server.database.readiness import read_readiness
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.status import Counts
from purveyor.site_server.model.pages import page_size
from purveyor.site_server.model.readiness import Readiness, lacking_text, waiting_text
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.schedules import checked_instant
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.status_messages import Severity, StatusId

SILENT = "silent"
"""What is given for a state to ask for clients from which no word came yet."""


def of_package(tx: Connection, package: PackageId) -> PackageStatus:
    """Where the programs of a package stand, by number. Errors: RefusedError when there is no such package."""
    row = standing.known_package(tx, package)
    return PackageStatus(
        package=package,
        name=row.name,
        state=PackageState(row.state),
        source_version=row.source_version,
        programs=tuple(of_program(tx, ProgramKey(package, view.number)) for view in programs.listed(tx, package)),
    )


def of_program(tx: Connection, key: ProgramKey) -> ProgramStatus:
    """Where a program stands. Errors: RefusedError when there is none."""
    view = programs.shown(tx, key)
    return ProgramStatus(
        package=key.package,
        program=key.program,
        name=view.name,
        is_enabled=view.is_enabled,
        counts=_counts(status.counts_of_program(tx, key)),
    )


def of_advertisement(tx: Connection, advertisement: AdvertisementId) -> AdvertisementStatus:
    """Where the program of an advertisement stands on its members. Errors: RefusedError when there is none."""
    return _advertisement_status(tx, advertisements.shown(tx, advertisement))


def of_collection(tx: Connection, collection: CollectionId) -> CollectionStatus:
    """Where all advertisements to a collection stand, by id. Errors: RefusedError when there is no such collection."""
    view = collections.shown(tx, collection)
    return CollectionStatus(
        collection=collection,
        name=view.name,
        members=view.members,
        advertisements=tuple(_advertisement_status(tx, one) for one in advertisements.listed(tx, collection=collection)),
    )


def of_client(tx: Connection, client: ClientId) -> ClientStatus:
    """What became of everything on one client, by package and program. Errors: RefusedError when the site does not know it."""
    view = resources.shown(tx, client)
    row = clients.row_of(tx, client)
    assert row is not None
    jobs = [_job(one, client, view.name) for one in status.jobs_of_client(tx, row.number)]
    readiness = read_readiness(tx)
    silent = [_silent_job(one, client, view.name, readiness) for one in status.offered_without_word(tx, row.number)]
    ordered = sorted([*jobs, *silent], key=lambda job: (job.package, job.program, job.advertisement or ""))
    return ClientStatus(client=client, name=view.name, state=view.state, last_seen_at=view.last_seen_at, jobs=tuple(ordered))


def clients_of_advertisement(
    tx: Connection, advertisement: AdvertisementId, *, state: str | None = None, after: str = "", limit: int = 1000
) -> tuple[JobView, ...]:
    """The members behind the counts of an advertisement, by client id: all, or those in a state (`silent` for no word yet).

    Errors: RefusedError.
    """
    view = advertisements.shown(tx, advertisement)
    key = ProgramKey(view.package, view.program)
    rows = status.member_states(tx, state=_state(state), key=key, collection=view.collection, after=after, limit=page_size(limit))
    return tuple(
        _job(row, ClientId(row.client_id), row.name, key, (view.package_name, view.program_name), advertisement) for row in rows
    )


def clients_of_package(
    tx: Connection,
    package: PackageId,
    *,
    program: ProgramNumber | None = None,
    state: str | None = None,
    after: str = "",
    limit: int = 1000,
) -> tuple[JobView, ...]:
    """The jobs of a package on all clients that spoke of it, by client id. Errors: RefusedError."""
    name = standing.known_package(tx, package).name
    rows = status.jobs_of_package(tx, package, program=program, state=_state(state), after=after, limit=page_size(limit))
    names = {view.number: view.name for view in programs.listed(tx, package)}
    return tuple(
        _job(row, ClientId(row.client_id), row.name, None, (name, names.get(ProgramNumber(row.program), ""))) for row in rows
    )


def messages(
    tx: Connection,
    *,
    client: ClientId | None = None,
    point: str | None = None,
    package: PackageId | None = None,
    program: ProgramNumber | None = None,
    advertisement: AdvertisementId | None = None,
    severities: Collection[Severity] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> tuple[MessageView, ...]:
    """Status messages, newest first; `before_id` gives the next page. `since` and `until` are of their arrival, as a span.

    Errors: RefusedError.
    """
    number = None
    if point is not None and points.point_of(tx, point) is None:
        raise RefusedError(f"there is no point {point[:40]!r}: `purveyor point list` shows those there are")
    if client is not None:
        row = clients.row_of(tx, client)
        if row is None:
            raise RefusedError(f"there is no resource {client}")
        number = row.number
    rows = status.messages(
        tx,
        client=number,
        point=point,
        package=package,
        program=program,
        advertisement=advertisement,
        severities=severities,
        since=None if since is None else checked_instant(since),
        until=None if until is None else checked_instant(until),
        before_id=before_id,
        limit=page_size(limit),
    )
    return tuple(_message(one) for one in rows)


def _advertisement_status(tx: Connection, view: advertisements.AdvertisementView) -> AdvertisementStatus:
    return AdvertisementStatus(
        advertisement=view.id,
        name=view.name,
        package=view.package,
        program=view.program,
        program_name=view.program_name,
        collection=view.collection,
        collection_name=view.collection_name,
        is_paused=view.is_paused,
        waits_for_content_of=view.waits_for_content_of,
        warnings=view.warnings,
        counts=_counts(status.counts_of_members(tx, view.collection, ProgramKey(view.package, view.program))),
    )


def _counts(counts: Counts) -> StateCounts:
    states = {state: counts[state] for state in JobState if counts.get(state)}
    no_word = counts.get(None, 0)
    return StateCounts(clients=sum(states.values()) + no_word, states=states, no_word_yet=no_word)


def _state(text: str | None) -> str | None:
    if text is None or text == SILENT or text in {state.value for state in JobState}:
        return text
    raise RefusedError(f"{text[:80]!r} is no state of a job: there are {', '.join(JobState)} and {SILENT}")


def _job(
    row: AnyRow,
    client: ClientId,
    client_name: str,
    key: ProgramKey | None = None,
    names: tuple[str, str] | None = None,
    advertisement: AdvertisementId | None = None,
) -> JobView:
    package, program = key or (PackageId(row.package), ProgramNumber(row.program))
    package_name, program_name = names or (row.package_name or "", row.program_name or "")
    return JobView(
        client=client,
        client_name=client_name,
        package=package,
        program=program,
        package_name=package_name,
        program_name=program_name,
        state=None if row.state is None else JobState(row.state),
        advertisement=AdvertisementId(row.advertisement) if row.advertisement else advertisement,
        occurrence=row.occurrence or "",
        source_version=row.source_version or 0,
        cause=row.cause or "",
        exit_code=row.exit_code,
        user=row.user or "",
        text=row.text or "",
        at=row.at,
        succeeded_version=row.succeeded_version,
        message=row.message,
    )


def _silent_job(row: AnyRow, client: ClientId, client_name: str, readiness: Readiness) -> JobView:
    key = ProgramKey(PackageId(row.package), ProgramNumber(row.program))
    return JobView(
        client=client,
        client_name=client_name,
        package=key.package,
        program=key.program,
        package_name=row.package_name,
        program_name=row.program_name,
        state=None,
        advertisement=AdvertisementId(row.advertisement),
        occurrence="",
        source_version=0,
        cause="",
        exit_code=None,
        user="",
        text=waiting_text(readiness.awaited(key)) or lacking_text(readiness.lacked(key)),
        at=None,
        succeeded_version=None,
        message=None,
    )


def _message(row: AnyRow) -> MessageView:
    return MessageView(
        id=row.id,
        client=ClientId(row.client_id) if row.client_id else None,
        client_name=row.client_name or "",
        point=row.point or "",
        sequence=row.sequence,
        at=row.at,
        arrived_at=row.arrived_at,
        status=row.status,
        status_name=StatusId(row.status).name,
        severity=Severity(row.severity),
        package=PackageId(row.package) if row.package else None,
        package_name=row.package_name or "",
        program=ProgramNumber(row.program) if row.program is not None else None,
        program_name=row.program_name or "",
        advertisement=AdvertisementId(row.advertisement) if row.advertisement else None,
        advertisement_name=row.advertisement_name or "",
        occurrence=row.occurrence,
        source_version=row.source_version,
        state=JobState(row.state) if row.state else None,
        cause=row.cause or "",
        exit_code=row.exit_code,
        user=row.user,
        text=row.text,
    )
