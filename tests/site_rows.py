"""Rows of a site for tests of the database and of `admin`: a site, clients, and what they report."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from purveyor.site_server.database import collections, membership, points, publication, schema
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import ClientId, CollectionId, PackageId, SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Facts

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SITE = SiteCode("S01")
ANNA = "anna"


def add_site(tx: Connection) -> CollectionId:
    """A site without clients; All Systems."""
    publication.insert_site(tx, code=SITE, bin_bits=4, now=NOW)
    points.insert_home(tx, NOW)
    return collections.insert_all_systems(tx, SITE, NOW)


def client_id_at(position: int) -> ClientId:
    """The id of the client at a position."""
    return ClientId(hashlib.sha256(f"client {position}".encode()).hexdigest()[:32])


def add_clients(tx: Connection, count: int, *, state: str = "member", first: int = 1) -> list[ClientId]:
    """Clients `pc-1`, `pc-2` …, members of what they belong to."""
    rows = [
        {
            "id": client_id_at(position),
            "shard_key": int(client_id_at(position)[:8], 16),
            "public_key": "",
            "name": f"pc-{position}",
            "state": state,
            "facts": to_bytes(Facts(name=f"pc-{position}", platform="linux/debian/12")).decode(),
            "joined_at": NOW,
        }
        for position in range(first, first + count)
    ]
    tx.execute(insert(schema.client), rows)
    membership.evaluate(tx, [collections.all_systems(tx)], NOW)
    return [ClientId(str(row["id"])) for row in rows]


def add_manifest(tx: Connection, sha256: str, size_bytes: int = 1000) -> str:
    """Content that was uploaded."""
    tx.execute(insert(schema.manifest).values(sha256=sha256, size_bytes=size_bytes, file_count=1, taken_in_at=NOW))
    return sha256


def report(tx: Connection, client: ClientId, package: PackageId, program: int, state: JobState) -> None:
    """Where a job stands now, as the client said."""
    tx.execute(
        insert(schema.job_state).values(
            client=number_of(tx, client),
            package=package,
            program=program,
            state=state,
            occurrence="",
            source_version=1,
            text="",
            at=NOW,
            order=1000,
        )
    )


def number_of(tx: Connection, client: ClientId) -> int:
    """The database's number of a client."""
    return int(tx.execute(select(schema.client.c.number).where(schema.client.c.id == client)).scalar_one())


def members_of(tx: Connection, collection: CollectionId) -> set[int]:
    """The numbers of a collection's members."""
    return set(tx.execute(select(schema.member.c.client).where(schema.member.c.collection == collection)).scalars())


def meet_all_wants(tx: Connection) -> None:
    """Everything wanted is as if published."""
    tx.execute(update(schema.wanted).values(published=schema.wanted.c.wanted))
    tx.execute(update(schema.shard).values(is_wanted=False))


def wants(tx: Connection) -> set[tuple[str, str]]:
    """What is to be published anew: (kind, key)."""
    table = schema.wanted
    rows = tx.execute(select(table.c.kind, table.c.key).where(table.c.wanted != table.c.published))
    return {(row.kind, row.key) for row in rows}


def wanted_shards(tx: Connection) -> set[int]:
    """The numbers of shards that are to be published anew."""
    return set(tx.execute(select(schema.shard.c.number).where(schema.shard.c.is_wanted)).scalars())


def shards_of(clients: Iterable[ClientId], bits: int) -> set[int]:
    """The numbers of the shards of these clients."""
    return {int(client[:8], 16) >> (32 - bits) for client in clients}
