"""Programs that are only played: each command has a script that says how long it runs and what it leaves behind.

A run is watched by a watcher of its own, as on a real machine: it outlives a crash of the agent, but not the machine.
Every launch is remembered for good, because a program that was started twice is what a journey looks for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

import msgspec

from purveyor.client.machine.interface import RunOrder, RunReport, RunState
from purveyor.lab.clock import LocalClock
from purveyor.lab.disk import SimulatedDisk
from purveyor.wire.accounts import is_same
from purveyor.wire.package_info import Command

OUTPUT_TAIL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How a command behaves when it is started.

    Shape: `installs` and `removes` name what is there, or is gone, when it ends: `/a/file`, or a package `hello=2.10`.
    """

    seconds: float = 60
    exit_code: int = 0
    result: bytes | None = None
    """What it writes into its result file right before it ends."""
    mif: bytes | None = None
    """What it writes as a status MIF, called `mif_name`, into its folder for temporary files right before it ends."""
    mif_name: str = "status.mif"
    installs: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    hangs: bool = False
    """It never ends by itself, and does not end when asked to."""
    forks_seconds: float = 0
    """How much longer a child that it left behind goes on; a run ends with its whole tree."""
    relaunches: bool = False
    """It starts itself anew and ends with its code; that child does the work, and is done after `forks_seconds` more."""
    restarts_machine: bool = False
    """It restarts the machine as its last act, so that nobody sees it end."""
    restarts_in_the_middle: bool = False
    """It restarts the machine at the end of its time, before it has done or left anything."""
    resumes_seconds: float | None = None
    """After a restart that it made, what it left for the next start is done with its work after so long."""
    ends_at_log_off: bool = False
    """It has a window in the session of its user, so it ends with code 1 when that user logs off."""
    start_error: str = ""
    """Why it cannot be started at all."""
    is_start_error_transient: bool = False
    """Whether that may pass by itself."""
    prints: str = ""
    prints_endlessly: bool = False
    """It prints that again and again until it is ended, and does nothing else."""
    fills_disk: bool = False
    """It leaves no room on the disk while it runs, and none when it is over."""
    deletes_content: bool = False
    """It deletes the files from which it was started, itself among them, as soon as it runs."""

    @property
    def never_ends(self) -> bool:
        """Whether it has to be ended."""
        return self.hangs or self.prints_endlessly


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of one program, as the machine saw it.

    Shape: `files` are what lay in its working directory, and their bytes; `run_as` the account whose rights it had, empty for
    the agent's own.
    """

    at: datetime
    run: str
    command: str
    working_directory: str
    environment: Mapping[str, str]
    files: Mapping[str, bytes]
    run_as: str = ""


@dataclass(slots=True)
class _Run:
    order: RunOrder
    script: Script
    started_at: datetime
    ends_at: datetime | None
    report: RunReport | None = None


def _nobody_watches(_: Launch) -> None:
    """What is done with a launch where no story looks at each."""


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """What watchers had written about runs, and how commands behave: what a copy of a machine takes along."""

    runs: Mapping[str, _Run]
    scripts: Mapping[str, Sequence[Script]]
    endings: Mapping[str, RunReport]


class SimulatedPrograms:
    """Implements `client.machine.interface.Programs`.

    `changed` is called with what a program installs and removes when it ends, `restarted` when one restarts the machine.
    """

    def __init__(
        self,
        disk: SimulatedDisk,
        clock: LocalClock,
        *,
        changed: Callable[[tuple[str, ...], tuple[str, ...]], None],
        restarted: Callable[[], None],
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._changed = changed
        self._restarted = restarted
        self._runs: dict[str, _Run] = {}
        self._scripts: dict[str, Sequence[Script]] = {}
        self._default = Script()
        self._left_for_start: list[Script] = []
        self._resuming: list[tuple[datetime, Script]] = []
        self.launches: list[Launch] = []
        self.launched: Callable[[Launch], None] = _nobody_watches
        """Called with each launch, when it has just begun: the agent has stored it, and knows no more of it than that."""
        self.endings: dict[str, RunReport] = {}
        """What could be said of each run at its end, by run, for good: the agent forgets it once it has settled the run.

        A machine that goes back, and a copy, know what their image knew.
        """
        self.completed: list[str] = []
        """The commands that ran to their end, in order: neither stopped, nor out of time, nor cut off by the machine."""

    def script(self, command: str, *scripts: Script) -> None:
        """How a command behaves: the n-th script at its n-th start, the last one ever after."""
        self._scripts[command] = scripts

    def script_of(self, command: Command) -> Script:
        """How a command will behave at its next start; without a script it runs a minute and succeeds."""
        words = words_of(command)
        scripts = self._scripts.get(words, ())
        if not scripts:
            return self._default
        started = sum(launch.command == words for launch in self.launches)
        return scripts[min(started, len(scripts) - 1)]

    def start(self, order: RunOrder) -> None:
        """Starts a run; a run id that was started before starts nothing."""
        self._disk.power.effect(f"start {order.run}")
        if order.run in self._runs:
            return
        script = self.script_of(order.command)
        now = self._clock.true_time()
        if script.start_error:
            self._runs[order.run] = _Run(order, script, now, now, self._not_started(script))
            return
        ends_by_itself = inf if script.never_ends else script.seconds + script.forks_seconds
        ends_at = now + timedelta(seconds=min(ends_by_itself, order.max_run_seconds))
        self._runs[order.run] = _Run(order, script, now, ends_at)
        self.launches.append(self._launch(order))
        self.launched(self.launches[-1])
        self._begin(order, script)
        self.turn()

    def look(self, run: str) -> RunReport:
        """What can be said of a run now."""
        self.turn()
        known = self._runs.get(run)
        if known is None:
            return RunReport(state=RunState.UNKNOWN)
        return known.report or RunReport(state=RunState.RUNNING, started_at=known.started_at + self._clock.skew)

    def stop(self, run: str, *, is_forced: bool) -> None:
        """Asks the whole process tree to end, which a script that hangs does not heed, or ends it."""
        self.turn()
        known = self._runs.get(run)
        if known is not None and known.report is None and (is_forced or not known.script.hangs):
            known.report = self._ended(known, is_stopped=True)

    def forget(self, run: str) -> None:
        """Removes what was kept of a run that ended."""
        known = self._runs.get(run)
        if known is not None and known.report is not None:
            self.endings[run] = known.report
            del self._runs[run]

    def turn(self) -> None:
        """Lets happen what time has brought: runs that are over end, with all that they leave behind."""
        now = self._clock.true_time()
        for known in list(self._runs.values()):
            if known.report is None and known.ends_at is not None and known.ends_at <= now:
                self._end(known)
        for at, script in list(self._resuming):
            if at <= now:
                self._resuming.remove((at, script))
                self._changed(script.installs, script.removes)

    def next_end(self) -> datetime | None:
        """When the next run will be over, in true time."""
        return min((run.ends_at for run in self._runs.values() if run.report is None and run.ends_at is not None), default=None)

    def machine_stopped(self) -> None:
        """The machine went down: nobody knows any more how the runs that were under way ended."""
        for run in [run for run, known in self._runs.items() if known.report is None]:
            self._runs[run].report = RunReport(state=RunState.UNKNOWN, started_at=self._runs[run].started_at + self._clock.skew)
        self._resuming.clear()

    def machine_started(self) -> None:
        """The machine is up again: what programs left for its next start goes on."""
        now = self._clock.true_time()
        self._resuming += [(now + timedelta(seconds=script.resumes_seconds or 0), script) for script in self._left_for_start]
        self._left_for_start.clear()

    def kept_runs(self) -> KeptRuns:
        """What a copy of this machine's disks holds of its runs."""
        return KeptRuns({run: replace(known) for run, known in self._runs.items()}, dict(self._scripts), dict(self.endings))

    def take_runs(self, kept: KeptRuns) -> None:
        """Knows of runs what a copy holds, and nothing else; of one that was under way nobody knows how it ended."""
        self._runs = {run: replace(known) for run, known in kept.runs.items()}
        self._scripts = dict(kept.scripts) | self._scripts
        self.endings = dict(kept.endings)
        self._left_for_start.clear()
        self.machine_stopped()

    def user_logged_off(self, user: str) -> None:
        """A user is gone: programs with a window in that session end; what runs for the system goes on."""
        self.turn()
        for known in self._runs.values():
            account = known.order.account
            if known.report is None and known.script.ends_at_log_off and account is not None and is_same(account.name, user):
                known.ends_at = self._clock.true_time()
                known.report = msgspec.structs.replace(self._ended(known), exit_code=1)

    def _begin(self, order: RunOrder, script: Script) -> None:
        """What a program does to the disk right after its start."""
        folder = self._disk.relative(order.working_directory)
        if script.deletes_content and folder:
            self._disk.remove_as_program(folder)
        if script.fills_disk:
            self._disk.leave_free(0)

    def _end(self, known: _Run) -> None:
        order, script = known.order, known.script
        is_timed_out = script.never_ends or script.seconds + script.forks_seconds > order.max_run_seconds
        is_done = not script.never_ends and (not is_timed_out if script.relaunches else script.seconds <= order.max_run_seconds)
        if is_done and (script.restarts_machine or script.restarts_in_the_middle):
            if script.restarts_machine:
                self._leave(known)
            if script.resumes_seconds is not None:
                self._left_for_start.append(script)
            known.report = RunReport(state=RunState.UNKNOWN, started_at=known.started_at + self._clock.skew)
            self._restarted()
            return
        if is_done:
            self._leave(known)
        known.report = self._ended(known, is_timed_out=is_timed_out)

    def _leave(self, known: _Run) -> None:
        """What a program has done when it is through: its files, and what it installed."""
        order, script = known.order, known.script
        scratch = order.environment.get("TMPDIR", "")
        for path, content in ((order.result_file, script.result), (f"{scratch}/{script.mif_name}", script.mif)):
            relative = self._disk.relative(path)
            if content is not None and relative is not None:
                self._disk.write_as_program(relative, content, at=(known.ends_at or self._clock.true_time()) + self._clock.skew)
        if script.resumes_seconds is None:
            self._changed(script.installs, script.removes)
        self.completed.append(words_of(order.command))

    def _ended(self, known: _Run, *, is_timed_out: bool = False, is_stopped: bool = False) -> RunReport:
        ended_at = self._clock.true_time() if is_stopped else known.ends_at or self._clock.true_time()
        return RunReport(
            state=RunState.ENDED,
            exit_code=None if is_timed_out or is_stopped else known.script.exit_code,
            is_timed_out=is_timed_out,
            is_stopped=is_stopped,
            started_at=known.started_at + self._clock.skew,
            ended_at=ended_at + self._clock.skew,
            output_tail=_tail(known.script),
        )

    def _not_started(self, script: Script) -> RunReport:
        now = self._clock.now()
        return RunReport(
            state=RunState.ENDED,
            start_error=script.start_error,
            is_transient=script.is_start_error_transient,
            started_at=now,
            ended_at=now,
        )

    def _launch(self, order: RunOrder) -> Launch:
        folder = self._disk.relative(order.working_directory)
        return Launch(
            at=self._clock.true_time(),
            run=order.run,
            command=words_of(order.command),
            working_directory=order.working_directory,
            environment=dict(order.environment),
            files=self._disk.files(folder) if folder else {},
            run_as="" if order.account is None else order.account.name,
        )


def _tail(script: Script) -> str:
    """The end of what was printed."""
    times = OUTPUT_TAIL_CHARACTERS if script.prints_endlessly else 1
    return (script.prints * times)[-OUTPUT_TAIL_CHARACTERS:]


def words_of(command: Command) -> str:
    """A command as one line: what scripts and launches are known by."""
    return command.shell_line or " ".join(command.argv)
