"""What is stored about the end of packages: who holds one, who has said that it is gone, and which state it is in.

Written by `receive` (what holders say) and by `publish` (the states); read by `admin`, which shows the progress.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, or_, select, update

from purveyor.site_server.database import schema, site_keys, wanted
from purveyor.site_server.model.points import PointState
from purveyor.site_server.model.retirement import STANDING, PackageState, Retiring
from purveyor.wire.ids import ClientId, CollectionId, PackageId

SILENT_LISTED = 100


class Ending(NamedTuple):
    """A package between deletion and archive."""

    id: PackageId
    retiring: Retiring


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentHolder:
    """A holder that has not said what is awaited of it."""

    client: ClientId
    name: str
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementProgress:
    """How far the end of a package has come. Shape: `silent` has at most SILENT_LISTED, the longest silent first.

    Units: bytes for `freed_bytes`: over all points and the store, counted as the files were removed.
    """

    package: PackageId
    name: str
    state: PackageState
    held: int
    removed: int
    acknowledged: int
    silent: tuple[SilentHolder, ...]
    silent_count: int
    waits_for: str
    """What is awaited, and of whom, in words; empty when nothing is."""
    freed_bytes: int
    copies_left: int
    down_files_left: int
    deleted_at: datetime | None
    deleted_by: str | None
    replaced_by: PackageId | None
    removing_snapshot: int | None
    retired_snapshot: int | None
    retired_at: datetime | None
    withdrawn_at: datetime | None
    purged_at: datetime | None
    archived_at: datetime | None


# --- the states -------------------------------------------------------------------------------------------------------


def endings(tx: Connection) -> list[Ending]:
    """All packages between deletion and archive, oldest deletion first."""
    found: list[Ending] = []
    for row in tx.execute(_endings()).all():
        state = PackageState(row[1])
        has_files = state is PackageState.WITHDRAWN and has_files_left(tx, PackageId(row[0]))
        retiring = Retiring(state, row[2], row[3], row[4], row[5], row[6], row[7], row[8], has_files)
        found.append(Ending(PackageId(row[0]), retiring))
    return found


@cache
def _endings() -> Select[Any]:
    package = schema.package
    states = (PackageState.REMOVING, PackageState.RETIRING, PackageState.WITHDRAWN, PackageState.PURGED)
    return (
        select(
            package.c.id,
            package.c.state,
            package.c.deleted_at,
            package.c.removing_snapshot,
            package.c.retired_snapshot,
            package.c.retired_at,
            package.c.purged_at,
            _holder_count(schema.holder.c.removed_at.is_(None), schema.holder.c.acknowledged_at.is_(None)),
            _holder_count(schema.holder.c.acknowledged_at.is_(None)),
        )
        .where(or_(*(package.c.state == state for state in states)))
        .order_by(package.c.deleted_at, package.c.id)
    )


def has_files_left(tx: Connection, package: PackageId) -> bool:
    """Whether a file of this package alone is still recorded anywhere: a copy of its content, or its `.pkg` on the CAP."""
    return bool(manifests_only_of(tx, package)) or _down_files(tx, package) > 0


def manifests_only_of(tx: Connection, package: PackageId) -> list[str]:
    """Manifests of this package that no standing package consists of, and that were not yet seen to be gone."""
    return sorted(tx.execute(_manifests_only(), {"package": package}).scalars())


@cache
def _manifests_only() -> Select[str]:
    version, other = schema.source_version, schema.source_version.alias()
    is_shared = exists().where(
        other.c.manifest == version.c.manifest, schema.package.c.id == other.c.package, schema.package.c.state.in_(STANDING)
    )
    return (
        select(version.c.manifest)
        .distinct()
        .join(schema.manifest, schema.manifest.c.sha256 == version.c.manifest)
        .where(version.c.package == bindparam("package"), schema.manifest.c.removed_at.is_(None), ~is_shared)
    )


def purged_manifests(tx: Connection, package: PackageId) -> list[str]:
    """Manifests that this package consisted of and that are recorded as gone."""
    version, manifest = schema.source_version, schema.manifest
    statement = (
        select(version.c.manifest)
        .distinct()
        .join(manifest, manifest.c.sha256 == version.c.manifest)
        .where(version.c.package == package, manifest.c.removed_at.is_not(None))
    )
    return sorted(tx.execute(statement).scalars())


def set_state(tx: Connection, package: PackageId, state: PackageState, now: datetime) -> None:
    """Takes a package to its next state; what clients are told of it is published anew."""
    column = {
        PackageState.RETIRING: "retired_at",
        PackageState.WITHDRAWN: "withdrawn_at",
        PackageState.PURGED: "purged_at",
        PackageState.ARCHIVED: "archived_at",
    }[state]
    tx.execute(update(schema.package).where(schema.package.c.id == package).values({"state": state.value, column: now}))
    if state in (PackageState.RETIRING, PackageState.WITHDRAWN):
        wanted.want_package(tx, package)
        want_offers_that_named(tx, package)
    if state is PackageState.PURGED:
        freed = func.coalesce(schema.package.c.freed_bytes, 0)
        tx.execute(update(schema.package).where(schema.package.c.id == package).values(freed_bytes=freed))


def want_offers_that_named(tx: Connection, package: PackageId) -> None:
    """The offers of every collection that ever advertised this package, and of All Systems, are to be published anew."""
    advertisement, collection = schema.advertisement, schema.collection
    was_advertised = exists().where(advertisement.c.package == package, advertisement.c.collection == collection.c.id)
    concerned = select(collection.c.id).where(collection.c.deleted_at.is_(None), or_(was_advertised, collection.c.is_all_systems))
    for name in sorted(tx.execute(concerned).scalars()):
        wanted.want_offers(tx, CollectionId(name))


# --- for people -------------------------------------------------------------------------------------------------------


def progress(tx: Connection, package: PackageId, now: datetime) -> RetirementProgress | None:
    """How far the end of a package has come, or None when there is no such package."""
    del now
    row = tx.execute(select(schema.package).where(schema.package.c.id == package)).one_or_none()
    if row is None:
        return None
    state = PackageState(row.state)
    holder = schema.holder
    awaited = _awaited_column(state)
    counts = select(func.count(), func.count(holder.c.removed_at), func.count(holder.c.acknowledged_at), func.count(awaited))
    held, removed, acknowledged, heard = tx.execute(counts.where(holder.c.package == package)).one()
    silent = _silent(tx, package, awaited)
    copies, files = _copies(tx, package), _down_files(tx, package)
    return RetirementProgress(
        package=package,
        name=row.name,
        state=state,
        held=held,
        removed=removed,
        acknowledged=acknowledged,
        silent=silent,
        silent_count=held - heard,
        waits_for=_waits_for_signature(tx, package, state, row.retired_snapshot)
        or _waits_for(state, row.retired_snapshot, row.removing_snapshot, held - heard, copies, files),
        freed_bytes=row.freed_bytes or 0,
        copies_left=copies,
        down_files_left=files,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by,
        replaced_by=PackageId(row.replaced_by) if row.replaced_by else None,
        removing_snapshot=row.removing_snapshot,
        retired_snapshot=row.retired_snapshot,
        retired_at=row.retired_at,
        withdrawn_at=row.withdrawn_at,
        purged_at=row.purged_at,
        archived_at=row.archived_at,
    )


def _waits_for_signature(tx: Connection, package: PackageId, state: PackageState, retired_snapshot: int | None) -> str:
    if state is not PackageState.RETIRING or retired_snapshot is not None:
        return ""
    return site_keys.waits_for_signature(tx, package)


def _waits_for(
    state: PackageState, retired_snapshot: int | None, removing_snapshot: int | None, silent: int, copies: int, files: int
) -> str:
    match state:
        case PackageState.REMOVING if removing_snapshot is None:
            return "the next publication, which asks clients to uninstall it"
        case PackageState.REMOVING:
            return f"{_counted(silent, 'client', 'clients')} to uninstall it" if silent else ""
        case PackageState.RETIRING if retired_snapshot is None:
            return "the next publication, which says that it is deleted"
        case PackageState.RETIRING:
            return f"{_counted(silent, 'client', 'clients')} to forget it" if silent else ""
        case PackageState.WITHDRAWN if copies or files:
            places = [_counted(copies, "copy of its content", "copies of its content")] * (copies > 0)
            places += [_counted(files, "file on the access point", "files on the access point")] * (files > 0)
            return f"grace times to pass, after which {' and '.join(places)} go"
        case _:
            return ""


def _counted(count: int, one: str, more: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {more}"


def _silent(tx: Connection, package: PackageId, awaited: ColumnElement[datetime]) -> tuple[SilentHolder, ...]:
    client, holder = schema.client, schema.holder
    statement = (
        select(client.c.id, client.c.name, client.c.last_seen_at)
        .join(holder, holder.c.client == client.c.number)
        .where(holder.c.package == package, awaited.is_(None))
        .order_by(func.coalesce(client.c.last_seen_at, client.c.joined_at), client.c.id)
        .limit(SILENT_LISTED)
    )
    return tuple(SilentHolder(client=ClientId(row[0]), name=row[1], last_seen_at=row[2]) for row in tx.execute(statement))


def _awaited_column(state: PackageState) -> ColumnElement[datetime]:
    if state is PackageState.REMOVING:
        return func.coalesce(schema.holder.c.removed_at, schema.holder.c.acknowledged_at)
    return schema.holder.c.acknowledged_at


def _copies(tx: Connection, package: PackageId) -> int:
    manifests = manifests_only_of(tx, package)
    copy = schema.content_copy
    return int(tx.execute(select(func.count()).select_from(copy).where(copy.c.manifest.in_(manifests))).scalar_one())


def _down_files(tx: Connection, package: PackageId) -> int:
    """Its files on the site's own CAP, and on those that are pushed to; a CAP that drains or was removed is not waited for."""
    paths = {"with_digest": f"pkginfo.box/%.{package}.pkg", "plain": f"pkginfo.box/{package}.pkg"}
    return sum(int(tx.execute(statement, paths).scalar_one()) for statement in _files_of_package())


@cache
def _files_of_package() -> tuple[Select[int], ...]:
    elsewhere, point = schema.point_file, schema.point
    at_home = select(func.count()).select_from(schema.down_file).where(_is_of_package(schema.down_file.c.path))
    pushed = (
        select(func.count())
        .select_from(elsewhere.join(point, point.c.id == elsewhere.c.point))
        .where(_is_of_package(elsewhere.c.path), point.c.state == PointState.ACTIVE.value)
    )
    return at_home, pushed


def _is_of_package(path: ColumnElement[str]) -> ColumnElement[bool]:
    is_in_box = and_(path >= "pkginfo.box/", path < "pkginfo.box0")
    return and_(is_in_box, or_(path.like(bindparam("with_digest")), path == bindparam("plain")))


def _holder_count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    of_package = schema.holder.c.package == schema.package.c.id
    return select(func.count()).select_from(schema.holder).where(of_package, and_(*conditions)).scalar_subquery()
