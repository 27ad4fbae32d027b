"""Runs one program on this machine as an agent would, before any agent does: `purveyor program test`.

The same steps as the agent's own (content, preparing, launching, settling, the receipt), over a state folder made for this one
trial. Nothing is told to the site, nothing outlives the trial but what the program itself did to the machine. Never restarts it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from purveyor.client.content.held import Content
from purveyor.client.machine.interface import RUNS, Session
from purveyor.client.machine.notices import RealNotices
from purveyor.client.machine.programs import RealPrograms
from purveyor.client.machine.real import RealMachine
from purveyor.client.policy_view import Offer, Policy
from purveyor.client.programs import apm
from purveyor.client.programs.launch import environment
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Job, Kind
from purveyor.client.state.store import State, open_state
from purveyor.content.take_in import TakenIn
from purveyor.transport.interface import Answer, Point
from purveyor.wire.errors import AbsentError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import AdvertisementId, CollectionId, SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.manifest import distinct_files, manifest_path
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind
from purveyor.wire.package_info import DetectionRule, PackageInfo, Program, ProgramKey, RunsFor
from purveyor.wire.reports import StatusMessage
from purveyor.wire.settings import AgentSettings, Shards

STATE_FILE = "agent.db"
KEPT = "kept"
"""Where the folders of runs lie, where they are kept."""
OUTPUT_LIMIT_BYTES = 256 * 1024
LOOK_SECONDS = 0.05
STOP_SECONDS = 30.0
AT_ONCE = timedelta(seconds=2)
TURN_LIMIT = 20
"""Turns that may follow each other at once; far more than one program needs."""
_WELL = (JobState.SUCCEEDED, JobState.RESTART_PENDING)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: one program of a package, with the point that has its content, if there is any."""

    site: SiteCode
    package: PackageInfo
    program: Program
    point: Point | None = None
    is_uninstalled: bool = False
    """Whether its uninstall is run afterwards, from its receipt."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How one run ended. `is_there`: whether detection finds it afterwards; None: there is no rule, or it cannot tell."""

    state: JobState
    text: str
    exit_code: int | None = None
    output: str = ""
    is_there: bool | None = None

    @property
    def is_success(self) -> bool:
        """Whether an agent would report a success, be it after a restart."""
        return self.state in _WELL


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial. `was_there`: what detection found before; `kept`: the folders of the runs, where they were kept."""

    run: Ran
    was_there: bool | None = None
    uninstall: Ran | None = None
    messages: tuple[StatusMessage, ...] = ()
    """What an agent would have reported."""
    kept: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Whether all that was run succeeded."""
        return self.run.is_success and (self.uninstall is None or self.uninstall.is_success)


class SourcePoint:
    """A source folder that was not taken in at any site, as a distribution point would give it."""

    def __init__(self, taken_in: TakenIn) -> None:
        self.url = Path(taken_in.source.place).as_uri()
        self._taken_in = taken_in
        self._paths = {stored.path: stored.sha256 for stored in distinct_files(taken_in.manifest)}

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The manifest, or None where `tag` stands for it. Errors: AbsentError, RejectedError."""
        if path != manifest_path(self._taken_in.sha256):
            raise AbsentError(f"the source has no {path}")
        if len(self._taken_in.content) > limit_bytes:
            raise RejectedError(f"the manifest is larger than {limit_bytes} bytes")
        return None if tag == self._taken_in.sha256 else Answer(self._taken_in.content, self._taken_in.sha256)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The bytes of a file. Errors: AbsentError, UnavailableError: it changed since the source was read."""
        sha256 = self._paths.get(path)
        if sha256 is None:
            raise AbsentError(f"the source has no {path}")
        file = next(file for file in self._taken_in.manifest.files if file.sha256 == sha256)
        skipped, left = offset, limit_bytes
        try:
            for piece in self._taken_in.open(file):
                part = piece[skipped : skipped + left]
                skipped = max(0, skipped - len(piece))
                left -= len(part)
                if part:
                    yield part
        except RefusedError as error:
            raise UnavailableError(str(error)) from error

    def put(self, path: str, content: bytes) -> None:
        """Takes nothing. Errors: RejectedError."""
        raise RejectedError(f"nothing can be put into a source: {path}, {len(content)} bytes")


class WitnessedPrograms(RealPrograms):
    """The machine's programs, which also remembers what each run printed, and keeps its folder where that is asked for."""

    def __init__(self, folder: Path, *, kept: Path | None) -> None:
        super().__init__(folder)
        self._runs = folder
        self._kept = kept
        self.outputs: dict[str, str] = {}
        self.kept: list[str] = []

    def forget(self, run: str) -> None:
        """Removes what was kept of a run that ended, once its output was read."""
        folder = self._runs / run
        with suppress(OSError), (folder / "output.log").open("rb") as file:
            self.outputs[run] = file.read(OUTPUT_LIMIT_BYTES).decode(errors="replace")
        if self._kept is not None and folder.is_dir():
            self._kept.mkdir(exist_ok=True)
            os.rename(folder, self._kept / run)
            self.kept.append(str(self._kept / run))
        super().forget(run)


class SilentNotices(RealNotices):
    """Says nothing to anybody: a trial is the business of whoever makes it."""

    def show(self, session: Session, name: str, title: str, text: str) -> None:
        """Shows nothing."""

    def close(self, session: Session, name: str) -> None:
        """Takes nothing back."""


