"""The audit: compares the down boxes with the database, and heals what was lost, damaged or replaced.

It runs over everything at start, then hourly in slices. What it writes are the stored bytes, never new ones.
"""

from typing import NamedTuple

from purveyor.site_server.database import publication
from purveyor.site_server.database.engine import Database
from purveyor.site_server.publish.older import refuse_older_database
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.boxes import is_mutable
from purveyor.wire.errors import RejectedError

SLICE = 500
_LISTING_LIMIT = 1_000_000


class Place(NamedTuple):
    """How far an audit has come. Begins as `Place()`."""

    path: str = ""
    shard: tuple[int, int] = (0, -1)


class Audited(NamedTuple):
    """One slice of an audit: files compared and healed; `next` is None when everything was compared."""

    compared: int
    healed: tuple[str, ...]
    next: Place | None


def audit_slice(database: Database, cap: Shelf, place: Place) -> Audited:
    """Compares one slice, and heals what differs.

    Errors: UnavailableError when the box cannot be written; RefusedError when the boxes are right, and the database is older.
    """
    with database.read() as tx:
        refuse_older_database(tx, cap)
        files = publication.written_after(tx, place.path, SLICE)
        room = SLICE - len(files)
        slice_ = publication.shards_after(tx, place.shard, room) if room else []
    expected = [*files, *((shards.path_of(generation, number), content) for generation, number, content in slice_)]
    healed = []
    for path, content in expected:
        if _held(cap, path) != content:
            cap.replace(path, content) if is_mutable(path) else cap.write(path, content)
            healed.append(path)
    if healed:
        cap.sync()
    if len(expected) < SLICE:
        return Audited(len(expected), tuple(healed), None)
    path = files[-1][0] if files else place.path
    return Audited(len(expected), tuple(healed), Place(path, slice_[-1][:2] if slice_ else place.shard))


def _held(cap: Shelf, path: str) -> bytes | None:
    """What lies in the box; None also when it is something that no box may hold, such as a link."""
    try:
        return cap.read(path)
    except RejectedError:
        return None


def strangers(database: Database, cap: Shelf) -> list[str]:
    """Files in the down boxes that the site never published, nor is about to."""
    with database.read() as tx:
        known = publication.all_down_paths(tx)
    found = []
    for folder in ("clidata.box", "pkginfo.box", "offerinf.box", "clicomp.box"):
        found += [path for item in cap.listed(folder, limit=_LISTING_LIMIT) if (path := f"{folder}/{item.name}") not in known]
    return found
