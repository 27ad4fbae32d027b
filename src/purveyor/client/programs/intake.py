"""From what the site offers to the jobs of this machine: what is new is taken in, what is not offered is held, nothing is lost.

Absence is never removal: a job that is not offered now keeps its identity and goes on when it is offered again, and the history
of a program is not touched here at all (Q293187, Q318779, Q321168).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo

from purveyor.client.policy_view import Policy
from purveyor.client.programs import records
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.chain import is_supported, program_of
from purveyor.client.programs.due import Occurrence, is_live, is_satisfied, occurrences, outstanding
from purveyor.client.programs.history import History, with_received
from purveyor.client.programs.job import NOT_STARTED, RUNNABLE, Errand, Event, Job, Kind, advanced, changed
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import PackageInfo, Program, ProgramKey
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

_REASONS_LIMIT = 3


@dataclass(slots=True, kw_only=True)
class Standing:
    """How one errand stands by the policy of this pass. `asking` are the occurrences that ask for a run, the earliest first."""

    errand: Errand
    history: History
    program: Program | None = None
    package: PackageInfo | None = None
    live: list[Advertisement] = field(default_factory=list)
    found: list[Occurrence] = field(default_factory=list)
    asking: list[Occurrence] = field(default_factory=list)
    not_live: set[str] = field(default_factory=set)
    """Why those of its advertisements that say nothing now do not."""

    @property
    def key(self) -> ProgramKey:
        """The program."""
        return self.errand.key

    @property
    def user(self) -> str:
        """The user whose run it is, where each has one of their own."""
        return self.errand.user

    @property
    def is_readable(self) -> bool:
        """Whether the program itself could be read: without it nothing can be concluded."""
        return self.program is not None and self.package is not None


def take_in(bench: Bench, policy: Policy) -> dict[Errand, Standing]:
    """Brings the jobs in line with the policy, and says how each errand that is offered or has a job stands."""
    histories = records.histories(bench.state)
    jobs = {job.errand: job for job in records.open_jobs(bench.state) if job.kind is Kind.RUN and job.is_root}
    zone = bench.machine.zone()
    standings = _standings(policy, histories, jobs.values(), bench, zone)
    platform = _Platform(bench)
    with bench.state.transaction():
        for errand, standing in standings.items():
            job = jobs.get(errand)
            excused = () if job is None else (job.occurrence, *job.covers)
            standing.asking = outstanding(standing.found, standing.history, now=bench.now, excused=excused)
            job = _lined_up(bench, policy, standing, job, platform)
            if policy.is_fresh and standing.is_readable:
                _tell_received(bench, standing, job)
    return standings


def is_gone(policy: Policy, key: ProgramKey) -> bool:
    """Whether a program is proven deleted."""
    return key.package in policy.deleted_packages or key in policy.deleted_programs


def _standings(
    policy: Policy, histories: dict[ProgramKey, History], jobs: Iterable[Job], bench: Bench, zone: tzinfo
) -> dict[Errand, Standing]:
    standings: dict[Errand, Standing] = {}

    def standing_of(errand: Errand) -> Standing:
        key = errand.key
        if errand not in standings:
            standings[errand] = Standing(
                errand=errand,
                history=histories.get(key) or History(key=key),
                program=program_of(key, policy.packages),
                package=policy.packages.get(key.package),
            )
        return standings[errand]

    for job in jobs:
        standing_of(job.errand)
    for offer in policy.offers:
        advertisement = offer.advertisement
        if is_gone(policy, advertisement.key):
            continue
        standing = standing_of(Errand(advertisement.key))
        if not policy.is_fresh and advertisement.id not in standing.history.received:
            continue
        reason = _silence(policy, advertisement, bench)
        if reason:
            standing.not_live.add(reason)
            continue
        standing.live.append(advertisement)
        version = standing.package.source_version if standing.package is not None else 0
        standing.found += occurrences(advertisement, source_version=version, zone=zone)
    return standings


def _silence(policy: Policy, advertisement: Advertisement, bench: Bench) -> str:
    """Why an advertisement says nothing now; empty when it does."""
    if advertisement.key in policy.disabled:
        return "its program is disabled"
    if advertisement.package in policy.removals:
        return "its package is being removed"
    if advertisement.is_paused:
        return f"{advertisement.id} is paused"
    return "" if is_live(advertisement, bench.now) else f"{advertisement.id} has expired"


class _Platform:
    """The platform of this machine, found out once a pass and only when a program asks."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._known: str | None = None

    def supports(self, program: Program) -> bool:
        """Whether the program may run here."""
        if not program.platforms:
            return True
        return is_supported(program, self.name)

    @property
    def name(self) -> str:
        """Such as `linux/debian/12`."""
        if self._known is None:
            self._known = self._bench.machine.facts().platform
        return self._known


