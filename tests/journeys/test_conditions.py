"""Stories of runs that wait: for a user, a window, a faster link, a restart; and of what that costs until it comes."""

from datetime import timedelta

from journeys.scene import POLL_INTERVAL
from purveyor.client.programs import apm
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import settings, status, windows
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Priority
from purveyor.wire.package_info import AfterRun, Conditions, Logon, RunAs

WITH_USER = Conditions(logon=Logon.USER)
SLOW, FAST = 1000, 100_000
MINUTE = timedelta(minutes=1)


def requests(fleet: Fleet, client: LabClient) -> int:
    """How often a client has asked a point for anything."""
    asked = [*fleet.cap.requests, *fleet.dp.requests]
    return sum(request.client == client.name for request in asked)


def commands(client: LabClient) -> list[str]:
    return [launch.command for launch in client.machine.programs.launches]


def test_q240921_whoever_waits_for_a_user_asks_the_site_for_nothing_beyond_its_polls() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        waiting, idle = fleet.clients
        idle.machine.people.log_on("bob")
        package = fleet.admin.add_package("Tool", {"tool.exe": b"a tool"})
        fleet.admin.advertise(fleet.admin.add_program(package, "tool", "tool.exe", conditions=WITH_USER))
        fleet.settle()
        assert [commands(client) for client in fleet.clients] == [[], ["tool.exe"]]
        before = [requests(fleet, client) for client in fleet.clients]
        passes = waiting.passes
        fleet.advance(hours=12)
        asked = [requests(fleet, client) - count for client, count in zip(fleet.clients, before, strict=True)]
        assert asked[0] <= asked[1] + 2
        assert waiting.passes - passes <= 12 * 60 + 12 * 4 + 5
        waiting.machine.people.log_on("alice")
        fleet.advance(minutes=2)
        assert commands(waiting) == ["tool.exe"]


def test_programs_keep_to_the_maintenance_window_of_their_collection() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        inside, outside = fleet.clients
        kept = fleet.admin.add_collection("kept to nights", [inside.id])
        opens_at = (fleet.clock.now() + timedelta(hours=5)).replace(minute=0, second=0, microsecond=0)
        start = f"{opens_at:%Y-%m-%dT%H:%M:%S}Z"
        fleet.admin.change(windows.add, kept, start=start, rule="FREQ=DAILY", duration_seconds=7200, is_confirmed=True)
        package = fleet.admin.add_package("Patch", {"patch.exe": b"a patch"})
        fleet.admin.advertise(fleet.admin.add_program(package, "patch", "patch.exe", max_run_seconds=3600))
        fleet.admin.advertise(fleet.admin.add_program(package, "urgent", "urgent.exe"), ignores_windows_because="it is exploited")
        fleet.advance(hours=3)
        assert sorted(commands(inside)) == ["urgent.exe"]
        assert sorted(commands(outside)) == ["patch.exe", "urgent.exe"]
        passes = inside.passes
        fleet.advance(hours=1)
        assert inside.passes - passes <= 6
        fleet.advance(hours=2)
        started = next(launch for launch in inside.machine.programs.launches if launch.command == "patch.exe")
        assert opens_at <= started.at < opens_at + timedelta(minutes=2)


def test_q246863_the_link_that_counts_is_the_one_to_the_distribution_point() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Suite", {"suite.exe": b"x" * 60_000})
        program = fleet.admin.add_program(package, "suite", "suite.exe")
        fleet.dp.slow_down(SLOW, fleet.clock.advance)
        fleet.admin.advertise(program, over_slow_link=False)
        fleet.settle()
        asked = len(fleet.dp.requests)
        fleet.advance_polls(4)
        assert commands(client) == []
        assert len(fleet.dp.requests) - asked <= 2 * 5
        fleet.dp.mend()
        fleet.cap.slow_down(SLOW, fleet.clock.advance)
        fleet.settle()
        assert commands(client) == ["suite.exe"]


def test_q246974_a_point_that_cannot_be_reached_is_not_a_slow_one() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Suite", {"suite.exe": b"x" * 60_000})
        fleet.dp.cut()
        fleet.admin.advertise(fleet.admin.add_program(package, "suite", "suite.exe"), over_slow_link=False)
        fleet.settle()
        assert "slow" not in apm.jobs(client.machine.state)[0].text
        fleet.dp.mend()
        fleet.advance(hours=6)
        assert commands(client) == ["suite.exe"]


