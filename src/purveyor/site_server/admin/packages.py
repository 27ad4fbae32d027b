"""Packages: taken in, updated to new source versions, and deleted by the one function that deletes them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.admin import package_preview, programs, standing
from purveyor.site_server.database import (
    advertisements,
    audit,
    collections,
    counters,
    offered,
    packages,
    publication,
    site_keys,
    wanted,
)
from purveyor.site_server.database import (
    retirement as retirements,
)
from purveyor.site_server.database.retirement import RetirementProgress
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.names import line_of, name_of
from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, PackageId, package_id_of
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import ProgramKey

NAME_LIMIT = 200
_TEXT_LIMIT = 100
_SOURCE_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersionView:
    """One source version of a package. Units: bytes."""

    number: int
    manifest: str | None
    taken_in_at: datetime
    size_bytes: int
    file_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageView:
    """A package. Shape: `source_versions` is empty in a list, newest first otherwise. Units: bytes."""

    id: PackageId
    name: str
    version: str
    publisher: str
    source: str
    state: PackageState
    state_since: datetime
    source_version: int
    manifest: str | None
    size_bytes: int
    programs: int
    advertisements: int
    created_at: datetime
    deleted_at: datetime | None
    deleted_by: str | None
    replaced_by: PackageId | None
    source_versions: tuple[SourceVersionView, ...] = ()
    waits_for: str = ""
    """Whose signature its newest state waits for; empty in a list, and where it waits for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateView:
    """What an update of a package means. `offered_to`: how many clients are offered a program of it."""

    package: PackageId
    source_version: int
    offered_to: int
    note: str


PreviewView = package_preview.PreviewView
RetirementView = RetirementProgress


def add(
    tx: Connection,
    *,
    name: str,
    version: str = "",
    publisher: str = "",
    source: str = "",
    manifest: str | None = None,
    by: str,
    now: datetime,
) -> PackageId:
    """A new package. `manifest` is the hash of content that was uploaded before; without one the package has no content.

    Errors: RefusedError.
    """
    name = name_of(name, "a package", NAME_LIMIT)
    size_bytes = _take_manifest(tx, manifest)
    package = package_id_of(publication.site_code_of(tx), counters.next_number(tx, counters.PACKAGE))
    packages.insert_package(
        tx,
        package,
        name=name,
        version=line_of(version, "the version", _TEXT_LIMIT),
        publisher=line_of(publisher, "the publisher", NAME_LIMIT),
        source=line_of(source, "the source", _SOURCE_LIMIT),
        manifest=manifest or None,
        size_bytes=size_bytes,
        now=now,
    )
    wanted.want_package(tx, package)
    audit.record(tx, by=by, now=now, action="package.add", about=package, detail={"name": name, "manifest": manifest})
    return package


def update(
    tx: Connection,
    package: PackageId,
    *,
    manifest: str | None,
    source: str | None = None,
    version: str | None = None,
    content_paths: Collection[str] | None = None,
    by: str,
    now: datetime,
) -> UpdateView:
    """The next source version of a package. Nothing runs again because of it; who has not run it yet runs the new one.

    `content_paths` are the files of the new content, where they are known.
    Errors: RefusedError: the content is the same as now, was not uploaded, or lacks what a program needs; the package is deleted.
    """
    row = standing.active_package(tx, package)
    manifest = manifest or None
    if manifest == row.manifest:
        what = "the content is the same" if manifest else "it has no content now either"
        raise RefusedError(f"nothing changed: source version {row.source_version} of {package} ({row.name}) stays, {what}")
    size_bytes = _take_manifest(tx, manifest)
    if content_paths is not None:
        _check_needed(programs.files_needed(tx, package), content_paths)
    number = max(row.source_version, counters.highest_number(tx, counters.source_of(package))) + 1
    new_source = row.source if source is None else line_of(source, "the source", _SOURCE_LIMIT)
    packages.set_source(tx, package, source_version=number, source=new_source, manifest=manifest, size_bytes=size_bytes, now=now)
    if row.manifest is not None:
        packages.supersede_manifest(tx, row.manifest, now)
    if version is not None:
        version = line_of(version, "the version", _TEXT_LIMIT)
        packages.set_names(tx, package, name=row.name, version=version, publisher=row.publisher)
    wanted.want_package(tx, package)
    wanted.want_offers_of_all_that_advertise(tx)
    detail = {"source_version": number, "manifest": manifest, "version": version}
    audit.record(tx, by=by, now=now, action="package.update", about=package, detail=detail)
    reach = advertisements.count_reached(tx, package_preview.offering_collections(tx, package))
    counted = "1 client is" if reach == 1 else f"{reach} clients are"
    note = f"{counted} offered this package; where it has succeeded nothing runs again, unless an advertisement says each version"
    return UpdateView(package=package, source_version=number, offered_to=reach, note=note)


def edit(
    tx: Connection,
    package: PackageId,
    *,
    name: str | None = None,
    version: str | None = None,
    publisher: str | None = None,
    by: str,
    now: datetime,
) -> PackageView:
    """Calls a package something else; nothing refers to it by name. Errors: RefusedError."""
    row = standing.active_package(tx, package)
    chosen = {
        "name": row.name if name is None else name_of(name, "a package", NAME_LIMIT),
        "version": row.version if version is None else line_of(version, "the version", _TEXT_LIMIT),
        "publisher": row.publisher if publisher is None else line_of(publisher, "the publisher", NAME_LIMIT),
    }
    if (chosen["name"], chosen["version"], chosen["publisher"]) == (row.name, row.version, row.publisher):
        raise RefusedError(f"nothing changed: package {package} ({row.name}) is called so already")
    packages.set_names(tx, package, **chosen)
    wanted.want_package(tx, package)
    audit.record(tx, by=by, now=now, action="package.edit", about=package, detail={**chosen, "before": row.name})
    return shown(tx, package)


