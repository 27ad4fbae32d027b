"""Stories of programs that come again: through a night in which clocks jump, after an absence, beside other assignments."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.site_server.admin import advertisements, preview, windows
from purveyor.site_server.admin.preview import Asked

CLOCKS = ("Europe/Berlin", "America/New_York", "UTC")
DAY = timedelta(days=1)
LATE = timedelta(minutes=5)
"""How long after its time a run may begin: the agent looks, fetches, launches."""


def launches(client: LabClient) -> list[datetime]:
    """When a client launched anything, the earliest first."""
    return [launch.at.astimezone(UTC) for launch in client.machine.programs.launches]


def fleet_on_clocks(start: str) -> Fleet:
    """A fleet with a client on each clock, of which the site has heard."""
    fleet = Fleet(0, start=datetime.fromisoformat(start))
    for zone, client in zip(CLOCKS, fleet.add_clients(len(CLOCKS)), strict=True):
        client.machine.local_zone = ZoneInfo(zone)
    fleet.advance(days=1)
    return fleet


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        ("2026-03-06T12:00Z", "2026-03-07T02:30 FREQ=DAILY"),  # New York skips 02:30 on the 8th
        ("2026-03-27T12:00Z", "2026-03-28T02:30 FREQ=DAILY"),  # Berlin skips it on the 29th
        ("2026-10-23T12:00Z", "2026-10-24T02:30 FREQ=DAILY"),  # Berlin has it twice on the 25th
        ("2026-10-30T12:00Z", "2026-10-31T16:30 FREQ=HOURLY;INTERVAL=3"),  # New York has it twice on the 1st
    ],
)
def test_what_was_shown_ahead_is_what_happens_in_the_nights_in_which_clocks_jump(start: str, rule: str) -> None:
    with fleet_on_clocks(start) as fleet:
        package = fleet.admin.add_package("Scan")
        program = fleet.admin.add_program(package, "scan", "scan.exe")
        advertisement = fleet.admin.advertise(program, assignments=[rule], spread_seconds=1200)
        now = fleet.clock.now()
        seen = fleet.admin.ask(preview.of_standing, advertisement, Asked(firings=20), now)
        fleet.advance(days=2)
        for told in seen.clients:
            wanted = [one.at for one in told.following if one.at <= fleet.clock.now() - LATE]
            found = launches(fleet[told.name])
            assert len(found) == len(wanted) >= 2
            for one, launch in zip(wanted, found, strict=True):
                assert one <= launch <= one + LATE


def test_a_machine_that_was_off_for_a_week_runs_a_daily_program_once_and_goes_on() -> None:
    with Fleet(1) as fleet:
        (client,) = fleet.clients
        package = fleet.admin.add_package("Scan")
        fleet.admin.advertise(fleet.admin.add_program(package, "scan", "scan.exe"), assignments=["2026-01-06T03:00 FREQ=DAILY"])
        fleet.advance(days=2)
        ran = len(launches(client))
        client.machine.power_cut()
        fleet.advance(days=7)
        client.switch_on()
        fleet.advance(hours=2)
        assert len(launches(client)) == ran + 1
        fleet.advance(days=2)
        assert len(launches(client)) == ran + 3


def test_a_rule_that_stays_as_it_is_does_not_run_again_because_another_assignment_is_edited() -> None:
    with Fleet(1) as fleet:
        (client,) = fleet.clients
        package = fleet.admin.add_package("Scan")
        program = fleet.admin.add_program(package, "scan", "scan.exe")
        weekly = "2026-01-05T10:00 FREQ=WEEKLY"
        advertisement = fleet.admin.advertise(program, assignments=[weekly, "2026-02-01T00:00"])
        fleet.advance(days=1)
        assert len(launches(client)) == 1
        fleet.admin.change(advertisements.edit, advertisement, assignments=["2026-03-01T00:00", weekly], is_confirmed=True)
        fleet.advance(days=1)
        assert len(launches(client)) == 1
        fleet.advance(days=6)
        assert len(launches(client)) == 2


def test_the_fleet_starts_in_the_window_each_client_at_the_moment_that_was_shown() -> None:
    with Fleet(4) as fleet:
        fleet.admin.change(
            windows.add,
            fleet.admin.all_systems(),
            start="2026-01-05T22:00",
            rule="FREQ=DAILY",
            duration_seconds=6 * 3600,
            spread_seconds=2 * 3600,
            is_confirmed=True,
        )
        package = fleet.admin.add_package("Patch")
        advertisement = fleet.admin.advertise(fleet.admin.add_program(package, "patch", "patch.exe", max_run_seconds=3600))
        seen = fleet.admin.ask(preview.of_standing, advertisement, Asked(), fleet.clock.now())
        starts = {one.name: (one.last or one.following[0]).starts_at for one in seen.clients}
        assert len(set(starts.values())) == 4
        fleet.advance(days=1)
        for name, starts_at in starts.items():
            (launched,) = launches(fleet[name])
            assert starts_at is not None
            assert starts_at <= launched <= starts_at + LATE