def _lined_up(bench: Bench, policy: Policy, standing: Standing, job: Job | None, platform: _Platform) -> Job | None:
    """The job of a program once it agrees with the policy; None when there is none."""
    if job is not None and job.state not in NOT_STARTED:
        return job
    if job is None:
        return _planned(bench, standing, platform) if standing.asking and standing.is_readable else None
    if standing.live and not standing.is_readable:
        return job
    if not standing.asking:
        return _held(bench, policy, standing, job)
    return _moved(bench, standing, job, platform)


def _planned(bench: Bench, standing: Standing, platform: _Platform) -> Job:
    job = _aligned(Job(key=standing.key, occurrence=""), standing)
    records.save_job(bench.state, job)
    return _allowed(bench, standing, job, platform)


def _held(bench: Bench, policy: Policy, standing: Standing, job: Job) -> Job:
    """What becomes of a job that nothing asks for now: satisfied meanwhile, or held until it is offered again."""
    if standing.live and standing.found and all(is_satisfied(one, standing.history) for one in standing.found):
        return bench.save(advanced(job, Event.SATISFY, ended_at=bench.now, text="the program has succeeded meanwhile"))
    if not (policy.is_complete and policy.is_fresh) or job.state is JobState.NOT_OFFERED:
        return job
    reason = "; ".join(sorted(standing.not_live)[:_REASONS_LIMIT])
    if not reason:
        reason = "no assignment of it stands any more" if standing.live else "no advertisement of it reaches this machine"
    after = bench.save(advanced(job, Event.WITHDRAW, text=reason, problem="", next_try_at=None, failures=0))
    bench.tell(after, StatusId.NOT_OFFERED, f"not offered now: {reason}")
    return after


def _moved(bench: Bench, standing: Standing, job: Job, platform: _Platform) -> Job:
    """A job that has not begun follows its advertisements, and its package to a newer source version."""
    before = job
    job = _aligned(job, standing)
    if job.manifest != before.manifest or job.source_version != before.source_version:
        job = changed(job, failures=0, next_try_at=None, problem="")
        if job.state in RUNNABLE:
            job = advanced(job, Event.WAIT)
    if before.state is JobState.NOT_OFFERED:
        job = advanced(job, Event.OFFER_AGAIN, text="")
    if job != before:
        bench.save(job, before=before)
    if before.state is JobState.NOT_OFFERED:
        bench.tell(job, StatusId.OFFERED_AGAIN, "offered again")
    return _allowed(bench, standing, job, platform)


def _aligned(job: Job, standing: Standing) -> Job:
    first, package = standing.asking[0], standing.package
    if package is None:
        return job
    return changed(
        job,
        occurrence=first.identity,
        advertisement=first.advertisement,
        due_at=first.due_at,
        source_version=package.source_version,
        manifest=package.manifest,
        user=first.user,
        is_free=first.is_free,
        priority=first.priority,
        asked_by=first.asked_by,
    )


def _allowed(bench: Bench, standing: Standing, job: Job, platform: _Platform) -> Job:
    """The job, refused where this machine is none of its platforms; asked again at every pass (Q321580)."""
    program = standing.program
    if program is None:
        return job
    if platform.supports(program):
        return bench.save(advanced(job, Event.ALLOW, text="")) if job.state is JobState.REFUSED else job
    if job.state is JobState.REFUSED:
        return job
    if job.state is JobState.POSTPONED:
        job = advanced(job, Event.WAIT)
    reason = f"{program.name} is for {', '.join(program.platforms)}; this machine is {platform.name}"
    after = bench.save(advanced(job, Event.REFUSE, text=reason))
    bench.tell(after, StatusId.PLATFORM_NOT_SUPPORTED, reason)
    return after


def _tell_received(bench: Bench, standing: Standing, job: Job | None) -> None:
    """Tells each advertisement of a program once, with what will come of it (Q277876)."""
    new = [advertisement for advertisement in standing.live if advertisement.id not in standing.history.received]
    if not new:
        return
    history = standing.history
    for advertisement in new:
        history = with_received(history, advertisement.id)
        state, text = _reception(standing, advertisement, job)
        version = standing.package.source_version if standing.package is not None else 0
        bench.tell_message(
            StatusMessage(
                id=StatusId.ADVERTISEMENT_RECEIVED,
                at=bench.now,
                package=advertisement.package,
                program=advertisement.program,
                advertisement=advertisement.id,
                source_version=version,
                state=state,
                text=text,
            )
        )
    standing.history = history
    records.save_history(bench.state, history)


def _reception(standing: Standing, advertisement: Advertisement, job: Job | None) -> tuple[JobState | None, str]:
    own = [occurrence for occurrence in standing.found if occurrence.advertisement == advertisement.id]
    if not own:
        return None, "it has no assignment: it waits until somebody starts it"
    if job is not None and job.is_open:
        if job.state is JobState.WAITING and job.due_at is not None and job.advertisement == advertisement.id:
            return job.state, f"due at {job.due_at:%Y-%m-%d %H:%M:%S} UTC"
        return job.state, ""
    if all(is_satisfied(occurrence, standing.history) for occurrence in own):
        return JobState.SUCCEEDED, "the program has succeeded here before: it is not run again"
    return None, "nothing of it is to be run now"
