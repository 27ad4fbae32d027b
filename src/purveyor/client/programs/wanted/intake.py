"""From what the site offers to the jobs of this machine: what is new is taken in, what is not offered is held, nothing is lost.

Absence is never removal: a job that is not offered now, or whose user is away, keeps its identity and goes on when it is offered
again, or they are back; the history of a program is not touched here at all (Q293187, Q318779, Q321168).
"""

from collections.abc import Iterable

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import with_received
from purveyor.client.programs.memory.job import NOT_STARTED, RUNNABLE, Errand, Event, Job, advanced, changed
from purveyor.client.programs.wanted import events, requests, wishes
from purveyor.client.programs.wanted.audience import is_per_user
from purveyor.client.programs.wanted.due import due, is_satisfied, is_spent
from purveyor.client.programs.wanted.standing import Platform, Standing, problems_of, standings
from purveyor.client.state.store import State
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import EVENTS, Advertisement, Priority
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.reports import TEXT_LIMIT, StatusMessage
from purveyor.wire.status_messages import StatusId

_SHOWN_AT_THE_SITE = (JobState.NOT_OFFERED, JobState.REFUSED, JobState.POSTPONED)
"""What the site was told of a job that has not begun, and shows until it is told otherwise."""
_REASONS_LIMIT = 3
_PROBLEMS = "unreadable advertisements"
_RANKS = {Priority.LOW: 0, Priority.NORMAL: 1, Priority.HIGH: 2}
_HELD_BY_USER = "waits until somebody for whom it is logs on"
_HELD_BY_EVENT = "waits for the next event that it is assigned to"
_SPENT = "it was run before, and is not to be run again"


def take_in(bench: Bench, policy: Policy) -> dict[Errand, Standing]:
    """Brings the jobs in line with the policy, and says how each errand that is offered or has a job stands."""
    seen, platform = events.look(bench), Platform(bench)
    with bench.state.transaction():
        found = standings(bench, policy, seen, platform)
        if requests.take_up(bench, policy, found, platform):
            found = standings(bench, policy, seen, platform)
        wishes.take_up(bench, policy, found, seen)
        for standing in found.values():
            standing.job = _lined_up(bench, policy, standing, platform)
        wishes.put_off(bench, found, seen)
        if policy.is_fresh:
            for of_program in _by_program(found.values()).values():
                _tell_received(bench, of_program)
            _tell_problems(bench.state, bench, policy)
    requests.end_stopped(bench)
    return found


def _by_program(found: Iterable[Standing]) -> dict[ProgramKey, list[Standing]]:
    by_program: dict[ProgramKey, list[Standing]] = {}
    for standing in found:
        by_program.setdefault(standing.key, []).append(standing)
    return by_program


# --- one job ---


def _lined_up(bench: Bench, policy: Policy, standing: Standing, platform: Platform) -> Job | None:
    """The job of an errand once it agrees with the policy; None when there is none."""
    job = standing.job
    if job is not None and job.state not in NOT_STARTED:
        return job
    if job is not None and standing.is_readable and job.is_per_user is not is_per_user(standing.program):
        records.drop_job(bench.state, job)  # for whom the program runs was changed: others ask for it now
        return None
    if job is None:
        return _planned(bench, standing, platform) if standing.asking and standing.is_readable else None
    if standing.live and not standing.is_readable:
        return job
    if not standing.asking:
        return _held(bench, policy, standing, job)
    return _moved(bench, standing, job, platform)


def _planned(bench: Bench, standing: Standing, platform: Platform) -> Job:
    job = _aligned(Job(key=standing.key, occurrence="", is_per_user=bool(standing.user)), standing, bench)
    records.save_job(bench.state, job)
    return _allowed(bench, standing, job, platform)


