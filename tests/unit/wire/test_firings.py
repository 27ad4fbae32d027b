"""When rules fire by clocks that jump: never twice, never lost, in order, whatever the zone and the night."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from purveyor.wire.errors import RejectedError
from purveyor.wire.firings import MOMENT, Firing, Moments, firings_after, latest_firing, moments_of, next_firing
from purveyor.wire.recurrence import latest_until, next_after
from purveyor.wire.rules import Rule, parse_rule
from purveyor.wire.schedule import Zone, instant_of
from recurrence_values import rules

NIGHTS = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
    "America/Santiago": ("2026-09-06", "2026-04-05"),  # at midnight
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),  # at midnight, on a Friday
    "Asia/Beirut": ("2026-03-29", "2026-10-25"),  # at midnight
    "Atlantic/Azores": ("2026-03-29", "2026-10-25"),
    "Pacific/Apia": ("2011-12-30", "2011-04-02"),  # a whole day that never was
    "Africa/Casablanca": ("2026-03-22", "2026-02-15"),  # for a month each year
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),  # by two hours
}
DAYS = [(ZoneInfo(zone), day) for zone, days in NIGHTS.items() for day in days]
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime.fromisoformat("2001-01-01T00:00")

nights = some.sampled_from(DAYS)
frequent = some.sampled_from(
    [
        "FREQ=HOURLY",
        "FREQ=HOURLY;BYMINUTE=0,15,30,45",
        "FREQ=MINUTELY;INTERVAL=5",
        "FREQ=MINUTELY;INTERVAL=7",
        "FREQ=MINUTELY;INTERVAL=25",
        "FREQ=HOURLY;INTERVAL=2",
        "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
        "FREQ=DAILY;BYHOUR=0",
        "FREQ=DAILY;BYHOUR=2;BYMINUTE=30",
        "FREQ=DAILY;BYHOUR=23,0,1",
        "FREQ=WEEKLY;BYDAY=SU,FR;BYHOUR=2",
    ]
)


def at(text: str) -> datetime:
    """A naive wall-clock time, or an aware one where the text has an offset."""
    return datetime.fromisoformat(text)


def around(day: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Two instants, well before and after what happens in the night to a day."""
    noon = at(f"{day}T12:00").replace(tzinfo=zone).astimezone(UTC)
    return noon - timedelta(hours=40), noon + timedelta(hours=40)


@cache
def fired(zone: ZoneInfo, day: str, rule: str) -> list[Firing]:
    """What fires around a night, each asked for after the one before."""
    first, last = around(day, zone)
    moments = moments_of(START, rule, Zone.CLIENT, zone)
    return list(takewhile(lambda firing: firing.at <= last, firings_after(moments, first)))


@settings(deadline=None)
@given(nights, frequent)
def test_each_firing_fires_once_and_in_order(night: tuple[ZoneInfo, str], rule: str) -> None:
    found = fired(*night, rule)
    assert found
    assert all(one.nominal < other.nominal and one.at < other.at for one, other in pairwise(found))


@settings(deadline=None)
@given(nights, frequent)
def test_none_is_lost_but_those_that_a_gap_moves_behind_a_later_one(night: tuple[ZoneInfo, str], text: str) -> None:
    zone, found, rule = night[0], fired(*night, text), parse_rule(text)
    by_itself = {one.nominal: one for one in found}
    nominal: datetime | None = found[0].nominal
    while nominal is not None and nominal <= found[-1].nominal:
        instant = instant_of(nominal, Zone.CLIENT, zone)
        if instant.astimezone(zone).replace(tzinfo=None) == nominal:
            assert by_itself[nominal].at == instant
        else:
            answers = [one for one in found if one.nominal >= nominal and one.at <= instant]
            assert answers, f"{nominal} fired neither by itself nor by a later one that had fired by then"
        nominal = next_after(START, rule, nominal)


@settings(deadline=None)
@given(nights, frequent)
def test_at_any_instant_the_latest_is_the_one_that_fired_last(night: tuple[ZoneInfo, str], rule: str) -> None:
    moments = moments_of(START, rule, Zone.CLIENT, night[0])
    for one, other in pairwise(fired(*night, rule)):
        between = one.at + (other.at - one.at) / 2
        assert [latest_firing(moments, instant) for instant in (one.at, between, other.at - MOMENT)] == [one] * 3
        assert next_firing(moments, between) == other


