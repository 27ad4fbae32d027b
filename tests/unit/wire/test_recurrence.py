"""The times of rules: against dateutil's rrule where no clock jumps, and how fast they are where the start is old."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, pairwise

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as some

from purveyor.wire.recurrence import HORIZON_YEARS, fires_ever, latest_until, next_after
from purveyor.wire.rules import Frequency, Rule, parse_rule
from recurrence_values import FIRST_START, rules, starts, starts_between

NAMES = {
    Frequency.YEARLY: rrule.YEARLY,
    Frequency.MONTHLY: rrule.MONTHLY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.DAILY: rrule.DAILY,
    Frequency.HOURLY: rrule.HOURLY,
    Frequency.MINUTELY: rrule.MINUTELY,
}
END = datetime.fromisoformat("9990-12-31T23:59:59")
"""To where the oracle is followed. It walks, through rules that never fire to the end of all time, so this is close to it."""
FOUR_CENTURIES = timedelta(days=146_097)
"""The calendar repeats itself after these, weekdays included."""
_FIRST_YEARS = {Frequency.HOURLY: 9986, Frequency.MINUTELY: 9990}


def at(text: str) -> datetime:
    """A naive wall-clock time."""
    return datetime.fromisoformat(text)


def oracle(start: datetime, rule: Rule) -> rrule.rrule:
    """The same rule for dateutil."""
    return rrule.rrule(
        NAMES[rule.frequency],
        dtstart=start,
        interval=rule.interval,
        until=rule.until,
        count=rule.count,
        bymonth=rule.by_month or None,
        bymonthday=rule.by_month_day or None,
        byweekday=[rrule.weekday(one.weekday, one.ordinal or None) for one in rule.by_day] or None,
        byhour=rule.by_hour or None,
        byminute=rule.by_minute or None,
        bysetpos=rule.by_set_pos or None,
        wkst=rule.week_start,
    )


def first_times(start: datetime, rule: Rule, most: int) -> list[datetime]:
    """The first times of a rule, each asked for after the one before. A week may go on after the end of time."""
    found, last = [], start - timedelta(seconds=1)
    while len(found) < most and (following := next_after(start, rule, last)) is not None and following <= END:
        found.append(following)
        last = following
    return found


def expected(start: datetime, rule: Rule, most: int) -> list[datetime]:
    """What the oracle gives. A rule that never meets the hours of its own steps it refuses to follow."""
    try:
        return [one for one in islice(oracle(start, rule), most) if one <= END]
    except ValueError:
        return []


@some.composite
def followed(draw: some.DrawFn) -> tuple[datetime, Rule]:
    """A rule that dateutil reads as RFC 5545 does, and a start close to the end of all time.

    The part of a week that lies before the start dateutil takes for no part of it, which moves positions within the week.
    """
    rule = draw(rules())
    start = draw(starts_between(f"{_FIRST_YEARS.get(rule.frequency, 9940)}-01-01T00:00", "9990-12-31T23:59"))
    if rule.frequency is Frequency.WEEKLY and rule.by_set_pos:
        start -= timedelta(days=(start.weekday() - rule.week_start) % 7)
    return start, replace(rule, until=draw(some.none() | some.datetimes(start, END)) if rule.count is None else None)


@settings(max_examples=300, deadline=None)
@given(followed())
def test_the_first_times_are_those_of_the_oracle(given: tuple[datetime, Rule]) -> None:
    start, rule = given
    assert first_times(start, rule, 12) == expected(start, rule, 12)


@settings(max_examples=200, deadline=None)
@given(starts, rules(), some.timedeltas(timedelta(0), timedelta(days=60 * 365)))
def test_the_calendar_repeats_itself_after_four_centuries(start: datetime, rule: Rule, later: timedelta) -> None:
    rule = replace(rule, until=None)
    for ask in (next_after, latest_until):
        found = ask(start, rule, start + later)
        then = ask(start + FOUR_CENTURIES, rule, start + later + FOUR_CENTURIES)
        assert then == (None if found is None else found + FOUR_CENTURIES)


@settings(max_examples=200, deadline=None)
@given(starts, rules(), some.timedeltas(timedelta(0), timedelta(days=60 * 365)))
def test_what_is_next_and_what_was_last_enclose_any_time(start: datetime, rule: Rule, later: timedelta) -> None:
    wall = start + later
    last, following = latest_until(start, rule, wall), next_after(start, rule, wall)
    assert last is None or start <= last <= wall
    assert following is None or following > wall
    if last is not None:
        assert latest_until(start, rule, last) == last
        assert next_after(start, rule, last) == following
        assert next_after(start, rule, last - timedelta(seconds=1)) == last
    if following is not None:
        assert latest_until(start, rule, following) == following
        assert latest_until(start, rule, following - timedelta(seconds=1)) == last


@given(starts, rules())
def test_two_times_are_never_closer_than_five_minutes(start: datetime, rule: Rule) -> None:
    found = first_times(start, rule, 10)
    assert all(later - earlier >= timedelta(minutes=5) for earlier, later in pairwise(found))


def test_weekdays_with_and_without_a_number_are_both_meant() -> None:
    rule = parse_rule("FREQ=MONTHLY;BYDAY=MO,1FR")
    assert [one.day for one in first_times(at("2026-11-01T09:00"), rule, 6)] == [2, 6, 9, 16, 23, 30]


def test_the_position_counts_in_the_whole_week_in_which_the_start_lies() -> None:
    rule = parse_rule("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2")
    assert first_times(at("2026-11-26T09:00"), rule, 1) == [at("2026-12-02T09:00")]  # a Thursday: its Wednesday has passed


def test_an_end_by_a_day_is_meant_to_the_end_of_that_day() -> None:
    rule = parse_rule("FREQ=HOURLY;INTERVAL=12;UNTIL=20261202")
    assert first_times(at("2026-12-01T12:00"), rule, 9)[-1] == at("2026-12-02T12:00")


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=MINUTELY;INTERVAL=5;BYMINUTE=7",
        "FREQ=MINUTELY;INTERVAL=99990;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1000",
    ],
)
def test_a_rule_that_never_fires_says_so_soon(text: str) -> None:
    start, rule = at("2026-02-03T09:00"), parse_rule(text)
    begun = time.process_time()
    assert next_after(start, rule, at("2026-11-22T13:00")) is None
    assert latest_until(start, rule, at("2126-11-22T13:00")) is None
    assert not fires_ever(start, rule)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("text", "following", "last"),
    [
        ("FREQ=HOURLY", "2026-11-22T13:30", "2026-11-22T12:30"),
        ("FREQ=MINUTELY;INTERVAL=7", "2026-11-22T13:06", "2026-11-22T12:59"),
        ("FREQ=DAILY;INTERVAL=3", "2026-11-23T00:30", "2026-11-20T00:30"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2026-11-30T00:30", "2026-11-19T00:30"),
        ("FREQ=MONTHLY;BYDAY=2TU;BYHOUR=3", "2026-12-08T03:30", "2026-11-10T03:30"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2028-02-29T00:30", "2024-02-29T00:30"),
    ],
)
def test_a_start_of_decades_ago_costs_nothing(text: str, following: str, last: str) -> None:
    start, rule, wall = at("1971-01-01T00:30"), parse_rule(text), at("2026-11-22T13:00")
    begun = time.process_time()
    for _ in range(100):
        found = next_after(start, rule, wall), latest_until(start, rule, wall)
    assert found[0] is not None
    assert found[1] is not None
    assert time.process_time() - begun < 1
    if "MINUTELY" in text:
        assert found[0] - found[1] == timedelta(minutes=7)
        assert (found[0] - start) % timedelta(minutes=7) == timedelta(0)
    else:
        assert found == (at(following), at(last))


def test_a_count_is_counted_once_and_then_an_end() -> None:
    start, rule = at("1971-01-01T00:30"), parse_rule("FREQ=HOURLY;COUNT=1000")
    assert latest_until(start, rule, at("2026-11-22T13:00")) == start + timedelta(hours=999)
    assert next_after(start, rule, start + timedelta(hours=998)) == start + timedelta(hours=999)
    assert next_after(start, rule, start + timedelta(hours=999)) is None


def test_what_is_farther_away_than_the_horizon_is_taken_for_never() -> None:
    rule = parse_rule(f"FREQ=YEARLY;INTERVAL={HORIZON_YEARS + 1};BYMONTH=1")
    start = at("2000-01-01T00:00")
    assert next_after(start, rule, start - timedelta(days=1)) == start
    assert next_after(start, rule, start) is None
    assert next_after(start, rule, at("2001-06-01T00:00")) == at("2101-01-01T00:00")


@pytest.mark.parametrize("start", [datetime.min, datetime.max, FIRST_START])  # noqa: DTZ901 - wall-clock times have no zone
@pytest.mark.parametrize("wall", [datetime.min, datetime.max])  # noqa: DTZ901 - wall-clock times have no zone
@pytest.mark.parametrize("frequency", list(Frequency))
def test_the_ends_of_all_time_are_times_as_others_are(start: datetime, wall: datetime, frequency: Frequency) -> None:
    rule = Rule(frequency, 5)
    following, last = next_after(start, rule, wall), latest_until(start, rule, wall)
    assert following is None or following > wall
    assert last is None or last <= wall
