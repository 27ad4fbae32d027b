"""One connection to the site's HTTP server, held to limits: whoever says nothing, too little, or reads nothing, loses it.

The server below has none of these: a head may be endless there, and take for ever, what follows a body is kept as more of its
head, and requests that nobody waited for are kept by the thousand. What a body may be is the applications' matter (`limits`, and
`arrival` of an access point); here is only looked that the rest of one that nobody reads comes to an end.
"""

import asyncio
import fcntl
import resource
import socket
import struct
import termios
from typing import ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_LIMIT_BYTES = 64 * 1024
"""A head, and whatever else is no body: what stands between chunks, and behind the last."""
FIELD_LIMIT = 200
"""Fields of a head: a small one takes thirty times its bytes."""
AHEAD_LIMIT = 16
"""Requests that may come before the one before them is answered; each takes a hundred times its bytes."""
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
    _steps = 0
    _idle_bytes = 0
    _answered: RequestResponseCycle | None = None
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
        """Reads what came, and counts it as long as it neither ends a head or a request nor is part of a body."""
        steps = self._steps
        super().data_received(data)
        self._idle_bytes = self._idle_bytes + len(data) if self._steps == steps else 0
        if self._idle_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self._end(_TOO_LARGE if self._awaits_head else b"")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._end_in(self.head_seconds, _TOO_SLOW)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; one that follows the body is none, and nobody's. Errors: ValueError, which ends the connection."""
        if not self._awaits_head:
            return
        if len(self.headers) >= FIELD_LIMIT:
            self._end(_TOO_LARGE)
            raise ValueError("too many fields")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A whole head. Errors: ValueError, which ends the connection."""
        if len(self.pipeline) >= AHEAD_LIMIT:
            raise ValueError("too many requests ahead")
        self._awaits_head, self._steps = False, self._steps + 1
        self._go_on()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._steps += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A whole request."""
        self._awaits_head, self._steps = True, self._steps + 1
        self._go_on()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, and ends the connection."""
        if not self.transport.is_closing():
            super().send_400_response(msg)
            self._give_up()

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
        self._give_up()
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
        if self._answered is None or self._answered.response_complete:
            self.transport.write(words)
        self.transport.close()
        self._give_up()

    def _give_up(self) -> None:
        """Tells whoever answers that nobody listens; the server below tells it the last request alone, and too late."""
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()
