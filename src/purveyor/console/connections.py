"""One connection to the site's HTTP server, held to limits: whoever says nothing, too little, or reads nothing, loses it.

The server below has none of these: a head may be endless there, and take for ever. What a body may be is the applications'
matter (`limits`, and `arrival` of an access point); here is only looked that the rest of one that nobody reads comes to an end.
"""

import asyncio
import fcntl
import resource
import socket
import struct
import termios
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 64 * 1024
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """A connection of the server. Units: seconds."""

    head_seconds: ClassVar[float] = 20.0
    """How long the head of a request may take, from its first byte, or from the beginning of the connection."""
    rest_seconds: ClassVar[float] = 10.0
    """How long the rest of a body may come that was answered before it was read."""
    reading_seconds: ClassVar[float] = 120.0
    """How long a client may take nothing, or next to nothing, of an answer."""
    least_bytes: ClassVar[int] = 16 * 1024
    """What it takes in that time at least; a slow line that many clients share brings each no more."""

    _awaits_head = True
    _heads = 0
    _head_bytes = 0
    _ends_at: asyncio.TimerHandle | None = None
    _reads_by: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server has it
        """Takes a connection, unless there are so many that the site could open no more files."""
        super().connection_made(transport)
        if len(self.connections) > resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2:
            transport.abort()
            return
        self._end_in(self.head_seconds, _TOO_SLOW)

    def data_received(self, data: bytes) -> None:
        """Reads what came, and counts it as long as it is the head of one request."""
        was_head, heads = self._awaits_head, self._heads
        super().data_received(data)
        if was_head and self._heads == heads:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
                self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._end_in(self.head_seconds, _TOO_SLOW)

    def on_headers_complete(self) -> None:
        """A whole head."""
        self._awaits_head, self._head_bytes, self._heads = False, 0, self._heads + 1
        self._go_on()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A whole request."""
        self._awaits_head = True
        self._go_on()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A whole answer; the request may not have been."""
        super().on_response_complete()
        if not self._awaits_head and not self.transport.is_closing():
            self._end_in(self.rest_seconds, b"")

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._reads_by = self.loop.call_later(self.reading_seconds, self._look, self._untaken_bytes())

    def _look(self, before_bytes: int) -> None:
        """Ends a connection at which the client has taken too little since so much was waiting for it."""
        waiting_bytes = self._untaken_bytes()
        if before_bytes - waiting_bytes < self.least_bytes:
            self.transport.abort()
        else:
            self._reads_by = self.loop.call_later(self.reading_seconds, self._look, waiting_bytes)

    def _untaken_bytes(self) -> int:
        """What was written and is not known to have arrived: here, and with the system."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        with_system = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        return int(with_system) + self.transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._reads_by is not None:
            self._reads_by.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._go_on()
        super().connection_lost(exc)
        if self._reads_by is not None:
            self._reads_by.cancel()

    def _end_in(self, seconds: float, words: bytes) -> None:
        self._go_on()
        self._ends_at = self.loop.call_later(seconds, self._end, words)

    def _go_on(self) -> None:
        if self._ends_at is not None:
            self._ends_at.cancel()

    def _end(self, words: bytes) -> None:
        is_answering = bool(self.cycle) and not self.cycle.response_complete
        if not is_answering:
            self.transport.write(words)
        self.transport.close()
