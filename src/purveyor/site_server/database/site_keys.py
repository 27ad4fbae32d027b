"""Which key of each role counts, since when, and what waits to be signed elsewhere. Private halves are never in the database."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, insert, select, tuple_, update

from purveyor.site_server.database import schema, statements
from purveyor.site_server.database.publication import Want
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.wanted import Kind
from purveyor.wire.ids import PackageId
from purveyor.wire.moments import utc_text


class KeyState(StrEnum):
    """What a key is to its role; the comment says what becomes of its private half."""

    NEXT = "next"  # signs nothing before metadata names it
    CURRENT = "current"  # signs
    FORMER = "former"  # still opens old seals, or signs an old generation of shards
    RETIRED = "retired"  # is destroyed


class RequestState(StrEnum):
    """Where a signing request stands."""

    OPEN = "open"
    SIGNED = "signed"
    PUBLISHED = "published"
    DROPPED = "dropped"


class SiteKey(NamedTuple):
    """One key. `public` is raw, in hexadecimal."""

    role: str
    id: str
    public: str
    state: KeyState
    since: datetime
    is_here: bool


class StoredRequest(NamedTuple):
    """A signing request. Shape: `signatures` by role, then by public key."""

    number: int
    state: RequestState
    content: bytes
    wants: list[Want]
    signatures: dict[str, dict[str, str]]
    made_at: datetime
    made_by: str


# --- keys ---


def all_keys(tx: Connection) -> list[SiteKey]:
    """Every key that was ever in use or is to be, newest state first within each role."""
    return [
        SiteKey(role, key, public, KeyState(state), since, here)
        for role, key, public, state, since, here in tx.execute(statements.KEYS)
    ]


def keys_in(tx: Connection, *states: KeyState) -> dict[str, SiteKey]:
    """Keys in these states by role; where several are, the one that came into it last."""
    found = sorted((row for row in all_keys(tx) if row.state in states), key=lambda row: (row.since, row.id))
    return {row.role: row for row in found}


def insert_key(tx: Connection, *, role: str, key_id: str, public: str, state: KeyState, is_here: bool, now: datetime) -> None:
    """A key that this site has not had before."""
    tx.execute(insert(schema.site_key).values(role=role, id=key_id, public=public, state=state, since=now, is_here=is_here))


def is_known(tx: Connection, public: str) -> bool:
    """Whether any role ever had this key."""
    return (
        tx.execute(select(func.count()).select_from(schema.site_key).where(schema.site_key.c.public == public)).scalar_one() > 0
    )


def set_state(tx: Connection, role: str, key: str, state: KeyState, now: datetime) -> None:
    """Brings a key into another state."""
    table = schema.site_key
    tx.execute(update(table).where(table.c.role == role, table.c.id == key).values(state=state, since=now))


def note_places(tx: Connection, here: Collection[tuple[str, str]]) -> None:
    """Records which private halves are on the server, and which are not. Shape: role and id of each."""
    table = schema.site_key
    is_in = tuple_(table.c.role, table.c.id).in_(list(here)) if here else table.c.id == ""
    tx.execute(update(table).where(is_in, table.c.is_here.is_(False)).values(is_here=True))
    tx.execute(update(table).where(~is_in, table.c.is_here).values(is_here=False))


def expiries(tx: Connection) -> dict[str, datetime]:
    """When the first piece of each role's metadata expires: its own, or that of one of its bins."""
    found: dict[str, datetime] = {}
    for name, expires_at in tx.execute(select(schema.role.c.name, schema.role.c.expires_at)):
        role = str(name).partition("-")[0]
        found[role] = min(expires_at, found.get(role, expires_at))
    return found


def versions_of(tx: Connection, names: Collection[str]) -> dict[str, int]:
    """The versions of these roles as they stand."""
    table = schema.role
    return {
        row.name: row.version for row in tx.execute(select(table.c.name, table.c.version).where(table.c.name.in_(list(names))))
    }


# --- requests ---


def insert_request(tx: Connection, number: int, *, content: bytes, wants: Iterable[Want], by: str, now: datetime) -> None:
    """A new open request."""
    tx.execute(
        insert(schema.signing_request).values(
            number=number,
            state=RequestState.OPEN,
            content=content,
            wants=msgspec.json.encode([tuple(want) for want in wants]).decode(),
            signatures="{}",
            made_at=now,
            made_by=by[:100],
            closed_at=None,
        )
    )


def request_in(tx: Connection, *states: RequestState) -> StoredRequest | None:
    """The request in one of these states, the newest first."""
    row = tx.execute(statements.newest_request(states)).first()
    return None if row is None else _request(row)


def request_numbered(tx: Connection, number: int) -> StoredRequest | None:
    """A request in whatever state, or None."""
    row = tx.execute(select(schema.signing_request).where(schema.signing_request.c.number == number)).first()
    return None if row is None else _request(row)


def store_signatures(tx: Connection, number: int, signatures: Mapping[str, Mapping[str, str]], *, is_whole: bool) -> None:
    """The signatures of a request that have come so far; once it is whole it waits to be published."""
    table = schema.signing_request
    state = RequestState.SIGNED if is_whole else RequestState.OPEN
    text = msgspec.json.encode(signatures).decode()
    tx.execute(update(table).where(table.c.number == number).values(signatures=text, state=state))


def close_request(tx: Connection, number: int, state: RequestState, now: datetime) -> None:
    """Ends a request."""
    tx.execute(update(schema.signing_request).where(schema.signing_request.c.number == number).values(state=state, closed_at=now))


# --- what administrators are told ---


def waits_for_signature(tx: Connection, package: PackageId) -> str:
    """What a package waits for where the key that signs packages is elsewhere; empty when it does not."""
    table = schema.wanted
    revision = tx.execute(
        select(table.c.wanted).where(table.c.kind == Kind.PACKAGE, table.c.key == package, table.c.wanted != table.c.published)
    ).scalar_one_or_none()
    if revision is None or is_packages_key_here(tx):
        return ""
    request = request_in(tx, RequestState.OPEN, RequestState.SIGNED)
    asked = request is not None and Want(Kind.PACKAGE, package, int(revision)) in request.wants
    if request is None or not asked:
        return "a signature of packages; nobody has asked for it yet: purveyor site keys export"
    return f"a signature of packages, request {request.number} exported at {utc_text(request.made_at)}"


def is_packages_key_here(tx: Connection) -> bool:
    """Whether the key that signs packages is on the server; a site that was never looked at has it."""
    table = schema.site_key
    statement = select(table.c.is_here).where(table.c.role == "packages", table.c.state == KeyState.CURRENT)
    return all(tx.execute(statement).scalars())


def _request(row: AnyRow) -> StoredRequest:
    wants = msgspec.json.decode(row.wants, type=list[tuple[str, str, int]])
    return StoredRequest(
        number=row.number,
        state=RequestState(row.state),
        content=bytes(row.content),
        wants=[Want(Kind(kind), key, revision) for kind, key, revision in wants],
        signatures=msgspec.json.decode(row.signatures, type=dict[str, dict[str, str]]),
        made_at=row.made_at,
        made_by=row.made_by,
    )
