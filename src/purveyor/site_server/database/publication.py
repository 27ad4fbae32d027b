"""What is published and what must be: roles, down files, shards. Read and written by `publish` alone."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    select,
    update,
)

from purveyor.site_server.database import schema, statements
from purveyor.site_server.database.wanted import Kind
from purveyor.wire.ids import ClientId, CollectionId, PackageId, SiteCode

FOREVER = datetime.max.replace(tzinfo=UTC)


class Want(NamedTuple):
    """Something to publish anew, and the revision that was asked for."""

    kind: Kind
    key: str
    revision: int


class Span(NamedTuple):
    """Roles whose signatures are not to end before one time, nor after another."""

    names: tuple[str, ...]
    before: datetime
    after: datetime


class Generation(NamedTuple):
    """One generation of shards."""

    generation: int
    bits: int
    announced_at: datetime | None
    superseded_at: datetime | None
    lookup_key: str = ""
    """The id of the key that signs it; empty: the current one."""


class ShardClient(NamedTuple):
    """One client as its shard tells it."""

    shard_key: int
    number: int
    id: ClientId
    state: str
    reason: str
    received: int
    received_digest: str = ""
    keeper: str = ""
    voices: str = "[]"
    """JSON of model.clones.Voice, where there is a keeper."""


class StoredShard(NamedTuple):
    """A signed shard. Shape: one row of the table."""

    generation: int
    number: int
    content: bytes
    publication: int
    expires_at: datetime


# --- the site ---


def site_code_of(tx: Connection) -> SiteCode:
    """The code of the site that this database belongs to."""
    return SiteCode(tx.execute(select(schema.site.c.code)).scalar_one())


def has_site(tx: Connection) -> bool:
    """Whether a site was made in this database."""
    return bool(tx.execute(select(exists(select(schema.site)))).scalar())


def incarnation_of(tx: Connection) -> int:
    """How often the site was restored, plus one."""
    return int(tx.execute(select(schema.site.c.incarnation)).scalar_one())


def insert_site(tx: Connection, *, code: SiteCode, bin_bits: int, now: datetime) -> None:
    """The one row of a new site, and the first generation of its shards: a single shard."""
    tx.execute(insert(schema.site).values(only=1, code=code, created_at=now, incarnation=1, publication=0, bin_bits=bin_bits))
    insert_generation(tx, generation=1, bits=0, announced_at=now)


def publication_of(tx: Connection) -> int:
    """The number of the newest publication."""
    return int(tx.execute(statements.PUBLICATION).scalar_one())


def next_publication(tx: Connection) -> int:
    """Raises the publication number, and gives it."""
    tx.execute(statements.NEXT_PUBLICATION)
    return publication_of(tx)


# --- what is wanted ---


def unmet(tx: Connection, limit: int) -> list[Want]:
    """What is to be published anew, at most `limit`."""
    return [Want(Kind(kind), key, revision) for kind, key, revision in tx.execute(statements.UNMET, {"limit": limit})]


def set_met(tx: Connection, wants: Sequence[Want]) -> None:
    """Records that these revisions are signed."""
    if wants:
        table = schema.wanted
        statement = (
            update(table)
            .where(table.c.kind == bindparam("of_kind"), table.c.key == bindparam("of_key"))
            .values(published=bindparam("revision"))
        )
        tx.execute(statement, [{"of_kind": want.kind, "of_key": want.key, "revision": want.revision} for want in wants])


# --- roles and down files ---


def read_role(tx: Connection, name: str) -> bytes:
    """The signed bytes of a role as it stands."""
    return bytes(tx.execute(statements.ROLE_CONTENT, {"name": name}).scalar_one())


def role_version(tx: Connection, name: str) -> int:
    """The version of a role as it stands."""
    return int(tx.execute(statements.ROLE_VERSION, {"name": name}).scalar_one())


def roles_expiring(tx: Connection, spans: Sequence[Span], limit: int) -> list[str]:
    """Roles (with their bins) whose signatures end outside the span for their name, soonest first."""
    times = {f"before_{place}": span.before for place, span in enumerate(spans)}
    times |= {f"after_{place}": span.after for place, span in enumerate(spans)}
    statement = statements.roles_expiring(tuple(span.names for span in spans))
    return list(tx.execute(statement, times | {"limit": limit}).scalars())


def store_role(tx: Connection, *, name: str, version: int, content: bytes, expires_at: datetime) -> None:
    """Replaces a role's signed bytes."""
    values = {"version": version, "content": content, "expires_at": expires_at}
    if tx.execute(statements.SET_ROLE, {"of": name, **values}).rowcount == 0:
        tx.execute(statements.ADD_ROLE, {"name": name, **values})


