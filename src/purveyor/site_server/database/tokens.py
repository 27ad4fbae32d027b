"""Tokens of people and programs that administer the site. Only digests are stored."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow


def insert_token(tx: Connection, *, name: str, role: str, digest: str, now: datetime) -> int:
    """A new token; its number."""
    added = tx.execute(
        insert(schema.token).values(name=name, role=role, digest=digest, created_at=now).returning(schema.token.c.id)
    )
    return int(added.scalar_one())


def valid_with_digest(tx: Connection, digest: str) -> AnyRow | None:
    """The token with this digest, unless it was revoked."""
    table = schema.token
    return tx.execute(select(table).where(table.c.digest == digest, table.c.revoked_at.is_(None))).one_or_none()


def set_used(tx: Connection, token: int, *, before: datetime, now: datetime) -> None:
    """Notes that a token was used now, unless it was noted since `before`."""
    table = schema.token
    is_old = or_(table.c.last_used_at.is_(None), table.c.last_used_at < before)
    tx.execute(update(table).where(table.c.id == token, is_old).values(last_used_at=now))


def every(tx: Connection) -> Sequence[AnyRow]:
    """All tokens, revoked ones too, oldest first."""
    return tx.execute(select(schema.token).order_by(schema.token.c.id)).all()


def revoke(tx: Connection, token: int, now: datetime) -> None:
    """Ends a token."""
    tx.execute(update(schema.token).where(schema.token.c.id == token).values(revoked_at=now))
