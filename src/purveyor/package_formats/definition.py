"""Package definition files of Systems Management Server: which version one has, and what both versions share.

Pure. Source: "Package Definition Files" of SMS 2.0 and of Configuration Manager; "Package Definition File Format" of SMS 1.x in
the Platform SDK of June 1998.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from purveyor.package_formats.draft import Draft, DraftProgram, Entry, one_line, with_entries
from purveyor.package_formats.ini import Profile, Section
from purveyor.wire.errors import RejectedError

PROGRAM_LIMIT = 100
PACKAGE_SECTION = "package definition"
DOCUMENT_MARK = b"%PDF-"

_VERSION = re.compile(r"([0-9]{1,3})(?:\.[0-9]{1,5})*")
_HIGHEST_VERSION = 5


class Part:
    """One section while it is read: what was asked for is used; what was not, or has no meaning here, is kept."""

    def __init__(self, section: Section) -> None:
        """Nothing of it is used yet."""
        self.name = section.name
        self._left = dict(section.entries)
        self._notes: list[str] = []
        self._kept: list[Entry] = []

    def take(self, key: str) -> str:
        """The value of an entry, empty when there is none. It is used from here on."""
        return self._left.pop(key.casefold(), (key, ""))[1]

    def says(self, key: str) -> bool:
        """Whether there is such an entry that nothing has used yet."""
        return key.casefold() in self._left

    def keep(self, key: str, value: str, why: str = "") -> None:
        """Keeps an entry that was taken, because nothing here has its meaning; `why` is told where it matters."""
        self._kept.append(Entry(section=self.name, key=key, value=value))
        if why:
            self._notes.append(f"{self.name}: {key}={one_line(value, 80)}: {why}")

    def note(self, text: str) -> None:
        """Tells something about this section."""
        self._notes.append(f"{self.name}: {text}")

    def flag(self, key: str, *, default: bool) -> bool:
        """A value of True or False; anything else counts as not given, and is kept."""
        value = self.take(key)
        match value.casefold():
            case "":
                return default
            case "true" | "yes" | "1":
                return True
            case "false" | "no" | "0":
                return False
            case _:
                self.keep(key, value, f"is neither True nor False: taken as {default}")
                return default

    def notes(self) -> tuple[str, ...]:
        """What was told, in order."""
        return tuple(self._notes)

    def kept(self) -> tuple[Entry, ...]:
        """What was kept, and what was never asked for."""
        unused = tuple(Entry(section=self.name, key=key, value=value) for key, value in self._left.values())
        return (*self._kept, *unused)


class Parts(NamedTuple):
    """What a version's reader gives: the package's part, and each program's part with what became of it, in the file's order."""

    draft: Draft
    package: Part
    programs: tuple[tuple[Part, DraftProgram], ...]
    used_sections: frozenset[str]


def version_of(profile: Profile) -> int:
    """1 or 2. Without an entry that says it, by the list of programs that the file has.

    Errors: RejectedError: no package definition file, or one of a version that is not known.
    """
    if PACKAGE_SECTION not in profile.sections:
        raise RejectedError("this is no package definition file: it has no section [Package Definition]")
    frame = profile.sections.get("pdf")
    said = frame.entries.get("version", ("", ""))[1] if frame else ""
    if not said:
        return 2 if "programs" in profile.sections[PACKAGE_SECTION].entries else 1
    found = _VERSION.fullmatch(said)
    major = int(found[1]) if found else 0
    if not 1 <= major <= _HIGHEST_VERSION:
        raise RejectedError(f"it is a package definition file of version {said[:40]!r}: 1 and 2 are read")
    return min(major, 2)


def program_name(text: str, part: Part) -> str:
    """The name of a program as the site takes it. Errors: RejectedError when it has none."""
    name = one_line(text, 100)
    if not name:
        raise RejectedError(f"a program of the section [{part.name[:80]}] has no name")
    if name.isascii() and name.isdigit():
        part.note(f"is called Program {name}: a name that is a number alone would be taken for a program's number")
        name = f"Program {name}"
    return name


def checked_listing(names: Sequence[str], key: str) -> list[str]:
    """The programs that the package lists. Errors: RejectedError: none, too many, or one twice."""
    if not names:
        raise RejectedError(f"the section [Package Definition] lists no programs under {key}")
    if len(names) > PROGRAM_LIMIT:
        raise RejectedError(f"it lists {len(names)} programs: {PROGRAM_LIMIT} are possible")
    twice = _repeated(names)
    if twice:
        raise RejectedError(f"it lists the program {twice[:80]!r} twice")
    return list(names)


def whole_draft(parts: Parts, profile: Profile) -> Draft:
    """The draft with everything that is kept: shown as it is, and written into the programs' descriptions.

    Errors: RejectedError: two programs of one name, or programs that depend on each other.
    """
    twice = _repeated([program.name for _, program in parts.programs])
    if twice:
        raise RejectedError(f"two programs are called {twice[:80]!r}")
    unread = tuple(
        Entry(section=section.name, key=key, value=value)
        for name, section in profile.sections.items()
        if name not in parts.used_sections
        for key, value in section.entries.values()
    )
    of_package = (*parts.package.kept(), *unread, *profile.passed_over)
    notes = list(parts.package.notes())
    programs = []
    for place, (part, program) in enumerate(parts.programs):
        notes += part.notes()
        entries = (*part.kept(), *(of_package if place == 0 else ()))
        programs.append(msgspec.structs.replace(program, description=with_entries(program.description, entries)))
    kept = (*of_package, *(entry for part, _ in parts.programs for entry in part.kept()))
    if profile.passed_over:
        notes.append("lines that have no effect on Windows (repeated, before any section, or without =) are kept")
    return msgspec.structs.replace(parts.draft, programs=in_order(programs), notes=tuple(notes), kept=kept)


def in_order(programs: Iterable[DraftProgram]) -> tuple[DraftProgram, ...]:
    """The programs, each after the one that it depends on. Errors: RejectedError when they depend on each other."""
    waiting = list(programs)
    placed: dict[str, DraftProgram] = {}
    while waiting:
        ready = [program for program in waiting if not program.depends_on or program.depends_on in placed]
        if not ready:
            names = ", ".join(program.name for program in waiting[:10])
            raise RejectedError(f"these programs depend on each other: {names}")
        placed |= {program.name: program for program in ready}
        waiting = [program for program in waiting if program.name not in placed]
    return tuple(placed.values())


def _repeated(names: Sequence[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return ""
