"""Programs over REST. A program is named by its number or its name within its package."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from sqlalchemy import Connection

from purveyor.console.api.packages import Package, paths_in
from purveyor.console.api.program_shapes import NewProgram, ProgramChange, UninstallAsked, definition_of
from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Done
from purveyor.console.visit import Visit
from purveyor.site_server.admin import packages, programs
from purveyor.site_server.admin.programs import ProgramView
from purveyor.wire.ids import PackageId, package_id
from purveyor.wire.package_info import ProgramKey

router = APIRouter(prefix="/packages/{package}/programs", tags=["programs"], responses=ANSWERS)

Program = Annotated[str, Path(description="number or name", max_length=200)]


@router.get("", summary="List the programs of a package")
def listed(visit: Reader, package: Package) -> list[ProgramView]:
    """Programs by number."""
    return list(visit.read(lambda tx: programs.listed(tx, package_id(package))))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Add a program")
def add(visit: Administrator, package: Package, asked: NewProgram) -> ProgramView:
    """The program with its number, and warnings about its command line."""
    owner = package_id(package)
    paths = _content_paths(visit, owner, asked.uninstall)

    def act(tx: Connection) -> ProgramView:
        added = programs.add(
            tx,
            owner,
            name=asked.name,
            command=asked.command,
            is_shell=asked.is_shell,
            content_paths=paths,
            by=visit.by,
            now=visit.now(),
            **definition_of(tx, asked, None),
        )
        if not asked.is_enabled:
            programs.disable(tx, ProgramKey(owner, added.number), by=visit.by, now=visit.now())
        return added

    added = visit.change(act)
    return added if asked.is_enabled else visit.read(lambda tx: programs.shown(tx, ProgramKey(owner, added.number)))


@router.get("/{program}", summary="Show a program")
def shown(visit: Reader, package: Package, program: Program) -> ProgramView:
    """A program."""
    return visit.read(lambda tx: programs.shown(tx, programs.find(tx, package_id(package), program)))


@router.patch("/{program}", summary="Change a program")
def edit(visit: Administrator, package: Package, program: Program, asked: ProgramChange) -> ProgramView:
    """The program as it is then. Nothing runs again because of it."""
    owner = package_id(package)
    paths = _content_paths(visit, owner, asked.uninstall)

    def act(tx: Connection) -> ProgramView:
        key = programs.find(tx, owner, program)
        return programs.edit(
            tx,
            key,
            name=asked.name,
            command=asked.command,
            is_shell=asked.is_shell,
            without=frozenset(asked.without),
            content_paths=paths,
            by=visit.by,
            now=visit.now(),
            **definition_of(tx, asked, key),
        )

    return visit.change(act)


@router.post("/{program}/enable", summary="Offer a program again")
def enable(visit: Administrator, package: Package, program: Program) -> ProgramView:
    """The program, enabled."""
    owner = package_id(package)
    return visit.change(lambda tx: programs.enable(tx, programs.find(tx, owner, program), by=visit.by, now=visit.now()))


@router.post("/{program}/disable", summary="Offer a program to nobody for now")
def disable(visit: Administrator, package: Package, program: Program) -> ProgramView:
    """The program, disabled. Clients forget nothing."""
    owner = package_id(package)
    return visit.change(lambda tx: programs.disable(tx, programs.find(tx, owner, program), by=visit.by, now=visit.now()))


@router.delete("/{program}", summary="Delete a program")
def delete(visit: Administrator, package: Package, program: Program, is_confirmed: bool = False) -> Done:
    """Deletes a program; with a confirmation also its advertisements. Clients forget it."""

    def act(tx: Connection) -> Done:
        key = programs.find(tx, package_id(package), program)
        programs.delete(tx, key, is_confirmed=is_confirmed, by=visit.by, now=visit.now())
        return Done(id=str(key))

    return visit.change(act)


def _content_paths(visit: Visit, package: PackageId, uninstall: UninstallAsked | None) -> frozenset[str] | None:
    """The files that the package's content has now, where an uninstallation names some."""
    if uninstall is None or not uninstall.files:
        return None
    return paths_in(visit, visit.read(lambda tx: packages.shown(tx, package)).manifest)
