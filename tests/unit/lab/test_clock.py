"""The hand-moved clock."""

from datetime import UTC, datetime, timedelta

import pytest

from purveyor.lab.clock import START, Clock, LocalClock


def test_the_time_stands_still_until_it_is_moved() -> None:
    clock = Clock()
    assert clock.now() == START == clock.now()
    clock.advance(timedelta(hours=3))
    assert clock.now() == START + timedelta(hours=3)


def test_true_time_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        Clock().advance(timedelta(seconds=-1))


def test_a_clock_needs_an_aware_start() -> None:
    with pytest.raises(ValueError, match="aware"):
        Clock(START.replace(tzinfo=None))


def test_a_local_clock_is_off_by_its_skew_and_the_skew_may_jump() -> None:
    clock = Clock(datetime(2026, 3, 1, tzinfo=UTC))
    local = LocalClock(clock.now, timedelta(days=-2))
    assert local.now() == datetime(2026, 2, 27, tzinfo=UTC)
    local.skew = timedelta(0)
    assert local.now() == local.true_time() == clock.now()


def test_a_clock_drifts_from_where_it_is_until_it_is_set_right() -> None:
    clock = Clock()
    local = LocalClock(clock.now, timedelta(minutes=1))
    local.drift(-100)
    clock.advance(timedelta(seconds=10_000))
    assert local.skew == timedelta(minutes=1) - timedelta(seconds=1)
    local.skew = timedelta(hours=1)
    clock.advance(timedelta(seconds=10_000))
    assert local.now() == clock.now() + timedelta(hours=1) - timedelta(seconds=1)
    local.set_right()
    clock.advance(timedelta(days=1))
    assert local.now() == clock.now()
