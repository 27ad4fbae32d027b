"""Decisions about a restart, over any order of events: a user in front of the machine is never surprised."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from apm_world import World
from purveyor.client.machine.interface import Session
from purveyor.client.programs.ending.restart import Facts, Plan, decided, postponed
from purveyor.client.programs.memory.asks import Ask, AskKind
from purveyor.client.programs.wanted.conditions import Unmet
from purveyor.wire.causes import Cause

COUNTDOWN, POSTPONEMENTS, POSTPONE = 900, 3, 7200
SETTINGS = msgspec.structs.replace(
    World().policy().settings,
    may_restart=True,
    restart_countdown_seconds=COUNTDOWN,
    restart_postponements=POSTPONEMENTS,
    restart_postpone_seconds=POSTPONE,
)
ALICE = (Session(id="1", user="alice"),)
CLOSED = Unmet(cause=Cause.WINDOW, reason="waits for a window")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def facts(uptime: float, *, sessions: tuple[Session, ...] | None = ALICE, window: Unmet | None = None) -> Facts:
    return Facts(settings=SETTINGS, uptime_seconds=uptime, sessions=sessions, window=window)


def ask(seconds: float) -> Ask:
    return Ask(kind=AskKind.POSTPONE_RESTART, user="alice", made_at=NOW, at=NOW + timedelta(seconds=seconds))


events = some.lists(
    some.tuples(
        some.floats(0, 5000), some.sampled_from(["look", "nobody-can-tell", "postpone"]), some.floats(-100, 1e6), some.booleans()
    ),
    max_size=40,
)


@given(events)
def test_q229113_with_somebody_there_it_never_comes_before_the_countdown_and_comes_in_the_end(
    happened: list[tuple[float, str, float, bool]],
) -> None:
    plan, uptime, announced_at = Plan(boot_id="b"), 0.0, None
    for step, what, seconds, is_closed in happened:
        uptime += step
        seen = facts(uptime, sessions=None if what == "nobody-can-tell" else ALICE, window=CLOSED if is_closed else None)
        if what == "postpone":
            later = postponed(plan, ask(seconds), seen)
            assert later is None or later.deadline is not None
            assert (later is None) == (plan.deadline is None or plan.postponements == POSTPONEMENTS)
            plan = later or plan
        plan, is_now = decided(plan, seen)
        if plan.deadline is not None and announced_at is None:
            announced_at = uptime
        if is_now:
            assert announced_at is not None
            assert uptime - announced_at >= COUNTDOWN
            return
    uptime += 1
    plan, _ = decided(plan, facts(uptime))
    assert plan.deadline is not None
    assert plan.deadline - uptime <= max(COUNTDOWN, POSTPONE * POSTPONEMENTS)
    assert decided(plan, facts(plan.deadline))[1]


def test_with_nobody_there_it_comes_at_once_but_not_outside_a_window() -> None:
    plan = Plan(boot_id="b")
    assert decided(plan, facts(1, sessions=()))[1]
    assert not decided(plan, facts(1, sessions=(), window=CLOSED))[1]


def test_where_nobody_can_tell_who_is_there_somebody_may_be() -> None:
    plan, is_now = decided(Plan(boot_id="b"), facts(1, sessions=None))
    assert not is_now
    assert plan.deadline == 1 + COUNTDOWN
