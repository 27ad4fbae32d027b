"""What the desk shows of an agent's state, and what becomes of wishes: from the state to the run and back to what is shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import pytest

from apm_world import ASAP, HOUR, World, advertisement_id, at
from purveyor.client.page.desk import ASKS_EACH, Opened, StateDesk
from purveyor.client.page.peers import Visitor
from purveyor.client.page.shown import Shown, ShownProgram
from purveyor.client.page.wishes import Postpone, PostponeRestart, RestartNow, RunNow
from purveyor.client.programs.memory.asks import asks
from purveyor.lab.clock import START
from purveyor.lab.programs import Script
from purveyor.wire.errors import RefusedError
from purveyor.wire.jobs import JobState
from purveyor.wire.settings import AgentSettings

ALICE, BORIS = Visitor(1000, "alice"), Visitor(1001, "boris")
ROOT = Visitor(0, "root", is_administrator=True)


class Office(World):
    """A machine with a desk."""

    def __init__(self) -> None:
        super().__init__()
        self.wake_count = 0
        self.settings: dict[str, object] = {}
        self.desk = StateDesk(self.opened, woken=self._wake)

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        yield Opened(self.machine.state, self.machine, self.policy)

    def policy(self):  # noqa: ANN201 - the policy of the world, with other settings
        found = super().policy()
        settings: AgentSettings = msgspec.structs.replace(found.settings, **self.settings)
        return msgspec.structs.replace(found, settings=settings)

    def look(self, visitor: Visitor = ALICE) -> Shown:
        return self.desk.look(visitor)

    def seen(self, visitor: Visitor = ALICE) -> ShownProgram:
        [program] = self.look(visitor).programs
        return program

    def change(self, number: int = 1, **changes: object) -> None:
        one = self.advertisements[advertisement_id(number)]
        self.advertisements[one.id] = msgspec.structs.replace(one, **changes)

    def _wake(self) -> None:
        self.wake_count += 1


@pytest.fixture
def office() -> Office:
    found = Office()
    found.package(found.program(description="Sets it up."))
    return found


def test_an_optional_program_is_started_and_its_run_is_shown(office: Office) -> None:
    office.advertise()
    office.turn()
    assert office.seen().may_run_now and office.seen().state is None
    said = office.desk.ask(ALICE, RunNow(program=office.seen().id))
    assert (said, office.wake_count) == ("setup will be run as soon as it can be", 1)
    office.settle()
    assert office.runs == ["setup"]
    assert office.seen().last_run is not None
    assert [(run.name, run.state) for run in office.look().runs] == [("setup", JobState.SUCCEEDED)]
    assert asks(office.machine.state) == []


def test_a_run_is_planned_for_the_time_that_was_chosen(office: Office) -> None:
    office.advertise()
    office.desk.ask(ALICE, RunNow(program="S0100001/1", at=START + 3 * HOUR))
    assert office.turn() == START + 3 * HOUR
    assert (office.seen().state, office.seen().due_at) == (JobState.WAITING, START + 3 * HOUR)
    office.clock.advance(3 * HOUR)
    office.settle()
    assert office.runs == ["setup"]


def test_a_run_that_is_assigned_is_put_off_and_comes_then(office: Office) -> None:
    office.advertise(1, at(START + HOUR))
    office.change(is_visible=True, postpone_seconds=4 * 3600)
    office.turn()
    assert office.seen().may_postpone_until == START + 5 * HOUR
    office.desk.ask(ALICE, Postpone(program="S0100001/1", until=START + 4 * HOUR))
    office.turn()
    assert (office.seen().state, office.seen().postponed_until) == (JobState.POSTPONED, START + 4 * HOUR)
    office.after(2 * HOUR)
    assert office.runs == []
    office.clock.advance(2 * HOUR)
    office.settle()
    assert office.runs == ["setup"]


def test_a_program_that_runs_is_neither_started_again_nor_put_off(office: Office) -> None:
    office.script("setup", Script(seconds=600))
    office.advertise(1, ASAP)
    office.change(is_visible=True, postpone_seconds=4 * 3600)
    office.turn()
    assert office.seen().state is JobState.RUNNING
    with pytest.raises(RefusedError, match="running already"):
        office.desk.ask(ALICE, RunNow(program="S0100001/1"))
    with pytest.raises(RefusedError, match="too late"):
        office.desk.ask(ALICE, Postpone(program="S0100001/1", seconds=600))
    assert office.wake_count == 0


def test_what_is_for_others_is_shown_to_them_and_to_the_administrator_alone(office: Office) -> None:
    office.advertise()
    office.change(users=("boris",))
    office.turn()
    assert office.look(ALICE).programs == ()
    assert office.seen(BORIS).may_run_now
    assert (office.seen(ROOT).name, office.seen(ROOT).may_run_now) == ("setup", False)
    with pytest.raises(RefusedError, match="offered on this machine, but not to alice"):
        office.desk.ask(ALICE, RunNow(program="S0100001/1"))


def test_the_administrator_of_the_machine_starts_what_is_for_everybody(office: Office) -> None:
    office.advertise()
    office.desk.ask(ROOT, RunNow(program="S0100001/1"))
    office.settle()
    assert office.runs == ["setup"]


def test_what_is_not_offered_is_refused(office: Office) -> None:
    with pytest.raises(RefusedError, match="is not offered to alice"):
        office.desk.ask(ALICE, RunNow(program="S0100001/1"))


def test_one_user_does_not_fill_the_desk(office: Office) -> None:
    office.advertise()
    for number in range(ASKS_EACH):
        office.desk.ask(ALICE, RunNow(program="S0100001/1", at=START + (number + 1) * HOUR))
    with pytest.raises(RefusedError, match="wait already"):
        office.desk.ask(ALICE, RunNow(program="S0100001/1"))
    office.desk.ask(BORIS, RunNow(program="S0100001/1"))


def test_who_presses_a_button_twice_starts_it_once(office: Office) -> None:
    office.advertise()
    office.desk.ask(ALICE, RunNow(program="S0100001/1"))
    office.desk.ask(ALICE, RunNow(program="S0100001/1"))
    assert len(asks(office.machine.state)) == 1
    office.settle()
    assert office.runs == ["setup"]


def test_what_may_be_put_off_is_shown_to_who_may_even_where_they_may_not_start_it(office: Office) -> None:
    office.advertise(1, at(START + HOUR))
    office.change(postpone_seconds=3600)
    office.turn()
    assert (office.seen().may_run_now, office.seen().may_postpone_until) == (False, START + 2 * HOUR)
    with pytest.raises(RefusedError, match="cannot be started by a user"):
        office.desk.ask(ALICE, RunNow(program="S0100001/1"))
    office.desk.ask(ALICE, Postpone(program="S0100001/1", seconds=2 * 3600))
    office.turn()
    assert office.seen().postponed_until == START + 2 * HOUR


def test_the_secret_of_the_page_is_made_once_and_kept(office: Office) -> None:
    first = office.desk.key()
    assert len(first) == 32
    assert StateDesk(office.opened, woken=lambda: None).key() == first


@pytest.fixture
def restarting(office: Office) -> Office:
    """A machine on which a program waits for a restart, with alice in front of it."""
    office.settings = {"may_restart": True, "restart_countdown_seconds": 900}
    office.machine.people.log_on("alice")
    office.script("setup", Script(exit_code=3010))
    office.advertise(1, ASAP)
    office.settle()
    return office


def test_a_restart_is_counted_down_and_put_off_by_who_is_logged_on(restarting: Office) -> None:
    restart = restarting.look(ALICE).restart
    assert restart is not None and restart.at is not None
    assert timedelta(minutes=10) < restart.at - restarting.clock.now() <= timedelta(minutes=15)
    assert (restart.may_restart_now, restart.may_postpone) == (True, True)
    restarting.desk.ask(ALICE, PostponeRestart())
    restarting.turn()
    later = restarting.look(ALICE).restart
    assert later is not None and later.at is not None and later.at > restart.at
    assert later.postponements_left == restart.postponements_left - 1


def test_who_is_not_logged_on_can_do_nothing_about_a_restart(restarting: Office) -> None:
    restart = restarting.look(BORIS).restart
    assert restart is not None and (restart.may_restart_now, restart.may_postpone) == (False, False)
    for wish in (RestartNow(), PostponeRestart()):
        with pytest.raises(RefusedError):
            restarting.desk.ask(BORIS, wish)


def test_nobody_restarts_the_machine_under_somebody_else(restarting: Office) -> None:
    restarting.machine.people.log_on("boris")
    with pytest.raises(RefusedError, match="others are logged on"):
        restarting.desk.ask(ALICE, RestartNow())
    restarting.desk.ask(ROOT, RestartNow())


def test_a_restart_that_is_wanted_now_comes_now(restarting: Office) -> None:
    restarting.desk.ask(ALICE, RestartNow())
    restarting.turn()
    assert restarting.machine.is_restart_wanted
