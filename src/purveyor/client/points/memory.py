"""What this client has seen of points: where it is itself, how fast each point was lately, and which one answered last.

Small and bounded: addresses that it has now, one rate for each of the newest points, one point for each kind. Rates are
forgotten after a day, so that a point that was slow once is tried again. Pauses are beside this (`pauses`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from purveyor.client.points.order import Known
from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.spread import share_of

RATE_LIFE = timedelta(days=1)
RATE_LIMIT = 32
"""So many points are remembered with their rates; those measured longest ago go first."""
NEW_SHARE = 0.5
"""How much of a rate is the newest measurement."""
ENOUGH_BYTES = 32 * 1024
"""What is smaller says nothing of a link, unless it took long."""
TOO_LONG_SECONDS = 1.0
STAY = timedelta(days=1)
"""How long what answered last is preferred to what the spread says: then a client goes home, if its own point is back."""
_ADDRESSES, _RATES = "own addresses", "point rates"


class PointUse(StrEnum):
    """What a point is used for."""

    POLICY = "policy"
    CONTENT = "content"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a point was. Units: bytes a second."""

    url: str
    bytes_per_second: float
    measured_at: Instant


def notice_addresses(state: State, addresses: Sequence[str]) -> bool:
    """Remembers where this machine is. True when it was elsewhere before."""
    before, now = here(state), " ".join(sorted(addresses))
    if before != now:
        state.remember(_ADDRESSES, now)
    return before != now and bool(before)


def here(state: State) -> str:
    """Where this machine is, as it noticed last: its own addresses."""
    return state.fact(_ADDRESSES)


def known(state: State, use: PointUse, *, client: str, now: datetime, slow_bytes_per_second: int = 0) -> Known:
    """What counts for the order of points now."""
    last, since = state.fact(_last(use)), state.time(_since(use))
    stay = STAY * (1 + share_of(client, "going home"))
    return Known(
        client=client,
        addresses=here(state).split(),
        rates={rate.url: rate.bytes_per_second for rate in _rates(state) if timedelta(0) <= now - rate.measured_at < RATE_LIFE},
        last=last if since is not None and timedelta(0) <= now - since < stay else "",
        slow_bytes_per_second=slow_bytes_per_second,
    )


def note_answer(state: State, use: PointUse, url: str, now: datetime) -> None:
    """A point has answered. Since when it is the one that does is kept while no other one comes between."""
    since = state.time(_since(use))
    if state.fact(_last(use)) != url or since is None or since > now:
        with state.transaction():
            state.remember(_last(use), url)
            state.remember_time(_since(use), now)


def note_rate(state: State, url: str, *, size_bytes: int, seconds: float, now: datetime) -> None:
    """So much came from a point in so long; what is too little to tell anything changes nothing."""
    if seconds <= 0 or (size_bytes < ENOUGH_BYTES and seconds <= TOO_LONG_SECONDS):
        return
    rates = {rate.url: rate for rate in _rates(state)}
    before = rates.pop(url, None)
    measured = size_bytes / seconds
    if before is not None and timedelta(0) <= now - before.measured_at < RATE_LIFE:
        measured = NEW_SHARE * measured + (1 - NEW_SHARE) * before.bytes_per_second
    kept = [*rates.values(), Rate(url=url, bytes_per_second=measured, measured_at=now)][-RATE_LIMIT:]
    state.remember(_RATES, to_bytes(kept).decode())


def last_answer(state: State, use: PointUse) -> tuple[str, datetime | None]:
    """Which point answered last, and since when it is that one."""
    return state.fact(_last(use)), state.time(_since(use))


def used(state: State) -> set[str]:
    """The addresses of points that answered lately: those last, and those whose speed is known."""
    return {last_answer(state, use)[0] for use in PointUse} | {rate.url for rate in _rates(state)} - {""}


def _rates(state: State) -> list[Rate]:
    try:
        return from_bytes(state.fact(_RATES).encode() or b"[]", list[Rate])
    except RejectedError:
        return []


def _last(use: PointUse) -> str:
    return f"last point for {use}"


def _since(use: PointUse) -> str:
    return f"last point for {use} since"
