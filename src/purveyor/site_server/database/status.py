"""What became of things: current state counted, and the messages of clients. Read only; `upward` writes what is read here."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from purveyor.site_server.database import clients, schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.sequence import PLACES_AN_ITEM
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.package_info import ProgramKey

Counts = dict[str | None, int]
"""How many clients are in each state; under None those from which no word came."""


def counts_of_program(tx: Connection, key: ProgramKey) -> Counts:
    """The clients that are offered a program or have spoken of it, by state; who was removed counts no more."""
    member, advertisement = schema.member, schema.advertisement
    offering = select(advertisement.c.collection).where(
        advertisement.c.package == key.package, advertisement.c.program == key.program, advertisement.c.deleted_at.is_(None)
    )
    spoken = _spoken_of(tx, key)
    everyone = select(member.c.client.label("client")).distinct().where(member.c.collection.in_(offering))
    return spoken | {None: _silent(tx, everyone, key)}


def counts_of_members(tx: Connection, collection: CollectionId, key: ProgramKey) -> Counts:
    """The members of a collection by the state of one program."""
    member, job = schema.member, schema.job_state
    joined = and_(job.c.client == member.c.client, job.c.package == key.package, job.c.program == key.program)
    statement = (
        select(job.c.state, func.count())
        .select_from(member)
        .outerjoin(job, joined)
        .where(member.c.collection == collection)
        .group_by(job.c.state)
    )
    return {None: 0} | {row[0]: row[1] for row in tx.execute(statement)}


def member_states(
    tx: Connection, *, state: str | None, key: ProgramKey, collection: CollectionId, after: str, limit: int
) -> Sequence[AnyRow]:
    """Members of a collection with the state of one program (`silent` for no word), by client id."""
    member, job, client = schema.member, schema.job_state, schema.client
    joined = and_(job.c.client == member.c.client, job.c.package == key.package, job.c.program == key.program)
    statement = (
        select(client.c.id.label("client_id"), client.c.name, *_job_columns())
        .select_from(member)
        .join(client, client.c.number == member.c.client)
        .outerjoin(job, joined)
        .where(member.c.collection == collection, client.c.id > after)
        .order_by(client.c.id)
        .limit(limit)
    )
    return tx.execute(statement if state is None else statement.where(_is_in_state(state))).all()


def jobs_of_package(
    tx: Connection, package: PackageId, *, program: int | None, state: str | None, after: str, limit: int
) -> Sequence[AnyRow]:
    """Jobs of a package on all clients that spoke of it and were not removed, by client id."""
    job, client = schema.job_state, schema.client
    statement = (
        select(client.c.id.label("client_id"), client.c.name, *_job_columns())
        .join(client, client.c.number == job.c.client)
        .where(job.c.package == package, client.c.id > after, client.c.state != clients.REMOVED)
        .order_by(client.c.id, job.c.program)
        .limit(limit)
    )
    if program is not None:
        statement = statement.where(job.c.program == program)
    return tx.execute(statement if state is None else statement.where(job.c.state == state)).all()


def jobs_of_client(tx: Connection, client: int) -> Sequence[AnyRow]:
    """A client's jobs with the names of package and program, by package and program."""
    job, package, program = schema.job_state, schema.package, schema.program
    return tx.execute(
        select(*_job_columns(), package.c.name.label("package_name"), program.c.name.label("program_name"))
        .outerjoin(package, package.c.id == job.c.package)
        .outerjoin(program, and_(program.c.package == job.c.package, program.c.number == job.c.program))
        .where(job.c.client == client)
        .order_by(job.c.package, job.c.program)
    ).all()


def offered_without_word(tx: Connection, client: int) -> Sequence[AnyRow]:
    """What a client is offered and has said nothing of: `advertisement`, `package`, `program` and their names."""
    member, advertisement, job = schema.member, schema.advertisement, schema.job_state
    package, program = schema.package, schema.program
    spoken = and_(job.c.client == client, job.c.package == advertisement.c.package, job.c.program == advertisement.c.program)
    return tx.execute(
        select(
            advertisement.c.id.label("advertisement"),
            advertisement.c.package,
            advertisement.c.program,
            package.c.name.label("package_name"),
            program.c.name.label("program_name"),
        )
        .join(member, member.c.collection == advertisement.c.collection)
        .join(package, package.c.id == advertisement.c.package)
        .join(program, and_(program.c.package == advertisement.c.package, program.c.number == advertisement.c.program))
        .outerjoin(job, spoken)
        .where(member.c.client == client, advertisement.c.deleted_at.is_(None), job.c.client.is_(None))
        .order_by(advertisement.c.id)
    ).all()


