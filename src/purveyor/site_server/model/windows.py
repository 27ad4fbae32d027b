"""What a maintenance window may be, as administrators write it. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TypedDict

import msgspec

from purveyor.site_server.model.names import line_of
from purveyor.site_server.model.schedules import checked_rule
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.firings import Firing, moments_of, next_firing
from purveyor.wire.offers import Window
from purveyor.wire.schedule import Zone, parse_time
from purveyor.wire.windows import LONGEST_SECONDS

LIMIT = 50
"""Of one collection."""
NAME_LIMIT = 100
SHORTEST_SECONDS = 60
_A_DAY = timedelta(days=1)


class WindowGiven(TypedDict, total=False):
    """What may be said of a window. What is left out, or None, stays as it is; an empty rule makes it open once."""

    name: str | None
    start: str | None
    rule: str | None
    duration_seconds: int | None
    spread_seconds: int | None
    catch_up: bool | None


def new_window(number: int, given: WindowGiven, now: datetime) -> Window:
    """A window that was not there before; a rule without a start begins today, at 00:00 of each client's own clock.

    Errors: RefusedError, which says what to change.
    """
    if not given.get("start") and not given.get("rule"):
        raise RefusedError("when does it open? Give a start such as 2026-12-01T22:00, or a rule such as FREQ=WEEKLY;BYDAY=SA")
    if given.get("duration_seconds") is None:
        raise RefusedError("how long is it open? Give its duration")
    return window_with(Window(number=number, start=_midnight(now.date()), duration_seconds=0), given, now)


def window_with(before: Window, given: WindowGiven, now: datetime) -> Window:
    """The window once this was said. Errors: RefusedError, which says what to change."""
    changes: dict[str, object] = {
        key: value for key, value in given.items() if value is not None and key not in ("start", "rule", "name")
    }
    start, zone = _start_of(given.get("start")) or (before.start, before.zone)
    rule = before.rule if (text := given.get("rule")) is None else text.strip()
    changes |= {"start": start, "zone": zone, "rule": checked_rule(start, zone, rule) if rule else ""}
    if (name := given.get("name")) is not None:
        changes["name"] = line_of(name, "the name of a window", NAME_LIMIT)
    window = msgspec.structs.replace(before, **changes)
    _check_length(window)
    if when_of(window) != when_of(before) and next_opening_of(window, now - _A_DAY) is None:
        raise RefusedError("it never opens any more: its last time has passed")
    return window


def when_of(window: Window) -> tuple[datetime, Zone, str]:
    """What decides when a window opens."""
    return window.start, window.zone, window.rule


def next_opening_of(window: Window, after: datetime) -> Firing | None:
    """The next time at which a window opens, its own clock taken for UTC: zones move it by up to a day."""
    return next_firing(moments_of(window.start, window.rule, window.zone, UTC), after)


def _check_length(window: Window) -> None:
    if not SHORTEST_SECONDS <= window.duration_seconds <= LONGEST_SECONDS:
        raise RefusedError(
            f"a window is open for {SHORTEST_SECONDS} seconds to {LONGEST_SECONDS // 86_400} days, "
            f"not for {window.duration_seconds} seconds"
        )
    if not 0 <= window.spread_seconds < window.duration_seconds:
        raise RefusedError(
            f"the spread is shorter than the window: {window.spread_seconds} seconds in one of {window.duration_seconds} "
            "would leave no time to some clients"
        )


def _start_of(text: str | None) -> tuple[datetime, Zone] | None:
    if not text:
        return None
    try:
        start, zone = parse_time(text)
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    return start.replace(microsecond=0), zone


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
