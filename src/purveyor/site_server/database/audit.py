"""Who changed what, and when: one row a change, in its transaction. Never changed, never deleted."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow

DETAIL_LIMIT = 20_000


def record(
    tx: Connection, *, by: str, now: datetime, action: str, about: str, detail: Mapping[str, object] | None = None
) -> None:
    """Adds what `by` did (`package.delete`) to what (its id), with what was asked. No secret may be in `detail`."""
    asked = msgspec.json.encode({name: value for name, value in (detail or {}).items() if value is not None}).decode()
    if len(asked) > DETAIL_LIMIT:
        asked = msgspec.json.encode({"shortened": asked[: DETAIL_LIMIT // 2]}).decode()
    tx.execute(insert(schema.audit), {"at": now, "actor": by[:100], "action": action, "object": about[:64], "detail": asked})


def recent(tx: Connection, *, about: str, actor: str, before_id: int | None, limit: int) -> Sequence[AnyRow]:
    """The rows before `before_id`, newest first; of one thing or person where one is named."""
    table = schema.audit
    statement = select(table).order_by(table.c.id.desc()).limit(limit)
    if about:
        statement = statement.where(table.c.object == about)
    if actor:
        statement = statement.where(table.c.actor == actor)
    if before_id is not None:
        statement = statement.where(table.c.id < before_id)
    return tx.execute(statement).all()
