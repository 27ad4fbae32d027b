"""Stories of programs on a fleet: several of one package, those that restart the machine, and schedules that have passed."""

from datetime import timedelta

from journeys.scene import POLL_INTERVAL
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import status
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import IfInterrupted, OsPackageRule


def test_q229018_every_program_of_a_package_runs_exactly_once_in_whatever_order_they_are_offered() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        package = fleet.admin.add_package("Suite", {"setup.exe": b"setup"})
        programs = [fleet.admin.add_program(package, f"part {number}", f"part-{number}.exe") for number in range(6)]
        for number in (4, 1, 5):
            fleet.admin.advertise(programs[number])
        fleet.settle()
        for number in (0, 3, 2):
            fleet.admin.advertise(programs[number])
            fleet.advance_polls(1)
        fleet.admin.update_package(package, {"setup.exe": b"another setup"})
        fleet.settle()
        for client in fleet.clients:
            assert [fleet.ran(client, f"part-{number}.exe") for number in range(6)] == [1] * 6
            assert len(client.machine.programs.launches) == 6


def test_q226504_nothing_starts_between_a_program_that_needs_a_restart_and_the_restart() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Drivers")
        fleet.script("driver.exe", Script(exit_code=3010))
        for name in ("driver.exe", "tool.exe", "another.exe"):
            fleet.admin.advertise(fleet.admin.add_program(package, name, name))
            fleet.advance(seconds=10)
        fleet.advance_polls(4)
        ran = [launch.command for launch in client.machine.programs.launches]
        assert ran[-1] == "driver.exe", f"{ran} started although a restart was owed"
        client.machine.restart_now()
        fleet.advance_polls(2)
        ran = [launch.command for launch in client.machine.programs.launches]
        assert sorted(ran) == ["another.exe", "driver.exe", "tool.exe"]


def test_a_program_that_restarts_the_machine_itself_is_not_run_again_and_the_next_one_follows() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Firmware")
        fleet.script("firmware.exe", Script(restarts_machine=True, installs=("firmware=2",)))
        detected = OsPackageRule(name="firmware")
        first = fleet.admin.add_program(
            package, "firmware", "firmware.exe", detection=detected, if_interrupted=IfInterrupted.RUN_AGAIN
        )
        second = fleet.admin.add_program(package, "tool", "tool.exe", depends_on=first)
        fleet.admin.advertise(second)
        fleet.advance_polls(3)
        assert [launch.command for launch in client.machine.programs.launches] == ["firmware.exe", "tool.exe"]


def test_q247484_an_advertisement_for_later_waits_whatever_an_expired_one_of_the_same_program_said() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        fleet.cap.cut()
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.exe")
        fleet.admin.advertise(program, expires_at=fleet.clock.now() + timedelta(minutes=5))
        fleet.advance_polls(2)
        starts_at = fleet.clock.now() + 6 * POLL_INTERVAL
        fleet.admin.advertise(program, available_from=starts_at)
        fleet.cap.mend()
        fleet.advance_polls(5)
        assert [fleet.ran(client, "patch.exe") for client in fleet.clients] == [0, 0]
        fleet.advance_polls(2)
        for client in fleet.clients:
            assert [launch.at >= starts_at for launch in client.machine.programs.launches] == [True]


def test_an_update_reaches_who_has_not_run_yet_and_runs_again_nowhere() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"version 1", "same.bin": b"the same"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.cap.cut("pc2")
        fleet.settle()
        fleet.admin.update_package(package, {"setup.exe": b"version 2", "same.bin": b"the same"})
        fleet.cap.mend()
        fleet.advance_polls(4)
        seen = [[launch.files["setup.exe"] for launch in client.machine.programs.launches] for client in fleet.clients]
        assert seen == [[b"version 1"], [b"version 2"]]


def test_a_full_disk_is_found_out_before_the_download_and_what_is_freed_is_used() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        machine = fleet.clients[0].machine
        machine.disk.capacity_bytes = 1000
        package = fleet.admin.add_package("Big", {"setup.exe": b"x" * 600})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.settle()
        assert fleet.ran(fleet.clients[0], "setup.exe") == 0
        assert machine.disk.files() == {} or sum(map(len, machine.disk.files().values())) < 600
        machine.disk.capacity_bytes = 2**30
        fleet.advance(hours=8)
        assert fleet.ran(fleet.clients[0], "setup.exe") == 1


def test_a_folder_that_throws_reports_away_loses_none_for_good() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        fleet.cap.is_discarding = True
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.exe")
        advertised = fleet.admin.advertise(program)
        fleet.advance_polls(3)
        fleet.cap.mend()
        fleet.advance(days=2)
        standing = fleet.admin.ask(status.of_advertisement, advertised)
        assert standing.counts.states == {JobState.SUCCEEDED: 2}
