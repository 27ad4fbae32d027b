"""Programs over REST. A program is named by its number or its name within its package."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, status
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.api.packages import Package
from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked, Done, Name
from purveyor.console.visit import Visit
from purveyor.site_server.admin import packages, programs
from purveyor.site_server.admin.programs import Part, ProgramView
from purveyor.wire.ids import PackageId, package_id
from purveyor.wire.package_info import (
    DEFAULT_RUN_SECONDS,
    Command,
    CommandRule,
    DetectionRule,
    FileRule,
    IfInterrupted,
    OsPackageRule,
    ProgramKey,
    Uninstall,
)

router = APIRouter(prefix="/packages/{package}/programs", tags=["programs"], responses=ANSWERS)

Program = Annotated[str, Path(description="number or name", max_length=200)]
Words = Annotated[list[Annotated[str, Field(max_length=8000)]], Field(min_length=1, max_length=500)]
CommandText = Annotated[str, Field(min_length=1, max_length=8000)] | Words
ExitCodes = Annotated[list[Annotated[int, Field(ge=-(2**31), lt=2**32)]], Field(max_length=200)]
RunSeconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
FilePath = Annotated[str, Field(min_length=1, max_length=4000)]
Word = Annotated[str, Field(max_length=200)]


class UninstallAsked(Asked):
    """How the program is removed: a command, and the files of the content that it needs."""

    command: CommandText
    is_shell: bool = False
    files: Annotated[list[FilePath], Field(max_length=1000)] = []
    max_run_seconds: RunSeconds = DEFAULT_RUN_SECONDS


class FileDetection(Asked):
    """It is there when the file is, with this digest where one is given."""

    kind: Literal["file"]
    path: FilePath
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""


class CommandDetection(Asked):
    """It is there when the command exits with 0."""

    kind: Literal["command"]
    command: CommandText
    is_shell: bool = False
    max_run_seconds: RunSeconds = 60


class OsPackageDetection(Asked):
    """It is there when the system's package manager has this package, at this version or newer."""

    kind: Literal["os-package"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    at_least: Word = ""
    root: Annotated[str, Field(max_length=4000)] = ""


Detection = Annotated[FileDetection | CommandDetection | OsPackageDetection, Field(discriminator="kind")]


class NewProgram(Asked):
    """A program to add. `command`: a line, split into words unless `is_shell`; or the words themselves."""

    name: Name
    command: CommandText
    is_shell: bool = False
    working_directory: Annotated[str, Field(max_length=4000)] = ""
    max_run_seconds: RunSeconds = DEFAULT_RUN_SECONDS
    success_codes: ExitCodes = [0]
    restart_codes: ExitCodes | None = None
    platforms: Annotated[list[Word], Field(max_length=100)] = []
    depends_on: Annotated[str, Field(max_length=300, description="PACKAGE/PROGRAM")] | None = None
    uninstall: UninstallAsked | None = None
    detection: Detection | None = None
    if_interrupted: IfInterrupted = IfInterrupted.LEAVE
    is_enabled: bool = True


class ProgramChange(Asked):
    """What to change of a program; what is left out stays. `without` takes parts away."""

    name: Name | None = None
    command: CommandText | None = None
    is_shell: bool = False
    working_directory: Annotated[str, Field(max_length=4000)] | None = None
    max_run_seconds: RunSeconds | None = None
    success_codes: ExitCodes | None = None
    restart_codes: ExitCodes | None = None
    platforms: Annotated[list[Word], Field(max_length=100)] | None = None
    depends_on: Annotated[str, Field(max_length=300, description="PACKAGE/PROGRAM")] | None = None
    uninstall: UninstallAsked | None = None
    detection: Detection | None = None
    if_interrupted: IfInterrupted | None = None
    without: list[Part] = []


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
        given = _given(tx, asked) | {"name": asked.name, "command": asked.command}
        added = programs.add(tx, owner, **given, content_paths=paths, by=visit.by, now=visit.now())
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
        given = _given(tx, asked) | {"name": asked.name, "command": asked.command, "without": frozenset(asked.without)}
        return programs.edit(tx, programs.find(tx, owner, program), **given, content_paths=paths, by=visit.by, now=visit.now())

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


def _given(tx: Connection, asked: NewProgram | ProgramChange) -> dict[str, Any]:
    """What was asked, in the shapes that `admin` takes; without name and command."""
    return {
        "is_shell": asked.is_shell,
        "working_directory": asked.working_directory,
        "max_run_seconds": asked.max_run_seconds,
        "success_codes": asked.success_codes,
        "restart_codes": asked.restart_codes,
        "platforms": asked.platforms,
        "depends_on": None if asked.depends_on is None else programs.find_key(tx, asked.depends_on),
        "uninstall": None if asked.uninstall is None else _uninstall(asked.uninstall),
        "detection": None if asked.detection is None else _detection(asked.detection),
        "if_interrupted": asked.if_interrupted,
    }


def _uninstall(asked: UninstallAsked) -> Uninstall:
    command = programs.command_of(asked.command, is_shell=asked.is_shell)
    return Uninstall(command=command, files=tuple(asked.files), max_run_seconds=asked.max_run_seconds)


def _detection(asked: FileDetection | CommandDetection | OsPackageDetection) -> DetectionRule:
    match asked:
        case FileDetection():
            return FileRule(path=asked.path, sha256=asked.sha256)
        case CommandDetection():
            command: Command = programs.command_of(asked.command, is_shell=asked.is_shell)
            return CommandRule(command=command, max_run_seconds=asked.max_run_seconds)
        case OsPackageDetection():
            return OsPackageRule(name=asked.name, at_least=asked.at_least, root=asked.root)


def _content_paths(visit: Visit, package: PackageId, uninstall: UninstallAsked | None) -> frozenset[str] | None:
    """The files that the package's content has now, where an uninstallation names some."""
    if uninstall is None or not uninstall.files:
        return None
    manifest = visit.read(lambda tx: packages.shown(tx, package)).manifest
    if manifest is None:
        return frozenset()
    return frozenset(file.path for file in visit.site.store.read_manifest(manifest).files)
