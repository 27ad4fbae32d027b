"""What becomes of runs that are over: by what they left, by restarts, by stops, by what is there afterwards."""

from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, PACKAGE, World, key
from purveyor.client.programs.ending.settling import RESUME_SECONDS
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Job, changed
from purveyor.lab.programs import Script
from purveyor.wire.errors import UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Command, IfInterrupted, OsPackageRule, Reporting, Uninstall
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

REPORTING = Reporting(product="Editor")
RULE = OsPackageRule(name="editor")
FINAL = {
    StatusId.SUCCEEDED_BY_EXIT_CODE,
    StatusId.SUCCEEDED_BY_RESULT_FILE,
    StatusId.FAILED_BY_EXIT_CODE,
    StatusId.FAILED_BY_RESULT_FILE,
    StatusId.INTERRUPTED_RESOLVED,
    StatusId.STOPPED,
    StatusId.STOPPED_BY_RETIREMENT,
}


def mif(status: str, product: str = "Editor") -> bytes:
    def attribute(name: str, value: str) -> str:
        return f'Start Attribute Name = "{name}" ID = 1 Type = String(64) Value = "{value}" End Attribute\n'

    identity = f'Start Group Name = "ComponentID" {attribute("Product", product)} End Group\n'
    ended = f'Start Group Name = "InstallStatus" {attribute("Status", status)} End Group\n'
    return f'Start Component Name = "WORKSTATION"\n{identity}{ended}End Component\n'.encode()


@pytest.fixture
def world() -> World:
    return World()


def run(world: World, script: Script, **changes: object) -> Job:
    world.script("setup", script)
    world.package(world.program(**changes))  # type: ignore[arg-type]
    world.advertise(1, ASAP)
    world.settle()
    return world.job()


def finals(world: World) -> list[StatusMessage]:
    return [message for message in world.messages if message.id in FINAL]


@pytest.mark.parametrize(
    ("script", "reporting", "state", "status"),
    [
        (Script(exit_code=5, mif=mif("Success")), REPORTING, JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Script(exit_code=0, mif=mif("Failed")), REPORTING, JobState.FAILED, StatusId.FAILED_BY_RESULT_FILE),
        (Script(exit_code=5, mif=mif("Success", "Viewer")), REPORTING, JobState.FAILED, StatusId.FAILED_BY_EXIT_CODE),
        (Script(exit_code=0, mif=mif("Failed", "Viewer")), REPORTING, JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_EXIT_CODE),
        (Script(exit_code=5, mif=mif("Success")), None, JobState.FAILED, StatusId.FAILED_BY_EXIT_CODE),
        (Script(exit_code=5, mif=b"damaged"), REPORTING, JobState.FAILED, StatusId.FAILED_BY_EXIT_CODE),
        (
            Script(exit_code=5, mif=mif("Success"), mif_name="other.mif"),
            Reporting(file_name="editor"),
            JobState.FAILED,
            StatusId.FAILED_BY_EXIT_CODE,
        ),
        (
            Script(exit_code=0, mif=mif("Success"), result=b'{"status": "failure"}'),
            REPORTING,
            JobState.FAILED,
            StatusId.FAILED_BY_RESULT_FILE,
        ),
    ],
)
def test_a_run_is_settled_by_its_result_file_then_its_own_mif_then_its_exit_code(
    world: World, script: Script, reporting: Reporting | None, state: JobState, status: StatusId
) -> None:
    job = run(world, script, reporting=reporting)
    assert job.state is state
    assert [message.id for message in finals(world)] == [status]
    assert finals(world)[0].exit_code == script.exit_code


def test_q216744_a_success_by_mif_with_another_exit_code_still_has_its_restart(world: World) -> None:
    job = run(world, Script(exit_code=5, mif=mif("Success")), reporting=REPORTING, after_run=AfterRun.RESTART)
    assert job.state is JobState.RESTART_PENDING
    world.machine.restart_now()
    world.turn()
    assert world.state_of() is JobState.SUCCEEDED
    assert [message.id for message in finals(world)] == [StatusId.SUCCEEDED_BY_RESULT_FILE]
    assert world.told(StatusId.RESTART_PENDING)[0].exit_code == 5


