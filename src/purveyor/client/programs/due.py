"""When a program is to run: the occurrences of all that is offered of it, and which of them still ask for a run.

Pure. All advertisements of one program are looked at together (Q271122, Q215108): they ask for one run, at the earliest of
their times, and one success answers them all, as far as the rules below say. Nothing here knows of content or of other programs.

The rules:
- nothing is due before its advertisement is available (Q247484), nor once it has expired, nor while it is paused;
- the only assignment of an advertisement, and one "as soon as possible", is satisfied by any success of the program (Q226922);
- a timed assignment beside others is satisfied by a success that was started at its time or later (Q257271, Q235815), so
  several that have passed make one run;
- with `each_version` only a success of this source version or a newer one counts, and each source version is an occurrence;
- what was started is never started again (Q296780).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from purveyor.client.programs.history import History, Started
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, Priority, Rerun
from purveyor.wire.schedule import Zone, instant_of


class Occurrence(NamedTuple):
    """One time at which an assignment asks for a run. A time beyond what a calendar holds is none."""

    due_at: datetime
    identity: str
    """`ADVERTISEMENT.ASSIGNMENT@NOMINAL`, with `#VERSION` where each source version asks anew."""
    advertisement: AdvertisementId
    assignment: str
    started: Started
    """What is remembered of it once it was started."""
    expires_at: datetime | None
    success_since: datetime | None
    """Only a success that was started then or later satisfies it; None: any."""
    success_version: int
    """Only a success of this source version or newer satisfies it; 0: any."""
    user: str = ""
    """For whom it asks, as the machine names the user; empty: for the machine."""
    is_free: bool = False
    """It may run outside maintenance windows."""
    priority: Priority = Priority.NORMAL
    asked_by: str = ""
    """The user who asked for it."""
    rerun: Rerun = Rerun.AS_SCHEDULED


def is_live(advertisement: Advertisement, now: datetime) -> bool:
    """Whether an advertisement says anything now: neither paused nor expired. One that is not yet available is live."""
    return not advertisement.is_paused and (advertisement.expires_at is None or now < advertisement.expires_at)


def occurrences(advertisement: Advertisement, *, source_version: int, zone: tzinfo) -> list[Occurrence]:
    """All times at which one advertisement asks for a run, whether past or still to come."""
    assignments = advertisement.assignments
    version = source_version if advertisement.each_version else 0
    found = [_occurrence(advertisement, assignment, len(assignments), version, zone) for assignment in assignments]
    return [occurrence for occurrence in found if occurrence is not None]


def is_satisfied(occurrence: Occurrence, history: History | None) -> bool:
    """Whether a success that is remembered answers this occurrence."""
    if history is None or not history.has_succeeded or history.succeeded_version < occurrence.success_version:
        return False
    last = history.last_success_started_at
    return occurrence.success_since is None or (last is not None and last >= occurrence.success_since)


def was_started(occurrence: Occurrence, history: History | None) -> bool:
    """Whether this occurrence, or a later one of its assignment, was started before."""
    before = None if history is None else history.started.get(occurrence.assignment)
    return before is not None and occurrence.started.nominal <= before.nominal and occurrence.started.version <= before.version


def outstanding(
    found: Iterable[Occurrence], history: History | None, *, now: datetime, excused: Sequence[str] = ()
) -> list[Occurrence]:
    """The occurrences that still ask for a run now or later, the earliest first.

    `excused` names those that may run although they were started: an interrupted run that is to be taken up again.
    """
    asking = {
        occurrence.identity: occurrence
        for occurrence in found
        if (occurrence.expires_at is None or max(now, occurrence.due_at) < occurrence.expires_at)
        and not is_satisfied(occurrence, history)
        and (occurrence.identity in excused or not was_started(occurrence, history))
    }
    return sorted(asking.values(), key=lambda occurrence: (occurrence.due_at, occurrence.identity))


def due(asking: Iterable[Occurrence], now: datetime) -> list[Occurrence]:
    """Those whose time has come: one run answers them all."""
    return [occurrence for occurrence in asking if occurrence.due_at <= now]


def _occurrence(
    advertisement: Advertisement, assignment: Assignment, count: int, version: int, zone: tzinfo
) -> Occurrence | None:
    available = advertisement.available_from.astimezone(UTC)
    if assignment.kind is AssignmentKind.ASAP:
        nominal, instant = _utc_text(available), available
    elif assignment.at is None:
        return None
    else:
        wall = assignment.at.replace(tzinfo=None)
        nominal = wall.isoformat(timespec="seconds") + ("Z" if assignment.zone is Zone.UTC else "")
        try:
            instant = instant_of(wall, assignment.zone, zone)
        except OverflowError:
            return None
    name = f"{advertisement.id}.{assignment.number}"
    is_one_of_several = count > 1 and assignment.kind is AssignmentKind.TIME
    return Occurrence(
        due_at=max(instant, available),
        identity=f"{name}@{nominal}#{version}" if version else f"{name}@{nominal}",
        advertisement=advertisement.id,
        assignment=name,
        started=Started(nominal, version),
        expires_at=advertisement.expires_at,
        success_since=instant if is_one_of_several else None,
        success_version=version,
        is_free=advertisement.ignores_windows,
        priority=advertisement.priority,
        rerun=advertisement.rerun,
    )


def _utc_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
