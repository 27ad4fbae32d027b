"""Reading from a source, as fast as is allowed: counted, slowed to a limit, taken up again where a large file broke off.

Judges nothing. Small files come at every hour, at the rate of the budget; content waits where the hour allows nothing.
"""

from collections.abc import Iterator

from purveyor.transport.interface import Answer, Point
from purveyor.transport.pace import Pace
from purveyor.wire.errors import AbsentError, BusyError, HeldBackError, RejectedError, UnavailableError

TRIES = 4
"""How often one file is asked for again, from where it broke off, before the pass gives up."""
PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
"""However long a busy source asks to be left alone, one pass waits no longer before it asks again."""


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

        Errors: AbsentError; HeldBackError where the budget allows nothing at this hour; UnavailableError after some tries that
        brought nothing; RejectedError.
        """
        tries = TRIES
        while offset < size_bytes:
            came = 0
            try:
                self._pace.meter.check_open()
                for piece in self._point.read_from(path, offset=offset, limit_bytes=size_bytes - offset):
                    self._pace.took(len(piece))
                    came += len(piece)
                    offset += len(piece)
                    yield piece
                    self._pace.meter.check_open()
            except (AbsentError, HeldBackError):
                raise
            except UnavailableError as error:
                tries = TRIES if came else tries - 1
                if not tries:
                    raise
                asked_for = error.wait_seconds if isinstance(error, BusyError) else 0.0
                self._pace.pause(min(max(asked_for, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))
                continue
            if not came:
                raise UnavailableError(f"{path} at {self.url} ends after {offset} of {size_bytes} bytes")