def _held(bench: Bench, policy: Policy, standing: Standing, job: Job) -> Job:
    """What becomes of a job that nothing asks for now: satisfied meanwhile, or held until it is offered again."""
    if standing.live and standing.found and all(is_satisfied(one, standing.history, now=bench.now) for one in standing.found):
        answered = bench.save(advanced(job, Event.SATISFY, ended_at=bench.now, text="the program has succeeded meanwhile"))
        if job.state in _SHOWN_AT_THE_SITE:
            bench.tell(answered, StatusId.ALREADY_THERE, "it has succeeded here, which answers what asks for it now")
        return answered
    waits_for = _what_comes_again(standing)
    if waits_for and job.state is not JobState.NOT_OFFERED:
        return job if job.text == waits_for else bench.save(changed(job, text=waits_for))
    if not (policy.is_complete and policy.is_fresh):
        return job
    reason = "; ".join(sorted(standing.not_live)[:_REASONS_LIMIT]) or _why_nothing_asks(standing)
    by = standing.superseded_by if not standing.live else None
    if job.state is JobState.NOT_OFFERED:
        return job if by is None or job.text == reason else _superseded(bench, changed(job, text=reason), reason)
    after = advanced(job, Event.WITHDRAW, text=reason, problem="", next_try_at=None, failures=0)
    if by is not None:
        return _superseded(bench, after, reason)
    bench.save(after)
    bench.tell(after, StatusId.NOT_OFFERED, f"not offered now: {reason}")
    return after


def _superseded(bench: Bench, job: Job, reason: str) -> Job:
    after = bench.save(job)
    bench.tell(after, StatusId.SUPERSEDED, reason)
    return after


def _what_comes_again(standing: Standing) -> str:
    """What a job of which nothing is due or planned waits for, though it is offered; empty: for nothing."""
    if not standing.live:
        return ""
    if standing.is_absent:
        return _HELD_BY_USER
    kinds = {assignment.kind for advertisement in standing.live for assignment in advertisement.assignments}
    return _HELD_BY_EVENT if kinds & EVENTS else ""


def _why_nothing_asks(standing: Standing) -> str:
    if not standing.live:
        return "no advertisement of it reaches this machine"
    if standing.found and all(is_spent(one, standing.history) for one in standing.found):
        return _SPENT
    return "no assignment of it stands any more"


def _moved(bench: Bench, standing: Standing, job: Job, platform: Platform) -> Job:
    """A job that has not begun follows its advertisements, and its package to a newer source version."""
    before = job
    job = _aligned(job, standing, bench)
    if job.manifest != before.manifest or job.source_version != before.source_version:
        job = changed(job, failures=0, next_try_at=None, problem="")
        if job.state in RUNNABLE:
            job = advanced(job, Event.WAIT)
    if job.text in (_HELD_BY_USER, _HELD_BY_EVENT):
        job = changed(job, text="")
    if before.state is JobState.NOT_OFFERED:
        job = advanced(job, Event.OFFER_AGAIN, text="")
    job = _postponed(bench, standing, job)
    if job != before:
        bench.save(job, before=before)
    if before.state is JobState.NOT_OFFERED:
        bench.tell(job, StatusId.OFFERED_AGAIN, "offered again")
    return _allowed(bench, standing, job, platform)


def _postponed(bench: Bench, standing: Standing, job: Job) -> Job:
    """A run that was put off goes on when its time has come, or when somebody asks for it now.

    It is put off no longer than all that asks for it now allows: something may have come due since that cannot be put off, or the
    clock was ahead when it was put off.
    """
    limit = wishes.longest_postponement(standing, bench.now)
    if job.postponed_until is not None and limit is not None and limit < job.postponed_until:
        text = f"it can be put off until {utc_text(limit)} at most" if job.state is JobState.POSTPONED else job.text
        job = changed(job, postponed_until=limit, text=text)
    if job.state is JobState.POSTPONED and (job.asked_by or job.postponed_until is None or job.postponed_until <= bench.now):
        return advanced(job, Event.WAIT, postponed_until=None, text="")
    is_put_off = job.postponed_until is not None and bench.now < job.postponed_until and not job.asked_by
    if job.state is JobState.WAITING and is_put_off:  # it was not offered for a while
        return advanced(job, Event.POSTPONE)
    return job


