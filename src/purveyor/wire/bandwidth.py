"""Budgets of bandwidth by hour of the week: how they are written, what is allowed at a moment, when that changes. Pure.

    mon-fri 08:00-18:00 512K; sat 22:00-06:00 2M; otherwise unlimited

Each part says days, hours of the local wall clock and bytes a second; days or hours left away mean all of them, and a part with
neither, `otherwise 64K` or `64K`, is for every time that no part before it has named. What none names is unlimited.
Written by administrators, carried in signed settings, kept by clients, mirrors, and whoever pushes or serves.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from purveyor.wire.errors import RejectedError

TEXT_LIMIT = 500
RATE_LIMIT = 2**50
NOTHING = 0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE = "mon-fri 08:00-18:00 512K; otherwise unlimited"

_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_RATE = re.compile(r"([0-9]{1,12})([kmg]?)(?:i?b)?(?:/s)?")
_HOURS = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?-([0-9]{1,2})(?::([0-9]{2}))?")
_HOURS_AS_ONE = re.compile(r"\s*-\s*")
_OTHERWISE, _DAILY, _UNLIMITED = "otherwise", "daily", "unlimited"


class Budget(NamedTuple):
    """What is allowed through a week.

    Shape: (minute of the week from which it holds, bytes a second), in order, the first at 0; None: unlimited; 0: nothing.
    """

    steps: tuple[tuple[int, int | None], ...] = ((0, None),)

    @property
    def is_unlimited(self) -> bool:
        """Whether it never holds anything back."""
        return all(rate is None for _, rate in self.steps)


UNLIMITED = Budget()


class _Part(NamedTuple):
    """One part of a text: minutes of the week that it names, as ranges, and the rate in them."""

    ranges: list[tuple[int, int]]
    rate: int | None


@lru_cache(maxsize=256)
def parse_budget(text: str) -> Budget:
    """The budget that a text says; an empty one is unlimited. Errors: RejectedError, with an example."""
    if len(text) > TEXT_LIMIT:
        raise RejectedError(f"a budget has {TEXT_LIMIT} characters at most")
    parts = [_part(part.strip()) for part in text.lower().split(";") if part.strip()]
    edges = sorted({0} | {edge % _WEEK_MINUTES for part in parts for span in part.ranges for edge in span})
    steps: list[tuple[int, int | None]] = []
    for minute in edges:
        rate = _rate_in(parts, minute)
        if not steps or steps[-1][1] != rate:
            steps.append((minute, rate))
    return Budget(tuple(steps))


def rate_at(budget: Budget, at: datetime, zone: tzinfo | None) -> int | None:
    """Bytes a second at an instant; None: unlimited. `zone` is where the wall clock hangs; None: that of this system."""
    return _rate_of(budget, _minute(at.astimezone(zone)))


def next_change(budget: Budget, at: datetime, zone: tzinfo | None) -> datetime | None:
    """When another rate holds, after an instant; None: it is the same all week.

    Where the clocks are put back in between it may be an hour early: then the rate is the old one, and this is asked again.
    """
    if len(budget.steps) == 1:
        return None
    local = at.astimezone(zone)
    before = _rate_of(budget, _minute(local))
    monday = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(days=local.weekday())
    for week in range(3):
        for minute, rate in budget.steps:
            if rate == before:
                continue
            wall = monday + timedelta(days=7 * week, minutes=minute)
            for fold in (0, 1):
                found = _instant(wall.replace(fold=fold), zone)
                if found > at:
                    return found.astimezone(at.tzinfo)
    return None


def next_allowance(budget: Budget, at: datetime, zone: tzinfo | None) -> datetime | None:
    """When anything is allowed again, where nothing is at this instant; None: never."""
    if all(rate == NOTHING for _, rate in budget.steps):
        return None
    for _ in range(4):
        changed = next_change(budget, at, zone)
        if changed is None or rate_at(budget, changed, zone) != NOTHING:
            return changed
        at = changed
    return at


def rate_in_words(rate: int | None) -> str:
    """A rate as it is written."""
    if rate is None:
        return _UNLIMITED
    for power, unit in ((3, "G"), (2, "M"), (1, "K")):
        if rate and rate % 1024**power == 0:
            return f"{rate // 1024**power}{unit}"
    return str(rate)


def _rate_of(budget: Budget, minute: int) -> int | None:
    return budget.steps[bisect_right(budget.steps, minute, key=lambda step: step[0]) - 1][1]


def _minute(wall: datetime) -> int:
    return wall.weekday() * _DAY_MINUTES + wall.hour * 60 + wall.minute


def _instant(wall: datetime, zone: tzinfo | None) -> datetime:
    return wall.astimezone() if zone is None else wall.replace(tzinfo=zone)


def _rate_in(parts: Sequence[_Part], minute: int) -> int | None:
    for part in parts:
        if any(start <= minute < end or start <= minute + _WEEK_MINUTES < end for start, end in part.ranges):
            return part.rate
    return None


def _part(text: str) -> _Part:
    """Errors: RejectedError."""
    *words, said = _HOURS_AS_ONE.sub("-", text).split()
    rate = _rate(said, text)
    if words == [_OTHERWISE]:
        words = []
    is_hours = bool(words) and words[-1][0].isdigit()
    start, end = _hours(words.pop(), text) if is_hours else (0, _DAY_MINUTES)
    days = list(_days(words[0], text)) if words else list(range(7))
    if len(words) > 1:
        raise _wrong(text, "days, hours and a rate are all that it may say")
    return _Part([(day * _DAY_MINUTES + start, day * _DAY_MINUTES + end) for day in days], rate)


def _rate(said: str, text: str) -> int | None:
    if said == _UNLIMITED:
        return None
    match = _RATE.fullmatch(said)
    rate = int(match[1]) * 1024 ** " kmg".index(match[2] or " ") if match else -1
    if not 0 <= rate <= RATE_LIMIT:
        raise _wrong(text, f"{said!r} is no rate: 512K, 2M, a number of bytes a second, 0 for nothing, or unlimited")
    return rate


def _hours(said: str, text: str) -> tuple[int, int]:
    """Minutes of a day; an end before the start is on the next day."""
    match = _HOURS.fullmatch(said)
    if not match:
        raise _wrong(text, f"{said!r} are no hours: write 08:00-18:00")
    hours = (int(match[1]), int(match[3]))
    minutes = (int(match[2] or 0), int(match[4] or 0))
    start, end = hours[0] * 60 + minutes[0], hours[1] * 60 + minutes[1]
    if max(minutes) > 59 or start >= _DAY_MINUTES or end > _DAY_MINUTES or start == end:
        raise _wrong(text, f"{said!r} are no hours: from 00:00 to 24:00, and not the same time twice")
    return start, end if end > start else end + _DAY_MINUTES


def _days(said: str, text: str) -> Iterator[int]:
    if said == _DAILY:
        yield from range(7)
        return
    for one in said.split(","):
        first, dash, last = one.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise _wrong(text, f"{one!r} is no day: {', '.join(DAYS)}, mon-fri, sat,sun, or daily")
        start = DAYS.index(first)
        end = DAYS.index(last) if dash else start
        yield from (day % 7 for day in range(start, end + 1 if end >= start else end + 8))


def _wrong(text: str, why: str) -> RejectedError:
    return RejectedError(f"{text[:80]!r} is no part of a budget: {why}; for example: {EXAMPLE}")
