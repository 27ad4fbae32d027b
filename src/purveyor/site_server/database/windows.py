"""Maintenance windows, as stored: each belongs to one collection."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from purveyor.site_server.database import counters, schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import CollectionId
from purveyor.wire.offers import Window


def next_number(tx: Connection) -> int:
    """A number that no window had before."""
    return counters.next_number(tx, counters.WINDOW)


def insert_window(tx: Connection, collection: CollectionId, window: Window, *, by: str, now: datetime) -> None:
    """A new window of a collection, with the number that it has."""
    tx.execute(
        insert(schema.maintenance_window).values(
            number=window.number,
            collection=collection,
            definition=to_bytes(window).decode(),
            created_at=now,
            created_by=by[:100],
        )
    )


def change(tx: Connection, window: Window) -> None:
    """Stores what was edited."""
    table = schema.maintenance_window
    tx.execute(update(table).where(table.c.number == window.number).values(definition=to_bytes(window).decode()))


def mark_deleted(tx: Connection, number: int, now: datetime) -> None:
    """Takes a window back."""
    table = schema.maintenance_window
    tx.execute(update(table).where(table.c.number == number).values(deleted_at=now))


def mark_deleted_of(tx: Connection, collection: CollectionId, now: datetime) -> None:
    """Takes back all windows of a collection that is being deleted."""
    table = schema.maintenance_window
    tx.execute(update(table).where(table.c.collection == collection, table.c.deleted_at.is_(None)).values(deleted_at=now))


def row_of(tx: Connection, number: int) -> AnyRow | None:
    """The row of a window, deleted or not."""
    return tx.execute(select(schema.maintenance_window).where(schema.maintenance_window.c.number == number)).one_or_none()


def standing(tx: Connection, collections: Collection[CollectionId] | None = None) -> Sequence[AnyRow]:
    """The rows of standing windows with `collection_name`, by number: all, or those of some collections."""
    table, collection = schema.maintenance_window, schema.collection
    statement = select(table, collection.c.name.label("collection_name")).join(collection, collection.c.id == table.c.collection)
    statement = statement.where(table.c.deleted_at.is_(None)).order_by(table.c.number)
    if collections is not None:
        statement = statement.where(table.c.collection.in_(sorted(collections)))
    return tx.execute(statement).all()


def window_in(row: AnyRow) -> Window:
    """The window that a row holds."""
    return from_bytes(row.definition.encode(), Window)


def windows_of(tx: Connection, collection: CollectionId) -> tuple[Window, ...]:
    """The standing windows of a collection, by number."""
    return tuple(window_in(row) for row in standing(tx, [collection]))
