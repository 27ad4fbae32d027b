"""A program as people see it, frozen, with what to look at once more."""

from dataclasses import dataclass

import msgspec

from purveyor.site_server.database import programs
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import command_line
from purveyor.site_server.model.programs import warnings_of
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import (
    AfterRun,
    Command,
    IfInterrupted,
    Logon,
    Program,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
    Uninstall,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UninstallView:
    """How a program is removed. Exactly one of `argv` and `shell_line` is set."""

    argv: tuple[str, ...]
    shell_line: str
    files: tuple[str, ...]
    max_run_seconds: int
    when_not_offered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsView:
    """What must hold right before a launch. Units: bytes."""

    logon: Logon
    needs_mains: bool
    needs_unmetered: bool
    min_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportingView:
    """What a status MIF must say to count as the program's own; an empty field is not compared."""

    file_name: str
    manufacturer: str
    product: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersededView:
    """A program that is replaced, as PACKAGE/NUMBER, and whether it is uninstalled first."""

    program: str
    is_uninstalled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramView:
    """A program. Exactly one of `argv` and `shell_line` is set; no platforms means all. `warnings`: what to look at once more."""

    package: PackageId
    number: ProgramNumber
    name: str
    description: str
    argv: tuple[str, ...]
    shell_line: str
    working_directory: str
    max_run_seconds: int
    success_codes: tuple[int, ...]
    restart_codes: tuple[int, ...]
    retry_codes: tuple[int, ...]
    platforms: tuple[str, ...]
    depends_on: str | None
    supersedes: tuple[SupersededView, ...]
    conditions: ConditionsView
    run_as: RunAs
    runs_for: RunsFor
    after_run: AfterRun
    reporting: ReportingView | None
    uninstall: UninstallView | None
    detection: dict[str, object] | None
    if_interrupted: IfInterrupted
    is_enabled: bool
    warnings: tuple[str, ...] = ()


def view_of(row: AnyRow, warnings: tuple[str, ...] = ()) -> ProgramView:
    """The program in a row, as people see it. `warnings`: what its command line gave rise to as it was typed."""
    program = programs.program_of(row)
    uninstall, detection, conditions = program.uninstall, program.detection, program.conditions
    return ProgramView(
        package=PackageId(row.package),
        number=program.number,
        name=row.name,
        description=program.description,
        argv=program.command.argv,
        shell_line=program.command.shell_line,
        working_directory=program.working_directory,
        max_run_seconds=program.max_run_seconds,
        success_codes=program.success_codes,
        restart_codes=program.restart_codes,
        retry_codes=program.retry_codes,
        platforms=program.platforms,
        depends_on=None if program.depends_on is None else str(program.depends_on),
        supersedes=tuple(_superseded(one) for one in program.supersedes),
        conditions=ConditionsView(
            logon=conditions.logon,
            needs_mains=conditions.needs_mains,
            needs_unmetered=conditions.needs_unmetered,
            min_free_bytes=conditions.min_free_bytes,
        ),
        run_as=program.run_as,
        runs_for=program.runs_for,
        after_run=program.after_run,
        reporting=None if program.reporting is None else _reporting(program.reporting),
        uninstall=None if uninstall is None else _uninstall(uninstall),
        detection=None if detection is None else msgspec.to_builtins(detection),
        if_interrupted=program.if_interrupted,
        is_enabled=row.is_enabled,
        warnings=tuple(dict.fromkeys((*warnings, *_warnings(program)))),
    )


def _warnings(program: Program) -> tuple[str, ...]:
    commands = [program.command, *([program.uninstall.command] if program.uninstall else [])]
    found = [warning for command in commands for warning in _command_warnings(command)]
    return (*found, *warnings_of(program))


def _command_warnings(command: Command) -> tuple[str, ...]:
    return command_line.warnings_about(command.shell_line or command.argv, is_shell=bool(command.shell_line))


def _uninstall(uninstall: Uninstall) -> UninstallView:
    return UninstallView(
        argv=uninstall.command.argv,
        shell_line=uninstall.command.shell_line,
        files=uninstall.files,
        max_run_seconds=uninstall.max_run_seconds,
        when_not_offered=uninstall.when_not_offered,
    )


def _reporting(reporting: Reporting) -> ReportingView:
    return ReportingView(
        file_name=reporting.file_name,
        manufacturer=reporting.manufacturer,
        product=reporting.product,
        version=reporting.version,
    )


def _superseded(one: Superseded) -> SupersededView:
    return SupersededView(program=str(one.key), is_uninstalled=one.is_uninstalled)
