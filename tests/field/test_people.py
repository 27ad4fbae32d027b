"""What went wrong for the people in front of machines: programs without them, for the wrong ones, notices of nothing."""

from datetime import timedelta
from pathlib import Path

import pytest

from field.words import told
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.sessions import sessions
from purveyor.lab.fleet import Fleet
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, collections, programs, settings, status
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Command, Conditions, Logon, OsPackageRule, RunAs, RunsFor, Uninstall
from purveyor.wire.status_messages import StatusId

POLL = timedelta(minutes=15)
NEEDS_USER = Conditions(logon=Logon.USER)
NEEDS_NOBODY = Conditions(logon=Logon.NONE)
CORP = "CORP\\alice"


def who_ran(machine: SimulatedMachine) -> list[str]:
    """With whose rights programs were started, in order."""
    return [launch.run_as for launch in machine.programs.launches]


@pytest.mark.parametrize("run_as", list(RunAs))
def test_q263369_q320459_a_program_for_logged_on_users_never_starts_without_one(run_as: RunAs) -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", conditions=NEEDS_USER, run_as=run_as
        )
        fleet.admin.advertise(program, is_visible=True)
        fleet.advance(hours=12)
        assert fleet.ran(client, "setup.exe") == 0
        client.machine.people.log_on("alice")
        fleet.advance(hours=1)
        assert fleet.ran(client, "setup.exe") == 1
        assert who_ran(client.machine) == ["alice" if run_as is RunAs.USER else ""]


def test_q240921_q259991_q320743_waiting_for_a_user_costs_a_look_an_interval_and_no_request_beyond_the_polls() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        fleet.advance(hours=6)
        before = len(fleet.cap.requests)
        fleet.advance(hours=24)
        usual = len(fleet.cap.requests) - before
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe", conditions=NEEDS_USER))
        fleet.advance(hours=6)
        before, passes = len(fleet.cap.requests), client.passes
        fleet.advance(hours=24)
        assert len(fleet.cap.requests) - before <= usual + 4
        assert client.passes - passes <= 24 * 60 + 48
        assert len(told(fleet, StatusId.JOB_WAITING)) == 1


def test_q257700_while_no_directory_can_be_reached_programs_for_machines_run_on_time() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        for client in fleet.clients:
            client.machine.people.log_on(CORP)
            client.machine.people.is_directory_away = True
        at = fleet.clock.now().replace(second=0, microsecond=0) + timedelta(hours=2)
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.exe")
        fleet.admin.advertise(program, assignments=[f"{at:%Y-%m-%dT%H:%M}Z"])
        fleet.advance(hours=3)
        for client in fleet.clients:
            (launch,) = client.machine.programs.launches
            assert timedelta(0) <= launch.at - at <= timedelta(minutes=2)


def test_q263372_a_recurring_program_for_every_user_runs_once_a_user_and_occurrence() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        people = client.machine.people
        fleet.script("profile.exe", Script(seconds=10))
        program = fleet.admin.add_program(
            fleet.admin.add_package("Profile"),
            "fit",
            "profile.exe",
            conditions=NEEDS_USER,
            run_as=RunAs.USER,
            runs_for=RunsFor.EVERY_USER,
        )
        for number in range(6):
            people.log_on(f"user{number}")
        start = fleet.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
        fleet.admin.advertise(program, assignments=[f"{start:%Y-%m-%dT%H:%M}Z FREQ=HOURLY;INTERVAL=6"])
        fleet.advance(hours=4)
        assert sorted(who_ran(client.machine)) == [f"user{number}" for number in range(6)]
        for number in range(2, 6):
            people.log_off(f"user{number}")
        fleet.advance(hours=6)
        assert sorted(who_ran(client.machine)[6:]) == ["user0", "user1"]
        fleet.advance(hours=6)
        assert sorted(who_ran(client.machine)[8:]) == ["user0", "user1"]


def test_q263387_from_first_user_to_every_user_it_runs_for_those_alone_who_do_not_have_it() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Profile"), "fit", "profile.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        client.machine.people.log_on("alice")
        fleet.admin.advertise(program)
        fleet.settle()
        client.machine.people.log_on("bob")
        fleet.settle()
        assert who_ran(client.machine) == ["alice"]
        fleet.admin.change(programs.edit, program, runs_for=RunsFor.EVERY_USER)
        fleet.settle()
        assert who_ran(client.machine) == ["alice", "bob"]
        fleet.admin.change(programs.edit, program, runs_for=RunsFor.FIRST_USER)
        fleet.settle()
        client.machine.people.log_on("carol")
        fleet.settle()
        assert who_ran(client.machine) == ["alice", "bob"]


