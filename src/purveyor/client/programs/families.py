"""Brings the jobs that are due to run: with all that they depend on, content first, one program at a time.

A family is a job and the jobs of the programs that it depends on, under one occurrence. The content of all is fetched before the
first is started. Whether the assignment still stands is looked at again right before each launch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from purveyor.client.content import ContentCache, Fetched, Lack
from purveyor.client.policy_view import Policy
from purveyor.client.programs import records
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.chain import Broken, chain_of, is_supported, program_of
from purveyor.client.programs.due import Occurrence, due
from purveyor.client.programs.intake import Standing
from purveyor.client.programs.job import NOT_STARTED, RUNNABLE, Errand, Event, Job, Kind, advanced, changed
from purveyor.client.programs.launching import delayed, launch, remember_answered
from purveyor.transport.interface import Point
from purveyor.wire.errors import PurveyorError, UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import PackageInfo, ProgramKey
from purveyor.wire.status_messages import StatusId

LOOK_AGAIN_SECONDS = 60
"""After a pass has gone on for so long, nothing more is launched in it: the assignments are read again first."""


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
    has_fetched: bool = False
    _is_busy: bool | None = None
    _clock: datetime = field(init=False)
    _packages: Mapping[PackageId, PackageInfo] = field(init=False)

    def __post_init__(self) -> None:
        deleted = self.policy.deleted_packages
        self._clock = self.bench.machine.now()
        self._packages = {package: info for package, info in self.policy.packages.items() if package not in deleted}

    def roots_due(self) -> list[Job]:
        """The jobs whose time has come and whose assignment stands by this policy, the earliest first."""
        jobs = [
            job for job in records.open_jobs(self.bench.state) if job.kind is Kind.RUN and job.is_root and job.state in RUNNABLE
        ]
        return sorted((job for job in jobs if self.answers(job)), key=lambda job: (job.due_at or self.bench.now, job.occurrence))

    def answers(self, job: Job) -> list[Occurrence]:
        """The occurrences that a run of this job would answer now; none: it may not run now."""
        standing = self.standings.get(job.errand)
        now = self.bench.now + self.elapsed()
        asking = [] if standing is None else [one for one in standing.asking if one.expires_at is None or now < one.expires_at]
        answered = due(asking, self.bench.now)
        return answered if any(one.identity == job.occurrence for one in answered) else []

    def elapsed(self) -> timedelta:
        """How long this turn has gone on; never negative, whatever the clock does."""
        return max(timedelta(0), self.bench.machine.now() - self._clock)

    def is_busy(self) -> bool:
        """Whether a program runs, or a restart is owed before anything else may start (Q226504)."""
        if self._is_busy is None:
            busy = (JobState.RUNNING, JobState.RESTART_PENDING)
            self._is_busy = any(job.state in busy for job in records.open_jobs(self.bench.state))
        return self._is_busy

    def look_again(self) -> None:
        """Forgets what was seen of other jobs, since one was launched or settled."""
        self._is_busy = None

    # --- families ---

    def family(self, root: Job) -> list[Job]:
        """The jobs that have to run for this one, in order, itself last; empty when it cannot run now (the reason is told)."""
        chain = chain_of(root.key, self._packages, gone=self.policy.deleted_programs, disabled=self.policy.disabled)
        if isinstance(chain, Broken):
            self._tell_once(root, StatusId.JOB_WAITING if chain.may_pass else StatusId.POLICY_PROBLEM, chain.reason)
            return []
        members: list[Job] = []
        for place, key in enumerate(chain.keys[:-1]):
            if records.history_of(self.bench.state, key).has_succeeded:
                continue
            member = self._dependency(root, key, chain.keys[place + 1])
            if member is None:
                return []
            if not member.is_open and member.state is not JobState.SUCCEEDED:
                self._fail_family(root, [*members, root], member)
                return []
            members.append(member)
        return [*members, root]

    def _dependency(self, root: Job, key: ProgramKey, parent: ProgramKey) -> Job | None:
        """The job of a program that another depends on, made where it is missing; None when it cannot run on this machine."""
        program, info = program_of(key, self._packages), self._packages.get(key.package)
        if program is None or info is None:
            return None
        job = records.job_of(self.bench.state, key, root.occurrence)
        if job is None and not is_supported(program, self.bench.machine.facts().platform):
            reason = f"the program {key}, on which it depends, is not for this machine's platform"
            self._tell_once(root, StatusId.JOB_WAITING, reason)
            return None
        if job is None:
            job = Job(key=key, occurrence=root.occurrence, parent=parent, advertisement=root.advertisement, due_at=root.due_at)
        if job.state in NOT_STARTED and (job.source_version != info.source_version or job.manifest != info.manifest):
            moved = changed(
                job, source_version=info.source_version, manifest=info.manifest, next_try_at=None, failures=0, problem=""
            )
            job = advanced(moved, Event.WAIT) if moved.state in RUNNABLE else moved
            with self.bench.state.transaction():
                self.bench.save(job)
        return job

    def _fail_family(self, root: Job, members: list[Job], failed: Job) -> None:
        """Nothing that depends on a program that failed is run; the occurrence is used up (Q263700)."""
        reason = f"the program {failed.key}, on which it depends, ended as {failed.state.value}"
        answered = self.answers(root)
        with self.bench.state.transaction():
            for job in members:
                if job.state in RUNNABLE:
                    after = self.bench.save(advanced(job, Event.FAIL_DEPENDENCY, text=reason, ended_at=self.bench.now))
                    self.bench.tell(after, StatusId.DEPENDENCY_FAILED, reason)
            for occurrence in answered:
                remember_answered(self.bench, root, occurrence.assignment, occurrence.started)

    def _tell_once(self, job: Job, status: StatusId, reason: str) -> None:
        problem = f"{status.name}: {reason}"
        if job.problem == problem:
            return
        with self.bench.state.transaction():
            after = self.bench.save(changed(job, problem=problem, text=reason))
            self.bench.tell(after, status, reason)

    # --- content ---

    def fetch(self, job: Job) -> Job:
        """The job once its content was asked for: READY when it is held, else waiting for a later try."""
        if job.state not in RUNNABLE or (job.state is JobState.READY and self.is_busy()):
            return job
        points = self.policy.points.get(job.manifest, ())
        if not self._is_time(job, bool(points)):
            return job
        if not job.manifest or self.content.is_held(job.manifest):
            return self._held(job)
        if not self.policy.is_fresh:
            return job if job.state is JobState.WAITING else self.bench.save(advanced(job, Event.WAIT))
        if job.state is not JobState.DOWNLOADING:
            job = advanced(job, Event.FETCH)
            with self.bench.state.transaction():
                self.bench.save(job)
                if points and not job.problem:
                    self.bench.tell(job, StatusId.DOWNLOAD_STARTED, "its content is being fetched")
        self.has_fetched = True
        fetched = self.content.fetch(
            job.manifest, job.key.package, self._points(points), self.policy.settings, self.bench.now, keep=self.kept_manifests()
        )
        if fetched.is_ready:
            return self._held(job)
        status = StatusId.NOT_ENOUGH_SPACE if fetched.kind is Lack.NO_SPACE else StatusId.DOWNLOAD_WAITING
        return delayed(self.bench, job, Event.FETCH, status, fetched.reason, kind=_kind_of(fetched))

    def kept_manifests(self) -> frozenset[str]:
        """The manifests of all jobs that go on: these are never given up to make room."""
        return frozenset(job.manifest for job in records.open_jobs(self.bench.state) if job.manifest)

    def _is_time(self, job: Job, has_points: bool) -> bool:
        """Whether to try now: the pause is over, or a point has come where there was none."""
        waits_for_point = job.problem.endswith(Lack.NO_POINT.value)
        return self.bench.may_try(job) or (has_points and waits_for_point)

    def _held(self, job: Job) -> Job:
        if job.state is JobState.READY:
            return job
        was_fetched = job.state is JobState.DOWNLOADING
        after = advanced(job, Event.CONTENT_HELD, next_try_at=None)
        if job.problem.startswith((StatusId.DOWNLOAD_WAITING.name, StatusId.NOT_ENOUGH_SPACE.name)):
            after = changed(after, failures=0, problem="", text="")
        with self.bench.state.transaction():
            self.bench.save(after)
            if was_fetched:
                self.bench.tell(after, StatusId.DOWNLOAD_FINISHED, "its content is here and verified")
        if was_fetched:
            self._release_older(after)
        return after

    def _release_older(self, job: Job) -> None:
        """Gives up what is held of older source versions of a package, once the new one is here."""
        wanted = self.kept_manifests()
        for manifest in records.manifests_held(self.bench.state, job.key.package):
            if manifest not in wanted:
                try:
                    self.content.release(manifest, job.key.package)
                except UnavailableError as error:
                    self.bench.note(f"older content of {job.key.package} cannot be removed now: {error}")

    def _points(self, urls: tuple[str, ...]) -> list[Point]:
        points = []
        for url in urls:
            try:
                points.append(self.point_for(url))
            except PurveyorError as error:
                self.bench.note(f"the distribution point {url} cannot be used: {error}")
        return points

    # --- launching ---

    def launch(self, root: Job, members: list[Job]) -> bool:
        """Launches the first of a family that has not run, where all are ready. True when a launch was tried."""
        if any(member.state is not JobState.READY for member in members if member.is_open) or self.is_busy():
            return False
        if self.elapsed() > timedelta(seconds=LOOK_AGAIN_SECONDS):
            self.is_late = True
            return False
        answers = self.answers(root)
        job = next((member for member in members if member.state is JobState.READY), None)
        program = None if job is None else program_of(job.key, self._packages)
        if job is None or program is None or not answers or not self.bench.may_try(job):
            return False
        manifest = job.manifest
        after = launch(
            self.bench,
            job,
            program,
            site=self.policy.settings.site,
            lay_out=lambda folder: self._lay_out(manifest, folder),
            answers=answers if job is root else [one for one in answers if one.identity == root.occurrence],
        )
        self.look_again()
        return after.attempts > job.attempts

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


def _kind_of(fetched: Fetched) -> str:
    return fetched.kind.value if fetched.kind is not None else fetched.reason
