"""Collections and their rules, as stored. Who is a member is worked out in `membership`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, literal, or_, select, update

from purveyor.site_server.database import counters, schema, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.membership import Graph, Links, RuleKind
from purveyor.wire.ids import CollectionId, SiteCode, collection_id_of

ALL_SYSTEMS = "All Systems"
CHUNK = 5000
"""How many ids one statement names at most: SQLite takes 32,766 parameters."""


def insert_all_systems(tx: Connection, site_code: SiteCode, now: datetime) -> CollectionId:
    """The new collection of all members of the site; made once, with the site. It speaks from the start."""
    collection = insert_collection(tx, site_code, ALL_SYSTEMS, now, is_all_systems=True)
    wanted.want_offers(tx, collection)
    return collection


def insert_collection(
    tx: Connection, site_code: SiteCode, name: str, now: datetime, *, is_all_systems: bool = False
) -> CollectionId:
    """A new collection without rules."""
    collection = collection_id_of(site_code, counters.next_number(tx, counters.COLLECTION))
    tx.execute(
        insert(schema.collection).values(
            id=collection, name=name, is_all_systems=is_all_systems, is_named=is_all_systems, created_at=now, deleted_at=None
        )
    )
    return collection


def all_systems(tx: Connection) -> CollectionId:
    """The id of All Systems."""
    return CollectionId(tx.execute(select(schema.collection.c.id).where(schema.collection.c.is_all_systems)).scalar_one())


def row_of(tx: Connection, collection: CollectionId) -> AnyRow | None:
    """The row of a collection, deleted or not."""
    return tx.execute(select(schema.collection).where(schema.collection.c.id == collection)).one_or_none()


def id_named(tx: Connection, name: str) -> CollectionId | None:
    """The standing collection with this name, letter case aside."""
    found = tx.execute(
        select(schema.collection.c.id).where(
            func.lower(schema.collection.c.name) == name.lower(), schema.collection.c.deleted_at.is_(None)
        )
    ).scalar_one_or_none()
    return None if found is None else CollectionId(found)


def standing(tx: Connection) -> Sequence[AnyRow]:
    """All standing collections with `members` and `advertisements`, how many they have; by id."""
    collection = schema.collection
    return tx.execute(_with_counts().where(collection.c.deleted_at.is_(None)).order_by(collection.c.id)).all()


def counted(tx: Connection, collection: CollectionId) -> AnyRow | None:
    """The row of a standing collection with `members` and `advertisements`, how many it has."""
    return tx.execute(
        _with_counts().where(schema.collection.c.id == collection, schema.collection.c.deleted_at.is_(None))
    ).one_or_none()


def member_count(tx: Connection, collection: CollectionId) -> int:
    """How many members a collection has."""
    return int(
        tx.execute(select(func.count()).select_from(schema.member).where(schema.member.c.collection == collection)).scalar_one()
    )


def rename(tx: Connection, collection: CollectionId, name: str) -> None:
    """Gives a collection another name."""
    tx.execute(update(schema.collection).where(schema.collection.c.id == collection).values(name=name))


def mark_named(tx: Connection, collection: CollectionId) -> bool:
    """Lets shards name a collection from now on; whether this is new."""
    changed = tx.execute(
        update(schema.collection)
        .where(schema.collection.c.id == collection, schema.collection.c.is_named.is_(False))
        .values(is_named=True)
    )
    return changed.rowcount == 1


def mark_deleted(tx: Connection, collection: CollectionId, now: datetime) -> None:
    """Takes a collection out of use: its rules go, and rules that name it."""
    rule = schema.collection_rule
    tx.execute(delete(rule).where(or_(rule.c.collection == collection, rule.c.other == collection)))
    tx.execute(update(schema.collection).where(schema.collection.c.id == collection).values(deleted_at=now))


def graph(tx: Connection) -> Graph:
    """Which collections every collection includes and excludes."""
    rule = schema.collection_rule
    links: dict[CollectionId, tuple[set[CollectionId], set[CollectionId]]] = {}
    names_another = rule.c.other > ""  # an index finds these among a million direct rules
    rows = tx.execute(select(rule.c.collection, rule.c.kind, rule.c.other).where(names_another))
    for collection, kind, other in rows:
        sets = links.setdefault(CollectionId(collection), (set(), set()))
        sets[kind == RuleKind.EXCLUDE].add(CollectionId(other))
    return {collection: Links(frozenset(sets[0]), frozenset(sets[1])) for collection, sets in links.items()}


def names_of(tx: Connection, chosen: Iterable[CollectionId]) -> dict[CollectionId, str]:
    """The names of these collections, by id."""
    table = schema.collection
    rows = tx.execute(select(table.c.id, table.c.name).where(table.c.id.in_(sorted(chosen))).order_by(table.c.id))
    return {CollectionId(row.id): row.name for row in rows}


def naming(tx: Connection, collection: CollectionId) -> list[CollectionId]:
    """The collections that include or exclude this one."""
    rule = schema.collection_rule
    found = tx.execute(select(rule.c.collection).distinct().where(rule.c.other == collection).order_by(rule.c.collection))
    return [CollectionId(name) for (name,) in found]


def direct_members(tx: Connection, collection: CollectionId, limit: int) -> Sequence[AnyRow]:
    """`id`, `name` and `state` of the clients that a collection names directly, by name, at most `limit`."""
    rule, client = schema.collection_rule, schema.client
    return tx.execute(
        select(client.c.id, client.c.name, client.c.state)
        .join(rule, rule.c.client == client.c.number)
        .where(rule.c.collection == collection)
        .order_by(client.c.name, client.c.id)
        .limit(limit)
    ).all()


def add_direct(tx: Connection, collection: CollectionId, clients: Iterable[int]) -> None:
    """Names these clients directly; those that are named already stay named once."""
    rule, client = schema.collection_rule, schema.client
    numbers = sorted(set(clients))
    named = select(literal(1)).where(rule.c.collection == collection, rule.c.client == client.c.number).exists()
    for start in range(0, len(numbers), CHUNK):
        chosen = (
            select(literal(str(collection)), literal(RuleKind.DIRECT.value), client.c.number)
            .where(client.c.number.in_(numbers[start : start + CHUNK]), ~named)
            .order_by(client.c.number)
        )
        tx.execute(insert(rule).from_select(["collection", "kind", "client"], chosen))


def remove_direct(tx: Connection, collection: CollectionId, clients: Iterable[int]) -> None:
    """Names these clients no longer."""
    rule = schema.collection_rule
    numbers = sorted(set(clients))
    for start in range(0, len(numbers), CHUNK):
        tx.execute(delete(rule).where(rule.c.collection == collection, rule.c.client.in_(numbers[start : start + CHUNK])))


def replace_links(tx: Connection, collection: CollectionId, links: Links) -> None:
    """Sets which collections this one includes and excludes."""
    rule = schema.collection_rule
    tx.execute(delete(rule).where(rule.c.collection == collection, rule.c.other > ""))
    rows = [{"collection": collection, "kind": RuleKind.INCLUDE, "other": other} for other in sorted(links.includes)]
    rows += [{"collection": collection, "kind": RuleKind.EXCLUDE, "other": other} for other in sorted(links.excludes)]
    if rows:
        tx.execute(insert(rule), rows)


def forget_client(tx: Connection, client: int) -> None:
    """No collection names this client any more."""
    tx.execute(delete(schema.collection_rule).where(schema.collection_rule.c.client == client))


def _with_counts() -> Select[*tuple[Any, ...]]:
    collection, member, advertisement = schema.collection, schema.member, schema.advertisement
    members = select(func.count()).where(member.c.collection == collection.c.id).scalar_subquery().label("members")
    advertisements = (
        select(func.count())
        .where(advertisement.c.collection == collection.c.id, advertisement.c.deleted_at.is_(None))
        .scalar_subquery()
        .label("advertisements")
    )
    return select(collection, members, advertisements)
