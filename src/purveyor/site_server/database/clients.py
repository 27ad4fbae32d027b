"""Clients, as people ask for them and decide about them. What clients themselves say is stored by `upward`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.slices import slices
from purveyor.wire.ids import ClientId

REMOVED = "removed"
"""The state of a client that an administrator removed: it is known, but is a client no more until it joins again."""


def row_of(tx: Connection, client: ClientId) -> AnyRow | None:
    """The row of a client."""
    return tx.execute(select(schema.client).where(schema.client.c.id == client)).one_or_none()


def ids_named(tx: Connection, name: str, limit: int) -> list[ClientId]:
    """The clients with this name, or those with it letter case aside where none has it exactly; removed ones have none."""
    table = schema.client
    for is_named in (table.c.name == name, func.lower(table.c.name) == name.lower()):
        statement = select(table.c.id).where(is_named, table.c.state != REMOVED).order_by(table.c.id).limit(limit)
        found = [ClientId(one) for one in tx.execute(statement).scalars()]
        if found:
            return found
    return []


def ids_by_name(tx: Connection, names: Iterable[str]) -> dict[str, list[ClientId]]:
    """The clients with exactly these names, by name; names that nobody has are left out."""
    table = schema.client
    found: dict[str, list[ClientId]] = {}
    for part in slices(sorted(set(names))):
        statement = select(table.c.name, table.c.id).where(table.c.name.in_(part), table.c.state != REMOVED).order_by(table.c.id)
        for name, client in tx.execute(statement):
            found.setdefault(name, []).append(ClientId(client))
    return found


def applied_counts(tx: Connection, snapshot: int) -> tuple[int, int]:
    """Members, and how many of them have not said yet that they applied this snapshot or a newer one."""
    table = schema.client
    behind = func.count().filter(table.c.applied < snapshot)
    row = tx.execute(select(func.count(), behind).where(table.c.state == "member")).one()
    return int(row[0]), int(row[1])


def numbers_by_id(tx: Connection, clients: Iterable[ClientId]) -> dict[ClientId, int]:
    """The numbers of those of these clients that the site has and that were not removed."""
    table = schema.client
    found: dict[ClientId, int] = {}
    for part in slices(sorted(set(clients))):
        rows = tx.execute(select(table.c.id, table.c.number).where(table.c.id.in_(part), table.c.state != REMOVED))
        found.update((ClientId(row.id), row.number) for row in rows)
    return found


def listed(
    tx: Connection, *, state: str | None, containing: str, after: str, limit: int, collection: str | None = None
) -> Sequence[AnyRow]:
    """Clients by id, after `after`; removed ones only where that state is asked for."""
    table = schema.client
    statement = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    statement = statement.where(table.c.state == state) if state else statement.where(table.c.state != REMOVED)
    if containing:
        is_like = func.lower(table.c.name).contains(containing.lower(), autoescape=True)
        statement = statement.where(or_(is_like, table.c.id == containing.lower()))
    if collection:
        statement = statement.join(schema.member, schema.member.c.client == table.c.number).where(
            schema.member.c.collection == collection
        )
    return tx.execute(statement).all()


def counts_by_state(tx: Connection) -> dict[str, int]:
    """How many clients there are in each state."""
    table = schema.client
    return {row[0]: row[1] for row in tx.execute(select(table.c.state, func.count()).group_by(table.c.state))}


def collections_of(tx: Connection, client: int) -> Sequence[AnyRow]:
    """`id` and `name` of the collections that a client is a member of."""
    collection, member = schema.collection, schema.member
    return tx.execute(
        select(collection.c.id, collection.c.name)
        .join(member, member.c.collection == collection.c.id)
        .where(member.c.client == client)
        .order_by(collection.c.id)
    ).all()


def is_not_removed(number: ColumnElement[int]) -> ColumnElement[bool]:
    """That this is the number of a client that was not removed: what is left of a removed one is history, and is not counted."""
    client = schema.client
    return number.not_in(select(client.c.number).where(client.c.state == REMOVED))


def set_state(tx: Connection, client: int, state: str, reason: str) -> None:
    """Gives a client another state, and says why."""
    tx.execute(update(schema.client).where(schema.client.c.number == client).values(state=state, reason=reason))


def outlived_clones(tx: Connection, origin: ClientId, *, silent_since: datetime) -> Sequence[AnyRow]:
    """Clients that came with the identity of `origin`, said nothing since then, and whose place was taken.

    Somebody with the same name or on the same machine came in the same way later, and spoke later. Oldest first.
    """
    one, later = schema.client, schema.client.alias("later")
    spoke = func.coalesce(one.c.last_seen_at, one.c.joined_at)
    is_same = or_(later.c.name == one.c.name, and_(one.c.machine != "", later.c.machine == one.c.machine))
    took_its_place = exists().where(
        later.c.was == origin, later.c.number > one.c.number, later.c.state == "member", later.c.last_seen_at > spoke, is_same
    )
    chosen = select(one).where(one.c.was == origin, one.c.state.in_(("member", "waiting")), spoke < silent_since, took_its_place)
    return tx.execute(chosen.order_by(one.c.number)).all()


def forget_fork(tx: Connection, client: int) -> None:
    """The proof that two machines used one identity is settled: whoever speaks with it next is judged anew."""
    settled = {"fork": None, "keeper": "", "voices": "[]"}
    tx.execute(update(schema.client).where(schema.client.c.number == client).values(settled))


def drop_open_holdings(tx: Connection, client: int) -> None:
    """Nothing more is awaited of a client: it is no holder where it has not acknowledged."""
    holder = schema.holder
    tx.execute(delete(holder).where(holder.c.client == client, holder.c.acknowledged_at.is_(None)))
