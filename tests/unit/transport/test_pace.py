"""A budget is kept whatever comes between: nothing is saved up, nothing is forgiven, and each hour has its own rate."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from purveyor.transport.pace import CREDIT_SECONDS, Meter, Pace
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import HeldBackError

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Time:
    """A clock that only waiting moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return MONDAY + timedelta(seconds=self.seconds)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds

    def meter(self, budget: str, *, debt_bytes: float = 0.0) -> Meter:
        return Meter(parse_budget(budget), now=self.now, monotonic=self.monotonic, zone=UTC, debt_bytes=debt_bytes)


def test_what_went_is_waited_for() -> None:
    time = Time()
    meter = time.meter("100")
    meter.took(250)
    assert meter.wait_seconds() == pytest.approx(2.5)
    time.pass_by(2)
    assert meter.wait_seconds() == pytest.approx(0.5)


def test_an_idle_hour_allows_no_burst_afterwards() -> None:
    time = Time()
    meter = time.meter("100")
    time.pass_by(3600)
    meter.took(300)
    assert meter.wait_seconds() == pytest.approx(3 - CREDIT_SECONDS)


def test_what_was_owed_when_a_process_ended_is_owed_by_the_next_one() -> None:
    time = Time()
    first = time.meter("100")
    first.took(500)
    assert time.meter("100", debt_bytes=first.debt_bytes()).wait_seconds() == pytest.approx(5)


def test_another_hour_has_another_rate_also_for_what_is_owed() -> None:
    time = Time()
    meter = time.meter("mon 08:00-08:01 10; otherwise 1000")
    meter.took(1600)
    assert meter.wait_seconds() == pytest.approx(160)
    time.pass_by(60)
    assert meter.wait_seconds() == pytest.approx(1.0)


def test_nothing_goes_at_an_hour_that_allows_nothing_and_it_says_until_when() -> None:
    time = Time()
    meter = time.meter("mon 08:00-09:30 0; otherwise unlimited")
    assert meter.wait_seconds() == 5400
    with pytest.raises(HeldBackError, match="until 2026-01-05 09:30Z") as held:
        meter.check_open()
    assert held.value.until == MONDAY + timedelta(hours=1.5)
    time.pass_by(5400)
    meter.check_open()
    assert meter.wait_seconds() == 0
    assert time.meter("0").wait_seconds() == inf


def test_a_pace_waits_through_hours_in_which_nothing_may_go_in_the_middle_of_a_file() -> None:
    time = Time()
    pace = Pace(time.meter("mon 08:00-08:10 10; mon 08:10-09:00 0; otherwise 100"), pause=time.pass_by)
    came_at = []
    for piece in pace.content([bytes(100)] * 70):
        came_at.append(time.seconds)
        assert len(piece) == 100
    assert came_at[59] <= 600
    assert came_at[61] >= 3600, "the next hour is waited for"
    assert came_at[69] == pytest.approx(came_at[61] + 8, abs=1)


def test_hours_in_which_nothing_may_go_are_not_waited_for_where_something_else_is_to_be_done() -> None:
    time = Time()
    pace = Pace(time.meter("0"), pause=time.pass_by, gives_way=lambda: time.seconds > 3600)
    with pytest.raises(HeldBackError):
        list(pace.content([b"a"]))
    assert 3600 < time.seconds < 3700


def test_waiting_that_lets_no_time_pass_is_given_up() -> None:
    time = Time()
    assert len(list(Pace(time.meter("0"), pause=lambda _: None).content([b"a", b"b"]))) == 2


def test_an_unlimited_budget_counts_nothing() -> None:
    time = Time()
    meter = time.meter("")
    meter.took(10**12)
    assert (meter.wait_seconds(), meter.debt_bytes()) == (0, 0)
