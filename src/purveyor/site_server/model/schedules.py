"""Times and rules as administrators write them, seen to mean something before they are kept. Pure."""

import re
from datetime import UTC, datetime

from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.recurrence import HORIZON_YEARS, fires_ever
from purveyor.wire.rules import parse_rule, rule_text
from purveyor.wire.schedule import FIRST_YEAR, LAST_YEAR, Zone

_UNTIL_IN_UTC = re.compile(r"(UNTIL=[0-9]{8}T[0-9]{6})Z", re.IGNORECASE)


def checked_rule(start: datetime, zone: Zone, text: str) -> str:
    """The canonical text of a rule. Errors: RefusedError: it cannot be read, or it never fires from this start on."""
    given = _UNTIL_IN_UTC.sub(r"\1", text) if zone is Zone.UTC else text
    try:
        rule = parse_rule(given)
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    if not fires_ever(start, rule):
        raise RefusedError(
            f"the rule {rule_text(rule)} never fires: no time from {time_text(start, zone)} on is such, in {HORIZON_YEARS} years"
        )
    return rule_text(rule)


def checked_instant(time: datetime) -> datetime:
    """An instant in UTC, as it is kept and told. Errors: RefusedError: it has no offset, or no calendar has it."""
    if time.utcoffset() is None:
        raise RefusedError("a begin or an end is an instant: write 2026-12-01T09:00Z")
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise RefusedError(f"nothing begins or ends in the year {time.year}: {FIRST_YEAR} to {LAST_YEAR} are possible")
    return time.astimezone(UTC)


def time_text(time: datetime, zone: Zone) -> str:
    """A wall-clock time as an administrator writes it."""
    written = time.isoformat(timespec="seconds" if time.second else "minutes")
    return written + ("Z" if zone is Zone.UTC else "")
