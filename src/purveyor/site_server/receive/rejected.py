"""What was set aside: a bounded ring of items that could not be believed or read, each with its reason beside it.

For people who look into what happened. Nothing reads it back; the oldest go first. A flood of bad items writes no flood of
files: a turn keeps some of them, and counts all. What a clock that was ahead has dated later than now counts as oldest: it would
push out all that came after the clock was set right.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from purveyor.site_server.receive.opening import Rejection
from purveyor.transport.interface import Listed, Shelf

RING_ITEMS = 1000
RING_BYTES = 64 * 2**20
KEPT_A_TURN = 100

_FOLDER = "items"
_REASON = ".reason"


def set_aside(ring: Shelf, rejections: Sequence[Rejection], now: datetime) -> None:
    """Keeps rejected items and their reasons, at most KEPT_A_TURN, and lets the oldest go when the ring is full.

    Errors: UnavailableError.
    """
    kept = [rejection for rejection in rejections if rejection.reason][:KEPT_A_TURN]
    if not kept:
        return
    for number, rejection in enumerate(kept):
        taken = rejection.taken
        name = f"{_written(now)}-{number:04d}-{taken.box.name}-{taken.name}"
        ring.write(f"{_FOLDER}/{name}", taken.content)
        ring.write(f"{_FOLDER}/{name}{_REASON}", rejection.reason.encode())
    _shorten(ring, now)
    ring.sync()


def summary(rejections: Sequence[Rejection]) -> str:
    """What was rejected in one turn, in one line: counts by reason, the most frequent first."""
    counts = Counter(rejection.reason for rejection in rejections).most_common(5)
    shown = "; ".join(f"{count} times: {reason}" for reason, count in counts)
    return f"{len(rejections)} items set aside ({shown})"


def _written(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S%f}"


def _shorten(ring: Shelf, now: datetime) -> None:
    newest = _written(now)
    items = sorted(_items(ring), key=lambda item: (item.name[: len(newest)] <= newest, item.name))
    size = sum(item.size_bytes for item in items)
    for place, item in enumerate(items):
        if len(items) - place <= RING_ITEMS and size <= RING_BYTES:
            return
        ring.remove(f"{_FOLDER}/{item.name}")
        ring.remove(f"{_FOLDER}/{item.name}{_REASON}")
        size -= item.size_bytes


def _items(ring: Shelf) -> list[Listed]:
    listed = ring.listed(_FOLDER, limit=4 * (RING_ITEMS + KEPT_A_TURN))
    return [item for item in listed if not item.name.endswith(_REASON)]
