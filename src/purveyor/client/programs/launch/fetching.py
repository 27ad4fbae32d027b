"""Brings the content of jobs that are due, or soon will be: asked of the points that hold it, tried again after growing pauses.

Never while the policy is stale, and never again for what is held. Whether a job's content may be fetched at all is decided by
`families`. Upstream: `families`; downstream: `content`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from purveyor.client.budget import LONGEST_SECONDS, Allowance, BriefPoint, PacedPoint
from purveyor.client.content.held import ContentCache, Fetched
from purveyor.client.points import memory, pauses
from purveyor.client.points.watched import WatchedPoint, note_content
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch.launching import delayed, problem_of
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import RUNNABLE, Event, Job, advanced, changed
from purveyor.transport.interface import Point
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.causes import Cause
from purveyor.wire.errors import HeldBackError, PurveyorError, UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.spread import share_of
from purveyor.wire.status_messages import StatusId

OPENING_SPREAD_SECONDS = 300
"""Over so long the clients of a fleet begin when a budget allows something again."""
LONG_BUSY_SECONDS = 600
"""Where every point has too much to do for so long or longer, the site is told."""


@dataclass(slots=True, kw_only=True)
class Fetching:
    """One turn's work on content. `has_fetched`: a point was asked for something."""

    bench: Bench
    policy: Policy
    content: ContentCache
    point_for: Callable[[str], Point]
    has_fetched: bool = False
    _allowance: Allowance | None = field(init=False)
    """None: nothing is held back."""
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.bench.machine.uptime_seconds() + LONGEST_SECONDS
        budget = parse_budget(self.policy.settings.bandwidth)
        self._allowance = None if budget.is_unlimited else Allowance(budget, state=self.bench.state, machine=self.bench.machine)

    def is_here(self, job: Job) -> bool:
        """Whether the job's content is held, or there is none."""
        return job.state is JobState.READY or not job.manifest or self.content.is_held(job.manifest)

    def is_time(self, job: Job) -> bool:
        """Whether to try now: the pause is over, there is a point that was not asked, or a budget held it back."""
        urls = self.policy.points.get(job.manifest, ())
        is_news = has_new_point(job, urls, memory.here(self.bench.state))
        return self.bench.may_try(job) or is_news or job.cause is Cause.BANDWIDTH

    def is_open(self) -> bool:
        """Whether content may come at this hour."""
        return self._allowance is None or self._allowance.closed() is None

    def fetch(self, job: Job, *, is_busy: bool) -> Job:
        """The job once its content was asked for: READY when it is held, else waiting for a later try."""
        if job.state not in RUNNABLE or (job.state is JobState.READY and is_busy) or not self.is_time(job):
            return job
        if not job.manifest or self.content.is_held(job.manifest):
            return self._held(job)
        if not self.policy.is_fresh:
            return job if job.state is JobState.WAITING else self.bench.save(advanced(job, Event.WAIT, cause=job.cause))
        if self._allowance is not None and (closed := self._allowance.closed()) is not None:
            return self._shut_out(job, closed)
        busy_until = self.busy_until(job)
        if busy_until is not None:
            return self._left_alone(job, busy_until)
        points = self.points(job)
        if job.cause is Cause.BANDWIDTH:
            job = changed(job, problem="")
        if job.state is not JobState.DOWNLOADING:
            job = advanced(job, Event.FETCH)
            with self.bench.state.transaction():
                self.bench.save(job)
                if self.policy.points.get(job.manifest) and not job.problem:
                    self.bench.tell(job, StatusId.DOWNLOAD_STARTED, "its content is being fetched")
        self.has_fetched = True
        fetched = self._fetched(job, points)
        self._note(job, points, fetched)
        if fetched.cause is None:
            return self._held(job)
        if fetched.cause is Cause.BANDWIDTH:
            return self.bench.save(changed(job, next_try_at=fetched.try_at, text=fetched.reason))
        busy_until = self.busy_until(job)
        if fetched.cause is Cause.POINTS_FAIL and busy_until is not None:
            return self._left_alone(job, busy_until)
        status = StatusId.NOT_ENOUGH_SPACE if fetched.cause is Cause.CONTENT_SPACE else StatusId.DOWNLOAD_WAITING
        asked = self.policy.points.get(job.manifest, ())
        job = changed(job, asked=asked, asked_from=memory.here(self.bench.state))
        return delayed(self.bench, job, Event.FETCH, status, fetched.reason, fetched.cause)

    def _fetched(self, job: Job, points: Sequence[WatchedPoint]) -> Fetched:
        """What becomes of asking for the job's content, as fast as the budget lets it come, for as long as a pass may take."""
        allowance = self._allowance
        paced = points if allowance is None else [PacedPoint(point, allowance) for point in points]
        brief = [BriefPoint(point, self.bench.machine, until=self._until) for point in paced]
        fetched = self.content.fetch(
            job.manifest, job.key.package, brief, self.policy.settings, self.bench.now, keep=self.kept_manifests()
        )
        if allowance is not None:
            allowance.keep()
        return fetched

    def points(self, job: Job) -> Sequence[WatchedPoint]:
        """The distribution points that hold the job's content, in order, as far as they can be used.

        One that is busy is left alone; one that failed lately, unless there is no other.
        """
        points = []
        for url in self.policy.points.get(job.manifest, ()):
            try:
                points.append(WatchedPoint(self.point_for(url), self.bench.machine.uptime_seconds))
            except PurveyorError as error:
                self.bench.note(f"the distribution point {url} cannot be used: {error}")
        state, now = self.bench.state, self.bench.now
        ready = [point for point in points if pauses.ends_at(state, point.url, now) is None]
        return ready or [point for point in points if pauses.busy_until(state, point.url, now) is None]

    def busy_until(self, job: Job) -> datetime | None:
        """When the first point that holds the job's content is asked again, where all have too much to do; None: one may be."""
        ends = [pauses.busy_until(self.bench.state, url, self.bench.now) for url in self.policy.points.get(job.manifest, ())]
        return None if None in ends else min(filter(None, ends), default=None)

    def _left_alone(self, job: Job, until: datetime) -> Job:
        """The job while every point has too much to do: it has not failed. A long wait is told, once until the content is here.

        The pause is that of the points, and none of the job's own: it goes on as soon as any point may be asked.
        """
        text = f"every distribution point that has it is busy; asked again at {utc_text(until)}"
        problem = problem_of(StatusId.DOWNLOAD_WAITING, Cause.POINTS_BUSY, text)
        if until - self.bench.now < timedelta(seconds=LONG_BUSY_SECONDS) or job.problem == problem:
            after = changed(job, next_try_at=None, text=text)
            return job if after == job else self.bench.save(after)
        after = advanced(job, Event.WAIT, next_try_at=None, problem=problem, cause=Cause.POINTS_BUSY, text=text)
        with self.bench.state.transaction():
            self.bench.save(after)
            self.bench.tell(after, StatusId.DOWNLOAD_WAITING, text)
        return after

    def kept_manifests(self) -> frozenset[str]:
        """The manifests of all jobs that go on: these are never given up to make room."""
        return frozenset(job.manifest for job in records.open_jobs(self.bench.state) if job.manifest)

    def _note(self, job: Job, points: Sequence[WatchedPoint], fetched: Fetched) -> None:
        """Remembers how the points did, and tells of what they held wrongly: somebody has to mend that there."""
        with self.bench.state.transaction():
            for point in points:
                note_content(self.bench.state, point, self.bench.now)
            for wrong in fetched.wrong if fetched.is_ready else ():
                self.bench.tell(job, StatusId.DOWNLOAD_WAITING, f"taken from another distribution point: {wrong}")

    def _shut_out(self, job: Job, closed: HeldBackError) -> Job:
        """The job at an hour at which the budget lets nothing come; told once. Clients come back one after the other."""
        latest = self.bench.now + self.bench.longest_pause
        spread = timedelta(seconds=OPENING_SPREAD_SECONDS * share_of(self.policy.client, "bandwidth"))
        problem = problem_of(StatusId.DOWNLOAD_WAITING, Cause.BANDWIDTH, str(closed))
        after = advanced(
            job,
            Event.WAIT,
            next_try_at=latest if closed.until is None else min(latest, closed.until + spread),
            problem=problem,
            cause=Cause.BANDWIDTH,
            text=str(closed),
        )
        with self.bench.state.transaction():
            self.bench.save(after)
            if job.problem != problem:
                self.bench.tell(after, StatusId.DOWNLOAD_WAITING, after.text)
        return after

    def _held(self, job: Job) -> Job:
        if job.state is JobState.READY:
            return job
        was_fetched = job.state is JobState.DOWNLOADING
        after = advanced(job, Event.CONTENT_HELD, next_try_at=None, text="" if was_fetched else job.text)
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


def has_new_point(job: Job, urls: Collection[str], here: str) -> bool:
    """Whether content that no point gave may come of one now that was not asked, or not from where this machine is."""
    is_point_lacking = job.cause in (Cause.NO_POINT, Cause.POINTS_FAIL)
    return is_point_lacking and bool(urls) and (job.asked_from != here or not set(urls) <= set(job.asked))
