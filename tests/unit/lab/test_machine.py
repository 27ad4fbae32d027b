"""The simulated machine as a whole: restarts, power cuts, detection, the agent's state."""

import hashlib
from datetime import timedelta

import pytest

from purveyor.lab.clock import Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import PowerCut
from purveyor.lab.programs import Script
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Command, CommandRule, DetectionRule, FileRule, OsPackageRule


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(clock: Clock) -> SimulatedMachine:
    return SimulatedMachine("pc1", clock)


def test_committed_state_outlasts_a_power_cut_and_open_work_does_not(machine: SimulatedMachine) -> None:
    machine.state.remember("kept", "yes")
    with pytest.raises(PowerCut):
        _cut_within_a_transaction(machine)
    machine.start()
    assert machine.state.fact("kept") == "yes"
    assert machine.state.fact("lost") == machine.state.fact("late") == ""


def _cut_within_a_transaction(machine: SimulatedMachine) -> None:
    with machine.state.transaction() as tx:
        tx.execute("insert into fact values ('lost', 'yes')")
        machine.power_cut()
        tx.execute("insert into fact values ('late', 'yes')")


def test_a_power_cut_before_a_commit_loses_it(machine: SimulatedMachine) -> None:
    machine.power.fail_at(2)
    machine.state.remember("first", "yes")
    with pytest.raises(PowerCut):
        machine.state.remember("second", "yes")
    machine.power_cut()
    machine.start()
    assert (machine.state.fact("first"), machine.state.fact("second")) == ("yes", "")


def test_a_statement_outside_a_transaction_is_an_effect_too(machine: SimulatedMachine) -> None:
    machine.power.fail_at(1)
    with pytest.raises(PowerCut):
        machine.state.connection.execute("insert into fact values ('a', 'b')")
    machine.power_cut()
    machine.start()
    assert machine.state.fact("a") == ""


def test_reading_state_is_no_effect(machine: SimulatedMachine) -> None:
    machine.power.fail_at(1)
    assert machine.state.fact("a") == ""
    assert machine.state.mark("a") == 0
    assert machine.power.effect_count == 0


def test_state_can_be_written_again_after_a_power_cut_within_a_transaction(machine: SimulatedMachine) -> None:
    machine.power.fail_at(1)
    with pytest.raises(PowerCut), machine.state.transaction() as tx:
        tx.execute("insert into fact values ('a', 'b')")
    machine.power_cut()
    machine.start()
    machine.state.remember("a", "again")
    assert machine.state.fact("a") == "again"


def test_every_start_has_a_boot_id_of_its_own(machine: SimulatedMachine) -> None:
    boots = {machine.boot_id()}
    machine.restart_now()
    boots.add(machine.boot_id())
    machine.power_cut()
    machine.start()
    boots.add(machine.boot_id())
    assert len(boots) == 3


def test_a_restart_that_was_asked_for_comes_with_the_next_turn_and_loses_nothing(machine: SimulatedMachine) -> None:
    machine.disk.append("a", b"unsynced")
    boot = machine.boot_id()
    machine.restart()
    assert machine.boot_id() == boot
    machine.turn()
    assert machine.boot_id() != boot
    machine.disk.power_cut()
    assert machine.disk.read("a") == b"unsynced"


def test_what_nobody_synced_is_written_back_within_a_minute() -> None:
    clock = Clock()
    machine = SimulatedMachine("pc1", clock)
    machine.disk.append("a", b"x")
    clock.advance(timedelta(seconds=60))
    machine.turn()
    machine.power_cut()
    assert machine.disk.read("a") == b"x"


_DIGEST = hashlib.sha256(b"/opt/hello").hexdigest()


@pytest.mark.parametrize(
    ("rule", "is_detected"),
    [
        (FileRule(path="/opt/hello"), True),
        (FileRule(path="/opt/hello", sha256=_DIGEST), True),
        (FileRule(path="/opt/hello", sha256="0" * 64), False),
        (FileRule(path="/opt/other"), False),
        (OsPackageRule(name="hello"), True),
        (OsPackageRule(name="hello", at_least="2.9"), True),
        (OsPackageRule(name="hello", at_least="2.10.1"), False),
        (OsPackageRule(name="other"), False),
        (CommandRule(command=Command(argv=("test", "-e", "x"))), True),
        (CommandRule(command=Command(shell_line="false")), False),
    ],
)
def test_a_rule_detects_what_is_there(machine: SimulatedMachine, rule: DetectionRule, is_detected: bool) -> None:
    machine.installed["hello"] = "2.10"
    machine.files["/opt/hello"] = b"/opt/hello"
    machine.programs.script("false", Script(exit_code=1))
    assert machine.is_detected(rule) is is_detected


def test_random_bytes_differ_between_machines_and_repeat_with_the_seed() -> None:
    clock = Clock()
    first, second = SimulatedMachine("pc1", clock), SimulatedMachine("pc2", clock)
    again = SimulatedMachine("pc1", clock)
    drawn = first.random_bytes(16)
    assert len(drawn) == 16
    assert drawn == again.random_bytes(16) != second.random_bytes(16)
    assert drawn != first.random_bytes(16)


# --- people, and going down ---


def test_a_machine_goes_down_from_the_wish_for_a_restart_until_it_has_come(clock: Clock, machine: SimulatedMachine) -> None:
    assert not machine.surroundings().is_going_down
    machine.restart()
    assert machine.surroundings().is_going_down
    machine.turn()
    assert not machine.surroundings().is_going_down
    assert machine.uptime_seconds() == 0


def test_a_planned_restart_counts_in_its_last_minutes_and_comes_at_its_time(clock: Clock, machine: SimulatedMachine) -> None:
    boot = machine.boot_id()
    machine.restart_in(timedelta(minutes=30))
    machine.turn()
    assert not machine.surroundings().is_going_down
    clock.advance(timedelta(minutes=26))
    machine.turn()
    assert machine.surroundings().is_going_down
    assert machine.boot_id() == boot
    clock.advance(timedelta(minutes=4))
    machine.turn()
    assert machine.boot_id() != boot


def test_a_restart_logs_everybody_off_and_closes_what_they_were_told(machine: SimulatedMachine) -> None:
    session = machine.people.log_on("alice", ("staff",))
    machine.notices.show(session, "new", "Editor", "There is a new editor")
    assert [notice.user for notice in machine.notices.open.values()] == ["alice"]
    machine.restart_now()
    assert machine.surroundings().sessions == ()
    assert machine.notices.open == {}
    assert len(machine.notices.shown) == 1
    assert machine.people.log_on("alice").id != session.id


def test_an_account_of_a_domain_cannot_be_looked_up_while_the_directory_is_away(machine: SimulatedMachine) -> None:
    machine.people.log_on("CORP\\alice")
    machine.people.log_on("bob")
    machine.people.is_directory_away = True
    with pytest.raises(UnavailableError):
        machine.account("corp\\ALICE")
    assert machine.account("bob") is not None
    machine.people.is_directory_away = False
    found = machine.account("corp\\ALICE")
    assert found is not None
    assert found.home == "/home/alice"
    assert machine.account("carol") is None
