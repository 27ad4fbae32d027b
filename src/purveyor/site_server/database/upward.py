"""What comes up from clients, as stored: their numbering, their status messages, the states of their jobs, who was refused.

Every function takes a whole batch: a query or a statement for many clients, never one for each. Called by `receive` alone,
all of one batch in one transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, case, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from purveyor.site_server.database import schema, statements, wanted
from purveyor.site_server.database.clients import REMOVED
from purveyor.site_server.database.slices import slices
from purveyor.site_server.model.clones import Voice
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import ClientId


class KnownClient(NamedTuple):
    """A client as its items are judged against it."""

    number: int
    id: ClientId
    state: str
    received: int
    received_digest: str
    last_sequence: int
    discovered_sequence: int
    is_forked: bool
    machine: str = ""
    voices: tuple[Voice, ...] = ()
    keeper: str = ""
    name: str = ""


class JoinCodeRow(NamedTuple):
    """A join code. `uses_left` None: any number."""

    id: int
    digest: str
    expires_at: datetime | None
    uses_left: int | None
    needs_approval: bool


class NewClient(NamedTuple):
    """A client to be inserted. `was` is the client id that the machine came with, where it is a clone."""

    id: ClientId
    public_key: str
    name: str
    state: str
    reason: str
    facts: str
    join_code: int | None
    """None: it came back with its receipt."""
    received: int
    sequence: int
    machine: str = ""
    was: str = ""


class StoredItem(NamedTuple):
    """An item as it is remembered. `first_digest`: that under which it was told first, where it was told again."""

    client: int
    sequence: int
    digest: str
    first_digest: str


class Progressed(NamedTuple):
    """What a batch changed of one client. `holding` is None where a later item was here before."""

    number: int
    received: int
    received_digest: str
    lost: int
    last_sequence: int
    applied: int
    holding: str | None


class Discovered(NamedTuple):
    """What a client said about its machine."""

    number: int
    sequence: int
    name: str
    facts: str
    absent_requests: int | None
    absent_by_point: Mapping[str, int] = {}


class Asked(NamedTuple):
    """How many requests of a client there were for absent files at a point; an empty `point`: at other addresses."""

    client: int
    point: str
    absent_requests: int


_CLIENTS = select(
    schema.client.c.number,
    schema.client.c.id,
    schema.client.c.state,
    schema.client.c.received,
    schema.client.c.received_digest,
    schema.client.c.last_sequence,
    schema.client.c.discovered_sequence,
    schema.client.c.fork.is_not(None).label("is_forked"),
    schema.client.c.machine,
    schema.client.c.voices,
    schema.client.c.keeper,
    schema.client.c.name,
).where(schema.client.c.id.in_(bindparam("ids", expanding=True)))
_ABOVE_RECEIVED = (
    select(schema.upward_item.c.client, schema.upward_item.c.sequence, schema.upward_item.c.digest)
    .join(schema.client, schema.client.c.number == schema.upward_item.c.client)
    .where(
        schema.client.c.number.in_(bindparam("clients", expanding=True)),
        schema.upward_item.c.sequence > schema.client.c.received,
    )
)
_OLDEST_MESSAGES = (
    select(schema.status_message.c.id)
    .where(schema.status_message.c.arrived_at < bindparam("before"))
    .order_by(schema.status_message.c.arrived_at)
    .limit(statements.LIMIT)
)
_DROP_OLDEST_MESSAGES = delete(schema.status_message).where(schema.status_message.c.id.in_(_OLDEST_MESSAGES))


# --- what is known ----------------------------------------------------------------------------------------------------


def known_clients(tx: Connection, ids: Collection[ClientId]) -> dict[ClientId, KnownClient]:
    """Those of these clients that the site knows."""
    known: dict[ClientId, KnownClient] = {}
    for part in slices(ids):
        for row in tx.execute(_CLIENTS, {"ids": part}).all():
            values = row._asdict()
            voices = from_bytes(values.pop("voices").encode(), tuple[Voice, ...])
            known[ClientId(row.id)] = KnownClient(**values, voices=voices)
    return known


def remembered_digests(tx: Connection, places: Collection[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The digests stored under these numbers. Shape: (client, sequence) to digest."""
    found: dict[tuple[int, int], str] = {}
    for part in slices(places):
        for client, sequence, digest in tx.execute(_items_at(part, is_sqlite=tx.dialect.name == "sqlite")).all():
            found[client, sequence] = digest
    return found


def _items_at(places: list[tuple[int, int]], *, is_sqlite: bool) -> Select[int, int, str]:
    """Items by (client, sequence), each found through the primary key: SQLite would read the whole table for a list of pairs."""
    item = schema.upward_item
    statement = select(item.c.client, item.c.sequence, item.c.digest)
    if not is_sqlite:
        return statement.where(tuple_(item.c.client, item.c.sequence).in_(places))
    listed = func.json_each(to_bytes(places).decode()).table_valued("value")
    client, sequence = (func.json_extract(listed.c.value, f"$[{place}]") for place in (0, 1))
    return statement.select_from(listed.join(item, and_(item.c.client == client, item.c.sequence == sequence)))


