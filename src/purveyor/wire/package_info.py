"""A package as clients read it: `pkginfo.box/<id>.pkg`, complete for its package.

Written by `publish`, read by the client's `policy`. Command lines live only here, under the `packages` role.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from purveyor.wire.form import Wire, from_bytes, to_bytes
from purveyor.wire.ids import PackageId, ProgramNumber, package_id

DEFAULT_RUN_SECONDS = 3600
NUMBER_LIMIT = 100_000
"""Programs of one package, counted since it was made; far more than any has."""
Number = Annotated[ProgramNumber, msgspec.Meta(ge=0, le=NUMBER_LIMIT)]
"""A program's number as it is read."""


class ProgramKey(NamedTuple):
    """One program of one package: by this, history is kept."""

    package: PackageId
    program: Number

    def __str__(self) -> str:
        return f"{self.package}/{self.program}"


class IfInterrupted(StrEnum):
    """What to do with a run of which nobody can tell how it ended."""

    LEAVE = "leave"
    RUN_AGAIN = "run-again"


class Command(Wire):
    """What to start: words, or one line for the system's shell. Exactly one of the two is set."""

    argv: tuple[str, ...] = ()
    shell_line: str = ""


class FileRule(Wire, tag="file", tag_field="kind"):
    """Detected when the file is there, and has this digest where one is given."""

    path: str
    sha256: str = ""


class CommandRule(Wire, tag="command", tag_field="kind"):
    """Detected when the command exits with 0."""

    command: Command
    max_run_seconds: int = 60


class OsPackageRule(Wire, tag="os-package", tag_field="kind"):
    """Detected when the system's package manager has this package installed, at this version or newer where given."""

    name: str
    at_least: str = ""
    root: str = ""
    """The folder that holds the system, for packages installed into a root of their own; empty is the machine's own."""


DetectionRule = FileRule | CommandRule | OsPackageRule


class Uninstall(Wire):
    """How a program is removed: a command, and the files of the content that it needs (kept with the receipt)."""

    command: Command
    files: tuple[str, ...] = ()
    max_run_seconds: int = DEFAULT_RUN_SECONDS
    when_not_offered: bool = False
    """Removed by itself once no advertisement of the program reaches the machine any more (protocol, section 6)."""


class Logon(StrEnum):
    """Who has to be logged on for a program to start."""

    ANY = "any"
    USER = "user"
    NONE = "none"


class RunAs(StrEnum):
    """With whose rights a program runs."""

    SYSTEM = "system"
    USER = "user"


class RunsFor(StrEnum):
    """For whom a program that needs a user runs."""

    FIRST_USER = "first-user"
    EVERY_USER = "every-user"


class AfterRun(StrEnum):
    """What a success asks for, whatever the exit code."""

    NOTHING = "nothing"
    RESTART = "restart"
    PROGRAM_RESTARTS = "program-restarts"
    """The program restarts the machine by itself: that nobody saw it end is then no surprise."""


class Conditions(Wire):
    """What must hold right before a launch. What the machine cannot tell (mains, metered) does not stand in the way."""

    logon: Logon = Logon.ANY
    needs_mains: bool = False
    needs_unmetered: bool = False
    min_free_bytes: int = 0


class Reporting(Wire):
    """What a status MIF must say to count as this program's own; an empty field is not compared.

    Source: Q268791, Q216744.
    """

    file_name: str = ""
    manufacturer: str = ""
    product: str = ""
    version: str = ""


class Superseded(Wire):
    """A program that this one replaces: where this one is offered, that one is not run any more."""

    key: ProgramKey
    is_uninstalled: bool = False
    """Whether it is uninstalled, from its receipt, before this one runs."""


class Program(Wire):
    """One command of a package. Its number never changes; its name may."""

    number: Number
    name: str
    command: Command
    working_directory: str = ""
    max_run_seconds: int = DEFAULT_RUN_SECONDS
    success_codes: tuple[int, ...] = (0,)
    restart_codes: tuple[int, ...] = (3010, 3011, 1641, 1604)
    platforms: tuple[str, ...] = ()
    depends_on: ProgramKey | None = None
    uninstall: Uninstall | None = None
    detection: DetectionRule | None = None
    if_interrupted: IfInterrupted = IfInterrupted.LEAVE
    description: str = ""
    """For the people in front of the machine."""
    conditions: Conditions = Conditions()
    run_as: RunAs = RunAs.SYSTEM
    runs_for: RunsFor = RunsFor.FIRST_USER
    after_run: AfterRun = AfterRun.NOTHING
    retry_codes: tuple[int, ...] = (1618,)
    """Exit codes that mean: not now. The same occurrence is tried again later, a few times."""
    reporting: Reporting | None = None
    supersedes: tuple[Superseded, ...] = ()


class PackageInfo(Wire):
    """Everything about one package that a client may act on. `highest_program` proves which programs were deleted."""

    id: PackageId
    name: str
    source_version: int
    version: str = ""
    publisher: str = ""
    manifest: str = ""
    size_bytes: int = 0
    highest_program: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_LIMIT)] = 0
    programs: tuple[Program, ...] = ()

    def program(self, number: ProgramNumber) -> Program | None:
        """The program with this number, or None."""
        return next((program for program in self.programs if program.number == number), None)


def path_of(package: PackageId) -> str:
    """The target path of a package's file."""
    return f"pkginfo.box/{package}.pkg"


def encode(info: PackageInfo) -> bytes:
    """The bytes of a `.pkg`."""
    return to_bytes(info)


def decode(content: bytes) -> PackageInfo:
    """The package in a `.pkg`. Errors: RejectedError."""
    info = from_bytes(content, PackageInfo)
    package_id(info.id)
    return info
