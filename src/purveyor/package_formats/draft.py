"""What a package file of another system says, in the words of this one: a package and its programs, before anything is made.

Pure. Written by the readers of this folder, shown by `purveyor package import --dry-run`, carried out by that command. Nothing
that a file says is lost silently: what has no counterpart here stands in the notes, or among the entries that are kept.
"""

import unicodedata
from enum import StrEnum

from purveyor.wire.form import Wire
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.package_info import (
    DEFAULT_RUN_SECONDS,
    AfterRun,
    Command,
    Conditions,
    DetectionRule,
    Program,
    Reporting,
    RunAs,
    RunsFor,
    Uninstall,
)

NAME_LIMIT = 100
"""Characters in the name of a program, a version or a publisher, as the site takes them."""
PACKAGE_NAME_LIMIT = 200
DESCRIPTION_LIMIT = 1000
_KEPT = "Kept from the package definition file: "


class PackageFormat(StrEnum):
    """The kinds of files that are read."""

    DEB = "deb"
    RPM = "rpm"
    MSI = "msi"
    SMS_1 = "sms-1"
    SMS_2 = "sms-2"


class Entry(Wire):
    """One line of a package definition file, kept because nothing here has its meaning. An empty section: before the first."""

    section: str
    key: str
    value: str


class DraftProgram(Wire):
    """A program to make. `depends_on` names another program of the same draft."""

    name: str
    command: Command
    working_directory: str = ""
    max_run_seconds: int = DEFAULT_RUN_SECONDS
    success_codes: tuple[int, ...] = (0,)
    restart_codes: tuple[int, ...] = (3010, 3011, 1641, 1604)
    retry_codes: tuple[int, ...] = (1618,)
    platforms: tuple[str, ...] = ()
    depends_on: str = ""
    uninstall: Uninstall | None = None
    detection: DetectionRule | None = None
    description: str = ""
    conditions: Conditions = Conditions()
    run_as: RunAs = RunAs.SYSTEM
    runs_for: RunsFor = RunsFor.FIRST_USER
    after_run: AfterRun = AfterRun.NOTHING
    reporting: Reporting | None = None
    is_enabled: bool = True


class Draft(Wire):
    """A package to make, with its programs in an order in which each stands after the one that it depends on.

    Shape: `source_files` are the names that must lie in the source for the programs to work; `is_folder`: the source is the
    folder that the file lies in, not the file alone; `requires` are the file's own dependencies, for people to read.
    """

    format: PackageFormat
    name: str
    programs: tuple[DraftProgram, ...]
    version: str = ""
    publisher: str = ""
    comment: str = ""
    architecture: str = ""
    requires: tuple[str, ...] = ()
    source_files: tuple[str, ...] = ()
    has_content: bool = True
    is_folder: bool = False
    notes: tuple[str, ...] = ()
    kept: tuple[Entry, ...] = ()
    """Entries that nothing was made of: those that nobody knows, and those that have no counterpart here."""


_UNSEEN = ("Cc", "Cs", "Zl", "Zp")
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def one_line(text: str, limit: int) -> str:
    """The text on one line of so many characters at most, without signs that cannot be shown."""
    composed = unicodedata.normalize("NFC", text[: 4 * limit])
    shown = "".join(
        " " if unicodedata.category(one) in _UNSEEN or unicodedata.bidirectional(one) in _TURNING else one for one in composed
    )
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def literal(word: str) -> str:
    """A word of a command that stands for itself, whatever dollar signs are in it."""
    return word.replace("$", "$$")


def program_of(draft: DraftProgram, number: int) -> Program:
    """The program as clients would read it, without what it depends on: for judging it before it is made."""
    return Program(
        number=ProgramNumber(number),
        name=draft.name,
        command=draft.command,
        working_directory=draft.working_directory,
        max_run_seconds=draft.max_run_seconds,
        success_codes=draft.success_codes,
        restart_codes=draft.restart_codes,
        platforms=draft.platforms,
        uninstall=draft.uninstall,
        detection=draft.detection,
        description=draft.description,
        conditions=draft.conditions,
        run_as=draft.run_as,
        runs_for=draft.runs_for,
        after_run=draft.after_run,
        retry_codes=draft.retry_codes,
        reporting=draft.reporting,
    )


def with_entries(description: str, entries: tuple[Entry, ...], limit: int = DESCRIPTION_LIMIT) -> str:
    """The description on one line, with the entries that are kept behind it, as many as there is room for."""
    line = one_line(description, limit)
    if not entries:
        return line
    line += (" " if line else "") + _KEPT
    for place, entry in enumerate(entries):
        more = f"and {len(entries) - place} more, in the file itself"
        written = one_line(f"[{entry.section}] {entry.key}={entry.value}", limit)
        if len(line) + len(written) + len(more) + 2 > limit:
            return one_line(line + more, limit)
        line += written + ("; " if place + 1 < len(entries) else "")
    return line
