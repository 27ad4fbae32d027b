"""What holds a run back right before its launch, how it is told, and when it is looked at again."""

from datetime import datetime, timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, PACKAGE, World, at, key
from purveyor.client.programs.memory.job import Job
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Priority, Rerun, Window
from purveyor.wire.package_info import Command, Conditions, FileRule, Logon, RunAs, Superseded, Uninstall
from purveyor.wire.schedule import Zone
from purveyor.wire.status_messages import StatusId

WITH_USER = Conditions(logon=Logon.USER)
WITH_NOBODY = Conditions(logon=Logon.NONE)
SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> World:
    return World()


def offered(world: World, conditions: Conditions, **changes: object) -> None:
    world.package(world.program(1, conditions=conditions, **changes))
    world.advertise(1, ASAP)


def waits_for(world: World) -> list[str]:
    return [message.text for message in world.told(StatusId.JOB_WAITING)]


# --- who is logged on ---


@pytest.mark.parametrize("run_as", RunAs)
def test_q263369_a_program_for_logged_on_users_never_starts_without_one(world: World, run_as: RunAs) -> None:
    offered(world, WITH_USER, run_as=run_as)
    for _ in range(30):
        world.after(10 * MINUTE)
    assert world.runs == []
    world.machine.people.log_on("alice")
    world.settle()
    assert world.runs == ["setup"]
    assert world.state_of() is JobState.SUCCEEDED


def test_a_program_with_a_users_rights_needs_a_user_whatever_its_condition_says(world: World) -> None:
    offered(world, Conditions(logon=Logon.ANY), run_as=RunAs.USER)
    world.after(HOUR)
    assert world.runs == []
    assert waits_for(world) == ["waits: no user is logged on"]


def test_q240921_whoever_waits_is_looked_at_once_an_interval_and_told_of_once(world: World) -> None:
    offered(world, WITH_USER)
    world.settings["condition_interval_seconds"] = 300
    due = world.turn()
    for _ in range(50):
        assert due == world.machine.now() + timedelta(seconds=300)
        due = world.after(timedelta(seconds=300))
    assert waits_for(world) == ["waits: no user is logged on"]
    assert world.content.fetches == []
    assert world.job().failures == 0


def test_q265270_whoever_is_logged_on_already_needs_no_new_logon(world: World) -> None:
    world.machine.people.log_on("alice")
    world.clock.advance(HOUR)
    offered(world, WITH_USER)
    world.settle()
    assert world.runs == ["setup"]


def test_a_locked_screen_is_still_somebody_who_is_logged_on(world: World) -> None:
    world.machine.people.log_on("alice")
    world.machine.people.lock("alice")
    offered(world, WITH_NOBODY)
    world.turn()
    assert world.runs == []
    assert waits_for(world) == ["waits: somebody is logged on (alice), and it runs only while nobody is"]
    world.machine.people.log_off("alice")
    world.after(MINUTE)
    assert world.runs == ["setup"]


def test_q297522_the_condition_is_tested_before_each_program_of_a_batch(world: World) -> None:
    world.package(
        world.program(1, "first", conditions=WITH_NOBODY),
        world.program(2, "second", conditions=WITH_NOBODY),
        world.program(3, "third"),
    )
    for number in (1, 2, 3):
        world.advertise(number, ASAP, program=key(number=number))
    world.turn()
    assert world.runs == ["first"]
    world.machine.people.log_on("alice")
    world.settle()
    assert world.runs == ["first", "third"]
    assert world.state_of(key(number=2)) is JobState.READY


def test_q297522_nothing_starts_while_the_machine_goes_down(world: World) -> None:
    world.machine.is_going_down = True
    offered(world, Conditions())
    for _ in range(5):
        world.after(MINUTE)
    assert world.runs == []
    world.machine.restart_now()
    world.settle()
    assert world.runs == ["setup"]


