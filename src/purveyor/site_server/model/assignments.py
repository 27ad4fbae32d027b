"""The times and events at which an advertisement is mandatory, and how they change. Pure."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from purveyor.site_server.model.schedules import checked_rule, time_text
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.firings import MOMENT, moments_of, next_firing
from purveyor.wire.offers import EVENTS, Assignment, AssignmentKind
from purveyor.wire.schedule import Zone, parse_time

LIMIT = 50
LONGEST_TEXT = 600
_A_DAY = timedelta(days=1)
_EVER = datetime(2, 1, 1, tzinfo=UTC)
_WORDS = {kind.value: kind for kind in (AssignmentKind.ASAP, *sorted(EVENTS))}


class Numbered(NamedTuple):
    """Assignments, the highest number ever given among them, and whether any is new."""

    assignments: tuple[Assignment, ...]
    highest: int
    has_new: bool


def assignments_of(texts: Iterable[str], *, today: date, before: Iterable[Assignment] = ()) -> tuple[Assignment, ...]:
    """The assignments written as `asap`, an event, a time, or a rule with or without its start; each once, without numbers (0).

    A rule without a start begins on the day on which it is saved, at 00:00 of each client's own clock; where the same rule stood
    before, as it began then. Errors: RefusedError, with an example.
    """
    starts = {one.rule: one.at for one in before if _began_with_a_day(one)}
    assignments = tuple(dict.fromkeys(_assignment_of(text, today, starts) for text in texts))
    if len(assignments) > LIMIT:
        raise RefusedError(f"{len(assignments)} assignments are too many: {LIMIT} are possible")
    return assignments


def numbered(wanted: Iterable[Assignment], before: Iterable[Assignment], highest: int) -> Numbered:
    """The wanted assignments with numbers: one that stood before keeps its own, another has a number never given before."""
    known = {_unnumbered(assignment): assignment.number for assignment in before}
    given: list[Assignment] = []
    has_new = False
    for assignment in wanted:
        number = known.get(_unnumbered(assignment))
        if number is None:
            highest += 1
            number, has_new = highest, True
        given.append(
            Assignment(number=number, kind=assignment.kind, at=assignment.at, zone=assignment.zone, rule=assignment.rule)
        )
    return Numbered(tuple(sorted(given, key=lambda one: one.number)), highest, has_new)


def are_same(one: Iterable[Assignment], other: Iterable[Assignment]) -> bool:
    """Whether both make an advertisement mandatory at the same times."""
    return {_unnumbered(assignment) for assignment in one} == {_unnumbered(assignment) for assignment in other}


def odd_times(assignments: Iterable[Assignment], available_from: datetime, expires_at: datetime | None) -> tuple[str, ...]:
    """What to say of times before it is available, which make it run at once or never, and of those after it has expired."""
    found: list[str] = []
    for one in assignments:
        if one.at is None:
            continue
        slack = _A_DAY if one.zone is Zone.CLIENT else timedelta(0)  # clocks differ from UTC by less
        moments = moments_of(one.at, one.rule, one.zone, UTC)
        first = next_firing(moments, available_from - slack - MOMENT if one.rule else _EVER)
        if first is None:
            found.append(f"{text_of(one)} never comes: its last time was before this is available")
        elif expires_at is not None and first.at - slack >= expires_at:
            found.append(f"{text_of(one)} never comes: this expires before its first time")
        elif first.at + slack < available_from and not one.rule:
            found.append(f"{text_of(one)} is over before this is available: it runs as soon as clients hear of it")
    return tuple(found)


def text_of(assignment: Assignment) -> str:
    """The assignment as an administrator writes it: what `assignments_of` reads as the same one."""
    if assignment.at is None:
        return assignment.kind.value
    return f"{time_text(assignment.at, assignment.zone)} {assignment.rule}".rstrip()


def _assignment_of(text: str, today: date, starts: dict[str, datetime | None]) -> Assignment:
    if len(text) > LONGEST_TEXT:
        raise RefusedError(f"an assignment of {len(text)} characters is too long: {LONGEST_TEXT} are possible")
    kind = _WORDS.get(text.strip().lower())
    if kind is not None:
        return Assignment(number=0, kind=kind)
    before, equals, _ = text.partition("=")
    if not equals:
        at, zone = _time_of(text)
        return Assignment(number=0, kind=AssignmentKind.TIME, at=at, zone=zone)
    written, _, key = before.strip().rpartition(" ")
    rule = text[text.index(key, len(written)) :]
    if written:
        at, zone = _time_of(written)
        return _recurrence(at, zone, checked_rule(at, zone, rule))
    at = datetime.combine(today, time())
    canonical = checked_rule(at, Zone.CLIENT, rule)
    return _recurrence(starts.get(canonical) or at, Zone.CLIENT, canonical)


def _recurrence(at: datetime, zone: Zone, rule: str) -> Assignment:
    return Assignment(number=0, kind=AssignmentKind.RECURRENCE, at=at, zone=zone, rule=rule)


def _time_of(text: str) -> tuple[datetime, Zone]:
    try:
        at, zone = parse_time(text)
    except RejectedError as error:
        words = ", ".join(f"`{word}`" for word in _WORDS)
        raise RefusedError(f"an assignment is {words}, a time, or a rule such as FREQ=WEEKLY;BYDAY=TU: {error}") from error
    return at.replace(microsecond=0), zone


def _began_with_a_day(assignment: Assignment) -> bool:
    """Whether it may have been written as a rule without a start."""
    is_midnight = assignment.at is not None and assignment.at.time() == time()
    return assignment.kind is AssignmentKind.RECURRENCE and assignment.zone is Zone.CLIENT and is_midnight


def _unnumbered(assignment: Assignment) -> tuple[object, ...]:
    return (assignment.kind, assignment.at, assignment.zone, assignment.rule)