def listed(tx: Connection, *, include_deleted: bool = False) -> tuple[PackageView, ...]:
    """Packages by id: the active ones, or all."""
    states = list(PackageState) if include_deleted else [PackageState.ACTIVE]
    return tuple(_view(row, ()) for row in packages.listed(tx, states=states))


def shown(tx: Connection, package: PackageId) -> PackageView:
    """A package in whatever state, with its source versions. Errors: RefusedError when there is none."""
    view = _view(standing.known_package(tx, package), packages.source_versions(tx, package))
    return replace(view, waits_for=site_keys.waits_for_signature(tx, package))


def preview_deletion(tx: Connection, package: PackageId) -> PreviewView:
    """Whom a deletion would concern. Errors: RefusedError when the package is not active."""
    return package_preview.preview(tx, standing.active_package(tx, package))


def delete(
    tx: Connection,
    package: PackageId,
    *,
    running: RunningChoice = RunningChoice.FINISH,
    with_uninstall: bool = False,
    replaced_by: PackageId | None = None,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
) -> PreviewView:
    """Deletes a package: clients are told, forget it, and the site proves that they did. There is no other way to delete one.

    With `with_uninstall` it is first removed from the machines. Its advertisements go with it; programs of other packages that
    depend on it are offered no more, and the status of their advertisements says why; those that replace it go on, and say no
    more that they do.
    Errors: RefusedError: deleted already, nothing to uninstall it with. ConfirmationNeededError: whom it concerns.
    """
    row = standing.active_package(tx, package)
    preview = package_preview.preview(tx, row)
    if with_uninstall and not preview.can_uninstall:
        raise RefusedError(f"no program of {package} ({row.name}) has an uninstall command: delete it without uninstalling")
    if replaced_by is not None:
        if replaced_by == package:
            raise RefusedError(f"{package} cannot be replaced by itself")
        standing.active_package(tx, replaced_by)
    if not is_confirmed:
        raise ConfirmationNeededError(package_preview.confirmation_text(preview, with_uninstall=with_uninstall))
    packages.freeze_holders(tx, package, package_preview.offering_collections(tx, package))
    own = [AdvertisementId(one.id) for one in advertisements.standing(tx, package=package)]
    for one in own:
        offered.remember_advertisement(tx, one, without=package)
    wanted.want_offers_of_all_that_advertise(tx)
    advertisements.mark_deleted(tx, own, now)
    state = PackageState.REMOVING if with_uninstall else PackageState.RETIRING
    packages.mark_deleted(tx, package, state=state, running_choice=running, replaced_by=replaced_by, by=by, now=now)
    programs.forget_replaced_of(tx, package, by=by, now=now)
    wanted.want_package(tx, package)
    if with_uninstall:
        wanted.want_offers(tx, collections.all_systems(tx))
    for collection in advertisements.collections_ever_advertised_to(tx, package):
        wanted.want_offers(tx, collection)
    detail = {"name": row.name, "running": running, "with_uninstall": with_uninstall, "replaced_by": replaced_by}
    audit.record(tx, by=by, now=now, action="package.delete", about=package, detail=detail)
    return preview


def retirement(tx: Connection, package: PackageId, now: datetime) -> RetirementView:
    """How far the end of a package has come. Errors: RefusedError when it was not deleted, or never was."""
    row = standing.known_package(tx, package)
    progress = retirements.progress(tx, package, now)
    if row.state == PackageState.ACTIVE or progress is None:
        raise RefusedError(f"package {package} ({row.name}) is active: it was not deleted")
    return progress


def _check_needed(needed: Mapping[str, ProgramKey], content_paths: Collection[str]) -> None:
    """Nothing when enabled programs could run from this content: else it would fail on every client that comes to it."""
    for path, key in needed.items():
        if path not in content_paths:
            raise RefusedError(
                f"the uninstallation of program {key} needs the file {path[:200]!r}, which the new content does not have: bring"
                f" it back, or disable the program, update, change it, and enable it"
            )


def _take_manifest(tx: Connection, manifest: str | None) -> int:
    """The size of content that a package is about to need; 0 without content."""
    if not manifest:
        return 0
    row = packages.stored_manifest(tx, manifest)
    if row is None:
        raise RefusedError(f"the content with the manifest {manifest[:64]!r} was not uploaded, or is gone again: upload it first")
    packages.keep_manifest(tx, manifest)
    return int(row.size_bytes)


def _view(row: AnyRow, versions: Sequence[AnyRow]) -> PackageView:
    return PackageView(
        id=PackageId(row.id),
        name=row.name,
        version=row.version,
        publisher=row.publisher,
        source=row.source,
        state=PackageState(row.state),
        state_since=standing.state_since(row),
        source_version=row.source_version,
        manifest=row.manifest,
        size_bytes=row.size_bytes,
        programs=row.programs,
        advertisements=row.advertisements,
        created_at=row.created_at,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by,
        replaced_by=PackageId(row.replaced_by) if row.replaced_by else None,
        source_versions=tuple(
            SourceVersionView(
                number=one.number,
                manifest=one.manifest,
                taken_in_at=one.taken_in_at,
                size_bytes=one.size_bytes or 0,
                file_count=one.file_count or 0,
            )
            for one in versions
        ),
    )
