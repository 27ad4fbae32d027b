"""What an advertisement will come to: whom it reaches, when it fires on which machine, and in which window that falls. Pure.

It tells what the schedule says, by the clock, the share and the windows of each machine. What stands in the way of a run besides
only the machine itself can know: who is logged on, what it ran before, whether it is on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from heapq import merge
from itertools import islice
from typing import NamedTuple

from purveyor.site_server.model.advertising import DISABLED
from purveyor.site_server.model.assignments import text_of
from purveyor.wire.firings import MOMENT, Firing, firings_after, latest_firing, moments_of
from purveyor.wire.ids import ClientId
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import EVENTS, Advertisement, Assignment, AssignmentKind, Window
from purveyor.wire.platforms import is_of_platforms
from purveyor.wire.spread import share_of
from purveyor.wire.windows import calendar_of, first_start

GROUPS = 20
"""Platforms and zones that are told apart; the others are counted together."""
DISTINCT = 10_000
"""So many of them are counted at all: what a machine says of itself is any text."""
OTHERS = "others"


class Machine(NamedTuple):
    """What decides when an advertisement runs on a client. `client` is empty for one that has no share in any spread."""

    client: ClientId | None
    zone: tzinfo
    windows: tuple[Window, ...] = ()


class Group(NamedTuple):
    """Members that are alike. `is_reached`: the program runs on their platform; None: for some it does, for others not."""

    name: str
    members: int
    is_reached: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringView:
    """One time at which a program is due on a machine. `starts_at` is when it may start as far as windows go; None: never.

    Shape: `at_local` and `starts_local` are the same instants on the machine's own clock, with its offset from UTC.
    """

    assignment: str
    at: datetime
    at_local: str
    starts_at: datetime | None
    starts_local: str
    window: int | None
    window_name: str


class Outlook(NamedTuple):
    """When a program was due last, and when it is due next, the earliest first."""

    last: FiringView | None
    following: tuple[FiringView, ...]


def outlook(advertisement: Advertisement, machine: Machine, now: datetime, *, max_run_seconds: int, count: int) -> Outlook:
    """The last and the next times of an advertisement on a machine; those that come with an event are no times."""
    timed = [one for one in advertisement.assignments if one.kind not in EVENTS]
    passed = (due for one in timed for due in _passed(advertisement, one, machine, now))
    ahead = merge(*(_ahead(advertisement, one, machine, now) for one in timed), key=lambda due: due.at)
    last = max(passed, key=lambda due: due.at, default=None)
    needed = timedelta(seconds=max_run_seconds)
    return Outlook(
        None if last is None else _view(advertisement, last, machine, now, needed),
        tuple(_view(advertisement, due, machine, now, needed) for due in islice(ahead, count)),
    )


def events_of(advertisement: Advertisement) -> tuple[str, ...]:
    """The events at which an advertisement is due, as they are written."""
    return tuple(text_of(one) for one in advertisement.assignments if one.kind in EVENTS)


def platform_groups(counted: Counter[tuple[str, str]], platforms: tuple[str, ...]) -> tuple[Group, ...]:
    """The members by platform and architecture, the most common first. Shape: at most GROUPS, and one for the others."""
    groups = [
        Group(
            f"{platform}@{architecture}" if architecture else platform,
            members,
            is_of_platforms(platforms, platform, architecture),
        )
        for (platform, architecture), members in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
    rest = groups[GROUPS:]
    if not rest:
        return tuple(groups)
    fits = {group.is_reached for group in rest}
    return (*groups[:GROUPS], Group(OTHERS, sum(group.members for group in rest), fits.pop() if len(fits) == 1 else None))


def reached(counted: Counter[tuple[str, str]], platforms: tuple[str, ...]) -> int:
    """How many of the members the program runs on, by their platform."""
    return sum(
        members for (platform, architecture), members in counted.items() if is_of_platforms(platforms, platform, architecture)
    )


def zone_groups(counted: Counter[str]) -> tuple[tuple[str, int], ...]:
    """The zones and how many members each has, the most common first. Shape: at most GROUPS, and one for the others."""
    groups = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(members for _, members in groups[GROUPS:])
    return (*groups[:GROUPS], *([(OTHERS, rest)] if rest else []))


def notes_on(advertisement: Advertisement, now: datetime, *, is_enabled: bool, window_count: int) -> tuple[str, ...]:
    """What keeps the times from being the whole truth."""
    notes = []
    if not advertisement.assignments:
        notes.append("it is optional: it runs where a user starts it")
    if advertisement.is_paused:
        notes.append("it is paused: nothing runs until it is resumed")
    if not is_enabled:
        notes.append(DISABLED)
    if advertisement.expires_at is not None and advertisement.expires_at <= now:
        notes.append(f"it expired at {utc_text(advertisement.expires_at)}: nothing runs any more")
    if advertisement.available_from > now:
        notes.append(f"it is available from {utc_text(advertisement.available_from)}: nothing runs before")
    if advertisement.users or advertisement.groups:
        notes.append("it is for some users alone, in their sessions")
    if advertisement.spread_seconds:
        notes.append(f"each client runs it later by its own share of {advertisement.spread_seconds} seconds")
    if advertisement.ignores_windows and window_count:
        notes.append(f"it runs outside maintenance windows too: the collection's {window_count} do not hold it back")
    return tuple(notes)


class _Due(NamedTuple):
    """A time of an assignment, with this machine's share of the spread."""

    at: datetime
    assignment: Assignment


