"""Scripted programs on a simulated machine: how they end, and what is known of them afterwards."""

from datetime import timedelta

import msgspec
import pytest

from purveyor.client.machine.interface import RunOrder, RunReport, RunState
from purveyor.lab.clock import Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import PowerCut
from purveyor.lab.programs import Script
from purveyor.wire.package_info import Command


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(clock: Clock) -> SimulatedMachine:
    return SimulatedMachine("pc1", clock)


def _order(machine: SimulatedMachine, run: str = "1", command: str = "setup", max_run_seconds: int = 3600) -> RunOrder:
    return RunOrder(
        run=run,
        command=Command(shell_line=command),
        working_directory=machine.disk.absolute(f"runs/{run}/content"),
        environment={"PURVEYOR_RUN": run},
        max_run_seconds=max_run_seconds,
        result_file=machine.disk.absolute(f"runs/{run}/result"),
    )


def _after(machine: SimulatedMachine, clock: Clock, seconds: float, run: str = "1") -> RunReport:
    clock.advance(timedelta(seconds=seconds))
    machine.turn()
    return machine.programs.look(run)


def test_a_program_runs_until_its_time_is_over_and_gives_its_exit_code(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=90, exit_code=3010, prints="done"))
    machine.programs.start(_order(machine))
    assert _after(machine, clock, 89).state is RunState.RUNNING
    report = _after(machine, clock, 1)
    assert (report.state, report.exit_code, report.output_tail) == (RunState.ENDED, 3010, "done")
    assert report.started_at is not None and report.ended_at == report.started_at + timedelta(seconds=90)


def test_a_program_installs_when_it_ends_and_not_before(machine: SimulatedMachine, clock: Clock) -> None:
    machine.installed["old"] = "1"
    machine.programs.script("setup", Script(seconds=90, installs=("hello=2.10", "/opt/hello"), removes=("old",), result=b"{}"))
    machine.programs.start(_order(machine))
    _after(machine, clock, 89)
    assert (machine.installed, machine.files) == ({"old": "1"}, {})
    _after(machine, clock, 1)
    assert machine.installed == {"hello": "2.10"}
    assert list(machine.files) == ["/opt/hello"]
    assert machine.disk.read("runs/1/result") == b"{}"


def test_one_run_id_starts_one_program(machine: SimulatedMachine) -> None:
    machine.programs.start(_order(machine))
    machine.programs.start(_order(machine))
    assert len(machine.programs.launches) == 1


def test_a_program_that_hangs_is_ended_at_its_time(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(hangs=True, installs=("hello",)))
    machine.programs.start(_order(machine, max_run_seconds=600))
    machine.programs.stop("1", is_forced=False)
    assert _after(machine, clock, 599).state is RunState.RUNNING
    report = _after(machine, clock, 1)
    assert (report.state, report.is_timed_out, report.exit_code) == (RunState.ENDED, True, None)
    assert machine.installed == {}


def test_a_run_ends_with_the_child_that_it_left_behind(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=10, forks_seconds=100))
    machine.programs.start(_order(machine))
    assert _after(machine, clock, 60).state is RunState.RUNNING
    assert _after(machine, clock, 50).exit_code == 0


def test_a_program_that_cannot_be_started_was_not_launched(machine: SimulatedMachine) -> None:
    machine.programs.script("setup", Script(start_error="no such file"))
    machine.programs.start(_order(machine))
    assert machine.programs.look("1").start_error == "no such file"
    assert machine.programs.launches == []


def test_a_stopped_program_ends_where_it_is(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.start(_order(machine))
    clock.advance(timedelta(seconds=5))
    machine.programs.stop("1", is_forced=False)
    report = machine.programs.look("1")
    assert (report.state, report.is_stopped, report.ended_at) == (RunState.ENDED, True, clock.now())


def test_a_forced_stop_ends_even_what_hangs(machine: SimulatedMachine) -> None:
    machine.programs.script("setup", Script(hangs=True))
    machine.programs.start(_order(machine))
    machine.programs.stop("1", is_forced=True)
    assert machine.programs.look("1").is_stopped


def test_a_command_can_behave_differently_at_each_start(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(exit_code=5), Script(exit_code=0))
    codes = []
    for run in ("1", "2", "3"):
        machine.programs.start(_order(machine, run))
        codes.append(_after(machine, clock, 60, run).exit_code)
    assert codes == [5, 0, 0]


def test_after_a_power_cut_nobody_knows_how_a_run_ended(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(installs=("hello",)))
    machine.programs.start(_order(machine))
    machine.power_cut()
    machine.start()
    assert _after(machine, clock, 600).state is RunState.UNKNOWN
    assert machine.installed == {}


def test_the_end_of_a_run_outlasts_a_power_cut(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.start(_order(machine))
    _after(machine, clock, 60)
    machine.power_cut()
    machine.start()
    assert machine.programs.look("1").exit_code == 0


def test_a_program_that_restarts_the_machine_is_not_seen_to_end(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(restarts_machine=True, installs=("hello",)))
    boot = machine.boot_id()
    machine.programs.start(_order(machine))
    assert _after(machine, clock, 60).state is RunState.UNKNOWN
    assert machine.boot_id() != boot
    assert machine.installed == {"hello": ""}


def test_a_run_that_the_power_prevented_was_never_launched(machine: SimulatedMachine) -> None:
    machine.power.fail_at(1)
    with pytest.raises(PowerCut):
        machine.programs.start(_order(machine))
    machine.power_cut()
    machine.start()
    assert machine.programs.look("1").state is RunState.UNKNOWN
    assert machine.programs.launches == []


def test_a_forgotten_run_is_unknown_but_its_launch_is_remembered(machine: SimulatedMachine, clock: Clock) -> None:
    machine.disk.append("runs/1/content/setup.sh", b"#!/bin/sh")
    machine.programs.start(_order(machine))
    _after(machine, clock, 60)
    machine.programs.forget("1")
    assert machine.programs.look("1").state is RunState.UNKNOWN
    assert [(launch.command, launch.files) for launch in machine.programs.launches] == [("setup", {"setup.sh": b"#!/bin/sh"})]


def test_reports_carry_the_machines_own_time(clock: Clock) -> None:
    machine = SimulatedMachine("pc1", clock, skew=timedelta(hours=-5))
    machine.programs.start(_order(machine))
    report = _after(machine, clock, 60)
    assert report.ended_at == clock.now() - timedelta(hours=5) == machine.now()


# --- what stranger programs do ---


def test_a_program_that_relaunches_itself_is_done_when_its_child_is(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=1, forks_seconds=60, relaunches=True, installs=("editor=4",), result=b"{}"))
    machine.programs.start(_order(machine))
    assert _after(machine, clock, 30).state is RunState.RUNNING
    assert machine.installed == {}
    assert _after(machine, clock, 31).exit_code == 0
    assert machine.installed == {"editor": "4"}
    assert machine.disk.read("runs/1/result") == b"{}"


def test_a_child_that_is_out_of_time_has_done_nothing(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=1, forks_seconds=60, relaunches=True, installs=("editor=4",)))
    machine.programs.start(_order(machine, max_run_seconds=30))
    assert _after(machine, clock, 90).is_timed_out
    assert machine.installed == {}


