"""Leftovers of content: what lies in the store or on a point and belongs to no manifest there.

An upload that was given up, a copy that a crash cut short, a manifest whose transaction failed: nobody else would ever remove it.
What is younger than a week may be an upload under way and is left alone.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from purveyor.content.place import ContentPlace
from purveyor.site_server.database import content_copies
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.slices import slices

YOUNGEST = timedelta(days=7)


def sweep(*, database: Database, store: ContentPlace, points: Mapping[str, ContentPlace], now: datetime) -> int:
    """Removes all leftovers. Shape: the bytes freed. Errors: UnavailableError."""
    freed_bytes = _sweep(database, store, None, now)
    return freed_bytes + sum(_sweep(database, place, point, now) for point, place in sorted(points.items()))


def _sweep(database: Database, place: ContentPlace, point: str | None, now: datetime) -> int:
    """Sweeps one place, inside writing transactions: so no upload is recorded while what it counts on goes."""
    freed_bytes = 0
    for part in slices(list(place.walk(until=(now - YOUNGEST).timestamp()))):
        with database.write() as tx:
            known = content_copies.known_content(tx, [stored.sha256 for stored in part], point=point)
            freed_bytes += sum(place.remove(stored) for stored in part if stored.sha256 not in known)
    return freed_bytes
