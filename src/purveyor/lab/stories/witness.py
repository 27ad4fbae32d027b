"""The witness of a story: sees every launch on every machine, and looks now and then at what the clients remember.

It only writes down; whether the promise was kept is for `promise` to say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Kind
from purveyor.lab.client import LabClient
from purveyor.lab.programs import Launch
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
    attempts: int
    had_succeeded: bool
    """Whether the client remembered a success of this program."""


@dataclass(slots=True)
class Witness:
    """What was seen so far. Shape: `forgotten` are sentences; `successes` by client and program, as last remembered."""

    runs: list[Ran] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Launches of which the client had stored nothing."""
    forgotten: list[tuple[str, ProgramKey]] = field(default_factory=list)
    """Whose history shrank, and of which program."""
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
        self._histories.update({(client.name, key): history for key, history in now.items()})

    def cut(self, client: LabClient) -> None:
        """The power of this client was cut by the story itself, outside of any pass."""
        self.cuts[client.name] = self.cuts.get(client.name, 0) + 1

    def _saw_launch(self, client: LabClient, launch: Launch) -> None:
        state = client.machine.state
        job = next((job for job in records.open_jobs(state) if job.run == launch.run), None)
        if job is None or job.program is None:
            self.unknown.append(f"{client.name} started {launch.command}, and had not stored that it would")
            return
        self.runs.append(
            Ran(
                client=client.name,
                at=launch.at,
                run=launch.run,
                kind=job.kind,
                key=ProgramKey(*job.key),
                occurrence=job.occurrence,
                program=job.program,
                attempts=job.attempts,
                had_succeeded=records.history_of(state, job.key).has_succeeded,
            )
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


def was_interrupted(report: RunReport) -> bool:
    """Whether nobody can tell how a run ended."""
    return report.state is RunState.UNKNOWN
