"""When a program is to run: the occurrences of all that is offered of it, and which of them still ask for a run.

Pure. All advertisements of one program are looked at together (Q271122, Q215108): they ask for one run, at the earliest of
their times, and one success answers them all, as far as the rules below say. Nothing here knows of content or windows.

The rules:
- nothing is due before its advertisement is available (Q247484), nor once it has expired, nor while it is paused;
- what was started is never started again (Q296780), whatever the clock does meanwhile;
- of a recurrence the latest time that has passed asks, and answers for those before it; the next one ahead is known;
- an event (a logon, a logoff, a start of the machine) asks once, if it came while the advertisement was available (Q293487);
- as scheduled: the only time of an advertisement, and "as soon as possible", are satisfied by any success of the program
  (Q226922); a time beside others, each time of a recurrence and each event by a success that was started then or later
  (Q257271, Q235815), so several that have passed make one run;
- if failed: any success satisfies; never: any run does, however it ended; always and on drift: no success does;
- with `each_version` only a success of this source version or a newer one counts, and each source version is an occurrence;
- where each user has a run of their own, only the runs of that user count (Q263372, Q263387).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from purveyor.client.programs.memory.history import History, Started
from purveyor.client.programs.memory.job import user_name
from purveyor.wire.errors import RejectedError
from purveyor.wire.firings import Firing, Moments, latest_firing, moments_of, next_firing
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.offers import EVENTS, Advertisement, Assignment, AssignmentKind, Priority, Rerun
from purveyor.wire.rules import parse_rule
from purveyor.wire.schedule import Zone, instant_of
from purveyor.wire.spans import moved, span
from purveyor.wire.spread import share_of

CLOCK_TRUST = timedelta(days=2)
"""So far ahead of the newest time that the site has signed a clock is believed: what is further uses up nothing but itself."""
_MOMENT = timedelta(microseconds=1)
_NOT_STARTED = Started("", 0)


class Happening(NamedTuple):
    """Something that happened on the machine and makes assignments due. Shape: numbers rise, and are never given twice."""

    kind: AssignmentKind
    number: int
    nominal: str
    """What it is known by: of which start of the machine, and of which session."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When, where and by whose clock occurrences are looked for. `signed_at` is the newest time that the site has signed."""

    now: datetime
    zone: tzinfo = UTC
    client: str = ""
    signed_at: datetime | None = None
    happenings: Sequence[Happening] = field(default=())

    @property
    def trusted_until(self) -> datetime:
        """Times up to here may use up all that lies before them."""
        return moved(self.now if self.signed_at is None else self.signed_at, CLOCK_TRUST)


class Occurrence(NamedTuple):
    """One time at which an assignment asks for a run. A time beyond what a calendar holds is none."""

    due_at: datetime
    identity: str
    """`ADVERTISEMENT.ASSIGNMENT@NOMINAL`, with `!USER` before the `@` where each user has a run of their own, `~TERM` once the
    program was removed because nobody offered it, and `#VERSION` where each source version asks anew."""
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
    is_per_user: bool = False
    """Each user has a run of their own."""

    @property
    def owner(self) -> str:
        """Whose runs answer it, by `job.user_name`; empty: any run of the program."""
        return user_name(self.user) if self.is_per_user else ""


def is_live(advertisement: Advertisement, now: datetime) -> bool:
    """Whether an advertisement says anything now: neither paused nor expired. One that is not yet available is live."""
    return not advertisement.is_paused and (advertisement.expires_at is None or now < advertisement.expires_at)


def unreadable_rules(advertisement: Advertisement) -> list[str]:
    """What is wrong with the rules of an advertisement that this client cannot read; its other assignments stand."""
    problems = []
    for assignment in advertisement.assignments:
        try:
            if assignment.kind is AssignmentKind.RECURRENCE:
                parse_rule(assignment.rule)
        except RejectedError as error:
            problems.append(f"assignment {assignment.number} of {advertisement.id} cannot be read: {error}")
    return problems


