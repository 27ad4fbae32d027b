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
    memory = published.point_memory(state, url)
    longest = _pause(memory.failures, is_dormant=_is_dormant(state, now))
    return None if memory.next_try_at is None or not now < memory.next_try_at <= now + longest else memory.next_try_at


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
    with state.transaction():
        _begin_silence(state, now)
        pause = _pause(failures, is_dormant=_is_dormant(state, now), first_seconds=interval_seconds)
        published.remember_point(state, url, failures=failures, next_try_at=now + pause)
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


def _pause(failures: int, *, is_dormant: bool, first_seconds: int = FIRST_BACK_OFF_SECONDS) -> timedelta:
    """The pause after so many failures in a row."""
    longest = DORMANT_BACK_OFF_SECONDS if is_dormant else LONGEST_BACK_OFF_SECONDS
    return timedelta(seconds=min(longest, min(FIRST_BACK_OFF_SECONDS, first_seconds) * 2 ** min(max(failures, 1) - 1, 10)))


def _begin_silence(state: State, now: datetime) -> None:
    """Remembers since when no CAP has served. Where that time is missing or to come, it is now."""
    since = state.time(_SILENT_SINCE)
    if since is None or since > now:
        state.remember_time(_SILENT_SINCE, now)


def _is_dormant(state: State, now: datetime) -> bool:
    """Whether no CAP has served for very long."""
    since = state.time(_SILENT_SINCE)
    return since is not None and now - since > DORMANT_AFTER