def test_where_nobody_can_tell_who_is_logged_on_only_programs_that_ask_for_it_wait(world: World) -> None:
    world.machine.people.cannot_be_told = True
    world.package(world.program(1, conditions=WITH_USER), world.program(2, "quiet"), world.program(3, conditions=WITH_NOBODY))
    for number in (1, 2, 3):
        world.advertise(number, ASAP, program=key(number=number))
    for _ in range(3):
        world.after(2 * MINUTE)
    assert world.runs == ["quiet"]
    assert set(waits_for(world)) == {"waits: it cannot be told who is logged on"}


# --- power, network, room ---


def test_a_battery_or_a_network_that_costs_holds_back_only_what_says_so(world: World) -> None:
    world.package(
        world.program(1, "heavy", conditions=Conditions(needs_mains=True)),
        world.program(2, "large", conditions=Conditions(needs_unmetered=True)),
        world.program(3, "light"),
    )
    for number in (1, 2, 3):
        world.advertise(number, ASAP, program=key(number=number))
    world.machine.is_on_mains, world.machine.is_metered = False, True
    for _ in range(3):
        world.after(2 * MINUTE)
    assert world.runs == ["light"]
    world.machine.is_on_mains, world.machine.is_metered = None, None
    world.settle()
    assert sorted(world.runs) == ["heavy", "large", "light"]


