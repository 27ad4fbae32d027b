"""The witness of a story: sees every launch on every machine, and looks now and then at what the clients remember.

It only writes down; whether the promise was kept is for `promise` to say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from purveyor.client.machine.interface import RunReport
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job, Kind
from purveyor.client.state import published
from purveyor.lab.client import LabClient
from purveyor.lab.copies import Snapshot
from purveyor.lab.programs import Launch
from purveyor.wire import offers
from purveyor.wire.offers import AssignmentKind
from purveyor.wire.package_info import Program, ProgramKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One launch, and what the client had stored of it when it came. `program` is as it was then."""

    client: str
    at: datetime
    run: str
    kind: Kind
    key: ProgramKey
    occurrence: str
    program: Program
    repeats_success: bool
    """It is for "as soon as possible", and the program was seen to have succeeded here, with nothing removed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A snapshot of a machine, and the runs that its disks knew of then."""

    snapshot: Snapshot
    runs: tuple[Ran, ...]


@dataclass(slots=True)
class Witness:
    """What was seen so far. Shape: `forgotten` are clients and programs; `succeeded_in` as last remembered."""

    runs: list[Ran] = field(default_factory=list)
    """Every launch, by whatever machine, and whether or not it is known of there still."""
    remembered: dict[str, list[Ran]] = field(default_factory=dict)
    """By client, the runs that its disks know of: its own but those that it lost by going back, and those of its image."""
    kin: set[str] = field(default_factory=set)
    """Machines that were copied, and their copies: they may have spoken with each other's identity."""
    told_since: datetime | None = None
    """When the site was last restored: what it was told before may be lost with it."""
    unknown: list[str] = field(default_factory=list)
    """Launches of which the client had stored nothing."""
    forgotten: list[tuple[str, ProgramKey]] = field(default_factory=list)
    """Whose history shrank, and of which program."""
    succeeded_in: dict[tuple[str, ProgramKey], int] = field(default_factory=dict)
    """In which term each program was last seen to have succeeded on each client."""
    cuts: dict[str, int] = field(default_factory=dict)
    """How often the story itself cut a client's power, by client."""
    _histories: dict[tuple[str, ProgramKey], History] = field(default_factory=dict)

    def watch(self, client: LabClient) -> None:
        """Sees every launch on this client's machine from now on."""
        client.machine.programs.launched = partial(self._saw_launch, client)

    def look(self, client: LabClient) -> None:
        """Writes down what a client remembers, and what it remembers no more."""
        now = records.histories(client.machine.state)
        for (name, key), before in list(self._histories.items()):
            if name == client.name and is_less(now.get(key), before):
                self.forgotten.append((name, key))
                del self._histories[name, key]
        for key, history in now.items():
            self._histories[client.name, key] = history
            if history.has_succeeded:
                self.succeeded_in[client.name, key] = history.term

    def cut(self, client: LabClient) -> None:
        """The power of this client was cut by the story itself, outside of any pass."""
        self.cuts[client.name] = self.cuts.get(client.name, 0) + 1

    def kept(self, client: LabClient) -> Kept:
        """A snapshot of a client's machine as it is now."""
        return Kept(snapshot=client.snapshot(), runs=tuple(self.remembered.get(client.name, ())))

    def went_back(self, client: LabClient, to: Kept) -> None:
        """A machine went back to a snapshot: what it remembered and ran since then never was, all before that it still knows."""
        self.cut(client)
        self.remembered[client.name] = list(to.runs)
        for known in (self._histories, self.succeeded_in):
            for key in [key for key in known if key[0] == client.name]:
                del known[key]
        self.look(client)

    def copied(self, origin: str, copy: LabClient, image: Kept) -> None:
        """A machine was made of the disks of another one: what that had run, this one knows of."""
        self.kin |= {origin, copy.name}
        self.cut(copy)
        self.remembered[copy.name] = list(image.runs)
        self.watch(copy)
        self.look(copy)

    def _repeats_success(self, client: LabClient, job: Job) -> bool:
        before = self.succeeded_in.get((client.name, ProgramKey(*job.key)))
        if before is None or not job.covers:
            return False
        at_once = _assignments_at_once(client)
        is_at_once = all(occurrence.partition("@")[0].partition("~")[0] in at_once for occurrence in job.covers)
        return is_at_once and before == records.history_of(client.machine.state, job.key).term

    def _saw_launch(self, client: LabClient, launch: Launch) -> None:
        state = client.machine.state
        job = next((job for job in records.open_jobs(state) if job.run == launch.run), None)
        if job is None or job.program is None:
            self.unknown.append(f"{client.name} started {launch.command}, and had not stored that it would")
            return
        ran = Ran(
            client=client.name,
            at=launch.at,
            run=launch.run,
            kind=job.kind,
            key=ProgramKey(*job.key),
            occurrence=job.occurrence,
            program=job.program,
            repeats_success=self._repeats_success(client, job),
        )
        self.runs.append(ran)
        self.remembered.setdefault(client.name, []).append(ran)


def _assignments_at_once(client: LabClient) -> frozenset[str]:
    """The assignments "as soon as possible" that a client holds, as occurrences name them."""
    state = client.machine.state
    held = (offers.decode(content) for content in published.target_contents(state, "offerinf.box/").values())
    return frozenset(
        f"{one.id}.{assignment.number}"
        for said in held
        for one in said.advertisements
        for assignment in one.assignments
        if assignment.kind is AssignmentKind.ASAP
    )


def is_less(now: History | None, before: History) -> bool:
    """Whether something that was remembered of a program is not remembered any more. A removal ends a term: all begins anew."""
    if now is None:
        return before.has_run() or bool(before.started)
    if now.term > before.term:
        return False
    if before.has_succeeded and not now.has_succeeded:
        return True
    return any(name not in now.started or not now.started[name].has(started) for name, started in before.started.items())


def ending_of(client: LabClient, run: str) -> RunReport:
    """What can be said of how a run ended, by the machine itself."""
    programs = client.machine.programs
    return programs.endings.get(run) or programs.look(run)
