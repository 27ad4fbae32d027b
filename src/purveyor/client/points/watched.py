"""A point of which is seen how fast it is and whether it answers; what was seen goes into the state afterwards.

Only the time that the point itself takes counts, not what becomes of its bytes.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from purveyor.client.points import memory, pauses
from purveyor.client.points.memory import PointUse
from purveyor.client.state.store import State
from purveyor.transport.interface import Answer, Point
from purveyor.wire.errors import AbsentError, BusyError, UnavailableError

T = TypeVar("T")


class WatchedPoint:
    """Another point, watched. Units: bytes of content, seconds of a clock that never jumps."""

    def __init__(self, point: Point, uptime_seconds: Callable[[], float]) -> None:
        self._point = point
        self._uptime_seconds = uptime_seconds
        self.size_bytes = 0
        self.seconds = 0.0
        self.has_answered = False
        self.trouble = ""
        """Why it could not be asked, when it was asked last; empty when it answered."""
        self.busy: BusyError | None = None
        """That it has too much to do, as it said when it was asked last."""

    @property
    def url(self) -> str:
        """The other point's."""
        return self._point.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """As the other point's."""
        answer = self._timed(lambda: self._point.read(path, limit_bytes=limit_bytes, tag=tag))
        self.size_bytes += len(answer.content) if answer is not None else 0
        return answer

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """As the other point's."""
        pieces = iter(self._timed(lambda: self._point.read_from(path, offset=offset, limit_bytes=limit_bytes)))
        while (piece := self._timed(lambda: next(pieces, None))) is not None:
            self.size_bytes += len(piece)
            yield piece

    def put(self, path: str, content: bytes) -> None:
        """As the other point's; what is put is not measured."""
        self._point.put(path, content)

    def _timed(self, ask: Callable[[], T]) -> T:
        begun = self._uptime_seconds()
        self.busy = None
        try:
            answer = ask()
        except AbsentError:
            self.has_answered, self.trouble = True, ""
            raise
        except UnavailableError as error:
            self.trouble = str(error)
            self.busy = error if isinstance(error, BusyError) else None
            raise
        else:
            self.has_answered, self.trouble = True, ""
            return answer
        finally:
            self.seconds += max(0.0, self._uptime_seconds() - begun)


def note_rate(state: State, point: WatchedPoint, now: datetime) -> None:
    """Remembers how fast a point was, if anything can be told of it."""
    memory.note_rate(state, point.url, size_bytes=point.size_bytes, seconds=point.seconds, now=now)


def note_content(state: State, point: WatchedPoint, now: datetime) -> None:
    """Remembers how a distribution point did: one that failed, or is busy, is left alone for a while."""
    note_rate(state, point, now)
    if point.busy is not None:
        pauses.begin_busy(state, point.url, point.busy, now=now)
    elif point.trouble:
        pauses.begin(state, point.url, point.trouble, now=now)
    elif point.has_answered:
        pauses.answered(state, point.url)
        if point.size_bytes:
            memory.note_answer(state, PointUse.CONTENT, point.url, now)