def store_down_file(tx: Connection, path: str, content: bytes) -> None:
    """A file that the box is to hold; it is written after this is committed. One that was unnamed is named again."""
    values = {"content": content, "written_at": None, "unnamed_since": None}
    if tx.execute(statements.SET_DOWN_FILE, {"of": path, **values}).rowcount == 0:
        tx.execute(statements.ADD_DOWN_FILE, {"path": path, **values})


def name_again(tx: Connection, path: str) -> None:
    """Records that published metadata names a file again."""
    table = schema.down_file
    tx.execute(update(table).where(table.c.path == path, table.c.unnamed_since.is_not(None)).values(unnamed_since=None))


def all_down_paths(tx: Connection) -> set[str]:
    """The paths of all down files that the site knows."""
    return set(tx.execute(select(schema.down_file.c.path)).scalars())


def set_unnamed(tx: Connection, paths: Iterable[str], now: datetime) -> None:
    """Records that no published metadata names these files any more."""
    rows = [{"of": path, "unnamed_since": now} for path in paths]
    if rows:
        tx.execute(statements.SET_UNNAMED, rows)


def down_paths_of(tx: Connection, prefix: str, suffix: str) -> list[str]:
    """Paths of named down files that begin and end so."""
    # 36**4 ids have no character that LIKE treats as a pattern, so plain prefixes and suffixes are enough.
    return list(tx.execute(statements.NAMED_LIKE, {"pattern": f"{prefix}%{suffix}"}).scalars())


def down_file(tx: Connection, path: str) -> bytes | None:
    """The bytes of a down file, or None."""
    content = tx.execute(statements.DOWN_FILE, {"path": path}).scalar()
    return None if content is None else bytes(content)


def unwritten(tx: Connection) -> list[tuple[str, bytes]]:
    """Down files that are not yet seen in the box."""
    return [(path, bytes(content)) for path, content in tx.execute(statements.UNWRITTEN)]


def set_written(tx: Connection, paths: Sequence[str], now: datetime) -> None:
    """Records that these files lie in the box."""
    if paths:
        tx.execute(statements.SET_DOWN_FILE, [{"of": path, "written_at": now} for path in paths])


def written_after(tx: Connection, path: str, limit: int) -> list[tuple[str, bytes]]:
    """Written down files in order of their paths, after one: a slice for the audit."""
    return [(path, bytes(content)) for path, content in tx.execute(statements.WRITTEN_AFTER, {"after": path, "limit": limit})]


def unnamed_before(tx: Connection, time: datetime, limit: int) -> list[str]:
    """Down files that no metadata has named since before a time."""
    return list(tx.execute(statements.UNNAMED_BEFORE, {"time": time, "limit": limit}).scalars())


def delete_down_files(tx: Connection, paths: Sequence[str]) -> None:
    """Forgets files that were removed from the box."""
    if paths:
        tx.execute(
            delete(schema.down_file).where(schema.down_file.c.path == bindparam("at_path")), [{"at_path": p} for p in paths]
        )


# --- shards ---


def generations(tx: Connection) -> list[Generation]:
    """The generations of shards that stand or are being built, oldest first."""
    return [Generation(*row) for row in tx.execute(statements.GENERATIONS)]


def insert_generation(tx: Connection, *, generation: int, bits: int, announced_at: datetime | None) -> None:
    """A new generation: every one of its shards is wanted."""
    tx.execute(
        insert(schema.shard_generation).values(generation=generation, bits=bits, announced_at=announced_at, superseded_at=None)
    )
    rows = [
        {"generation": generation, "number": number, "publication": 0, "is_wanted": True, "is_written": False}
        for number in range(1 << bits)
    ]
    tx.execute(insert(schema.shard), rows)


def want_generation(tx: Connection, generation: int) -> None:
    """Asks for every shard of a generation anew."""
    tx.execute(update(schema.shard).where(schema.shard.c.generation == generation).values(is_wanted=True))


def keep_lookup_key(tx: Connection, key: str) -> None:
    """Announced generations that the current key signs go on being signed with it when another one becomes current."""
    table = schema.shard_generation
    goes_on = and_(table.c.lookup_key == "", table.c.announced_at.is_not(None))
    tx.execute(update(table).where(goes_on).values(lookup_key=key))


def announce_generation(tx: Connection, generation: int, now: datetime) -> None:
    """Makes a generation the one that settings name; those before it are superseded."""
    table = schema.shard_generation
    tx.execute(update(table).where(table.c.generation == generation).values(announced_at=now))
    tx.execute(update(table).where(table.c.generation < generation, table.c.superseded_at.is_(None)).values(superseded_at=now))


def shard_numbers(tx: Connection, generation: int) -> list[int]:
    """The numbers of the shards of a generation."""
    return list(tx.execute(select(schema.shard.c.number).where(schema.shard.c.generation == generation)).scalars())


