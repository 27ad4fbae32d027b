"""What went wrong with schedules in the field: programs that ran twice, never, at a wrong time, or for a wrong reason."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from field.words import told
from journeys.scene import POLL_INTERVAL
from purveyor.client.programs.memory import asks
from purveyor.client.programs.memory.asks import Ask, AskKind
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, programs, status
from purveyor.transport.interface import Answer, Point
from purveyor.wire.errors import RefusedError
from purveyor.wire.offers import Priority
from purveyor.wire.package_info import Conditions, Logon
from purveyor.wire.status_messages import StatusId

POLL = POLL_INTERVAL


def starts(fleet: Fleet, name: str = "pc1") -> list[datetime]:
    """When programs were started on a client, in true time."""
    return [launch.at for launch in fleet[name].machine.programs.launches]


def test_q226922_q257271_q235815_a_finished_program_is_not_run_by_a_new_advertisement_but_by_a_second_time_once() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        first = fleet.admin.advertise(program)
        fleet.settle()
        fleet.admin.advertise(program, available_from=fleet.clock.now() - timedelta(minutes=1))
        fleet.advance_polls(4)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [1, 1]
        later = fleet.clock.now() + timedelta(hours=3)
        fleet.admin.change(advertisements.edit, first, assignments=["asap", f"{later:%Y-%m-%dT%H:%M}Z"], is_confirmed=True)
        fleet.advance(hours=12)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [2, 2]
        another = fleet.admin.add_program(program.package, "install once more", "setup.exe")
        fleet.admin.advertise(another)
        fleet.advance_polls(4)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [3, 3]


@pytest.mark.parametrize(("logon", "event"), [(Logon.USER, "logoff"), (Logon.NONE, "logon")])
def test_q235196_a_trigger_that_can_never_meet_the_condition_is_refused_with_an_explanation(logon: Logon, event: str) -> None:
    with Fleet(0) as fleet:
        package = fleet.admin.add_package("Editor")
        impossible = fleet.admin.add_program(package, "install", "setup.exe", conditions=Conditions(logon=logon))
        with pytest.raises(RefusedError, match="can never run when"):
            fleet.admin.advertise(impossible, assignments=[event])
        free = fleet.admin.add_program(package, "any", "setup.exe")
        fleet.admin.advertise(free, assignments=[event])
        with pytest.raises(RefusedError, match="can never run when"):
            fleet.admin.change(programs.edit, free, conditions=Conditions(logon=logon))


def test_q247484_an_advertisement_for_later_waits_whatever_an_expired_one_of_the_same_program_said() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        fleet.cap.cut()
        program = fleet.admin.add_program(fleet.admin.add_package("Patch"), "install", "patch.exe")
        fleet.admin.advertise(program, expires_at=fleet.clock.now() + timedelta(minutes=5))
        fleet.advance_polls(2)
        starts_at = fleet.clock.now() + 6 * POLL
        fleet.admin.advertise(program, available_from=starts_at)
        fleet.cap.mend()
        fleet.advance_polls(5)
        assert [fleet.ran(client, "patch.exe") for client in fleet.clients] == [0, 0]
        fleet.advance_polls(2)
        for client in fleet.clients:
            assert [launch.at >= starts_at for launch in client.machine.programs.launches] == [True]


def test_q293487_a_program_at_logon_runs_for_this_logon_once_the_access_point_can_be_reached() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Map"), "map", "map.exe"), assignments=["logon"])
        client.machine.power_cut()
        client.stays_off = True
        fleet.advance(hours=1)
        fleet.cap.cut()
        client.switch_on()
        client.machine.people.log_on("alice")
        fleet.advance(hours=2)
        assert fleet.ran(client, "map.exe") == 0, "it cannot have heard of the advertisement"
        fleet.cap.mend()
        fleet.advance(hours=2)
        assert fleet.ran(client, "map.exe") == 1
        fleet.advance(days=1)
        assert fleet.ran(client, "map.exe") == 1, "one logon asks for one run"
        client.machine.people.log_off("alice")
        fleet.advance(minutes=30)
        client.machine.people.log_on("alice")
        fleet.advance(hours=2)
        assert fleet.ran(client, "map.exe") == 2


def test_q296780_an_occurrence_is_run_once_whatever_polls_restarts_and_edits_fall_into_it() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        fleet.script("often.exe", Script(seconds=600))
        program = fleet.admin.add_program(fleet.admin.add_package("Often"), "run", "often.exe")
        start = fleet.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        advertised = fleet.admin.advertise(program, assignments=[f"{start:%Y-%m-%dT%H:%M}Z FREQ=HOURLY;INTERVAL=4"])
        fleet.advance(hours=1)
        for number in range(24):
            fleet.advance(minutes=37)
            if number % 3 == 0:
                client.machine.restart_now()
            if number % 5 == 0:
                fleet.admin.change(advertisements.edit, advertised, name=f"name {number}")
        hours = [(at - start) // timedelta(hours=4) for at in starts(fleet)]
        assert len(hours) == len(set(hours)), "an occurrence was run twice"
        assert len(hours) >= 4


@pytest.mark.parametrize("minute", [0, 7, 59])
def test_q235735_q235785_q314207_a_daily_task_runs_daily_at_its_minute_and_an_edit_holds_from_the_next_poll_on(
    minute: int,
) -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        fleet.script("daily.exe", Script(seconds=5))
        program = fleet.admin.add_program(fleet.admin.add_package("Daily"), "run", "daily.exe")
        day = fleet.clock.now().date() + timedelta(days=1)
        advertised = fleet.admin.advertise(program, assignments=[f"{day}T03:{minute:02}Z FREQ=DAILY"])
        fleet.advance(days=4)
        seen = starts(fleet)
        assert [at.date() - day for at in seen] == [timedelta(days=number) for number in range(len(seen))]
        assert {(at.hour, at.minute) for at in seen} == {(3, minute)}
        at = fleet.clock.now() + timedelta(hours=3)
        fleet.admin.change(advertisements.edit, advertised, assignments=[f"{at:%Y-%m-%dT%H:%M}Z FREQ=DAILY"], is_confirmed=True)
        before = len(seen)
        fleet.advance(hours=4)
        assert [one.replace(second=0, microsecond=0) for one in starts(fleet)[before:]] == [at.replace(second=0, microsecond=0)]


@pytest.mark.parametrize("start", [datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)])
def test_no_night_of_daylight_saving_makes_a_daily_task_run_twice_or_not_at_all(start: datetime) -> None:
    zone = "Europe/Berlin"
    with Fleet(1, poll_interval=timedelta(hours=12), start=start) as fleet:
        fleet.clients[0].machine.local_zone = ZoneInfo(zone)
        fleet.script("daily.exe", Script(seconds=5))
        program = fleet.admin.add_program(fleet.admin.add_package("Daily"), "run", "daily.exe")
        fleet.admin.advertise(program, assignments=[f"{start.date() + timedelta(days=1)}T02:30 FREQ=DAILY"])
        fleet.advance(days=6)
        days = [at.astimezone(ZoneInfo(zone)).date() for at in starts(fleet)]
        assert len(days) == len(set(days)) >= 4
        assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


def test_q226853_a_user_starts_an_available_program_at_a_chosen_time_whatever_event_it_is_assigned_to() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        advertised = fleet.admin.advertise(program, assignments=["logoff"], is_visible=True)
        client.machine.people.log_on("alice")
        fleet.settle()
        at = fleet.clock.now() + timedelta(hours=5)
        wish = Ask(kind=AskKind.RUN, user="alice", made_at=fleet.clock.now(), at=at, key=program, advertisement=advertised)
        asks.add_ask(client.machine.state, wish)
        fleet.advance(hours=4)
        assert starts(fleet) == []
        fleet.advance(hours=6)
        assert [abs(one - at) < timedelta(minutes=1) for one in starts(fleet)] == [True]


def test_q277876_a_program_that_nobody_can_start_is_flagged_and_says_why_it_waits() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(
            fleet.admin.add_package("Night"), "run", "night.exe", conditions=Conditions(logon=Logon.NONE)
        )
        advertised = fleet.admin.advertise(program, assignments=())
        view = fleet.admin.ask(advertisements.shown, advertised)
        assert any("user" in warning for warning in view.warnings), view.warnings
        fleet.settle()
        assert told(fleet, StatusId.ADVERTISEMENT_RECEIVED) != []


def test_q246974_what_another_point_does_changes_nothing_for_the_point_that_serves() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup" * 1000})
        fleet.settle()
        fleet.cap.cut()
        fleet.advance(hours=1)
        fleet.cap.mend()
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"), over_slow_link=False)
        fleet.advance(hours=3)
        assert fleet.ran(client, "setup.exe") == 1, "a CAP that was away was taken for a slow link"


@pytest.mark.parametrize("hours", [-30, -2, 2, 5])
def test_q202552_a_clock_that_differs_is_a_warning_on_the_site_once_a_day_and_disturbs_nobody(hours: int) -> None:
    with Fleet(2, poll_interval=timedelta(hours=1)) as fleet:
        wrong, right = fleet.clients
        fleet.settle()
        wrong.machine.clock.skew = timedelta(hours=hours)
        fleet.advance(days=2)
        names = [one.client_name for one in fleet.admin.ask(status.messages, limit=1000) if one.status == StatusId.CLOCK_DIFFERS]
        assert set(names) == {wrong.name}
        assert 1 <= len(names) <= 6
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe"))
        fleet.advance(hours=12)
        assert fleet.ran(right, "setup.exe") == 1


# --- slow links ---


def slow(fleet: Fleet, client: LabClient, *, seconds: float) -> None:
    """From now on a read at the distribution point takes this client so long."""
    point_for = client.agent.point_for

    def slowly(url: str) -> Point:
        point = point_for(url)
        return SlowPoint(point, fleet, seconds) if url == fleet.dp.url else point

    client.agent.point_for = slowly


class SlowPoint:
    """A point behind a slow link: the time of the lab moves on while it serves."""

    def __init__(self, point: Point, fleet: Fleet, seconds: float) -> None:
        self._point, self._fleet, self._seconds = point, fleet, seconds

    @property
    def url(self) -> str:
        return self._point.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        self._fleet.clock.advance(timedelta(seconds=self._seconds))
        return self._point.read(path, limit_bytes=limit_bytes, tag=tag)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        self._fleet.clock.advance(timedelta(seconds=self._seconds))
        return self._point.read_from(path, offset=offset, limit_bytes=limit_bytes)

    def put(self, path: str, content: bytes) -> None:
        self._point.put(path, content)


def test_q246863_the_link_that_counts_is_the_one_to_the_point_that_serves_the_program() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        far, near = fleet.clients
        slow(fleet, far, seconds=60)
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup" * 1000})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"), over_slow_link=False)
        fleet.advance(hours=3)
        assert (fleet.ran(near, "setup.exe"), fleet.ran(far, "setup.exe")) == (1, 0)
        assert "slow link" in told(fleet, StatusId.JOB_WAITING)[0]


def test_q202332_over_a_slow_link_the_advertisement_that_is_mandatory_there_schedules_the_program() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        far, near = fleet.clients
        slow(fleet, far, seconds=60)
        program = fleet.admin.add_program(fleet.admin.add_package("Editor", {"setup.exe": b"setup" * 1000}), "run", "setup.exe")
        fleet.admin.advertise(program, over_slow_link=False)
        at = fleet.clock.now().replace(second=0, microsecond=0) + timedelta(hours=4)
        fleet.admin.advertise(program, assignments=[f"{at:%Y-%m-%dT%H:%M}Z"])
        fleet.advance(hours=3)
        assert (fleet.ran(near, "setup.exe"), fleet.ran(far, "setup.exe")) == (1, 0)
        fleet.advance(hours=3)
        assert (fleet.ran(near, "setup.exe"), fleet.ran(far, "setup.exe")) == (1, 1)
        assert starts(fleet, far.name)[0] >= at


def test_priority_orders_what_is_due() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        fleet.cap.cut()
        package = fleet.admin.add_package("Suite")
        for name in ("low", "normal", "high"):
            fleet.admin.advertise(fleet.admin.add_program(package, name, f"{name}.exe"), priority=Priority(name))
            fleet.advance(minutes=1)
        fleet.cap.mend()
        fleet.advance(hours=2)
        ran = [launch.command for launch in fleet.clients[0].machine.programs.launches]
        assert ran == ["high.exe", "normal.exe", "low.exe"]