def test_content_does_not_come_over_a_network_that_costs_where_the_program_says_so(world: World) -> None:
    world.package(world.program(1, conditions=Conditions(needs_unmetered=True)), manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.machine.is_metered = True
    due = world.turn()
    world.after(10 * MINUTE)
    assert world.content.fetches == []
    assert due == START + MINUTE
    assert waits_for(world) == ["waits: the network costs by volume"]
    world.machine.is_metered = False
    world.settle()
    assert world.runs == ["setup"]


def test_room_on_the_disk_is_tested_before_the_launch(world: World) -> None:
    world.machine.disk.capacity_bytes = 10_000
    offered(world, Conditions(min_free_bytes=20_000))
    world.after(10 * MINUTE)
    assert world.runs == []
    assert waits_for(world) == ["waits: not enough space, as 20000 bytes have to be free"]
    world.machine.disk.capacity_bytes = 30_000
    world.settle()
    assert world.runs == ["setup"]


def test_a_user_who_comes_and_goes_while_the_cable_is_missed_tells_nothing_new(world: World) -> None:
    offered(world, Conditions(logon=Logon.USER, needs_mains=True))
    world.machine.is_on_mains = False
    for _ in range(10):
        world.machine.people.log_on("alice")
        world.after(5 * MINUTE)
        world.machine.people.log_off("alice")
        world.after(5 * MINUTE)
    assert waits_for(world) == ["waits: the machine runs on its battery"]


# --- windows ---


def window(hour: int, hours: float = 2, rule: str = "FREQ=DAILY", **changes: object) -> Window:
    start = START.replace(tzinfo=None, hour=hour, minute=0, second=0) - timedelta(days=10)
    made = {"number": 1, "start": start, "duration_seconds": int(hours * 3600), "zone": Zone.UTC, "rule": rule}
    return Window(**(made | changes))  # type: ignore[arg-type]


def opening(world: World, hour: int) -> datetime:
    """The next time at which it is this hour."""
    found = world.machine.now().replace(hour=hour, minute=0, second=0, microsecond=0)
    return found if found > world.machine.now() else found + timedelta(days=1)


def later_hour() -> int:
    return (START + 3 * HOUR).hour


def test_a_mandatory_run_waits_for_its_window_and_is_asked_for_at_the_opening_alone(world: World) -> None:
    world.windows = [window(later_hour())]
    offered(world, Conditions())
    opens_at = opening(world, later_hour())
    assert world.turn() == opens_at
    assert world.runs == []
    assert len(waits_for(world)) == 1
    world.after(opens_at - world.machine.now())
    assert world.runs == ["setup"]


def test_what_is_left_of_a_window_has_to_be_enough_for_the_program(world: World) -> None:
    world.windows = [window((START - HOUR).hour)]
    world.clock.advance(timedelta(minutes=30))
    offered(world, Conditions(), max_run_seconds=3600)
    opens_at = opening(world, (START - HOUR).hour)
    assert world.turn() == opens_at
    assert world.runs == []
    world.after(opens_at - world.machine.now())
    assert world.runs == ["setup"]


def test_two_windows_that_follow_on_each_other_are_not_let_go_by_for_a_longer_one_after_them(world: World) -> None:
    following = [window(later_hour()), window(later_hour() + 2, number=2)]
    world.windows = [*following, window(0, hours=24, rule="FREQ=WEEKLY", number=3)]
    offered(world, Conditions(), max_run_seconds=3 * 3600)
    assert world.turn() == opening(world, later_hour())


def test_a_window_that_is_shorter_than_a_program_may_run_is_told_once_and_never_asked_for(world: World) -> None:
    world.windows = [window(later_hour(), hours=0.5)]
    offered(world, Conditions(), max_run_seconds=3600)
    assert world.turn() is None
    for _ in range(20):
        assert world.after(12 * HOUR) is None
    assert world.runs == []
    assert waits_for(world) == ["its maximum run time of 3600 seconds is longer than any maintenance window: it can never start"]


def test_a_window_that_never_opens_is_told_once(world: World) -> None:
    world.windows = [window(later_hour(), rule="")]
    offered(world, Conditions())
    for _ in range(5):
        assert world.after(24 * HOUR) is None
    assert world.runs == []
    assert waits_for(world) == ["no maintenance window of this machine opens within a year: it can never start"]


def test_an_emergency_ignores_windows(world: World) -> None:
    world.windows = [window(later_hour())]
    world.package()
    world.advertise(1, ASAP, ignores_windows=True)
    world.settle()
    assert world.runs == ["setup"]


def test_while_policy_cannot_be_read_in_full_the_windows_that_were_said_before_hold(world: World) -> None:
    world.windows = [window(later_hour())]
    offered(world, Conditions())
    world.turn()
    world.windows, world.is_complete = [], False
    world.after(MINUTE)
    assert world.runs == []
    world.is_complete = True
    world.settle()
    assert world.runs == ["setup"]


def test_windows_that_are_taken_away_hold_nothing_back(world: World) -> None:
    world.windows = [window(later_hour())]
    offered(world, Conditions())
    world.turn()
    world.windows = []
    world.settle()
    assert world.runs == ["setup"]


@pytest.mark.parametrize(("catch_up", "ran"), [(True, ["setup"]), (False, [])])
def test_what_a_machine_missed_while_it_was_off_is_caught_up_where_the_window_says_so(
    world: World, catch_up: bool, ran: list[str]
) -> None:
    world.windows = [window(later_hour(), catch_up=catch_up)]
    offered(world, Conditions())
    world.turn()
    world.machine.power_cut()
    world.clock.advance(8 * HOUR)
    world.machine.start()
    world.settle()
    assert world.runs == ran


def test_a_machine_that_was_on_in_the_window_has_missed_nothing(world: World) -> None:
    world.windows = [window(later_hour(), catch_up=True)]
    offered(world, WITH_USER)
    due = world.turn()
    assert due is not None
    while due is not None and due < START + 8 * HOUR:
        due = world.after(due - world.machine.now())
    world.clock.advance(START + 8 * HOUR - world.machine.now())
    world.machine.people.log_on("alice")
    world.after(MINUTE)
    assert world.runs == []


def test_what_came_due_after_the_missed_window_waits_for_the_next_one(world: World) -> None:
    world.windows = [window(later_hour(), catch_up=True)]
    world.package()
    world.advertise(1, at(START + 6 * HOUR))
    world.turn()
    world.machine.power_cut()
    world.clock.advance(8 * HOUR)
    world.machine.start()
    world.settle()
    assert world.runs == []


def test_a_window_that_is_new_to_this_machine_was_not_missed_by_it(world: World) -> None:
    world.windows = [window((START - 4 * HOUR).hour, catch_up=True)]
    world.package()
    world.advertise(1, ASAP, available_from=START - timedelta(days=30))
    world.settle()
    assert world.runs == []


# --- order ---


def test_what_is_more_urgent_goes_first_then_what_was_due_first(world: World) -> None:
    world.package(*(world.program(number, f"p{number}") for number in range(1, 6)))
    for number, priority in (
        (1, Priority.LOW),
        (2, Priority.NORMAL),
        (3, Priority.HIGH),
        (4, Priority.NORMAL),
        (5, Priority.HIGH),
    ):
        world.advertise(number, at(START + (10 - number) * MINUTE), program=key(number=number), priority=priority)
    world.clock.advance(HOUR)
    world.settle()
    assert world.runs == ["p5", "p3", "p4", "p2", "p1"]


def test_a_program_that_waits_holds_back_no_other(world: World) -> None:
    world.package(world.program(1, "waits", conditions=WITH_USER), world.program(2, "goes"))
    world.advertise(1, ASAP, priority=Priority.HIGH)
    world.advertise(2, ASAP, program=key(number=2), priority=Priority.LOW)
    world.turn()
    assert world.runs == ["goes"]


# --- content ahead of time ---


def test_content_of_what_is_due_soon_is_fetched_ahead_with_the_whole_chain(world: World) -> None:
    world.package(world.program(1), manifest="m1", package=OTHER)
    world.package(world.program(1, "second", depends_on=key(OTHER)), manifest="m2")
    world.supply("m1", setup=b"1")
    world.supply("m2", second=b"2")
    world.advertise(1, at(START + 5 * HOUR))
    world.turn()
    assert sorted(world.content.fetches) == ["m1", "m2"]
    assert world.runs == []
    world.points.clear()
    world.clock.advance(5 * HOUR)
    world.settle()
    assert world.runs == ["setup", "second"]


def test_content_is_not_fetched_before_its_time_nor_before_the_advertisement_is_available(world: World) -> None:
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, at(START + 72 * HOUR))
    due = world.turn()
    assert world.content.fetches == []
    assert due is not None
    assert START + 48 * HOUR <= due < START + 60 * HOUR
    world.after(due - world.machine.now())
    assert world.content.fetches == ["m1"]
    world.withdraw()
    world.package(manifest="m2", package=OTHER)
    world.supply("m2", setup=b"2")
    world.advertise(2, ASAP, program=key(OTHER), available_from=world.machine.now() + HOUR)
    world.turn()
    assert world.content.fetches == ["m1"]


