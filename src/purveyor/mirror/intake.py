"""Reading from a source, as fast as is allowed: counted, slowed to a limit, taken up again where a large file broke off.

Judges nothing. The clock and the waiting are given.
"""

import time
from collections.abc import Callable, Iterator

from purveyor.transport.interface import Answer, Point
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

TRIES = 4
"""How often one file is asked for again, from where it broke off, before the pass gives up."""
PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 5.0


class Pace:
    """How fast a mirror reads. Units: bytes a second, 0 is as fast as it goes."""

    def __init__(
        self,
        bytes_per_second: int = 0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._bytes_per_second = bytes_per_second
        self._monotonic = monotonic
        self.pause = pause
        self._tell = tell
        self._free_at = 0.0
        self.read_bytes = 0

    def took(self, size_bytes: int) -> None:
        """So many bytes were read; waits until as many more may be."""
        self.read_bytes += size_bytes
        self._tell(size_bytes)
        if not self._bytes_per_second:
            return
        now = self._monotonic()
        self._free_at = max(self._free_at, now) + size_bytes / self._bytes_per_second
        while (ahead := self._free_at - now) > 0:
            self.pause(min(ahead, _LONGEST_PAUSE_SECONDS))
            after = self._monotonic()
            if after <= now:
                return
            now = after


class Intake:
    """A source as a mirror reads it."""

    def __init__(self, point: Point, pace: Pace) -> None:
        self._point = point
        self._pace = pace

    @property
    def url(self) -> str:
        """What the source is known by."""
        return self._point.url

    def read(self, path: str, limit_bytes: int) -> bytes:
        """A file of the source. Errors: as `Point.read`."""
        answer = self.read_changed(path, limit_bytes, "")
        if answer is None:
            raise RejectedError(f"{self.url} says that {path} is unchanged, which nobody asked")
        return answer.content

    def read_changed(self, path: str, limit_bytes: int, tag: str) -> Answer | None:
        """A file, or None where it is still the one that `tag` stands for. Errors: as `Point.read`."""
        answer = self._point.read(path, limit_bytes=limit_bytes, tag=tag)
        if answer is not None:
            self._pace.took(len(answer.content))
        return answer

    def pieces(self, path: str, *, size_bytes: int, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from `offset` up to `size_bytes`; where the source breaks off, it is asked for the rest.

        Errors: AbsentError; UnavailableError after some tries that brought nothing; RejectedError.
        """
        tries = TRIES
        while offset < size_bytes:
            came = 0
            try:
                for piece in self._point.read_from(path, offset=offset, limit_bytes=size_bytes - offset):
                    self._pace.took(len(piece))
                    came += len(piece)
                    offset += len(piece)
                    yield piece
            except AbsentError:
                raise
            except UnavailableError:
                tries = TRIES if came else tries - 1
                if not tries:
                    raise
                self._pace.pause(PAUSE_SECONDS)
                continue
            if not came:
                raise UnavailableError(f"{path} at {self.url} ends after {offset} of {size_bytes} bytes")
