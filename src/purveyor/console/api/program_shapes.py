"""What is asked of programs over REST, and what it means to `admin`. What is left out of a change stays as it is."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.shapes import Asked, Name
from purveyor.site_server.admin import programs
from purveyor.site_server.admin.programs import Definition, Part
from purveyor.wire.errors import RefusedError
from purveyor.wire.package_info import (
    AfterRun,
    CommandRule,
    Conditions,
    DetectionRule,
    FileRule,
    IfInterrupted,
    Logon,
    OsPackageRule,
    ProgramKey,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
    Uninstall,
)

Words = Annotated[list[Annotated[str, Field(max_length=8000)]], Field(min_length=1, max_length=500)]
CommandText = Annotated[str, Field(min_length=1, max_length=8000)] | Words
ExitCodes = Annotated[list[Annotated[int, Field(ge=-(2**31), lt=2**32)]], Field(max_length=200)]
RunSeconds = Annotated[int, Field(ge=1, le=30 * 86_400)]
FilePath = Annotated[str, Field(min_length=1, max_length=4000)]
Word = Annotated[str, Field(max_length=200)]
ProgramReference = Annotated[str, Field(max_length=300, description="PACKAGE/PROGRAM")]


class UninstallAsked(Asked):
    """How the program is removed: a command, and the files of the content that it needs. In a change, what is left out stays."""

    command: CommandText | None = None
    is_shell: bool = False
    files: Annotated[list[FilePath], Field(max_length=1000)] | None = None
    max_run_seconds: RunSeconds | None = None
    when_not_offered: Annotated[
        bool | None, Field(description="uninstall by itself once no advertisement of the program reaches the machine any more")
    ] = None

    def over(self, before: Uninstall | None) -> Uninstall:
        """How it is removed once this was said. Errors: RefusedError: nothing says what command does it."""
        if before is None:
            if self.command is None:
                raise RefusedError("nothing says how it is uninstalled: give the uninstall command too")
            before = Uninstall(command=programs.command_of(self.command, is_shell=self.is_shell))
        changes: dict[str, object] = {}
        if self.command is not None:
            changes["command"] = programs.command_of(self.command, is_shell=self.is_shell)
        if self.files is not None:
            changes["files"] = tuple(self.files)
        for name in ("max_run_seconds", "when_not_offered"):
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)
        return msgspec.structs.replace(before, **changes)


class FileDetection(Asked):
    """It is there when the file is, with this digest where one is given."""

    kind: Literal["file"]
    path: FilePath
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""

    def rule(self) -> DetectionRule:
        """As clients read it."""
        return FileRule(path=self.path, sha256=self.sha256)


class CommandDetection(Asked):
    """It is there when the command exits with 0."""

    kind: Literal["command"]
    command: CommandText
    is_shell: bool = False
    max_run_seconds: RunSeconds = 60

    def rule(self) -> DetectionRule:
        """As clients read it. Errors: RefusedError: the command is none."""
        command = programs.command_of(self.command, is_shell=self.is_shell)
        return CommandRule(command=command, max_run_seconds=self.max_run_seconds)


class OsPackageDetection(Asked):
    """It is there when the system's package manager has this package, at this version or newer."""

    kind: Literal["os-package"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    at_least: Word = ""
    root: Annotated[str, Field(max_length=4000)] = ""

    def rule(self) -> DetectionRule:
        """As clients read it."""
        return OsPackageRule(name=self.name, at_least=self.at_least, root=self.root)


class ConditionsAsked(Asked):
    """What must hold right before a launch. In a change, what is left out stays."""

    logon: Logon | None = None
    needs_mains: bool | None = None
    needs_unmetered: bool | None = None
    min_free_bytes: Annotated[int | None, Field(ge=0, le=2**50)] = None

    def over(self, before: Conditions) -> Conditions:
        """What must hold once this was said."""
        return msgspec.structs.replace(before, **self.model_dump(exclude_none=True))


class ReportingAsked(Asked):
    """What a status MIF must say to count as this program's own; an empty field is not compared."""

    file_name: Word = ""
    manufacturer: Word = ""
    product: Word = ""
    version: Word = ""


class SupersededAsked(Asked):
    """A program that this one replaces, and whether it is uninstalled before this one runs."""

    program: ProgramReference
    is_uninstalled: bool = False


Detection = Annotated[FileDetection | CommandDetection | OsPackageDetection, Field(discriminator="kind")]


class ProgramAsked(Asked):
    """What may be said of a program beside its name and command; what is left out is as usual, or stays."""

    is_shell: bool = False
    working_directory: Annotated[str, Field(max_length=4000)] | None = None
    max_run_seconds: RunSeconds | None = None
    success_codes: ExitCodes | None = None
    restart_codes: ExitCodes | None = None
    retry_codes: ExitCodes | None = None
    platforms: Annotated[list[Word], Field(max_length=100)] | None = None
    depends_on: ProgramReference | None = None
    supersedes: Annotated[list[SupersededAsked], Field(max_length=100)] | None = None
    conditions: ConditionsAsked | None = None
    run_as: RunAs | None = None
    runs_for: RunsFor | None = None
    after_run: AfterRun | None = None
    reporting: ReportingAsked | None = None
    uninstall: UninstallAsked | None = None
    detection: Detection | None = None
    if_interrupted: IfInterrupted | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


class NewProgram(ProgramAsked):
    """A program to add. `command`: a line, split into words unless `is_shell`; or the words themselves."""

    name: Name
    command: CommandText
    is_enabled: bool = True


class ProgramChange(ProgramAsked):
    """What to change of a program; what is left out stays. `without` takes parts away."""

    name: Name | None = None
    command: CommandText | None = None
    without: list[Part] = []


def definition_of(tx: Connection, asked: ProgramAsked, key: ProgramKey | None) -> Definition:
    """What was asked, in the shapes that `admin` takes. `key` is the program that is changed, None for a new one.

    Errors: RefusedError, RejectedError: it names a program that there is not, or says half of something.
    """
    given: Definition = {
        "working_directory": asked.working_directory,
        "max_run_seconds": asked.max_run_seconds,
        "success_codes": asked.success_codes,
        "restart_codes": asked.restart_codes,
        "retry_codes": asked.retry_codes,
        "platforms": asked.platforms,
        "if_interrupted": asked.if_interrupted,
        "description": asked.description,
        "run_as": asked.run_as,
        "runs_for": asked.runs_for,
        "after_run": asked.after_run,
    }
    if asked.depends_on is not None:
        given["depends_on"] = programs.find_key(tx, asked.depends_on)
    if asked.supersedes is not None:
        given["supersedes"] = [
            Superseded(key=programs.find_key(tx, one.program), is_uninstalled=one.is_uninstalled) for one in asked.supersedes
        ]
    if asked.conditions is not None:
        given["conditions"] = asked.conditions.over(programs.conditions_of(tx, key) if key else Conditions())
    if asked.reporting is not None:
        given["reporting"] = Reporting(**_texts(asked.reporting))
    if asked.uninstall is not None:
        given["uninstall"] = asked.uninstall.over(programs.uninstall_of(tx, key) if key else None)
    if asked.detection is not None:
        given["detection"] = asked.detection.rule()
    return given


def _texts(asked: ReportingAsked) -> Mapping[str, str]:
    return {name: text.strip() for name, text in asked.model_dump().items()}
