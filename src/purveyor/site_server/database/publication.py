"""What is published and what must be: roles, down files, shards. Read and written by `publish` alone."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)

from purveyor.site_server.database import schema
from purveyor.site_server.database.wanted import Kind
from purveyor.wire.ids import ClientId, CollectionId, PackageId, SiteCode

FOREVER = datetime.max.replace(tzinfo=UTC)


class Want(NamedTuple):
    """Something to publish anew, and the revision that was asked for."""

    kind: Kind
    key: str
    revision: int


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
    keeper: str = ""
    refused_first: int = 0
    refused_last: int = 0


class StoredShard(NamedTuple):
    """A signed shard. Shape: one row of the table."""

    generation: int
    number: int
    content: bytes
    publication: int
    expires_at: datetime


# --- what every turn asks: made once, since making a question costs as much as its answer ---

_LIMIT = bindparam("limit", type_=Integer)
_UNMET = (
    select(schema.wanted.c.kind, schema.wanted.c.key, schema.wanted.c.wanted)
    .where(schema.wanted.c.wanted != schema.wanted.c.published)
    .limit(_LIMIT)
)
_ROLE_CONTENT = select(schema.role.c.content).where(schema.role.c.name == bindparam("name"))
_ROLE_VERSION = select(schema.role.c.version).where(schema.role.c.name == bindparam("name"))
_DOWN_FILE = select(schema.down_file.c.content).where(schema.down_file.c.path == bindparam("path"))
_UNWRITTEN = select(schema.down_file.c.path, schema.down_file.c.content).where(schema.down_file.c.written_at.is_(None))
_UNNAMED_BEFORE = select(schema.down_file.c.path).where(schema.down_file.c.unnamed_since < bindparam("time")).limit(_LIMIT)
_GENERATIONS = select(
    schema.shard_generation.c.generation,
    schema.shard_generation.c.bits,
    schema.shard_generation.c.announced_at,
    schema.shard_generation.c.superseded_at,
    schema.shard_generation.c.lookup_key,
).order_by(schema.shard_generation.c.generation)
_HIGHEST_CLIENT = select(func.coalesce(func.max(schema.client.c.number), 0))
_UNFINISHED = union(
    select(schema.shard.c.generation).where(schema.shard.c.is_wanted),
    select(schema.shard.c.generation).where(schema.shard.c.is_written.is_(False)),
)
_WANTED_SHARDS = (
    select(schema.shard.c.number)
    .where(schema.shard.c.generation == bindparam("generation"), schema.shard.c.is_wanted)
    .order_by(schema.shard.c.number)
    .limit(_LIMIT)
)
_EXPIRING_SHARDS = (
    select(schema.shard.c.generation, schema.shard.c.number)
    .where(
        or_(schema.shard.c.expires_at < bindparam("before"), schema.shard.c.expires_at > bindparam("after")),
        schema.shard.c.is_wanted.is_(False),
    )
    .limit(_LIMIT)
)
_UNWRITTEN_SHARDS = (
    select(schema.shard.c.generation, schema.shard.c.number, schema.shard.c.content)
    .where(schema.shard.c.is_written.is_(False), schema.shard.c.content.is_not(None))
    .limit(_LIMIT)
)


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
    return int(tx.execute(select(schema.site.c.publication)).scalar_one())


def next_publication(tx: Connection) -> int:
    """Raises the publication number, and gives it."""
    tx.execute(update(schema.site).values(publication=schema.site.c.publication + 1))
    return publication_of(tx)


# --- what is wanted ---


def unmet(tx: Connection, limit: int) -> list[Want]:
    """What is to be published anew, at most `limit`."""
    return [Want(Kind(kind), key, revision) for kind, key, revision in tx.execute(_UNMET, {"limit": limit})]


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
    return bytes(tx.execute(_ROLE_CONTENT, {"name": name}).scalar_one())


def role_version(tx: Connection, name: str) -> int:
    """The version of a role as it stands."""
    return int(tx.execute(_ROLE_VERSION, {"name": name}).scalar_one())


def roles_expiring(tx: Connection, ends: Mapping[str, tuple[datetime, datetime]], limit: int) -> list[str]:
    """Roles (with their bins) whose signatures end before the first time or after the second of their name, soonest first."""
    times = {f"before_{place}": before for place, (before, _) in enumerate(ends.values())}
    times |= {f"after_{place}": after for place, (_, after) in enumerate(ends.values())}
    return list(tx.execute(_expiring(tuple(ends)), times | {"limit": limit}).scalars())


@cache
def _expiring(names: tuple[str, ...]) -> Select[str]:
    name, ends_at = schema.role.c.name, schema.role.c.expires_at
    due = (
        and_(
            or_(name == role, name.like(f"{role}-%")),
            or_(ends_at < bindparam(f"before_{place}"), ends_at > bindparam(f"after_{place}")),
        )
        for place, role in enumerate(names)
    )
    return select(name).where(or_(*due)).order_by(ends_at).limit(_LIMIT)


def store_role(tx: Connection, *, name: str, version: int, content: bytes, expires_at: datetime) -> None:
    """Replaces a role's signed bytes."""
    changed = tx.execute(
        update(schema.role).where(schema.role.c.name == name).values(version=version, content=content, expires_at=expires_at)
    )
    if changed.rowcount == 0:
        tx.execute(insert(schema.role).values(name=name, version=version, content=content, expires_at=expires_at))