def delete_generation(tx: Connection, generation: int) -> None:
    """Forgets a superseded generation whose shards were removed from the box."""
    tx.execute(delete(schema.shard).where(schema.shard.c.generation == generation))
    tx.execute(delete(schema.shard_generation).where(schema.shard_generation.c.generation == generation))


def highest_client_number(tx: Connection) -> int:
    """The highest number ever given to a client: at least as many as there are."""
    return int(tx.execute(statements.HIGHEST_CLIENT).scalar_one())


def unfinished_generations(tx: Connection) -> frozenset[int]:
    """Generations of which a shard is not yet in the box as it is to be."""
    return frozenset(tx.execute(statements.UNFINISHED).scalars())


def wanted_shards(tx: Connection, generation: int, limit: int) -> list[int]:
    """The numbers of the shards of a generation to publish anew, in order."""
    return list(tx.execute(statements.WANTED_SHARDS, {"generation": generation, "limit": limit}).scalars())


def want_expiring_shards(tx: Connection, *, before: datetime, after: datetime, limit: int) -> int:
    """Asks for shards anew whose signatures end before one time or after another. Shape: how many."""
    rows = tx.execute(statements.EXPIRING_SHARDS, {"before": before, "after": after, "limit": limit}).all()
    if rows:
        tx.execute(statements.SET_SHARD, [{"of": row[0], "no": row[1], "is_wanted": True} for row in rows])
    return len(rows)


def clients_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[ShardClient]:
    """Clients whose shard keys lie in any of these half-open ranges; those that were removed are told to join again."""
    return [ShardClient(*row) for row in tx.execute(statements.clients_between(len(ranges)), _ends_of(ranges))]


def named_collections_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, CollectionId]]:
    """Collections that say something, by member. Shape: (client number, collection), in order."""
    rows = tx.execute(statements.named_collections_between(len(ranges)), _ends_of(ranges))
    return [(client, CollectionId(collection)) for client, collection in rows]


def refusals_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, ClientId, str, int]]:
    """Refused machines. Shape: (shard key, client id, reason, sequence of the item refused)."""
    rows = tx.execute(statements.refusals_between(len(ranges)), _ends_of(ranges))
    return [(row[0], ClientId(row[1]), row[2], row[3]) for row in rows]


def _ends_of(ranges: Sequence[tuple[int, int]]) -> dict[str, int]:
    lows = {f"low_{place}": low for place, (low, _) in enumerate(ranges)}
    return lows | {f"high_{place}": high for place, (_, high) in enumerate(ranges)}


def store_shards(tx: Connection, shards: Sequence[StoredShard]) -> None:
    """Replaces signed shards; they are written after this is committed."""
    rows = [
        {
            "of": shard.generation,
            "no": shard.number,
            "content": shard.content,
            "publication": shard.publication,
            "expires_at": shard.expires_at,
            "is_wanted": False,
            "is_written": False,
        }
        for shard in shards
    ]
    if rows:
        tx.execute(statements.SET_SHARD, rows)


def unwritten_shards(tx: Connection, limit: int) -> list[tuple[int, int, bytes]]:
    """Signed shards that are not yet seen in the box. Shape: (generation, number, content)."""
    return [(row[0], row[1], bytes(row[2])) for row in tx.execute(statements.UNWRITTEN_SHARDS, {"limit": limit})]


def set_shards_written(tx: Connection, places: Sequence[tuple[int, int]]) -> None:
    """Records that these shards lie in the box."""
    if places:
        rows = [{"of": generation, "no": number, "is_written": True} for generation, number in places]
        tx.execute(statements.SET_SHARD, rows)


def shards_after(tx: Connection, place: tuple[int, int], limit: int) -> list[tuple[int, int, bytes]]:
    """Written shards in order, after one: a slice for the audit."""
    given = {"generation": place[0], "number": place[1], "limit": limit}
    return [(row[0], row[1], bytes(row[2])) for row in tx.execute(statements.SHARDS_AFTER, given)]


# --- what deletions and clients rely on ---


def set_snapshot_of_leaving(tx: Connection, package: PackageId, snapshot: int) -> None:
    """Records the first snapshot that says that a package is to be removed, or is gone."""
    table = schema.package
    tx.execute(
        update(table)
        .where(table.c.id == package)
        .values(
            removing_snapshot=case(
                (and_(table.c.state == "removing", table.c.removing_snapshot.is_(None)), snapshot),
                else_=table.c.removing_snapshot,
            ),
            retired_snapshot=case(
                (and_(table.c.state == "retiring", table.c.retired_snapshot.is_(None)), snapshot), else_=table.c.retired_snapshot
            ),
        )
    )


def highest_numbers(tx: Connection) -> dict[str, int]:
    """The highest number ever given, by hashed role."""
    values = {row.kind: row.value for row in tx.execute(select(schema.counter.c.kind, schema.counter.c.value))}
    return {"packages": int(values.get("package", 0)), "offers": int(values.get("collection", 0))}