@settings(deadline=None, max_examples=200)
@given(
    rules(),
    some.sampled_from(sorted(NIGHTS)).map(ZoneInfo),
    some.datetimes(at("1972-01-01T00:00"), at("2037-12-31T00:00")),
    some.integers(0, 400),
)
def test_the_latest_and_the_next_enclose_any_instant(rule: Rule, zone: ZoneInfo, wall: datetime, days: int) -> None:
    instant = wall.replace(tzinfo=UTC)
    moments = Moments(wall.replace(microsecond=0) - timedelta(days=days), rule, Zone.CLIENT, zone)
    last, following = latest_firing(moments, instant), next_firing(moments, instant)
    assert last is None or last.at <= instant
    assert following is None or following.at > instant
    if last is not None and following is not None:
        assert last.nominal < following.nominal
    if last is not None:
        assert latest_firing(moments, last.at) == last
    if following is not None:
        assert latest_firing(moments, following.at) == following
        assert latest_firing(moments, following.at - timedelta(microseconds=1)) == last


@settings(deadline=None)
@given(rules(), some.datetimes(at("1972-01-01T00:00"), at("2037-12-31T00:00")))
def test_in_utc_firings_are_the_times_of_the_rule(rule: Rule, wall: datetime) -> None:
    start = at("1971-06-01T09:00")
    moments = Moments(start, rule, Zone.UTC, BERLIN)
    last, following = latest_firing(moments, wall.replace(tzinfo=UTC)), next_firing(moments, wall.replace(tzinfo=UTC))
    before, after = latest_until(start, rule, wall), next_after(start, rule, wall)
    assert (last and last.nominal) == before
    is_in_reach = after is not None and after.year - (before or start).year < 100
    assert (following and following.nominal) == after or not is_in_reach
    assert all(one.at == one.nominal.replace(tzinfo=UTC) for one in (last, following) if one)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "FREQ=DAILY;BYHOUR=2;BYMINUTE=30",
            ["2026-03-28T01:30Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z"],  # in the gap: 03:30 by the new time
        ),
        ("FREQ=HOURLY;BYMINUTE=30", ["2026-03-28T01:30Z", "2026-03-28T02:30Z", "2026-03-28T03:30Z"]),
    ],
)
def test_the_night_in_which_an_hour_is_skipped(rule: str, expected: list[str]) -> None:
    moments = moments_of(at("2026-01-01T00:00"), rule, Zone.CLIENT, BERLIN)
    found = [one.at for one in islice(firings_after(moments, at("2026-03-28T01:00Z")), 3)]
    assert found == [at(one) for one in expected]


def test_every_hour_is_fired_once_in_the_night_in_which_one_is_skipped_and_in_the_one_in_which_one_comes_twice() -> None:
    moments = moments_of(at("2026-01-01T00:30"), "FREQ=HOURLY", Zone.CLIENT, BERLIN)
    spring = [one.at for one in islice(firings_after(moments, at("2026-03-29T00:00Z")), 3)]
    assert spring == [at("2026-03-29T00:30Z"), at("2026-03-29T01:30Z"), at("2026-03-29T02:30Z")]
    autumn = [one.at for one in islice(firings_after(moments, at("2026-10-25T00:00Z")), 3)]
    assert autumn == [at("2026-10-25T00:30Z"), at("2026-10-25T02:30Z"), at("2026-10-25T03:30Z")]


def test_a_single_time_fires_once() -> None:
    moments = moments_of(at("2026-03-29T02:30"), "", Zone.CLIENT, BERLIN)
    firing = Firing(at("2026-03-29T02:30"), at("2026-03-29T01:30Z"))
    assert latest_firing(moments, at("2026-03-29T01:29Z")) is None
    assert next_firing(moments, at("2026-03-29T01:29Z")) == firing
    assert latest_firing(moments, at("2036-03-29T01:30Z")) == firing
    assert next_firing(moments, at("2026-03-29T01:30Z")) is None


def test_a_rule_that_cannot_be_read_is_rejected() -> None:
    with pytest.raises(RejectedError):
        moments_of(at("2026-03-29T02:30"), "FREQ=CONTINUOUSLY", Zone.UTC, UTC)


def test_an_offset_that_came_with_a_time_is_not_read() -> None:
    moments = moments_of(at("2026-03-29T02:30-10:00"), "", Zone.CLIENT, BERLIN)
    assert next_firing(moments, at("2026-03-29T01:29Z")) == Firing(at("2026-03-29T02:30"), at("2026-03-29T01:30Z"))