def test_q202332_over_a_slow_link_only_what_is_mandatory_there_schedules_a_program() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Suite", {"suite.exe": b"x" * 60_000})
        program = fleet.admin.add_program(package, "suite", "suite.exe")
        fleet.dp.slow_down(SLOW, fleet.clock.advance)
        fleet.admin.advertise(program, over_slow_link=False)
        later = fleet.clock.now() + timedelta(hours=6)
        fleet.admin.advertise(program, assignments=[f"{later:%Y-%m-%dT%H:%M}Z"])
        fleet.advance(hours=5)
        assert commands(client) == []
        fleet.advance(hours=2)
        assert commands(client) == ["suite.exe"]
        assert client.machine.programs.launches[0].at >= later.replace(second=0, microsecond=0)


def test_content_is_there_when_a_run_comes_due_and_its_point_is_gone() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        package = fleet.admin.add_package("Suite", {"suite.exe": b"suite"})
        first = fleet.admin.add_package("Runtime", {"runtime.exe": b"runtime"})
        runtime = fleet.admin.add_program(first, "runtime", "runtime.exe")
        due = fleet.clock.now() + timedelta(hours=8)
        suite = fleet.admin.add_program(package, "suite", "suite.exe", depends_on=runtime)
        fleet.admin.advertise(suite, assignments=[f"{due:%Y-%m-%dT%H:%M}Z"])
        fleet.advance(hours=6)
        fleet.dp.cut()
        fleet.advance(hours=3)
        assert [commands(client) for client in fleet.clients] == [["runtime.exe", "suite.exe"]] * 2


def test_the_most_urgent_program_starts_first() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        package = fleet.admin.add_package("Tools")
        fleet.cap.cut()
        for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
            program = fleet.admin.add_program(package, priority.value, f"{priority.value}.exe")
            fleet.admin.advertise(program, priority=priority)
            fleet.advance(minutes=1)
        fleet.cap.mend()
        fleet.advance(hours=3)
        assert commands(fleet.clients[0]) == ["high.exe", "normal.exe", "low.exe"]


def test_a_restart_comes_before_the_next_program_whoever_is_there() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        alone, used = fleet.clients
        fleet.admin.change(settings.change, "may_restart", True)
        fleet.admin.change(settings.change, "restart_countdown_seconds", 1800)
        fleet.settle()
        used.machine.people.log_on("alice")
        package = fleet.admin.add_package("Drivers")
        driver = fleet.admin.add_program(package, "driver", "driver.exe", after_run=AfterRun.RESTART)
        fleet.admin.advertise(driver, priority=Priority.HIGH)
        fleet.admin.advertise(fleet.admin.add_program(package, "tool", "tool.exe"))
        fleet.advance(minutes=20)
        assert commands(alone) == ["driver.exe", "tool.exe"]
        assert commands(used) == ["driver.exe"]
        assert [notice.user for notice in used.machine.notices.open.values()] == ["alice"]
        now = used.machine.now()
        add_ask(used.machine.state, Ask(kind=AskKind.POSTPONE_RESTART, user="alice", made_at=now, at=now + timedelta(hours=3)))
        fleet.advance(hours=2)
        assert used.machine.boot_count == 1
        fleet.advance(hours=2)
        assert used.machine.boot_count == 2
        fleet.advance(minutes=20)
        assert commands(used) == ["driver.exe", "tool.exe"]
        assert next(launch.at for launch in used.machine.programs.launches if launch.command == "tool.exe") > now


def test_a_run_with_a_users_rights_goes_on_when_that_user_leaves_and_its_end_is_reported() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        client.machine.people.log_on("alice")
        fleet.script("setup.exe", Script(seconds=1800))
        package = fleet.admin.add_package("Profile", {"setup.exe": b"setup"})
        program = fleet.admin.add_program(package, "profile", "setup.exe", conditions=WITH_USER, run_as=RunAs.USER)
        advertised = fleet.admin.advertise(program)
        fleet.settle()
        fleet.advance(minutes=1)
        client.machine.people.log_off("alice")
        fleet.advance(hours=2)
        assert [launch.run_as for launch in client.machine.programs.launches] == ["alice"]
        assert fleet.admin.ask(status.of_advertisement, advertised).counts.states == {JobState.SUCCEEDED: 1}
        assert client.machine.disk.names("runs") == []
