"""Stories of programs on a fleet: several of one package, those that restart the machine, and schedules that have passed."""

from journeys.scene import POLL_INTERVAL
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import status
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import IfInterrupted, OsPackageRule


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
        fleet.cap.discard()
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.exe")
        advertised = fleet.admin.advertise(program)
        fleet.advance_polls(3)
        fleet.cap.mend()
        fleet.advance(days=2)
        standing = fleet.admin.ask(status.of_advertisement, advertised)
        assert standing.counts.states == {JobState.SUCCEEDED: 2}