def test_a_code_that_means_not_now_starts_the_same_occurrence_again_after_a_pause(world: World) -> None:
    world.script("setup", Script(exit_code=1618), Script(exit_code=0))
    world.package(world.program())
    world.advertise(1, ASAP)
    world.settle()
    occurrence = world.job().occurrence
    assert (world.state_of(), world.job().attempts) == (JobState.WAITING, 1)
    world.after(MINUTE)
    assert len(world.runs) == 1
    world.clock.advance(HOUR)
    world.settle()
    assert (world.state_of(), world.job().occurrence, len(world.runs)) == (JobState.SUCCEEDED, occurrence, 2)
    assert len(world.told(StatusId.RETRY_LATER)) == 1
    assert len(finals(world)) == 1


def test_after_three_starts_that_mean_not_now_it_has_failed(world: World) -> None:
    run(world, Script(exit_code=1618))
    for _ in range(10):
        world.clock.advance(8 * HOUR)
        world.settle()
    assert len(world.runs) == 3
    assert world.state_of() is JobState.FAILED
    assert len(world.told(StatusId.RETRY_LATER)) == 2
    assert [message.id for message in finals(world)] == [StatusId.FAILED_BY_EXIT_CODE]


# --- restarts ---


def restarted(world: World, script: Script, **changes: object) -> None:
    """Runs a program that restarts the machine, until the agent has looked at it after the restart."""
    world.script("setup", script)
    world.package(world.program(after_run=AfterRun.PROGRAM_RESTARTS, **changes))  # type: ignore[arg-type]
    world.advertise(1, ASAP)
    world.turn()
    world.after(timedelta(seconds=script.seconds))
    world.after(MINUTE)


@pytest.mark.parametrize(
    ("script", "changes", "state", "status"),
    [
        (Script(restarts_machine=True), {}, JobState.SUCCEEDED, StatusId.INTERRUPTED_RESOLVED),
        (Script(restarts_in_the_middle=True), {}, JobState.SUCCEEDED, StatusId.INTERRUPTED_RESOLVED),
        (
            Script(restarts_machine=True, result=b'{"status": "success"}'),
            {"detection": RULE},
            JobState.SUCCEEDED,
            StatusId.SUCCEEDED_BY_RESULT_FILE,
        ),
        (Script(restarts_machine=True, result=b'{"status": "failure"}'), {}, JobState.FAILED, StatusId.FAILED_BY_RESULT_FILE),
        (
            Script(restarts_machine=True, mif=mif("Success")),
            {"reporting": REPORTING},
            JobState.SUCCEEDED,
            StatusId.SUCCEEDED_BY_RESULT_FILE,
        ),
        (
            Script(restarts_machine=True, mif=mif("Failed")),
            {"reporting": REPORTING},
            JobState.FAILED,
            StatusId.FAILED_BY_RESULT_FILE,
        ),
        (
            Script(restarts_machine=True, installs=("editor=2",)),
            {"detection": RULE},
            JobState.SUCCEEDED,
            StatusId.INTERRUPTED_RESOLVED,
        ),
    ],
)
def test_q292261_a_program_that_restarts_the_machine_has_one_final_result_that_is_reported(
    world: World, script: Script, changes: dict[str, object], state: JobState, status: StatusId
) -> None:
    restarted(world, script, **changes)
    assert world.state_of() is state
    assert [(message.id, message.state) for message in finals(world)] == [(status, state)]
    assert world.told(StatusId.INTERRUPTED) == []
    for _ in range(5):
        world.after(HOUR)
    assert world.runs == ["setup"]


def test_a_program_that_goes_on_after_the_restart_is_waited_for(world: World) -> None:
    restarted(world, Script(restarts_in_the_middle=True, resumes_seconds=300, installs=("editor=2",)), detection=RULE)
    assert world.state_of() is JobState.RUNNING
    assert finals(world) == []
    for _ in range(6):
        world.after(MINUTE)
    assert world.state_of() is JobState.SUCCEEDED
    assert [message.id for message in finals(world)] == [StatusId.INTERRUPTED_RESOLVED]
    assert world.runs == ["setup"]


def test_a_program_that_never_goes_on_after_the_restart_has_failed_by_its_rule(world: World) -> None:
    restarted(world, Script(restarts_in_the_middle=True), detection=RULE)
    assert world.state_of() is JobState.RUNNING
    world.after(timedelta(seconds=RESUME_SECONDS))
    assert world.state_of() is JobState.FAILED
    assert "is not there" in world.job().text


