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
from purveyor.lab.transit import AbsentRequest
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
    at: str
    """By the client's clock."""
    user: str


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
    standing: str
    """What the site says that it is; empty: the site does not know it."""
    is_kin: bool
    """Whether it was copied, or made of a copy: others may have spoken with its identity."""
    remembered: tuple[Ran, ...]
    """The runs that its disks know of: also those of its image, and none that it lost by going back to a snapshot."""
    launched: tuple[Ran, ...]
    """All that it ever ran."""
    endings: dict[str, RunReport]
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
    broken: tuple[str, ...]
    """What was seen to break in the middle of the story."""
    told_since: datetime | None
    """Since when the site has all that it was told: it was restored then."""
    told_of_kin: tuple[tuple[Message, ...], ...]
    """What the site was told with each identity that machines with copies of each other's disks may have spoken with."""
    may_be_forgotten: frozenset[PackageId]
    deleted_programs: frozenset[ProgramKey]
    uninstalled: frozenset[PackageId]
    """Deleted packages that are uninstalled everywhere before."""
    unacknowledged: dict[PackageId, tuple[str, ...]]
    """Deleted packages, and clients that the site still waits for."""


def gathered(stage: Stage) -> Evidence:
    """What there is at the end of a story."""
    fleet, ordered = stage.fleet, stage.ordered
    with fleet.site.database.read() as tx:
        clients = tuple(_of_client(tx, stage, client) for client in fleet.clients)
        unacknowledged = _unacknowledged(tx, ordered.deleted_packages)
        told_of_kin = _told_of_kin(tx, stage) if stage.witness.kin else ()
    return Evidence(
        now=fleet.clock.now(),
        clients=clients,
        names={product.package: name for name, product in ordered.products.items()},
        absent=tuple(stage.absent_requests()),
        problems=tuple(fleet.problems()),
        forgotten=tuple(stage.witness.forgotten),
        unknown_launches=tuple(stage.witness.unknown),
        broken=tuple(ordered.broken),
        told_since=stage.witness.told_since,
        told_of_kin=told_of_kin,
        may_be_forgotten=ordered.may_be_forgotten,
        deleted_programs=frozenset(ordered.deleted_programs),
        uninstalled=frozenset(ordered.uninstalled_packages),
        unacknowledged=unacknowledged,
    )


def _of_client(tx: Connection, stage: Stage, client: LabClient) -> OfClient:
    state, witness = client.machine.state, stage.witness
    row = tx.exec_driver_sql("select number, state, received from client where id = ?", (client.id,)).one_or_none()
    number = -1 if row is None else int(row.number)
    remembered = tuple(witness.remembered.get(client.name, ()))
    return OfClient(
        name=client.name,
        standing="" if row is None else str(row.state),
        is_kin=client.name in witness.kin,
        remembered=remembered,
        launched=tuple(run for run in witness.runs if run.client == client.name),
        endings={run.run: ending_of(client, run.run) for run in remembered},
        interruptions=client.crashes + witness.cuts.get(client.name, 0),
        jobs=tuple(records.jobs(state)),
        histories=records.histories(state),
        messages=_messages(tx, number),
        site_jobs=_site_jobs(tx, number),
        told=0 if row is None else int(row.received),
        made=_count(client, "select next_sequence - 1 from identity"),
        untold=_count(client, "select count(*) from message"),
        members=_members(tx, number),
        believed=frozenset(view.collections_of(published.held_entry(state))),
        holds={package: client.holds_anything_of(package) for package in sorted(stage.ordered.deleted_packages)},
    )


def _told_of_kin(tx: Connection, stage: Stage) -> tuple[tuple[Message, ...], ...]:
    """All that was told with identities that are not those of machines which were never copied."""
    alone = {client.id for client in stage.fleet.clients if client.name not in stage.witness.kin}
    rows = tx.exec_driver_sql("select number, id from client order by number")
    return tuple(_messages(tx, row.number) for row in rows if row.id not in alone)


def _count(client: LabClient, statement: str) -> int:
    return int(client.machine.state.connection.execute(statement).fetchone()[0])


def _messages(tx: Connection, client: int) -> tuple[Message, ...]:
    columns = "status, package, program, occurrence, state, at, user"
    statement = f"select {columns} from status_message where client = ? order by sequence, position"  # noqa: S608 - names from above
    rows = tx.exec_driver_sql(statement, (client,))
    return tuple(
        Message(
            status=StatusId(row.status),
            key=_key(row.package, row.program),
            occurrence=row.occurrence,
            state=JobState(row.state) if row.state else None,
            at=str(row.at),
            user=row.user,
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
