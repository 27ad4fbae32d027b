"""A program is uninstalled once nothing offers it any more: once, after two confirmed polls, and never by mistake."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, World, advertisement_id, key
from purveyor.client.programs.memory import records
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.ids import SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, FileRule, Program, Superseded, Uninstall
from purveyor.wire.status_messages import StatusId

REMOVE = Uninstall(command=Command(argv=("remove",)), when_not_offered=True)


@pytest.fixture
def world() -> World:
    """A machine on which a program was installed that is to leave with its advertisement."""
    world = World()
    world.package(world.program(1, uninstall=REMOVE))
    world.advertise(1, ASAP)
    world.settle()
    world.poll()
    return world


def polls(world: World, count: int = 4) -> None:
    for _ in range(count):
        world.poll(HOUR + MINUTE)
        world.settle()


def removals(world: World) -> int:
    return world.runs.count("remove")


# --- leaving ---


def test_q316021_it_is_uninstalled_once_when_the_client_leaves_the_collection_or_the_advertisement_is_deleted(
    world: World,
) -> None:
    world.withdraw()
    polls(world, 10)
    assert removals(world) == 1
    told = [message.id for message in world.messages if message.id in _TOLD]
    assert told == [StatusId.NOT_OFFERED_ANY_MORE, StatusId.UNINSTALL_STARTED, StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE]
    assert records.receipts(world.machine.state) == []


_TOLD = {
    StatusId.NOT_OFFERED_ANY_MORE,
    StatusId.UNINSTALL_STARTED,
    StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE,
    StatusId.UNINSTALL_FAILED_BY_EXIT_CODE,
}


def test_q316021_it_is_uninstalled_when_its_advertisement_has_expired(world: World) -> None:
    world.advertise(1, ASAP, expires_at=world.clock.now() + MINUTE)
    polls(world)
    assert removals(world) == 1


def test_it_is_not_uninstalled_while_another_advertisement_of_it_remains(world: World) -> None:
    world.advertise(2)
    world.withdraw(1)
    polls(world)
    assert removals(world) == 0
    world.withdraw(2)
    polls(world)
    assert removals(world) == 1


def test_an_uninstall_that_fails_is_told_and_not_tried_for_ever(world: World) -> None:
    world.script("remove", Script(exit_code=1))
    world.withdraw()
    polls(world, 12)
    assert removals(world) == 1
    assert world.told(StatusId.UNINSTALL_FAILED_BY_EXIT_CODE)
    assert records.receipts(world.machine.state)


def test_what_does_not_ask_for_it_is_left_where_it_is() -> None:
    world = World()
    world.package(world.program(1, uninstall=Uninstall(command=Command(argv=("remove",)))))
    world.advertise(1, ASAP)
    world.settle()
    world.withdraw()
    polls(world, 6)
    assert removals(world) == 0


# --- what is no leaving ---


@pytest.mark.parametrize("why", ["paused", "disabled", "deleted package", "deleted program", "incomplete", "stale", "unreadable"])
def test_q199263_nothing_is_uninstalled_for_any_other_reason(world: World, why: str) -> None:
    match why:
        case "paused":
            world.advertise(1, ASAP, is_paused=True)
        case "disabled":
            world.disabled.add(key())
        case "deleted package":
            world.delete_package()
        case "deleted program":
            world.withdraw()
            world.deleted_programs.add(key())
        case "incomplete":
            world.withdraw()
            world.is_complete = False
        case "stale":
            world.withdraw()
            world.is_fresh = False
        case "unreadable":
            world.withdraw()
            world.advertise(2, ASAP, program=key(OTHER))
    polls(world, 6)
    assert removals(world) == 0


def test_q199263_turns_that_no_access_point_served_conclude_nothing(world: World) -> None:
    world.withdraw()
    world.poll()
    for _ in range(20):
        world.after(HOUR)
    assert removals(world) == 0
    polls(world, 2)
    assert removals(world) == 1


def test_two_polls_within_one_interval_are_not_enough(world: World) -> None:
    world.withdraw()
    for _ in range(5):
        world.poll(MINUTE)
    assert removals(world) == 0


def test_a_clock_that_jumps_makes_no_interval(world: World) -> None:
    world.withdraw()
    world.poll(MINUTE)
    world.machine.clock.skew = timedelta(days=365)
    world.poll(MINUTE)
    world.poll(MINUTE)
    assert removals(world) == 0
    polls(world, 2)
    assert removals(world) == 1


def test_a_clock_that_is_ahead_lets_nothing_expire(world: World) -> None:
    world.advertise(1, ASAP, expires_at=world.clock.now() + timedelta(days=30))
    world.machine.clock.skew = timedelta(days=365)
    polls(world)
    assert removals(world) == 0


def test_one_poll_that_offers_it_again_begins_the_count_anew(world: World) -> None:
    held = world.advertisements[advertisement_id(1)]
    for _ in range(5):
        world.advertisements.pop(held.id)
        world.poll(HOUR + MINUTE)
        world.advertisements[held.id] = held
        world.poll(HOUR + MINUTE)
    assert removals(world) == 0


def test_what_comes_back_before_its_uninstall_began_stays(world: World) -> None:
    held = world.advertisements.pop(advertisement_id(1))
    world.script("busy", Script(seconds=36_000))
    world.package(world.program(1, "busy", max_run_seconds=72_000), package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))
    world.turn()
    for _ in range(3):
        world.poll(HOUR + MINUTE)
    assert world.told(StatusId.NOT_OFFERED_ANY_MORE)
    world.advertisements[held.id] = held
    polls(world, 12)
    assert removals(world) == 0


def test_what_another_program_needs_does_not_leave_before_it() -> None:
    world = World()
    needed: Program = world.program(1, "base", uninstall=REMOVE)
    world.package(needed, world.program(2, "setup", depends_on=key()))
    world.advertise(1, ASAP, program=key(number=2))
    world.settle()
    polls(world, 6)
    assert world.runs == ["base", "setup"]
    world.withdraw()
    polls(world)
    assert removals(world) == 1


def test_what_another_site_installed_is_none_of_this_ones_business(world: World) -> None:
    world.settings["site"] = SiteCode("S02")
    world.withdraw()
    polls(world, 6)
    assert removals(world) == 0


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_power_cut_in_between_uninstalls_to_the_end_once(world: World, cut: int) -> None:
    world.withdraw()
    for step in range(10):
        world.poll(HOUR + MINUTE)
        if step == cut // 2:
            world.machine.power_cut(seed=cut)
            world.machine.start()
    assert world.machine.programs.completed.count("remove") == 1
    assert not records.receipts(world.machine.state)


# --- what replaces it ---


def replacing(world: World, *, is_uninstalled: bool) -> None:
    other = world.program(1, "newer", supersedes=(Superseded(key=key(), is_uninstalled=is_uninstalled),))
    world.package(other, package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))


def test_a_replaced_program_is_held_and_told_once_and_not_uninstalled_by_being_replaced(world: World) -> None:
    world.advertise(1, ASAP, each_version=True)
    world.package(world.program(1, uninstall=REMOVE), version=2)
    replacing(world, is_uninstalled=False)
    polls(world, 5)
    assert world.runs == ["setup", "newer"]
    assert removals(world) == 0


def test_a_run_that_is_planned_of_a_replaced_program_is_held_until_the_other_is_gone() -> None:
    world = World()
    world.package()
    world.advertise(1, ASAP, available_from=START + HOUR)
    world.turn()
    replacing(world, is_uninstalled=False)
    world.settle()
    for _ in range(3):
        world.after(HOUR)
    assert world.runs == ["newer"]
    assert world.state_of() is JobState.NOT_OFFERED
    assert [message.text for message in world.told(StatusId.SUPERSEDED)] == ["superseded by S0100002/1"]
    world.withdraw(2)
    world.after(HOUR)
    assert world.runs == ["newer", "setup"]


def test_a_program_that_does_not_fit_this_machine_replaces_nothing() -> None:
    world = World()
    world.package()
    world.advertise(1, ASAP)
    other = world.program(1, "newer", platforms=("windows",), supersedes=(Superseded(key=key()),))
    world.package(other, package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))
    world.settle()
    assert world.runs == ["setup"]


def test_what_is_replaced_is_uninstalled_first_where_that_is_said(world: World) -> None:
    replacing(world, is_uninstalled=True)
    world.settle()
    polls(world)
    assert world.runs == ["setup", "remove", "newer"]


def test_two_programs_that_replace_each_other_both_run() -> None:
    world = World()
    world.package(world.program(1, supersedes=(Superseded(key=key(OTHER)),)))
    world.package(world.program(1, "newer", supersedes=(Superseded(key=key()),)), package=OTHER)
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(OTHER))
    world.settle()
    assert sorted(world.runs) == ["newer", "setup"]


def test_a_receipt_for_detection_alone_never_leads_to_an_uninstall() -> None:
    world = World()
    world.package(world.program(1, detection=FileRule(path="/opt/it")))
    world.advertise(1, ASAP)
    world.settle()
    world.withdraw()
    polls(world)
    assert world.runs == ["setup"]
