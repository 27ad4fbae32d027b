"""What may be said of a program, and what becomes of a program when it is said. Pure.

The names stand here once; `admin`, the REST API and the command line give them on.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypedDict

import msgspec

from purveyor.site_server.model.names import line_of
from purveyor.site_server.model.platforms import platforms_of
from purveyor.site_server.model.programs import DESCRIPTION_LIMIT, exit_codes_of
from purveyor.wire.package_info import (
    AfterRun,
    Conditions,
    DetectionRule,
    IfInterrupted,
    Program,
    ProgramKey,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
    Uninstall,
)

_CODES = ("success_codes", "restart_codes", "retry_codes")
_GIVING_WAY = ("restart_codes", "retry_codes")
"""Codes that nobody gave lose those that somebody gave another meaning. Success never does: that is refused."""


class Part(StrEnum):
    """A part of a program that may be taken away again."""

    DEPENDS_ON = "depends_on"
    UNINSTALL = "uninstall"
    DETECTION = "detection"
    REPORTING = "reporting"


class Definition(TypedDict, total=False):
    """What may be said of a program beside its name and command. What is left out, or None, stays as it is.

    Units: seconds, bytes, as the names say.
    """

    working_directory: str | None
    max_run_seconds: int | None
    success_codes: Iterable[int] | None
    restart_codes: Iterable[int] | None
    retry_codes: Iterable[int] | None
    platforms: Iterable[str] | None
    depends_on: ProgramKey | None
    uninstall: Uninstall | None
    detection: DetectionRule | None
    if_interrupted: IfInterrupted | None
    description: str | None
    conditions: Conditions | None
    run_as: RunAs | None
    runs_for: RunsFor | None
    after_run: AfterRun | None
    reporting: Reporting | None
    supersedes: Iterable[Superseded] | None


def defined(before: Program, given: Definition) -> Program:
    """The program as it is once this was said of it. Whether it can be so is for `check_program` to say.

    Errors: RefusedError: something that has no such form.
    """
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    changes |= _codes(before, given)
    if (platforms := given.get("platforms")) is not None:
        changes["platforms"] = platforms_of(platforms)
    if (supersedes := given.get("supersedes")) is not None:
        changes["supersedes"] = tuple(dict.fromkeys(supersedes))
    if (description := given.get("description")) is not None:
        changes["description"] = line_of(description, "the description", DESCRIPTION_LIMIT)
    return msgspec.structs.replace(before, **changes)


def without(program: Program, parts: Iterable[Part]) -> Program:
    """The program without these parts."""
    return msgspec.structs.replace(program, **{part.value: None for part in parts})


def _codes(before: Program, given: Definition) -> Mapping[str, tuple[int, ...]]:
    said: Mapping[str, object] = given
    codes = {name: exit_codes_of(value) for name in _CODES if isinstance(value := said.get(name), Iterable)}
    claimed = {code for listed in codes.values() for code in listed}
    left = {
        name: tuple(code for code in getattr(before, name) if code not in claimed) for name in _GIVING_WAY if name not in codes
    }
    return codes | left
