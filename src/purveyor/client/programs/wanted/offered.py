"""What is offered to a user of this machine, and how it stands: what the agent's page and commands show.

Reads the state, changes nothing. A user sees a program where an advertisement that stands is optional or visible, or lets its run
be put off, and is for them or for everybody (Q215108, Q235820); root, named by no user, sees what anybody would. Only one that is
optional or visible may be started. Why something waits is the text of its job.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory.history import Run
from purveyor.client.programs.memory.job import NOT_STARTED, Errand, user_name
from purveyor.client.programs.wanted.audience import groups_of, is_for, is_per_user
from purveyor.client.programs.wanted.due import Moment, occurrences
from purveyor.client.programs.wanted.events import Seen, seen_now
from purveyor.client.programs.wanted.standing import Platform, Standing, may_be_asked_for, standings
from purveyor.client.programs.wanted.wishes import may_postpone_until
from purveyor.wire.form import Instant
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import ProgramKey

NEXT_LIMIT = 5
"""Times to come that are shown of one program."""


class OfferedProgram(msgspec.Struct, frozen=True, kw_only=True):
    """One program as a user sees it. `advertisement`: by which it is shown, and may be started."""

    key: ProgramKey
    name: str
    description: str = ""
    package_name: str = ""
    package_version: str = ""
    publisher: str = ""
    advertisement: AdvertisementId
    is_mandatory: bool = False
    """Whether it runs without being asked for, too."""
    state: JobState | None = None
    """Of the job that is planned or runs; None: there is none."""
    due_at: Instant | None = None
    """When it runs by itself next."""
    next_at: tuple[Instant, ...] = ()
    """The next times by what is assigned, in order."""
    postponed_until: Instant | None = None
    why: str = ""
    """Why it waits, or may not be started now."""
    last_run: Run | None = None
    last_success_at: Instant | None = None
    may_run_now: bool = False
    may_postpone_until: Instant | None = None


def offered_to(bench: Bench, policy: Policy, user: str) -> list[OfferedProgram]:
    """The programs that a user sees, by package and program; with no user: those that anybody sees."""
    seen, platform = seen_now(bench), Platform(bench)
    return shown_to(bench, policy, standings(bench, policy, seen, platform), seen, platform, user)


def shown_to(
    bench: Bench, policy: Policy, found: dict[Errand, Standing], seen: Seen, platform: Platform, user: str
) -> list[OfferedProgram]:
    """The programs that a user sees, where it is known how all errands stand: for several users one look is enough."""
    groups = groups_of(seen, user)
    shown: dict[ProgramKey, list[Advertisement]] = {}
    for standing in found.values():
        for advertisement in standing.live:
            is_new = advertisement not in shown.get(standing.key, ())
            is_seen = advertisement.available_from <= bench.now and _is_seen(advertisement, user, groups)
            if standing.program is not None and is_new and is_seen:
                shown.setdefault(standing.key, []).append(advertisement)
    programs = []
    for key in sorted(shown):
        own = _own(found, key, user)
        if own is not None:
            programs.append(_offered(bench, policy, own, shown[key], user, groups, platform))
    return programs


def _is_seen(advertisement: Advertisement, user: str, groups: Sequence[str]) -> bool:
    if advertisement.assignments and not advertisement.is_visible and not advertisement.postpone_seconds:
        return False
    return not user or is_for(advertisement, user, groups)


def _own(found: dict[Errand, Standing], key: ProgramKey, user: str) -> Standing | None:
    """How the errand stands that is the user's own; without one, any of the program."""
    own = found.get(Errand(key, user_name(user))) if user else None
    return own or found.get(Errand(key)) or next((one for one in found.values() if one.key == key), None)


def _offered(
    bench: Bench,
    policy: Policy,
    standing: Standing,
    shown: Sequence[Advertisement],
    user: str,
    groups: tuple[str, ...],
    platform: Platform,
) -> OfferedProgram:
    program, package, job = standing.program, standing.package, standing.job
    assert program is not None
    is_own = not is_per_user(program) or (bool(user) and standing.user == user_name(user))
    job = job if is_own else None
    whose = user_name(user) if user and is_per_user(program) else ""
    success = standing.history.success_of(whose)
    runs = [run for run in standing.history.runs if not whose or user_name(run.user) == whose]
    obstacle = "" if platform.supports(program) else f"it is for {', '.join(program.platforms)}; this machine is {platform.name}"
    is_planned = job is not None and job.is_open
    is_begun = job is not None and job.is_open and job.state not in NOT_STARTED
    startable = [one for one in shown if may_be_asked_for(one, user, groups)] if user else []
    return OfferedProgram(
        key=standing.key,
        name=program.name,
        description=program.description,
        package_name="" if package is None else package.name,
        package_version="" if package is None else package.version,
        publisher="" if package is None else package.publisher,
        advertisement=(startable or shown)[0].id,
        is_mandatory=any(one.assignments for one in standing.live),
        state=job.state if job is not None and is_planned else None,
        due_at=job.due_at if job is not None and job.state in NOT_STARTED and standing.asking else None,
        next_at=_next_at(bench, policy, standing),
        postponed_until=job.postponed_until if job is not None and job.state is JobState.POSTPONED else None,
        why=obstacle or (job.text if job is not None and is_planned else ""),
        last_run=runs[-1] if runs else None,
        last_success_at=None if success is None else success.started_at,
        may_run_now=bool(startable) and not obstacle and not is_begun and policy.may_run_accepted,
        may_postpone_until=may_postpone_until(standing, bench.now, user, groups) if is_own else None,
    )


def _next_at(bench: Bench, policy: Policy, standing: Standing) -> tuple[datetime, ...]:
    """The next times of all that is assigned, and of what was asked for."""
    found = {one.due_at for one in standing.asking if one.due_at > bench.now}
    for advertisement in standing.live:
        at = bench.now
        for _ in range(NEXT_LIMIT):
            moment = Moment(now=at, zone=bench.machine.zone(), client=policy.client)
            ahead = [one.due_at for one in occurrences(advertisement, moment, source_version=0) if one.due_at > at]
            if not ahead or (advertisement.expires_at is not None and min(ahead) >= advertisement.expires_at):
                break
            at = min(ahead)
            found.add(at)
    return tuple(sorted(found)[:NEXT_LIMIT])
