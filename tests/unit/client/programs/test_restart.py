"""The restart that a program needs: when it comes, who may put it off, and what is shown and told of it."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, World, key
from purveyor.client.programs.ending import restart
from purveyor.client.programs.ending.restart import PLAN, RestartPending
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask, asks
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Window
from purveyor.wire.schedule import Zone
from purveyor.wire.status_messages import StatusId

SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> World:
    made = World()
    made.settings |= {"may_restart": True, "restart_countdown_seconds": 900, "restart_postpone_seconds": 7200}
    made.settings["restart_postponements"] = 2
    made.script("setup", Script(exit_code=3010, seconds=60))
    made.package(made.program(1), made.program(2, "second"))
    made.advertise(1, ASAP)
    made.advertise(2, ASAP, program=key(number=2))
    return made


def owed(world: World) -> None:
    """The first program has run, and needs a restart."""
    world.turn()
    world.clock.advance(MINUTE)
    world.machine.programs.turn()
    world.turn()
    assert world.state_of() is JobState.RESTART_PENDING


def boots(world: World) -> int:
    return world.machine.boot_count


def wish(world: World, kind: AskKind, *, after: timedelta = timedelta(0)) -> None:
    now = world.machine.now()
    add_ask(world.machine.state, Ask(kind=kind, user="alice", made_at=now, at=now + after))


def pending(world: World) -> RestartPending | None:
    return restart.pending(world.machine.state, world.machine, world.policy().settings)


def until_restart(world: World, limit: timedelta) -> timedelta:
    """How long it takes until the machine is told to restart, going from one turn to the next that is asked for."""
    began = world.machine.now()
    due = world.turn()
    while not world.machine.is_restart_wanted and due is not None and due - began < limit:
        due = world.after(due - world.machine.now())
    assert world.machine.is_restart_wanted
    return world.machine.now() - began


def test_q295084_with_nobody_logged_on_the_machine_restarts_unattended_and_the_next_program_follows(world: World) -> None:
    owed(world)
    assert world.machine.is_restart_wanted
    world.after(SECOND)
    world.settle()
    assert world.runs == ["setup", "second"]
    assert world.state_of() is JobState.SUCCEEDED
    assert len(world.told(StatusId.RESTARTING)) == 1
    assert boots(world) == 2


def test_with_a_user_the_machine_restarts_after_the_countdown_and_not_before(world: World) -> None:
    world.machine.people.log_on("alice")
    owed(world)
    assert not world.machine.is_restart_wanted
    found = pending(world)
    assert found is not None
    assert (found.key, found.program, found.postponements_left) == (key(), "setup", 2)
    assert found.at == world.machine.now() + timedelta(seconds=900)
    assert [notice.user for notice in world.machine.notices.shown] == ["alice"]
    world.after(timedelta(seconds=899))
    assert not world.machine.is_restart_wanted
    world.after(SECOND)
    assert world.machine.is_restart_wanted
    assert world.runs == ["setup"]


def test_q229113_the_countdown_does_not_depend_on_a_notice_or_on_a_clock_that_jumps(world: World) -> None:
    world.machine.people.log_on("alice")
    world.machine.people.cannot_be_told = True
    owed(world)
    assert world.machine.notices.shown == []
    world.machine.clock.skew = timedelta(days=365)
    world.after(5 * MINUTE)
    world.machine.clock.skew = timedelta(days=-365)
    world.after(5 * MINUTE)
    assert not world.machine.is_restart_wanted
    world.after(5 * MINUTE)
    assert world.machine.is_restart_wanted


def test_users_put_it_off_as_often_as_they_may_and_are_warned_again_before_it_comes(world: World) -> None:
    world.machine.people.log_on("alice")
    owed(world)
    for left in (1, 0):
        wish(world, AskKind.POSTPONE_RESTART)
        world.turn()
        found = pending(world)
        assert found is not None
        assert found.postponements_left == left
        assert found.at == world.machine.now() + timedelta(seconds=7200)
    wish(world, AskKind.POSTPONE_RESTART)
    world.turn()
    assert asks(world.machine.state) == []
    assert [message.text.startswith("alice put the restart off until") for message in world.told(StatusId.RESTART_POSTPONED)] == [
        True,
        True,
    ]
    shown = len(world.machine.notices.shown)
    assert until_restart(world, 5 * HOUR) == timedelta(seconds=7200)
    assert len(world.machine.notices.shown) == shown + 1


def test_a_user_puts_it_off_for_as_long_as_they_like_within_the_limit(world: World) -> None:
    world.machine.people.log_on("alice")
    owed(world)
    wish(world, AskKind.POSTPONE_RESTART, after=HOUR)
    world.turn()
    assert until_restart(world, 5 * HOUR) == HOUR


def test_a_user_who_agrees_is_not_kept_waiting(world: World) -> None:
    world.machine.people.log_on("alice")
    owed(world)
    wish(world, AskKind.RESTART_NOW)
    world.turn()
    assert world.machine.is_restart_wanted


def test_when_the_last_user_logs_off_nobody_is_waited_for(world: World) -> None:
    world.machine.people.log_on("alice")
    owed(world)
    world.machine.people.log_off("alice")
    world.turn()
    assert world.machine.is_restart_wanted


def test_where_the_agent_may_not_restart_it_waits_for_somebody_and_tells_the_user_once(world: World) -> None:
    world.settings["may_restart"] = False
    world.machine.people.log_on("alice")
    owed(world)
    for _ in range(20):
        assert world.after(HOUR) is None
    wish(world, AskKind.RESTART_NOW)
    world.turn()
    assert boots(world) == 1
    assert world.runs == ["setup"]
    assert len(world.machine.notices.shown) == 1
    found = pending(world)
    assert found is not None
    assert (found.at, found.may_restart) == (None, False)
    world.machine.restart_now()
    world.settle()
    assert world.runs == ["setup", "second"]
    assert pending(world) is None


def test_a_program_that_keeps_to_windows_has_its_restart_in_one(world: World) -> None:
    world.windows = [
        Window(number=1, start=START.replace(tzinfo=None), duration_seconds=3600, zone=Zone.UTC, rule="FREQ=DAILY"),
    ]
    world.settings["restart_countdown_seconds"] = 0
    world.script("setup", Script(exit_code=3010, seconds=3600))
    world.package(world.program(1, max_run_seconds=3600))
    world.withdraw(2)
    world.turn()
    world.clock.advance(HOUR)
    world.machine.programs.turn()
    world.turn()
    assert world.state_of() is JobState.RESTART_PENDING
    assert not world.machine.is_restart_wanted
    assert until_restart(world, 48 * HOUR) == 23 * HOUR


def test_the_restart_of_an_emergency_waits_for_no_window(world: World) -> None:
    world.windows = [
        Window(number=1, start=START.replace(tzinfo=None), duration_seconds=60, zone=Zone.UTC, rule="FREQ=DAILY"),
    ]
    world.withdraw(1)
    world.advertise(1, ASAP, ignores_windows=True)
    world.clock.advance(2 * HOUR)
    owed(world)
    assert world.machine.is_restart_wanted


def test_a_machine_that_does_not_go_down_is_told_again_but_not_all_the_time(world: World) -> None:
    owed(world)
    told = 0
    for _ in range(20):
        if world.machine.is_restart_wanted:
            told += 1
            world.machine.restart_at = None
        world.clock.advance(MINUTE)
        world.turn()
    assert 3 <= told <= 5
    assert len(world.told(StatusId.RESTARTING)) == 1


def test_a_machine_that_somebody_is_restarting_already_is_left_to_it(world: World) -> None:
    world.turn()
    world.machine.is_going_down = True
    world.clock.advance(MINUTE)
    world.machine.programs.turn()
    world.turn()
    assert world.state_of() is JobState.RESTART_PENDING
    assert world.told(StatusId.RESTARTING) == []
    assert not world.machine.is_restart_wanted


def test_wishes_about_a_restart_that_is_not_owed_are_dropped(world: World) -> None:
    wish(world, AskKind.POSTPONE_RESTART)
    wish(world, AskKind.RESTART_NOW)
    world.withdraw(1)
    world.turn()
    assert asks(world.machine.state) == []
    assert not world.machine.is_restart_wanted


def test_who_saw_the_notice_and_has_gone_is_forgotten_however_long_the_restart_is_owed(world: World) -> None:
    world.settings["may_restart"] = False
    owed(world)
    for number in range(50):
        world.machine.people.log_on(f"user{number}")
        world.after(MINUTE)
        world.machine.people.log_off(f"user{number}")
        world.after(MINUTE)
    assert len(world.machine.notices.shown) == 50
    assert len(world.machine.state.fact(PLAN)) < 500
