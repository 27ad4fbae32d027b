"""Whom the deletion of a package concerns. It is decided and done in `packages`; here it is only looked at."""

from dataclasses import dataclass

from sqlalchemy import Connection

from purveyor.site_server.database import advertisements, packages, programs, site_keys
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import supersedence
from purveyor.site_server.model.dependencies import dependents_of
from purveyor.wire.ids import CollectionId, PackageId, ProgramNumber
from purveyor.wire.package_info import ProgramKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Something that refers to a package: its id, and its name for people."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewView:
    """Whom a deletion concerns: what refers to the package, how many clients hold it, wait for it, or run it now.

    `superseded_by`: programs of other packages that replace one of this package; they go on without that.
    `supersedes`: programs of other packages that one of this package replaces; they run again where they are offered.
    """

    package: PackageId
    name: str
    advertisements: tuple[Reference, ...]
    dependents: tuple[Reference, ...]
    superseded_by: tuple[Reference, ...]
    supersedes: tuple[Reference, ...]
    collections: tuple[Reference, ...]
    holder_count: int
    pending_count: int
    running_count: int
    can_uninstall: bool
    waits_for: str = ""
    """Whose signature the deletion would wait for; empty when it would wait for none."""


def preview(tx: Connection, row: AnyRow) -> PreviewView:
    """Whom the deletion of the package in this row would concern."""
    package = PackageId(row.id)
    offers = advertisements.standing(tx, package=package)
    targets = {one.collection: one.collection_name for one in offers}
    dependents = sorted(key for key in _dependents(tx, package) if key.package != package)
    replacements = programs.replacements(tx)
    own = frozenset(ProgramKey(package, ProgramNumber(row.number)) for row in programs.standing(tx, package))
    replacing = sorted(key for key in supersedence.replacing(replacements, own) if key.package != package)
    replaced = sorted({key for one in own for key in replacements.get(one, ()) if key.package != package})
    return PreviewView(
        package=package,
        name=row.name,
        advertisements=tuple(
            Reference(id=one.id, name=f"{one.name}: {one.program_name} to {one.collection_name}") for one in offers
        ),
        dependents=tuple(Reference(id=str(key), name=_program_name(tx, key)) for key in dependents),
        superseded_by=tuple(Reference(id=str(key), name=_program_name(tx, key)) for key in replacing),
        supersedes=tuple(Reference(id=str(key), name=_program_name(tx, key)) for key in replaced),
        collections=tuple(Reference(id=one, name=targets[one]) for one in sorted(targets)),
        holder_count=packages.count_holders_to_be(tx, package, offering_collections(tx, package)),
        pending_count=packages.count_clients_with_jobs(tx, package, packages.PENDING),
        running_count=packages.count_clients_with_jobs(tx, package, packages.UNDER_WAY),
        can_uninstall=any(programs.program_of(one).uninstall is not None for one in programs.standing(tx, package)),
        waits_for="" if site_keys.is_packages_key_here(tx) else "a signature of packages, whose key is not on the server",
    )


def confirmation_text(preview: PreviewView, *, with_uninstall: bool) -> str:
    """What a person has to confirm."""
    parts = [f"{preview.holder_count} clients hold it or were offered it"]
    if preview.advertisements:
        parts.append(f"{len(preview.advertisements)} advertisements are deleted with it")
    if preview.dependents:
        names = ", ".join(one.id for one in preview.dependents[:10])
        parts.append(f"{len(preview.dependents)} programs of other packages depend on it and will fail ({names})")
    if preview.superseded_by:
        names = ", ".join(one.id for one in preview.superseded_by[:10])
        parts.append(f"{len(preview.superseded_by)} programs of other packages replace it and go on without that ({names})")
    if preview.supersedes:
        names = ", ".join(one.id for one in preview.supersedes[:10])
        parts.append(f"{len(preview.supersedes)} programs that it replaces run again where they are offered ({names})")
    if preview.pending_count or preview.running_count:
        parts.append(f"{preview.pending_count} clients wait for it and {preview.running_count} run it now")
    if preview.waits_for:
        parts.append(f"it stops at once, and is forgotten after {preview.waits_for}")
    if with_uninstall:
        parts.append("it is uninstalled from those machines first")
    return (
        f"package {preview.package} ({preview.name}) would be deleted for good: {'; '.join(parts)}: confirm it if that is meant"
    )


def _dependents(tx: Connection, package: PackageId) -> frozenset[ProgramKey]:
    own = frozenset(ProgramKey(package, ProgramNumber(row.number)) for row in programs.standing(tx, package))
    return own | dependents_of(programs.dependencies(tx), own)


def offering_collections(tx: Connection, package: PackageId) -> frozenset[CollectionId]:
    """The collections whose members are offered a program of this package, or one that depends on one."""
    offers = advertisements.standing(tx, programs=_dependents(tx, package))
    return frozenset(CollectionId(one.collection) for one in offers)


def _program_name(tx: Connection, key: ProgramKey) -> str:
    row = programs.row_of(tx, key)
    return "" if row is None else str(row.name)
