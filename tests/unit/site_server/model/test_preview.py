"""Looking ahead: the times that are told are those at which a client will find its programs due."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from purveyor.client.programs.wanted.due import Moment, occurrences
from purveyor.site_server.model.preview import (
    GROUPS,
    OTHERS,
    Machine,
    events_of,
    notes_on,
    outlook,
    platform_groups,
    reached,
    zone_groups,
)
from purveyor.wire.ids import AdvertisementId, ClientId, PackageId, ProgramNumber
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, Window
from purveyor.wire.schedule import Zone

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
CLIENT = ClientId("0123456789abcdef0123456789abcdef")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """A naive wall-clock time, or an aware one where the text has an offset."""
    return datetime.fromisoformat(text)


def advertisement(*assignments: Assignment, **more: object) -> Advertisement:
    """An advertisement that has been available for a month."""
    given = {"available_from": NOW - timedelta(days=30), **more}
    return Advertisement(
        id=AdvertisementId("S0120001"),
        package=PackageId("S0100001"),
        program=ProgramNumber(1),
        assignments=assignments,
        **given,  # type: ignore[arg-type]
    )


def timed(text: str, rule: str = "", number: int = 1, zone: Zone = Zone.CLIENT) -> Assignment:
    """An assignment to a time, or to a recurrence from a time on."""
    kind = AssignmentKind.RECURRENCE if rule else AssignmentKind.TIME
    return Assignment(number=number, kind=kind, at=at(text), zone=zone, rule=rule)


def nights(hours: float, **more: object) -> Window:
    """A window each night at two."""
    return Window(number=4, start=at("2026-01-01T02:00"), duration_seconds=int(hours * 3600), rule="FREQ=DAILY", **more)  # type: ignore[arg-type]


def ahead(offer: Advertisement, *windows: Window, count: int = 3, max_run_seconds: int = 3600) -> list[tuple[str, str]]:
    """When it is due on a machine in Berlin, and when it starts, by its clock."""
    found = outlook(offer, Machine(CLIENT, BERLIN, windows), NOW, max_run_seconds=max_run_seconds, count=count)
    return [(one.at_local[:16], one.starts_local[:16]) for one in found.following]


def test_the_next_times_of_all_assignments_are_told_in_order() -> None:
    offer = advertisement(timed("2026-12-02T12:00", "FREQ=WEEKLY"), timed("2026-12-05T08:00", number=2))
    assert [due for due, _ in ahead(offer)] == ["2026-12-02T12:00", "2026-12-05T08:00", "2026-12-09T12:00"]


def test_what_has_come_is_told_as_the_last_time_with_when_it_can_still_start() -> None:
    offer = advertisement(timed("2026-11-03T12:00", "FREQ=WEEKLY"), timed("2026-12-01T09:30", number=2))
    found = outlook(offer, Machine(CLIENT, BERLIN, (nights(3),)), NOW, max_run_seconds=3600, count=1)
    assert found.last is not None
    assert (found.last.at_local, found.last.starts_local) == ("2026-12-01T09:30:00+01:00", "2026-12-02T02:00:00+01:00")


def test_what_came_before_it_was_available_does_not_count_but_a_single_time_is_made_up_for() -> None:
    offer = advertisement(timed("2026-11-01T12:00", "FREQ=YEARLY"), available_from=NOW - timedelta(days=1))
    assert outlook(offer, Machine(CLIENT, BERLIN), NOW, max_run_seconds=60, count=1).last is None
    single = advertisement(timed("2026-11-01T12:00"), available_from=NOW + timedelta(days=1))
    assert ahead(single) == [("2026-12-02T10:00", "2026-12-02T10:00")]


@pytest.mark.parametrize(
    ("hours", "max_run_seconds", "starts"),
    [
        (3, 3600, "2026-12-03T02:00"),
        (0.5, 3600, ""),
    ],
)
def test_a_run_starts_in_the_window_that_is_long_enough_or_never(hours: float, max_run_seconds: int, starts: str) -> None:
    offer = advertisement(timed("2026-12-02T12:00"))
    assert ahead(offer, nights(hours), max_run_seconds=max_run_seconds) == [("2026-12-02T12:00", starts)]


def test_an_emergency_starts_when_it_is_due() -> None:
    offer = advertisement(timed("2026-12-02T12:00"), ignores_windows=True)
    assert ahead(offer, nights(3)) == [("2026-12-02T12:00", "2026-12-02T12:00")]


def test_nothing_is_told_from_when_it_expires_on() -> None:
    offer = advertisement(timed("2026-12-02T12:00", "FREQ=DAILY"), expires_at=at("2026-12-04T11:00Z"))
    assert [due for due, _ in ahead(offer, count=9)] == ["2026-12-02T12:00", "2026-12-03T12:00"]


def test_events_are_no_times() -> None:
    offer = advertisement(Assignment(number=1, kind=AssignmentKind.LOGON), Assignment(number=2, kind=AssignmentKind.STARTUP))
    assert ahead(offer) == []
    assert events_of(offer) == ("logon", "startup")


def test_who_is_reached_is_counted_by_platform_and_the_rare_ones_together() -> None:
    counted = Counter({("linux/debian/12", "x86_64"): 5, ("windows/11", ""): 3})
    groups = platform_groups(counted, ("linux",))
    assert [(group.name, group.members, group.is_reached) for group in groups] == [
        ("linux/debian/12@x86_64", 5, True),
        ("windows/11", 3, False),
    ]
    assert reached(counted, ("linux",)) == 5
    many = Counter({(f"linux/own/{number}", ""): 1 for number in range(GROUPS + 7)} | {("windows/11", ""): 1})
    assert platform_groups(many, ("linux",))[-1] == (OTHERS, 8, None)
    assert zone_groups(Counter({f"zone {number:03}": 1 for number in range(GROUPS + 2)}))[-1] == (OTHERS, 2)


def test_what_keeps_the_times_from_being_the_whole_truth_is_told() -> None:
    offer = advertisement(is_paused=True, expires_at=NOW, users=("alice",), spread_seconds=60, ignores_windows=True)
    notes = " ".join(notes_on(offer, NOW, is_enabled=False, window_count=1))
    for word in ("optional", "paused", "disabled", "expired", "some users", "share", "outside maintenance windows"):
        assert word in notes
    plain = advertisement(timed("2026-12-02T12:00"))
    assert notes_on(plain, NOW, is_enabled=True, window_count=3) == ()


rules = some.sampled_from(["", "FREQ=DAILY", "FREQ=HOURLY;INTERVAL=7", "FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR=2;BYMINUTE=30"])
times = some.datetimes(at("2026-01-01T00:00"), at("2027-06-30T00:00")).map(lambda time: time.replace(microsecond=0))


@settings(deadline=None)
@given(
    some.lists(some.tuples(times, rules, some.sampled_from(Zone)), min_size=1, max_size=3),
    some.integers(0, 86_400),
    times,
    some.none() | some.integers(1, 400),
    times,
)
def test_the_times_told_are_those_at_which_the_client_finds_it_due(
    given_assignments: list[tuple[datetime, str, Zone]],
    spread_seconds: int,
    available: datetime,
    days: int | None,
    wall: datetime,
) -> None:
    now = wall.replace(tzinfo=UTC)
    available_from = available.replace(tzinfo=UTC)
    offer = advertisement(
        *(timed(start.isoformat(), rule, number, zone) for number, (start, rule, zone) in enumerate(given_assignments, 1)),
        available_from=available_from,
        expires_at=None if days is None else available_from + timedelta(days=days),
        spread_seconds=spread_seconds,
    )
    found = occurrences(offer, Moment(now=now, zone=BERLIN, client=CLIENT), source_version=1)
    due = sorted(one.due_at for one in found if one.expires_at is None or one.due_at < one.expires_at)
    told = outlook(offer, Machine(CLIENT, BERLIN), now, max_run_seconds=60, count=1)
    assert [one.at for one in told.following] == [one for one in due if one > now][:1]
    assert (told.last and told.last.at) == max((one for one in due if one <= now), default=None)
