"""When a client may be changed: which maintenance window is open, until when, which one opens next, which one ended last.

A window opens at its wall-clock time (`wire.firings` says what daylight saving does to it) and stays open for its duration, which
is time that goes by, not time on the clock: eight hours are eight hours in every night. A window's spread moves its opening on
each client by the client's share (`wire.spread`), never its end. Pure; a client without any window is not asked about here.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from purveyor.wire.errors import RejectedError
from purveyor.wire.firings import MOMENT, Moments, firings_after, latest_firing, moments_of
from purveyor.wire.offers import Window
from purveyor.wire.spans import moved, span
from purveyor.wire.spread import share_of

YEAR = timedelta(days=366)
LONGEST_SECONDS = 7 * 86400
"""Of one opening. What a window that claims more says beyond it is not looked at."""
MOST_OVERLAPPING = 50
"""Openings that are looked at where each begins before the one before it ends."""
LOOK_AHEAD = 20
"""Times without a gap that are looked at for one in which openings that follow on each other are long enough together."""

_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)

ShareOf = Callable[[Window], float]
"""A client's share in a window's spread, from 0 to below 1."""


class Opening(NamedTuple):
    """One time at which a window is open. Units: aware UTC; `closes_at` is no longer part of it."""

    window: Window
    begins_at: datetime
    """When it begins for the fleet."""
    opens_at: datetime
    """When it opens for this client: by its share later."""
    closes_at: datetime


class Calendar(NamedTuple):
    """The windows that reach a client, and whose clock and share they are read by."""

    windows: tuple[Window, ...]
    client_zone: tzinfo
    share_of: ShareOf


def calendar_of(windows: tuple[Window, ...], client: str, client_zone: tzinfo) -> Calendar:
    """The windows that reach a client, with its own share of each one's spread."""
    return Calendar(windows, client_zone, lambda window: share_of(client, f"window {window.number}"))


def open_until(calendar: Calendar, at: datetime) -> datetime | None:
    """When the time that is open at an instant ends, through windows that follow on each other; None: none is open."""
    until = max((opening.closes_at for opening in _around(calendar, at) if opening.opens_at <= at), default=None)
    if until is None:
        return None
    for _ in range(MOST_OVERLAPPING):
        farther = max((opening.closes_at for opening in _around(calendar, until)), default=until)
        if farther <= until:
            break
        until = farther
    return until


def time_left(calendar: Calendar, at: datetime) -> timedelta:
    """How long may be worked from an instant on; zero where no window is open."""
    until = open_until(calendar, at)
    return timedelta(0) if until is None else until - at


def next_opening(calendar: Calendar, at: datetime) -> Opening | None:
    """The opening that opens first after an instant. None: none does within a year; the windows never open."""
    found = [opening for window in calendar.windows for opening in _next_of(calendar, window, at)]
    return min(found, key=lambda opening: opening.opens_at, default=None)


def first_start(calendar: Calendar, at: datetime, needed: timedelta) -> tuple[datetime, Opening] | None:
    """When a run that needs so much time may start, from an instant on, and in which opening. None: never within a year."""
    around = [opening for opening in _around(calendar, at) if opening.opens_at <= at]
    if around and time_left(calendar, at) >= needed:
        return at, max(around, key=lambda opening: opening.closes_at)
    found = next_opening(calendar._replace(windows=tuple(one for one in calendar.windows if _is_long(calendar, one, needed))), at)
    after = at
    for _ in range(LOOK_AHEAD):
        opening = next_opening(calendar, after)
        if opening is None or (found is not None and opening.opens_at >= found.opens_at):
            break
        if time_left(calendar, opening.opens_at) >= needed:
            return opening.opens_at, opening
        after = open_until(calendar, opening.opens_at) or opening.opens_at  # whatever opens until then leaves less
    return None if found is None else (found.opens_at, found)


def last_closed(calendar: Calendar, at: datetime) -> Opening | None:
    """The opening that ended last at or before an instant; None: none ever did."""
    found = [opening for window in calendar.windows for opening in _last_closed_of(calendar, window, at)]
    return max(found, key=lambda opening: opening.closes_at, default=None)


def missed(calendar: Calendar, at: datetime, alive_at: datetime | None) -> Opening | None:
    """The opening that ended last of the windows with catch-up, if the machine was not on during any of it.

    Shape: `alive_at` is when the machine was on in an open window for the last time; None: never, as far as it remembers.
    """
    catching_up = tuple(window for window in calendar.windows if window.catch_up)
    last = last_closed(calendar._replace(windows=catching_up), at)
    return last if last is not None and (alive_at is None or alive_at < last.opens_at) else None


def _around(calendar: Calendar, at: datetime) -> Iterator[Opening]:
    """The openings that have begun by an instant and last beyond it, whether or not they are open for this client yet."""
    for window in calendar.windows:
        moments, before = _moments_of(calendar, window), at
        if moments is None:
            continue
        for _ in range(MOST_OVERLAPPING):
            firing = latest_firing(moments, before)
            opening = None if firing is None else _opening(calendar, window, firing.at)
            if opening is None or opening.closes_at <= at:
                break
            yield opening
            before = opening.begins_at - MOMENT


def _next_of(calendar: Calendar, window: Window, at: datetime) -> Iterator[Opening]:
    """The next opening of one window, at most one: what has begun but not opened yet for this client, or what begins next."""
    waiting = [opening for opening in _around(calendar._replace(windows=(window,)), at) if opening.opens_at > at]
    if waiting:
        yield waiting[-1]
        return
    moments = _moments_of(calendar, window)
    firing = None if moments is None else next(firings_after(moments, at), None)
    if firing is not None and firing.at - at <= YEAR:
        yield _opening(calendar, window, firing.at)


def _last_closed_of(calendar: Calendar, window: Window, at: datetime) -> Iterator[Opening]:
    moments = _moments_of(calendar, window)
    firing = None if moments is None else latest_firing(moments, at - _duration_of(window))
    if firing is not None:
        yield _opening(calendar, window, firing.at)


def _moments_of(calendar: Calendar, window: Window) -> Moments | None:
    """When a window opens. None: its rule cannot be read (a later version's), and it opens never rather than whenever."""
    try:
        return moments_of(window.start, window.rule, window.zone, calendar.client_zone)
    except RejectedError:
        return None


def _is_long(calendar: Calendar, window: Window, needed: timedelta) -> bool:
    """Whether one opening of a window alone leaves this client so much time."""
    opening = _opening(calendar, window, _SOME_TIME)
    return opening.closes_at - opening.opens_at >= needed


def _duration_of(window: Window) -> timedelta:
    return timedelta(seconds=max(0, min(window.duration_seconds, LONGEST_SECONDS)))


def _opening(calendar: Calendar, window: Window, begins_at: datetime) -> Opening:
    share = min(max(calendar.share_of(window), 0.0), 1.0)
    duration = _duration_of(window)
    shift = min(span(window.spread_seconds) * share, duration)
    return Opening(window, begins_at, moved(begins_at, shift), moved(begins_at, duration))
