"""What went wrong with runs in the field: programs that hung, ran twice, were misjudged, or were given up too soon."""

from datetime import timedelta

import pytest

from field.mifs import SUCCESS_MIF
from field.points import away
from field.words import told
from purveyor.client.agent import Agent
from purveyor.lab.clock import Clock
from purveyor.lab.fleet import Fleet
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.site_server.admin import programs, settings, status
from purveyor.wire.errors import RefusedError
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Reporting
from purveyor.wire.status_messages import StatusId

POLL = timedelta(minutes=15)


def test_q229018_every_program_of_a_package_runs_exactly_once_in_whatever_order_they_are_offered() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
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


def test_q215032_a_program_that_never_ends_is_ended_after_its_time_and_the_next_one_runs() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Console")
        fleet.script("window.exe", Script(hangs=True))
        for name in ("window.exe", "next.exe"):
            fleet.admin.advertise(fleet.admin.add_program(package, name, name, max_run_seconds=600))
            fleet.advance(seconds=30)
        fleet.advance_polls(4)
        assert (fleet.ran(client, "window.exe"), fleet.ran(client, "next.exe")) == (1, 1)
        assert len(told(fleet, StatusId.TIMED_OUT)) == 1
        assert client.machine.running() == []


def test_q216744_a_status_mif_of_success_beats_an_exit_code_of_failure_and_the_restart_still_comes() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.admin.change(settings.change, "may_restart", True)
        fleet.script("setup.exe", Script(exit_code=1603, mif=SUCCESS_MIF, mif_name="editor.mif"))
        mif = Reporting(file_name="editor.mif", manufacturer="Contoso", product="Editor", version="4.2")
        program = fleet.admin.add_program(
            fleet.admin.add_package("Editor"), "install", "setup.exe", reporting=mif, after_run=AfterRun.RESTART
        )
        boots = client.machine.boot_count
        fleet.admin.advertise(program)
        fleet.advance_polls(4)
        assert client.machine.boot_count == boots + 1, "the action after the run was skipped"
        assert told(fleet, StatusId.FAILED_BY_EXIT_CODE) == []
        assert len(told(fleet, StatusId.SUCCEEDED_BY_RESULT_FILE)) == 1
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 1}


def test_q216744_a_status_mif_of_another_product_says_nothing() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        fleet.script("setup.exe", Script(exit_code=1603, mif=SUCCESS_MIF, mif_name="editor.mif"))
        mif = Reporting(file_name="editor.mif", manufacturer="Contoso", product="Viewer")
        program = fleet.admin.add_program(fleet.admin.add_package("Viewer"), "install", "setup.exe", reporting=mif)
        fleet.admin.advertise(program)
        fleet.advance_polls(3)
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.FAILED: 1}


def test_q256211_an_agent_that_is_replaced_during_a_run_reports_it_once_it_is_over() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.script("long.exe", Script(seconds=3600))
        program = fleet.admin.add_program(fleet.admin.add_package("Long"), "install", "long.exe", max_run_seconds=7200)
        fleet.admin.advertise(program)
        while client.machine.running() == []:
            fleet.advance(minutes=1)
        client.agent = Agent(machine=client.machine, state=client.machine.state, point_for=client.point_for)
        fleet.advance(hours=3)
        assert fleet.ran(client, "long.exe") == 1
        assert len(told(fleet, StatusId.SUCCEEDED_BY_EXIT_CODE)) == 1


@pytest.mark.parametrize("code", [0, 1, 17, 3010])
def test_q324721_a_program_declares_which_of_its_exit_codes_mean_success(code: int) -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        fleet.script("tool.exe", Script(exit_code=code))
        program = fleet.admin.add_program(
            fleet.admin.add_package("Tool"), "run", "tool.exe", success_codes=[1, 17], restart_codes=[3010]
        )
        fleet.admin.advertise(program)
        fleet.advance_polls(3)
        states = fleet.admin.ask(status.of_program, program).counts.states
        expected = {0: JobState.FAILED, 1: JobState.SUCCEEDED, 17: JobState.SUCCEEDED, 3010: JobState.RESTART_PENDING}
        assert states == {expected[code]: 1}


