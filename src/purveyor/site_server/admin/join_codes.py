"""Join codes: what lets a machine join. The secret is shown once; the caller, who knows the root, makes the whole code of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from purveyor.site_server.database import audit, join_codes
from purveyor.wire.errors import RefusedError
from purveyor.wire.join_code import SECRET_BYTES, secret_digest, secret_of

LONGEST_LIFE = timedelta(days=366)
MOST_USES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCodeView:
    """A join code without its secret. `uses_left` is None where any number of machines may join with it."""

    id: int
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    uses_left: int | None
    needs_approval: bool
    clients: int
    is_usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJoinCode:
    """A join code just made: `secret` is the last part of the code (`wire.join_code`)."""

    id: int
    secret: str
    expires_at: datetime | None
    uses: int | None
    needs_approval: bool

    def __repr__(self) -> str:
        return f"NewJoinCode(id={self.id})"


def create(
    tx: Connection,
    *,
    uses: int | None,
    expires_at: datetime | None,
    needs_approval: bool,
    random: bytes,
    by: str,
    now: datetime,
) -> NewJoinCode:
    """A new join code from `wire.join_code.SECRET_BYTES` random bytes.

    Errors: RefusedError when nobody could ever use it, or for too long.
    """
    if len(random) != SECRET_BYTES:
        raise ValueError(f"{SECRET_BYTES} random bytes are needed")
    if uses is not None and not 1 <= uses <= MOST_USES:
        raise RefusedError(f"a join code can be used 1 to {MOST_USES} times, not {uses}")
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        raise RefusedError(f"a join code expires in the future, at most {LONGEST_LIFE.days} days from now")
    secret = secret_of(random)
    number = join_codes.insert_join_code(
        tx,
        digest=secret_digest(secret),
        expires_at=expires_at,
        uses=uses,
        needs_approval=needs_approval,
        by=by,
        now=now,
    )
    detail = {"uses": uses, "expires_at": expires_at, "needs_approval": needs_approval}
    audit.record(tx, by=by, now=now, action="join-code.create", about=str(number), detail=detail)
    return NewJoinCode(id=number, secret=secret, expires_at=expires_at, uses=uses, needs_approval=needs_approval)


def listed(tx: Connection, now: datetime) -> tuple[JoinCodeView, ...]:
    """All join codes, those that are used up or expired too, oldest first."""
    return tuple(
        JoinCodeView(
            id=row.id,
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            uses_left=row.uses_left,
            needs_approval=row.needs_approval,
            clients=row.clients,
            is_usable=_is_usable(row.uses_left, row.expires_at, now),
        )
        for row in join_codes.every(tx)
    )


def revoke(tx: Connection, code: int, *, by: str, now: datetime) -> None:
    """Lets nobody join with a code any more; who joined stays. Errors: RefusedError when it is none, or of no use already."""
    row = join_codes.row_of(tx, code)
    if row is None:
        raise RefusedError(f"there is no join code {code}")
    if not _is_usable(row.uses_left, row.expires_at, now):
        raise RefusedError(f"join code {code} is used up, expired or revoked already")
    join_codes.end(tx, code, now)
    audit.record(tx, by=by, now=now, action="join-code.revoke", about=str(code))


def _is_usable(uses_left: int | None, expires_at: datetime | None, now: datetime) -> bool:
    return uses_left != 0 and (expires_at is None or expires_at > now)
