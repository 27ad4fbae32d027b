"""What is asked and noted in every turn, as statements made once: to make one costs as much as its answer.

Shape: each takes its values by name where it is executed; an update sets the columns that are given beside `of`.
"""

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, func, insert, or_, select, union, update

from purveyor.site_server.database import schema

RANGES_REMEMBERED = 8
"""Statements for so many counts of ranges: small sites have one or two, large ones need any number up to a slice."""
LIMIT = bindparam("limit", type_=Integer)
UNMET = (
    select(schema.wanted.c.kind, schema.wanted.c.key, schema.wanted.c.wanted)
    .where(schema.wanted.c.wanted != schema.wanted.c.published)
    .limit(LIMIT)
)
ROLE_CONTENT = select(schema.role.c.content).where(schema.role.c.name == bindparam("name"))
ROLE_VERSION = select(schema.role.c.version).where(schema.role.c.name == bindparam("name"))
DOWN_FILE = select(schema.down_file.c.content).where(schema.down_file.c.path == bindparam("path"))
UNWRITTEN = select(schema.down_file.c.path, schema.down_file.c.content).where(schema.down_file.c.written_at.is_(None))
UNNAMED_BEFORE = select(schema.down_file.c.path).where(schema.down_file.c.unnamed_since < bindparam("time")).limit(LIMIT)
GENERATIONS = select(
    schema.shard_generation.c.generation,
    schema.shard_generation.c.bits,
    schema.shard_generation.c.announced_at,
    schema.shard_generation.c.superseded_at,
    schema.shard_generation.c.lookup_key,
).order_by(schema.shard_generation.c.generation)
HIGHEST_CLIENT = select(func.coalesce(func.max(schema.client.c.number), 0))
UNFINISHED = union(
    select(schema.shard.c.generation).where(schema.shard.c.is_wanted.is_(True)),
    select(schema.shard.c.generation).where(schema.shard.c.is_written.is_(False)),
)
WANTED_SHARDS = (
    select(schema.shard.c.number)
    .where(schema.shard.c.generation == bindparam("generation"), schema.shard.c.is_wanted.is_(True))
    .order_by(schema.shard.c.number)
    .limit(LIMIT)
)
EXPIRING_SHARDS = (
    select(schema.shard.c.generation, schema.shard.c.number)
    .where(
        or_(schema.shard.c.expires_at < bindparam("before"), schema.shard.c.expires_at > bindparam("after")),
        schema.shard.c.is_wanted.is_(False),
    )
    .limit(LIMIT)
)
UNWRITTEN_SHARDS = (
    select(schema.shard.c.generation, schema.shard.c.number, schema.shard.c.content)
    .where(schema.shard.c.is_written.is_(False), schema.shard.c.content.is_not(None))
    .limit(LIMIT)
)
SHARDS_AFTER = (
    select(schema.shard.c.generation, schema.shard.c.number, schema.shard.c.content)
    .where(
        or_(
            schema.shard.c.generation > bindparam("generation"),
            and_(schema.shard.c.generation == bindparam("generation"), schema.shard.c.number > bindparam("number")),
        ),
        schema.shard.c.is_written,
    )
    .order_by(schema.shard.c.generation, schema.shard.c.number)
    .limit(LIMIT)
)
SET_SHARD = update(schema.shard).where(schema.shard.c.generation == bindparam("of"), schema.shard.c.number == bindparam("no"))
SET_ROLE, ADD_ROLE = update(schema.role).where(schema.role.c.name == bindparam("of")), insert(schema.role)
SET_DOWN_FILE = update(schema.down_file).where(schema.down_file.c.path == bindparam("of"))
SET_UNNAMED = SET_DOWN_FILE.where(schema.down_file.c.unnamed_since.is_(None))
ADD_DOWN_FILE = insert(schema.down_file)
NAMED_LIKE = select(schema.down_file.c.path).where(
    schema.down_file.c.path.like(bindparam("pattern")), schema.down_file.c.unnamed_since.is_(None)
)
WRITTEN_AFTER = (
    select(schema.down_file.c.path, schema.down_file.c.content)
    .where(schema.down_file.c.path > bindparam("after"), schema.down_file.c.written_at.is_not(None))
    .order_by(schema.down_file.c.path)
    .limit(LIMIT)
)
PUBLICATION = select(schema.site.c.publication)
NEXT_PUBLICATION = update(schema.site).values(publication=schema.site.c.publication + 1)
SETTLED_AT = select(schema.site.c.settled_at)
SET_SITE = update(schema.site)
SETTINGS = select(schema.setting.c.name, schema.setting.c.value)
KEYS = select(
    schema.site_key.c.role,
    schema.site_key.c.id,
    schema.site_key.c.public,
    schema.site_key.c.state,
    schema.site_key.c.since,
    schema.site_key.c.is_here,
).order_by(schema.site_key.c.role, schema.site_key.c.since.desc(), schema.site_key.c.id)


@cache
def roles_expiring(names: tuple[tuple[str, ...], ...]) -> Select[str]:
    """Roles of these names, with their bins, whose signatures end `before_0` or after `after_0`, and so on."""
    name, ends_at = schema.role.c.name, schema.role.c.expires_at
    due = (
        and_(
            or_(*(or_(name == role, name.like(f"{role}-%")) for role in roles)),
            or_(ends_at < bindparam(f"before_{place}"), ends_at > bindparam(f"after_{place}")),
        )
        for place, roles in enumerate(names)
    )
    return select(name).where(or_(*due)).order_by(ends_at).limit(LIMIT)


@cache
def newest_request(states: tuple[str, ...]) -> Select[Any]:
    """The newest signing request in one of these states."""
    table = schema.signing_request
    return select(table).where(or_(*(table.c.state == state for state in states))).order_by(table.c.number.desc()).limit(1)


@lru_cache(maxsize=RANGES_REMEMBERED)
def clients_between(range_count: int) -> Select[Any]:
    """What shards say of the clients in so many ranges of shard keys, from `low_0` up to `high_0`, and so on."""
    table = schema.client
    voices = case((table.c.keeper != "", table.c.voices), else_="[]")
    told = (table.c.state, table.c.reason, table.c.received, table.c.received_digest, table.c.keeper, voices)
    columns = (table.c.shard_key, table.c.number, table.c.id, *told)
    return select(*columns).where(_lies_in(table.c.shard_key, range_count)).order_by(table.c.id)


@lru_cache(maxsize=RANGES_REMEMBERED)
def named_collections_between(range_count: int) -> Select[int, str]:
    """The collections that shards name, for the clients in so many ranges."""
    member, client, collection = schema.member, schema.client, schema.collection
    return (
        select(member.c.client, member.c.collection)
        .join(client, client.c.number == member.c.client)
        .join(collection, collection.c.id == member.c.collection)
        .where(_lies_in(client.c.shard_key, range_count), collection.c.is_named, collection.c.deleted_at.is_(None))
        .order_by(member.c.client, member.c.collection)
    )


@lru_cache(maxsize=RANGES_REMEMBERED)
def refusals_between(range_count: int) -> Select[Any]:
    """The refused machines in so many ranges."""
    table = schema.refusal
    columns = (table.c.shard_key, table.c.client_id, table.c.reason, table.c.sequence)
    return select(*columns).where(_lies_in(table.c.shard_key, range_count)).order_by(table.c.client_id)


def _lies_in(shard_key: ColumnElement[int], range_count: int) -> ColumnElement[bool]:
    return or_(
        *(and_(shard_key >= bindparam(f"low_{place}"), shard_key < bindparam(f"high_{place}")) for place in range(range_count))
    )
