"""Membership as stored, and brought up to date in the transaction of whatever changes it: it is never stale.

Whole collections are worked out in a few statements each, however many clients there are; one client in the pure model.
Both give the same. Only clients in the state `member` are members of anything.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Select, and_, delete, exists, insert, literal, select, union

from purveyor.site_server.database import collections, offered, schema, wanted
from purveyor.site_server.model.membership import RuleKind, affected_by, collections_of
from purveyor.wire.ids import CollectionId
from purveyor.wire.shards import ClientState


def evaluate(tx: Connection, changed: Iterable[CollectionId], now: datetime) -> None:
    """Brings these collections, and all that include or exclude them, up to date.

    Shards of clients that come to or leave a named collection are wanted; for those that leave, it is kept what they were offered.
    """
    del now
    for collection in affected_by(collections.graph(tx), changed):
        _evaluate_one(tx, collection)


def evaluate_client(tx: Connection, client: int, now: datetime) -> None:
    """Brings one client's membership of everything up to date: it joined, was approved, blocked, named, removed."""
    del now
    member = schema.member
    held = {CollectionId(name) for (name,) in tx.execute(select(member.c.collection).where(member.c.client == client))}
    wanted_now = collections_of(collections.graph(tx), _direct(tx, client)) if _is_member_of_site(tx, client) else frozenset()
    gone, new = held - wanted_now, wanted_now - held
    if not gone and not new:
        return
    named = schema.collection.c.is_named
    said = tx.execute(select(schema.collection.c.id).where(schema.collection.c.id.in_(gone | new), named).limit(1)).first()
    if said is not None:
        wanted.want_shards_of_clients(tx, [client])
    this = select(literal(client).label("client"))
    for collection in sorted(gone):
        offered.remember(tx, collection, this)
    if gone:
        tx.execute(delete(member).where(member.c.client == client, member.c.collection.in_(gone)))
    if new:
        tx.execute(insert(member), [{"collection": collection, "client": client} for collection in sorted(new)])


def clear(tx: Connection, collection: CollectionId) -> None:
    """Takes all members out of a collection that is being deleted, and keeps what they were offered."""
    member = schema.member
    members = select(member.c.client).where(member.c.collection == collection)
    offered.remember(tx, collection, members)
    wanted.want_shards_of_members(tx, collection)
    tx.execute(delete(member).where(member.c.collection == collection))


def _evaluate_one(tx: Connection, collection: CollectionId) -> None:
    member = schema.member
    row = tx.execute(
        select(schema.collection.c.is_all_systems, schema.collection.c.is_named, schema.collection.c.deleted_at).where(
            schema.collection.c.id == collection
        )
    ).one()
    belonging = _belonging(collection, is_all_systems=row.is_all_systems).subquery("belonging")
    there = select(member.c.client).where(member.c.collection == collection).subquery("there")
    new = select(belonging.c.client).where(~exists().where(there.c.client == belonging.c.client))
    gone = select(there.c.client).where(~exists().where(belonging.c.client == there.c.client))
    if row.is_named:
        wanted.want_shards_of_clients_in(tx, new)
        wanted.want_shards_of_clients_in(tx, gone)
    offered.remember(tx, collection, gone)
    tx.execute(delete(member).where(member.c.collection == collection, member.c.client.in_(gone)))
    listed = new.subquery("new")
    tx.execute(
        insert(member).from_select(
            ["collection", "client"], select(literal(str(collection)), listed.c.client).order_by(listed.c.client)
        )
    )


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
    chosen = union(direct, included).subquery("chosen")
    left_out = excluded.subquery("left_out")
    return of_site.join(chosen, chosen.c.client == client.c.number).where(
        ~exists().where(left_out.c.client == client.c.number)
    )


def _direct(tx: Connection, client: int) -> frozenset[CollectionId]:
    rule = schema.collection_rule
    named = tx.execute(select(rule.c.collection).where(rule.c.client == client, rule.c.kind == RuleKind.DIRECT))
    every = tx.execute(select(schema.collection.c.id).where(schema.collection.c.is_all_systems))
    return frozenset(CollectionId(name) for (name,) in (*named, *every))


def _is_member_of_site(tx: Connection, client: int) -> bool:
    state = tx.execute(select(schema.client.c.state).where(schema.client.c.number == client)).scalar_one_or_none()
    return bool(state == ClientState.MEMBER)
