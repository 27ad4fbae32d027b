"""Receive: what clients put into the up boxes becomes rows of the database. One turn takes a bounded number of items.

Read, open, judge, store all in one transaction, commit, and only then take the files away. Upstream: the boxes, written by
`client.reports`; downstream: the database, and through it the shards that tell each client what was received.
Never writes a down file; never believes a clock but the site's own.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from purveyor.site_server.database.engine import VALUE_FAULTS, Database
from purveyor.site_server.receive import reading
from purveyor.site_server.receive.opening import Letter, Opened, Rejection, open_all, open_elsewhere
from purveyor.site_server.receive.reading import Taken
from purveyor.site_server.receive.rejected import set_aside, summary
from purveyor.site_server.receive.storing import Stored, drop_old_refusals, store
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.ids import SiteCode

BATCH_ITEMS = 500
"""Items of one transaction. While one batch is opened and stored, the files of the one before are taken away."""

_FAULTS: tuple[type[Exception], ...] = (
    *VALUE_FAULTS,
    ArithmeticError,
    AttributeError,
    LookupError,
    RejectedError,
    TypeError,
    ValueError,
)
"""What one item can make storing fail with. That the database cannot be used is none of it: the whole batch waits then."""

logger = logging.getLogger("purveyor.site.receive")


class Received(NamedTuple):
    """What one turn did. Every item read is in exactly one of `stored`, `duplicates`, `refused`, `rejected`."""

    read: int
    stored: int
    duplicates: int
    rejected: int
    refused: int = 0
    """Items of machines that are not clients: answered in their shard, not stored."""
    joined: int = 0
    unreadable: int = 0
    """Items that could not be read now; they are tried again."""
    is_more: bool = False
    """Whether a box holds more than this turn took."""


class Batch(NamedTuple):
    """What became of one batch."""

    outcome: Stored
    rejected: int


def turn(
    *,
    database: Database,
    cap: Shelf,
    rejected: Shelf,
    site_code: SiteCode,
    sealing_keys: Mapping[str, X25519PrivateKey],
    now: datetime,
    limit: int,
    openers: Executor | None = None,
) -> Received:
    """Takes in at most `limit` items of all up boxes. Where there are `openers`, seals are opened in their processes.

    Errors: UnavailableError: no box can be listed, or the database cannot be used; what is not stored stays in its box.
    """
    found = reading.take(cap, limit=limit)
    if not found.taken:
        return Received(read=0, stored=0, duplicates=0, rejected=0, unreadable=found.unreadable)
    batches = [found.taken[start : start + BATCH_ITEMS] for start in range(0, len(found.taken), BATCH_ITEMS)]
    results: list[Batch] = []
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="receive-remove") as remover:
        removals: list[Future[None]] = []
        for batch, opening in zip(batches, _openings(batches, sealing_keys, openers), strict=True):
            results.append(_receive(database, rejected, batch, opening(), site_code=site_code, now=now))
            if batch is batches[-1]:
                _remove(cap, batch)
            else:
                removals.append(remover.submit(_remove, cap, batch))
        for removal in removals:
            removal.result()
    return Received(
        read=len(found.taken),
        stored=sum(result.outcome.stored for result in results),
        duplicates=sum(result.outcome.duplicates for result in results),
        rejected=sum(result.rejected for result in results),
        refused=sum(result.outcome.refused for result in results),
        joined=sum(result.outcome.joined for result in results),
        unreadable=found.unreadable,
        is_more=found.is_more,
    )


def _openings(
    batches: Sequence[Sequence[Taken]], keys: Mapping[str, X25519PrivateKey], openers: Executor | None
) -> list[Callable[[], Opened]]:
    """For each batch, what gives it opened: when asked, or begun at once elsewhere. A small turn is not worth the way."""
    if openers is None or len(batches) < 2:
        return [partial(open_all, batch, keys) for batch in batches]
    return [open_elsewhere(batch, keys, openers) for batch in batches]


def _receive(
    database: Database, rejected: Shelf, taken: Sequence[Taken], batch: Opened, *, site_code: SiteCode, now: datetime
) -> Batch:
    """Stores one batch. When this returns, all of it is committed or set aside, and may leave its box."""
    outcome = Stored()
    if batch.letters:
        outcome = _stored(database, batch.letters, now)
    rejections = batch.rejections + _forked(taken, outcome)
    _set_aside(rejected, rejections, site_code, now)
    return Batch(outcome, len(rejections))


def _stored(database: Database, letters: Sequence[Letter], now: datetime) -> Stored:
    """Stores letters in one transaction. Where the site itself fails at one, it is set aside, and the others are stored.

    Only what others prove to be its own fault is: where none can be stored, nothing is set aside, and the error rises.
    """
    try:
        return _stored_at_once(database, letters, now)
    except _FAULTS:
        outcome = Stored()
        for letter in letters:
            try:
                _add(outcome, _stored_at_once(database, [letter], now))
            except _FAULTS as error:
                outcome.set_aside.append((letter, f"the site fails at this item: {type(error).__name__}"))
                logger.exception("receive: the site fails at %s", letter.path)
        if len(outcome.set_aside) == len(letters):
            raise
        return outcome


def _stored_at_once(database: Database, letters: Sequence[Letter], now: datetime) -> Stored:
    with database.write() as tx:
        outcome = store(tx, letters, now)
        if outcome.refused:
            drop_old_refusals(tx, now)
    return outcome


def _add(sum_: Stored, one: Stored) -> None:
    sum_.stored += one.stored
    sum_.duplicates += one.duplicates
    sum_.refused += one.refused
    sum_.joined += one.joined
    sum_.set_aside += one.set_aside


def _forked(taken: Sequence[Taken], outcome: Stored) -> list[Rejection]:
    by_path = {item.path: item for item in taken} if outcome.set_aside else {}
    return [Rejection(by_path[letter.path], reason) for letter, reason in outcome.set_aside]


def _set_aside(rejected: Shelf, rejections: Sequence[Rejection], site_code: SiteCode, now: datetime) -> None:
    """Keeps what was rejected. Where it cannot be kept (disk full), that is said; it stops nothing."""
    if not rejections:
        return
    logger.warning("%s receive: %s", site_code, summary(rejections))
    try:
        set_aside(rejected, rejections, now)
    except UnavailableError as error:
        logger.warning("%s receive: rejected items could not be kept: %s", site_code, error)


def _remove(cap: Shelf, taken: Sequence[Taken]) -> None:
    """Takes the items away. One that cannot be removed now is a duplicate at the next turn."""
    failed = 0
    reason = ""
    for item in taken:
        try:
            cap.remove(item.path)
        except UnavailableError as error:
            failed += 1
            reason = str(error)
    if failed:
        logger.warning("receive: %d items could not be taken from their boxes: %s", failed, reason)
