"""For whom programs run: the machine, the first user, every user, the users and groups that are named; and logons and logoffs."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, World, key
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Errand
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Assignment, AssignmentKind, Rerun
from purveyor.wire.package_info import Conditions, Logon, Program, RunAs, RunsFor
from purveyor.wire.status_messages import StatusId

LOGON = Assignment(number=1, kind=AssignmentKind.LOGON)
LOGOFF = Assignment(number=1, kind=AssignmentKind.LOGOFF)
STARTUP = Assignment(number=1, kind=AssignmentKind.STARTUP)
DAILY = Assignment(number=1, kind=AssignmentKind.RECURRENCE, at=(START + HOUR).replace(tzinfo=None), rule="FREQ=DAILY")
IN_SESSION = Conditions(logon=Logon.USER)


@pytest.fixture
def world() -> World:
    return World()


def for_every_user(world: World) -> Program:
    return world.program(1, runs_for=RunsFor.EVERY_USER, conditions=IN_SESSION, run_as=RunAs.USER)


def users_of(world: World) -> list[str]:
    return [launch.run_as for launch in world.machine.programs.launches]


# --- every user ---


def test_a_program_for_every_user_runs_once_for_each_who_logs_on(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == []
    for user in ("alice", "bob", "alice"):
        world.machine.people.log_on(user)
        world.settle()
    assert users_of(world) == ["alice", "bob"]
    assert sorted(job.occurrence.partition("@")[0] for job in world.jobs) == ["S0120001.1!alice", "S0120001.1!bob"]


def test_the_site_hears_of_an_advertisement_though_nobody_is_logged_on(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP)
    world.turn()
    (told,) = world.told(StatusId.ADVERTISEMENT_RECEIVED)
    assert "logs on" in told.text
    world.after(HOUR)
    assert len(world.told(StatusId.ADVERTISEMENT_RECEIVED)) == 1


def test_q263372_a_recurring_program_runs_once_a_user_and_time_however_many_users_there_were(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, DAILY)
    for user in ("alice", "bob", "carol", "dave"):
        world.machine.people.log_on(user)
        world.clock.advance(24 * HOUR)
        world.settle()
        world.machine.people.log_off(user)
    world.machine.people.log_on("alice")
    world.machine.people.log_on("erin")
    before = len(world.runs)
    world.clock.advance(24 * HOUR)
    for _ in range(5):
        world.settle()
    assert users_of(world)[before:] == ["alice", "erin"]


def test_q263387_a_program_that_becomes_one_for_every_user_is_run_only_for_those_without_a_success(world: World) -> None:
    world.package(world.program(1, conditions=IN_SESSION, run_as=RunAs.USER))
    world.advertise(1, ASAP)
    world.machine.people.log_on("alice")
    world.settle()
    world.package(for_every_user(world))
    world.machine.people.log_on("bob")
    world.settle()
    assert users_of(world) == ["alice", "bob"]
    world.package(world.program(1, conditions=IN_SESSION, run_as=RunAs.USER))
    world.machine.people.log_on("carol")
    world.settle()
    assert users_of(world) == ["alice", "bob"]


def test_q321168_a_user_who_was_away_for_a_month_comes_back_to_a_finished_program(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP)
    world.machine.people.log_on("alice")
    world.settle()
    world.machine.people.log_off("alice")
    for _ in range(30):
        world.poll(24 * HOUR)
    world.machine.people.log_on("alice")
    world.settle()
    assert users_of(world) == ["alice"]


def test_a_run_that_waits_for_a_user_is_held_as_it_is_while_they_are_away(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP, available_from=START + HOUR)
    world.machine.people.log_on("alice")
    world.turn()
    before = world.job()
    world.machine.people.log_off("alice")
    world.after(2 * HOUR)
    world.after(48 * HOUR)
    held = world.job()
    assert (held.occurrence, held.is_open, held.text) == (before.occurrence, True, "waits: alice is not logged on")
    assert not world.told(StatusId.NOT_OFFERED)
    world.machine.people.log_on("alice")
    world.settle()
    assert users_of(world) == ["alice"]


def test_a_run_that_waits_for_a_user_who_is_away_is_not_offered_any_more_once_it_is_withdrawn(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP, available_from=START + HOUR)
    world.machine.people.log_on("alice")
    world.turn()
    world.machine.people.log_off("alice")
    world.withdraw()
    world.after(MINUTE)
    assert world.state_of() is JobState.NOT_OFFERED


def test_nothing_is_concluded_while_nobody_can_tell_who_is_logged_on(world: World) -> None:
    world.package(for_every_user(world), world.program(2, "tidy"))
    world.advertise(1, ASAP, available_from=START + HOUR)
    world.advertise(2, LOGOFF, program=key(number=2))
    world.machine.people.log_on("alice")
    world.turn()
    world.machine.people.cannot_be_told = True
    world.after(2 * HOUR)
    world.after(HOUR)
    assert world.runs == []
    assert not world.told(StatusId.NOT_OFFERED)
    world.machine.people.cannot_be_told = False
    world.settle()
    assert world.runs == ["setup"]


# --- the users and groups that are named ---


def test_q235820_what_is_for_certain_users_runs_in_their_sessions_alone_whatever_else_the_program_says(world: World) -> None:
    world.package(world.program(1, conditions=IN_SESSION, run_as=RunAs.USER))
    world.advertise(1, ASAP, users=("bob",))
    world.machine.people.log_on("alice")
    world.settle()
    world.after(HOUR)
    assert world.runs == []
    world.machine.people.log_on("bob")
    world.settle()
    assert users_of(world) == ["bob"]


def test_a_program_of_the_system_that_is_for_certain_users_waits_until_one_of_them_is_there(world: World) -> None:
    world.package()
    world.advertise(1, ASAP, users=("bob",))
    world.machine.people.log_on("alice")
    world.after(HOUR)
    assert world.runs == []
    world.machine.people.log_on("bob")
    world.settle()
    assert world.runs == ["setup"]
    assert world.told(StatusId.PROGRAM_STARTED)[0].user == "bob"


@pytest.mark.parametrize(
    ("user", "groups", "is_meant"),
    [
        ("CORP\\alice", (), True),
        ("corp\\ALICE", (), True),
        ("alice", (), False),
        ("OTHER\\alice", (), False),
        ("carol", ("CORP\\staff",), True),
        ("carol", ("staff",), False),
    ],
)
def test_q235740_users_and_groups_are_compared_with_their_own_domains(
    world: World, user: str, groups: tuple[str, ...], is_meant: bool
) -> None:
    world.package()
    world.advertise(1, ASAP, users=("CORP\\alice",), groups=("CORP\\staff",))
    world.machine.people.log_on(user, groups)
    world.settle()
    assert bool(world.runs) is is_meant


def test_what_is_for_the_first_of_certain_users_runs_once_for_one_of_them(world: World) -> None:
    world.package(world.program(1, conditions=IN_SESSION, run_as=RunAs.USER))
    world.advertise(1, ASAP, users=("alice", "bob"))
    world.machine.people.log_on("bob")
    world.machine.people.log_on("alice")
    world.settle()
    world.after(HOUR)
    assert users_of(world) == ["bob"]
    assert len(world.jobs) == 1


def test_what_is_for_every_user_of_a_group_runs_for_each_of_them_alone(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP, groups=("staff",))
    for user, groups in [("alice", ("staff",)), ("bob", ()), ("carol", ("staff", "admins"))]:
        world.machine.people.log_on(user, groups)
    world.settle()
    assert sorted(users_of(world)) == ["alice", "carol"]


# --- logons, logoffs, starts ---


def test_a_program_for_logons_runs_at_each_of_them_once(world: World) -> None:
    world.package()
    world.advertise(1, LOGON)
    world.settle()
    assert world.runs == []
    for count in (1, 2, 3):
        world.machine.people.log_on("alice")
        world.settle()
        world.after(HOUR)
        world.machine.people.log_off("alice")
        world.after(MINUTE)
        assert len(world.runs) == count
    assert not world.told(StatusId.NOT_OFFERED)


def test_q293487_a_logon_counts_though_the_policy_is_read_only_afterwards(world: World) -> None:
    world.machine.people.log_on("alice")
    world.turn()
    world.clock.advance(HOUR)
    world.package()
    world.advertise(1, LOGON, available_from=START - HOUR)
    world.settle()
    assert world.runs == ["setup"]


def test_a_logon_from_before_the_advertisement_counts_for_nothing(world: World) -> None:
    world.machine.people.log_on("alice")
    world.clock.advance(HOUR)
    world.package()
    world.advertise(1, LOGON, available_from=world.clock.now())
    world.settle()
    assert world.runs == []


def test_each_user_has_a_logon_of_their_own(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, LOGON)
    for user in ("alice", "bob"):
        world.machine.people.log_on(user)
        world.settle()
    world.machine.people.log_off("alice")
    world.after(MINUTE)
    world.machine.people.log_on("alice")
    world.settle()
    assert users_of(world) == ["alice", "bob", "alice"]


def test_a_program_for_logoffs_runs_once_a_session_that_was_seen_and_is_gone(world: World) -> None:
    world.package()
    world.advertise(1, LOGOFF)
    world.machine.people.log_on("alice")
    world.settle()
    assert world.runs == []
    world.machine.people.log_off("alice")
    world.settle()
    world.after(HOUR)
    assert world.runs == ["setup"]


def test_a_program_for_starts_of_the_machine_runs_once_a_start(world: World) -> None:
    world.package()
    world.advertise(1, STARTUP, available_from=START + MINUTE)
    world.settle()
    world.after(HOUR)
    assert world.runs == []
    for count in (1, 2, 3):
        world.clock.advance(HOUR)
        world.machine.power_cut()
        world.machine.start()
        world.settle()
        world.after(HOUR)
        assert len(world.runs) == count


def test_an_installation_at_logon_can_be_told_to_end_with_its_first_success(world: World) -> None:
    world.package()
    world.advertise(1, LOGON, rerun=Rerun.IF_FAILED)
    world.script("setup", Script(exit_code=1), Script())
    for _ in range(4):
        world.machine.people.log_on("alice")
        world.settle()
        world.machine.people.log_off("alice")
        world.after(MINUTE)
    assert len(world.runs) == 2


def test_a_clock_that_jumps_a_year_back_and_forth_repeats_no_logon(world: World) -> None:
    world.package()
    world.advertise(1, LOGON, available_from=START - 800 * 24 * HOUR)
    world.machine.people.log_on("alice")
    world.settle()
    for skew in (-365, 0, 365, 0):
        world.machine.clock.skew = timedelta(days=skew)
        world.settle()
        world.after(HOUR)
    assert world.runs == ["setup"]


# --- what is remembered ---


def test_what_is_seen_of_sessions_is_bounded(world: World) -> None:
    world.package()
    world.advertise(1, LOGON, rerun=Rerun.NEVER)
    for _ in range(300):
        world.machine.people.log_on("alice")
        world.after(MINUTE)
        world.machine.people.log_off("alice")
        world.after(MINUTE)
    assert len(world.machine.state.fact("happenings")) < 10_000
    assert len(world.history().started) == 1


def test_the_user_of_a_run_is_told_and_remembered(world: World) -> None:
    world.package(for_every_user(world))
    world.advertise(1, ASAP)
    world.machine.people.log_on("CORP\\alice")
    world.settle()
    assert world.told(StatusId.SUCCEEDED_BY_EXIT_CODE)[0].user == "CORP\\alice"
    history = records.history_of(world.machine.state, key())
    assert list(history.by_user) == ["corp\\alice"]
    assert world.job().errand == Errand(key(), "corp\\alice")
