"""A limit on request bodies, in front of everything that reads them."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