def store_down_file(tx: Connection, path: str, content: bytes) -> None:
    """A file that the box is to hold; it is written after this is committed. One that was unnamed is named again."""
    values = {"content": content, "written_at": None, "unnamed_since": None}
    changed = tx.execute(update(schema.down_file).where(schema.down_file.c.path == path).values(**values))
    if changed.rowcount == 0:
        tx.execute(insert(schema.down_file).values(path=path, **values))


def name_again(tx: Connection, path: str) -> None:
    """Records that published metadata names a file again."""
    table = schema.down_file
    tx.execute(update(table).where(table.c.path == path, table.c.unnamed_since.is_not(None)).values(unnamed_since=None))


def all_down_paths(tx: Connection) -> set[str]:
    """The paths of all down files that the site knows."""
    return set(tx.execute(select(schema.down_file.c.path)).scalars())


def set_unnamed(tx: Connection, paths: Iterable[str], now: datetime) -> None:
    """Records that no published metadata names these files any more."""
    rows = [{"at_path": path, "since": now} for path in paths]
    if rows:
        table = schema.down_file
        still_named = and_(table.c.path == bindparam("at_path"), table.c.unnamed_since.is_(None))
        tx.execute(update(table).where(still_named).values(unnamed_since=bindparam("since")), rows)


def down_paths_of(tx: Connection, prefix: str, suffix: str) -> list[str]:
    """Paths of named down files that begin and end so."""
    table = schema.down_file
    # 36**4 ids have no character that LIKE treats as a pattern, so plain prefixes and suffixes are enough.
    statement = select(table.c.path).where(table.c.path.like(f"{prefix}%{suffix}"), table.c.unnamed_since.is_(None))
    return list(tx.execute(statement).scalars())


def down_file(tx: Connection, path: str) -> bytes | None:
    """The bytes of a down file, or None."""
    content = tx.execute(_DOWN_FILE, {"path": path}).scalar()
    return None if content is None else bytes(content)


def unwritten(tx: Connection) -> list[tuple[str, bytes]]:
    """Down files that are not yet seen in the box."""
    return [(path, bytes(content)) for path, content in tx.execute(_UNWRITTEN)]


def set_written(tx: Connection, paths: Sequence[str], now: datetime) -> None:
    """Records that these files lie in the box."""
    if paths:
        statement = update(schema.down_file).where(schema.down_file.c.path == bindparam("at_path")).values(written_at=now)
        tx.execute(statement, [{"at_path": path} for path in paths])


def written_after(tx: Connection, path: str, limit: int) -> list[tuple[str, bytes]]:
    """Written down files in order of their paths, after one: a slice for the audit."""
    table = schema.down_file
    statement = select(table.c.path, table.c.content).where(table.c.path > path, table.c.written_at.is_not(None))
    return [(row.path, bytes(row.content)) for row in tx.execute(statement.order_by(table.c.path).limit(limit))]


def unnamed_before(tx: Connection, time: datetime, limit: int) -> list[str]:
    """Down files that no metadata has named since before a time."""
    return list(tx.execute(_UNNAMED_BEFORE, {"time": time, "limit": limit}).scalars())


def delete_down_files(tx: Connection, paths: Sequence[str]) -> None:
    """Forgets files that were removed from the box."""
    if paths:
        tx.execute(
            delete(schema.down_file).where(schema.down_file.c.path == bindparam("at_path")), [{"at_path": p} for p in paths]
        )


# --- shards ---


def generations(tx: Connection) -> list[Generation]:
    """The generations of shards that stand or are being built, oldest first."""
    return [Generation(*row) for row in tx.execute(_GENERATIONS)]


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
    return int(tx.execute(_HIGHEST_CLIENT).scalar_one())


def unfinished_generations(tx: Connection) -> frozenset[int]:
    """Generations of which a shard is not yet in the box as it is to be."""
    return frozenset(tx.execute(_UNFINISHED).scalars())


