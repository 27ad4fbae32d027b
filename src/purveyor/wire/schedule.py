"""When something is due: instants, and wall-clock times in the client's own zone.

Wall-clock rules: a time that daylight saving skips is taken as far behind the gap as it lies inside it (02:30 becomes 03:30);
a time that happens twice is the first of the two. So an assignment is due once, on every machine.
"""

from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from purveyor.wire.errors import RejectedError

FIRST_YEAR, LAST_YEAR = 1971, 9000


class Zone(StrEnum):
    """Whose clock a time is read on."""

    UTC = "utc"
    CLIENT = "client"


def instant_of(wall: datetime, zone: Zone, client_zone: tzinfo) -> datetime:
    """The aware UTC instant of a naive wall-clock time."""
    local = wall.replace(tzinfo=UTC if zone is Zone.UTC else client_zone, fold=0)
    try:
        return local.astimezone(UTC)
    except OverflowError:  # the first and the last day of all time, in zones that have no such day
        return wall.replace(tzinfo=UTC)


def parse_time(text: str) -> tuple[datetime, Zone]:
    """A time as an administrator writes it: with `Z` or an offset it is UTC, without it is each client's own clock.

    Shape:  the naive wall-clock time and whose clock it is read on.
    Errors: RejectedError, with an example.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RejectedError(
            f"{text!r} is no time: write 2026-12-01T09:00Z for UTC, or 2026-12-01T09:00 for each client's own clock"
        ) from error
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise RejectedError(
            f"{text!r} is no time at which anything can be due: the years {FIRST_YEAR} to {LAST_YEAR} are possible"
        )
    if time.tzinfo is None:
        return time, Zone.CLIENT
    return time.astimezone(UTC).replace(tzinfo=None), Zone.UTC
