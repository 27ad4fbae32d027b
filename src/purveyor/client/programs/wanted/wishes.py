"""What becomes of what users ask for: runs are told of and dropped once begun, a run that may be put off is put off.

The run itself is an occurrence like any other (`standing.ask_occurrence`). Upstream: `asks`; downstream: the jobs. Whether
somebody may ask is decided here again, since whoever took the wish may have seen an older policy.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory.asks import Ask, AskKind, asks, drop_ask, save_ask
from purveyor.client.programs.memory.job import RUNNABLE, Errand, Event, advanced, user_name
from purveyor.client.programs.wanted import audience
from purveyor.client.programs.wanted.audience import is_for
from purveyor.client.programs.wanted.due import due, is_satisfied, was_started
from purveyor.client.programs.wanted.events import Seen
from purveyor.client.programs.wanted.standing import Standing, advertisements, may_be_asked_for
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.reports import TEXT_LIMIT, StatusMessage
from purveyor.wire.spans import moved, span
from purveyor.wire.status_messages import StatusId


def take_up(bench: Bench, policy: Policy, found: Mapping[Errand, Standing], seen: Seen) -> None:
    """Tells of each run that a user asks for, once; drops those that have begun, or that may not be asked for."""
    for ask in asks(bench.state):
        if ask.kind is not AskKind.RUN:
            continue
        if _is_done_with(bench, ask, found) or _is_refused(bench, policy, ask, seen):
            drop_ask(bench.state, ask.number)
        elif not ask.is_told and not ask.request and any(_occurrence_of(ask, standing) for standing in _of(ask, found)):
            _tell(bench, StatusId.ASKED_BY_USER, ask, f"{ask.user} asks for it, {_when(ask, bench.now)}")
            save_ask(bench.state, msgspec.structs.replace(ask, is_told=True))


def put_off(bench: Bench, found: Mapping[Errand, Standing], seen: Seen) -> None:
    """Puts off the runs that users ask to put off, as far as they may."""
    for ask in asks(bench.state):
        if ask.kind is not AskKind.POSTPONE:
            continue
        for standing in _of(ask, found):
            _put_off(bench, ask, standing, audience.groups_of(seen, ask.user))
        drop_ask(bench.state, ask.number)


def may_postpone_until(standing: Standing, now: datetime, user: str, groups: tuple[str, ...]) -> datetime | None:
    """Until when a user may put off the run that comes next; None: not at all."""
    job, offered = standing.job, {one.id: one for one in standing.live}
    if job is None or job.state not in (*RUNNABLE, JobState.POSTPONED):
        return None
    for occurrence in due(standing.asking, now) or standing.asking[:1]:
        advertisement = offered.get(occurrence.advertisement)
        if occurrence.asked_by or advertisement is None or not is_for(advertisement, user, groups):
            return None
    until = longest_postponement(standing, now)
    is_possible = until is not None and until > max(now, job.due_at or now)
    return until if is_possible else None


def longest_postponement(standing: Standing, now: datetime) -> datetime | None:
    """Until when all that asks for the run that comes next lets it be put off, by whomever; None: nothing says."""
    seconds = {one.id: one.postpone_seconds for one in standing.live}
    asking = due(standing.asking, now) or standing.asking[:1]
    limits = [moved(one.due_at, span(seconds[one.advertisement])) for one in asking if one.advertisement in seconds]
    return min(limits, default=None)


def _put_off(bench: Bench, ask: Ask, standing: Standing, groups: tuple[str, ...]) -> None:
    job, limit = standing.job, may_postpone_until(standing, bench.now, ask.user, groups)
    if job is None or limit is None or ask.at <= bench.now:
        bench.note(f"{ask.user} may not put off {ask.program}")
        return
    until = min(ask.at, limit)
    if until == job.postponed_until:
        return
    text = f"{ask.user} put it off until {utc_text(until)}"
    waiting = job if job.state is not JobState.POSTPONED else advanced(job, Event.WAIT)
    standing.job = bench.save(advanced(waiting, Event.POSTPONE, postponed_until=until, text=text, problem=""))
    bench.tell(standing.job, StatusId.POSTPONED, text, by=ask.user)


def _of(ask: Ask, found: Mapping[Errand, Standing]) -> list[Standing]:
    """How the errands stand that an ask may be about: the user's own, and the machine's."""
    if ask.program is None:
        return []
    if ask.request:
        return [standing for standing in found.values() if standing.key == ask.program]
    own = (found.get(Errand(ask.program, user_name(ask.user))), found.get(Errand(ask.program)))
    return [standing for standing in own if standing is not None]


def _occurrence_of(ask: Ask, standing: Standing) -> bool:
    """Whether the ask makes an occurrence of this errand that asks for a run."""
    return any(_is_of(ask, one.identity) for one in standing.asking)


def _is_of(ask: Ask, identity: str) -> bool:
    name = identity.partition(".")[2].partition("@")[0].partition("!")[0]
    return name == (f"R{ask.request}" if ask.request else f"U{ask.number}")


def _is_done_with(bench: Bench, ask: Ask, found: Mapping[Errand, Standing]) -> bool:
    """Whether its run has begun, or a run that began since has succeeded."""
    if ask.expires_at is not None:
        return bench.now >= ask.expires_at
    for standing in _of(ask, found):
        for one in standing.found:
            is_answered = was_started(one, standing.history) or is_satisfied(one, standing.history, now=bench.now)
            if _is_of(ask, one.identity) and is_answered and not _is_to_be_tried_again(standing, one.identity):
                return True
    return False


def _is_to_be_tried_again(standing: Standing, identity: str) -> bool:
    return standing.job is not None and identity in standing.job.covers


def _is_refused(bench: Bench, policy: Policy, ask: Ask, seen: Seen) -> bool:
    """Whether nothing that is offered, even if it says nothing now, lets this run be asked for."""
    if not (policy.is_complete and policy.is_fresh):
        return False
    offered = [one for one in advertisements(policy) if one.key == ask.program]
    if ask.request:
        is_possible = any(one.id == ask.advertisement for one in offered)
    else:
        groups = audience.groups_of(seen, ask.user)
        is_possible = any(may_be_asked_for(one, ask.user, groups) for one in offered)
    if not is_possible:
        bench.note(f"{ask.program} is not offered to {ask.user or 'this machine'} any more: what was asked for is dropped")
    return not is_possible


def _tell(bench: Bench, status: StatusId, ask: Ask, text: str) -> None:
    key: ProgramKey | None = ask.program
    bench.tell_message(
        StatusMessage(
            id=status,
            at=bench.now,
            package=None if key is None else key.package,
            program=None if key is None else key.program,
            advertisement=ask.advertisement,
            text=text[:TEXT_LIMIT],
            user=ask.user,
        )
    )


def _when(ask: Ask, now: datetime) -> str:
    return "now" if ask.at <= now else f"at {utc_text(ask.at)}"
