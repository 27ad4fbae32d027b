"""Which days of a year, a month or a week a rule lets through. Pure calendar; no times of day, no zones."""

from calendar import isleap, monthrange
from datetime import date
from enum import Enum
from typing import NamedTuple

LAST_POSSIBLE_YEAR = 9990


class Period(Enum):
    """The stretch of the calendar whose days are looked at together."""

    YEAR = "year"
    MONTH = "month"
    WEEK = "week"


class WeekdayOf(NamedTuple):
    """A weekday, Monday being 0: each one, or the so-maniest of its month or year (from the end if negative)."""

    weekday: int
    ordinal: int = 0


class Filter(NamedTuple):
    """What a day has to be. Shape: an empty part lets every day through."""

    months: frozenset[int]
    month_days: tuple[int, ...]
    weekdays: tuple[WeekdayOf, ...]
    counts_in_year: bool
    """Whether ordinals of weekdays count within the year, not within the month."""
    week_start: int


def chunk_of(day: date, period: Period, week_start: int) -> int:
    """The number of the year, month or week that a day lies in; the next one has the next number."""
    match period:
        case Period.YEAR:
            return day.year
        case Period.MONTH:
            return day.year * 12 + day.month - 1
        case Period.WEEK:
            return (day.toordinal() - 1 - week_start) // 7


def days_of(chunk: int, period: Period, wanted: Filter) -> list[int]:
    """The days of a year, month or week that are let through, as ordinals (`date.toordinal`), ascending."""
    match period:
        case Period.YEAR:
            months = sorted(wanted.months) or range(1, 13)
            return [day for month in months for day in _days_of_month(chunk, month, wanted)]
        case Period.MONTH:
            return _days_of_month(chunk // 12, chunk % 12 + 1, wanted)
        case Period.WEEK:
            first = chunk * 7 + 1 + wanted.week_start
            return [day for day in range(max(first, 1), first + 7) if _is_day_of_week(day, wanted)]


def _is_day_of_week(day: int, wanted: Filter) -> bool:
    if wanted.weekdays and (day - 1) % 7 not in {one.weekday for one in wanted.weekdays}:
        return False
    return not wanted.months or date.fromordinal(day).month in wanted.months


def _days_of_month(year: int, month: int, wanted: Filter) -> list[int]:
    if wanted.months and month not in wanted.months:
        return []
    first_weekday, length = monthrange(year, month)
    numbers = _numbers_in(length, wanted.month_days)
    first = date(year, month, 1).toordinal()
    if wanted.weekdays:
        offset, size = (
            (first - date(year, 1, 1).toordinal(), 366 if isleap(year) else 365) if wanted.counts_in_year else (0, length)
        )
        numbers = [one for one in numbers if _is_weekday((first_weekday + one - 1) % 7, one + offset, size, wanted)]
    return [first + number - 1 for number in numbers]


def _numbers_in(length: int, month_days: tuple[int, ...]) -> list[int]:
    if not month_days:
        return list(range(1, length + 1))
    numbers = {day if day > 0 else length + 1 + day for day in month_days}
    return sorted(number for number in numbers if 1 <= number <= length)


def _is_weekday(weekday: int, number: int, size: int, wanted: Filter) -> bool:
    """Whether the day with this number, of so many, is one of the wanted weekdays."""
    ordinals = (0, (number - 1) // 7 + 1, -((size - number) // 7 + 1))
    return any(one.weekday == weekday and one.ordinal in ordinals for one in wanted.weekdays)
