"""Leftovers of content: what lies in the store or on a point and belongs to no manifest there.

An upload that was given up, a copy that a crash cut short, a manifest whose transaction failed: nobody else would ever remove it.
What is younger than a week may be an upload under way and is left alone. At a point elsewhere the week is the site's own,
from when it found a thing: dates that a server there shows are not asked.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from purveyor.content.place import ContentPlace
from purveyor.content.verify import is_digest
from purveyor.site_server.database import content_copies, pushed
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.slices import slices

YOUNGEST = timedelta(days=7)
REMOVALS_A_SWEEP = 10_000


def sweep(*, database: Database, store: ContentPlace, points: Mapping[str, ContentPlace], now: datetime) -> int:
    """Removes all leftovers. Shape: the bytes freed. Errors: UnavailableError."""
    freed_bytes = _sweep(database, store, None, now)
    return freed_bytes + sum(_sweep(database, place, point, now) for point, place in sorted(points.items()))


def sweep_elsewhere(*, database: Database, point: str, place: ContentPlace, now: datetime) -> int:
    """Removes what was a leftover on a point elsewhere for a week. Nothing comes there meanwhile: it has one round at a time.

    Names that are no digests are none of the site's, and are left alone.
    Shape: the bytes freed. Errors: UnavailableError.
    """
    strange = {}
    for part in slices([stored for stored in place.walk() if is_digest(stored.sha256)]):
        with database.read() as tx:
            known = content_copies.known_content(tx, [stored.sha256 for stored in part], point=point)
        strange.update({stored.path: stored for stored in part if stored.sha256 not in known})
    with database.write() as tx:
        pushed.keep_strange(tx, point, strange.keys(), now)
        leaving = pushed.removable_files(tx, point, now - YOUNGEST, REMOVALS_A_SWEEP)
    freed_bytes = sum(place.remove(strange[path]) for path in leaving)
    with database.write() as tx:
        pushed.set_gone(tx, point, leaving, ())
    return freed_bytes


def _sweep(database: Database, place: ContentPlace, point: str | None, now: datetime) -> int:
    """Sweeps one place, inside writing transactions: so no upload is recorded while what it counts on goes."""
    freed_bytes = 0
    for part in slices(list(place.walk(until=(now - YOUNGEST).timestamp()))):
        with database.write() as tx:
            known = content_copies.known_content(tx, [stored.sha256 for stored in part], point=point)
            freed_bytes += sum(place.remove(stored) for stored in part if stored.sha256 not in known)
    return freed_bytes
