"""What clients are told is compiled from these: packages, programs, advertisements, and where content lies.

Read by `publish` alone.
"""

from collections.abc import Collection

from sqlalchemy import Connection, and_, exists, or_, select

from purveyor.site_server.database import schema
from purveyor.wire.ids import CollectionId, PackageId

_IS_GONE = ("retiring", "withdrawn", "purged", "archived")


def package_row(tx: Connection, package: PackageId) -> dict[str, object] | None:
    """A package that clients may know, or None when it was deleted."""
    table = schema.package
    row = tx.execute(select(table).where(table.c.id == package, table.c.state.not_in(_IS_GONE))).mappings().first()
    return dict(row) if row else None


def program_definitions(tx: Connection, package: PackageId) -> list[bytes]:
    """The programs of a package that were not deleted, in order, as JSON of the wire struct."""
    table = schema.program
    statement = (
        select(table.c.definition).where(table.c.package == package, table.c.deleted_at.is_(None)).order_by(table.c.number)
    )
    return [definition.encode() for definition in tx.execute(statement).scalars()]


def verified_manifests(tx: Connection, package: PackageId) -> list[tuple[int, str | None]]:
    """Source versions of a package whose content some distribution point holds, newest first. Shape: (number, manifest)."""
    version, copy = schema.source_version, schema.content_copy
    is_held = exists().where(copy.c.manifest == version.c.manifest, copy.c.state == "verified")
    statement = select(version.c.number, version.c.manifest).where(
        version.c.package == package, or_(version.c.manifest.is_(None), is_held)
    )
    return [(row.number, row.manifest) for row in tx.execute(statement.order_by(version.c.number.desc()))]


def manifest_size(tx: Connection, manifest: str) -> int:
    """Bytes of all files of a manifest."""
    size = tx.execute(select(schema.manifest.c.size_bytes).where(schema.manifest.c.sha256 == manifest)).scalar()
    return int(size or 0)


def standing_advertisements(tx: Connection, collection: CollectionId) -> list[dict[str, object]]:
    """Advertisements of a collection that were not deleted, in order of their ids."""
    table = schema.advertisement
    statement = select(table).where(table.c.collection == collection, table.c.deleted_at.is_(None)).order_by(table.c.id)
    return [dict(row) for row in tx.execute(statement).mappings()]


def disabled_programs(tx: Connection, packages: Collection[str]) -> list[tuple[str, int]]:
    """Programs of these packages that are disabled."""
    table = schema.program
    statement = select(table.c.package, table.c.number).where(
        table.c.package.in_(list(packages)), table.c.is_enabled.is_(False), table.c.deleted_at.is_(None)
    )
    return [(row[0], row[1]) for row in tx.execute(statement.order_by(table.c.package, table.c.number))]


def leaving_packages(tx: Connection, collection: CollectionId) -> list[tuple[str, str, str | None]]:
    """Packages on their way out that this collection ever advertised. Shape: (id, state, running choice), in order.

    All Systems also names those that are to be removed from machines which have left the collection by which they came.
    """
    package, advertisement = schema.package, schema.advertisement
    is_everybody = exists().where(schema.collection.c.id == collection, schema.collection.c.is_all_systems)
    was_advertised = exists().where(advertisement.c.package == package.c.id, advertisement.c.collection == collection)
    statement = select(package.c.id, package.c.state, package.c.running_choice).where(
        package.c.state.in_(("removing", "retiring", "withdrawn")),
        or_(was_advertised, and_(package.c.state == "removing", is_everybody)),
    )
    return [(row[0], row[1], row[2]) for row in tx.execute(statement.order_by(package.c.id))]


def points_holding(tx: Connection, manifests: Collection[str]) -> dict[str, list[str]]:
    """Distribution points where these manifests are verified, in order."""
    table = schema.content_copy
    statement = select(table.c.manifest, table.c.point).where(table.c.manifest.in_(list(manifests)), table.c.state == "verified")
    held: dict[str, list[str]] = {}
    for manifest, point in tx.execute(statement.order_by(table.c.manifest, table.c.point)):
        held.setdefault(manifest, []).append(point)
    return held


def collection_stands(tx: Connection, collection: CollectionId) -> bool:
    """Whether a collection was not deleted."""
    table = schema.collection
    return bool(tx.execute(select(exists().where(table.c.id == collection, table.c.deleted_at.is_(None)))).scalar())
