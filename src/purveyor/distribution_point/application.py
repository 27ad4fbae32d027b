"""A folder of package content over HTTP, in bare ASGI, for those who have no web server.

It shows `files/<first two digits>/<sha256>` and `manifests/<sha256>`, whole or one range of them, and nothing else. A name is the
hash of the bytes, so the name is the entity tag and nothing ever changes. It holds no key, judges no content and calls nobody.
A budget holds for all who are served together: who is one too many, or comes at an hour without any, is told when to ask again.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    range_in,
    send_piecewise,
)
from purveyor.transport.http.valve import Valve
from purveyor.transport.pace import Meter, unmetered
from purveyor.wire.boxes import CACHE_CHANGING, CACHE_LASTING

LASTING: Header = (b"cache-control", CACHE_LASTING.encode())
CHANGING: Header = (b"cache-control", CACHE_CHANGING.encode())

_CONTENT = re.compile(r"files/([0-9a-f]{2})/(?P<file>\1[0-9a-f]{62})|manifests/(?P<manifest>[0-9a-f]{64})")
_THREADS = 8
_RANGES: Header = (b"accept-ranges", b"bytes")


def application(folder: Path | str, meter: Meter | None = None) -> Application:
    """An ASGI application that serves the DP in `folder`, alone or mounted below a path, no faster than the meter allows."""
    valve = Valve(meter or unmetered())
    root = os.path.abspath(folder)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="distribution-point")

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await answer_lifespan(receive, send)
            return
        path = path_in(scope)
        digest = digest_in(path)
        opened = open_plain(root, path) if digest else None
        if opened is None:
            await answer_words(send, 404)
            return
        descriptor, seen = opened
        try:
            if scope["method"] in ("GET", "HEAD"):
                await _show(scope, receive, send, valve, pool, descriptor, seen.st_size, b'"%s"' % digest.encode())
            else:
                await answer_words(send, 405, (b"allow", b"GET, HEAD"))
        finally:
            os.close(descriptor)

    return serve


def digest_in(path: str) -> str:
    """The hash that a content path names, or "" for any other path."""
    found = _CONTENT.fullmatch(path)
    return (found["file"] or found["manifest"]) if found else ""


async def _show(
    scope: Scope,
    receive: Receive,
    send: Send,
    valve: Valve,
    pool: ThreadPoolExecutor,
    descriptor: int,
    size_bytes: int,
    tag: bytes,
) -> None:
    kept: list[Header] = [(b"etag", tag), LASTING] if size_bytes else [CHANGING]  # what is empty may be yet to come
    if size_bytes and matches_tag(header_in(scope, b"if-none-match"), tag):
        await answer_empty(send, 304, kept)
        return
    status, offset, count = 200, 0, size_bytes
    headers: list[Header] = [*TYPE_HEADERS, *kept, _RANGES]
    asked = range_in(header_in(scope, b"range"), size_bytes)
    if asked is not None and header_in(scope, b"if-range") in (b"", tag):
        offset, count = asked
        if count == 0:
            await answer_words(send, 416, (b"content-range", b"bytes */%d" % size_bytes))
            return
        status = 206
        headers.append((b"content-range", b"bytes %d-%d/%d" % (offset, offset + count - 1, size_bytes)))
    headers.append((b"content-length", b"%d" % count))
    if scope["method"] == "HEAD":
        await answer_empty(send, status, headers)
        return
    refused_seconds = valve.refused_seconds()
    if refused_seconds:
        await answer_words(send, 503, (b"retry-after", b"%d" % refused_seconds))
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if count <= INLINE_BYTES:
        await send({"type": "http.response.body", "body": os.pread(descriptor, count, offset)})
        valve.meter.took(count)
        return
    valve.sending += 1
    try:
        await send_piecewise(receive, send, pool, descriptor, offset, count, valve)
    finally:
        valve.sending -= 1