def _aligned(job: Job, standing: Standing, bench: Bench) -> Job:
    """The job under the occurrence that leads: of those that are due one that a window does not hold back, else the earliest."""
    package, asking = standing.package, standing.asking
    if package is None:
        return job
    now = due(asking, bench.now) or asking[:1]
    lead = next((one for one in now if one.is_free), now[0])
    asked = next((one for one in now if one.asked_by), None)
    job = changed(
        job,
        occurrence=lead.identity,
        advertisement=lead.advertisement,
        due_at=lead.due_at,
        source_version=package.source_version,
        manifest=package.manifest,
        is_free=lead.is_free,
        priority=max((one.priority for one in now), key=lambda one: _RANKS[one]),
        asked_by="" if asked is None else asked.asked_by,
        session_of=next((one.user for one in now if one.user), ""),
    )
    if job.is_per_user:
        job = changed(job, user=job.session_of)
    is_same_run = any(one.identity in job.covers for one in asking)
    if job.covers and not is_same_run:  # what was to be tried again is answered by what has come since
        job = changed(job, covers=(), attempts=0, was_there=None)
    return job


def _allowed(bench: Bench, standing: Standing, job: Job, platform: Platform) -> Job:
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


# --- what the site is told ---


def _tell_received(bench: Bench, of_program: list[Standing]) -> None:
    """Tells each advertisement of a program once, with what will come of it (Q277876)."""
    history = of_program[0].history
    if not of_program[0].is_readable:
        return
    for standing in of_program:
        for advertisement in standing.live:
            if advertisement.id in history.received:
                continue
            history = with_received(history, advertisement.id)
            state, text = _reception(standing, advertisement, bench)
            bench.tell_message(
                StatusMessage(
                    id=StatusId.ADVERTISEMENT_RECEIVED,
                    at=bench.now,
                    package=advertisement.package,
                    program=advertisement.program,
                    advertisement=advertisement.id,
                    source_version=0 if standing.package is None else standing.package.source_version,
                    state=state,
                    text=text,
                )
            )
    if history is of_program[0].history:
        return
    records.save_history(bench.state, history)
    for standing in of_program:
        standing.history = history


def _reception(standing: Standing, advertisement: Advertisement, bench: Bench) -> tuple[JobState | None, str]:
    if not advertisement.assignments:
        return None, "it has no assignment: it waits until somebody starts it"
    own = [occurrence for occurrence in standing.found if occurrence.advertisement == advertisement.id]
    job = standing.job
    if job is not None and job.is_open:
        if job.state is JobState.WAITING and job.due_at is not None and job.advertisement == advertisement.id:
            return job.state, f"due at {utc_text(job.due_at)}"
        return job.state, ""
    if own and all(is_satisfied(occurrence, standing.history, now=bench.now) for occurrence in own):
        return JobState.SUCCEEDED, "the program has succeeded here before: it is not run again"
    if own and all(is_spent(occurrence, standing.history) for occurrence in own):
        return None, _SPENT
    return None, _what_comes_again(standing) or "nothing of it is to be run now"


def _tell_problems(state: State, bench: Bench, policy: Policy) -> None:
    """Tells once what cannot be read of an advertisement; all others go on (Q245170)."""
    present = {text.replace("\n", " ")[:TEXT_LIMIT]: advertisement for advertisement, text in problems_of(policy).items()}
    known = set(filter(None, state.fact(_PROBLEMS).split("\n")))
    if present.keys() == known:
        return
    for text in sorted(present.keys() - known):
        bench.tell_message(StatusMessage(id=StatusId.POLICY_PROBLEM, at=bench.now, advertisement=present[text], text=text))
    state.remember(_PROBLEMS, "\n".join(sorted(present)))
