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
DORMANT_AFTER = timedelta(days=60)
"""A client that no CAP has served for so long is dormant: it keeps all that it has, and asks seldom (Q265358)."""
DORMANT_BACK_OFF_SECONDS = 6 * 3600
_SILENT_SINCE = "silent since"


def ends_at(state: State, url: str, now: datetime) -> datetime | None:
    """Until when a CAP is left alone; None: it may be asked now."""
    until = published.point_memory(state, url).next_try_at
    if until is None or not now < until <= now + timedelta(seconds=DORMANT_BACK_OFF_SECONDS):
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
    with state.transaction():
        longest = DORMANT_BACK_OFF_SECONDS if _is_dormant(state, now) else LONGEST_BACK_OFF_SECONDS
        seconds = min(longest, first * 2 ** min(failures - 1, 10))
        published.remember_point(state, url, failures=failures, next_try_at=now + timedelta(seconds=seconds))
        state.remember(f"trouble {url}", str(error))
    return trouble_of(state, url)


def forget(state: State) -> None:
    """Leaves no CAP alone any more for what failed before: a machine was started, and its network may be another."""
    with state.transaction() as tx:
        tx.execute("update point set failures = 0, next_try_at = null")


def over(state: State) -> None:
    """A CAP has served: this client is not dormant, whatever it was."""
    if state.fact(_SILENT_SINCE):
        state.remember(_SILENT_SINCE, "")


def _is_dormant(state: State, now: datetime) -> bool:
    """Whether no CAP has served for very long. Where the time since when is missing or to come, it is now."""
    since = state.time(_SILENT_SINCE)
    if since is None or since > now:
        state.remember_time(_SILENT_SINCE, now)
        return False
    return now - since > DORMANT_AFTER
