"""What is to be compared once a story is over: what the site knows, what each client holds, and what the witness saw.

Gathered once, frozen, and judged by `promise`. The site's tables are read as they lie: what its own questions make of them is not
what is to be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from purveyor.client.machine.interface import RunReport
from purveyor.client.policy import view
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job
from purveyor.client.state import published
from purveyor.lab.client import LabClient
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.witness import Ran, ending_of
from purveyor.lab.transport import AbsentRequest
from purveyor.wire.ids import CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.status_messages import StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A status message that the site has stored."""

    status: StatusId
    key: ProgramKey | None
    occurrence: str
    state: JobState | None
    order: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteJob:
    """What the site shows of one program on one client."""

    state: JobState
    occurrence: str
    succeeded_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClient:
    """One client at the end. `told` are items up to which the site has everything, `made` those that the client made.

    Shape: `members` are the collections that the site counts it to and that say something, `believed` those it believes.
    """

    name: str
    runs: tuple[Ran, ...]
    endings: dict[str, RunReport]
    went_back: bool
    """Whether its machine went back to a snapshot: what it has run since then, it may run and tell again."""
    interruptions: int
    """How often it lost its power."""
    jobs: tuple[Job, ...]
    histories: dict[ProgramKey, History]
    messages: tuple[Message, ...]
    site_jobs: dict[ProgramKey, SiteJob]
    told: int
    made: int
    untold: int
    """Status messages that are not yet put into an item."""
    members: frozenset[CollectionId]
    believed: frozenset[CollectionId]
    holds: dict[PackageId, list[str]]
    """What leads to each deleted package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything at the end of a story. `names` are the story's words for packages."""

    now: datetime
    clients: tuple[OfClient, ...]
    names: dict[PackageId, str]
    absent: tuple[AbsentRequest, ...]
    problems: tuple[str, ...]
    forgotten: tuple[tuple[str, ProgramKey], ...]
    unknown_launches: tuple[str, ...]
    deleted_packages: frozenset[PackageId]
    deleted_programs: frozenset[ProgramKey]
    unacknowledged: dict[PackageId, tuple[str, ...]]
    """Deleted packages, and clients that the site still waits for."""


def gathered(stage: Stage) -> Evidence:
    """What there is at the end of a story."""
    fleet, ordered = stage.fleet, stage.ordered
    with fleet.site.database.read() as tx:
        clients = tuple(_of_client(tx, stage, client) for client in fleet.clients)
        unacknowledged = _unacknowledged(tx, ordered.deleted_packages)
    return Evidence(
        now=fleet.clock.now(),
        clients=clients,
        names={product.package: name for name, product in ordered.products.items()},
        absent=tuple(stage.absent_requests()),
        problems=tuple(fleet.problems()),
        forgotten=tuple(stage.witness.forgotten),
        unknown_launches=tuple(stage.witness.unknown),
        deleted_packages=frozenset(ordered.deleted_packages),
        deleted_programs=frozenset(ordered.deleted_programs),
        unacknowledged=unacknowledged,
    )


def _of_client(tx: Connection, stage: Stage, client: LabClient) -> OfClient:
    state = client.machine.state
    row = tx.exec_driver_sql("select number, received from client where id = ?", (client.id,)).one()
    runs = tuple(run for run in stage.witness.runs if run.client == client.name)
    return OfClient(
        name=client.name,
        runs=runs,
        endings={run.run: ending_of(client, run.run) for run in runs},
        went_back=client.name in stage.witness.reverted,
        interruptions=client.crashes + stage.witness.cuts.get(client.name, 0),
        jobs=tuple(records.jobs(state)),
        histories=records.histories(state),
        messages=_messages(tx, row.number),
        site_jobs=_site_jobs(tx, row.number),
        told=row.received,
        made=_count(client, "select next_sequence - 1 from identity"),
        untold=_count(client, "select count(*) from message"),
        members=_members(tx, row.number),
        believed=frozenset(view.collections_of(published.held_entry(state))),
        holds={package: client.holds_anything_of(package) for package in sorted(stage.ordered.deleted_packages)},
    )


def _count(client: LabClient, statement: str) -> int:
    return int(client.machine.state.connection.execute(statement).fetchone()[0])


def _messages(tx: Connection, client: int) -> tuple[Message, ...]:
    columns = "status, package, program, occurrence, state, sequence, position"
    statement = f"select {columns} from status_message where client = ? order by sequence, position"  # noqa: S608 - names from above
    rows = tx.exec_driver_sql(statement, (client,))
    return tuple(
        Message(
            status=StatusId(row.status),
            key=_key(row.package, row.program),
            occurrence=row.occurrence,
            state=JobState(row.state) if row.state else None,
            order=(row.sequence, row.position),
        )
        for row in rows
    )


def _site_jobs(tx: Connection, client: int) -> dict[ProgramKey, SiteJob]:
    statement = "select package, program, state, occurrence, succeeded_version from job_state where client = ?"
    rows = tx.exec_driver_sql(statement, (client,))
    return {
        ProgramKey(PackageId(row.package), ProgramNumber(row.program)): SiteJob(
            state=JobState(row.state), occurrence=row.occurrence, succeeded_version=row.succeeded_version
        )
        for row in rows
    }


def _members(tx: Connection, client: int) -> frozenset[CollectionId]:
    statement = (
        "select collection from member join collection on collection.id = member.collection"
        " where member.client = ? and collection.is_named and collection.deleted_at is null"
    )
    rows = tx.exec_driver_sql(statement, (client,))
    return frozenset(CollectionId(row.collection) for row in rows)


def _unacknowledged(tx: Connection, packages: Mapping[PackageId, frozenset[str]]) -> dict[PackageId, tuple[str, ...]]:
    """Who is still waited for. A client that held nothing when a package was deleted says so with its next heartbeat."""
    statement = (
        "select name from holder join client on client.number = holder.client"
        " where holder.package = ? and holder.acknowledged_at is null"
    )
    found: dict[PackageId, tuple[str, ...]] = {}
    for package in sorted(packages):
        rows = tx.exec_driver_sql(statement, (package,))
        names = tuple(sorted(row.name for row in rows if row.name in packages[package]))
        if names:
            found[package] = names
    return found


def _key(package: str | None, program: int | None) -> ProgramKey | None:
    if package is None or program is None:
        return None
    return ProgramKey(PackageId(package), ProgramNumber(program))
