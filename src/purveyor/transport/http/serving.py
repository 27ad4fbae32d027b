"""What the two small HTTP servers, of boxes and of content, share: answering in bare ASGI, tags, ranges, files sent in pieces.

Nothing here knows what it serves. Reading and writing of more than a little happens in threads, so that one slow disk or one slow
client holds up nobody else.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import Executor
from typing import Any

from purveyor.transport.folder.confined import open_file
from purveyor.transport.http.valve import Valve
from purveyor.wire.errors import RejectedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

INLINE_BYTES = 64 * 1024
"""A file up to this size is read at once where it is asked for: a hop to a thread would cost more than the read."""
PIECE_BYTES = 256 * 1024

TYPE_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/octet-stream"), (b"x-content-type-options", b"nosniff"))
_NO_BODY: Message = {"type": "http.response.body", "body": b""}
_WORDS = {
    400: b"bad request\n",
    404: b"not here\n",
    405: b"not done here\n",
    408: b"too slow\n",
    409: b"it is there already\n",
    413: b"too large\n",
    416: b"no such range\n",
    429: b"too many at once\n",
    503: b"not now\n",
    507: b"no room\n",
}


async def answer_empty(send: Send, status: int, headers: Sequence[Header]) -> None:
    """An answer without a body."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(_NO_BODY)


async def answer_words(send: Send, status: int, *headers: Header) -> None:
    """A short answer for people; never the name or text of anything inside."""
    words = _WORDS.get(status, b"\n")
    length = (b"content-length", b"%d" % len(words))
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain"), length, *headers]})
    await send({"type": "http.response.body", "body": words})


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Says yes to the server's questions about starting and stopping: there is nothing to start."""
    while True:
        match (await receive())["type"]:
            case "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            case "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return


def path_in(scope: Scope) -> str:
    """The path below the place where the application is mounted, without the slash at its front."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root):
        path = path[len(root) :]
    return path[1:]


def header_in(scope: Scope, name: bytes) -> bytes:
    """The first header of this name, or b"". Shape: names in lower case, as ASGI has them."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def matches_tag(presented: bytes, tag: bytes) -> bool:
    """Whether an `If-None-Match` names this tag. Source: RFC 9110 13.1.2, weak comparison."""
    if presented == tag:
        return True
    if not presented:
        return False
    return presented.strip() == b"*" or any(one.strip().removeprefix(b"W/") == tag for one in presented.split(b","))


def range_in(asked: bytes, size_bytes: int) -> tuple[int, int] | None:
    """The single range that a `Range` header asks for; None when the whole file is to be sent.

    Shape: (first byte, byte count); a count of 0 means that the range cannot be satisfied.
    Source: RFC 9110 14.2: a server may ignore what it does not understand, so several ranges count as none.
    """
    unit, _, rest = asked.decode("latin-1").replace(" ", "").partition("=")
    first, dash, last = rest.partition("-")
    if unit.lower() != "bytes" or not dash or not all(_is_number(part) for part in (first, last) if part) or first == last == "":
        return None
    if not first:
        count = min(int(last), size_bytes)
        return size_bytes - count, count
    start = int(first)
    if last and int(last) < start:
        return None
    end = min(int(last), size_bytes - 1) if last else size_bytes - 1
    return start, max(0, end - start + 1)


def open_plain(root: str, path: str) -> tuple[int, os.stat_result] | None:
    """A descriptor of a plain file and what it is; None when there is none that may be shown."""
    try:
        return open_file(root, path)
    except (OSError, RejectedError):
        return None


async def send_piecewise(
    receive: Receive, send: Send, pool: Executor, descriptor: int, offset: int, count: int, valve: Valve | None = None
) -> None:
    """Sends `count` bytes of a file from `offset` on, as fast as client and valve allow, and stops when the client has gone.

    The head must have been sent. A file that turns out shorter ends the connection, as does an hour at which nothing may be sent:
    the server sees a body cut short.
    """
    loop = asyncio.get_running_loop()
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        while count > 0 and not gone.done():
            most = PIECE_BYTES if valve is None else valve.piece_bytes(PIECE_BYTES)
            piece = await loop.run_in_executor(pool, _read_at, descriptor, min(count, most), offset)
            if not piece:
                return
            offset += len(piece)
            count -= len(piece)
            if valve is not None and not await valve.may_send(len(piece), gone):
                return
            await send({"type": "http.response.body", "body": piece, "more_body": count > 0})
    finally:
        gone.cancel()


def _read_at(descriptor: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, count)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
