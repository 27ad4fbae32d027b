"""Budgets of bandwidth: what people write, what holds at each hour of a week, and when that changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from purveyor.wire.bandwidth import (
    RATE_LIMIT,
    TEXT_LIMIT,
    UNLIMITED,
    next_allowance,
    next_change,
    parse_budget,
    rate_at,
    rate_in_words,
)
from purveyor.wire.errors import RejectedError

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = parse_budget("mon-fri 08:00-18:00 512K; sat 22:00-06:00 2M; otherwise unlimited")


@pytest.mark.parametrize(
    ("day", "time", "rate"),
    [
        (0, "07:59", None),
        (0, "08:00", 512 * 1024),
        (4, "17:59", 512 * 1024),
        (4, "18:00", None),
        (5, "12:00", None),
        (5, "22:00", 2 * 2**20),
        (6, "05:59", 2 * 2**20),
        (6, "06:00", None),
    ],
)
def test_each_hour_of_the_week_has_its_rate(day: int, time: str, rate: int | None) -> None:
    at = datetime.fromisoformat(f"{(MONDAY + timedelta(days=day)).date()}T{time}+00:00")
    assert rate_at(OFFICE, at, UTC) == rate


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ((0, None),)),
        ("512K", ((0, 524_288),)),
        ("  OTHERWISE 64 ;", ((0, 64),)),
        ("daily 0-24 0", ((0, 0),)),
        ("sun 23 - 01:30 1M/s", ((0, 2**20), (90, None), (6 * 1440 + 23 * 60, 2**20))),
        ("sat-mon,wed 1GiB", ((0, 2**30), (1440, None), (2 * 1440, 2**30), (3 * 1440, None), (5 * 1440, 2**30))),
        ("mon 5; mon 6; daily unlimited", ((0, 5), (1440, None))),
    ],
)
def test_what_is_written_holds_and_the_first_part_that_names_a_time_counts(
    text: str, steps: tuple[tuple[int, int | None], ...]
) -> None:
    assert parse_budget(text).steps == steps


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mon", "no rate"),
        ("mon-fri 08:00-18:00", "no rate"),
        ("fast", "no rate"),
        ("-1", "no rate"),
        (f"{RATE_LIMIT // 2**30 + 1}g", "no rate"),
        ("²", "no rate"),
        ("mun 1", "no day"),
        ("mon-,tue 8-9 1", "no day"),
        ("otherwise mon 1", "no day"),
        ("mon 08:00-08:00 1", "same time"),
        ("mon 24:00-25:00 1", "from 00:00"),
        ("mon 08:70-09:00 1", "from 00:00"),
        ("mon 8 1", "no hours"),
        ("mon tue 8-9 1", "all that it may say"),
        ("1;" * TEXT_LIMIT, "characters at most"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(RejectedError, match=why):
        parse_budget(text)


def test_the_next_change_is_told_by_the_wall_clock_also_where_clocks_are_put_on_and_back() -> None:
    budget = parse_budget("sun 01:00-03:30 0")
    saturday = datetime(2026, 3, 28, 12, tzinfo=UTC)
    begins = next_change(budget, saturday, BERLIN)
    assert begins is not None and begins == datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert next_change(budget, begins, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "the hour from two to three was none"
    begins = next_change(budget, datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
    assert begins is not None and begins == datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    assert next_change(budget, begins, BERLIN) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "there were two of them"


def test_a_rate_that_is_the_same_all_week_never_changes() -> None:
    assert next_change(UNLIMITED, MONDAY, UTC) is None
    assert next_change(parse_budget("mon 1; otherwise 1"), MONDAY, UTC) is None


def test_when_anything_is_allowed_again() -> None:
    closed = parse_budget("mon-fri 08:00-18:00 0; otherwise 5")
    at = MONDAY + timedelta(hours=9)
    assert next_allowance(closed, at, UTC) == MONDAY + timedelta(hours=18)
    assert next_allowance(parse_budget("0"), at, UTC) is None
    assert next_allowance(parse_budget("sun 03:00-04:00 unlimited; otherwise 0"), at, UTC) == MONDAY + timedelta(days=6, hours=3)


def test_rates_are_told_as_they_are_written() -> None:
    assert [rate_in_words(rate) for rate in (None, 0, 512 * 1024, 2**21, 1000)] == ["unlimited", "0", "512K", "2M", "1000"]
