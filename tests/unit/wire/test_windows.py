"""Maintenance windows: what is open, for how long, what opens next, what was missed."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from purveyor.wire.offers import Window
from purveyor.wire.schedule import Zone
from purveyor.wire.windows import (
    LONGEST_SECONDS,
    Calendar,
    calendar_of,
    first_start,
    last_closed,
    missed,
    next_opening,
    open_until,
    time_left,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600


def at(text: str) -> datetime:
    """A naive wall-clock time, or an aware one where the text has an offset."""
    return datetime.fromisoformat(text)


def window(start: str, hours: float, rule: str = "", **more: int | bool | Zone) -> Window:
    """A window of so many hours."""
    given = {"number": 1, "zone": Zone.UTC, **more}
    return Window(start=at(start), duration_seconds=int(hours * HOUR), rule=rule, **given)  # type: ignore[arg-type]


def calendar(*windows: Window, share: float = 0.0, zone: ZoneInfo = BERLIN) -> Calendar:
    """Windows of a client with this share of every spread."""
    return Calendar(windows, zone, lambda _: share)


NIGHTLY = window("2026-01-01T22:00", 8, "FREQ=DAILY")
SATURDAYS = window("2026-12-05T22:00", 6, "FREQ=WEEKLY;BYDAY=SA", number=2)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-01T21:59:59Z", None),
        ("2026-12-01T22:00Z", "2026-12-02T06:00Z"),
        ("2026-12-02T05:59Z", "2026-12-02T06:00Z"),
        ("2026-12-02T06:00Z", None),
    ],
)
def test_a_window_is_open_from_its_time_for_its_duration(now: str, until: str | None) -> None:
    assert open_until(calendar(NIGHTLY), at(now)) == (until and at(until))


def test_the_time_that_is_left_reaches_through_windows_that_follow_on_each_other() -> None:
    late, early = window("2026-12-01T22:00", 2), window("2026-12-02T00:00", 3, number=2)
    other = window("2026-12-02T04:00", 1, number=3)
    assert time_left(calendar(late, early, other), at("2026-12-01T23:00Z")) == timedelta(hours=4)
    assert time_left(calendar(late, other), at("2026-12-02T03:00Z")) == timedelta(0)


def test_of_windows_that_are_open_at_once_the_longer_one_counts() -> None:
    assert time_left(calendar(NIGHTLY, window("2026-12-01T23:00", 1)), at("2026-12-01T23:30Z")) == timedelta(hours=6.5)


def test_a_window_without_end_has_much_time_left_and_is_found_soon() -> None:
    always = window("1971-01-01T00:00", 1, "FREQ=HOURLY")
    begun = time.process_time()
    assert time_left(calendar(always), at("2026-12-01T23:30Z")) >= timedelta(days=2)
    assert time.process_time() - begun < 1


def test_a_share_opens_a_window_later_and_closes_it_no_later() -> None:
    half = calendar(window("2026-12-01T22:00", 4, spread_seconds=2 * HOUR), share=0.5)
    assert open_until(half, at("2026-12-01T22:59Z")) is None
    assert open_until(half, at("2026-12-01T23:00Z")) == at("2026-12-02T02:00Z")
    waiting = next_opening(half, at("2026-12-01T22:59Z"))
    assert waiting is not None
    assert (waiting.begins_at, waiting.opens_at) == (at("2026-12-01T22:00Z"), at("2026-12-01T23:00Z"))


def test_a_spread_longer_than_its_window_lets_nothing_through_at_the_wrong_time() -> None:
    odd = calendar(window("2026-12-01T22:00", 1, spread_seconds=10 * HOUR), share=0.9)
    assert open_until(odd, at("2026-12-01T22:30Z")) is None
    assert open_until(odd, at("2026-12-02T07:30Z")) is None


def test_the_next_opening_is_the_first_of_all_windows_and_not_the_one_that_is_open() -> None:
    both = calendar(NIGHTLY, SATURDAYS)
    following = next_opening(both, at("2026-12-05T23:00Z"))
    assert following is not None
    assert (following.opens_at, following.window.number) == (at("2026-12-06T22:00Z"), 1)


@pytest.mark.parametrize(
    "never",
    [
        window("2026-11-01T22:00", 1),
        window("2028-11-01T22:00", 1),
        window("2026-01-01T00:00", 1, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        window("2026-01-01T00:00", 1, "FREQ=DAILY;COUNT=10"),
        window("2026-01-01T00:00", 1, "FREQ=WHENEVER"),
    ],
)
def test_a_window_that_does_not_open_within_a_year_never_opens(never: Window) -> None:
    assert next_opening(calendar(never), at("2026-12-01T12:00Z")) is None
    assert open_until(calendar(never), at("2026-12-01T12:00Z")) is None


def test_a_window_of_no_length_or_of_endless_length_is_no_reason_to_fail() -> None:
    now = at("2026-12-01T12:00Z")
    assert open_until(calendar(window("2026-12-01T12:00", 0, "FREQ=DAILY")), now) is None
    endless = window("2026-12-01T12:00", 10**7)
    assert open_until(calendar(endless), now) == now + timedelta(seconds=LONGEST_SECONDS)


@pytest.mark.parametrize(
    ("night", "opens", "closes"),
    [
        ("2026-03-28", "2026-03-28T21:00Z", "2026-03-29T05:00Z"),  # the short night: eight hours are eight hours
        ("2026-10-24", "2026-10-24T20:00Z", "2026-10-25T04:00Z"),
    ],
)
def test_a_window_lasts_as_long_in_the_nights_in_which_clocks_jump(night: str, opens: str, closes: str) -> None:
    nightly = calendar(window("2026-01-01T22:00", 8, "FREQ=DAILY", zone=Zone.CLIENT))
    following = next_opening(nightly, at(f"{night}T12:00Z"))
    assert following is not None
    assert (following.opens_at, following.closes_at) == (at(opens), at(closes))


def test_a_window_in_the_hour_that_is_skipped_opens_behind_it_and_one_in_the_hour_that_comes_twice_opens_once() -> None:
    short = window("2026-01-01T02:30", 0.5, "FREQ=DAILY", zone=Zone.CLIENT)
    skipped = next_opening(calendar(short), at("2026-03-28T12:00Z"))
    assert skipped is not None
    assert skipped.opens_at == at("2026-03-29T01:30Z")
    twice = next_opening(calendar(short), at("2026-10-24T12:00Z"))
    assert twice is not None
    after = next_opening(calendar(short), twice.opens_at)
    assert after is not None
    assert (twice.opens_at, after.opens_at) == (at("2026-10-25T00:30Z"), at("2026-10-26T01:30Z"))


@pytest.mark.parametrize(
    ("now", "needed_hours", "starts", "number"),
    [
        ("2026-12-01T23:00Z", 7, "2026-12-01T23:00Z", 1),  # seven hours are left
        ("2026-12-01T23:01Z", 7, "2026-12-02T22:00Z", 1),
        ("2026-12-01T12:00Z", 1, "2026-12-01T22:00Z", 1),
        ("2026-12-01T12:00Z", 20, "2026-12-06T08:00Z", 2),  # no night is as long
        ("2026-12-01T12:00Z", 31, None, None),
    ],
)
def test_a_run_starts_where_as_much_time_is_left_as_it_may_take(
    now: str, needed_hours: int, starts: str | None, number: int | None
) -> None:
    sundays = window("2026-12-06T08:00", 30, "FREQ=WEEKLY", number=2)
    found = first_start(calendar(NIGHTLY, sundays), at(now), timedelta(hours=needed_hours))
    assert (found and (found[0], found[1].window.number)) == (starts and (at(starts), number))


def test_a_run_longer_than_each_window_starts_where_two_follow_on_each_other() -> None:
    late, early = window("2026-12-01T22:00", 2), window("2026-12-02T00:00", 3, number=2)
    found = first_start(calendar(late, early), at("2026-12-01T12:00Z"), timedelta(hours=5))
    assert found is not None
    assert found[0] == at("2026-12-01T22:00Z")


def test_the_window_that_closed_last_is_the_one_that_ended_last() -> None:
    closed = last_closed(calendar(NIGHTLY, SATURDAYS), at("2026-12-06T05:00Z"))
    assert closed is not None
    assert (closed.window.number, closed.closes_at) == (2, at("2026-12-06T04:00Z"))
    assert last_closed(calendar(window("2026-12-05T22:00", 1)), at("2026-12-05T22:59Z")) is None


@pytest.mark.parametrize(
    ("alive", "is_missed"),
    [
        (None, True),
        ("2026-12-05T01:00Z", True),
        ("2026-12-05T22:00Z", False),
        ("2026-12-06T03:59Z", False),
    ],
)
def test_a_window_is_missed_by_a_machine_that_was_off_during_all_of_it(alive: str | None, is_missed: bool) -> None:
    caught = calendar(window("2026-12-05T22:00", 6, "FREQ=WEEKLY", catch_up=True))
    found = missed(caught, at("2026-12-07T09:00Z"), at(alive) if alive else None)
    assert (found is not None) is is_missed
    assert found is None or found.closes_at == at("2026-12-06T04:00Z")


def test_only_windows_with_catch_up_are_missed() -> None:
    assert missed(calendar(NIGHTLY, SATURDAYS), at("2026-12-07T09:00Z"), None) is None


def test_shares_are_each_client_s_own_and_each_window_s() -> None:
    first, second = window("2026-12-01T22:00", 6, number=1), window("2026-12-01T22:00", 6, number=2)
    calendars = [calendar_of((first, second), client, BERLIN) for client in ("a", "b")]
    shares = {one.share_of(item) for one in calendars for item in (first, second)}
    assert len(shares) == 4
    assert all(0 <= share < 1 for share in shares)


rules = some.sampled_from(["", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=HOURLY;INTERVAL=5", "FREQ=MONTHLY;BYMONTHDAY=31"])
windows = some.builds(
    Window,
    number=some.integers(1, 5),
    start=some.datetimes(at("2025-01-01T00:00"), at("2026-12-31T00:00")).map(lambda time: time.replace(microsecond=0)),
    duration_seconds=some.integers(60, 3 * 86_400),
    zone=some.sampled_from(Zone),
    rule=rules,
    name=some.just(""),
    spread_seconds=some.integers(0, 86_400),
    catch_up=some.booleans(),
)


@settings(deadline=None, max_examples=150)
@given(
    some.lists(windows, min_size=1, max_size=3).map(tuple),
    some.datetimes(at("2025-06-01T00:00"), at("2026-12-31T00:00")).map(lambda time: time.replace(tzinfo=UTC)),
    some.sampled_from(["c1", "c2", "c3"]),
)
def test_open_next_and_last_fit_together(given_windows: tuple[Window, ...], now: datetime, client: str) -> None:
    these = calendar_of(given_windows, client, BERLIN)
    until, following, closed = (
        open_until(these, now),
        next_opening(these, now),
        last_closed(these, now),
    )
    assert until is None or until > now
    assert closed is None or closed.opens_at <= closed.closes_at <= now
    if following is not None:
        assert now < following.opens_at <= following.closes_at
        before = following.opens_at - timedelta(microseconds=1)
        if until is None:
            assert open_until(these, before) is None
        if following.opens_at < following.closes_at:
            assert open_until(these, following.opens_at) is not None