def test_a_restart_that_nobody_expected_is_an_interruption(world: World) -> None:
    world.script("setup", Script(seconds=600))
    world.package(world.program(if_interrupted=IfInterrupted.LEAVE))
    world.advertise(1, ASAP)
    world.turn()
    world.machine.restart_now()
    world.after(MINUTE)
    assert world.state_of() is JobState.INTERRUPTED


# --- stops ---


def asked_to_stop(world: World, number: int) -> None:
    with world.machine.state.transaction():
        records.save_job(world.machine.state, changed(world.job(), stop_request=number))


def test_a_run_that_is_stopped_answers_the_request(world: World) -> None:
    world.script("setup", Script(seconds=600))
    world.package(world.program())
    world.advertise(1, ASAP)
    world.turn()
    asked_to_stop(world, 7)
    world.machine.programs.stop(world.job().run, is_forced=True)
    world.after(MINUTE)
    assert world.state_of() is JobState.FAILED
    assert [(message.id, message.request) for message in finals(world)] == [(StatusId.STOPPED, 7)]


def test_a_run_that_ended_before_it_could_be_stopped_says_so(world: World) -> None:
    world.script("setup", Script(seconds=60))
    world.package(world.program())
    world.advertise(1, ASAP)
    world.turn()
    world.clock.advance(MINUTE)
    world.machine.turn()
    asked_to_stop(world, 7)
    world.turn()
    assert world.state_of() is JobState.SUCCEEDED
    assert [message.request for message in world.told(StatusId.REQUEST_TOO_LATE)] == [7]
    assert [message.request for message in finals(world)] == [0]


# --- what is there afterwards ---


def ended_text(world: World) -> str:
    """How the run ended, in words: the site shows what it was told last, so what was found takes nothing of it away."""
    ends = (StatusId.SUCCEEDED_BY_EXIT_CODE, StatusId.FAILED_BY_EXIT_CODE)
    return next(message.text for message in world.messages if message.id in ends)


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (Script(installs=("editor=2",)), StatusId.DETECTED, "is there"),
        (Script(), StatusId.NOT_DETECTED, "is not there"),
        (Script(exit_code=1, installs=("editor=2",)), StatusId.DETECTED, "did not succeed, and yet"),
        (Script(exit_code=1), None, ""),
    ],
)
def test_what_is_detected_afterwards_is_a_fact_of_its_own(
    world: World, script: Script, status: StatusId | None, words: str
) -> None:
    run(world, script, detection=RULE)
    told = [message for message in world.messages if message.id in (StatusId.DETECTED, StatusId.NOT_DETECTED)]
    assert [message.id for message in told] == ([] if status is None else [status])
    assert all(words in message.text for message in told)
    assert all((message.exit_code, message.text.partition(";")[0]) == (script.exit_code, ended_text(world)) for message in told)


def test_q316021_an_uninstall_is_judged_by_its_mif_too(world: World) -> None:
    world.script("remove", Script(exit_code=9, mif=mif("Success"), removes=("editor",)))
    uninstall = Uninstall(command=Command(argv=("remove",)))
    run(world, Script(installs=("editor=2",)), detection=RULE, uninstall=uninstall, reporting=REPORTING)
    world.removals.add(PACKAGE)
    world.settle()
    assert [message.exit_code for message in world.told(StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE)] == [9]
    assert records.receipts(world.machine.state) == []


def test_what_is_still_there_after_its_uninstall_is_told(world: World) -> None:
    world.script("remove", Script())
    run(world, Script(installs=("editor=2",)), detection=RULE, uninstall=Uninstall(command=Command(argv=("remove",))))
    world.removals.add(PACKAGE)
    world.settle()
    assert [message.text for message in world.told(StatusId.DETECTED)][1:] == [
        "it was uninstalled, but what it installs is still there"
    ]


def test_a_start_that_meant_not_now_is_no_run_of_the_history(world: World) -> None:
    run(world, Script(exit_code=1618))
    assert world.history().runs == ()


def test_what_one_run_left_and_cannot_be_removed_keeps_nothing_else_from_running(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = world.machine.disk.remove

    def stuck(path: str) -> None:
        if path.startswith("runs/"):
            raise UnavailableError("something is mounted there")
        remove(path)

    monkeypatch.setattr(world.machine.disk, "remove", stuck)
    assert run(world, Script()).state is JobState.SUCCEEDED
    world.package(world.program(1, "other"), package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))
    world.settle()
    assert world.runs == ["setup", "other"]
    assert world.machine.disk.names("runs")
    monkeypatch.undo()
    world.turn()
    assert world.machine.disk.names("runs") == []
