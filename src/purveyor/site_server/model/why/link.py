"""What a link of the chain from membership to result says: whether it holds, by which evidence, and who acts next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from purveyor.wire.moments import utc_text


class Mark(StrEnum):
    """Whether a link holds."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """The site cannot know; the link says since when it has heard nothing, or what it waits to hear."""


class Who(StrEnum):
    """Who acts next."""

    ADMINISTRATOR = "administrator"
    SITE = "site"
    POINT = "point"
    CLIENT = "client"
    USER = "user"
    MACHINE = "machine"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A fact, where it stands, and when it came to be. `at` is None where the fact has no time of its own."""

    text: str
    source: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look at the facts gives for one link. `says` goes on after "it is not there because"."""

    mark: Mark
    says: str
    evidence: tuple[Evidence, ...] = ()
    who: Who = Who.NOBODY
    next: str = ""
    """What is to be done, or what will happen."""


Evidences = Sequence[Evidence]


def ok(says: str, *evidence: Evidence) -> Found:
    """A link that holds."""
    return Found(mark=Mark.OK, says=says, evidence=evidence)


def missing(says: str, evidence: Evidences, who: Who, what_next: str) -> Found:
    """A link that does not hold."""
    return Found(mark=Mark.MISSING, says=says, evidence=tuple(evidence), who=who, next=what_next)


def unknown(says: str, evidence: Evidences, who: Who, what_next: str) -> Found:
    """A link of which the site cannot know whether it holds."""
    return Found(mark=Mark.UNKNOWN, says=says, evidence=tuple(evidence), who=who, next=what_next)


def clock(at: datetime | None) -> str:
    """A time as evidence tells it."""
    return "an unknown time" if at is None else utc_text(at)


def span(seconds: float) -> str:
    """A span of time in the largest units that matter."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = round(seconds / length, 1)
            return f"{count:g} {unit}" if count == 1 else f"{count:g} {unit}s"
    return f"{max(0, int(seconds))} seconds"
