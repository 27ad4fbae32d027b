"""Advertisements, as stored."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, distinct, func, insert, select, tuple_, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.advertising import Options
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.offers import Assignment
from purveyor.wire.package_info import ProgramKey


def assignments_of(row: AnyRow) -> tuple[Assignment, ...]:
    """The assignments in a row of the table."""
    return from_bytes(str(row.assignments).encode(), tuple[Assignment, ...])


def options_of(row: AnyRow) -> Options:
    """How the advertisement in a row of the table runs."""
    return from_bytes(str(row.options).encode(), Options)


def insert_advertisement(
    tx: Connection,
    advertisement: AdvertisementId,
    *,
    name: str,
    key: ProgramKey,
    collection: CollectionId,
    available_from: datetime,
    expires_at: datetime | None,
    is_paused: bool,
    each_version: bool,
    assignments: tuple[Assignment, ...],
    options: Options,
    by: str,
    now: datetime,
) -> None:
    """A new advertisement; its assignments are numbered from 1."""
    tx.execute(
        insert(schema.advertisement).values(
            id=advertisement,
            name=name,
            package=key.package,
            program=key.program,
            collection=collection,
            available_from=available_from,
            expires_at=expires_at,
            is_paused=is_paused,
            each_version=each_version,
            highest_assignment=max((assignment.number for assignment in assignments), default=0),
            assignments=to_bytes(assignments).decode(),
            options=to_bytes(options).decode(),
            created_at=now,
            created_by=by[:100],
        )
    )


def change(
    tx: Connection,
    advertisement: AdvertisementId,
    *,
    name: str,
    available_from: datetime,
    expires_at: datetime | None,
    each_version: bool,
    highest_assignment: int,
    assignments: tuple[Assignment, ...],
    options: Options,
) -> None:
    """Stores what was edited."""
    table = schema.advertisement
    tx.execute(
        update(table)
        .where(table.c.id == advertisement)
        .values(
            name=name,
            available_from=available_from,
            expires_at=expires_at,
            each_version=each_version,
            highest_assignment=highest_assignment,
            assignments=to_bytes(assignments).decode(),
            options=to_bytes(options).decode(),
        )
    )


def set_paused(tx: Connection, advertisement: AdvertisementId, *, is_paused: bool) -> None:
    """Pauses or resumes an advertisement."""
    tx.execute(update(schema.advertisement).where(schema.advertisement.c.id == advertisement).values(is_paused=is_paused))


def mark_deleted(tx: Connection, advertisements: Collection[AdvertisementId], now: datetime) -> None:
    """Takes advertisements back."""
    table = schema.advertisement
    tx.execute(update(table).where(table.c.id.in_(sorted(advertisements))).values(deleted_at=now))


def row_of(tx: Connection, advertisement: AdvertisementId) -> AnyRow | None:
    """The row of an advertisement, deleted or not, with the names of what it joins, and its collection's `members`."""
    return tx.execute(_with_names().where(schema.advertisement.c.id == advertisement)).one_or_none()


def standing(
    tx: Connection,
    *,
    package: PackageId | None = None,
    collection: CollectionId | None = None,
    programs: Collection[ProgramKey] | None = None,
) -> Sequence[AnyRow]:
    """The rows of standing advertisements, by id: all, or those of a package, of some programs, or to a collection."""
    table = schema.advertisement
    statement = _with_names().where(table.c.deleted_at.is_(None)).order_by(table.c.id)
    if package is not None:
        statement = statement.where(table.c.package == package)
    if collection is not None:
        statement = statement.where(table.c.collection == collection)
    if programs is not None:
        statement = statement.where(tuple_(table.c.package, table.c.program).in_(sorted(programs)))
    return tx.execute(statement).all()


def collections_ever_advertised_to(tx: Connection, package: PackageId) -> list[CollectionId]:
    """The standing collections to which this package was ever advertised."""
    table, collection = schema.advertisement, schema.collection
    statement = (
        select(table.c.collection)
        .distinct()
        .join(collection, collection.c.id == table.c.collection)
        .where(table.c.package == package, collection.c.deleted_at.is_(None))
    )
    return sorted(CollectionId(found) for found in tx.execute(statement).scalars())


def collections_advertised_to(tx: Connection) -> frozenset[CollectionId]:
    """The collections to which anything is advertised now."""
    table = schema.advertisement
    statement = select(table.c.collection).distinct().where(table.c.deleted_at.is_(None))
    return frozenset(CollectionId(found) for found in tx.execute(statement).scalars())


def count_reached(tx: Connection, collections: Collection[CollectionId]) -> int:
    """How many clients are members of at least one of these collections."""
    member = schema.member
    statement = select(func.count(distinct(member.c.client))).where(member.c.collection.in_(sorted(collections)))
    return int(tx.execute(statement).scalar_one())


def _with_names() -> Select[*tuple[Any, ...]]:
    table, package, program, collection, member = (
        schema.advertisement,
        schema.package,
        schema.program,
        schema.collection,
        schema.member,
    )
    members = select(func.count()).where(member.c.collection == table.c.collection).scalar_subquery().label("members")
    return (
        select(
            table,
            package.c.name.label("package_name"),
            program.c.name.label("program_name"),
            program.c.is_enabled.label("is_enabled"),
            program.c.definition,
            collection.c.name.label("collection_name"),
            collection.c.is_all_systems,
            members,
        )
        .join(package, package.c.id == table.c.package)
        .join(program, and_(program.c.package == table.c.package, program.c.number == table.c.program))
        .join(collection, collection.c.id == table.c.collection)
    )
