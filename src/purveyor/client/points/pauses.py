"""How long a point is left alone: one that failed first for a moment, then longer and longer; one that is busy as it asks for.

Remembered over restarts of the agent. Each client's pauses are a little shorter by a share of its own, so that a fleet does not
knock at once.
Asks nobody. A time further away than any pause is what a wrong clock left, and is not kept to.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from purveyor.client.policy_view import Problem
from purveyor.client.state import published
from purveyor.client.state.store import State
from purveyor.transport.http.answers import LONGEST_WAIT_SECONDS
from purveyor.wire.errors import BusyError
from purveyor.wire.spread import share_of

FIRST_BACK_OFF_SECONDS = 60
LONGEST_BACK_OFF_SECONDS = 1800
JITTER = 0.2
"""So much of a pause is a client's own share to leave out."""
DORMANT_AFTER = timedelta(days=60)
"""A client that no CAP has served for so long is dormant: it keeps all that it has, and asks seldom (Q265358)."""
DORMANT_BACK_OFF_SECONDS = 6 * 3600
USUAL_WAIT_SECONDS = 60
"""How long a busy point is left alone that does not say for how long."""
SHORTEST_WAIT_SECONDS = 5
BUSY_SPREAD = 0.5
"""By so much of itself such a wait is longer at most."""
_BUSY = "busy until "
_SILENT_SINCE = "silent since"


def ends_at(state: State, url: str, now: datetime) -> datetime | None:
    """Until when a point is left alone, for it failed or is busy; None: it may be asked now."""
    ends = (_failure_ends_at(state, url, now), busy_until(state, url, now))
    return max((end for end in ends if end is not None), default=None)


def busy_until(state: State, url: str, now: datetime) -> datetime | None:
    """Until when a point is left alone since it said that it has too much to do; None: it did not, or that is over."""
    end = state.time(_BUSY + url)
    longest = timedelta(seconds=LONGEST_WAIT_SECONDS * (1 + BUSY_SPREAD))
    return None if end is None or not now < end <= now + longest else end


def begin_busy(state: State, url: str, busy: BusyError, *, now: datetime) -> None:
    """Leaves a point alone for as long as it asks for, and some share more, each client its own: a fleet comes back bit by bit.

    It has not failed: what failed before is neither worse nor forgotten.
    """
    seconds = min(max(busy.wait_seconds or USUAL_WAIT_SECONDS, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
    share = share_of(_client(state), f"busy {url}")
    state.remember_time(_BUSY + url, now + timedelta(seconds=seconds * (1 + BUSY_SPREAD * share)))


def _failure_ends_at(state: State, url: str, now: datetime) -> datetime | None:
    memory = published.point_memory(state, url)
    longest = _pause(memory.failures, is_patient=True)
    return None if memory.next_try_at is None or not now < memory.next_try_at <= now + longest else memory.next_try_at


def first_end(state: State, urls: Iterable[str], now: datetime) -> datetime | None:
    """When the first of these points may be asked again; None: one of them may be asked now."""
    ends = [ends_at(state, url, now) for url in urls]
    return None if None in ends else min(filter(None, ends), default=None)


def trouble_of(state: State, url: str) -> tuple[Problem, ...]:
    """What was wrong with a point when it was asked last; empty where nothing is to be told of it."""
    reason = state.fact(f"trouble {url}") if published.point_memory(state, url).failures else ""
    return (Problem(about=url, reason=reason),) if reason else ()


def begin(state: State, url: str, trouble: str, *, now: datetime, interval_seconds: int = FIRST_BACK_OFF_SECONDS) -> None:
    """Leaves a point alone for a while: first for no longer than a poll interval, then ever longer.

    While other points serve there is no haste: then the pauses grow up to those of a dormant client.
    """
    failures = published.point_memory(state, url).failures + 1
    with state.transaction():
        is_patient = _is_dormant(state, now) or not state.fact(_SILENT_SINCE)
        pause = _pause(failures, is_patient=is_patient, first_seconds=interval_seconds)
        share = share_of(_client(state), f"pause {failures} {url}")
        published.remember_point(state, url, failures=failures, next_try_at=now + pause * (1 - JITTER * share))
        state.remember(f"trouble {url}", trouble)


def answered(state: State, url: str) -> None:
    """A point did what was asked: it is left alone no more."""
    if published.point_memory(state, url).failures:
        published.remember_point(state, url, failures=0, next_try_at=None)


def forget(state: State) -> None:
    """Leaves no CAP alone any more for what failed before: a machine was started, and its network may be another."""
    with state.transaction() as tx:
        tx.execute("update point set failures = 0, next_try_at = null")


def over(state: State) -> None:
    """A CAP has served: this client is not dormant, whatever it was."""
    if state.fact(_SILENT_SINCE):
        state.remember(_SILENT_SINCE, "")


def note_silence(state: State, urls: Iterable[str], now: datetime) -> None:
    """No CAP has served: none of them is left alone for as long as while another did, unless this client is dormant."""
    with state.transaction():
        since = state.time(_SILENT_SINCE)
        if since is None or since > now:
            state.remember_time(_SILENT_SINCE, now)
        if _is_dormant(state, now):
            return
        latest = now + timedelta(seconds=LONGEST_BACK_OFF_SECONDS)
        for url in urls:
            end = ends_at(state, url, now)
            if end is not None and end > latest:
                failures = published.point_memory(state, url).failures
                published.remember_point(state, url, failures=failures, next_try_at=latest)


def _pause(failures: int, *, is_patient: bool, first_seconds: int = FIRST_BACK_OFF_SECONDS) -> timedelta:
    """The pause after so many failures in a row."""
    longest = DORMANT_BACK_OFF_SECONDS if is_patient else LONGEST_BACK_OFF_SECONDS
    return timedelta(seconds=min(longest, min(FIRST_BACK_OFF_SECONDS, first_seconds) * 2 ** min(max(failures, 1) - 1, 10)))


def _client(state: State) -> str:
    row = state.connection.execute("select client from identity").fetchone()
    return str(row[0]) if row else ""


def _is_dormant(state: State, now: datetime) -> bool:
    """Whether no CAP has served for very long."""
    since = state.time(_SILENT_SINCE)
    return since is not None and now - since > DORMANT_AFTER
