"""What administrators ask of single runs, and what an answer of a client amounts to. Pure.

Source: `wire.offers.Request`, the status messages 10120 to 10124.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from purveyor.wire.errors import RefusedError
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import RequestKind
from purveyor.wire.status_messages import StatusId

CLIENT_LIMIT = 200
"""Clients that one request names; all members of a collection are reached without naming any."""
OPEN_LIMIT = 100
"""Requests that stand open for one collection: its `.ofr` carries them all."""
LIFETIME = timedelta(days=30)
LONGEST_LIFETIME = timedelta(days=366)
REASON_LIMIT = 1000


class Outcome(StrEnum):
    """What one client answered."""

    DONE = "done"
    TOO_LATE = "too-late"
    REFUSED = "refused"


class RequestState(StrEnum):
    """Whether clients are told of a request."""

    OPEN = "open"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """It was taken back, or its advertisement was deleted."""


OUTCOMES = {
    StatusId.CANCELLED: Outcome.DONE,
    StatusId.STOPPED: Outcome.DONE,
    StatusId.RUN_AGAIN_ACCEPTED: Outcome.DONE,
    StatusId.REQUEST_TOO_LATE: Outcome.TOO_LATE,
    StatusId.REQUEST_REFUSED: Outcome.REFUSED,
}
"""The messages that answer a request. Others may name one too: what came of it later."""


def check_request(kind: RequestKind, *, named_count: int, only_failed: bool, made_at: datetime, expires_at: datetime) -> None:
    """Nothing when clients could answer this. Errors: RefusedError, which says what to change."""
    if only_failed and kind is not RequestKind.RUN_AGAIN:
        raise RefusedError(f"where a run has failed there is nothing left to {kind}: only run-again can be for those alone")
    if named_count > CLIENT_LIMIT:
        raise RefusedError(f"{named_count} clients are too many to name: {CLIENT_LIMIT} are possible; ask all members instead")
    if not made_at < expires_at <= made_at + LONGEST_LIFETIME:
        raise RefusedError(f"it would expire at {utc_text(expires_at)}: choose a time within the next year")


def state_of(closed_at: datetime | None, expires_at: datetime, now: datetime) -> RequestState:
    """Whether clients are told of a request that was closed then, or not yet."""
    if closed_at is None:
        return RequestState.OPEN if now < expires_at else RequestState.EXPIRED
    return RequestState.EXPIRED if closed_at >= expires_at else RequestState.WITHDRAWN


def silence_text(last_seen_at: datetime | None) -> str:
    """What is said of a client that has not answered. `last_seen_at`: when anything was heard of it."""
    if last_seen_at is None:
        return "no answer yet, and nothing was ever heard of it"
    return f"no answer yet, silent since {utc_text(last_seen_at)}"