def test_q321168_what_a_user_has_is_remembered_however_long_they_are_away() -> None:
    with Fleet(1, poll_interval=timedelta(hours=2)) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Profile"),
            "fit",
            "profile.exe",
            conditions=NEEDS_USER,
            run_as=RunAs.USER,
            runs_for=RunsFor.EVERY_USER,
        )
        fleet.admin.advertise(program, users=("alice",), groups=("staff",))
        client.machine.people.log_on("alice")
        client.machine.people.log_on("bob", groups=("staff",))
        client.machine.people.log_on("guest")
        fleet.settle()
        assert sorted(who_ran(client.machine)) == ["alice", "bob"]
        client.machine.people.log_all_off()
        fleet.advance(days=8)
        client.machine.restart_now()
        client.machine.people.log_on("alice")
        client.machine.people.log_on("bob", groups=("staff",))
        fleet.advance(hours=6)
        assert sorted(who_ran(client.machine)) == ["alice", "bob"]


@pytest.mark.parametrize("user", ["alice", "OTHER\\alice", "alice@corp.example", "bob"])
def test_q235740_a_user_is_known_by_the_whole_name_with_its_own_domain(user: str) -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        fleet.admin.advertise(program, users=(CORP,))
        client.machine.people.log_on(user)
        fleet.settle()
        assert who_ran(client.machine) == []
        client.machine.people.log_on("corp\\Alice")
        fleet.settle()
        assert who_ran(client.machine) == ["corp\\Alice"]


def test_q235820_a_program_for_some_users_is_run_for_nobody_else_even_if_it_is_for_the_first_one() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Payroll"), "install", "payroll.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        fleet.admin.advertise(program, groups=("CORP\\payroll",))
        client.machine.people.log_on("eve", groups=("CORP\\staff",))
        fleet.advance(hours=2)
        assert who_ran(client.machine) == []
        assert client.machine.notices.shown == []
        client.machine.people.log_on("frank", groups=("CORP\\staff", "CORP\\payroll"))
        fleet.advance(hours=1)
        assert who_ran(client.machine) == ["frank"]


def test_q235205_q307434_an_account_that_cannot_be_looked_up_is_asked_for_again_one_that_is_not_there_is_said_so() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        client.machine.people.log_on(CORP)
        client.machine.people.is_directory_away = True
        fleet.admin.advertise(program)
        fleet.advance(hours=2)
        (waits,) = told(fleet, StatusId.JOB_WAITING)
        assert "directory" in waits and CORP in waits
        assert who_ran(client.machine) == []
        client.machine.people.is_directory_away = False
        client.machine.people.remove_account(CORP)
        fleet.advance(hours=8)
        (gone,) = told(fleet, StatusId.PREPARATION_FAILED)
        assert "account" in gone and CORP in gone
        client.machine.people.add_account(CORP)
        fleet.advance(hours=12)
        assert who_ran(client.machine) == [CORP]


def test_q265270_what_waits_for_a_user_starts_in_the_session_that_is_there_when_the_client_is_installed() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        fleet.admin.advertise(program)
        fleet.advance(hours=1)
        late = fleet.add_client("late", fleet.new_join_code())
        late.machine.people.log_on("alice")
        fleet.advance(hours=1)
        assert who_ran(late.machine) == ["alice"]


def test_q271122_after_the_first_user_ran_it_no_other_is_told_of_it_until_a_newer_advertisement() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        people, notices = client.machine.people, client.machine.notices
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", conditions=NEEDS_USER, run_as=RunAs.USER
        )
        at = fleet.clock.now().replace(second=0, microsecond=0) + timedelta(hours=3)
        fleet.admin.advertise(program, assignments=[f"{at:%Y-%m-%dT%H:%M}Z"], is_visible=True)
        people.log_on("alice")
        fleet.settle()
        assert [notice.user for notice in notices.shown] == ["alice"]
        fleet.advance(hours=4)
        assert who_ran(client.machine) == ["alice"]
        people.log_off("alice")
        people.log_on("bob")
        fleet.advance(hours=6)
        assert [notice.user for notice in notices.shown if notice.user == "bob"] == []
        fleet.admin.advertise(program, assignments=(), name="a newer one")
        fleet.settle()
        assert [notice.user for notice in notices.shown if notice.user == "bob"] == ["bob"]