def told_first(tx: Connection, places: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these were told again already. Shape: (client, digest under which an item was told first), as in `places`."""
    item, found = schema.upward_item, set[tuple[int, str]]()
    for part in slices({client for client, _ in places}):
        rows = tx.execute(select(item.c.client, item.c.first_digest).where(item.c.client.in_(part), item.c.first_digest != ""))
        found.update((row.client, row.first_digest) for row in rows)
    return found.intersection(places)


def stored_above(tx: Connection, clients: Collection[int]) -> dict[int, dict[int, str]]:
    """Digests by sequence that are stored above what each of these clients is told as received: those after a gap."""
    found: dict[int, dict[int, str]] = {}
    for part in slices(clients):
        for number, sequence, digest in tx.execute(_ABOVE_RECEIVED, {"clients": part}).all():
            found.setdefault(number, {})[sequence] = digest
    return found


def join_codes(tx: Connection, digests: Collection[str], ids: Collection[int] = ()) -> list[JoinCodeRow]:
    """The join codes with these digests, and those with these ids."""
    table = schema.join_code
    columns = (table.c.id, table.c.digest, table.c.expires_at, table.c.uses_left, table.c.needs_approval)
    found: dict[int, JoinCodeRow] = {}
    wanted_codes = [table.c.digest.in_(part) for part in slices(digests)] + [table.c.id.in_(part) for part in slices(ids)]
    for is_wanted in wanted_codes:
        for row in tx.execute(select(*columns).where(is_wanted)):
            found[row[0]] = JoinCodeRow(row[0], row[1], row[2], row[3], bool(row[4]))
    return list(found.values())


# --- clients ----------------------------------------------------------------------------------------------------------


def insert_clients(tx: Connection, clients: Sequence[NewClient], now: datetime) -> dict[ClientId, KnownClient]:
    """Takes new clients in. Shape: as they are now known."""
    if not clients:
        return {}
    rows = [
        {
            "id": client.id,
            "shard_key": int(client.id[:8], 16),
            "public_key": client.public_key,
            "name": client.name,
            "state": client.state,
            "reason": client.reason,
            "facts": client.facts,
            "joined_at": now,
            "join_code": client.join_code,
            "received": client.received,
            "last_seen_at": now,
            "discovered_sequence": client.sequence,
            "machine": client.machine,
            "was": client.was,
        }
        for client in clients
    ]
    tx.execute(insert(schema.client), rows)
    return known_clients(tx, [client.id for client in clients])


def take_back_clients(tx: Connection, clients: Mapping[int, NewClient], now: datetime) -> None:
    """Takes back clients that had left or were removed, by number; what they had told before stays."""
    table = schema.client
    statement = (
        update(table)
        .where(table.c.number == bindparam("of"))
        .values(
            state=bindparam("new_state"),
            reason=bindparam("new_reason"),
            join_code=bindparam("with_code"),
            received=case((table.c.received < bindparam("least"), bindparam("least")), else_=table.c.received),
            joined_at=now,
            fork=None,
            machine=bindparam("by_machine"),
            voices="[]",
            keeper="",
        )
    )
    rows = [
        {
            "of": number,
            "new_state": one.state,
            "new_reason": one.reason,
            "with_code": one.join_code,
            "least": one.received,
            "by_machine": one.machine,
        }
        for number, one in sorted(clients.items())
    ]
    if rows:
        tx.execute(statement, rows)


def use_join_codes(tx: Connection, uses: Mapping[int, int]) -> None:
    """Counts the uses of join codes, by id; a code that may be used any number of times stays so."""
    table = schema.join_code
    statement = update(table).where(table.c.id == bindparam("code")).values(uses_left=table.c.uses_left - bindparam("used"))
    if uses:
        tx.execute(statement, [{"code": code, "used": used} for code, used in sorted(uses.items())])


def set_progress(tx: Connection, clients: Sequence[Progressed], now: datetime) -> None:
    """Records how far the numbering of these clients has come, and that they were heard of."""
    table = schema.client
    statement = (
        update(table)
        .where(table.c.number == bindparam("of"))
        .values(
            received=bindparam("new_received"),
            received_digest=bindparam("new_digest"),
            lost_items=table.c.lost_items + bindparam("newly_lost"),
            last_sequence=bindparam("new_last"),
            applied=case((table.c.applied < bindparam("new_applied"), bindparam("new_applied")), else_=table.c.applied),
            holding=func.coalesce(bindparam("new_holding", type_=schema.client.c.holding.type), table.c.holding),
            last_seen_at=now,
        )
    )
    rows = [
        {
            "of": client.number,
            "new_received": client.received,
            "new_digest": client.received_digest,
            "newly_lost": client.lost,
            "new_last": client.last_sequence,
            "new_applied": client.applied,
            "new_holding": client.holding,
        }
        for client in clients
    ]
    if rows:
        tx.execute(statement, rows)


def set_discovered(tx: Connection, clients: Sequence[Discovered]) -> None:
    """Records what clients said about their machines, where nothing newer is known."""
    table = schema.client
    statement = (
        update(table)
        .where(table.c.number == bindparam("of"), table.c.discovered_sequence < bindparam("at_sequence"))
        .values(
            name=bindparam("new_name"),
            facts=bindparam("new_facts"),
            absent_requests=func.coalesce(
                bindparam("absent", type_=schema.client.c.absent_requests.type), table.c.absent_requests
            ),
            discovered_sequence=bindparam("at_sequence"),
        )
    )
    rows = [
        {
            "of": one.number,
            "at_sequence": one.sequence,
            "new_name": one.name,
            "new_facts": one.facts,
            "absent": one.absent_requests,
        }
        for one in clients
    ]
    if rows:
        tx.execute(statement, rows)


def set_asked(tx: Connection, asked: Sequence[Asked]) -> None:
    """Records how many requests for absent files clients made at each point; a row that is as it was is not written."""
    if not asked:
        return
    table = schema.point_asked
    statement = sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)
    new = statement.excluded.absent_requests
    keys = [table.c.client, table.c.point]
    changed = statement.on_conflict_do_update(
        index_elements=keys, set_={"absent_requests": new}, where=table.c.absent_requests != new
    )
    tx.execute(changed, [one._asdict() for one in asked])


def set_left(tx: Connection, clients: Collection[int], reason: str) -> None:
    """Records that these clients have left the site; their memberships are the caller's to bring up to date."""
    table = schema.client
    statement = update(table).where(table.c.number == bindparam("of")).values(state=REMOVED, reason=reason)
    if clients:
        tx.execute(statement, [{"of": number} for number in sorted(clients)])


def set_reasons(tx: Connection, reasons: Mapping[int, str]) -> None:
    """Tells clients that are known why they are not taken back, by number."""
    table = schema.client
    statement = update(table).where(table.c.number == bindparam("of")).values(reason=bindparam("why"))
    if reasons:
        tx.execute(statement, [{"of": number, "why": reason} for number, reason in sorted(reasons.items())])
        wanted.want_shards_of_clients(tx, reasons)


def set_forks(tx: Connection, forks: Mapping[int, str]) -> None:
    """Records the first proof that two machines use one identity, by client. Shape: JSON."""
    table = schema.client
    statement = update(table).where(table.c.number == bindparam("of"), table.c.fork.is_(None)).values(fork=bindparam("proof"))
    if forks:
        tx.execute(statement, [{"of": number, "proof": proof} for number, proof in sorted(forks.items())])


# --- items ------------------------------------------------------------------------------------------------------------


def insert_items(tx: Connection, items: Sequence[StoredItem], now: datetime) -> None:
    """Remembers items as stored."""
    if items:
        tx.execute(insert(schema.upward_item), [one._asdict() | {"arrived_at": now} for one in items])


def forget_items(tx: Connection, clients: Mapping[int, int]) -> None:
    """Forgets the digests of items up to a sequence, by client."""
    item = schema.upward_item
    statement = delete(item).where(item.c.client == bindparam("of"), item.c.sequence <= bindparam("up_to"))
    if clients:
        tx.execute(statement, [{"of": client, "up_to": sequence} for client, sequence in sorted(clients.items())])


def insert_messages(tx: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Stores status messages. Shape: rows of the table `status_message` without their ids."""
    if rows:
        tx.execute(insert(schema.status_message), rows)


def drop_old_messages(tx: Connection, *, before: datetime, limit: int) -> int:
    """Forgets the oldest status messages that arrived before a time, at most `limit`. Shape: how many."""
    return int(tx.execute(_DROP_OLDEST_MESSAGES, {"before": before, "limit": limit}).rowcount)


def store_job_states(tx: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Stores the states of jobs, each program of a client once, where they are newer than what is known.

    Which source version ever succeeded is kept apart from that, and only rises.
    Shape: rows of the table `job_state`.
    """
    if not rows:
        return
    tx.execute(_newer_job_states(is_sqlite=tx.dialect.name == "sqlite"), rows)


@cache
def _newer_job_states(*, is_sqlite: bool) -> UpdateBase:
    table = schema.job_state
    statement = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    new = statement.excluded
    is_newer = new.order > table.c.order
    told = ("state", "advertisement", "occurrence", "source_version", "cause", "exit_code", "user", "text", "at", "order")
    values = {name: case((is_newer, new[name]), else_=table.c[name]) for name in told}
    known = table.c.succeeded_version
    has_risen = and_(new.succeeded_version.is_not(None), or_(known.is_(None), new.succeeded_version > known))
    succeeded = case((has_risen, new.succeeded_version), else_=known)
    keys = [table.c.client, table.c.package, table.c.program]
    return statement.on_conflict_do_update(index_elements=keys, set_=values | {"succeeded_version": succeeded})
