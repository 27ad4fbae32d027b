"""Lengths of time as numbers from outside name them, kept within what calendars hold: more than that is a long time.

Pure. Whatever a site says, adding it to a time gives a time.
"""

from datetime import UTC, datetime, timedelta

LONGEST_SECONDS = 100 * 366 * 86_400
"""A hundred years: whoever says more means for ever."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def span(seconds: float) -> timedelta:
    """So many seconds; none instead of fewer than none, and a hundred years instead of more."""
    return timedelta(seconds=min(max(0, seconds), LONGEST_SECONDS))


def moved(at: datetime, by: timedelta) -> datetime:
    """An aware time so much later, or earlier; the last or first one that a calendar has, instead of one beyond it."""
    try:
        return at + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST
