"""The agent's passes: when they poll, what they tell of problems, and what they leave for the sentinel to wait for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from purveyor.client import join, reports, running
from purveyor.client.main import Parts
from purveyor.client.programs.memory import records
from purveyor.client.state import published
from purveyor.client.state.identity import next_sequence, read_identity
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import CAP_URL, POLL_INTERVAL, Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import resources
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, Uninstall
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

MINUTE = timedelta(minutes=1)
TIMESTAMP = "clidata.box/timestamp.json"
LONG = "long.exe"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """A fleet of one client that has polled for some hours."""
    with Fleet(1) as made:
        made.advance_polls(3)
        yield made


def polls_of(fleet: Fleet, client: LabClient) -> list[float]:
    """When a client asked for the timestamp, in minutes since the fleet began."""
    asked = [one for one in fleet.cap.requests if one.path == TIMESTAMP and one.client == client.name]
    return [(one.at - fleet.cap.requests[0].at) / MINUTE for one in asked]


def plan_of(client: LabClient) -> tuple[float, float | None]:
    """In how many seconds the sentinel is to look at the polls, and to start a pass."""
    assert client.last_pass is not None
    now = client.machine.now().timestamp()
    plan = running._plan(Parts(client.machine, client.machine.state, client.point_for), client.last_pass)
    return plan.next_poll_at - now, None if plan.next_due_at is None else plan.next_due_at - now


# --- when a pass polls ---


def test_a_program_that_runs_for_hours_makes_no_poll_more(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.script(LONG, Script(seconds=5 * 3600))
    program = fleet.admin.add_program(fleet.admin.add_package("Long"), "install", LONG, max_run_seconds=6 * 3600)
    fleet.admin.advertise(program)
    before = len(polls_of(fleet, client))
    fleet.advance_polls(8)
    assert fleet.ran(client, LONG) == 1
    assert len(polls_of(fleet, client)) - before <= 9


def test_before_a_job_begins_at_its_time_the_site_is_asked_and_later_polls_keep_their_step(fleet: Fleet) -> None:
    [client] = fleet.clients
    program = fleet.admin.add_program(fleet.admin.add_package("Timed"), "install", "timed.exe")
    at = (client.machine.now() + 2.4 * POLL_INTERVAL).replace(second=0, microsecond=0)
    fleet.admin.advertise(program, assignments=[f"{at:%Y-%m-%dT%H:%MZ}"])
    before = len(polls_of(fleet, client))
    fleet.advance_polls(6)
    polls = polls_of(fleet, client)[before - 1 :]
    due_at = (at - fleet.cap.requests[0].at) / MINUTE
    assert min(abs(poll - due_at) for poll in polls) < 1
    regular = [poll for poll in polls if abs(poll - due_at) >= 1]
    assert {round(poll - regular[0]) % 60 for poll in regular} == {0}


def test_clients_that_joined_at_one_moment_do_not_poll_at_one_moment() -> None:
    with Fleet(20) as fleet:
        for client in fleet.clients:
            client.wake_at = fleet.clock.now()
        fleet.advance_polls(4)
        last = sorted(polls_of(fleet, client)[-1] for client in fleet.clients)
        assert last[-1] - last[0] > 30
        assert len({round(poll) for poll in last}) > 10


def test_where_no_cap_answers_the_next_poll_comes_sooner_than_an_interval(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.cap.cut()
    fleet.advance_polls(1)
    assert plan_of(client)[0] < 1801
    fleet.cap.mend()
    fleet.advance(minutes=31)
    assert client.last_pass is not None
    assert client.last_pass.access_point is not None


# --- problems ---


def test_a_problem_that_lasts_is_told_once(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.cap.cut()
    fleet.advance(hours=20)
    rows = client.machine.state.connection.execute("select content from message").fetchall()
    items = client.machine.state.connection.execute("select content from item").fetchall()
    told = [bytes(row[0]) for row in rows + items]
    assert sum(content.count(b"cannot be reached") for content in told) == 1


# --- the sentinel's plan ---


def test_a_blocked_client_waits_as_long_as_any_other(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.admin.change(resources.block, client.id, reason="stolen")
    fleet.advance(hours=30)
    to_poll, to_pass = plan_of(client)
    assert to_poll > 0
    assert to_pass is None or to_pass > 60


def test_messages_of_a_client_that_is_no_member_are_bounded(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.admin.change(resources.block, client.id, reason="stolen")
    fleet.advance_polls(2)
    state = client.machine.state
    with state.transaction():
        for _ in range(10_050):
            reports.tell(state, StatusMessage(id=StatusId.JOB_WAITING, at=client.machine.now()))
    fleet.advance_polls(2)
    assert reports.pending_count(state) <= 10_010


# --- a state folder from an old copy ---


def test_a_client_restored_from_an_old_copy_gives_no_number_twice(fleet: Fleet) -> None:
    [client] = fleet.clients
    state = client.machine.state
    used = next_sequence(state)
    with state.transaction() as tx:
        tx.execute("update identity set next_sequence = 1")
        tx.execute("delete from item")
    reports.acknowledge(state, used)
    assert next_sequence(state) == used + 1
    assert read_identity(state).client == client.id
    assert published.held_entry(state) is not None


# --- leaving ---


def test_a_program_that_runs_while_its_machine_leaves_is_watched_to_its_end(fleet: Fleet) -> None:
    [client] = fleet.clients
    fleet.script(LONG, Script(seconds=5 * 3600))
    program = fleet.admin.add_program(fleet.admin.add_package("Long"), "install", LONG, max_run_seconds=6 * 3600)
    fleet.admin.advertise(program)
    fleet.advance_polls(2)
    join.leave(client.machine.state, client.machine, point_for=client.point_for)
    assert [job.state for job in records.jobs(client.machine.state)] == [JobState.RUNNING]
    client.join(CAP_URL, fleet.new_join_code())
    fleet.advance_polls(8)
    assert fleet.ran(client, LONG) == 1
    assert records.history_of(client.machine.state, program).has_succeeded


# --- what is removed and deleted ---


def test_nothing_of_a_package_is_left_when_it_was_removed_and_deleted(fleet: Fleet) -> None:
    [client] = fleet.clients
    uninstall = Uninstall(command=Command(argv=("remove.exe",)))
    program = fleet.admin.add_program(fleet.admin.add_package("Short-lived"), "install", "install.exe", uninstall=uninstall)
    fleet.admin.advertise(program)
    fleet.advance_polls(2)
    assert client.receipts() == [program]
    fleet.admin.delete_package(program.package, with_uninstall=True)
    fleet.advance_polls(6)
    assert fleet.ran(client, "remove.exe") == 1
    assert client.receipts() == []
    assert fleet.holds_anything_of(client, program.package) == []