def test_q215108_a_notice_is_of_a_program_that_is_listed_and_goes_when_it_is_not_any_more() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        notices = client.machine.notices
        client.machine.people.log_on("alice")
        package = fleet.admin.add_package("Editor")
        hidden = fleet.admin.add_program(package, "hidden", "hidden.exe", conditions=NEEDS_NOBODY)
        fleet.admin.advertise(hidden)
        shown = fleet.admin.add_program(package, "shown", "shown.exe", conditions=NEEDS_USER)
        fleet.admin.advertise(shown, assignments=())
        fleet.settle()
        assert len(notices.open) == 1
        assert all("hidden" not in notice.text + notice.title for notice in notices.shown)
        fleet.admin.change(programs.disable, shown)
        fleet.settle()
        assert notices.open == {}
        fleet.admin.change(programs.enable, shown)
        fleet.settle()
        assert len([notice for notice in notices.shown if notice.user == "alice"]) == 1, "told twice"


def test_q297522_who_is_logged_on_is_looked_at_before_each_launch_and_nothing_starts_on_the_way_down() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Night")
        for number in range(3):
            fleet.script(f"{number}.exe", Script(seconds=600))
            key = fleet.admin.add_program(package, f"program {number}", f"{number}.exe", conditions=NEEDS_NOBODY)
            fleet.admin.advertise(key)
        while client.machine.running() == []:
            fleet.advance(minutes=1)
        client.machine.people.log_on("alice")
        fleet.advance(hours=2)
        assert len(client.machine.programs.launches) == 1
        client.machine.people.log_off("alice")
        client.machine.is_going_down = True
        fleet.advance(hours=1)
        assert len(client.machine.programs.launches) == 1
        client.machine.restart_now()
        fleet.advance(hours=2)
        assert len(client.machine.programs.launches) == 3