def occurrences(
    advertisement: Advertisement,
    moment: Moment,
    *,
    source_version: int,
    user: str = "",
    is_per_user: bool = False,
    started: Mapping[str, Started] | None = None,
    term: int = 0,
) -> list[Occurrence]:
    """All times at which one advertisement asks for a run: of a recurrence the latest that has passed, and the next one.

    Shape:  `user` is the one for whom it would run; `started` is what is remembered, so that the next one is one that can come;
            `term` counts the removals since which all is asked for anew.
    """
    plan = _Plan(
        advertisement=advertisement,
        moment=moment,
        version=source_version if advertisement.each_version else 0,
        user=user,
        is_per_user=is_per_user,
        started=started or {},
        term=term,
    )
    found = []
    for assignment in advertisement.assignments:
        if assignment.kind in EVENTS:
            found += plan.of_events(assignment)
        elif assignment.kind is AssignmentKind.RECURRENCE:
            found += plan.of_recurrence(assignment)
        else:
            found += plan.of_time(assignment)
    return found


def is_satisfied(occurrence: Occurrence, history: History | None, *, now: datetime | None = None) -> bool:
    """Whether a success that is remembered answers this occurrence. One of a time still to come was a clock's that was ahead."""
    success = None if history is None else history.success_of(occurrence.owner)
    if success is None or success.version < occurrence.success_version:
        return False
    if occurrence.rerun in (Rerun.ALWAYS, Rerun.ON_DRIFT):
        return False
    if occurrence.success_since is None or occurrence.rerun in (Rerun.IF_FAILED, Rerun.NEVER):
        return True
    last = success.started_at
    return last is not None and last >= occurrence.success_since and (now is None or last <= now)


def is_spent(occurrence: Occurrence, history: History | None) -> bool:
    """Whether its program was run before and is never to be run again, however that ended."""
    return occurrence.rerun is Rerun.NEVER and history is not None and history.has_run(occurrence.owner)


def was_started(occurrence: Occurrence, history: History | None) -> bool:
    """Whether this occurrence, or a later one of its assignment, was started before."""
    before = None if history is None else history.started.get(occurrence.assignment)
    return before is not None and before.has(occurrence.started)


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
        and not is_satisfied(occurrence, history, now=now)
        and (occurrence.identity in excused or not (was_started(occurrence, history) or is_spent(occurrence, history)))
    }
    return sorted(asking.values(), key=lambda occurrence: (occurrence.due_at, occurrence.identity))


def due(asking: Iterable[Occurrence], now: datetime) -> list[Occurrence]:
    """Those whose time has come: one run answers them all."""
    return [occurrence for occurrence in asking if occurrence.due_at <= now]


