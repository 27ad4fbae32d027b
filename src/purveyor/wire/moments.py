"""How a moment stands in a sentence, the same for site and client: never without saying on whose clock. Pure.

`purveyor.cli.output.moment` shows the moments of answers, to the second and on the clock of whoever looks.
"""

from datetime import UTC, datetime, tzinfo


def utc_text(at: datetime) -> str:
    """A moment in UTC, such as `2026-12-01 09:00Z`. Shape: `at` is aware."""
    return local_text(at, UTC)


def local_text(at: datetime, zone: tzinfo | None) -> str:
    """A moment on the clock of a zone, None: of this machine, such as `2026-12-01 10:00+01:00`; in UTC as `utc_text` says it."""
    return at.astimezone(zone).isoformat(" ", "minutes").replace("+00:00", "Z")


def clock_text(at: datetime, zone: tzinfo | None) -> str:
    """The time of day alone, such as `10:00+01:00` or `09:00Z`."""
    return local_text(at, zone).partition(" ")[2]