def test_a_restart_in_the_middle_leaves_nothing_behind(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=5, restarts_in_the_middle=True, installs=("editor=4",), result=b"{}"))
    machine.programs.start(_order(machine))
    boot = machine.boot_id()
    assert _after(machine, clock, 5).state is RunState.UNKNOWN
    assert machine.boot_id() != boot
    assert machine.installed == {}
    assert machine.disk.read("runs/1/result") is None


def test_what_was_left_for_the_next_start_goes_on_then(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=5, restarts_machine=True, resumes_seconds=20, installs=("editor=4",)))
    machine.programs.start(_order(machine))
    assert _after(machine, clock, 5).state is RunState.UNKNOWN
    assert machine.installed == {}
    _after(machine, clock, 20)
    assert machine.installed == {"editor": "4"}


def test_a_mif_is_left_where_temporary_files_go(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(seconds=1, mif=b"Start Component", mif_name="setup.mif"))
    order = _order(machine)
    variables = {"TMPDIR": machine.disk.absolute("runs/1/scratch")}
    machine.programs.start(msgspec.structs.replace(order, environment=variables))
    _after(machine, clock, 2)
    assert machine.disk.read("runs/1/scratch/setup.mif") == b"Start Component"


def test_a_launch_tells_with_whose_rights_it_ran(machine: SimulatedMachine) -> None:
    account = machine.people.add_account("CORP\\alice")
    machine.programs.start(_order(machine))
    machine.programs.start(msgspec.structs.replace(_order(machine, run="2"), account=account))
    assert [launch.run_as for launch in machine.programs.launches] == ["", "CORP\\alice"]


def test_a_log_off_ends_windows_of_that_user_and_nothing_else(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("window", Script(seconds=60, ends_at_log_off=True))
    machine.people.log_on("alice")
    account = machine.account("alice")
    for run, order in {
        "window": msgspec.structs.replace(_order(machine, run="window", command="window"), account=account),
        "quiet": msgspec.structs.replace(_order(machine, run="quiet"), account=account),
        "system": _order(machine, run="system", command="window"),
    }.items():
        assert order.run == run
        machine.programs.start(order)
    machine.people.log_off("bob")
    assert len(machine.running()) == 3
    machine.people.log_off("alice")
    assert machine.running() == ["quiet", "system"]
    assert _after(machine, clock, 1, "window").exit_code == 1


def test_a_program_that_prints_endlessly_is_ended_and_its_last_words_are_kept(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(prints="yes\n", prints_endlessly=True, installs=("hello",)))
    machine.programs.start(_order(machine, max_run_seconds=600))
    assert _after(machine, clock, 599).state is RunState.RUNNING
    report = _after(machine, clock, 1)
    assert report.is_timed_out and report.output_tail == "yes\n" * 500
    assert machine.installed == {}


def test_a_program_that_fills_the_disk_leaves_no_room(machine: SimulatedMachine, clock: Clock) -> None:
    machine.programs.script("setup", Script(fills_disk=True, result=b"{}"))
    machine.programs.start(_order(machine))
    assert machine.disk.free_bytes() == 0
    assert _after(machine, clock, 60).exit_code == 0
    assert machine.disk.read("runs/1/result") == b"", "its result file found no room"
    machine.calm()
    assert machine.disk.free_bytes() > 0


def test_a_program_may_delete_its_own_content(machine: SimulatedMachine, clock: Clock) -> None:
    machine.disk.append("runs/1/content/setup", b"x")
    machine.disk.append("runs/1/kept", b"x")
    machine.programs.script("setup", Script(deletes_content=True))
    machine.programs.start(_order(machine))
    assert machine.programs.launches[0].files == {"setup": b"x"}
    assert list(machine.disk.files()) == ["runs/1/kept"]
    assert _after(machine, clock, 60).exit_code == 0
