"""Clients of which several machines use the identity, as stored: who spoke, who keeps it, and which clients came of them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, String, bindparam, case, func, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.slices import slices
from purveyor.site_server.model.clones import Voice
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import ClientId
from purveyor.wire.shards import NOBODY, ClientState


class Origin(NamedTuple):
    """A client whose identity other machines came with. `join_code` is the id of the code with which it joined."""

    id: ClientId
    name: str
    state: str
    keeper: str
    join_code: int | None


class Voiced(NamedTuple):
    """Who spoke with one identity."""

    number: int
    voices: tuple[Voice, ...]


class Cloned(NamedTuple):
    """A client of which it is proved that several machines use its identity."""

    number: int
    keeper: str
    proof: str


def count_from(tx: Connection, client: ClientId) -> int:
    """How many clients came with the identity of this one."""
    return int(tx.execute(select(func.count()).select_from(schema.client).where(schema.client.c.was == client)).scalar_one())


def set_voices(tx: Connection, clients: Sequence[Voiced]) -> None:
    """Records who spoke with these identities."""
    table = schema.client
    statement = update(table).where(table.c.number == bindparam("of")).values(voices=bindparam("heard"))
    if clients:
        tx.execute(statement, [{"of": one.number, "heard": to_bytes(one.voices).decode()} for one in clients])


def set_cloned(tx: Connection, clients: Sequence[Cloned]) -> None:
    """Records the first proof that several machines use one identity, and who keeps it; where nobody does, all join again."""
    table = schema.client
    statement = (
        update(table)
        .where(table.c.number == bindparam("of"))
        .values(
            keeper=bindparam("kept_by"),
            fork=func.coalesce(table.c.fork, bindparam("proof")),
            state=case((bindparam("kept_by", type_=String) == NOBODY, ClientState.REJOIN.value), else_=table.c.state),
        )
    )
    if clients:
        tx.execute(statement, [{"of": one.number, "kept_by": one.keeper, "proof": one.proof} for one in clients])


def origins(tx: Connection, ids: Collection[ClientId]) -> dict[ClientId, Origin]:
    """Those of these clients that the site knows, as machines that came with their identity are judged."""
    table = schema.client
    found: dict[ClientId, Origin] = {}
    for part in slices(ids):
        columns = (table.c.id, table.c.name, table.c.state, table.c.keeper, table.c.join_code)
        for row in tx.execute(select(*columns).where(table.c.id.in_(part))):
            found[ClientId(row.id)] = Origin(ClientId(row.id), row.name, row.state, row.keeper, row.join_code)
    return found
