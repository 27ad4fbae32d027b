"""When a rule, or a single time, fires: instants, by the clock of a zone that has daylight saving.

A time that daylight saving skips is moved behind the gap; one that happens twice is the first of the two (`schedule.instant_of`).
A firing is named by its wall-clock time, so it has one name on every machine. A rule that gives several times for one instant, or
one out of order because of a gap, fires once: what is moved behind a later firing that has passed is answered by that one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from purveyor.wire.recurrence import BEGINNING, latest_until, next_after
from purveyor.wire.rules import Rule, parse_rule
from purveyor.wire.schedule import Zone, instant_of

MOMENT = timedelta(microseconds=1)


class Moments(NamedTuple):
    """A time, or the start of a rule by which it comes again, on the clock of a zone."""

    start: datetime
    rule: Rule | None
    zone: Zone
    client_zone: tzinfo

    @property
    def clock(self) -> tzinfo:
        """The zone on whose clock the times are read."""
        return UTC if self.zone is Zone.UTC else self.client_zone


class Firing(NamedTuple):
    """One time at which something is due. Units: `nominal` naive wall clock, which names it; `at` aware UTC."""

    nominal: datetime
    at: datetime


def moments_of(start: datetime, rule: str, zone: Zone, client_zone: tzinfo) -> Moments:
    """A time and the text of its rule ("": none), as offers carry them; an offset says nothing there. Errors: RejectedError."""
    return Moments(start.replace(tzinfo=None), parse_rule(rule) if rule else None, zone, client_zone)


def latest_firing(moments: Moments, at: datetime) -> Firing | None:
    """The last firing at or before an instant: of all that have passed the one with the latest name."""
    found = _latest_until(moments, _latest_wall(moments.clock, at))
    while found is not None:
        instant = _instant(moments, found)
        if instant <= at:
            return Firing(found, instant)
        found = _latest_until(moments, found - MOMENT)
    return None


def next_firing(moments: Moments, at: datetime) -> Firing | None:
    """The first firing after an instant. None: there is none within a hundred years."""
    passed = latest_firing(moments, at)
    found = _next_after(moments, None if passed is None else passed.nominal)
    if found is None:
        return None
    best = Firing(found, _instant(moments, found))
    while (found := _next_after(moments, found)) is not None and found <= _wall(moments.clock, best.at):
        other = Firing(found, _instant(moments, found))
        best = other if other.at <= best.at else best
    return best


def firings_after(moments: Moments, at: datetime) -> Iterator[Firing]:
    """All firings after an instant, one after the other, as long as they are asked for."""
    firing = next_firing(moments, at)
    while firing is not None:
        yield firing
        firing = next_firing(moments, firing.at)


def _instant(moments: Moments, nominal: datetime) -> datetime:
    return instant_of(nominal, moments.zone, moments.client_zone)


def _latest_until(moments: Moments, wall: datetime) -> datetime | None:
    if moments.rule is None:
        return moments.start if moments.start <= wall else None
    return latest_until(moments.start, moments.rule, wall)


def _next_after(moments: Moments, wall: datetime | None) -> datetime | None:
    """The next time of the rule after another of its times; its first, after none."""
    if moments.rule is None:
        return moments.start if wall is None else None
    return next_after(moments.start, moments.rule, BEGINNING if wall is None else wall)


def _wall(clock: tzinfo, at: datetime) -> datetime:
    """What the clock of a zone shows, `fold` telling the second time round."""
    try:
        return at.astimezone(clock).replace(tzinfo=None)
    except OverflowError:  # the first and the last day of all time
        return at.replace(tzinfo=None)


def _latest_wall(clock: tzinfo, at: datetime) -> datetime:
    """A wall-clock time that nothing which has passed is behind: the second time round, the whole repeated stretch has passed."""
    wall = _wall(clock, at)
    first, second = wall.replace(tzinfo=clock, fold=0).utcoffset(), wall.replace(tzinfo=clock, fold=1).utcoffset()
    if not wall.fold or first is None or second is None:
        return wall
    return wall.replace(fold=0) + abs(first - second)
