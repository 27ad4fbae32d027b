"""Rules and starts that are possible, for tests of facts over all of them."""

from datetime import datetime, timedelta

from hypothesis import strategies as some

from purveyor.wire.calendar_days import WeekdayOf
from purveyor.wire.rules import Frequency, Rule

FIRST_START = datetime.fromisoformat("1971-01-01T00:00")
BY_DAY = frozenset({Frequency.MONTHLY, Frequency.YEARLY})


def starts_between(first: str, last: str) -> some.SearchStrategy[datetime]:
    """Starts from one naive time to another, to the second."""
    times = some.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last))
    return times.map(lambda time: time.replace(microsecond=0))


starts = starts_between("1971-01-01T00:00", "2035-12-31T23:59")


def _some_of(values: list[int], most: int) -> some.SearchStrategy[tuple[int, ...]]:
    return some.lists(some.sampled_from(values), max_size=most, unique=True).map(lambda given: tuple(sorted(given)))


def _days(frequency: Frequency, *, in_months: bool) -> some.SearchStrategy[tuple[WeekdayOf, ...]]:
    """Weekdays: all with a number or all without, since other programs read a mixture in another way."""
    plain = some.integers(0, 6).map(WeekdayOf)
    if frequency not in BY_DAY:
        return _sorted(plain)
    most = 5 if frequency is Frequency.MONTHLY or in_months else 53
    ordinals = some.integers(-most, most).filter(bool)
    return some.one_of(_sorted(plain), _sorted(some.tuples(some.integers(0, 6), ordinals).map(lambda day: WeekdayOf(*day))))


def _sorted(days: some.SearchStrategy[WeekdayOf]) -> some.SearchStrategy[tuple[WeekdayOf, ...]]:
    return some.lists(days, max_size=3, unique=True).map(lambda given: tuple(sorted(given)))


@some.composite
def rules(draw: some.DrawFn) -> Rule:
    """A rule of any frequency that is not refused."""
    frequency = draw(some.sampled_from(list(Frequency)))
    least = 5 if frequency is Frequency.MINUTELY else 1
    by_month_day = () if frequency is Frequency.WEEKLY else draw(_some_of([*range(1, 32), *range(-31, 0)], 3))
    by_month = draw(_some_of(list(range(1, 13)), 3))
    by = (
        by_month,
        by_month_day,
        draw(_days(frequency, in_months=bool(by_month))),
        draw(_some_of(list(range(24)), 3)),
        draw(_some_of(list(range(0, 60, 5)), 3)),
    )
    set_positions = draw(_some_of([*range(1, 6), *range(-5, 0)], 2)) if any(by) else ()
    until = draw(some.none() | some.timedeltas(timedelta(0), timedelta(days=20_000)).map(lambda far: FIRST_START + far))
    count = draw(some.none() | some.integers(1, 30)) if until is None else None
    return Rule(
        frequency,
        draw(some.integers(least, least + 30) | some.integers(least, 2000)),
        count,
        None if until is None else until.replace(microsecond=0),
        *by,
        set_positions,
        draw(some.integers(0, 6)),
    )
