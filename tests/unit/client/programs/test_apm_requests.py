"""What administrators and users ask for: runs called off, stopped, run again, run now or later, put off. Each answered once."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, World, advertisement_id, at, key
from purveyor.client.programs.memory.asks import AskKind, add_ask, asks
from purveyor.client.programs.wanted import requests
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.form import to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Assignment, AssignmentKind, RequestKind, Rerun, Window
from purveyor.wire.package_info import Conditions, Logon, RunAs, RunsFor
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

DAILY = Assignment(number=1, kind=AssignmentKind.RECURRENCE, at=(START + HOUR).replace(tzinfo=None), rule="FREQ=DAILY")
ANSWERS = {
    StatusId.CANCELLED,
    StatusId.STOPPED,
    StatusId.REQUEST_TOO_LATE,
    StatusId.REQUEST_REFUSED,
    StatusId.RUN_AGAIN_ACCEPTED,
}


@pytest.fixture
def world() -> World:
    return World()


def answers(world: World) -> list[StatusMessage]:
    return [message for message in world.messages if message.request]


def answered(world: World) -> list[tuple[StatusId, int]]:
    return [(message.id, message.request) for message in answers(world)]


# --- cancel ---


def test_a_run_that_has_not_begun_is_called_off_for_good(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.turn()
    world.request(1, RequestKind.CANCEL)
    world.turn()
    assert answered(world) == [(StatusId.CANCELLED, 1)]
    assert world.state_of() is JobState.REVOKED
    for _ in range(5):
        world.after(HOUR)
    assert world.runs == []
    assert len(answers(world)) == 1


def test_of_a_recurrence_only_the_next_time_is_called_off(world: World) -> None:
    world.package()
    world.advertise(1, DAILY)
    world.turn()
    world.request(1, RequestKind.CANCEL)
    world.after(2 * HOUR)
    assert world.runs == []
    world.after(24 * HOUR)
    assert world.runs == ["setup"]


def test_calling_off_one_advertisement_leaves_the_others_of_its_program(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.advertise(2, at(START + 2 * HOUR))
    world.turn()
    world.request(1, RequestKind.CANCEL, 1)
    world.after(90 * MINUTE)
    assert world.runs == []
    world.after(HOUR)
    assert world.runs == ["setup"]


def test_what_has_begun_is_too_late_to_be_called_off(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.script("setup", Script(seconds=3600))
    world.turn()
    world.request(1, RequestKind.CANCEL)
    world.after(MINUTE)
    assert answered(world) == [(StatusId.REQUEST_TOO_LATE, 1)]
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    world.request(2, RequestKind.CANCEL)
    world.after(MINUTE)
    assert answered(world)[1:] == [(StatusId.REQUEST_TOO_LATE, 2)]


def test_calling_off_what_was_never_planned_is_refused(world: World) -> None:
    world.package()
    world.advertise(1)
    world.request(1, RequestKind.CANCEL)
    world.turn()
    assert answered(world) == [(StatusId.REQUEST_REFUSED, 1)]


def test_a_run_of_every_user_is_called_off_for_each_of_them(world: World) -> None:
    world.package(world.program(1, runs_for=RunsFor.EVERY_USER, conditions=Conditions(logon=Logon.USER)))
    world.advertise(1, at(START + HOUR))
    for user in ("alice", "bob"):
        world.machine.people.log_on(user)
    world.turn()
    world.request(1, RequestKind.CANCEL)
    world.after(2 * HOUR)
    assert sorted(message.occurrence.partition("@")[0] for message in answers(world)) == ["S0120001.1!alice", "S0120001.1!bob"]
    assert world.runs == []


# --- stop ---


def test_a_run_is_asked_to_end_and_its_end_is_the_answer(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.script("setup", Script(seconds=36_000))
    world.turn()
    world.request(7, RequestKind.STOP)
    world.after(MINUTE)
    world.settle()
    assert answered(world) == [(StatusId.STOPPED, 7)]
    assert world.state_of() is JobState.FAILED
    world.after(HOUR)
    assert len(world.runs) == 1


def test_a_run_that_does_not_end_when_asked_is_ended_within_minutes(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.script("setup", Script(seconds=36_000, hangs=True))
    world.turn()
    world.after(50 * MINUTE)
    world.request(7, RequestKind.STOP)
    due = world.after(MINUTE)
    assert world.state_of() is JobState.RUNNING
    assert due is not None
    assert due <= world.machine.now() + requests.GRACE
    for _ in range(3):
        world.after(MINUTE)
    assert answered(world) == [(StatusId.STOPPED, 7)]


def test_what_does_not_run_cannot_be_stopped(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.request(1, RequestKind.STOP)
    world.turn()
    assert answered(world) == [(StatusId.REQUEST_REFUSED, 1)]
    world.clock.advance(HOUR)
    world.settle()
    world.request(2, RequestKind.STOP)
    world.turn()
    assert answered(world)[1:] == [(StatusId.REQUEST_TOO_LATE, 2)]


# --- run again ---


def test_a_finished_program_is_run_again_once_as_asked(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.request(3, RequestKind.RUN_AGAIN)
    world.settle()
    for _ in range(3):
        world.after(HOUR)
    assert world.runs == ["setup", "setup"]
    assert answered(world) == [(StatusId.RUN_AGAIN_ACCEPTED, 3)]
    assert world.job().occurrence.startswith("S0120001.R3@")
    assert asks(world.machine.state) == []


@pytest.mark.parametrize("rerun", Rerun)
def test_a_request_to_run_again_goes_before_whatever_the_advertisement_says(world: World, rerun: Rerun) -> None:
    world.package()
    world.advertise(1, ASAP, rerun=rerun)
    world.settle()
    world.request(1, RequestKind.RUN_AGAIN)
    world.settle()
    assert len(world.runs) == 2


def test_a_request_for_those_that_failed_runs_nothing_where_it_succeeded(world: World) -> None:
    world.package(world.program(), world.program(2, "broken"))
    world.script("broken", Script(exit_code=1), Script())
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    world.request(1, RequestKind.RUN_AGAIN, 1, only_failed=True)
    world.request(2, RequestKind.RUN_AGAIN, 2, only_failed=True)
    world.settle()
    world.after(HOUR)
    assert world.runs == ["setup", "broken", "broken"]
    assert answered(world) == [(StatusId.RUN_AGAIN_ACCEPTED, 2)]


def test_a_request_during_a_run_makes_one_more_after_it(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.script("setup", Script(seconds=600))
    world.turn()
    world.request(1, RequestKind.RUN_AGAIN)
    world.settle()
    assert len(world.runs) == 2


@pytest.mark.parametrize("why", ["paused", "disabled", "platform", "withdrawn", "expired"])
def test_what_may_not_run_now_is_not_run_again_and_the_answer_says_why(world: World, why: str) -> None:
    world.package(world.program(1, platforms=("windows",) if why == "platform" else ()))
    world.advertise(1, ASAP, is_paused=why == "paused", expires_at=START if why == "expired" else None)
    world.request(1, RequestKind.RUN_AGAIN)
    if why == "disabled":
        world.disabled.add(key())
    if why == "withdrawn":
        world.withdraw()
    world.after(MINUTE)
    assert answered(world) == [(StatusId.REQUEST_REFUSED, 1)]
    assert world.runs == []


def test_for_a_program_of_every_user_each_who_is_there_runs_it_again(world: World) -> None:
    world.package(world.program(1, runs_for=RunsFor.EVERY_USER, conditions=Conditions(logon=Logon.USER), run_as=RunAs.USER))
    world.advertise(1, ASAP)
    for user in ("alice", "bob"):
        world.machine.people.log_on(user)
    world.settle()
    world.request(1, RequestKind.RUN_AGAIN)
    world.settle()
    world.machine.people.log_off("bob")
    world.after(HOUR)
    assert sorted(launch.run_as for launch in world.machine.programs.launches) == ["alice", "alice", "bob", "bob"]
    world.after(48 * HOUR)
    assert asks(world.machine.state) == []


# --- all of them ---


def test_nothing_is_acted_on_while_the_policy_is_stale(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.turn()
    world.is_fresh = False
    world.request(1, RequestKind.CANCEL)
    world.after(MINUTE)
    assert answers(world) == []
    world.is_fresh = True
    world.after(MINUTE)
    assert answered(world) == [(StatusId.CANCELLED, 1)]


def test_a_request_waits_while_not_everything_that_may_explain_it_was_read(world: World) -> None:
    world.package()
    advertisement = world.advertise(1, ASAP)
    world.settle()
    held = world.advertisements.pop(advertisement)
    world.is_complete = False
    world.request(1, RequestKind.RUN_AGAIN)
    world.after(MINUTE)
    assert answers(world) == []
    world.advertisements[advertisement], world.is_complete = held, True
    world.settle()
    assert answered(world) == [(StatusId.RUN_AGAIN_ACCEPTED, 1)]
    assert len(world.runs) == 2


def test_a_site_that_was_restored_may_give_a_number_again(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.request(1, RequestKind.RUN_AGAIN)
    world.settle()
    world.requests.clear()
    world.clock.advance(HOUR)
    world.request(1, RequestKind.RUN_AGAIN)
    world.settle()
    assert len(world.runs) == 3


def test_what_was_answered_is_remembered_within_bounds(world: World) -> None:
    world.package()
    world.advertise(1)
    for number in range(1, 2501):
        world.requests = world.requests[-50:]
        world.request(number, RequestKind.CANCEL)
        if number % 50 == 0:
            world.turn()
    assert len(answers(world)) == 2500
    assert len(world.machine.state.fact("requests answered")) < 100 * (requests.LIMIT + 100)
    world.turn()
    assert len(answers(world)) == 2500


@pytest.mark.parametrize("kind", list(RequestKind))
def test_a_power_cut_at_any_commit_answers_a_request_once(kind: RequestKind) -> None:
    for cut in range(1, 12):
        world = World()
        world.package()
        world.advertise(1, at(START + 2 * HOUR) if kind is RequestKind.CANCEL else ASAP)
        world.script("setup", Script(seconds=36_000 if kind is RequestKind.STOP else 60), Script())
        if kind is RequestKind.RUN_AGAIN:
            world.settle()
        else:
            world.turn()
        world.request(1, kind)
        for step in range(3):
            world.after(2 * MINUTE)
            if step == 0 and cut % 2:
                world.machine.power_cut(seed=cut)
                world.machine.start()
        for _ in range(3):
            world.after(2 * MINUTE)
        assert len([message for message in answers(world) if message.id in ANSWERS]) <= 1
        assert len(world.runs) == {RequestKind.CANCEL: 0, RequestKind.STOP: 1, RequestKind.RUN_AGAIN: 2}[kind]


# --- what users ask for ---


def test_a_user_runs_an_optional_program_now_and_the_site_hears_who_asked(world: World) -> None:
    world.package()
    world.advertise(1)
    world.settle()
    assert world.runs == []
    world.ask("alice")
    world.settle()
    world.after(HOUR)
    assert world.runs == ["setup"]
    (told,) = world.told(StatusId.ASKED_BY_USER)
    assert told.user == "alice"
    assert asks(world.machine.state) == []


def test_q226853_a_program_is_run_at_the_time_that_a_user_chose_whatever_event_it_is_assigned_to(world: World) -> None:
    world.package()
    world.advertise(1, Assignment(number=1, kind=AssignmentKind.LOGON), is_visible=True)
    world.ask("alice", after=5 * HOUR)
    world.settle()
    world.after(4 * HOUR)
    assert world.runs == []
    world.after(HOUR)
    assert world.runs == ["setup"]


def test_a_program_that_has_succeeded_runs_again_when_a_user_asks_for_it(world: World) -> None:
    world.package()
    world.advertise(1, ASAP, is_visible=True, rerun=Rerun.NEVER)
    world.settle()
    world.ask("alice")
    world.settle()
    assert len(world.runs) == 2


def test_what_is_not_shown_to_a_user_is_not_run_for_them(world: World) -> None:
    world.package(world.program(), world.program(2, "mine"), package=OTHER)
    world.advertise(1, at(START + 100 * HOUR), program=key(OTHER))
    world.advertise(2, users=("bob",), program=key(OTHER, 2))
    world.ask("alice", program=key(OTHER))
    world.ask("alice", program=key(OTHER, 2))
    world.settle()
    assert world.runs == []
    assert asks(world.machine.state) == []


def test_what_a_user_asks_for_waits_for_no_maintenance_window(world: World) -> None:
    world.windows.append(Window(number=1, start=(START + 50 * HOUR).replace(tzinfo=None), duration_seconds=7200))
    world.package()
    world.advertise(1, ASAP, is_visible=True)
    world.settle()
    assert world.runs == []
    world.ask("alice")
    world.settle()
    assert world.runs == ["setup"]
    world.after(51 * HOUR)
    assert world.runs == ["setup"]


def test_a_wish_that_cannot_be_read_stands_in_nobodys_way(world: World) -> None:
    world.machine.state.connection.execute("insert into ask (content) values (?)", (b"{broken",))
    world.package()
    world.advertise(1)
    world.ask("alice")
    world.settle()
    assert world.runs == ["setup"]


def test_a_paused_program_keeps_what_was_asked_for_until_it_goes_on(world: World) -> None:
    world.package()
    world.advertise(1, is_paused=True)
    world.ask("alice")
    world.settle()
    assert world.runs == []
    world.advertise(1)
    world.settle()
    assert world.runs == ["setup"]


# --- putting off ---


def postponable(world: World, seconds: int = 4 * 3600) -> None:
    world.package()
    world.advertise(1, at(START + HOUR), postpone_seconds=seconds)
    world.turn()


def test_a_user_puts_a_run_off_and_it_comes_when_they_said(world: World) -> None:
    postponable(world)
    world.ask("alice", AskKind.POSTPONE, after=3 * HOUR)
    world.after(MINUTE)
    assert world.state_of() is JobState.POSTPONED
    (told,) = world.told(StatusId.POSTPONED)
    assert told.user == "alice"
    due = world.after(HOUR)
    assert due == START + 3 * HOUR
    assert world.runs == []
    world.after(2 * HOUR)
    assert world.runs == ["setup"]


def test_a_run_is_put_off_no_longer_than_its_advertisement_allows(world: World) -> None:
    postponable(world, seconds=7200)
    world.ask("alice", AskKind.POSTPONE, after=1000 * HOUR)
    world.after(MINUTE)
    assert world.job().postponed_until == START + 3 * HOUR
    world.after(2 * HOUR)
    world.ask("alice", AskKind.POSTPONE, after=1000 * HOUR)
    world.after(59 * MINUTE)
    assert world.runs == ["setup"]


def test_a_run_that_may_not_be_put_off_is_not(world: World) -> None:
    postponable(world, seconds=0)
    world.ask("alice", AskKind.POSTPONE, after=3 * HOUR)
    world.after(HOUR)
    assert world.runs == ["setup"]
    assert not world.told(StatusId.POSTPONED)


def test_a_run_that_was_put_off_and_taken_back_for_a_while_is_still_put_off(world: World) -> None:
    postponable(world)
    world.ask("alice", AskKind.POSTPONE, after=4 * HOUR)
    world.after(MINUTE)
    held = world.advertisements.pop(advertisement_id(1))
    world.after(MINUTE)
    assert world.state_of() is JobState.NOT_OFFERED
    world.advertisements[held.id] = held
    world.after(2 * HOUR)
    assert world.runs == []
    world.after(2 * HOUR)
    assert world.runs == ["setup"]


def test_a_run_that_was_put_off_goes_on_when_somebody_asks_for_it(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR), postpone_seconds=4 * 3600, is_visible=True)
    world.turn()
    world.ask("alice", AskKind.POSTPONE, after=4 * HOUR)
    world.after(MINUTE)
    world.ask("alice")
    world.settle()
    assert world.runs == ["setup"]


def test_what_may_not_be_put_off_and_comes_later_is_not_held_back_by_what_was_put_off(world: World) -> None:
    postponable(world, seconds=24 * 3600)
    world.ask("alice", AskKind.POSTPONE, after=20 * HOUR)
    world.after(MINUTE)
    world.advertise(2, at(START + 3 * HOUR))
    assert world.after(HOUR) == START + 3 * HOUR
    world.after(2 * HOUR)
    assert world.runs == ["setup"]


def test_a_run_put_off_by_a_clock_that_was_a_year_ahead_comes_when_the_clock_is_right_again(world: World) -> None:
    world.package()
    world.advertise(1, DAILY, postpone_seconds=4 * 3600)
    world.poll(MINUTE)
    world.machine.clock.skew = timedelta(days=365, hours=2)
    world.ask("alice", AskKind.POSTPONE, after=4 * HOUR)
    world.poll(MINUTE)
    assert world.state_of() is JobState.POSTPONED
    world.machine.clock.skew = timedelta(0)
    for _ in range(4):
        world.poll(timedelta(days=1))
    assert len(world.runs) >= 3


def test_what_people_ask_is_bounded(world: World) -> None:
    for _ in range(1100):
        world.ask("alice", after=timedelta(days=9))
    assert len(asks(world.machine.state)) == 1000
    wish = asks(world.machine.state)[0]
    assert add_ask(world.machine.state, wish) == 1101
    assert to_bytes(wish)