def test_content_ahead_of_time_that_cannot_come_is_tried_again_after_growing_pauses(world: World) -> None:
    world.package(manifest="m1")
    world.points["m1"] = ("http://dp.example/dp",)
    world.advertise(1, at(START + 20 * HOUR))
    due = world.turn()
    for _ in range(200):
        if due is None or due > START + 19 * HOUR:
            break
        due = world.after(due - world.machine.now())
    assert len(world.content.fetches) < 12
    assert len(world.told(StatusId.DOWNLOAD_WAITING)) == 1


# --- what is there already ---


def drifting(world: World) -> None:
    world.script("setup", Script(installs=("/opt/thing",)))
    world.package(world.program(1, detection=FileRule(path="/opt/thing")))
    world.advertise(1, at(START), at(START + 24 * HOUR, 2), at(START + 48 * HOUR, 3), rerun=Rerun.ON_DRIFT)


def test_what_is_there_already_is_not_run_and_its_occurrence_counts_as_answered(world: World) -> None:
    drifting(world)
    world.machine.files["/opt/thing"] = b"from elsewhere"
    world.settle()
    assert world.runs == []
    assert len(world.told(StatusId.ALREADY_THERE)) == 1
    world.settle()
    world.after(HOUR)
    assert len(world.told(StatusId.ALREADY_THERE)) == 1


