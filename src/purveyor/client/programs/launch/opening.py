"""Whether a mandatory run may start now as far as maintenance windows go, and when it may; and what a machine missed while off.

Deciding is pure (`unmet_window`); `in_force` remembers what it needs for that: the windows that were said last by a complete
policy, since absence is never removal, and when the machine was last on in one. Upstream: policy; downstream: `families`.
"""

from datetime import datetime

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.wanted.conditions import Unmet
from purveyor.client.state.store import State
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import Window
from purveyor.wire.spans import span
from purveyor.wire.windows import Calendar, Opening, calendar_of, first_start, missed, next_opening, open_until

FACT = "windows"
WINDOW_LIMIT = 200
"""Windows of one client that are looked at, those made first: far more than any has, and few enough to look at in each pass."""


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of windows. `alive_at`: when the machine was last on in an open one, or came to know of them."""

    windows: tuple[Window, ...] = ()
    alive_at: Instant | None = None


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The windows by which this pass goes. `is_any`: without any, everything may start at any time."""

    calendar: Calendar
    missed: Opening | None = None
    """The last opening with catch-up, if the machine was off during all of it."""

    @property
    def is_any(self) -> bool:
        """Whether any window reaches this client."""
        return bool(self.calendar.windows)


def in_force(bench: Bench, policy: Policy) -> InForce:
    """The windows by which this pass goes, and that the machine is on now, remembered."""
    before = _known(bench.state)
    found_windows = _windows(before.windows, policy)
    windows = found_windows[:WINDOW_LIMIT]
    if len(windows) < len(found_windows):
        bench.note(f"{len(found_windows)} maintenance windows reach this machine: only the first {WINDOW_LIMIT} are looked at")
    calendar = calendar_of(windows, policy.client, bench.machine.zone())
    if not windows:
        _remember(bench.state, before, Known())
        return InForce(calendar=calendar)
    is_news = windows != before.windows or before.alive_at is None or before.alive_at > bench.now
    alive_at = bench.now if is_news else before.alive_at
    found = InForce(calendar=calendar, missed=missed(calendar, bench.now, alive_at))
    is_open = open_until(calendar, bench.now) is not None
    _remember(bench.state, before, Known(windows=windows, alive_at=bench.now if is_open else alive_at))
    return found


def unmet_window(found: InForce, *, at: datetime, due_at: datetime, max_run_seconds: int) -> Unmet | None:
    """Why a run that keeps to windows may not start now, and when it may; None: it may. Pure."""
    if not found.is_any:
        return None
    needed = span(max(1, max_run_seconds))
    until = open_until(found.calendar, at)
    if until is not None and until - at >= needed:
        return None
    if until is None and found.missed is not None and due_at < found.missed.closes_at:
        return None
    start = first_start(found.calendar, at, needed)
    if start is not None:
        opens_at, opening = start
        return Unmet(
            cause=Cause.WINDOW,
            reason=f"waits for a maintenance window{_named(opening.window)}: {_opens(opens_at)}",
            look_at=opens_at,
        )
    if next_opening(found.calendar, at) is None:
        reason = "no maintenance window of this machine opens within a year: it can never start"
    else:
        reason = f"its maximum run time of {max_run_seconds} seconds is longer than any maintenance window: it can never start"
    return Unmet(cause=Cause.NEVER_IN_A_WINDOW, reason=reason)


def closed(found: InForce, at: datetime) -> Unmet | None:
    """Why nothing that keeps to windows may happen now, however short it is; None: a window is open, or there is none. Pure."""
    return unmet_window(found, at=at, due_at=datetime.max.replace(tzinfo=at.tzinfo), max_run_seconds=1)


def next_look(found: InForce, at: datetime) -> datetime | None:
    """When to note that the machine is on in a window with catch-up; None: there is none. Pure."""
    catching_up = tuple(window for window in found.calendar.windows if window.catch_up)
    opening = next_opening(found.calendar._replace(windows=catching_up), at) if catching_up else None
    return None if opening is None else opening.opens_at


def _windows(before: tuple[Window, ...], policy: Policy) -> tuple[Window, ...]:
    """The windows that hold: those of a complete policy; while something cannot be read, those said before hold too."""
    said = {window.number: window for window in policy.windows}
    if not policy.is_complete:
        said = {window.number: window for window in before} | said
    return tuple(said[number] for number in sorted(said))


def _named(window: Window) -> str:
    return f" ({window.name})" if window.name else ""


def _opens(at: datetime) -> str:
    return f"the next one that is long enough opens at {utc_text(at)}"


def _known(state: State) -> Known:
    try:
        return from_bytes(state.fact(FACT).encode() or b"{}", Known)
    except RejectedError:
        return Known()


def _remember(state: State, before: Known, known: Known) -> None:
    if known != before:
        state.remember(FACT, to_bytes(known).decode())
