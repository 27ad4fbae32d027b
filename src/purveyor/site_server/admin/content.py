"""Content that was sent to the site, and is recorded once all of it is there."""

from datetime import datetime

from sqlalchemy import Connection

from purveyor.content.store import ContentStore
from purveyor.site_server.database import audit, content_copies
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.manifest import Manifest, Stored, decode, distinct_files, hash_of


def missing(store: ContentStore, content: bytes) -> list[Stored]:
    """The files of a manifest that the site does not have yet. Errors: RejectedError when the manifest cannot be believed."""
    return store.missing(decode(content))


def take_in(tx: Connection, store: ContentStore, sha256: str, content: bytes, *, by: str, now: datetime) -> Manifest:
    """Stores and records a manifest whose files were sent before; packages may name it from then on. Again changes nothing.

    Errors: RejectedError when these are not the bytes of that manifest; RefusedError when a file is missing.
    """
    if hash_of(content) != sha256:
        raise RejectedError(f"these are the bytes of the manifest {hash_of(content)}, not of {sha256}")
    lacking = missing(store, content)
    if lacking:
        raise RefusedError(f"the site lacks {len(lacking)} files of this manifest, {lacking[0].sha256} for one: send them first")
    manifest = store.add_manifest(content)
    files = distinct_files(manifest)
    content_copies.record_manifest(tx, sha256, sum(file.size_bytes for file in files), files, now)
    detail = {"files": len(manifest.files), "size_bytes": manifest.size_bytes}
    audit.record(tx, by=by, now=now, action="content.take-in", about=sha256, detail=detail)
    return manifest
