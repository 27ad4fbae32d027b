"""A site with many registered clients, made quickly: real rows, real shards on disk."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, update

from purveyor.site_server.database import counters, publication, schema
from purveyor.site_server.publish import turn as publish
from purveyor.site_server.site import Site, create_site, open_site
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import CollectionId, collection_id_of
from purveyor.wire.reports import Facts

ROWS_A_STATEMENT = 20_000


def make_site(folder: Path, client_count: int, *, database_url: str = "") -> Site:
    """A site with so many members, all of its shards on disk."""
    now = datetime.now(UTC)
    create_site(folder, code="S01", database_url=database_url, now=now)
    site = open_site(folder)
    with site.database.write() as tx:
        for rows in _client_rows(client_count, now):
            tx.execute(insert(schema.client), rows)
        everybody = collection_id_of(site.code, 1)
        _insert_members(tx, everybody, client_count)
        tx.execute(update(schema.shard).values(is_wanted=True))
    publish_all(site)
    return site


def make_collection(site: Site, name: str, client_count: int) -> CollectionId:
    """A collection with the first so many clients as direct members."""
    with site.database.write() as tx:
        collection = collection_id_of(site.code, counters.next_number(tx, counters.COLLECTION))
        now = datetime.now(UTC)
        tx.execute(
            insert(schema.collection).values(id=collection, name=name, is_all_systems=False, is_named=False, created_at=now)
        )
        for numbers in _slices(client_count):
            rows = [{"collection": collection, "kind": "direct", "client": number} for number in numbers]
            tx.execute(insert(schema.collection_rule), rows)
        _insert_members(tx, collection, client_count)
    return collection


def publish_all(site: Site) -> None:
    """Publishes until nothing is wanted and the generation of shards is the right one."""
    while True:
        publish.turn(database=site.database, cap=site.cap, keys=site.keys, now=site.clock())
        if is_quiet(site):
            return


def is_quiet(site: Site) -> bool:
    """Whether nothing waits to be published, and the announced generation of shards is the newest."""
    with site.database.read() as tx:
        standing = publication.generations(tx)
        if standing[-1].announced_at is None or publication.unmet(tx, 1):
            return False
        return not publication.unfinished_generations(tx)


def shard_files(folder: Path) -> list[Path]:
    """All shards on disk."""
    return list((folder / "CAP_S01" / "offerinf.box" / "lookup").rglob("*.lkp"))


def _client_rows(client_count: int, now: datetime) -> Iterator[list[dict[str, object]]]:
    facts = to_bytes(Facts(name="bench", platform="linux/debian/12")).decode()
    for numbers in _slices(client_count):
        rows: list[dict[str, object]] = []
        for number in numbers:
            public_key = hashlib.sha256(b"bench %d" % number).hexdigest()
            client = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:32]
            rows.append(
                {
                    "number": number,
                    "id": client,
                    "shard_key": int(client[:8], 16),
                    "public_key": public_key,
                    "name": f"bench-{number}",
                    "state": "member",
                    "facts": facts,
                    "joined_at": now,
                }
            )
        yield rows


def _insert_members(tx: object, collection: CollectionId, client_count: int) -> None:
    for numbers in _slices(client_count):
        tx.execute(insert(schema.member), [{"collection": collection, "client": number} for number in numbers])  # type: ignore[attr-defined]


def _slices(client_count: int) -> Iterator[range]:
    for start in range(1, client_count + 1, ROWS_A_STATEMENT):
        yield range(start, min(start + ROWS_A_STATEMENT, client_count + 1))