def _passed(advertisement: Advertisement, assignment: Assignment, machine: Machine, now: datetime) -> Iterator[_Due]:
    """The latest time of an assignment that has come, at most one."""
    shift = _shift(advertisement, assignment, machine)
    if assignment.kind is AssignmentKind.ASAP or assignment.at is None:
        found = _due(advertisement, assignment, None, shift)
    else:
        moments = moments_of(assignment.at, assignment.rule, assignment.zone, machine.zone)
        latest = latest_firing(moments, now - shift)
        is_before = latest is not None and assignment.rule and latest.at < advertisement.available_from
        found = None if latest is None or is_before else _due(advertisement, assignment, latest, shift)
    if found is not None and found.at <= now:
        yield found


def _ahead(advertisement: Advertisement, assignment: Assignment, machine: Machine, now: datetime) -> Iterator[_Due]:
    """The times of an assignment that are still to come."""
    shift = _shift(advertisement, assignment, machine)
    if assignment.kind is AssignmentKind.ASAP or assignment.at is None:
        firings: Iterable[Firing | None] = (None,)
    else:
        moments = moments_of(assignment.at, assignment.rule, assignment.zone, machine.zone)
        is_single = not assignment.rule
        after = now - shift if is_single else max(now - shift, advertisement.available_from - MOMENT)
        latest = latest_firing(moments, after) if is_single else None
        firings = (latest,) if latest is not None else firings_after(moments, after)
    for firing in firings:
        found = _due(advertisement, assignment, firing, shift)
        if found is None:
            return
        if found.at > now:
            yield found


def _due(advertisement: Advertisement, assignment: Assignment, firing: Firing | None, shift: timedelta) -> _Due | None:
    """The time with the spread, never before the advertisement is available; None where it has expired by then."""
    at = advertisement.available_from if firing is None else max(firing.at, advertisement.available_from)
    expires_at = advertisement.expires_at
    if expires_at is not None and at < expires_at <= at + shift:
        shift *= (expires_at - at) / timedelta(seconds=max(1, advertisement.spread_seconds))
    return None if expires_at is not None and at + shift >= expires_at else _Due(at + shift, assignment)


def _shift(advertisement: Advertisement, assignment: Assignment, machine: Machine) -> timedelta:
    if machine.client is None or not advertisement.spread_seconds:
        return timedelta(0)
    return timedelta(
        seconds=int(advertisement.spread_seconds * share_of(machine.client, f"{advertisement.id}.{assignment.number}"))
    )


def _view(advertisement: Advertisement, due: _Due, machine: Machine, now: datetime, needed: timedelta) -> FiringView:
    starts_at: datetime | None = max(due.at, now)
    opening = None
    if machine.windows and not advertisement.ignores_windows:
        found = first_start(calendar_of(machine.windows, machine.client or "", machine.zone), max(due.at, now), needed)
        starts_at, opening = (None, None) if found is None else found
    return FiringView(
        assignment=text_of(due.assignment),
        at=due.at,
        at_local=_local(due.at, machine.zone),
        starts_at=starts_at,
        starts_local="" if starts_at is None else _local(starts_at, machine.zone),
        window=None if opening is None else opening.window.number,
        window_name="" if opening is None else opening.window.name,
    )


def _local(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")