def test_q314342_lock_screens_greeters_and_services_are_no_users(tmp_path: Path) -> None:
    folder = tmp_path / "run/systemd/sessions"
    folder.mkdir(parents=True)
    for name, kind in (("c1", "greeter"), ("c2", "lock-screen"), ("3", "background"), ("4", "manager")):
        (folder / name).write_text(f"UID=0\nUSER=root\nACTIVE=1\nSTATE=active\nTYPE=x11\nCLASS={kind}\nSEAT=seat0\n")
    (tmp_path / "run/systemd/seats").mkdir()
    (tmp_path / "run/systemd/seats/seat0").write_text("IS_SEAT0=1\n")
    assert sessions(tmp_path, Directory()) == ()
    with Fleet(1, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Night"), "run", "night.exe", conditions=NEEDS_NOBODY)
        fleet.admin.advertise(program)
        fleet.settle()
        assert fleet.ran(fleet.clients[0], "night.exe") == 1


# --- restarts ---


def test_q226504_nothing_starts_between_a_program_that_needs_a_restart_and_the_restart() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Drivers")
        fleet.script("driver.exe", Script(exit_code=3010))
        for name in ("driver.exe", "tool.exe", "another.exe"):
            fleet.admin.advertise(fleet.admin.add_program(package, name, name))
            fleet.advance(seconds=10)
        fleet.advance_polls(4)
        ran = [launch.command for launch in client.machine.programs.launches]
        assert ran[-1] == "driver.exe", f"{ran} started although a restart was owed"
        waiting = told(fleet, StatusId.JOB_WAITING)
        assert waiting and set(waiting) == {"waits for the restart that driver.exe needs"}
        client.machine.restart_now()
        fleet.advance_polls(2)
        ran = [launch.command for launch in client.machine.programs.launches]
        assert sorted(ran) == ["another.exe", "driver.exe", "tool.exe"]


def test_q229113_a_promised_countdown_is_kept_whoever_answers_and_whatever_the_clock_does() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.admin.change(settings.change, "may_restart", True)
        fleet.admin.change(settings.change, "restart_countdown_seconds", 1800)
        fleet.settle()
        client.machine.people.log_on("alice")
        program = fleet.admin.add_program(fleet.admin.add_package("Drivers"), "install", "driver.exe", after_run=AfterRun.RESTART)
        boots = client.machine.boot_count
        fleet.admin.advertise(program)
        while not client.machine.notices.open:
            fleet.advance(minutes=1)
        client.machine.clock.skew = timedelta(hours=5)
        fleet.advance(minutes=25)
        assert client.machine.boot_count == boots, "the machine was restarted before its time"
        fleet.advance(minutes=30)
        assert client.machine.boot_count == boots + 1


def test_q295084_with_nobody_logged_on_a_program_runs_and_restarts_the_machine_at_its_time() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.admin.change(settings.change, "may_restart", True)
        program = fleet.admin.add_program(fleet.admin.add_package("Drivers"), "install", "driver.exe", after_run=AfterRun.RESTART)
        boots = client.machine.boot_count
        at = fleet.clock.now().replace(second=0, microsecond=0) + timedelta(hours=2)
        fleet.admin.advertise(program, assignments=[f"{at:%Y-%m-%dT%H:%M}Z"])
        fleet.advance(hours=2, minutes=20)
        assert fleet.ran(client, "driver.exe") == 1
        assert client.machine.boot_count == boots + 1
        assert client.machine.notices.shown == []


# --- removal ---


def removable(fleet: Fleet) -> Uninstall:
    """How the programs of these stories are removed, by themselves once nobody offers them."""
    fleet.script("setup.exe", Script(installs=("editor=1",)))
    fleet.script("remove.exe", Script(removes=("editor",)))
    return Uninstall(command=Command(argv=("remove.exe",)), when_not_offered=True)


@pytest.mark.parametrize("way", ["collection", "deletion", "expiry"])
def test_q316021_what_is_not_advertised_any_more_is_removed_once_and_said_so(way: str) -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        names = [client.name for client in fleet.clients]
        pilot = fleet.admin.add_collection("Pilot", names)
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"),
            "install",
            "setup.exe",
            uninstall=removable(fleet),
            detection=OsPackageRule(name="editor"),
        )
        advertised = [fleet.admin.advertise(program, pilot), fleet.admin.advertise(program, assignments=())]
        fleet.settle()
        assert [client.machine.installed for client in fleet.clients] == [{"editor": "1"}] * 2
        fleet.admin.change(advertisements.delete, advertised[1])
        fleet.advance_polls(4)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [0, 0], "one advertisement still stands"
        match way:
            case "collection":
                fleet.admin.change(collections.edit, pilot, remove_members=names)
            case "deletion":
                fleet.admin.change(advertisements.delete, advertised[0])
            case _:
                expiry = fleet.clock.now() + timedelta(minutes=1)
                fleet.admin.change(advertisements.edit, advertised[0], expires_at=expiry)
        fleet.advance_polls(5)
        if way == "expiry":
            fleet.advance(days=2)  # the site has said so too: a clock that is ahead removes nothing
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [1, 1]
        assert [client.machine.installed for client in fleet.clients] == [{}, {}]
        fleet.advance(days=1)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [1, 1]
        assert len(told(fleet, StatusId.UNINSTALL_STARTED)) == 2
        assert len(told(fleet, StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE)) == 2
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.NOT_OFFERED: 2}
        if way == "collection":
            fleet.admin.change(collections.edit, pilot, add_members=names, is_confirmed=True)
        else:
            fleet.admin.advertise(program, pilot, name="offered again")
        fleet.advance_polls(4)
        assert [client.machine.installed for client in fleet.clients] == [{"editor": "1"}] * 2, "offered again, it is there again"
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [2, 2]


@pytest.mark.parametrize("trouble", ["unreachable", "empty", "an older mirror", "damaged", "paused", "disabled"])
def test_q199263_nothing_is_removed_but_by_a_complete_and_fresh_word_that_it_is_offered_no_more(trouble: str) -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        fleet.advance_polls(1)
        fleet.cap.keep_moment("before")
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe", uninstall=removable(fleet))
        advertised = fleet.admin.advertise(program)
        fleet.settle()
        match trouble:
            case "unreachable":
                fleet.cap.cut()
            case "empty":
                fleet.cap.serve_nothing()
            case "an older mirror":
                fleet.cap.serve_moment("before")
            case "damaged":
                fleet.cap.corrupt_all(lambda path: path.endswith(".ofr") or ".offers" in path)
            case "paused":
                fleet.admin.change(advertisements.pause, advertised)
            case _:
                fleet.admin.change(programs.disable, program)
        fleet.advance(days=2)
        assert [client.machine.installed for client in fleet.clients] == [{"editor": "1"}] * 2
        fleet.cap.mend()
        fleet.advance_polls(6)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [0, 0]
