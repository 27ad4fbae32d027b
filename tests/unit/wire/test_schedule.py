"""When something is due: gaps, overlaps, and what an administrator may write."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire.errors import RejectedError
from purveyor.wire.schedule import Zone, instant_of, parse_time
from wire_values import walls

NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
zones = st.sampled_from(ZONES).map(ZoneInfo)


def at(text: str) -> datetime:
    """A naive wall-clock time, or an aware one where the text has an offset."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2026-03-08T01:59", "2026-03-08T06:59+00:00"),
        ("2026-03-08T02:30", "2026-03-08T07:30+00:00"),  # in the gap: 03:30 by the new time
        ("2026-03-08T03:30", "2026-03-08T07:30+00:00"),
        ("2026-11-01T01:30", "2026-11-01T05:30+00:00"),  # twice: the first of the two
        ("2026-11-01T02:30", "2026-11-01T07:30+00:00"),
    ],
)
def test_a_wall_clock_time_is_due_once_where_the_clock_jumps(wall: str, instant: str) -> None:
    assert instant_of(at(wall), Zone.CLIENT, NEW_YORK) == at(instant)


@given(walls, zones)
def test_utc_times_are_the_same_on_every_machine(wall: datetime, zone: ZoneInfo) -> None:
    assert instant_of(wall, Zone.UTC, zone) == wall.replace(tzinfo=UTC)


@given(walls, zones)
def test_the_clock_shows_the_wall_time_or_one_behind_the_gap(wall: datetime, zone: ZoneInfo) -> None:
    shown = instant_of(wall, Zone.CLIENT, zone).astimezone(zone).replace(tzinfo=None)
    assert shown == wall or timedelta(0) < shown - wall <= timedelta(days=1)


@given(walls, zones)
def test_no_earlier_instant_shows_the_same_wall_time(wall: datetime, zone: ZoneInfo) -> None:
    due = instant_of(wall, Zone.CLIENT, zone)
    earlier = due - timedelta(hours=1)
    assert earlier.astimezone(zone).replace(tzinfo=None) != wall


@given(walls, zones)
def test_a_daylight_saving_flag_in_the_time_changes_nothing(wall: datetime, zone: ZoneInfo) -> None:
    assert instant_of(wall.replace(fold=1), Zone.CLIENT, zone) == instant_of(wall, Zone.CLIENT, zone)


@pytest.mark.parametrize("wall", [at("0001-01-01"), at("9999-12-31T23:59:59")])
@pytest.mark.parametrize("zone", ZONES)
def test_the_ends_of_time_are_instants_too(wall: datetime, zone: str) -> None:
    assert abs(instant_of(wall, Zone.CLIENT, ZoneInfo(zone)) - wall.replace(tzinfo=UTC)) < timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00Z", (at("2026-12-01T09:00"), Zone.UTC)),
        (" 2026-12-01T09:00+02:00 ", (at("2026-12-01T07:00"), Zone.UTC)),
        ("2026-12-01T09:00", (at("2026-12-01T09:00"), Zone.CLIENT)),
        ("2026-12-01", (at("2026-12-01T00:00"), Zone.CLIENT)),
    ],
)
def test_what_an_administrator_writes_is_read(text: str, expected: tuple[datetime, Zone]) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "2026-02-30T00:00", "25:00", "0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59"]
)
def test_what_is_no_time_is_rejected_with_an_example(text: str) -> None:
    with pytest.raises(RejectedError, match=r"2026-12-01T09:00Z|the years"):
        parse_time(text)


@given(st.text())
def test_any_text_is_a_time_or_is_rejected(text: str) -> None:
    try:
        wall, zone = parse_time(text)
    except RejectedError:
        return
    assert wall.tzinfo is None
    assert zone in Zone