def messages(
    tx: Connection,
    *,
    client: int | None,
    point: str | None,
    package: PackageId | None,
    program: int | None,
    advertisement: AdvertisementId | None,
    severities: Collection[str],
    since: datetime | None,
    until: datetime | None,
    before_id: int | None,
    limit: int,
) -> Sequence[AnyRow]:
    """Status messages before `before_id`, newest first, with the name and id of the client; of a point there is none.

    Each has the names of its package, program and advertisement, null where the site has none.
    `since` and `until` are of their arrival; the first belongs to what is given, the second does not.
    """
    message, sender = schema.status_message, schema.client
    of_package, of_program, of_offer = schema.package, schema.program, schema.advertisement
    statement = (
        select(
            message,
            sender.c.id.label("client_id"),
            sender.c.name.label("client_name"),
            of_package.c.name.label("package_name"),
            of_program.c.name.label("program_name"),
            of_offer.c.name.label("advertisement_name"),
        )
        .outerjoin(sender, sender.c.number == message.c.client)
        .outerjoin(of_package, of_package.c.id == message.c.package)
        .outerjoin(of_program, and_(of_program.c.package == message.c.package, of_program.c.number == message.c.program))
        .outerjoin(of_offer, of_offer.c.id == message.c.advertisement)
        .order_by(message.c.id.desc())
        .limit(limit)
    )
    for column, value in (
        (message.c.client, client),
        (message.c.point, point),
        (message.c.package, package),
        (message.c.program, program),
        (message.c.advertisement, advertisement),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if since is not None:
        statement = statement.where(message.c.arrived_at >= since)
    if until is not None:
        statement = statement.where(message.c.arrived_at < until)
    if severities:
        statement = statement.where(message.c.severity.in_(sorted(severities)))
    if before_id is not None:
        statement = statement.where(message.c.id < before_id)
    return tx.execute(statement).all()


def _spoken_of(tx: Connection, key: ProgramKey) -> Counts:
    job = schema.job_state
    statement = (
        select(job.c.state, func.count())
        .where(job.c.package == key.package, job.c.program == key.program, clients.is_not_removed(job.c.client))
        .group_by(job.c.state)
    )
    return {row[0]: row[1] for row in tx.execute(statement)}


def _silent(tx: Connection, everyone: Select[int], key: ProgramKey) -> int:
    job, chosen = schema.job_state, everyone.subquery("everyone")
    joined = and_(job.c.client == chosen.c.client, job.c.package == key.package, job.c.program == key.program)
    statement = select(func.count()).select_from(chosen).outerjoin(job, joined).where(job.c.client.is_(None))
    return int(tx.execute(statement).scalar_one())


def _is_in_state(state: str) -> ColumnElement[bool]:
    return schema.job_state.c.state.is_(None) if state == "silent" else schema.job_state.c.state == state


def _job_columns() -> tuple[ColumnElement[Any], ...]:
    job = schema.job_state
    return (
        job.c.package,
        job.c.program,
        job.c.state,
        job.c.advertisement,
        job.c.occurrence,
        job.c.source_version,
        job.c.cause,
        job.c.exit_code,
        job.c.user,
        job.c.text,
        job.c.at,
        job.c.succeeded_version,
        _message_behind(),
    )


def _message_behind() -> ColumnElement[Any]:
    """The id of the message that said a job's state, as `message`; null when it has aged out."""
    job, message = schema.job_state, schema.status_message
    return (
        select(message.c.id)
        .where(
            message.c.client == job.c.client,
            message.c.sequence == job.c.order // PLACES_AN_ITEM,
            message.c.position == job.c.order % PLACES_AN_ITEM,
        )
        .correlate(job)
        .scalar_subquery()
        .label("message")
    )