def test_what_has_drifted_is_told_and_run_again(world: World) -> None:
    drifting(world)
    world.settle()
    assert world.runs == ["setup"]
    world.clock.advance(24 * HOUR)
    world.settle()
    assert world.runs == ["setup"]
    del world.machine.files["/opt/thing"]
    world.clock.advance(24 * HOUR)
    world.settle()
    assert world.runs == ["setup", "setup"]
    assert [len(world.told(status)) for status in (StatusId.ALREADY_THERE, StatusId.DRIFTED)] == [1, 1]


def test_whether_it_was_there_before_is_a_fact_of_its_own(world: World) -> None:
    world.script("setup", Script(installs=("/opt/thing",)))
    world.package(world.program(1, detection=FileRule(path="/opt/thing")))
    world.advertise(1, ASAP)
    world.settle()
    job: Job = world.job()
    assert job.was_there is False
    assert world.told(StatusId.PROGRAM_STARTED)[0].text == "setup was started; what it installs was not there before"


# --- with a user's rights ---


def test_a_program_of_a_user_has_their_rights_home_and_folders(world: World) -> None:
    world.machine.people.log_on("alice")
    world.package(world.program(1, "setup $HOME $USER", run_as=RunAs.USER), manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.turn()
    launch = world.machine.programs.launches[0]
    assert launch.run_as == "alice"
    assert launch.command == "setup /home/alice alice"
    assert {name: launch.environment[name] for name in ("HOME", "USER", "LOGNAME", "PURVEYOR_USER")} == {
        "HOME": "/home/alice",
        "USER": "alice",
        "LOGNAME": "alice",
        "PURVEYOR_USER": "alice",
    }
    folder = f"runs/{launch.run}"
    assert world.machine.disk.owners == {f"{folder}/content": "alice", f"{folder}/scratch": "alice"}


def test_who_is_in_front_of_the_machine_goes_before_who_came_first(world: World) -> None:
    world.machine.people.log_on("alice")
    world.clock.advance(MINUTE)
    world.machine.people.log_on("bob")
    world.machine.people.lock("alice")
    offered(world, Conditions(), run_as=RunAs.USER)
    world.turn()
    assert world.machine.programs.launches[0].run_as == "bob"
    assert world.job().user == "bob"


def test_q235205_an_account_that_cannot_be_looked_up_is_another_thing_than_one_that_is_not_there(world: World) -> None:
    world.machine.people.log_on("CORP\\alice")
    world.machine.people.is_directory_away = True
    offered(world, Conditions(), run_as=RunAs.USER)
    world.turn()
    for _ in range(10):
        world.after(HOUR)
    assert waits_for(world) == [
        "waits: the account CORP\\alice cannot be looked up now: the directory that knows CORP\\alice cannot be reached"
    ]
    world.machine.people.is_directory_away = False
    world.machine.people.remove_account("CORP\\alice")
    world.after(12 * HOUR)
    assert [message.text for message in world.told(StatusId.PREPARATION_FAILED)] == [
        "there is no account CORP\\alice on this machine, with whose rights it is to run"
    ]
    world.machine.people.add_account("CORP\\alice")
    world.clock.advance(12 * HOUR)
    world.settle()
    assert world.runs == ["setup"]


def test_a_user_who_logs_off_in_the_middle_does_not_end_the_run(world: World) -> None:
    world.machine.people.log_on("alice")
    world.script("setup", Script(seconds=600))
    offered(world, WITH_USER, run_as=RunAs.USER)
    world.turn()
    world.clock.advance(MINUTE)
    world.machine.people.log_off("alice")
    world.turn()
    assert world.state_of() is JobState.RUNNING
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    assert world.runs == ["setup"]


def test_q235136_an_undefined_variable_is_named_for_users_as_for_the_system(world: World) -> None:
    world.machine.people.log_on("alice")
    world.package(world.program(1, "setup $NOWHERE", run_as=RunAs.USER), world.program(2, "other $NOWHERE"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.turn()
    assert [message.text.count("NOWHERE") > 0 for message in world.told(StatusId.PREPARATION_FAILED)] == [True, True]


def test_one_hundred_runs_leave_nothing_behind(world: World) -> None:  # Q294939
    world.machine.people.log_on("alice")
    world.package(*(world.program(number, run_as=RunAs.USER) for number in range(1, 101)), manifest="m1")
    world.supply("m1", setup=b"1")
    for number in range(1, 101):
        world.advertise(number, ASAP, program=key(number=number))
    world.settle(limit=300)
    assert len(world.runs) == 100
    assert world.machine.disk.names("runs") == []


def test_q271602_content_stays_during_the_whole_run_whatever_becomes_of_its_package(world: World) -> None:
    world.script("setup", Script(seconds=3600))
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.turn()
    folder = f"runs/{world.machine.programs.launches[0].run}/content"
    world.content.held.clear()
    world.package(manifest="m2", version=2)
    world.after(10 * MINUTE)
    world.delete_package()
    world.after(10 * MINUTE)
    assert world.machine.disk.read(f"{folder}/setup") == b"1"
    world.settle()
    assert world.machine.disk.names("runs") == []


# --- what comes together ---


def test_a_launch_that_fails_makes_nobody_forget_who_else_waits(world: World) -> None:
    world.package(world.program(1, "waits", conditions=WITH_USER), world.program(2, "broken $NOWHERE"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    assert world.turn() == START + MINUTE


def test_what_a_missed_window_brought_may_be_followed_by_its_restart(world: World) -> None:
    world.settings["may_restart"] = True
    world.windows = [window(later_hour(), catch_up=True)]
    world.script("setup", Script(exit_code=3010))
    offered(world, Conditions())
    world.turn()
    world.machine.power_cut()
    world.clock.advance(8 * HOUR)
    world.machine.start()
    world.settle()
    world.turn()
    assert world.runs == ["setup"]
    assert world.machine.is_restart_wanted


def test_what_the_site_removes_is_removed_in_a_window_too(world: World) -> None:
    remove = Uninstall(command=Command(argv=("remove",)))
    world.package(world.program(1, uninstall=remove))
    world.advertise(1, ASAP)
    world.settle()
    world.windows = [window(later_hour())]
    world.removals.add(PACKAGE)
    opens_at = opening(world, later_hour())
    assert world.turn() == opens_at
    assert world.runs == ["setup"]
    world.after(opens_at - world.machine.now())
    assert world.runs == ["setup", "remove"]


def replacing(world: World) -> None:
    """The old program has run; the new one, which replaces it, is offered too."""
    remove = Uninstall(command=Command(argv=("remove",)))
    world.package(world.program(1, "old", uninstall=remove))
    world.advertise(1, ASAP)
    world.settle()
    new = world.program(1, "new", supersedes=(Superseded(key=key(), is_uninstalled=True),))
    world.package(new, package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))


def test_what_a_program_replaces_is_uninstalled_before_it_runs(world: World) -> None:
    replacing(world)
    world.settle()
    assert world.runs == ["old", "remove", "new"]
    assert world.state_of(key(OTHER)) is JobState.SUCCEEDED


def test_where_the_uninstall_of_what_it_replaces_fails_for_good_a_program_fails_too(world: World) -> None:
    world.script("remove", Script(exit_code=9))
    replacing(world)
    due: datetime | None = world.turn()
    for _ in range(60):
        if not world.job(key(OTHER)).is_open:
            break
        world.clock.advance(HOUR)
        world.machine.programs.turn()
        due = world.turn()
    assert due is None or due > world.machine.now()
    assert "new" not in world.runs
    assert world.runs.count("remove") == 3
    assert world.state_of(key(OTHER)) is JobState.FAILED
    assert len(world.told(StatusId.DEPENDENCY_FAILED)) == 1


def test_thousands_of_windows_take_no_pass_for_minutes(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    rule, start = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", START.replace(tzinfo=None)
    world.windows += [Window(number=number, start=start + HOUR, duration_seconds=7200, rule=rule) for number in range(10_000)]
    world.after(MINUTE)
    assert world.runs == []
    assert [note for note in world.notes if "only the first 200" in note]
