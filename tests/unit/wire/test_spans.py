"""Numbers of seconds from outside: whatever they are, what is made of them is a time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire.spans import LONGEST_SECONDS, moved, span

INSTANTS = st.datetimes(timezones=st.just(UTC))
SECONDS = st.integers(-(10**40), 10**40)


@given(INSTANTS, SECONDS)
def test_any_number_of_seconds_later_is_a_time_that_is_not_earlier(at: datetime, seconds: int) -> None:
    assert moved(at, span(seconds)) >= at


@given(INSTANTS, SECONDS)
def test_any_number_of_seconds_earlier_is_a_time_that_is_not_later(at: datetime, seconds: int) -> None:
    assert moved(at, -span(seconds)) <= at


@given(st.integers(0, LONGEST_SECONDS))
def test_what_a_calendar_holds_is_taken_as_it_is(seconds: int) -> None:
    assert span(seconds) == timedelta(seconds=seconds)
    assert moved(datetime(2026, 1, 1, tzinfo=UTC), span(seconds)) == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