def test_q268500_no_trouble_of_a_distribution_point_ever_ends_a_mandatory_assignment() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Editor", {"setup.exe": b"the bytes of the setup"})
        fleet.settle()
        fleet.dp.cut()
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.advance(days=3)
        assert fleet.ran(client, "setup.exe") == 0
        fleet.dp.mend()
        fleet.dp.corrupt_all(lambda path: path.startswith("files/"))
        fleet.advance(days=1)
        assert fleet.ran(client, "setup.exe") == 0, "damaged bytes were believed"
        fleet.dp.mend()
        fleet.advance(days=1)
        assert fleet.ran(client, "setup.exe") == 1


def test_q302535_without_a_point_the_tries_are_spaced_and_few_words_are_made_of_them() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Editor", {"setup.exe": b"the bytes of the setup"})
        fleet.settle()
        notes: list[str] = []
        client.agent.note = notes.append
        fleet.dp.cut()
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.advance(hours=2)
        tried = len(fleet.dp.requests)
        passes = client.passes
        fleet.advance(days=2)
        pauses = 48 * 3600 / 600
        assert len(fleet.dp.requests) - tried <= pauses
        assert client.passes - passes <= pauses + 2 * 48
        assert len(told(fleet, StatusId.DOWNLOAD_WAITING)) == 1, "a reason is told once"
        assert len(notes) < 200


def test_q271602_content_stays_there_for_the_whole_run_wherever_the_program_itself_lies() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        files = {"answers.ini": b"answers", "files/big.cab": b"many bytes"}
        package = fleet.admin.add_package("Setup", files)
        fleet.script("/opt/local/setup", Script(seconds=6 * 3600))
        program = fleet.admin.add_program(package, "install", "/opt/local/setup", max_run_seconds=8 * 3600)
        fleet.admin.advertise(program)
        while client.machine.running() == []:
            fleet.advance(minutes=1)
        launch = client.machine.programs.launches[0]
        folder = launch.working_directory.removeprefix(client.machine.disk.absolute(""))
        fleet.dp.cut()
        fleet.cap.cut()
        for _ in range(4):
            fleet.advance(hours=1)
            assert client.machine.disk.files(folder.strip("/")) == files


def test_q271696_advertisements_that_have_expired_leave_what_is_remembered_as_it_is() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        for number in range(5):
            fleet.admin.advertise(program, expires_at=fleet.clock.now() + timedelta(hours=2 + number))
        fleet.advance(days=1)
        held = client.machine.state.connection.execute("select content from history").fetchall()
        assert fleet.ran(client, "setup.exe") == 1
        fleet.advance(days=8)
        assert client.machine.state.connection.execute("select content from history").fetchall() == held
        assert client.machine.state.connection.execute("select count(*) from message").fetchone()[0] == 0


def test_q235136_q260395_a_variable_that_is_not_there_is_named_before_anything_is_started() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        fleet.admin.advertise(
            fleet.admin.add_program(package, "good", ("setup.exe", "/from=${PURVEYOR_CONTENT}", "$PURVEYOR_SITE"))
        )
        fleet.admin.advertise(fleet.admin.add_program(package, "bad", ("setup.exe", "/to=$PROGRAMFILES")))
        fleet.advance_polls(3)
        (launch,) = client.machine.programs.launches
        assert launch.command == f"setup.exe /from={launch.environment['PURVEYOR_CONTENT']} S01"
        assert "PROGRAMFILES" in told(fleet, StatusId.PREPARATION_FAILED)[0]


@pytest.mark.parametrize("line", ["setup.exe > log.txt", "type a.txt | find b", "first && second", "a; b", "a `b`", "a $(b)"])
def test_q235149_a_line_for_a_shell_is_refused_unless_it_is_marked_as_one(line: str) -> None:
    with Fleet(0) as fleet:
        package = fleet.admin.add_package("Tool")
        with pytest.raises(RefusedError, match="shell line"):
            fleet.admin.add_program(package, "run", line)
        key = fleet.admin.add_program(package, "run", line, is_shell=True)
        assert fleet.admin.ask(programs.shown, key).shell_line == line


