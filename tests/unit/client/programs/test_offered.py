"""What a user is shown of what is offered: the programs they may see, how each stands, and what they may do about it."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, World, at, key
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.wanted.offered import OfferedProgram, offered_to
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Assignment, AssignmentKind
from purveyor.wire.package_info import Conditions, Logon, RunsFor

DAILY = Assignment(number=1, kind=AssignmentKind.RECURRENCE, at=(START + HOUR).replace(tzinfo=None), rule="FREQ=DAILY")


@pytest.fixture
def world() -> World:
    return World()


def shown(world: World, user: str = "alice") -> list[OfferedProgram]:
    machine = world.machine
    return offered_to(Bench(state=machine.state, machine=machine, now=machine.now()), world.policy(), user)


def test_optional_and_visible_programs_are_shown_and_others_are_not(world: World) -> None:
    world.package(*(world.program(number, f"p{number}") for number in range(1, 4)))
    world.advertise(1, program=key(number=1))
    world.advertise(2, ASAP, program=key(number=2), is_visible=True)
    world.advertise(3, ASAP, program=key(number=3))
    world.turn()
    assert [one.name for one in shown(world)] == ["p1", "p2"]
    assert [one.is_mandatory for one in shown(world)] == [False, True]


def test_q235820_what_is_for_certain_users_is_shown_to_them_alone_and_to_nobody_by_another_domain(world: World) -> None:
    world.package()
    world.advertise(1, users=("CORP\\alice",), groups=("CORP\\staff",))
    world.machine.people.log_on("CORP\\bob", ("CORP\\staff",))
    world.turn()
    assert shown(world, "alice") == []
    assert [one.name for one in shown(world, "corp\\alice")] == ["setup"]
    assert [one.name for one in shown(world, "CORP\\bob")] == ["setup"]
    assert [one.name for one in shown(world, "")] == ["setup"]


def test_what_may_not_run_now_is_not_shown(world: World) -> None:
    world.package(*(world.program(number, f"p{number}") for number in range(1, 5)))
    world.advertise(1, program=key(number=1), is_paused=True)
    world.advertise(2, program=key(number=2), expires_at=START)
    world.advertise(3, program=key(number=3), available_from=START + HOUR)
    world.advertise(4, program=key(number=4))
    world.disabled.add(key(number=4))
    world.turn()
    assert shown(world) == []


def test_a_program_of_another_platform_is_shown_with_the_reason_why_it_cannot_be_started(world: World) -> None:
    world.package(world.program(1, platforms=("windows",)))
    world.advertise(1)
    world.turn()
    (one,) = shown(world)
    assert not one.may_run_now
    assert "windows" in one.why


def test_the_next_times_are_those_at_which_it_will_run(world: World) -> None:
    world.package()
    world.advertise(1, DAILY, is_visible=True)
    world.turn()
    (one,) = shown(world)
    assert one.next_at == tuple(START + HOUR + timedelta(days=days) for days in range(5))
    assert one.due_at == START + HOUR
    assert one.state is JobState.WAITING


def test_why_it_waits_is_said(world: World) -> None:
    world.package(world.program(1, conditions=Conditions(logon=Logon.NONE)))
    world.advertise(1, ASAP, is_visible=True)
    world.machine.people.log_on("alice")
    world.turn()
    assert "somebody is logged on" in shown(world)[0].why


def test_until_when_a_run_may_be_put_off_is_shown(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR), is_visible=True, postpone_seconds=7200)
    world.turn()
    assert shown(world)[0].may_postpone_until == START + 3 * HOUR
    world.advertise(1, at(START + HOUR), is_visible=True)
    world.turn()
    assert shown(world)[0].may_postpone_until is None


def test_a_running_program_cannot_be_started_again_meanwhile_and_its_last_run_is_shown_afterwards(world: World) -> None:
    world.package()
    world.script("setup", Script(seconds=600, exit_code=3))
    world.advertise(1)
    world.ask("alice")
    world.turn()
    assert (shown(world)[0].state, shown(world)[0].may_run_now) == (JobState.RUNNING, False)
    world.settle()
    (one,) = shown(world)
    assert one.last_run is not None
    assert (one.last_run.state, one.last_run.exit_code, one.last_success_at) == (JobState.FAILED, 3, None)
    assert one.may_run_now


def test_each_user_sees_their_own_run_of_a_program_for_every_user(world: World) -> None:
    world.package(world.program(1, runs_for=RunsFor.EVERY_USER, conditions=Conditions(logon=Logon.USER)))
    world.advertise(1, ASAP, is_visible=True)
    world.machine.people.log_on("alice")
    world.settle()
    world.advertise(2, at(START + 10 * HOUR), is_visible=True, program=key())
    world.machine.people.log_on("bob")
    world.turn()
    of_alice, of_bob = shown(world, "alice")[0], shown(world, "bob")[0]
    assert of_alice.last_success_at is not None
    assert of_alice.state is None
    assert of_bob.last_success_at is None
    assert of_bob.state is JobState.RUNNING


def test_looking_changes_nothing(world: World) -> None:
    world.package()
    world.advertise(1, ASAP, is_visible=True)
    world.turn()
    world.machine.people.log_on("alice")
    world.clock.advance(MINUTE)
    before = list(world.machine.state.connection.iterdump())
    shown(world)
    assert list(world.machine.state.connection.iterdump()) == before


def test_a_thousand_programs_are_shown_quickly(world: World) -> None:
    world.package(*(world.program(number, f"p{number}") for number in range(1, 1001)), package=OTHER)
    for number in range(1, 1001):
        world.advertise(number, program=key(OTHER, number))
    world.turn()
    assert len(shown(world)) == 1000