def wanted_shards(tx: Connection, generation: int, limit: int) -> list[int]:
    """The numbers of the shards of a generation to publish anew, in order."""
    return list(tx.execute(_WANTED_SHARDS, {"generation": generation, "limit": limit}).scalars())


def want_expiring_shards(tx: Connection, *, before: datetime, after: datetime, limit: int) -> int:
    """Asks for shards anew whose signatures end before one time or after another. Shape: how many."""
    rows = tx.execute(_EXPIRING_SHARDS, {"before": before, "after": after, "limit": limit}).all()
    if rows:
        table = schema.shard
        where = and_(table.c.generation == bindparam("of"), table.c.number == bindparam("no"))
        tx.execute(update(table).where(where).values(is_wanted=True), [{"of": row[0], "no": row[1]} for row in rows])
    return len(rows)


def clients_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[ShardClient]:
    """Clients whose shard keys lie in any of these half-open ranges; those that were removed are told to join again."""
    table = schema.client
    lies_in = or_(*(and_(table.c.shard_key >= low, table.c.shard_key < high) for low, high in ranges))
    told = (table.c.state, table.c.reason, table.c.received, table.c.keeper, table.c.refused_first, table.c.refused_last)
    columns = (table.c.shard_key, table.c.number, table.c.id, *told)
    return [ShardClient(*row) for row in tx.execute(select(*columns).where(lies_in).order_by(table.c.id))]


def named_collections_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, CollectionId]]:
    """Collections that say something, by member. Shape: (client number, collection), in order."""
    member, client, collection = schema.member, schema.client, schema.collection
    lies_in = or_(*(and_(client.c.shard_key >= low, client.c.shard_key < high) for low, high in ranges))
    statement = (
        select(member.c.client, member.c.collection)
        .join(client, client.c.number == member.c.client)
        .join(collection, collection.c.id == member.c.collection)
        .where(lies_in, collection.c.is_named, collection.c.deleted_at.is_(None))
        .order_by(member.c.client, member.c.collection)
    )
    return [(row.client, CollectionId(row.collection)) for row in tx.execute(statement)]


def refusals_between(tx: Connection, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, ClientId, str, int]]:
    """Refused machines. Shape: (shard key, client id, reason, sequence of the item refused)."""
    table = schema.refusal
    lies_in = or_(*(and_(table.c.shard_key >= low, table.c.shard_key < high) for low, high in ranges))
    statement = select(table.c.shard_key, table.c.client_id, table.c.reason, table.c.sequence).where(lies_in)
    return [(row[0], ClientId(row[1]), row[2], row[3]) for row in tx.execute(statement.order_by(table.c.client_id))]


def store_shards(tx: Connection, shards: Sequence[StoredShard]) -> None:
    """Replaces signed shards; they are written after this is committed."""
    if not shards:
        return
    table = schema.shard
    statement = (
        update(table)
        .where(table.c.generation == bindparam("of"), table.c.number == bindparam("no"))
        .values(
            content=bindparam("bytes"),
            publication=bindparam("as_of"),
            expires_at=bindparam("until"),
            is_wanted=False,
            is_written=False,
        )
    )
    tx.execute(
        statement,
        [
            {
                "of": shard.generation,
                "no": shard.number,
                "bytes": shard.content,
                "as_of": shard.publication,
                "until": shard.expires_at,
            }
            for shard in shards
        ],
    )


def unwritten_shards(tx: Connection, limit: int) -> list[tuple[int, int, bytes]]:
    """Signed shards that are not yet seen in the box. Shape: (generation, number, content)."""
    return [(row[0], row[1], bytes(row[2])) for row in tx.execute(_UNWRITTEN_SHARDS, {"limit": limit})]


def set_shards_written(tx: Connection, places: Sequence[tuple[int, int]]) -> None:
    """Records that these shards lie in the box."""
    if places:
        table = schema.shard
        statement = (
            update(table).where(table.c.generation == bindparam("of"), table.c.number == bindparam("no")).values(is_written=True)
        )
        tx.execute(statement, [{"of": generation, "no": number} for generation, number in places])


def shards_after(tx: Connection, place: tuple[int, int], limit: int) -> list[tuple[int, int, bytes]]:
    """Written shards in order, after one: a slice for the audit."""
    table = schema.shard
    after = or_(table.c.generation > place[0], and_(table.c.generation == place[0], table.c.number > place[1]))
    statement = select(table.c.generation, table.c.number, table.c.content).where(after, table.c.is_written)
    return [
        (row[0], row[1], bytes(row[2])) for row in tx.execute(statement.order_by(table.c.generation, table.c.number).limit(limit))
    ]


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
