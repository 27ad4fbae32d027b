"""A moment in a sentence always says on whose clock it is."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from purveyor.wire.moments import clock_text, local_text, utc_text

AT = datetime(2026, 12, 1, 8, 0, 59, 999, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_moment_in_utc_ends_in_z_wherever_it_was_read() -> None:
    assert utc_text(AT) == utc_text(AT.astimezone(BERLIN)) == "2026-12-01 08:00Z"


def test_a_moment_on_another_clock_says_how_far_that_is_from_utc() -> None:
    assert local_text(AT, BERLIN) == "2026-12-01 09:00+01:00"
    assert local_text(AT, timezone(-timedelta(hours=9, minutes=30))) == "2026-11-30 22:30-09:30"
    assert local_text(AT, UTC) == utc_text(AT)


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    once, again = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert (clock_text(once, BERLIN), clock_text(again, BERLIN)) == ("02:30+02:00", "02:30+01:00")
