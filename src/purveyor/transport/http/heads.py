"""A limit for the head of an HTTP answer, and for what stands around each piece of its body, for `point.py`.

A server that drips it out is given up as a silent one is, and so is one that never comes to the point. The library waits for
each packet for so long, and for as many as come: a head of 6 MB, a byte at a time, would take years, and what may follow the last
piece of a body, line by line, has no end.
"""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

Monotonic = Callable[[], float]


ASIDE_BYTES = 2**20
"""What may come besides the piece of a body that is to be given out: a head, sizes of chunks, the lines behind the last."""


class _Step(io.RawIOBase):
    """What comes from a socket, for so long and so much as one step of reading may take."""

    def __init__(self, raw: io.RawIOBase, seconds: float, monotonic: Monotonic) -> None:
        super().__init__()
        self._raw, self._seconds, self._monotonic = raw, seconds, monotonic
        self.begin()

    def begin(self, piece_bytes: int = 0) -> None:
        """Another step begins, which gives out a piece of the body of so many bytes at most."""
        self._ends_at, self._left_bytes = self._monotonic() + self._seconds, piece_bytes + ASIDE_BYTES

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- whatever can be written into
        """As the socket's. Errors: TimeoutError once the step has taken too long, HTTPException once it has taken too much."""
        if self._monotonic() > self._ends_at:
            raise TimeoutError("its answer only drips")
        if self._left_bytes < 0:
            raise http.client.HTTPException("its answer never comes to the point")
        count = self._raw.readinto(buffer)
        self._left_bytes -= count or 0
        return count

    def close(self) -> None:
        """Closes the socket's side too."""
        self._raw.close()
        super().close()


class HurriedResponse(http.client.HTTPResponse):
    """An answer whose head, interim ones included, comes within so many seconds of the request, or not at all.

    So do each piece of its body and its end.
    """

    def __init__(self, seconds: float, monotonic: Monotonic, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._step = _Step(self.fp.detach(), seconds, monotonic)
        self.fp = io.BufferedReader(self._step)

    def read1(self, n: int = -1) -> bytes:
        """The next piece of the body. Errors: TimeoutError, and the library's."""
        self._step.begin(max(n, 0))
        return super().read1(n)


class Hurried:
    """For a pool of connections: what its answers are made of."""

    def __init__(self, answer: Callable[..., HurriedResponse], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answer = answer

    def _new_conn(self) -> Any:  # noqa: ANN401 -- what the pool makes
        connection: HTTPConnection = super()._new_conn()  # type: ignore[misc]  # of the pool that this is mixed into
        connection.response_class = self._answer  # type: ignore[assignment]  # only ever called
        return connection


class PlainPool(Hurried, HTTPConnectionPool):
    """Kept connections without TLS."""