def utc_text(instant: datetime) -> str:
    """An instant as occurrences name it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One advertisement, and for whom and when its occurrences are looked for."""

    advertisement: Advertisement
    moment: Moment
    version: int
    user: str
    is_per_user: bool
    started: Mapping[str, Started]
    term: int

    @property
    def available(self) -> datetime:
        return self.advertisement.available_from.astimezone(UTC)

    def name(self, assignment: Assignment) -> str:
        of_user = f"!{user_name(self.user)}" if self.is_per_user else ""
        return f"{self.advertisement.id}.{assignment.number}{of_user}"

    def of_time(self, assignment: Assignment) -> list[Occurrence]:
        if assignment.kind is AssignmentKind.ASAP:
            return [self.made(assignment, utc_text(self.available), self.available, since=None)]
        if assignment.at is None:
            return []
        wall = assignment.at.replace(tzinfo=None)
        try:
            instant = instant_of(wall, assignment.zone, self.moment.zone)
        except OverflowError:
            return []
        is_one_of_several = len(self.advertisement.assignments) > 1
        nominal = _wall_text(wall, assignment.zone)
        return [self.made(assignment, nominal, instant, since=instant if is_one_of_several else None)]

    def of_recurrence(self, assignment: Assignment) -> list[Occurrence]:
        if assignment.at is None:
            return []
        try:
            moments = moments_of(assignment.at, assignment.rule, assignment.zone, self.moment.zone)
            firings = self._firings(assignment, moments)
        except (RejectedError, OverflowError):
            return []
        return [
            self.made(assignment, _wall_text(one.nominal, assignment.zone), one.at, since=one.at)
            for one in firings
            if one is not None and one.at >= self.available
        ]

    def _firings(self, assignment: Assignment, moments: Moments) -> tuple[Firing | None, Firing | None]:
        """The latest that is due with this client's share of the spread, and the next one that was not started."""
        shifted = self.moment.now - self.shift(assignment)
        latest = latest_firing(moments, shifted)
        before = self.started.get(self.name(assignment), _NOT_STARTED)
        ahead = max(shifted, self.available - _MOMENT)
        wall = _wall_in(before.nominal)
        if wall is not None:
            ahead = max(ahead, instant_of(wall, assignment.zone, self.moment.zone))
        following = next_firing(moments, ahead)
        for _ in before.exact:
            if following is None or _wall_text(following.nominal, assignment.zone) not in before.exact:
                break
            following = next_firing(moments, following.at)
        return latest, following

    def of_events(self, assignment: Assignment) -> list[Occurrence]:
        """Those that came while it was available. By a clock that was set back they lie ahead: then they are due at once."""
        return [
            self.made(
                assignment,
                one.nominal,
                min(one.at, self.moment.now),
                since=min(one.at, self.moment.now),
                started=Started(f"{one.number:012d}", self.version),
            )
            for one in self.moment.happenings
            if one.kind is assignment.kind and one.at >= self.available
        ]

    def made(
        self, assignment: Assignment, nominal: str, instant: datetime, *, since: datetime | None, started: Started | None = None
    ) -> Occurrence:
        advertisement, name = self.advertisement, self.name(assignment)
        place = f"{name}~{self.term}@{nominal}" if self.term else f"{name}@{nominal}"
        due_at = max(instant, self.available)
        if assignment.kind not in EVENTS:
            due_at = self._spread(assignment, due_at)
        return Occurrence(
            due_at=due_at,
            identity=f"{place}#{self.version}" if self.version else place,
            advertisement=advertisement.id,
            assignment=name,
            started=started or self._started(nominal, instant),
            expires_at=advertisement.expires_at,
            success_since=since,
            success_version=self.version,
            user=self.user,
            is_free=advertisement.ignores_windows,
            priority=advertisement.priority,
            rerun=advertisement.rerun,
            is_per_user=self.is_per_user,
        )

    def _started(self, nominal: str, instant: datetime) -> Started:
        if instant <= self.moment.trusted_until:
            return Started(nominal, self.version)
        return Started("", self.version, (nominal,))

    def shift(self, assignment: Assignment) -> timedelta:
        """This client's share of the spread."""
        seconds = span(self.advertisement.spread_seconds).total_seconds()
        if not seconds:
            return timedelta(0)
        return span(int(seconds * share_of(self.moment.client, f"{self.advertisement.id}.{assignment.number}")))

    def _spread(self, assignment: Assignment, due_at: datetime) -> datetime:
        """A time moved by this client's share; never so far that the advertisement has expired."""
        shift, expires_at = self.shift(assignment), self.advertisement.expires_at
        if not shift:
            return due_at
        if expires_at is not None and due_at < expires_at <= moved(due_at, shift):
            shift *= (expires_at - due_at) / span(self.advertisement.spread_seconds)
        return moved(due_at, shift)


def _wall_text(wall: datetime, zone: Zone) -> str:
    return wall.isoformat(timespec="seconds") + ("Z" if zone is Zone.UTC else "")


def _wall_in(nominal: str) -> datetime | None:
    """The wall-clock time that `_wall_text` wrote; None where it is none, as of an event whose number was given again."""
    try:
        return datetime.fromisoformat(nominal).replace(tzinfo=None)
    except ValueError:
        return None
