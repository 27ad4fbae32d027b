"""Brings the jobs that are due to run: with all that they depend on, content first, one program at a time.

A family is a job and the jobs of the programs that it depends on, under one occurrence. The content of all is fetched before the
first is started. Whether the assignment still stands, and all conditions hold, is looked at again right before each launch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from purveyor.client.content.held import ContentCache
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch import opening
from purveyor.client.programs.launch.fetching import Fetching
from purveyor.client.programs.launch.gate import Gate
from purveyor.client.programs.launch.launching import (
    already_there,
    drifted,
    launch,
    looked_for,
    problem_of,
    remember_answered,
)
from purveyor.client.programs.launch.links import Links
from purveyor.client.programs.launch.removal import launch_next_uninstall, plan_superseded
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import NOT_STARTED, RUNNABLE, Errand, Event, Job, Kind, advanced, changed
from purveyor.client.programs.wanted.audience import is_per_user
from purveyor.client.programs.wanted.chain import Broken, chain_of, is_supported, program_of
from purveyor.client.programs.wanted.conditions import Unmet, needs_user
from purveyor.client.programs.wanted.due import Occurrence, due
from purveyor.client.programs.wanted.standing import Standing
from purveyor.transport.interface import Point
from purveyor.wire.causes import Cause
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Priority, Rerun
from purveyor.wire.package_info import PackageInfo, Program, ProgramKey
from purveyor.wire.spans import moved, span
from purveyor.wire.spread import share_of
from purveyor.wire.status_messages import StatusId

_BUSY = (JobState.RUNNING, JobState.RESTART_PENDING)
LOOK_AGAIN_SECONDS = 60
"""After a pass has gone on for so long, nothing more is launched in it: the assignments are read again first."""
_RANKS = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


@dataclass(slots=True, kw_only=True)
class Runs:
    """One turn's work on what is due."""

    bench: Bench
    policy: Policy
    content: ContentCache
    point_for: Callable[[str], Point]
    standings: Mapping[Errand, Standing]
    is_late: bool = False
    """The pass has gone on for too long to launch anything more."""
    has_answered: bool = False
    """An occurrence was answered without a run: what is asked for is to be looked at afresh."""
    gate: Gate = field(init=False)
    fetching: Fetching = field(init=False)
    _is_busy: bool | None = None
    _has_said_busy: bool = False
    _clock: datetime = field(init=False)
    _packages: Mapping[PackageId, PackageInfo] = field(init=False)
    _advertisements: Mapping[str, Advertisement] = field(init=False)

    def __post_init__(self) -> None:
        deleted = self.policy.deleted_packages
        self._clock = self.bench.machine.now()
        self._packages = {package: info for package, info in self.policy.packages.items() if package not in deleted}
        self._advertisements = {offer.advertisement.id: offer.advertisement for offer in self.policy.offers}
        self.gate = Gate(
            bench=self.bench,
            windows=opening.in_force(self.bench, self.policy),
            condition_interval_seconds=self.policy.settings.condition_interval_seconds,
        )
        self.fetching = Fetching(bench=self.bench, policy=self.policy, content=self.content, point_for=self.point_for)

    def roots_due(self) -> list[Job]:
        """The jobs whose time has come and whose assignment stands by this policy: by priority, then the earliest first."""
        found = [(self.answers(job), job) for job in self.roots()]
        ranked = [(min(_RANKS[one.priority] for one in answers), job) for answers, job in found if answers]
        return [job for _, job in sorted(ranked, key=lambda pair: (pair[0], *self._place(pair[1])))]

    def roots(self) -> list[Job]:
        """The jobs that may come to run for themselves."""
        jobs = records.open_jobs(self.bench.state)
        return [job for job in jobs if job.kind is Kind.RUN and job.is_root and job.state in RUNNABLE]

    def answers(self, job: Job, at: datetime | None = None) -> list[Occurrence]:
        """The occurrences that a run of this job would answer now, or at another time; none: it may not run then."""
        standing = self.standings.get(job.errand)
        now = self.bench.now + self.elapsed()
        asking = [] if standing is None else [one for one in standing.asking if one.expires_at is None or now < one.expires_at]
        answered = due(asking, at or self.bench.now)
        return answered if any(one.identity == job.occurrence for one in answered) else []

    def elapsed(self) -> timedelta:
        """How long this turn has gone on; never negative, whatever the clock does."""
        return max(timedelta(0), self.bench.machine.now() - self._clock)

    def is_busy(self) -> bool:
        """Whether a program runs, or a restart is owed before anything else may start (Q226504)."""
        if self._is_busy is None:
            self._is_busy = any(job.state in _BUSY for job in records.open_jobs(self.bench.state))
        return self._is_busy

    def look_again(self) -> None:
        """Forgets what was seen of other jobs and of the machine, since something was launched or settled."""
        self._is_busy = None
        self.gate.look_afresh()

    def _place(self, job: Job) -> tuple[datetime, str]:
        return job.due_at or self.bench.now, job.occurrence

    # --- families ---

    def family(self, root: Job) -> list[Job]:
        """The jobs that have to run for this one, in order, itself last; empty when it cannot run now (the reason is told)."""
        chain = chain_of(root.key, self._packages, gone=self.policy.deleted_programs, disabled=self.policy.disabled)
        if isinstance(chain, Broken):
            may_pass = chain.cause is Cause.DEPENDENCY_DISABLED
            self._tell_once(root, chain.cause, chain.reason, StatusId.JOB_WAITING if may_pass else StatusId.POLICY_PROBLEM)
            return []
        members: list[Job] = []
        for place, key in enumerate(chain.keys[:-1]):
            if self._has_succeeded(root, key):
                continue
            member = self._dependency(root, key, chain.keys[place + 1])
            if member is None:
                return []
            if not member.is_open and member.state is not JobState.SUCCEEDED:
                reason = f"the program {member.key}, on which it depends, ended as {member.state.value}"
                self._fail_family(root, [*members, root], reason)
                return []
            members.append(member)
        return [*members, root]

    def _has_succeeded(self, root: Job, key: ProgramKey) -> bool:
        """Whether a program on which others depend has succeeded: for the same user, where each has a run of it."""
        owner = root.errand.user if is_per_user(program_of(key, self._packages)) else ""
        return records.history_of(self.bench.state, key).success_of(owner) is not None

    def _dependency(self, root: Job, key: ProgramKey, parent: ProgramKey) -> Job | None:
        """The job of a program that another depends on, made where it is missing; None when it cannot run on this machine."""
        program, info = program_of(key, self._packages), self._packages.get(key.package)
        if program is None or info is None:
            return None
        job = records.job_of(self.bench.state, key, root.occurrence)
        if job is None and not is_supported(program, self.bench.machine.facts()):
            reason = f"the program {key}, on which it depends, is not for this machine's platform"
            self._tell_once(root, Cause.DEPENDENCY_UNSUPPORTED, reason)
            return None
        if job is None:
            job = self._new_dependency(root, key, parent, program)
        if job.state in NOT_STARTED and (job.source_version != info.source_version or job.manifest != info.manifest):
            moved = changed(
                job, source_version=info.source_version, manifest=info.manifest, next_try_at=None, failures=0, problem=""
            )
            job = advanced(moved, Event.WAIT) if moved.state in RUNNABLE else moved
            with self.bench.state.transaction():
                self.bench.save(job)
        return job

    def _fail_family(self, root: Job, members: Sequence[Job], reason: str) -> None:
        """Nothing that depends on what failed is run; the occurrence is used up (Q263700)."""
        answered = self.answers(root)
        with self.bench.state.transaction():
            for job in members:
                if job.state in RUNNABLE:
                    after = self.bench.save(advanced(job, Event.FAIL_DEPENDENCY, text=reason, ended_at=self.bench.now))
                    self.bench.tell(after, StatusId.DEPENDENCY_FAILED, reason)
            for occurrence in answered:
                remember_answered(self.bench, root, occurrence.assignment, occurrence.started)

    @staticmethod
    def _new_dependency(root: Job, key: ProgramKey, parent: ProgramKey, program: Program) -> Job:
        return Job(
            key=key,
            occurrence=root.occurrence,
            parent=parent,
            advertisement=root.advertisement,
            due_at=root.due_at,
            user=root.user if root.is_per_user else "",
            is_per_user=root.is_per_user and is_per_user(program),
            session_of=root.session_of,
            is_free=root.is_free,
            priority=root.priority,
            asked_by=root.asked_by,
        )

    def _tell_once(self, job: Job, cause: Cause, reason: str, status: StatusId = StatusId.JOB_WAITING) -> None:
        """Tells why a job does not go on, once as long as the cause is the same."""
        problem = problem_of(status, cause, reason)
        if (job.problem, job.cause, job.text) == (problem, cause, reason):
            return
        with self.bench.state.transaction():
            after = self.bench.save(changed(job, problem=problem, cause=cause, text=reason))
            if (job.problem, job.cause) != (problem, cause):
                self.bench.tell(after, status, reason)

    def _wait(self, root: Job, job: Job, unmet: Unmet) -> None:
        """Tells once what a job waits for; a dependency's reason is told of the job that depends on it."""
        reason = unmet.reason if job is root else f"the program {job.key}, on which it depends, {unmet.reason}"
        self._tell_once(root, unmet.cause, reason)

    def _say_busy(self, root: Job) -> None:
        """Says what the job that would be next waits for while nothing may start. A restart that is owed is told as well."""
        if self._has_said_busy:
            return
        self._has_said_busy = True
        ahead = next(job for job in records.open_jobs(self.bench.state) if job.state in _BUSY)
        name = ahead.key if ahead.program is None else ahead.program.name
        if ahead.state is JobState.RESTART_PENDING:
            self._tell_once(root, Cause.RESTART, f"waits for the restart that {name} needs")
        elif not root.problem and root.text != (reason := f"waits until {name} has ended"):
            self.bench.save(changed(root, text=reason))

    # --- content ---

    def fetch(self, root: Job, members: Sequence[Job], answers: Sequence[Occurrence]) -> list[Job]:
        """The family once the content of each was asked for, as far as it may come over the network now."""
        if not self._may_fetch(root, members, answers):
            return list(members)
        return [self.fetching.fetch(member, is_busy=self.is_busy()) for member in members]

    def prefetch(self) -> None:
        """Fetches the content of families that are not due yet but will be soon: the whole chain, and not what may be there.

        Never while the policy is stale; a user who put a run off, or a paused advertisement, fetches nothing either.
        """
        if not (self.policy.is_fresh and self.policy.may_run_accepted):
            return
        ahead = moved(self.bench.now, span(self.policy.settings.prefetch_seconds))
        for root in sorted(self.roots(), key=self._place):
            if root.due_at is None or not self.bench.now < root.due_at <= ahead or self.elapsed().seconds > LOOK_AGAIN_SECONDS:
                continue
            answers = self.answers(root, root.due_at)
            if not self._is_worth_prefetching(root, answers):
                continue
            members = self.family(root)
            if any(member.manifest for member in members):
                self.fetch(root, members, answers)

    def prefetch_at(self, job: Job) -> datetime | None:
        """When the content of a job that is due later is fetched ahead, so that not a whole fleet comes at once; None: then."""
        if job.due_at is None or not job.manifest or job.state is not JobState.WAITING or not self.policy.is_fresh:
            return None
        ahead = span(self.policy.settings.prefetch_seconds)
        return moved(job.due_at, -ahead * (1 - share_of(self.policy.client, f"prefetch {job.key}") / 2))

    def _is_worth_prefetching(self, root: Job, answers: Sequence[Occurrence]) -> bool:
        program = program_of(root.key, self._packages)
        if program is None or (program.depends_on is None and (root.state is JobState.READY or not root.manifest)):
            return False
        offered = [self._advertisements.get(one.advertisement) for one in answers]
        is_available = any(one is not None and one.available_from <= self.bench.now for one in offered)
        return is_available and not _is_on_drift(answers) and self.fetching.is_time(root)

    def _may_fetch(self, root: Job, members: Sequence[Job], answers: Sequence[Occurrence]) -> bool:
        """Whether what is missing may come now: not what is to wait for another network, nor over a link that is too slow."""
        missing = [member for member in members if not self.fetching.is_here(member)]
        if not missing or not self.policy.is_fresh:
            return True
        for member in missing:
            program = program_of(member.key, self._packages)
            unmet = None if program is None else self.gate.unmet_for_fetching(program)
            may_ask = self.fetching.is_time(member) and self.fetching.is_open() and self.fetching.busy_until(member) is None
            if unmet is None and may_ask and not self._is_mandatory_over_slow_link(answers):
                unmet = self._links.slow(member.manifest, self.fetching.points(member))
            if unmet is not None:
                self._wait(root, member, unmet)
                return False
        return True

    def _is_mandatory_over_slow_link(self, answers: Sequence[Occurrence]) -> bool:
        """Whether any of these is asked for whatever the link (Q202332); what a user asks for is."""
        for answer in answers:
            advertisement = self._advertisements.get(answer.advertisement)
            if answer.asked_by or advertisement is None or advertisement.over_slow_link:
                return True
        return False

    @property
    def _links(self) -> Links:
        return Links(bench=self.bench, slow_bytes_per_second=self.policy.settings.slow_link_bytes_per_second)

    # --- launching ---

    def looked_for(self, root: Job) -> Job | None:
        """The job once it was looked, as it came due, whether what it installs is there; None: it is, so nothing is run."""
        answers = [] if root.was_there is not None else self.answers(root)
        program = program_of(root.key, self._packages) if _is_on_drift(answers) else None
        if program is None:
            return root
        was_there = looked_for(self.bench, program)
        if was_there:
            self._answer_without_run(root, answers)
            return None
        return root if was_there is None else drifted(self.bench, root)

    def launch(self, root: Job, members: Sequence[Job]) -> bool:
        """Launches the first of a family that has not run, where all are ready. True when a launch was tried."""
        if any(member.state is not JobState.READY for member in members if member.is_open):
            return False
        if self.is_busy():
            self._say_busy(root)
            return False
        if self.elapsed() > timedelta(seconds=LOOK_AGAIN_SECONDS):
            self.is_late = True
            return False
        answers = self.answers(root)
        job = next((member for member in members if member.state is JobState.READY), None)
        program = None if job is None else program_of(job.key, self._packages)
        if job is None or program is None or not answers or not self.bench.may_try(job):
            return False
        unmet = self.gate.unmet(job, program, answers)
        if unmet is not None:
            self._wait(root, job, unmet)
            return False
        was_uninstalling = self._clear(root, members, program)
        if was_uninstalling is not None:
            return was_uninstalling
        was_there = looked_for(self.bench, program)
        if job is root and was_there and _is_on_drift(answers):
            self._answer_without_run(root, answers)
            return False
        if job is root and was_there is False and _is_on_drift(answers):
            job = drifted(self.bench, job)
        after = self._launch(job, program, answers if job.is_root else _own(answers, root), was_there)
        self.look_again()
        return after.attempts > job.attempts

    def _launch(self, job: Job, program: Program, answers: Sequence[Occurrence], was_there: bool | None) -> Job:
        manifest = job.manifest
        return launch(
            self.bench,
            changed(job, was_there=was_there, is_free=job.is_free or any(answer.is_free for answer in answers)),
            program,
            site=self.policy.settings.site,
            lay_out=lambda folder: self._lay_out(manifest, folder),
            answers=answers,
            session=self.gate.session(job.session_of) if needs_user(program) or job.session_of else None,
        )

    def _clear(self, root: Job, members: Sequence[Job], program: Program) -> bool | None:
        """Uninstalls what the program replaces, where it is to be. None: nothing stands in its way; else if one was launched.

        Where that has failed for good, so has the family.
        """
        clearing = plan_superseded(self.bench, program)
        if clearing.failed:
            failed = clearing.failed[0]
            reason = f"{failed.key}, which it replaces, could not be uninstalled ({failed.text})"
            self._fail_family(root, [member for member in members if member.is_open], reason)
            return False
        if not clearing.waiting:
            return None
        was_launched = launch_next_uninstall(self.bench)
        self.look_again()
        return was_launched

    def _answer_without_run(self, root: Job, answers: Sequence[Occurrence]) -> None:
        already_there(self.bench, root, answers)
        self.has_answered = True

    def _lay_out(self, manifest: str, folder: str) -> None:
        if manifest:
            self.content.lay_out(manifest, folder)
        self.bench.machine.disk.make_folder(folder)

    def drop_orphans(self) -> None:
        """Removes jobs of dependencies that have not begun and for which no job waits any more."""
        jobs = [job for job in records.open_jobs(self.bench.state) if job.kind is Kind.RUN]
        wanted = {job.occurrence for job in jobs if job.is_root}
        for job in jobs:
            if not job.is_root and job.state in NOT_STARTED and job.occurrence not in wanted:
                records.drop_job(self.bench.state, job)


def _is_on_drift(answers: Sequence[Occurrence]) -> bool:
    """Whether all that a run would answer asks only for what is not there."""
    return bool(answers) and all(one.rerun is Rerun.ON_DRIFT for one in answers)


def _own(answers: Sequence[Occurrence], root: Job) -> list[Occurrence]:
    return [one for one in answers if one.identity == root.occurrence]
