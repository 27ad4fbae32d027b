"""Content of packages: what the site lacks of a tree, and taking it in. A package that is added afterwards names the manifest."""

from collections.abc import Iterator
from typing import Annotated

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Request
from starlette.requests import ClientDisconnect

from purveyor.console.authentication import Administrator
from purveyor.console.errors import ANSWERS
from purveyor.console.limits import declared_bytes
from purveyor.console.shapes import Answer
from purveyor.console.visit import Visit
from purveyor.site_server.admin import content as admin
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, hash_of

PREFIX = "/content"
router = APIRouter(prefix=PREFIX, tags=["content"], responses=ANSWERS)

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 in hexadecimal digits")]
_BYTES = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
_MANIFEST = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object", "title": "Manifest"}}}}
}


class Lacking(Answer):
    """A file that the site does not have."""

    sha256: str
    size_bytes: int


class Plan(Answer):
    """What is still to be sent before the manifest is."""

    manifest: str
    missing: list[Lacking]


class Stored(Answer):
    """What was stored. Units: bytes."""

    sha256: str
    size_bytes: int


@router.post("/plan", summary="What the site lacks of a manifest's files", openapi_extra=_MANIFEST)
async def plan(request: Request, visit: Administrator) -> Plan:
    """The files that are still to be sent."""
    content = await _body(request, SIZE_LIMIT_BYTES)
    return await anyio.to_thread.run_sync(_planned, visit, content)


@router.put("/files/{sha256}", summary="Send one file", openapi_extra=_BYTES)
async def put_file(request: Request, sha256: Digest, visit: Administrator) -> Stored:
    """Stores a file once its bytes are what its name says; sending it again changes nothing."""
    limit_bytes = visit.settings.upload_limit_bytes
    if declared_bytes(request.scope) > limit_bytes:
        raise RejectedError(f"a file may have {limit_bytes} bytes at most")
    pieces = _pieces(request)
    size_bytes = await anyio.to_thread.run_sync(lambda: visit.site.store.add_file(sha256, pieces, limit_bytes))
    return Stored(sha256=sha256, size_bytes=size_bytes)


@router.put("/manifests/{sha256}", summary="Send a manifest, when all its files are there", openapi_extra=_MANIFEST)
async def put_manifest(request: Request, sha256: Digest, visit: Administrator) -> Stored:
    """Stores a manifest; packages may name it from then on."""
    content = await _body(request, SIZE_LIMIT_BYTES)
    return await anyio.to_thread.run_sync(_manifest_stored, visit, sha256, content)


def _planned(visit: Visit, content: bytes) -> Plan:
    limit_bytes = visit.settings.upload_limit_bytes
    lacking = [Lacking(sha256=file.sha256, size_bytes=file.size_bytes) for file in admin.missing(visit.site.store, content)]
    if any(file.size_bytes > limit_bytes for file in lacking):
        raise RejectedError(f"a file may have {limit_bytes} bytes at most, and one of these has more")
    return Plan(manifest=hash_of(content), missing=lacking)


def _manifest_stored(visit: Visit, sha256: str, content: bytes) -> Stored:
    store = visit.site.store
    manifest = visit.change(lambda tx: admin.take_in(tx, store, sha256, content, by=visit.by, now=visit.now()))
    return Stored(sha256=sha256, size_bytes=manifest.size_bytes)


async def _body(request: Request, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    try:
        async for piece in request.stream():
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                raise RejectedError(f"a manifest may have {limit_bytes} bytes at most")
            pieces.append(piece)
    except ClientDisconnect as error:
        raise UnavailableError("the sender went away") from error
    return b"".join(pieces)


def _pieces(request: Request) -> Iterator[bytes]:
    """The body in pieces, for a thread that writes them: a slow disk holds up nobody else."""
    stream = request.stream()

    async def following() -> bytes | None:
        return await anext(stream, None)

    try:
        while (piece := anyio.from_thread.run(following)) is not None:
            yield piece
    except ClientDisconnect as error:
        raise UnavailableError("the sender went away") from error
