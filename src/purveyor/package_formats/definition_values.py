"""What single values of a package definition file mean here: times, sizes, folders, command lines. Pure."""

import re

from purveyor.package_formats.definition import Part
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Command

UNKNOWN_RUN_SECONDS = 120 * 60
"""What Configuration Manager allows a program that does not say how long it runs."""
GRACE_SECONDS = 15 * 60
"""How long beyond its estimated time a program was left alone (Q263378)."""
RUN_LIMIT_SECONDS = 7 * 86_400
COMMAND_LIMIT = 8000
FREE_LIMIT_BYTES = 2**50
PLATFORMS = ("windows",)

_UNITS = {"": 0, "BYTES": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Z]*)", re.IGNORECASE)
_MINUTES = re.compile(r"([0-9]{1,9})(?:\s*min(?:ute)?s?)?", re.IGNORECASE)
_FIRST_WORD = re.compile(r'"([^"]*)"|(\S+)')
_PROGRAM_FILE = re.compile(r"(?!\.\.?[\\/]?$)[^:%\\/][^:%]*\.(?:exe|com|bat|cmd|msi|vbs|js|wsf|ps1)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[A-Za-z]:|[\\/%]")


def run_seconds(part: Part, key: str = "EstimatedRunTime") -> int:
    """How long a program may run: its estimated time and the grace that it was given. Units: the file says minutes."""
    value = part.take(key)
    found = _MINUTES.fullmatch(value)
    if not found or int(found[1]) == 0:
        if value and value.casefold() != "unknown":
            part.keep(key, value, "is no number of minutes: taken as Unknown")
        return UNKNOWN_RUN_SECONDS
    seconds = int(found[1]) * 60 + GRACE_SECONDS
    if seconds > RUN_LIMIT_SECONDS:
        part.keep(key, value, "is more than a program may take: seven days are taken")
    return min(seconds, RUN_LIMIT_SECONDS)


def free_bytes(part: Part, key: str = "EstimatedDiskSpace") -> int:
    """How much space must be free; 0 when nothing is said."""
    value = part.take(key)
    if not value or value.casefold() == "unknown":
        return 0
    found = _SIZE.fullmatch(value)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        part.keep(key, value, "is no size: write 38MB")
        return 0
    amount = int(float(found[1]) * unit)
    if unit == 0 and float(found[1]) > 0:
        part.keep(key, value, "has no unit: nothing is required")
    return min(amount, FREE_LIMIT_BYTES)


def working_directory(part: Part, key: str = "StartIn") -> str:
    """The folder to start in: absolute as it is written, or inside the content with `/` between its parts.

    Errors: RejectedError when it leads out of the source.
    """
    value = part.take(key)
    if _ABSOLUTE.match(value):
        if "%" in value:
            part.keep(key, value, "variables between % are not replaced in a working directory")
        return value.replace("$", "$$")
    steps = [step.strip() for step in re.split(r"[\\/]", value) if step.strip() not in ("", ".")]
    if any(step == ".." for step in steps):
        raise RejectedError(f"the program {part.name[:80]!r} starts in {value[:80]!r}, which lies outside of its source")
    return "/".join(steps).replace("$", "$$")


def command(part: Part, key: str = "CommandLine") -> Command:
    """The command line, which the machine's own shell gets as it is written. Errors: RejectedError: none, or too long."""
    value = part.take(key)
    if not value or len(value) > COMMAND_LIMIT:
        raise RejectedError(f"the program {part.name[:80]!r} has no {key}, or one of more than {COMMAND_LIMIT} characters")
    return Command(shell_line=value)


def program_file(line: str) -> str:
    """The file of the source that a command line starts, with `/` between folders; empty where none can be told from it."""
    found = _FIRST_WORD.match(line)
    word = (found[1] or found[2] or "") if found else ""
    word = word.removeprefix(".\\").removeprefix("./")
    if not _PROGRAM_FILE.fullmatch(word) or ".." in re.split(r"[\\/]", word):
        return ""
    return word.replace("\\", "/")