def test_q294939_a_hundred_runs_leave_nothing_behind() -> None:
    with Fleet(1, poll_interval=timedelta(hours=6)) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Tool", {"tool.exe": b"tool"})
        fleet.script("tool.exe", Script(seconds=20))
        program = fleet.admin.add_program(package, "run", "tool.exe")
        fleet.admin.advertise(program, assignments=["FREQ=HOURLY"])
        fleet.advance(hours=12)
        early = [path for path in client.machine.disk.files() if not path.startswith("cache/")]
        fleet.advance(hours=101)
        assert fleet.ran(client, "tool.exe") >= 100
        fleet.advance(minutes=30)
        late = [path for path in client.machine.disk.files() if not path.startswith("cache/")]
        assert [path for path in late if path.startswith("runs/")] == []
        assert len(late) <= len(early)


def test_q321580_a_platform_that_cannot_be_told_for_a_while_rejects_nothing_for_good() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        client.machine.platform = "linux"
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe", platforms=["linux/debian"])
        fleet.admin.advertise(program)
        fleet.settle()
        assert fleet.ran(client, "setup.exe") == 0
        assert len(told(fleet, StatusId.PLATFORM_NOT_SUPPORTED)) == 1
        client.machine.people.log_on("alice")
        client.machine.platform = "linux/debian/12"
        fleet.settle()
        assert fleet.ran(client, "setup.exe") == 1


def test_q235801_q271631_q281930_another_polling_interval_holds_from_the_next_poll_on_and_over_restarts() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        fleet.advance(hours=3)

        def polls(hours: int) -> int:
            since = fleet.clock.now()
            fleet.advance(hours=hours)
            wanted = "clidata.box/timestamp.json"
            return sum(request.at > since and request.path == wanted for request in fleet.cap.requests)

        assert 23 <= polls(24) <= 25
        fleet.admin.change(settings.change, "poll_interval_seconds", 900)
        fleet.advance(hours=1)
        assert 95 <= polls(24) <= 97
        client.machine.restart_now()
        assert 94 <= polls(24) <= 98
        fleet.admin.change(settings.change, "poll_interval_seconds", 6 * 3600)
        fleet.advance(hours=1)
        assert 3 <= polls(24) <= 5


def test_q227019_q245723_q231232_the_polls_of_a_fleet_that_joined_together_spread_over_the_interval() -> None:
    with Fleet(40, poll_interval=timedelta(hours=1)) as fleet:
        fleet.advance(hours=6)
        since = fleet.clock.now()
        fleet.advance(hours=1)
        minutes = {
            int((request.at - since).total_seconds() // 600)
            for request in fleet.cap.requests
            if request.at > since and request.path == "clidata.box/timestamp.json"
        }
        assert len(minutes) == 6, "some ten minutes of the hour are without a poll"


def test_a_point_that_comes_back_is_not_met_by_all_at_once() -> None:
    with Fleet(20, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        fleet.settle()
        with away(fleet.dp.store):
            fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
            fleet.advance(hours=5)
        since = fleet.clock.now()
        fleet.advance(hours=8)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [1] * 20
        minutes = {int((request.at - since).total_seconds() // 60) for request in fleet.dp.requests if request.at > since}
        assert len(minutes) >= 8


def test_clock_of_the_lab_and_of_a_machine_are_told_apart() -> None:
    clock = Clock()
    machine = SimulatedMachine("pc1", clock, skew=timedelta(hours=-3))
    assert machine.now() == clock.now() - timedelta(hours=3)


@pytest.mark.parametrize("folder", ["not/there", "setup.exe"])
def test_q273754_q263279_a_working_directory_that_cannot_be_used_is_named_before_the_launch(folder: str) -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe", working_directory=folder))
        fleet.advance_polls(2)
        assert fleet.clients[0].machine.programs.launches == []
        (text,) = told(fleet, StatusId.PREPARATION_FAILED)
        assert folder in text
