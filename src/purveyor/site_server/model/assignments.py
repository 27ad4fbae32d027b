"""The times at which an advertisement is mandatory, and how they change. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.offers import Assignment, AssignmentKind
from purveyor.wire.schedule import parse_time

LIMIT = 50


class Numbered(NamedTuple):
    """Assignments, the highest number ever given among them, and whether any is new."""

    assignments: tuple[Assignment, ...]
    highest: int
    has_new: bool


def assignments_of(texts: Iterable[str]) -> tuple[Assignment, ...]:
    """The assignments written as `asap` or a time, each once, without numbers (0). Errors: RefusedError, with an example."""
    assignments = tuple(dict.fromkeys(_assignment_of(text) for text in texts))
    if len(assignments) > LIMIT:
        raise RefusedError(f"{len(assignments)} assignments are too many: {LIMIT} are possible")
    return assignments


def numbered(wanted: Iterable[Assignment], before: Iterable[Assignment], highest: int) -> Numbered:
    """The wanted assignments with numbers: one that stood before keeps its own, another time has a number never given before."""
    known = {_unnumbered(assignment): assignment.number for assignment in before}
    given: list[Assignment] = []
    has_new = False
    for assignment in wanted:
        number = known.get(_unnumbered(assignment))
        if number is None:
            highest += 1
            number, has_new = highest, True
        given.append(Assignment(number=number, kind=assignment.kind, at=assignment.at, zone=assignment.zone))
    return Numbered(tuple(sorted(given, key=lambda one: one.number)), highest, has_new)


def are_same(one: Iterable[Assignment], other: Iterable[Assignment]) -> bool:
    """Whether both make an advertisement mandatory at the same times."""
    return {_unnumbered(assignment) for assignment in one} == {_unnumbered(assignment) for assignment in other}


def text_of(assignment: Assignment) -> str:
    """The assignment as an administrator writes it."""
    if assignment.at is None:
        return assignment.kind.value
    written = assignment.at.isoformat(timespec="seconds" if assignment.at.second else "minutes")
    return written + ("Z" if assignment.zone.value == "utc" else "")


def _assignment_of(text: str) -> Assignment:
    if text.strip().lower() == AssignmentKind.ASAP:
        return Assignment(number=0, kind=AssignmentKind.ASAP)
    try:
        time, zone = parse_time(text)
    except RejectedError as error:
        raise RefusedError(f"an assignment is `asap` or a time: {error}") from error
    return Assignment(number=0, kind=AssignmentKind.TIME, at=time.replace(microsecond=0), zone=zone)


def _unnumbered(assignment: Assignment) -> tuple[object, ...]:
    return (assignment.kind, assignment.at, assignment.zone)
