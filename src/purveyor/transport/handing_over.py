"""Pieces made in one thread and taken in another, one at a time: for a taker that cannot bear what makes them in its own thread.

The S3 library is such a taker: while it sends, nothing that uses the library may run below it, as reading another bucket would.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue

from purveyor.wire.errors import UnavailableError

_LOOK_SECONDS = 0.2
_END = b""


def hand_over(pieces: Iterable[bytes], take: Callable[[Iterator[bytes]], None]) -> None:
    """Returns when `take`, in a thread of its own, has taken every piece; none of them may be empty.

    Errors: what `take` raises; what `pieces` raises, once `take` has been told, in its own thread, that no more will come.
    """
    line: Queue[bytes | None] = Queue(maxsize=1)
    last: bytes | None = None
    with ThreadPoolExecutor(max_workers=1) as pool:
        taking = pool.submit(take, _arriving(line))
        try:
            for piece in pieces:
                if not _was_laid(line, piece, taking):
                    break
            last = _END
        finally:
            _was_laid(line, last, taking)
    taking.result()


def _was_laid(line: Queue[bytes | None], piece: bytes | None, taking: "Future[None]") -> bool:
    """Whether there was still somebody to take it."""
    while not taking.done():
        try:
            line.put(piece, timeout=_LOOK_SECONDS)
        except Full:
            continue
        return True
    return False


def _arriving(line: Queue[bytes | None]) -> Iterator[bytes]:
    while (piece := line.get()) != _END:
        if piece is None:
            raise UnavailableError("what was to be sent has broken off")
        yield piece
