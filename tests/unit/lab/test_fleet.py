"""The fleet as a whole: time goes round, events come in their order, nothing is random that the seed does not say."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from purveyor.lab.fleet import CAP_URL, Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import join_codes, resources, status
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.shards import ClientState


def _hello(fleet: Fleet) -> None:
    package = fleet.admin.add_package("Hello", {"setup.sh": b"#!/bin/sh\n"})
    fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.sh /q"))


def test_what_is_advertised_runs_once_on_every_client_and_the_site_hears_of_it() -> None:
    with Fleet(3) as fleet:
        _hello(fleet)
        fleet.settle()
        assert [fleet.ran(client, "setup.sh /q") for client in fleet.clients] == [1, 1, 1]
        assert fleet.clients[0].machine.programs.launches[0].files == {"setup.sh": b"#!/bin/sh\n"}
        jobs = [job for client in fleet.clients for job in fleet.admin.ask(status.of_client, client.id).jobs]
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 3
        assert fleet.absent_requests() == []
        assert fleet.problems() == []


def test_clients_are_found_by_name() -> None:
    with Fleet(2) as fleet:
        assert fleet["pc2"].name == "pc2"
        with pytest.raises(KeyError):
            fleet["pc3"]


def test_the_same_seed_gives_the_same_course_of_events() -> None:
    courses = []
    for seed in (7, 7, 8):
        with Fleet(3, seed=seed) as fleet:
            _hello(fleet)
            fleet.advance(hours=2)
            courses.append([(launch.at, launch.run) for client in fleet.clients for launch in client.machine.programs.launches])
    assert courses[0] == courses[1] != courses[2]


def test_clients_poll_at_their_own_times_and_no_oftener_than_set() -> None:
    with Fleet(4) as fleet:
        fleet.advance(hours=1)
        polls = {client.name: [] for client in fleet.clients}
        fleet.cap.requests.clear()
        fleet.advance(hours=10)
        for request in fleet.cap.requests:
            if request.path == "clidata.box/timestamp.json":
                polls[request.client].append(request.at)
        assert [len(times) for times in polls.values()] == [10, 10, 10, 10]
        assert len({times[0] for times in polls.values()}) == 4


def test_a_machine_whose_clock_is_wrong_does_the_same() -> None:
    with Fleet(2) as fleet:
        fleet["pc1"].machine.clock.skew = timedelta(hours=-7)
        _hello(fleet)
        fleet.advance(hours=20)
        assert [fleet.ran(client, "setup.sh /q") for client in fleet.clients] == [1, 1]


def test_a_client_whose_power_fails_starts_again_with_what_it_had_stored() -> None:
    with Fleet(1) as fleet:
        client = fleet.clients[0]
        _hello(fleet)
        client.machine.power.fail_at(5)
        fleet.advance(hours=2)
        assert client.crashes == 1
        assert fleet.ran(client, "setup.sh /q") == 1


def test_a_machine_that_stays_off_does_nothing_until_it_is_switched_on() -> None:
    with Fleet(1) as fleet:
        client = fleet.clients[0]
        client.stays_off = True
        client.machine.power.fail_at(1)
        _hello(fleet)
        fleet.advance(hours=5)
        assert client.passes == 1
        client.switch_on()
        fleet.advance(hours=2)
        assert fleet.ran(client, "setup.sh /q") == 1


def test_a_program_that_restarts_its_machine_is_followed_by_a_new_agent() -> None:
    with Fleet(1) as fleet:
        client, boot = fleet.clients[0], fleet.clients[0].machine.boot_id()
        fleet.script("setup.sh /q", Script(restarts_machine=True))
        _hello(fleet)
        fleet.advance(hours=3)
        assert client.machine.boot_id() != boot
        assert fleet.ran(client, "setup.sh /q") == 1


def test_a_site_whose_power_fails_comes_back_and_goes_on() -> None:
    with Fleet(1) as fleet:
        _hello(fleet)
        fleet.power.fail_at(3)
        fleet.advance(hours=3)
        assert fleet.site_crashes == 1
        assert fleet.ran(fleet.clients[0], "setup.sh /q") == 1


def test_a_client_that_needs_approval_waits_for_it() -> None:
    with Fleet(1) as fleet:
        late = fleet.add_client("late", fleet.new_join_code(needs_approval=True))
        fleet.advance(minutes=1)
        assert late.standing() is ClientState.WAITING
        fleet.admin.change(resources.approve, late.id)
        fleet.advance(minutes=1)
        assert late.standing() is ClientState.MEMBER


def test_a_used_up_code_lets_nobody_in() -> None:
    with Fleet(1) as fleet:
        code = fleet.new_join_code(uses=1)
        first, second = fleet.add_client("first", code), fleet.add_client("second", code)
        fleet.advance(minutes=1)
        assert {first.standing(), second.standing()} == {ClientState.MEMBER, ClientState.REFUSED}


def test_what_a_component_raises_and_nobody_expected_is_raised_by_the_fleet(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Fleet(1) as fleet, caplog.at_level(logging.CRITICAL):
        monkeypatch.setattr("purveyor.site_server.publish.turn.turn", lambda **_given: 1 / 0)
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            fleet.site_turn()


def test_an_administrators_error_changes_nothing_and_reaches_who_asked() -> None:
    with Fleet(1) as fleet:
        with pytest.raises(RefusedError):
            fleet.admin.change(join_codes.revoke, 99)
        assert fleet.problems() == []


def test_the_lab_has_no_points_but_its_own() -> None:
    with Fleet(1) as fleet:
        with pytest.raises(UnavailableError):
            fleet.clients[0].point_for("http://elsewhere/cap")
        assert fleet.clients[0].point_for(CAP_URL).url == CAP_URL


def test_a_machine_that_is_switched_off_for_a_while_comes_back_by_itself() -> None:
    with Fleet(1) as fleet:
        client = fleet.clients[0]
        client.switch_off(timedelta(hours=5))
        _hello(fleet)
        fleet.advance(hours=4)
        assert (client.passes, client.machine.power.is_on) == (0, False)
        fleet.advance(hours=2)
        assert fleet.ran(client, "setup.sh /q") == 1


def test_while_the_site_is_away_nothing_is_published_and_then_all_of_it() -> None:
    with Fleet(1) as fleet:
        fleet.site_away(timedelta(hours=5))
        _hello(fleet)
        fleet.advance(hours=4)
        assert fleet.ran(fleet.clients[0], "setup.sh /q") == 0
        fleet.advance(hours=3)
        assert fleet.ran(fleet.clients[0], "setup.sh /q") == 1


def _full(fleet: Fleet) -> None:
    fleet.fill_site_disk()


def _busy(fleet: Fleet) -> None:
    fleet.database.fail(times=1000)


def _away(fleet: Fleet) -> None:
    fleet.site_away(timedelta(days=9))


def _everything(fleet: Fleet) -> None:
    """All that can be wrong, at once."""
    client = fleet.clients[0]
    fleet.cap.cut()
    fleet.dp.hide(bool)
    client.switch_off()
    client.stays_off = True
    client.machine.power.fail_at(1)
    client.machine.disk.leave_free(0)
    client.machine.disk.is_read_only = True
    client.machine.clock.skew = timedelta(days=-3)
    client.machine.clock.drift(50_000)
    client.machine.people.cannot_be_told = True
    fleet.site_clock.drift(-1000)
    fleet.power.fail_at(1)


@pytest.mark.parametrize("begin", [_full, _busy, _away, _everything])
def test_once_faults_stop_everything_goes_its_way_within_two_polls(begin: Callable[[Fleet], None]) -> None:
    with Fleet(1) as fleet:
        client = fleet.clients[0]
        _hello(fleet)
        begin(fleet)
        fleet.advance(hours=5)
        assert fleet.ran(client, "setup.sh /q") == 0
        fleet.calm()
        fleet.settle()
        assert fleet.ran(client, "setup.sh /q") == 1
        assert fleet.problems() == []
        assert [job.state for job in fleet.admin.ask(status.of_client, client.id).jobs] == [JobState.SUCCEEDED]


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_site_whose_clock_was_wrong_for_a_while_goes_on_when_it_is_set_right(days: int) -> None:
    with Fleet(1) as fleet:
        fleet.site_clock.skew = timedelta(days=days)
        fleet.advance(hours=2)
        fleet.database.fail(times=40)
        fleet.advance(hours=3)
        fleet.calm()
        fleet.advance(hours=3)
        _hello(fleet)
        fleet.settle()
        assert fleet.ran(fleet.clients[0], "setup.sh /q") == 1
        damaged = next(path for path in fleet.cap.files if path.endswith(".ofr"))
        fleet.cap.lose(damaged)
        fleet.advance(hours=2)
        assert damaged in fleet.cap.files, "the audit goes on"
