"""What administrators ask of single runs, and what clients answered, as stored."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from purveyor.site_server.database import schema, statements, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.slices import slices
from purveyor.site_server.model.requests import Outcome
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Request, RequestKind

FAILED = (JobState.FAILED, JobState.TIMED_OUT, JobState.INTERRUPTED)
"""Where a run ended without success."""
_CLOSED_BEFORE = (
    select(schema.request.c.number)
    .where(schema.request.c.closed_at < bindparam("before"))
    .order_by(schema.request.c.closed_at)
    .limit(statements.LIMIT)
)
_TO_CLOSE = (
    select(schema.request.c.number, schema.advertisement.c.collection)
    .join(schema.advertisement, schema.advertisement.c.id == schema.request.c.advertisement)
    .where(
        schema.request.c.closed_at.is_(None),
        or_(schema.request.c.expires_at <= bindparam("now"), schema.advertisement.c.deleted_at.is_not(None)),
    )
)


def insert_request(tx: Connection, request: Request, *, reason: str, by: str) -> None:
    """A new request, which clients are told of from now on."""
    tx.execute(
        insert(schema.request).values(
            number=request.number,
            kind=request.kind,
            advertisement=request.advertisement,
            clients=to_bytes(request.clients).decode() if request.clients else None,
            only_failed=request.only_failed,
            reason=reason,
            made_by=by[:100],
            made_at=request.made_at,
            expires_at=request.expires_at,
        )
    )


def clients_of(row: AnyRow) -> tuple[ClientId, ...]:
    """The clients that the request in a row names; none: all members of the collection."""
    return from_bytes(row.clients.encode(), tuple[ClientId, ...]) if row.clients else ()


def row_of(tx: Connection, number: int) -> AnyRow | None:
    """The row of a request, with the names of what it is about."""
    return tx.execute(_with_names().where(schema.request.c.number == number)).one_or_none()


def listed(tx: Connection, *, advertisement: AdvertisementId | None, is_open: bool, before: int, limit: int) -> Sequence[AnyRow]:
    """The rows of requests below a number, newest first: all, or those about an advertisement, or those that are open."""
    table = schema.request
    statement = _with_names().where(table.c.number < before).order_by(table.c.number.desc()).limit(limit)
    if advertisement is not None:
        statement = statement.where(table.c.advertisement == advertisement)
    if is_open:
        statement = statement.where(table.c.closed_at.is_(None))
    return tx.execute(statement).all()


def open_requests(tx: Connection, collection: CollectionId) -> tuple[Request, ...]:
    """What members of a collection are asked now, by number: of advertisements that stand."""
    table, advertisement = schema.request, schema.advertisement
    statement = _with_names().where(
        table.c.closed_at.is_(None), advertisement.c.collection == collection, advertisement.c.deleted_at.is_(None)
    )
    return tuple(_request(row) for row in tx.execute(statement.order_by(table.c.number)))


def close(tx: Connection, number: int, now: datetime) -> None:
    """Clients are told of a request no more."""
    tx.execute(update(schema.request).where(schema.request.c.number == number).values(closed_at=now))


def close_expired(tx: Connection, now: datetime) -> int:
    """Closes requests that have expired, and those whose advertisement was deleted. Shape: how many."""
    rows = tx.execute(_TO_CLOSE, {"now": now}).all()
    for row in rows:
        close(tx, row.number, now)
    for collection in sorted({row.collection for row in rows}):
        wanted.want_offers(tx, CollectionId(collection))
    return len(rows)


def drop_old(tx: Connection, *, before: datetime, limit: int) -> int:
    """Forgets requests that were closed before a time, with their answers, at most `limit`. Shape: how many."""
    table = schema.request
    numbers = list(tx.execute(_CLOSED_BEFORE, {"before": before, "limit": limit}).scalars())
    for part in slices(numbers):
        tx.execute(delete(schema.request_answer).where(schema.request_answer.c.request.in_(part)))
        tx.execute(delete(table).where(table.c.number.in_(part)))
    return len(numbers)


def store_answers(tx: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Stores what clients answered to requests that there are, and that are for them; of several the newest.

    Shape: rows of the table `request_answer`.
    """
    named = _named(tx, {row["request"] for row in rows})
    ids = _ids_of(tx, {row["client"] for row in rows if named.get(row["request"])})
    newest: dict[tuple[int, int], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda one: int(one["order"])):
        clients = named.get(row["request"])
        if clients is not None and (not clients or ids.get(row["client"]) in clients):
            newest[row["request"], row["client"]] = row
    if not newest:
        return
    table = schema.request_answer
    statement = sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)
    told = {name: statement.excluded[name] for name in ("outcome", "text", "at", "arrived_at", "order")}
    is_newer = statement.excluded.order > table.c.order
    keys = [table.c.request, table.c.client]
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=told, where=is_newer), list(newest.values()))


def counts(tx: Connection, row: AnyRow) -> dict[Outcome | None, int]:
    """How many clients gave which answer to the request in a row; under None those that it is for and that are silent."""
    answer = schema.request_answer
    of_this = answer.c.request == row.number
    found = tx.execute(select(answer.c.outcome, func.count()).where(of_this).group_by(answer.c.outcome)).all()
    return {Outcome(outcome): count for outcome, count in found} | {None: _count_silent(tx, row)}


