"""Tokens: who may administer the site over the REST API. A token is shown once, when it is made; only its digest is kept."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from purveyor.site_server.database import audit, tokens
from purveyor.site_server.model.names import name_of
from purveyor.wire.errors import NotAllowedError, RefusedError
from purveyor.wire.moments import utc_text

SECRET_BYTES = 32
_PREFIX = "pvt_"
_USE_NOTED_EVERY = timedelta(minutes=5)


class Role(StrEnum):
    """What the bearer of a token may do."""

    ADMIN = "admin"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token without its secret."""

    id: int
    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token just made: `secret` is what its bearer presents."""

    id: int
    name: str
    role: Role
    secret: str

    def __repr__(self) -> str:
        return f"NewToken(id={self.id}, name={self.name!r}, role={self.role!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks: the name stands in the audit."""

    token: int
    name: str
    role: Role

    @property
    def may_change(self) -> bool:
        """Whether this actor may change anything."""
        return self.role is Role.ADMIN


def create(tx: Connection, *, name: str, role: Role, random: bytes, by: str, now: datetime) -> NewToken:
    """A new token from SECRET_BYTES random bytes. Errors: RefusedError when the name is taken or none."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"{SECRET_BYTES} random bytes are needed")
    name = name_of(name, "a token", 100)
    if any(row.name.casefold() == name.casefold() and row.revoked_at is None for row in tokens.every(tx)):
        raise RefusedError(f"there is a token {name!r} already: revoke it, or choose another name")
    secret = _PREFIX + base64.urlsafe_b64encode(random).decode().rstrip("=")
    number = tokens.insert_token(tx, name=name, role=role, digest=_digest(secret), now=now)
    audit.record(tx, by=by, now=now, action="token.create", about=str(number), detail={"name": name, "role": role})
    return NewToken(id=number, name=name, role=role, secret=secret)


def listed(tx: Connection) -> tuple[TokenView, ...]:
    """All tokens, revoked ones too, oldest first."""
    return tuple(
        TokenView(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )
        for row in tokens.every(tx)
    )


def revoke(tx: Connection, token: int, *, by: str, now: datetime) -> None:
    """Ends a token at once. Errors: RefusedError: there is none, it was revoked, or nobody could administer the site after it."""
    views = {view.id: view for view in listed(tx)}
    view = views.get(token)
    if view is None:
        raise RefusedError(f"there is no token {token}")
    if view.revoked_at is not None:
        raise RefusedError(f"token {token} ({view.name}) was revoked already, at {utc_text(view.revoked_at)}")
    others = [other for other in views.values() if other.revoked_at is None and other.role is Role.ADMIN and other.id != token]
    if view.role is Role.ADMIN and not others:
        raise RefusedError(f"token {token} ({view.name}) is the last with the role admin: create another one first")
    tokens.revoke(tx, token, now)
    audit.record(tx, by=by, now=now, action="token.revoke", about=str(token), detail={"name": view.name})


def authenticate(tx: Connection, presented: str, now: datetime) -> Actor:
    """Who presents this token. Reads only. Errors: NotAllowedError when it is none that holds."""
    del now
    row = tokens.valid_with_digest(tx, _digest(presented)) if presented.isascii() and len(presented) < 200 else None
    if row is None:
        raise NotAllowedError("this token is not valid: it was revoked, or never was one of this site")
    return Actor(token=row.id, name=row.name, role=Role(row.role))


def note_use(tx: Connection, actor: Actor, now: datetime) -> None:
    """Remembers that a token was used, every few minutes at most."""
    tokens.set_used(tx, actor.token, before=now - _USE_NOTED_EVERY, now=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(b"purveyor token " + secret.encode()).hexdigest()
