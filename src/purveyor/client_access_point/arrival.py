"""Taking one item into an up box.

It is judged by its name, size, number and sender's address before it costs anything, then written aside, synced, and made visible
under its name if nothing has that name. What it says is for the site to judge.
"""

import asyncio
import contextlib
import errno
import itertools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from purveyor.client_access_point.limits import AddressRates, Depths, Limits
from purveyor.transport.folder.confined import create_aside, locate, place_new, write_all
from purveyor.transport.http.serving import Header, Message, Receive, Scope, Send, answer_empty, answer_words, header_in
from purveyor.wire.boxes import Box

ARRIVING = ".arriving"
"""Where items are written before they are whole; hidden, never served."""

_DRAINED_BYTES = 1024 * 1024
_DRAINING_SECONDS = 10.0
_LEFT_OVER_SECONDS = 3600.0
_CLOSE: Header = (b"connection", b"close")
_NOTHING: Header = (b"content-length", b"0")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class TooLargeError(Exception):
    """The body has more bytes than the box takes. `is_ended`: there is nothing more of it to come."""

    def __init__(self, *, is_ended: bool) -> None:
        super().__init__()
        self.is_ended = is_ended


class CutOffError(Exception):
    """The client went away before the body was whole."""


class Arrival:
    """The way into the up boxes of one CAP."""

    def __init__(self, root: str, limits: Limits, pool: ThreadPoolExecutor, monotonic: Callable[[], float]) -> None:
        self._root = root
        self._limits = limits
        self._pool = pool
        self._monotonic = monotonic
        self._rates = AddressRates(per_second=limits.puts_per_second, burst=limits.put_burst, address_limit=limits.address_limit)
        self._depths = Depths(root, limits)
        self._numbers = itertools.count(1)
        self._under_way = 0
        self._is_swept = False

    async def take(self, scope: Scope, receive: Receive, send: Send, box: Box, path: str) -> None:
        """Answers one PUT: 201 stored, 409 there already, 413 too large, 408 too slow, 429 too many, 503 busy, 507 no room."""
        wait_seconds = self._rates.wait_seconds(_address_of(scope), self._monotonic())
        if wait_seconds > 0.0:
            await answer_words(send, 429, _retry_after(math.ceil(wait_seconds)), _CLOSE)
            return
        if self._under_way >= self._limits.put_limit:
            await answer_words(send, 503, _retry_after(1), _CLOSE)
            return
        self._under_way += 1
        try:
            await self._take(scope, receive, send, box, path)
        finally:
            self._under_way -= 1

    async def _take(self, scope: Scope, receive: Receive, send: Send, box: Box, path: str) -> None:
        if os.path.lexists(f"{self._root}/{path}"):
            await _refuse_body(receive, send, 409, _declared_bytes(scope))
            return
        if _declared_bytes(scope) > box.item_limit_bytes:
            await _refuse_body(receive, send, 413, _declared_bytes(scope))
            return
        try:
            async with asyncio.timeout(self._limits.body_grace_seconds) as patience:
                content = await read_body(self._paced(receive, patience), limit_bytes=box.item_limit_bytes)
        except TooLargeError as error:
            await _refuse_body(receive, send, 413, 0 if error.is_ended else _DRAINED_BYTES)
            return
        except TimeoutError:
            await answer_words(send, 408, _CLOSE)
            return
        except CutOffError:
            return
        status = await asyncio.get_running_loop().run_in_executor(self._pool, self._store, box, path, content)
        match status:
            case 201:
                await answer_empty(send, 201, [_NOTHING])
            case 409:
                await answer_words(send, 409)
            case _:
                await answer_words(send, status, _retry_after(self._limits.retry_after_seconds))

    def _paced(self, receive: Receive, patience: asyncio.Timeout) -> Receive:
        """The same body, which is waited for a little longer with every byte: many clients may share a slow line."""

        async def paced() -> Message:
            message = await receive()
            ends_at = patience.when()
            assert ends_at is not None
            patience.reschedule(ends_at + len(message.get("body", b"")) / self._limits.slowest_bytes_per_second)
            return message

        return paced

    def _store(self, box: Box, path: str, content: bytes) -> int:
        """The status to answer. Runs in a thread."""
        try:
            if not self._depths.has_room(box, self._monotonic()):
                return 507
            aside = f"{self._root}/{ARRIVING}/{os.getpid()}-{next(self._numbers)}"
            self._write(aside, content)
            if not place_new(aside, locate(self._root, path)):
                return 409
            self._depths.add(box)
        except OSError as error:
            return 507 if error.errno in _NO_SPACE else 503
        return 201

    def _write(self, aside: str, content: bytes) -> None:
        try:
            descriptor = create_aside(aside)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(aside), 0o700, exist_ok=True)
            descriptor = create_aside(aside)
        if not self._is_swept:
            self._is_swept = True
            _sweep(os.path.dirname(aside), os.fstat(descriptor).st_mtime)
        is_whole = False
        try:
            write_all(descriptor, content)
            if self._limits.is_synced:
                os.fsync(descriptor)
            is_whole = True
        finally:
            os.close(descriptor)
            if not is_whole:
                os.unlink(aside)


async def read_body(receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body. Errors: TooLargeError as soon as it exceeds the limit, CutOffError."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutOffError
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise TooLargeError(is_ended=not message.get("more_body", False))
        if not message.get("more_body", False):
            return bytes(body)


async def _refuse_body(receive: Receive, send: Send, status: int, coming_bytes: int) -> None:
    """Answers without using the body: one of moderate size is read away first, so that its sender gets to see the answer."""
    if 0 < coming_bytes <= _DRAINED_BYTES:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAINING_SECONDS):
                await _drain(receive)
    await answer_words(send, status, _CLOSE)


async def _drain(receive: Receive) -> None:
    rest = _DRAINED_BYTES
    while rest > 0:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        rest -= len(message.get("body", b"")) + 1


def _sweep(folder: str, now: float) -> None:
    """Clears away what a kill left behind; whatever another server of this folder is writing right now is younger."""
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            if now - os.lstat(f"{folder}/{name}").st_mtime > _LEFT_OVER_SECONDS:
                os.unlink(f"{folder}/{name}")


def _address_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _declared_bytes(scope: Scope) -> int:
    declared = header_in(scope, b"content-length")
    return int(declared) if declared.isdigit() and len(declared) < 20 else 0


def _retry_after(seconds: int) -> Header:
    return (b"retry-after", b"%d" % max(1, seconds))
