"""Membership as stored, and brought up to date in the transaction of whatever changes it: it is never stale.

Whole collections are worked out in a few statements each, however many clients there are; one client in the pure model.
Both give the same. Only clients in the state `member` are members of anything.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    delete,
    except_,
    insert,
    literal,
    select,
    union,
)
from sqlalchemy.schema import CreateTable

from purveyor.site_server.database import collections, offered, schema, wanted
from purveyor.site_server.model.membership import Graph, RuleKind, affected_by, collections_of
from purveyor.wire.ids import CollectionId
from purveyor.wire.shards import ClientState

_changed = Table(
    "changed_member",
    MetaData(),
    Column("client", BigInteger, primary_key=True, autoincrement=False),
    Column("is_coming", Boolean(create_constraint=False), nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""Who comes to or leaves the collection that is being brought up to date: worked out once, used by several statements."""

Added = dict[CollectionId, int]
"""How many clients came to each collection that was brought up to date."""


def evaluate(tx: Connection, changed: Iterable[CollectionId], now: datetime) -> Added:
    """Brings these collections, and all that include or exclude them, up to date.

    Shards of clients that come to or leave a named collection are wanted; what those that leave were offered is remembered.
    """
    del now
    return {collection: _evaluate_one(tx, collection) for collection in affected_by(collections.graph(tx), changed)}


def evaluate_clients(tx: Connection, clients: Iterable[int], now: datetime) -> Added:
    """Brings a few clients' membership of everything up to date."""
    del now
    graph = collections.graph(tx)
    added: Added = {}
    for client in sorted(set(clients)):
        for collection in _evaluate_client(tx, client, graph):
            added[collection] = added.get(collection, 0) + 1
    return added


def evaluate_client(tx: Connection, client: int, now: datetime) -> None:
    """Brings one client's membership of everything up to date: it joined, was approved, blocked, named, removed."""
    evaluate_clients(tx, [client], now)


def clear(tx: Connection, collection: CollectionId) -> None:
    """Takes all members out of a collection that is being deleted, and keeps what they were offered."""
    member = schema.member
    members = select(member.c.client).where(member.c.collection == collection)
    offered.remember(tx, collection, members)
    if tx.execute(select(schema.collection.c.is_named).where(schema.collection.c.id == collection)).scalar_one():
        wanted.want_shards_of_members(tx, collection)
    tx.execute(delete(member).where(member.c.collection == collection))


def _evaluate_client(tx: Connection, client: int, graph: Graph) -> frozenset[CollectionId]:
    """Brings one client up to date; the collections that it came to."""
    member = schema.member
    held = {CollectionId(name) for (name,) in tx.execute(select(member.c.collection).where(member.c.client == client))}
    belonging = collections_of(graph, _direct(tx, client)) if _is_member_of_site(tx, client) else frozenset()
    gone, new = held - belonging, belonging - held
    if not gone and not new:
        return new
    named = schema.collection.c.is_named
    said = tx.execute(select(schema.collection.c.id).where(schema.collection.c.id.in_(gone | new), named).limit(1)).first()
    if said is not None:
        wanted.want_shards_of_clients(tx, [client])
    this = select(schema.client.c.number.label("client")).where(schema.client.c.number == client)
    for collection in sorted(gone):
        offered.remember(tx, collection, this)
    if gone:
        tx.execute(delete(member).where(member.c.client == client, member.c.collection.in_(gone)))
    if new:
        tx.execute(insert(member), [{"collection": collection, "client": client} for collection in sorted(new)])
    return new


def _evaluate_one(tx: Connection, collection: CollectionId) -> int:
    """Brings one collection up to date, once those are that it depends on; how many clients came to it."""
    member = schema.member
    row = tx.execute(
        select(schema.collection.c.is_all_systems, schema.collection.c.is_named).where(schema.collection.c.id == collection)
    ).one()
    coming, going = _differences(tx, collection, is_all_systems=row.is_all_systems)
    if row.is_named and (coming or going):
        wanted.want_shards_of_clients_in(tx, select(_changed.c.client))
    if going:
        gone = select(_changed.c.client).where(_changed.c.is_coming.is_(False))
        offered.remember(tx, collection, gone)
        tx.execute(delete(member).where(member.c.collection == collection, member.c.client.in_(gone)))
    if coming:
        new = select(literal(str(collection)), _changed.c.client).where(_changed.c.is_coming).order_by(_changed.c.client)
        tx.execute(insert(member).from_select(["collection", "client"], new))
    return coming


def _differences(tx: Connection, collection: CollectionId, *, is_all_systems: bool) -> tuple[int, int]:
    """Puts into `_changed` who is to come to a collection and who is to leave it; how many each are."""
    tx.execute(CreateTable(_changed, if_not_exists=True))
    tx.execute(delete(_changed))
    member = schema.member
    belonging = _belonging(collection, is_all_systems=is_all_systems)
    there = select(member.c.client).where(member.c.collection == collection)
    counts = []
    for changed, is_coming in ((except_(belonging, there), True), (except_(there, belonging), False)):
        listed = changed.subquery("listed")
        rows = select(listed.c.client, literal(is_coming))
        storing = insert(_changed).from_select(["client", "is_coming"], rows).execution_options(preserve_rowcount=True)
        counts.append(int(tx.execute(storing).rowcount))
    return counts[0], counts[1]


def _belonging(collection: CollectionId, *, is_all_systems: bool) -> Select[int]:
    """Who is to be a member, once the members of all that this collection names are up to date."""
    client, rule, member = schema.client, schema.collection_rule, schema.member
    of_site = select(client.c.number.label("client")).where(client.c.state == ClientState.MEMBER)
    if is_all_systems:
        return of_site
    direct = select(rule.c.client).where(rule.c.collection == collection, rule.c.kind == RuleKind.DIRECT)
    included, excluded = (
        select(member.c.client)
        .join(rule, and_(rule.c.other == member.c.collection, rule.c.kind == kind))
        .where(rule.c.collection == collection)
        for kind in (RuleKind.INCLUDE, RuleKind.EXCLUDE)
    )
    chosen = except_(union(direct, included).subquery("chosen").select(), excluded).subquery("belonging")
    return of_site.join(chosen, chosen.c.client == client.c.number)


def _direct(tx: Connection, client: int) -> frozenset[CollectionId]:
    rule = schema.collection_rule
    named = tx.execute(select(rule.c.collection).where(rule.c.client == client, rule.c.kind == RuleKind.DIRECT))
    every = tx.execute(select(schema.collection.c.id).where(schema.collection.c.is_all_systems))
    return frozenset(CollectionId(name) for (name,) in (*named, *every))


def _is_member_of_site(tx: Connection, client: int) -> bool:
    state = tx.execute(select(schema.client.c.state).where(schema.client.c.number == client)).scalar_one_or_none()
    return bool(state == ClientState.MEMBER)
