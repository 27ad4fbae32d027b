"""Which clients were ever offered which package, so that deletion knows its holders: remembered when the offer ends."""

from sqlalchemy import Connection, Select, exists, insert, literal, select

from purveyor.site_server.database import programs, schema
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId


def remember(tx: Connection, collection: CollectionId, clients: Select[int]) -> None:
    """Keeps for these clients which packages the collection offers now, those included that programs depend on."""
    advertisement = schema.advertisement
    offered = select(advertisement.c.package, advertisement.c.program).where(
        advertisement.c.collection == collection, advertisement.c.deleted_at.is_(None)
    )
    _remember(tx, {(PackageId(package), number) for package, number in tx.execute(offered)}, clients)


def remember_advertisement(tx: Connection, advertisement: AdvertisementId, *, without: PackageId | None = None) -> None:
    """Keeps for all members of its collection which packages one advertisement offers, but for `without`."""
    row = tx.execute(select(schema.advertisement).where(schema.advertisement.c.id == advertisement)).one()
    members = select(schema.member.c.client).where(schema.member.c.collection == row.collection)
    _remember(tx, {(PackageId(row.package), row.program)}, members, without)


def remember_package(tx: Connection, package: PackageId, clients: Select[int]) -> None:
    """Keeps that these clients were offered this package."""
    chosen, before = clients.subquery("chosen"), schema.offered_before
    known = exists().where(before.c.package == package, before.c.client == chosen.c.client)
    tx.execute(
        insert(before).from_select(["package", "client"], select(literal(str(package)), chosen.c.client).where(~known).distinct())
    )


def _remember(
    tx: Connection, offered: set[tuple[PackageId, int]], clients: Select[int], without: PackageId | None = None
) -> None:
    if not offered:
        return
    for package in sorted(programs.packages_needed(tx, offered) - {without}):
        remember_package(tx, package, clients)
