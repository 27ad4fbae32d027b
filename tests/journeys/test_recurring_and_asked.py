"""Stories of programs that come again, leave with their advertisement, or are asked for: from the administrator to the run."""

from datetime import timedelta

from journeys.scene import POLL_INTERVAL
from purveyor.client.programs.memory import records
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import collections, requests
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.package_info import Command, Conditions, Logon, RunAs, RunsFor, Uninstall

LEAVES = Uninstall(command=Command(argv=("remove.exe",)), when_not_offered=True)


def test_q296780_an_hourly_program_runs_once_an_hour_through_power_cuts_restarts_and_polls() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Inventory"), "collect", "collect.exe")
        fleet.admin.advertise(program, assignments=["2026-01-05T00:30Z FREQ=HOURLY"])
        first, second = fleet.clients
        for hour in range(12):
            fleet.advance(minutes=37)
            first.machine.power_cut(seed=hour)
            fleet.advance(minutes=23)
            first.switch_on()
        fleet.advance_polls(2)
        assert 11 <= fleet.ran(second, "collect.exe") <= 13
        for client in (first, second):
            started = [launch.at for launch in client.machine.programs.launches]
            assert len({(at - timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0) for at in started}) == len(
                started
            )


def test_a_machine_whose_clock_goes_a_year_ahead_and_back_goes_on_at_its_times() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        (client,) = fleet.clients
        program = fleet.admin.add_program(fleet.admin.add_package("Inventory"), "collect", "collect.exe")
        fleet.admin.advertise(program, assignments=["2026-01-05T00:30Z FREQ=HOURLY"])
        fleet.advance(hours=3)
        client.machine.clock.skew = timedelta(days=365)
        fleet.advance(hours=3)
        client.machine.clock.skew = timedelta(0)
        fleet.advance(hours=1)
        before = fleet.ran(client, "collect.exe")
        fleet.advance(hours=6)
        assert fleet.ran(client, "collect.exe") == before + 6


def test_q199263_q316021_a_client_that_leaves_the_collection_uninstalls_once_and_one_that_hears_nothing_never() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        leaving, staying = fleet.clients
        collection = fleet.admin.add_collection("Pilots", [leaving.name, staying.name])
        program = fleet.admin.add_program(fleet.admin.add_package("Tool"), "install", "setup.exe", uninstall=LEAVES)
        fleet.admin.advertise(program, collection)
        fleet.settle()
        fleet.cap.cut()
        fleet.admin.change(collections.edit, collection, remove_members=[leaving.name], is_confirmed=True)
        fleet.advance_polls(8)
        assert fleet.ran(leaving, "remove.exe") == 0
        fleet.cap.mend()
        fleet.advance_polls(8)
        assert [fleet.ran(leaving, "remove.exe"), fleet.ran(staying, "remove.exe")] == [1, 0]
        assert [leaving.receipts(), staying.receipts()] == [[], [program]]


def test_a_failed_set_is_run_again_where_it_failed_and_each_client_answers_once() -> None:
    with Fleet(3, poll_interval=POLL_INTERVAL) as fleet:
        fleet.clients[0].machine.programs.script("setup.exe", Script(exit_code=1), Script())
        program = fleet.admin.add_program(fleet.admin.add_package("Tool"), "install", "setup.exe")
        advertisement = fleet.admin.advertise(program)
        fleet.settle()
        fleet.admin.change(requests.ask, RequestKind.RUN_AGAIN, advertisement, only_failed=True, is_confirmed=True)
        fleet.advance_polls(4)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [2, 1, 1]


def test_a_run_that_is_planned_is_called_off_on_the_machines_that_are_named() -> None:
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        named, other = fleet.clients
        program = fleet.admin.add_program(fleet.admin.add_package("Tool"), "install", "setup.exe")
        later = fleet.clock.now() + timedelta(hours=4)
        advertisement = fleet.admin.advertise(program, assignments=[f"{later:%Y-%m-%dT%H:%M}Z"])
        fleet.advance_polls(2)
        fleet.admin.change(requests.ask, RequestKind.CANCEL, advertisement, clients=[named.name], is_confirmed=True)
        fleet.advance(hours=6)
        assert [fleet.ran(named, "setup.exe"), fleet.ran(other, "setup.exe")] == [0, 1]


def test_a_program_for_every_user_follows_them_over_weeks_of_coming_and_going() -> None:
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        (client,) = fleet.clients
        package = fleet.admin.add_package("Profile")
        program = fleet.admin.add_program(
            package,
            "set up",
            "profile.exe",
            conditions=Conditions(logon=Logon.USER),
            run_as=RunAs.USER,
            runs_for=RunsFor.EVERY_USER,
        )
        fleet.admin.advertise(program)
        fleet.advance_polls(2)
        for user in ("alice", "bob", "alice", "carol", "bob"):
            client.machine.people.log_on(user)
            fleet.advance_polls(2)
            client.machine.people.log_off(user)
            fleet.advance(days=1)
        assert [launch.run_as for launch in client.machine.programs.launches] == ["alice", "bob", "carol"]


def test_weeks_of_hourly_runs_leave_a_bounded_state() -> None:
    with Fleet(1, poll_interval=timedelta(hours=6)) as fleet:
        (client,) = fleet.clients
        program = fleet.admin.add_program(fleet.admin.add_package("Inventory"), "collect", "collect.exe")
        fleet.admin.advertise(program, assignments=["2026-01-05T00:30Z FREQ=HOURLY"])
        fleet.advance(days=3)
        sizes = []
        for _ in range(2):
            fleet.advance(days=2)
            jobs = [job for job in records.jobs(client.machine.state) if job.state is not JobState.WAITING]
            sizes.append((len(jobs), len(records.history_of(client.machine.state, program).started)))
        assert sizes == [(50, 1), (50, 1)]
