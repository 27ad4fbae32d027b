"""Programs: the commands of packages. A program's number never changes; its name may."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.admin import standing
from purveyor.site_server.database import advertisements, audit, offered, programs, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import command_line, dependencies
from purveyor.site_server.model.names import name_of
from purveyor.site_server.model.platforms import platforms_of
from purveyor.site_server.model.programs import NAME_LIMIT, check_program, exit_codes_of
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber, package_id
from purveyor.wire.package_info import (
    DEFAULT_RUN_SECONDS,
    Command,
    DetectionRule,
    IfInterrupted,
    Program,
    ProgramKey,
    Uninstall,
)

DEFAULT_RESTART_CODES: tuple[int, ...] = Program(number=ProgramNumber(1), name="", command=Command()).restart_codes


class Part(StrEnum):
    """A part of a program that may be taken away again."""

    DEPENDS_ON = "depends_on"
    UNINSTALL = "uninstall"
    DETECTION = "detection"


@dataclass(frozen=True, slots=True, kw_only=True)
class UninstallView:
    """How a program is removed. Exactly one of `argv` and `shell_line` is set."""

    argv: tuple[str, ...]
    shell_line: str
    files: tuple[str, ...]
    max_run_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramView:
    """A program. Exactly one of `argv` and `shell_line` is set; no platforms means all. `warnings`: what to look at once more."""

    package: PackageId
    number: ProgramNumber
    name: str
    argv: tuple[str, ...]
    shell_line: str
    working_directory: str
    max_run_seconds: int
    success_codes: tuple[int, ...]
    restart_codes: tuple[int, ...]
    platforms: tuple[str, ...]
    depends_on: str | None
    uninstall: UninstallView | None
    detection: dict[str, object] | None
    if_interrupted: IfInterrupted
    is_enabled: bool
    warnings: tuple[str, ...] = ()


def find(tx: Connection, package: PackageId, text: str) -> ProgramKey:
    """The standing program of a package with this name or number. Errors: RefusedError."""
    standing.known_package(tx, package)
    text = text.strip()
    number = programs.number_named(tx, package, text)
    if number is None and text.isascii() and text.isdigit():
        number = ProgramNumber(int(text[:9]))
    if number is None:
        known = ", ".join(f"{row.name!r} ({row.number})" for row in programs.standing(tx, package)) or "none"
        raise RefusedError(f"package {package} has no program {text[:200]!r}: it has {known}")
    key = ProgramKey(package, number)
    standing.standing_program(tx, key)
    return key


def find_key(tx: Connection, text: str) -> ProgramKey:
    """The standing program written as `PACKAGE/PROGRAM`, by name or number. Errors: RefusedError, RejectedError."""
    package, separator, program = text.strip().partition("/")
    if not separator:
        raise RefusedError(f"{text[:200]!r} names no program: write package and program, such as S0100001/1")
    return find(tx, package_id(package), program)


def command_of(given: str | Sequence[str], *, is_shell: bool = False) -> Command:
    """The command in a text as it is typed, or in words. Errors: RefusedError."""
    return command_line.command_of(given, is_shell=is_shell)


def add(
    tx: Connection,
    package: PackageId,
    *,
    name: str,
    command: str | Sequence[str],
    is_shell: bool = False,
    working_directory: str = "",
    max_run_seconds: int = DEFAULT_RUN_SECONDS,
    success_codes: Iterable[int] = (0,),
    restart_codes: Iterable[int] | None = None,
    platforms: Iterable[str] = (),
    depends_on: ProgramKey | None = None,
    uninstall: Uninstall | None = None,
    detection: DetectionRule | None = None,
    if_interrupted: IfInterrupted = IfInterrupted.LEAVE,
    content_paths: Collection[str] | None = None,
    by: str,
    now: datetime,
) -> ProgramView:
    """A new program. `command` is a text as it is typed, or words; `content_paths` are the package's files, where they are known.

    Restart codes that are not given are the usual ones, without those that are said to mean success.
    Errors: RefusedError, which says what to change.
    """
    standing.active_package(tx, package)
    name = _free_name(tx, package, name, None)
    success = exit_codes_of(success_codes)
    program = Program(
        number=programs.next_program_number(tx, package),
        name=name,
        command=command_of(command, is_shell=is_shell),
        working_directory=working_directory,
        max_run_seconds=max_run_seconds,
        success_codes=success,
        restart_codes=_restart_codes(restart_codes, success),
        platforms=platforms_of(platforms),
        depends_on=depends_on,
        uninstall=uninstall,
        detection=detection,
        if_interrupted=if_interrupted,
    )
    check_program(program, content_paths)
    _check_dependency(tx, package, program)
    programs.insert_program(tx, package, program)
    _want(tx, package)
    warnings = command_line.warnings_about(command, is_shell=is_shell) + _uninstall_warnings(uninstall)
    detail: dict[str, object] = {"name": name, "argv": program.command.argv, "shell_line": program.command.shell_line}
    _record(tx, "program.add", ProgramKey(package, program.number), {} if warnings else detail, by, now)
    return _view(standing.standing_program(tx, ProgramKey(package, program.number)), warnings)


def edit(
    tx: Connection,
    key: ProgramKey,
    *,
    name: str | None = None,
    command: str | Sequence[str] | None = None,
    is_shell: bool = False,
    working_directory: str | None = None,
    max_run_seconds: int | None = None,
    success_codes: Iterable[int] | None = None,
    restart_codes: Iterable[int] | None = None,
    platforms: Iterable[str] | None = None,
    depends_on: ProgramKey | None = None,
    uninstall: Uninstall | None = None,
    detection: DetectionRule | None = None,
    if_interrupted: IfInterrupted | None = None,
    without: Collection[Part] = (),
    content_paths: Collection[str] | None = None,
    by: str,
    now: datetime,
) -> ProgramView:
    """Changes what is given, takes away the parts in `without`, and leaves the rest. Nothing runs again because of it.

    Errors: RefusedError, which says what to change.
    """
    standing.active_package(tx, key.package)
    before = programs.program_of(standing.standing_program(tx, key))
    success = before.success_codes if success_codes is None else exit_codes_of(success_codes)
    restart = tuple(code for code in before.restart_codes if code not in success)
    program = Program(
        number=before.number,
        name=before.name if name is None else _free_name(tx, key.package, name, key.program),
        command=before.command if command is None else command_of(command, is_shell=is_shell),
        working_directory=before.working_directory if working_directory is None else working_directory,
        max_run_seconds=before.max_run_seconds if max_run_seconds is None else max_run_seconds,
        success_codes=success,
        restart_codes=restart if restart_codes is None else exit_codes_of(restart_codes),
        platforms=before.platforms if platforms is None else platforms_of(platforms),
        depends_on=depends_on or (None if Part.DEPENDS_ON in without else before.depends_on),
        uninstall=uninstall or (None if Part.UNINSTALL in without else before.uninstall),
        detection=detection or (None if Part.DETECTION in without else before.detection),
        if_interrupted=if_interrupted or before.if_interrupted,
    )
    if program == before:
        raise RefusedError(f"nothing changed: program {key} ({before.name}) is so already")
    check_program(program, content_paths if uninstall else None)
    if program.depends_on != before.depends_on:
        _check_dependency(tx, key.package, program)
    programs.replace_program(tx, key.package, program)
    _want(tx, key.package)
    warnings = () if command is None else command_line.warnings_about(command, is_shell=is_shell)
    warnings += _uninstall_warnings(uninstall)
    changed = [field for field in Program.__struct_fields__ if getattr(program, field) != getattr(before, field)]
    _record(tx, "program.edit", key, {"name": program.name, "changed": changed}, by, now)
    return _view(standing.standing_program(tx, key), warnings)


def enable(tx: Connection, key: ProgramKey, *, by: str, now: datetime) -> ProgramView:
    """Lets a program be run again where it is advertised. Errors: RefusedError."""
    return _set_enabled(tx, key, is_enabled=True, by=by, now=now)


def disable(tx: Connection, key: ProgramKey, *, by: str, now: datetime) -> ProgramView:
    """Holds a program back everywhere, without forgetting anything. Errors: RefusedError."""
    return _set_enabled(tx, key, is_enabled=False, by=by, now=now)


def delete(tx: Connection, key: ProgramKey, *, is_confirmed: bool = False, by: str, now: datetime) -> None:
    """Deletes a program; with a confirmation its advertisements are deleted with it. Clients forget it.

    Errors: RefusedError: another program depends on it. ConfirmationNeededError: it is advertised.
    """
    standing.active_package(tx, key.package)
    row = standing.standing_program(tx, key)
    graph = programs.dependencies(tx)
    dependents = sorted(other for other, needed in graph.items() if needed == key)
    if dependents:
        names = ", ".join(str(other) for other in dependents[:10])
        raise RefusedError(f"program {key} ({row.name}) is needed by {names}: change or delete what depends on it first")
    offers = advertisements.standing(tx, programs=[key])
    if offers and not is_confirmed:
        places = ", ".join(f"{one.id} to {one.collection_name}" for one in offers[:10])
        raise ConfirmationNeededError(
            f"program {key} ({row.name}) is advertised: {places}: with a confirmation these advertisements are deleted too"
        )
    for one in offers:
        offered.remember_advertisement(tx, AdvertisementId(one.id))
        wanted.want_offers(tx, CollectionId(one.collection))
    advertisements.mark_deleted(tx, [AdvertisementId(one.id) for one in offers], now)
    programs.mark_deleted(tx, key, now)
    _want(tx, key.package)
    _record(tx, "program.delete", key, {"name": row.name, "advertisements": [one.id for one in offers]}, by, now)


def listed(tx: Connection, package: PackageId) -> tuple[ProgramView, ...]:
    """The programs of a package, by number. Errors: RefusedError when there is no such package."""
    standing.known_package(tx, package)
    return tuple(_view(row, _stored_warnings(row)) for row in programs.standing(tx, package))


def shown(tx: Connection, key: ProgramKey) -> ProgramView:
    """A program. Errors: RefusedError when there is none."""
    row = standing.standing_program(tx, key)
    return _view(row, _stored_warnings(row))


def _set_enabled(tx: Connection, key: ProgramKey, *, is_enabled: bool, by: str, now: datetime) -> ProgramView:
    standing.active_package(tx, key.package)
    row = standing.standing_program(tx, key)
    word = "enabled" if is_enabled else "disabled"
    if row.is_enabled == is_enabled:
        raise RefusedError(f"nothing changed: program {key} ({row.name}) is {word} already")
    programs.set_enabled(tx, key, is_enabled=is_enabled)
    _want(tx, key.package)
    _record(tx, "program.enable" if is_enabled else "program.disable", key, {"name": row.name}, by, now)
    return shown(tx, key)


def _want(tx: Connection, package: PackageId) -> None:
    wanted.want_package(tx, package)
    wanted.want_offers_of_all_that_advertise(tx)


def _record(tx: Connection, action: str, key: ProgramKey, detail: dict[str, object], by: str, now: datetime) -> None:
    audit.record(tx, by=by, now=now, action=action, about=key.package, detail={"program": key.program, **detail})


def _free_name(tx: Connection, package: PackageId, text: str, own: ProgramNumber | None) -> str:
    name = name_of(text, "a program", NAME_LIMIT)
    if name.isascii() and name.isdigit():
        raise RefusedError(f"{name!r} reads as the number of a program: choose another name")
    taken = programs.number_named(tx, package, name)
    if taken is not None and taken != own:
        raise RefusedError(f"package {package} has a program {name!r} already: number {taken}")
    return name


def _restart_codes(given: Iterable[int] | None, success: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return tuple(code for code in DEFAULT_RESTART_CODES if code not in success)
    return exit_codes_of(given)


def _check_dependency(tx: Connection, package: PackageId, program: Program) -> None:
    needed = program.depends_on
    if needed is None:
        return
    standing.active_package(tx, needed.package)
    standing.standing_program(tx, needed)
    own = ProgramKey(package, program.number)
    cycle = dependencies.cycle_through({**programs.dependencies(tx), own: needed}, own)
    if cycle:
        raise RefusedError(f"the program would depend on itself: {' → '.join(str(step) for step in cycle)}")


def _uninstall_warnings(uninstall: Uninstall | None) -> tuple[str, ...]:
    return () if uninstall is None else _command_warnings(uninstall.command)


def _stored_warnings(row: AnyRow) -> tuple[str, ...]:
    program = programs.program_of(row)
    return _command_warnings(program.command) + _uninstall_warnings(program.uninstall)


def _command_warnings(command: Command) -> tuple[str, ...]:
    return command_line.warnings_about(command.shell_line or command.argv, is_shell=bool(command.shell_line))


def _view(row: AnyRow, warnings: tuple[str, ...]) -> ProgramView:
    program = programs.program_of(row)
    uninstall, detection = program.uninstall, program.detection
    return ProgramView(
        package=PackageId(row.package),
        number=program.number,
        name=row.name,
        argv=program.command.argv,
        shell_line=program.command.shell_line,
        working_directory=program.working_directory,
        max_run_seconds=program.max_run_seconds,
        success_codes=program.success_codes,
        restart_codes=program.restart_codes,
        platforms=program.platforms,
        depends_on=None if program.depends_on is None else str(program.depends_on),
        uninstall=None
        if uninstall is None
        else UninstallView(
            argv=uninstall.command.argv,
            shell_line=uninstall.command.shell_line,
            files=uninstall.files,
            max_run_seconds=uninstall.max_run_seconds,
        ),
        detection=None if detection is None else msgspec.to_builtins(detection),
        if_interrupted=program.if_interrupted,
        is_enabled=row.is_enabled,
        warnings=tuple(dict.fromkeys(warnings)),
    )