def tried(
    trial: Trial,
    folder: Path,
    *,
    keeps: bool = False,
    tell: Callable[[StatusMessage], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Runs the program in `folder`, which is empty, and says what came of it. A run is ended with the trial.

    Shape:  `tell` is given what an agent would report, as it comes.
    Errors: UnavailableError: the folder cannot be used.
    """
    machine = RealMachine(folder)
    machine.programs = programs = WitnessedPrograms(
        Path(machine.disk.absolute(RUNS)), kept=Path(machine.disk.absolute(KEPT)) if keeps else None
    )
    machine.notices = SilentNotices(machine.disk, machine.account)
    state = open_state(machine.disk.absolute(STATE_FILE))
    try:
        return _Trying(trial, machine, programs, state, tell, pause).verdict()
    finally:
        _end_runs(machine, state, pause)
        state.connection.close()


class _Trying:
    """One trial under way."""

    def __init__(
        self,
        trial: Trial,
        machine: RealMachine,
        programs: WitnessedPrograms,
        state: State,
        tell: Callable[[StatusMessage], None],
        pause: Callable[[float], None],
    ) -> None:
        self._trial, self._machine, self._programs, self._state = trial, machine, programs, state
        self._tell, self._pause = tell, pause
        self._told: list[StatusMessage] = []

    def verdict(self) -> Verdict:
        trial = self._trial
        was_there = self._is_there(trial.program.detection)
        run = self._ran(self._run(), is_uninstall=False)
        uninstall = None
        if trial.is_uninstalled and run.is_success:
            uninstall = self._ran(self._uninstalled(), is_uninstall=True)
        return Verdict(
            run=run, was_there=was_there, uninstall=uninstall, messages=tuple(self._told), kept=tuple(self._programs.kept)
        )

    def _run(self) -> Job | None:
        """The program's job, as far as it comes without waiting for anything but the program itself."""
        policy = policy_of(self._trial, now=self._machine.now())
        content = Content(self._machine.disk, self._state)
        for _ in range(TURN_LIMIT):
            now = self._machine.now()
            due = apm.turn(
                policy,
                state=self._state,
                machine=self._machine,
                content=content,
                point_for=self._point,
                now=now,
            )
            self._hear()
            job = next((job for job in reversed(apm.jobs(self._state)) if job.kind is Kind.RUN), None)
            if apm.is_running(self._state):
                self._wait_for_run()
            elif job is None or not job.is_open or job.problem or due is None or due > now + AT_ONCE:
                return job
            else:
                self._pause(max(0.0, (due - self._machine.now()).total_seconds()))
        return job

    def _uninstalled(self) -> Job | None:
        try:
            ended = apm.uninstall(
                self._trial.package.id, state=self._state, machine=self._machine, now=self._machine.now, wait=self._wait_for_run
            )
        except RefusedError:
            return None
        finally:
            self._hear()
        return ended[-1]

    def _ran(self, job: Job | None, *, is_uninstall: bool) -> Ran:
        if job is None:
            lacking = "there is no receipt to uninstall it from" if is_uninstall else "nothing of it is to be run here"
            return Ran(state=JobState.REFUSED, text=lacking)
        return Ran(
            state=job.state,
            text=job.text or job.problem,
            exit_code=job.exit_code,
            output=self._programs.outputs.get(job.run, ""),
            is_there=self._is_there(self._trial.program.detection),
        )

    def _point(self, url: str) -> Point:
        if self._trial.point is None:
            raise UnavailableError(f"there is no point {url}")
        return self._trial.point

    def _wait_for_run(self) -> None:
        while apm.is_running(self._state) and not apm.has_ended_run(self._state, self._machine):
            self._pause(LOOK_SECONDS)

    def _hear(self) -> None:
        """Takes what was told out of the state, where it would wait for the site for ever."""
        with self._state.transaction() as tx:
            rows = tx.execute("select content from message order by id").fetchall()
            tx.execute("delete from message")
        for row in rows:
            message = from_bytes(bytes(row[0]), StatusMessage)
            self._told.append(message)
            self._tell(message)

    def _is_there(self, rule: DetectionRule | None) -> bool | None:
        if rule is None:
            return None
        try:
            return self._machine.is_detected(environment.expanded_rule(rule, state=self._machine.disk.absolute("")))
        except (UnavailableError, environment.UndefinedVariableError):
            return None


def policy_of(trial: Trial, *, now: datetime) -> Policy:
    """A policy that offers this one program, to be run at once, by nothing but itself."""
    program = msgspec.structs.replace(trial.program, depends_on=None, supersedes=(), runs_for=RunsFor.FIRST_USER)
    package = msgspec.structs.replace(trial.package, programs=(program,), highest_program=program.number)
    key = ProgramKey(package.id, program.number)
    advertisement = Advertisement(
        id=AdvertisementId(f"{trial.site}20000"),
        package=key.package,
        program=key.program,
        available_from=now - timedelta(seconds=1),
        assignments=(Assignment(number=1, kind=AssignmentKind.ASAP),),
        ignores_windows=True,
    )
    settings = AgentSettings(
        site=trial.site, incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=(), disk_reserve_bytes=0
    )
    return Policy(
        settings=settings,
        is_complete=True,
        is_fresh=True,
        may_run_accepted=True,
        offers=(Offer(collection=CollectionId(f"{trial.site}10000"), advertisement=advertisement),),
        packages={package.id: package},
        points={package.manifest: (trial.point.url,)} if trial.point is not None and package.manifest else {},
    )


def _end_runs(machine: RealMachine, state: State, pause: Callable[[float], None]) -> None:
    """Ends what still runs, where the trial was given up."""
    running = [job.run for job in records.open_jobs(state) if job.state is JobState.RUNNING]
    for run in running:
        with suppress(UnavailableError):
            machine.programs.stop(run, is_forced=True)
    deadline = machine.uptime_seconds() + STOP_SECONDS
    while running and not apm.has_ended_run(state, machine) and machine.uptime_seconds() < deadline:
        pause(LOOK_SECONDS)
