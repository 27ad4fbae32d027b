"""Join codes, as stored: digests of their secrets, how often they may still be used and until when."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow


def insert_join_code(
    tx: Connection, *, digest: str, expires_at: datetime | None, uses: int | None, needs_approval: bool, by: str, now: datetime
) -> int:
    """A new join code; its number."""
    table = schema.join_code
    added = tx.execute(
        insert(table)
        .values(
            digest=digest, created_at=now, created_by=by, expires_at=expires_at, uses_left=uses, needs_approval=needs_approval
        )
        .returning(table.c.id)
    )
    return int(added.scalar_one())


def every(tx: Connection) -> Sequence[AnyRow]:
    """All join codes with `clients`, how many clients joined with each; oldest first."""
    table = schema.join_code
    clients = select(func.count()).where(schema.client.c.join_code == table.c.id).scalar_subquery().label("clients")
    return tx.execute(select(table, clients).order_by(table.c.id)).all()


def row_of(tx: Connection, code: int) -> AnyRow | None:
    """The row of a join code."""
    return tx.execute(select(schema.join_code).where(schema.join_code.c.id == code)).one_or_none()


def end(tx: Connection, code: int, now: datetime) -> None:
    """Lets nobody join with this code any more."""
    tx.execute(update(schema.join_code).where(schema.join_code.c.id == code).values(uses_left=0, expires_at=now))