def answers(tx: Connection, row: AnyRow, *, outcome: Outcome | None, is_silent: bool, after: str, limit: int) -> Sequence[AnyRow]:
    """The clients that the request in a row is for, by id, with what they answered: all, or those with an answer, or without."""
    client, answer = schema.client, schema.request_answer
    columns = (
        client.c.id,
        client.c.name,
        client.c.last_seen_at,
        answer.c.outcome,
        answer.c.text,
        answer.c.at,
        answer.c.arrived_at,
    )
    statement = _asked(row, columns).where(client.c.id > after).order_by(client.c.id).limit(limit)
    if outcome is not None:
        statement = statement.where(answer.c.outcome == outcome)
    if is_silent:
        statement = statement.where(answer.c.outcome.is_(None))
    return tx.execute(statement).all()


def count_failed(tx: Connection, collection: CollectionId, package: PackageId, program: int) -> int:
    """How many members of a collection said that the last run of a program failed."""
    return int(tx.execute(_count_of_failed(collection, package, program)).scalar_one())


def count_answers(tx: Connection, number: int) -> int:
    """How many clients have answered a request."""
    statement = select(func.count()).select_from(schema.request_answer).where(schema.request_answer.c.request == number)
    return int(tx.execute(statement).scalar_one())


def members_among(tx: Connection, collection: CollectionId, clients: Collection[ClientId]) -> frozenset[ClientId]:
    """Those of these clients that are members of a collection."""
    member, client = schema.member, schema.client
    statement = (
        select(client.c.id)
        .join(member, member.c.client == client.c.number)
        .where(member.c.collection == collection, client.c.id.in_(sorted(clients)))
    )
    return frozenset(ClientId(one) for one in tx.execute(statement).scalars())


def _asked(row: AnyRow, columns: tuple[ColumnElement[Any], ...]) -> Select[*tuple[Any, ...]]:
    """The clients that a request is for, and those that answered it, with their answers."""
    client, answer, member = schema.client, schema.request_answer, schema.member
    is_answer = and_(answer.c.client == client.c.number, answer.c.request == row.number)
    named = clients_of(row)
    if named:
        is_meant: ColumnElement[bool] = client.c.id.in_(named)
    else:
        is_member = client.c.number.in_(select(member.c.client).where(member.c.collection == row.collection))
        is_meant = and_(is_member, _has_failed(client.c.number, row.package, row.program)) if row.only_failed else is_member
    return select(*columns).select_from(client).outerjoin(answer, is_answer).where(or_(is_meant, answer.c.client.is_not(None)))


def _count_silent(tx: Connection, row: AnyRow) -> int:
    """How many of those that a request is for have not answered it."""
    answer, member, job = schema.request_answer, schema.member, schema.job_state
    named = clients_of(row)
    if named:
        return len(named) - count_answers(tx, row.number)
    if row.only_failed:
        has_answered = exists().where(answer.c.request == row.number, answer.c.client == job.c.client)
        return int(tx.execute(_count_of_failed(row.collection, row.package, row.program).where(~has_answered)).scalar_one())
    members = select(func.count()).where(member.c.collection == row.collection)
    answered = (
        select(func.count())
        .select_from(answer)
        .join(member, and_(member.c.client == answer.c.client, member.c.collection == row.collection))
        .where(answer.c.request == row.number)
    )
    return int(tx.execute(members).scalar_one()) - int(tx.execute(answered).scalar_one())


def _count_of_failed(collection: str, package: str, program: int) -> Select[int]:
    """Counts the members of a collection on which the last run of a program failed, from the states of that program."""
    job, member = schema.job_state, schema.member
    return (
        select(func.count())
        .select_from(job)
        .join(member, and_(member.c.client == job.c.client, member.c.collection == collection))
        .where(job.c.package == package, job.c.program == program, job.c.state.in_(FAILED))
    )


def _has_failed(client: ColumnElement[int], package: str, program: int) -> ColumnElement[bool]:
    job = schema.job_state
    return exists().where(job.c.client == client, job.c.package == package, job.c.program == program, job.c.state.in_(FAILED))


def _named(tx: Connection, numbers: Collection[int]) -> Mapping[int, tuple[ClientId, ...]]:
    """The clients that these requests name, of those that there are."""
    table = schema.request
    found: dict[int, tuple[ClientId, ...]] = {}
    for part in slices(numbers):
        for row in tx.execute(select(table.c.number, table.c.clients).where(table.c.number.in_(part))):
            found[row.number] = clients_of(row)
    return found


def _ids_of(tx: Connection, clients: Collection[int]) -> Mapping[int, ClientId]:
    table = schema.client
    found: dict[int, ClientId] = {}
    for part in slices(clients):
        rows = tx.execute(select(table.c.number, table.c.id).where(table.c.number.in_(part)))
        found.update((row.number, ClientId(row.id)) for row in rows)
    return found


def _request(row: AnyRow) -> Request:
    return Request(
        number=row.number,
        kind=RequestKind(row.kind),
        advertisement=AdvertisementId(row.advertisement),
        package=PackageId(row.package),
        program=ProgramNumber(row.program),
        made_at=row.made_at,
        expires_at=row.expires_at,
        clients=clients_of(row),
        only_failed=row.only_failed,
    )


def _with_names() -> Select[*tuple[Any, ...]]:
    table, advertisement = schema.request, schema.advertisement
    return select(
        table,
        advertisement.c.package,
        advertisement.c.program,
        advertisement.c.collection,
        advertisement.c.name.label("advertisement_name"),
        advertisement.c.deleted_at.label("advertisement_deleted_at"),
    ).join(advertisement, advertisement.c.id == table.c.advertisement)
