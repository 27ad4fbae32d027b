"""Limits on request bodies, in front of everything that reads them: how large they are, and how slowly they may come."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyPace:
    """Waits for a body no longer than its first so many seconds, and one more for each so many bytes that came.

    Only what is waited for counts: a site that is slow itself, or a client that is waited for after its body, loses nothing.
    """

    def __init__(self, app: ASGIApp, *, grace_seconds: float, slowest_bytes_per_second: int) -> None:
        self._app, self._grace_seconds, self._slowest = app, grace_seconds, slowest_bytes_per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        waited_seconds, seen, is_whole = 0.0, 0, False

        async def paced() -> Message:
            nonlocal waited_seconds, seen, is_whole
            if is_whole:
                return await receive()
            began = clock()
            try:
                async with asyncio.timeout(max(0.0, self._grace_seconds + seen / self._slowest - waited_seconds)):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "the body of this request comes too slowly") from error
            waited_seconds += clock() - began
            seen += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            return message

        await self._app(scope, paced, send)


class BodyLimit:
    """Lets no body through that is larger than the limit; paths that begin with `free` count their bytes themselves."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, free: str) -> None:
        self._app, self._limit, self._free = app, limit_bytes, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith(self._free):
            await self._app(scope, receive, send)
            return
        text = f"a request may have {self._limit} bytes at most"
        if declared_bytes(scope) > self._limit:
            await JSONResponse({"error": text, "kind": "rejected"}, status_code=413)(scope, receive, send)
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise HTTPException(413, text)
            return message

        await self._app(scope, counting, send)


def declared_bytes(scope: Scope) -> int:
    """How long a request says that its body is; 0 where it says nothing that is a number."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(declared[:20]) if declared.isdigit() else 0
