"""A point that counts what is asked of it.

`absent` is the number to watch: a client never asks for what is not there, so it is to stay zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from purveyor.transport.interface import Answer, Point
from purveyor.wire.errors import AbsentError


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was asked and what came. Units: bytes of content, without headers."""

    requests: int = 0
    unchanged: int = 0
    absent: int = 0
    read_bytes: int = 0
    put_bytes: int = 0


class CountedPoint:
    """Another point, with everything that passes counted; several may share one count."""

    def __init__(self, point: Point, counts: Counts | None = None) -> None:
        self._point = point
        self.counts = counts if counts is not None else Counts()

    @property
    def url(self) -> str:
        """The other point's."""
        return self._point.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """As the other point's."""
        self.counts.requests += 1
        try:
            answer = self._point.read(path, limit_bytes=limit_bytes, tag=tag)
        except AbsentError:
            self.counts.absent += 1
            raise
        if answer is None:
            self.counts.unchanged += 1
        else:
            self.counts.read_bytes += len(answer.content)
        return answer

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """As the other point's."""
        self.counts.requests += 1
        try:
            for piece in self._point.read_from(path, offset=offset, limit_bytes=limit_bytes):
                self.counts.read_bytes += len(piece)
                yield piece
        except AbsentError:
            self.counts.absent += 1
            raise

    def put(self, path: str, content: bytes) -> None:
        """As the other point's; bytes are counted once they are taken."""
        self.counts.requests += 1
        self._point.put(path, content)
        self.counts.put_bytes += len(content)
