"""What machines are told that the site does not take: why, until they join or it is forgotten. A bounded number of them.

Written by `receive`; read by `publish`, which tells it in the shard.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from purveyor.site_server.database import schema, statements, wanted
from purveyor.site_server.database.slices import slices
from purveyor.wire.ids import ClientId

REFUSALS_KEPT = 10_000
_COUNT = select(func.count()).select_from(schema.refusal)
_IN_ORDER = select(schema.refusal.c.client_id).order_by(schema.refusal.c.at, schema.refusal.c.client_id)
_OLDEST = _IN_ORDER.limit(statements.LIMIT)
_OLDEST_BEFORE = _OLDEST.where(schema.refusal.c.at < bindparam("before"))


class Refused(NamedTuple):
    """A machine that is told why it is not taken. `sequence`: what it may consider received."""

    id: ClientId
    reason: str
    name: str
    sequence: int


def store(tx: Connection, refused: Iterable[Refused], now: datetime) -> int:
    """Says to these machines why they are not taken; what each was told before is replaced. Shape: how many hear news."""
    rows = {one.id: one for one in refused}
    table = schema.refusal
    told: dict[str, tuple[str, int]] = {}
    for part in slices(rows):
        statement = select(table.c.client_id, table.c.reason, table.c.sequence).where(table.c.client_id.in_(part))
        told.update({row[0]: (row[1], row[2]) for row in tx.execute(statement)})
    new = [one for one in rows.values() if told.get(one.id) != (one.reason, one.sequence)]
    _delete(tx, [one.id for one in new])
    values = [
        {
            "client_id": one.id,
            "shard_key": int(one.id[:8], 16),
            "reason": one.reason,
            "name": one.name,
            "sequence": one.sequence,
            "at": now,
        }
        for one in new
    ]
    if values:
        tx.execute(insert(table), values)
    for one in new:
        wanted.want_shard_of(tx, one.id)
    return len(new)


def take_back(tx: Connection, ids: Collection[ClientId]) -> None:
    """Takes back what these machines were told, as they are known now."""
    _delete(tx, ids)


def drop_old(tx: Connection, *, before: datetime, limit: int) -> int:
    """Forgets refusals from before a time, and the oldest ones above REFUSALS_KEPT; at most `limit`. Shape: how many."""
    count = int(tx.execute(_COUNT).scalar_one())
    old = list(tx.execute(_OLDEST_BEFORE, {"before": before, "limit": limit}).scalars()) if count else []
    surplus = min(count - REFUSALS_KEPT, limit)
    if surplus > len(old):
        old = list(tx.execute(_OLDEST, {"limit": surplus}).scalars())
    _delete(tx, old)
    for name in old:
        wanted.want_shard_of(tx, ClientId(name))
    return len(old)


def _delete(tx: Connection, ids: Collection[str]) -> None:
    for part in slices(ids):
        tx.execute(delete(schema.refusal).where(schema.refusal.c.client_id.in_(part)))
