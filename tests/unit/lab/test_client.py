"""The sentinel that the fleet plays: it wakes the agent for people where that matters, and after a start of the machine."""

from datetime import timedelta

import pytest

from purveyor.lab.client import BOOT, NEVER
from purveyor.lab.fleet import Fleet


@pytest.mark.parametrize("is_mandatory", [True, False])
def test_who_logs_on_or_off_wakes_the_agent_where_something_offered_waits_for_people(is_mandatory: bool) -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        program = fleet.admin.add_program(fleet.admin.add_package("App"), "install", "app.exe")
        fleet.admin.advertise(program, assignments=["asap"] if is_mandatory else [])
        fleet.settle()
        for change in (lambda: client.machine.people.log_on("alice"), lambda: client.machine.people.log_off("alice")):
            before = client.passes
            change()
            fleet.advance(seconds=5)
            assert client.passes - before == (0 if is_mandatory else 1)


def test_a_start_of_the_machine_wakes_the_agent() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        fleet.settle()
        before = client.passes
        client.machine.restart_now()
        assert client.wake_at == client.machine.started_at + BOOT
        fleet.advance(minutes=1)
        assert client.passes == before + 1


def test_a_machine_without_power_is_not_woken() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        fleet.settle()
        client.machine.power_cut()
        assert client.wake_at == NEVER
        before = client.passes
        fleet.advance(hours=3)
        assert client.passes == before
        client.switch_on()
        assert client.wake_at - fleet.clock.now() <= timedelta(minutes=1)
