"""What stands between a job that is due and its launch: conditions and windows, looked at right before each launch.

One look at the machine serves a round of jobs that wait; whoever is let through is looked at once more, afresh, and only then
launched (Q297522). Remembers, for one turn, when the jobs that wait are worth another look. Decides by `conditions` and
`opening`, stores and tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from purveyor.client.machine.interface import Session, Surroundings
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch.opening import InForce, closed, unmet_window
from purveyor.client.programs.memory.job import Job
from purveyor.client.programs.wanted.conditions import Interval, Unmet, is_costly, session_for, unmet
from purveyor.client.programs.wanted.due import Occurrence
from purveyor.wire.causes import Cause
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Program


@dataclass(slots=True, kw_only=True)
class Gate:
    """The conditions of one turn. `looks` are the times at which a job that waits is to be looked at again."""

    bench: Bench
    windows: InForce
    condition_interval_seconds: int
    looks: set[datetime] = field(default_factory=set)
    _has_looked: bool = False
    _surroundings: Surroundings | None = None
    _by_window: dict[tuple[int, bool], Unmet | None] = field(default_factory=dict)

    def begin_round(self) -> None:
        """Forgets what was seen and when to look again: all that waits is looked at once more."""
        self.look_afresh()
        self.looks.clear()

    def look_afresh(self) -> None:
        """Forgets what was seen of the machine, since something was launched or settled."""
        self._has_looked = False

    def surroundings(self) -> Surroundings | None:
        """Who is logged on, and how power and network stand; None: that cannot be told now."""
        if not self._has_looked:
            try:
                self._surroundings = self.bench.machine.surroundings()
            except UnavailableError as error:
                self.bench.note(f"who is logged on cannot be told: {error}")
                self._surroundings = None
            self._has_looked = True
        return self._surroundings

    def unmet(self, job: Job, program: Program, answers: Sequence[Occurrence]) -> Unmet | None:
        """What keeps a job from starting at this moment; None: all holds, by two looks."""
        found = self._unmet(job, program, answers)
        if found is None:
            self.look_afresh()
            found = self._unmet(job, program, answers)
        self._note_look(found)
        return found

    def unmet_for_fetching(self, program: Program) -> Unmet | None:
        """What keeps the content of a program from being fetched now: it is not to come over a network that costs by volume."""
        if not program.conditions.needs_unmetered or not is_costly(self.surroundings()):
            return None
        found = Unmet(cause=Cause.METERED, reason="waits: the network costs by volume", look_at=self.interval.next_look)
        self._note_look(found)
        return found

    def closed(self) -> Unmet | None:
        """Why nothing that keeps to windows may happen now; None: it may."""
        return closed(self.windows, self.bench.now)

    def closed_for(self, job: Job) -> Unmet | None:
        """Why what follows from a job, such as a restart, may not happen now, however short it is; None: it may."""
        return None if job.is_free else self._unmet_window(1, job.due_at or self.bench.now)

    def is_going_down(self) -> bool:
        """Whether the machine is going down: nothing starts then, whatever it is (Q297522)."""
        surroundings = self.surroundings()
        return surroundings is not None and surroundings.is_going_down

    def session(self, user: str) -> Session | None:
        """The session in which a program for this user runs, or for anybody, by the last look."""
        surroundings = self.surroundings()
        return None if surroundings is None else session_for(surroundings.sessions, user)

    @property
    def interval(self) -> Interval:
        """When looks are made."""
        return Interval(now=self.bench.now, seconds=self.condition_interval_seconds)

    def _unmet(self, job: Job, program: Program, answers: Sequence[Occurrence]) -> Unmet | None:
        surroundings = self.surroundings()
        user = job.session_of
        if surroundings is not None and surroundings.is_going_down:
            return unmet(program, surroundings, user=user, free_bytes=None, interval=self.interval)
        is_free = job.is_free or any(answer.is_free for answer in answers)
        if not is_free:
            due_at = min((answer.due_at for answer in answers), default=job.due_at or self.bench.now)
            found = self._unmet_window(program.max_run_seconds, due_at)
            if found is not None:
                return found
        return unmet(program, surroundings, user=user, free_bytes=self._free_bytes(program), interval=self.interval)

    def _unmet_window(self, max_run_seconds: int, due_at: datetime) -> Unmet | None:
        """As `unmet_window` says it of this moment; worked out once for all jobs to which the same applies."""
        missed = self.windows.missed
        key = (max_run_seconds, missed is not None and due_at < missed.closes_at)
        if key not in self._by_window:
            found = unmet_window(self.windows, at=self.bench.now, due_at=due_at, max_run_seconds=max_run_seconds)
            self._by_window[key] = found
        return self._by_window[key]

    def _free_bytes(self, program: Program) -> int | None:
        if not program.conditions.min_free_bytes:
            return None
        try:
            return self.bench.machine.disk.free_bytes()
        except UnavailableError as error:
            self.bench.note(f"how much room the disk has cannot be told: {error}")
            return None

    def _note_look(self, found: Unmet | None) -> None:
        if found is not None and found.look_at is not None:
            self.looks.add(found.look_at)
