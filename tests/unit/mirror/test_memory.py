"""When a grace is over: by both clocks, whatever either of them does."""

from datetime import UTC, datetime, timedelta

from purveyor.mirror.memory import Since, is_over, not_ahead

T0 = datetime(2026, 1, 5, tzinfo=UTC)
GRACE = timedelta(days=9)


def _over(since: Since, now: datetime, signed: datetime) -> bool:
    return is_over(since, grace_seconds=GRACE.total_seconds(), now=now, signed=signed)


def test_a_grace_is_over_only_when_both_clocks_say_so() -> None:
    since = Since(here=T0, signed=T0)
    assert _over(since, T0 + GRACE, T0 + GRACE)
    assert not _over(since, T0 + 100 * GRACE, T0)
    assert not _over(since, T0, T0 + 100 * GRACE)


def test_a_clock_that_was_ahead_keeps_nothing_for_ever() -> None:
    wrong = Since(here=T0 + timedelta(days=3650), signed=T0)
    mended = not_ahead(wrong, now=T0, signed=T0)
    assert mended.here == T0
    assert _over(mended, T0 + GRACE, T0 + GRACE)
