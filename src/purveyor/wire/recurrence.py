"""The wall-clock times that a rule gives (`wire.rules` reads its text): the next one, and the latest that has passed.

All times here are naive wall-clock times: whose clock, and what daylight saving does to them, is `wire.firings`. The arithmetic
goes straight to the year, month, week or day that is asked for, however old the start is, and looks at most `HORIZON_YEARS` far.
No rule gives two times less than five minutes apart. Upstream: assignments and maintenance windows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from purveyor.wire.calendar_days import LAST_POSSIBLE_YEAR, Filter, Period, WeekdayOf, chunk_of, days_of
from purveyor.wire.rules import Frequency, Rule

BEGINNING = datetime.combine(date.min, time.min)
"""Before every time: what comes after it is the first."""
HORIZON_YEARS = 100
"""What lies farther away than this, seen from the time that is asked about, is taken for never."""

_PERIODS = {Frequency.YEARLY: Period.YEAR, Frequency.MONTHLY: Period.MONTH, Frequency.WEEKLY: Period.WEEK}


def next_after(start: datetime, rule: Rule, wall: datetime) -> datetime | None:
    """The first time of the rule strictly after a wall-clock time; None: there is none within `HORIZON_YEARS`."""
    start = start.replace(microsecond=0)
    plan = _plan_of(start, rule)
    wall = max(wall, _just_before(start))
    if plan.end is not None and wall >= plan.end:
        return None
    for chunk in _chunks(plan, wall, 1):
        for found in _times_after(plan, chunk, wall):
            return found if plan.end is None or found <= plan.end else None
    return None


def latest_until(start: datetime, rule: Rule, wall: datetime) -> datetime | None:
    """The last time of the rule at or before a wall-clock time; None: there is none, or it is `HORIZON_YEARS` ago."""
    start = start.replace(microsecond=0)
    plan = _plan_of(start, rule)
    if plan.end is not None:
        wall = min(wall, plan.end)
    if wall < start:
        return None
    for chunk in _chunks(plan, wall, -1):
        for found in _times_until(plan, chunk, wall):
            return found if found >= start else None
    return None


def fires_ever(start: datetime, rule: Rule) -> bool:
    """Whether the rule gives any time at all."""
    return next_after(start, rule, BEGINNING) is not None


class _Plan(NamedTuple):
    """A rule with all that it leaves to its start filled in."""

    start: datetime
    rule: Rule
    period: Period
    step: int
    filter: Filter
    times: tuple[time, ...]
    """Of each day, where the rule is not one within a day."""
    end: datetime | None
    by_residue: dict[int, tuple[time, ...]]
    """The times of a day, by how far the day lies out of step; filled as days are asked for."""


@lru_cache(maxsize=1024)
def _plan_of(start: datetime, rule: Rule) -> _Plan:
    is_weekly, has_days = rule.frequency is Frequency.WEEKLY, bool(rule.by_day or rule.by_month_day)
    by_month, by_month_day, by_day = rule.by_month, rule.by_month_day, rule.by_day
    if not has_days and is_weekly:
        by_day = (WeekdayOf(start.weekday()),)
    elif not has_days and rule.frequency in _PERIODS:
        by_month_day = (start.day,)
        by_month = by_month or ((start.month,) if rule.frequency is Frequency.YEARLY else ())
    hours, minutes = rule.by_hour or (start.hour,), rule.by_minute or (start.minute,)
    times = tuple(time(hour, minute, start.second) for hour in hours for minute in minutes)
    if rule.frequency is Frequency.DAILY and rule.by_set_pos:
        times = _picked(times, rule.by_set_pos)
    in_year = rule.frequency is Frequency.YEARLY and not rule.by_month
    period = _PERIODS.get(rule.frequency, Period.MONTH)
    step = rule.interval if rule.frequency in _PERIODS else 1
    filter_ = Filter(frozenset(by_month), by_month_day, by_day, in_year, rule.week_start)
    plan = _Plan(start, rule, period, step, filter_, times, rule.until, {})
    return plan if rule.count is None else plan._replace(end=_end_of_count(plan, rule.count))


def _end_of_count(plan: _Plan, count: int) -> datetime:
    """The last of so many times. What lies behind the horizon of the start is not counted any more: no time is behind it."""
    found, before = 0, _just_before(plan.start)
    last = before
    for chunk in _chunks(plan, plan.start, 1):
        for last in _times_after(plan, chunk, before):
            found += 1
            if found == count:
                return last
    return last


def _chunks(plan: _Plan, wall: datetime, direction: int) -> Iterator[int]:
    """The chunks that the rule has a part in, from the one of a time on, or back to the one of the start."""
    first = chunk_of(plan.start.date(), plan.period, plan.filter.week_start)
    here = chunk_of(wall.date(), plan.period, plan.filter.week_start)
    last = chunk_of(date(LAST_POSSIBLE_YEAR, 12, 31), plan.period, plan.filter.week_start)
    if plan.end is not None:
        last = min(last, chunk_of(plan.end.date(), plan.period, plan.filter.week_start))
    farthest = HORIZON_YEARS * {Period.YEAR: 1, Period.MONTH: 12, Period.WEEK: 53}[plan.period]
    if direction > 0:
        return iter(range(here + (first - here) % plan.step, min(last, here + farthest) + 1, plan.step))
    return iter(range(here - (here - first) % plan.step, max(first, here - farthest) - 1, -plan.step))


def _times_after(plan: _Plan, chunk: int, wall: datetime) -> Iterator[datetime]:
    days = days_of(chunk, plan.period, plan.filter)
    if plan.rule.by_set_pos and plan.rule.frequency in _PERIODS:
        yield from (found for found in _positioned(plan, days) if found > wall)
        return
    today = wall.toordinal()
    for day in days[bisect_left(days, today) :]:
        times = _times_on(plan, day)
        yield from (_at(day, one) for one in (times[bisect_right(times, wall.time()) :] if day == today else times))


def _times_until(plan: _Plan, chunk: int, wall: datetime) -> Iterator[datetime]:
    days = days_of(chunk, plan.period, plan.filter)
    if plan.rule.by_set_pos and plan.rule.frequency in _PERIODS:
        yield from (found for found in reversed(_positioned(plan, days)) if found <= wall)
        return
    today = wall.toordinal()
    for day in reversed(days[: bisect_right(days, today)]):
        times = _times_on(plan, day)
        yield from (_at(day, one) for one in reversed(times[: bisect_right(times, wall.time())] if day == today else times))


def _positioned(plan: _Plan, days: list[int]) -> list[datetime]:
    """The times of a whole period that BYSETPOS picks, ascending; none is made that is not picked."""
    size, width = len(days) * len(plan.times), len(plan.times)
    places = sorted({place for place in (_place(position, size) for position in plan.rule.by_set_pos) if place is not None})
    return [_at(days[place // width], plan.times[place % width]) for place in places]


def _times_on(plan: _Plan, day: int) -> tuple[time, ...]:
    """The times on a day that the day parts let through, ascending."""
    match plan.rule.frequency:
        case Frequency.HOURLY | Frequency.MINUTELY:
            return _times_within(plan, day)
        case Frequency.DAILY if (day - plan.start.toordinal()) % plan.rule.interval:
            return ()
        case _:
            return plan.times


def _times_within(plan: _Plan, day: int) -> tuple[time, ...]:
    """The times of a rule that steps by hours or minutes on a day. Days equally far out of step have the same ones."""
    is_hourly, start, interval = plan.rule.frequency is Frequency.HOURLY, plan.start, plan.rule.interval
    in_a_day = 24 if is_hourly else 24 * 60
    at_start = start.hour if is_hourly else start.hour * 60 + start.minute
    first = (at_start - (day - start.toordinal()) * in_a_day) % interval
    if first not in plan.by_residue:
        units = range(first, in_a_day, interval)
        plan.by_residue[first] = _of_hours(plan, units) if is_hourly else _of_minutes(plan, units)
    return plan.by_residue[first]


def _of_hours(plan: _Plan, hours: range) -> tuple[time, ...]:
    minutes = plan.rule.by_minute or (plan.start.minute,)
    wanted = [hour for hour in hours if not plan.rule.by_hour or hour in plan.rule.by_hour]
    of_each = [tuple(time(hour, minute, plan.start.second) for minute in minutes) for hour in wanted]
    if plan.rule.by_set_pos:
        of_each = [_picked(times, plan.rule.by_set_pos) for times in of_each]
    return tuple(one for times in of_each for one in times)


def _of_minutes(plan: _Plan, minutes: range) -> tuple[time, ...]:
    rule = plan.rule
    if rule.by_set_pos and not {1, -1} & set(rule.by_set_pos):
        return ()
    parts = (divmod(minute, 60) for minute in minutes)
    return tuple(
        time(hour, minute, plan.start.second)
        for hour, minute in parts
        if (not rule.by_hour or hour in rule.by_hour) and (not rule.by_minute or minute in rule.by_minute)
    )


def _picked(times: tuple[time, ...], positions: tuple[int, ...]) -> tuple[time, ...]:
    places = {_place(position, len(times)) for position in positions}
    return tuple(one for place, one in enumerate(times) if place in places)


def _place(position: int, size: int) -> int | None:
    """Where in a list the position from 1, or from its end, is."""
    place = position - 1 if position > 0 else size + position
    return place if 0 <= place < size else None


def _at(day: int, one: time) -> datetime:
    return datetime.combine(datetime.fromordinal(day), one)


def _just_before(start: datetime) -> datetime:
    return start - timedelta(microseconds=1) if start > BEGINNING else start
