"""What administrators ask of runs on this machine, answered once each: called off, stopped, run again; or too late, or refused.

An answer and what it does are stored together, so that no request is acted on twice; what was answered is remembered, bounded.
Nothing is acted on while the policy is stale. Upstream: the offers of collections; downstream: the jobs, the history, `asks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask
from purveyor.client.programs.memory.history import SUCCESSES, with_started
from purveyor.client.programs.memory.job import NOT_STARTED, Errand, Event, Job, Kind, advanced, changed
from purveyor.client.programs.wanted.audience import is_per_user
from purveyor.client.programs.wanted.due import Occurrence, due
from purveyor.client.programs.wanted.standing import Platform, Standing, advertisements, silence
from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import Request, RequestKind
from purveyor.wire.reports import TEXT_LIMIT, StatusMessage
from purveyor.wire.status_messages import StatusId

LIMIT = 1000
"""Requests that are looked at; far more than administrators have open at once. The newest go first."""
GRACE = timedelta(seconds=60)
"""How long a run that is asked to end may take before it is ended."""
_FACT = "requests answered"
_UNDER_WAY = (JobState.RUNNING, JobState.RESTART_PENDING)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was answered. A site that was restored may give its number again, to a request of another time."""

    number: int
    made_at: str


def take_up(bench: Bench, policy: Policy, found: Mapping[Errand, Standing], platform: Platform) -> bool:
    """Answers every request that was not answered yet, in the open transaction. True when what is asked for has changed."""
    asked = policy.requests[-LIMIT:]
    if not policy.is_fresh or not asked:
        return False
    answered = _answered(bench.state)
    new = [request for request in asked if _as_answered(request) not in answered]
    taken = [request for request in new if _take_up(bench, policy, request, found, platform)]
    if taken:
        _remember(bench.state, answered, taken, asked)
    return bool(taken)


def end_stopped(bench: Bench) -> None:
    """Asks the runs that are to be stopped to end, and ends those that have not done so in time; once that is stored."""
    for job in records.open_jobs(bench.state):
        if job.state is not JobState.RUNNING or job.stop_at is None:
            continue
        has_time = bench.now < job.stop_at <= bench.now + GRACE
        bench.machine.programs.stop(job.run, is_forced=not has_time)
        if not has_time:
            bench.save(changed(job, stop_at=None))


def _take_up(bench: Bench, policy: Policy, request: Request, found: Mapping[Errand, Standing], platform: Platform) -> bool:
    """Acts on one request, and answers it; False: it has to wait, as not everything could be read."""
    standings = [standing for standing in found.values() if standing.key == request.key]
    match request.kind:
        case RequestKind.CANCEL:
            return _cancel(bench, policy, request, standings)
        case RequestKind.STOP:
            return _stop(bench, request, standings)
        case RequestKind.RUN_AGAIN:
            return _run_again(bench, policy, request, standings, platform)


# --- cancel ---


def _cancel(bench: Bench, policy: Policy, request: Request, standings: Sequence[Standing]) -> bool:
    """Uses up what the advertisement asks for next, where it has not begun."""
    cancelled = [standing for standing in standings if _cancel_errand(bench, request, standing)]
    if cancelled:
        return True
    running = _running(bench, request)
    if running:
        _answer(bench, request, StatusId.REQUEST_TOO_LATE, "it has begun already; a run can be stopped", job=running[0])
        return True
    last = next(
        (run for standing in standings for run in reversed(standing.history.runs) if run.advertisement == request.advertisement),
        None,
    )
    if last is not None:
        text = f"it has run already, and ended as {last.state.value} at {utc_text(last.ended_at)}"
        _answer(bench, request, StatusId.REQUEST_TOO_LATE, text)
        return True
    if not policy.is_complete:
        return False
    _answer(bench, request, StatusId.REQUEST_REFUSED, "nothing of it is planned here")
    return True


def _cancel_errand(bench: Bench, request: Request, standing: Standing) -> bool:
    own = [one for one in standing.asking if one.advertisement == request.advertisement]
    job = standing.job
    called_off = due(own, bench.now) or own[:1]
    if not called_off or (job is not None and job.state not in NOT_STARTED):
        return False
    _use_up(bench, standing, called_off)
    if job is not None and job.occurrence in {one.identity for one in called_off}:
        text = "an administrator called it off before it began"
        job = bench.save(advanced(job, Event.CANCEL, ended_at=bench.now, text=text))
        _answer(bench, request, StatusId.CANCELLED, text, job=job)
    else:
        names = ", ".join(one.identity for one in called_off)
        _answer(bench, request, StatusId.CANCELLED, f"an administrator called off what it asks for: {names}")
    return True


def _use_up(bench: Bench, standing: Standing, called_off: Iterable[Occurrence]) -> None:
    history = records.history_of(bench.state, standing.key)
    for one in called_off:
        history = with_started(history, one.assignment, one.started)
    records.save_history(bench.state, history)


