"""How long a CAP that failed is left alone: first a moment, then longer and longer, and what was wrong with it meanwhile.

Asks nobody. A time further away than any pause is what a wrong clock left, and is not kept to.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from purveyor.client.policy_view import Problem
from purveyor.client.state import published
from purveyor.client.state.store import State

FIRST_BACK_OFF_SECONDS = 60
LONGEST_BACK_OFF_SECONDS = 1800


def ends_at(state: State, url: str, now: datetime) -> datetime | None:
    """Until when a CAP is left alone; None: it may be asked now."""
    until = published.point_memory(state, url).next_try_at
    if until is None or not now < until <= now + timedelta(seconds=LONGEST_BACK_OFF_SECONDS):
        return None
    return until


def first_end(state: State, urls: Iterable[str], now: datetime) -> datetime | None:
    """When the first of these CAPs may be asked again; None: one of them may be asked now."""
    ends = [ends_at(state, url, now) for url in urls]
    return None if None in ends else min(filter(None, ends), default=None)


def trouble_of(state: State, url: str) -> Problem:
    """What was wrong with a CAP when it was asked last."""
    return Problem(about=url, reason=state.fact(f"trouble {url}"))


def begin(state: State, url: str, error: Exception, *, interval_seconds: int, now: datetime) -> Problem:
    """Leaves a CAP alone for a while: first for no longer than a poll interval, then ever longer."""
    failures = published.point_memory(state, url).failures + 1
    first = min(FIRST_BACK_OFF_SECONDS, interval_seconds)
    seconds = min(LONGEST_BACK_OFF_SECONDS, first * 2 ** min(failures - 1, 10))
    with state.transaction():
        published.remember_point(state, url, failures=failures, next_try_at=now + timedelta(seconds=seconds))
        state.remember(f"trouble {url}", str(error))
    return trouble_of(state, url)
