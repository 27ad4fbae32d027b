"""What stands: packages, programs, collections and advertisements as the commands of `admin` need them, or why they do not.

Every refusal says what became of the thing, and when.
"""

from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.database import advertisements, collections, packages, programs
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.moments import utc_text
from purveyor.wire.package_info import ProgramKey


def known_package(tx: Connection, package: PackageId) -> AnyRow:
    """The row of a package in whatever state. Errors: RefusedError when there is none."""
    row = packages.row_of(tx, package)
    if row is None:
        raise RefusedError(f"there is no package {package}")
    return row


def active_package(tx: Connection, package: PackageId) -> AnyRow:
    """The row of an active package. Errors: RefusedError, which says what became of it."""
    row = known_package(tx, package)
    if row.state != PackageState.ACTIVE:
        replaced = f"; it is replaced by {row.replaced_by}" if row.replaced_by else ""
        raise RefusedError(
            f"package {package} ({row.name}) was deleted by {row.deleted_by} at {utc_text(row.deleted_at)}: "
            f"it is {row.state} since {utc_text(state_since(row))}{replaced}"
        )
    return row


def state_since(row: AnyRow) -> datetime:
    """Since when a package is in its state."""
    times = {
        PackageState.ACTIVE: row.created_at,
        PackageState.REMOVING: row.deleted_at,
        PackageState.RETIRING: row.retired_at,
        PackageState.WITHDRAWN: row.withdrawn_at,
        PackageState.PURGED: row.purged_at,
        PackageState.ARCHIVED: row.archived_at,
    }
    since: datetime = times[PackageState(row.state)] or row.deleted_at
    return since


def standing_program(tx: Connection, key: ProgramKey) -> AnyRow:
    """The row of a program that was not deleted. Errors: RefusedError."""
    return _standing(programs.row_of(tx, key), "program", str(key))


def standing_collection(tx: Connection, collection: CollectionId) -> AnyRow:
    """The row of a collection that was not deleted. Errors: RefusedError."""
    return _standing(collections.row_of(tx, collection), "collection", collection)


def standing_advertisement(tx: Connection, advertisement: AdvertisementId) -> AnyRow:
    """The row of an advertisement that was not deleted, with the names of what it joins. Errors: RefusedError."""
    return _standing(advertisements.row_of(tx, advertisement), "advertisement", advertisement)


def _standing(row: AnyRow | None, what: str, name: str) -> AnyRow:
    if row is None:
        raise RefusedError(f"there is no {what} {name}")
    if row.deleted_at is not None:
        raise RefusedError(f"{what} {name} ({row.name}) was deleted at {utc_text(row.deleted_at)}")
    return row
