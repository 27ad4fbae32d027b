"""How long a busy point is left alone: as long as it asks for, and a little longer, each client by a share of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from purveyor.client.points import pauses
from purveyor.client.state.store import State
from purveyor.lab.state import memory_connection
from purveyor.wire.errors import BusyError

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
URL = "http://site/dp"


@pytest.fixture
def state() -> Iterator[State]:
    connection = memory_connection()
    yield State(connection)
    connection.close()


def left_alone_seconds(state: State, wait_seconds: float) -> float:
    pauses.begin_busy(state, URL, BusyError("busy", wait_seconds=wait_seconds), now=NOW)
    until = pauses.ends_at(state, URL, NOW)
    return 0.0 if until is None else (until - NOW).total_seconds()


@pytest.mark.parametrize(("said", "shortest"), [(120, 120), (0, pauses.USUAL_WAIT_SECONDS), (1, 5), (10**9, 3600)])
def test_a_busy_point_is_left_alone_for_as_long_as_it_says_within_bounds(state: State, said: float, shortest: float) -> None:
    assert shortest <= left_alone_seconds(state, said) <= shortest * (1 + pauses.BUSY_SPREAD)


def test_it_has_not_failed_and_is_asked_again_when_that_is_over(state: State) -> None:
    left_alone_seconds(state, 60)
    assert pauses.trouble_of(state, URL) == ()
    assert pauses.ends_at(state, URL, NOW + timedelta(seconds=90)) is None
    pauses.begin(state, URL, "it is dead", now=NOW)
    failed = pauses.ends_at(state, URL, NOW)
    pauses.begin_busy(state, URL, BusyError("busy", wait_seconds=600), now=NOW)
    later = pauses.ends_at(state, URL, NOW)
    assert failed is not None and later is not None and later > failed, "whichever ends later counts"


def test_what_a_wrong_clock_left_is_not_kept_to(state: State) -> None:
    left_alone_seconds(state, 600)
    assert pauses.busy_until(state, URL, NOW - timedelta(days=1)) is None