# --- stop ---


def _stop(bench: Bench, request: Request, standings: Sequence[Standing]) -> bool:
    """Asks what runs to end; its end is told when it comes."""
    running = [job for job in _running(bench, request) if job.state is JobState.RUNNING]
    for job in running:
        bench.save(changed(job, stop_request=request.number, stop_at=bench.now + GRACE))
    if running:
        return True
    last = next((standing.history.last_run for standing in standings if standing.history.last_run is not None), None)
    if any(standing.job is not None and standing.job.state is JobState.RESTART_PENDING for standing in standings):
        _answer(bench, request, StatusId.REQUEST_TOO_LATE, "it has ended already, and waits for a restart")
    elif last is None:
        _answer(bench, request, StatusId.REQUEST_REFUSED, "it does not run, and never did here")
    else:
        text = f"it does not run; it ended as {last.state.value} at {utc_text(last.ended_at)}"
        _answer(bench, request, StatusId.REQUEST_TOO_LATE, text)
    return True


def _running(bench: Bench, request: Request) -> list[Job]:
    """What is under way of an advertisement: its program, or one that it depends on."""
    return [
        job
        for job in records.open_jobs(bench.state)
        if job.kind is Kind.RUN and job.state in _UNDER_WAY and _is_about(job, request)
    ]


def _is_about(job: Job, request: Request) -> bool:
    prefix = f"{request.advertisement}."
    return job.advertisement == request.advertisement or any(one.startswith(prefix) for one in (job.occurrence, *job.covers))


# --- run again ---


def _run_again(bench: Bench, policy: Policy, request: Request, standings: Sequence[Standing], platform: Platform) -> bool:
    if request.only_failed and not _has_failed(standings):
        return True  # it is for the others
    advertisement = next((one for one in advertisements(policy) if one.id == request.advertisement), None)
    if advertisement is None and not policy.is_complete:
        return False
    standing = next(iter(standings), None)
    if advertisement is None or advertisement.key != request.key or standing is None:
        _answer(bench, request, StatusId.REQUEST_REFUSED, f"{request.advertisement} does not offer it to this machine now")
        return True
    if standing.program is None:
        return False
    reason = silence(policy, advertisement, bench)
    if not reason and not any(advertisement.id == one.id for each in standings for one in each.live):
        reason = "; ".join(sorted(standing.not_live)) or "it is not accepted here"
    if not reason and not platform.supports(standing.program):
        reason = f"it is for {', '.join(standing.program.platforms)}; this machine is {platform.name}"
    if reason:
        _answer(bench, request, StatusId.REQUEST_REFUSED, f"it cannot be run again now: {reason}")
        return True
    add_ask(
        bench.state,
        Ask(
            kind=AskKind.RUN,
            user="",
            made_at=request.made_at,
            at=bench.now,
            key=request.key,
            advertisement=request.advertisement,
            request=request.number,
            expires_at=request.expires_at if is_per_user(standing.program) else None,
            is_told=True,
        ),
    )
    _answer(bench, request, StatusId.RUN_AGAIN_ACCEPTED, "it will be run again, as an administrator asked")
    return True


def _has_failed(standings: Sequence[Standing]) -> bool:
    """Whether the run that ended last did not succeed."""
    last = next((standing.history.last_run for standing in standings if standing.history.last_run is not None), None)
    return last is not None and last.state not in SUCCESSES


# --- answers ---


def _answer(bench: Bench, request: Request, status: StatusId, text: str, *, job: Job | None = None) -> None:
    bench.tell_message(
        StatusMessage(
            id=status,
            at=bench.now,
            package=request.package,
            program=request.program,
            advertisement=request.advertisement,
            occurrence="" if job is None else job.occurrence,
            source_version=0 if job is None else job.source_version,
            state=job.state if job is not None and status is StatusId.CANCELLED else None,
            text=text[:TEXT_LIMIT],
            user="" if job is None else job.user,
            request=request.number,
        )
    )


def _answered(state: State) -> list[Answered]:
    try:
        return from_bytes(state.fact(_FACT).encode() or b"[]", list[Answered])
    except RejectedError:
        return []


def _as_answered(request: Request) -> Answered:
    return Answered(number=request.number, made_at=request.made_at.isoformat())


def _remember(state: State, before: Sequence[Answered], taken: Iterable[Request], asked: Iterable[Request]) -> None:
    """Remembers what was answered: all that is still asked, and the newest of the rest."""
    current = {one.number for one in asked}
    known = sorted({*((one.number, one.made_at) for one in before), *((one.number, one.made_at.isoformat()) for one in taken)})
    kept = [one for one in known if one[0] in current]
    rest = [one for one in known if one[0] not in current][-LIMIT:]
    state.remember(
        _FACT, to_bytes([Answered(number=number, made_at=made_at) for number, made_at in sorted(kept + rest)]).decode()
    )
