"""Packages over REST. Their content is sent before, over `/content`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import Field

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import ANY_PACKAGE_ID, PACKAGE_ID, Asked, Done, Name
from purveyor.console.visit import Visit
from purveyor.site_server.admin import packages, programs
from purveyor.site_server.admin.packages import PackageView, PreviewView, RetirementView, UpdateView
from purveyor.wire.ids import package_id
from purveyor.wire.offers import RunningChoice

router = APIRouter(prefix="/packages", tags=["packages"], responses=ANSWERS)

Package = Annotated[str, Path(description="id, such as S0100001", max_length=20, json_schema_extra=PACKAGE_ID)]
Line = Annotated[str, Field(max_length=200)]
Source = Annotated[str, Field(max_length=1000)]
ManifestHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class NewPackage(Asked):
    """A package to add. `manifest`: of the content that was sent before; null for a package without content."""

    name: Name
    version: Line = ""
    publisher: Line = ""
    source: Source = ""
    manifest: ManifestHash | None = None


class PackageChange(Asked):
    """What to change of a package; what is left out stays."""

    name: Name | None = None
    version: Line | None = None
    publisher: Line | None = None


class NewSourceVersion(Asked):
    """A new source version: the content that was sent before."""

    manifest: ManifestHash | None
    source: Source | None = None
    version: Line | None = None


@router.get("", summary="List packages")
def listed(visit: Reader, include_deleted: bool = False) -> list[PackageView]:
    """The active packages by id, or all."""
    return list(visit.read(lambda tx: packages.listed(tx, include_deleted=include_deleted)))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Add a package")
def add(visit: Administrator, asked: NewPackage) -> Done:
    """The new package's id."""
    given = asked.model_dump()
    return Done(id=visit.change(lambda tx: packages.add(tx, **given, by=visit.by, now=visit.now())))


@router.get("/{package}", summary="Show a package")
def shown(visit: Reader, package: Package) -> PackageView:
    """A package in whatever state, with its source versions."""
    return visit.read(lambda tx: packages.shown(tx, package_id(package)))


@router.patch("/{package}", summary="Change what a package is called")
def edit(visit: Administrator, package: Package, asked: PackageChange) -> PackageView:
    """The package as it is then. Nothing refers to it by name."""
    given = asked.model_dump()
    return visit.change(lambda tx: packages.edit(tx, package_id(package), **given, by=visit.by, now=visit.now()))


@router.post("/{package}/source-versions", status_code=status.HTTP_201_CREATED, summary="Take in a new source version")
def update(visit: Administrator, package: Package, asked: NewSourceVersion) -> UpdateView:
    """The new source version, and how far it reaches."""
    owner = package_id(package)
    is_known = asked.manifest is None or visit.site.store.has_manifest(asked.manifest)
    is_needed = is_known and bool(visit.read(lambda tx: programs.files_needed(tx, owner)))
    given = {**asked.model_dump(), "content_paths": paths_in(visit, asked.manifest) if is_needed else None}
    return visit.change(lambda tx: packages.update(tx, owner, **given, by=visit.by, now=visit.now()))


@router.get("/{package}/deletion-preview", summary="Show what deleting a package would touch")
def preview(visit: Reader, package: Package) -> PreviewView:
    """Who refers to it, and how many clients hold it, wait for it, or run it now."""
    return visit.read(lambda tx: packages.preview_deletion(tx, package_id(package)))


@router.delete("/{package}", summary="Delete a package")
def delete(
    visit: Administrator,
    package: Package,
    running: Annotated[RunningChoice, Query(description="what becomes of programs that run just then")] = RunningChoice.FINISH,
    uninstall: Annotated[bool, Query(description="first remove the software from the machines")] = False,
    replaced_by: Annotated[
        str | None, Query(description="the package that takes its place", max_length=20, json_schema_extra=ANY_PACKAGE_ID)
    ] = None,
    is_confirmed: bool = False,
) -> PreviewView:
    """Deletes a package once that is confirmed; gives whom it concerns. `retirement` tells how far it has come."""
    successor = package_id(replaced_by) if replaced_by else None
    return visit.change(
        lambda tx: packages.delete(
            tx,
            package_id(package),
            running=running,
            with_uninstall=uninstall,
            replaced_by=successor,
            is_confirmed=is_confirmed,
            by=visit.by,
            now=visit.now(),
        )
    )


@router.get("/{package}/retirement", summary="Show how far the deletion of a package has come")
def retirement(visit: Reader, package: Package) -> RetirementView:
    """Who held it, who has acknowledged, who is silent since when, and what was freed."""
    return visit.read(lambda tx: packages.retirement(tx, package_id(package), visit.now()))


def paths_in(visit: Visit, manifest: str | None) -> frozenset[str]:
    """The files in content that the site has; none without content. Errors: UnavailableError."""
    return frozenset(file.path for file in visit.site.store.read_manifest(manifest).files) if manifest else frozenset()
