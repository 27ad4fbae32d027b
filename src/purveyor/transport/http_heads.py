"""A limit for the whole head of an HTTP answer, for `http.py`: a server that drips it out is given up as a silent one is.

The library waits for each piece for so long, and for as many pieces as come; a head of 6 MB, a byte at a time, would take years.
"""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

Monotonic = Callable[[], float]


class _Head(io.RawIOBase):
    """What comes from a socket, for so long as the head may take; afterwards without a limit."""

    def __init__(self, raw: io.RawIOBase, seconds: float, monotonic: Monotonic) -> None:
        super().__init__()
        self._raw, self._monotonic = raw, monotonic
        self.ends_at: float | None = monotonic() + seconds

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- whatever can be written into
        """As the socket's. Errors: TimeoutError once the head has taken too long."""
        if self.ends_at is not None and self._monotonic() > self.ends_at:
            raise TimeoutError("its answer only drips")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Closes the socket's side too."""
        self._raw.close()
        super().close()


class HurriedResponse(http.client.HTTPResponse):
    """An answer whose head, interim ones included, comes within so many seconds of the request, or not at all."""

    def __init__(self, seconds: float, monotonic: Monotonic, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._head = _Head(self.fp.detach(), seconds, monotonic)
        self.fp = io.BufferedReader(self._head)

    def begin(self) -> None:
        """Reads the head. Errors: TimeoutError, and the library's."""
        super().begin()
        self._head.ends_at = None


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
