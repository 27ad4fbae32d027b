"""A folder of boxes over HTTP, in bare ASGI, for those who have no web server.

Down boxes are read (GET, HEAD, conditionally), into up boxes items are put (PUT, once under each name), and that is all: no
listing, no reading back, no overwriting, no other method, nothing hidden. It holds no key, judges no content and calls nobody.
A poll that finds nothing new costs one look at the file and a precomputed answer.
"""

import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from purveyor.client_access_point.arrival import Arrival
from purveyor.client_access_point.limits import Limits
from purveyor.transport.http.serving import (
    INLINE_BYTES,
    TYPE_HEADERS,
    Application,
    Header,
    Receive,
    Scope,
    Send,
    answer_empty,
    answer_lifespan,
    answer_words,
    header_in,
    matches_tag,
    open_plain,
    path_in,
    send_piecewise,
)
from purveyor.wire.boxes import CACHE_CHANGING, CACHE_LASTING, is_down_path, is_mutable, up_box_of

CHANGING: Header = (b"cache-control", CACHE_CHANGING.encode())
LASTING: Header = (b"cache-control", CACHE_LASTING.encode())

_THREADS = 8
_LIMITS = Limits()
_ALLOW_READING: Header = (b"allow", b"GET, HEAD")
_ALLOW_PUT: Header = (b"allow", b"PUT")


def application(folder: Path | str, limits: Limits = _LIMITS, *, monotonic: Callable[[], float] = time.monotonic) -> Application:
    """An ASGI application that serves the CAP in `folder`, alone or mounted below a path."""
    root = os.path.abspath(folder)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="client-access-point")
    arrival = Arrival(root, limits, pool, monotonic)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await answer_lifespan(receive, send)
            return
        path = path_in(scope)
        method = scope["method"]
        if is_down_path(path):
            if method == "GET" or method == "HEAD":
                await _show(scope, receive, send, root, path, pool)
            else:
                await answer_words(send, 405, _ALLOW_READING)
        elif (box := up_box_of(path)) is not None:
            if method == "PUT":
                await arrival.take(scope, receive, send, box, path)
            else:
                await answer_words(send, 405, _ALLOW_PUT)
        else:
            await answer_words(send, 404)

    return serve


def tag_of(seen: os.stat_result) -> bytes:
    """The strong entity tag of a file: it changes with every replacement."""
    return b'"%x-%x-%x"' % (seen.st_mtime_ns, seen.st_size, seen.st_ino)


async def _show(scope: Scope, receive: Receive, send: Send, root: str, path: str, pool: ThreadPoolExecutor) -> None:
    lasting = CHANGING if is_mutable(path) else LASTING
    presented = header_in(scope, b"if-none-match")
    if presented:
        try:
            seen = os.lstat(f"{root}/{path}")
        except OSError:
            await answer_words(send, 404)
            return
        if stat.S_ISREG(seen.st_mode) and matches_tag(presented, tag := tag_of(seen)):
            await answer_empty(send, 304, [(b"etag", tag), lasting])
            return
    opened = open_plain(root, path)
    if opened is None:
        await answer_words(send, 404)
        return
    descriptor, seen = opened
    try:
        size_bytes = seen.st_size
        headers = [*TYPE_HEADERS, (b"content-length", b"%d" % size_bytes), (b"etag", tag_of(seen)), lasting]
        if scope["method"] == "HEAD":
            await answer_empty(send, 200, headers)
        elif size_bytes <= INLINE_BYTES:
            content = os.read(descriptor, size_bytes)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send_piecewise(receive, send, pool, descriptor, 0, size_bytes)
    finally:
        os.close(descriptor)
