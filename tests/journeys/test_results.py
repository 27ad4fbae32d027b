"""Stories of results: what a run left, or did to its machine, is what the site shows in the end."""

from datetime import timedelta

from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import status
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, OsPackageRule, Reporting
from purveyor.wire.status_messages import StatusId

POLL_INTERVAL = timedelta(minutes=15)
MIF = (
    b'Start Component Name = "WORKSTATION" Start Group Name = "ComponentID" Start Attribute Name = "Product" Value = "Suite" '
    b'End Attribute End Group Start Group Name = "InstallStatus" Start Attribute Name = "Status" Value = "Success" End Attribute '
    b"End Group End Component"
)


def states(fleet: Fleet, advertisement: AdvertisementId) -> dict[JobState, int]:
    return dict(fleet.admin.ask(status.of_advertisement, advertisement).counts.states)


def told(fleet: Fleet, *ids: StatusId) -> list[StatusId]:
    return [StatusId(message.status) for message in fleet.admin.ask(status.messages) if message.status in ids]


def test_q292261_a_program_that_restarts_the_machine_in_the_middle_and_goes_on_afterwards_is_a_success_at_the_site() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        fleet.script("suite.exe", Script(restarts_in_the_middle=True, resumes_seconds=240, installs=("suite=3",)))
        package = fleet.admin.add_package("Suite", {"suite.exe": b"bytes"})
        program = fleet.admin.add_program(
            package, "install", "suite.exe", after_run=AfterRun.PROGRAM_RESTARTS, detection=OsPackageRule(name="suite")
        )
        advertised = fleet.admin.advertise(program)
        fleet.advance_polls(5)
        assert states(fleet, advertised) == {JobState.SUCCEEDED: 2}
        assert [fleet.ran(client, "suite.exe") for client in fleet.clients] == [1, 1]
        assert [client.machine.boot_count for client in fleet.clients] == [2, 2]
        assert told(fleet, StatusId.INTERRUPTED) == []
        assert len(told(fleet, StatusId.INTERRUPTED_RESOLVED)) == 2


def test_q272174_a_success_by_mif_with_a_restart_afterwards_is_one_final_result() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        fleet.script("suite.exe", Script(exit_code=7, mif=MIF))
        package = fleet.admin.add_package("Suite")
        reporting = Reporting(product="Suite")
        program = fleet.admin.add_program(package, "install", "suite.exe", after_run=AfterRun.RESTART, reporting=reporting)
        advertised = fleet.admin.advertise(program)
        fleet.advance_polls(3)
        assert states(fleet, advertised) == {JobState.RESTART_PENDING: 1}
        fleet.clients[0].machine.restart_now()
        fleet.advance_polls(2)
        assert states(fleet, advertised) == {JobState.SUCCEEDED: 1}
        finals = (StatusId.SUCCEEDED_BY_RESULT_FILE, StatusId.SUCCEEDED_BY_EXIT_CODE, StatusId.FAILED_BY_EXIT_CODE)
        assert told(fleet, *finals) == [StatusId.SUCCEEDED_BY_RESULT_FILE]


def test_a_machine_that_is_busy_with_another_installation_gets_the_program_later() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        fleet.script("patch.msi", Script(exit_code=1618), Script(exit_code=0))
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.msi")
        advertised = fleet.admin.advertise(program)
        fleet.advance_polls(8)
        assert states(fleet, advertised) == {JobState.SUCCEEDED: 1}
        assert fleet.ran(fleet.clients[0], "patch.msi") == 2
        assert len(told(fleet, StatusId.RETRY_LATER)) == 1
