"""Which notices users are shown, and which are taken back: each program once to each user, as long as it holds.

A notice is shown only of what its user is shown and may start at that moment (Q215108), or of what will be started soon and may
be put off. Once a program has run, nobody else is told of it, unless a newer advertisement offers it (Q271122); one notice stands
for all advertisements of a program. What was told is remembered, so that nothing is told twice.
Upstream: `offered`; downstream: the machine's notices. `decided` is pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

import msgspec

from purveyor.client.machine.interface import Session
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory.job import user_name
from purveyor.client.programs.wanted.audience import groups_of
from purveyor.client.programs.wanted.due import is_live
from purveyor.client.programs.wanted.events import seen_now
from purveyor.client.programs.wanted.offered import OfferedProgram, shown_to
from purveyor.client.programs.wanted.standing import Platform, advertisements, is_gone, may_be_asked_for, standings
from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import local_text
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import ProgramKey

SOON = timedelta(hours=1)
"""How long before a run begins its user is told, where it may be put off."""
ONE_BY_ONE = 3
"""More programs than these that are new to a user at one moment are told in one notice."""
REMEMBERED = 20_000
"""Programs and users of whom it is remembered what was told; beyond it the oldest are forgotten."""
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
Place = tuple[ProgramKey, str]
"""A program and a user, as `job.user_name` writes users."""


class Kind(StrEnum):
    """What a notice says."""

    NEW = "new"
    SOON = "soon"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one user was told of one program.

    Shape: `newest_at` and `newest` are those of the newest advertisement told, `soon_at` is the newest run told; `name` and
    `sessions` tell which notice is seen now, and where; without a name none is.
    """

    key: ProgramKey
    user: str
    told_at: Instant
    newest_at: Instant = _EARLIEST
    newest: str = ""
    soon_at: Instant = _EARLIEST
    kind: Kind = Kind.NEW
    name: str = ""
    sessions: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        """By what it is kept."""
        return ProgramKey(*self.key), self.user


class Reason(NamedTuple):
    """Why a user is to know of a program now.

    Shape: `newest_at` and `newest` as in `Notice`; `due_at` and `until`: when it runs by itself, and until when that can wait.
    """

    key: ProgramKey
    user: str
    program: str
    kind: Kind
    newest_at: datetime
    newest: str
    due_at: datetime = _EARLIEST
    until: datetime = _EARLIEST

    @property
    def place(self) -> Place:
        """By what its notice is kept."""
        return self.key, self.user

    def is_news_after(self, before: Notice | None) -> bool:
        """Whether the user does not know it yet."""
        if before is None:
            return True
        if self.kind is Kind.SOON:
            return self.due_at > before.soon_at
        return (self.newest_at, self.newest) > (before.newest_at, before.newest)


class Display(NamedTuple):
    """A notice to show in a session; without a title: to take back there."""

    session: Session
    name: str
    title: str = ""
    text: str = ""


class Decision(NamedTuple):
    """What is to be shown and taken back, in this order, and what changes in what is remembered."""

    displays: tuple[Display, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Under which circumstances is decided. `page` is the address of the agent's page; empty where there is none."""

    now: datetime
    zone: tzinfo
    page: str = ""


def tell_users(bench: Bench, policy: Policy) -> datetime | None:
    """Shows what is new and takes back what holds no more. Shape: when there may be something to tell next; None: not by itself.

    Errors: none; where nobody can tell who is logged on, nothing is told now.
    """
    try:
        sessions = bench.machine.surroundings().sessions
    except UnavailableError:
        return None
    if not sessions:
        return None
    seen, platform = seen_now(bench), Platform(bench)
    found = standings(bench, policy, seen, platform)
    reasons: list[Reason] = []
    later: list[datetime] = []
    for user, own in _by_user(sessions).items():
        advertised = _advertised(policy, bench.now, own[0].user, groups_of(seen, own[0].user))
        for program in shown_to(bench, policy, found, seen, platform, own[0].user):
            reason = reason_for(program, user, advertised.get(program.key, ()), bench.now)
            if reason is not None:
                reasons.append(reason)
            begins_at = _begins_at(program)
            if program.may_postpone_until is not None and begins_at is not None and begins_at - SOON > bench.now:
                later.append(begins_at - SOON)
    page = f"http://127.0.0.1:{policy.settings.page_port}/" if policy.settings.page_port else ""
    setting = Setting(now=bench.now, zone=bench.machine.zone(), page=page)
    told = held(bench.state)
    _carry_out(bench, decided(reasons, told, sessions, setting))
    _forget(bench, [place for place in told if is_gone(policy, place[0])])
    return min(later, default=None)


def reason_for(program: OfferedProgram, user: str, advertised: Sequence[Advertisement], now: datetime) -> Reason | None:
    """Why a user is to know of a program that is offered to them; None: there is no reason. Pure.

    Shape:  `advertised` are the advertisements that are live and available, and by which the user sees the program.
    """
    if not advertised or program.state is JobState.RUNNING:
        return None
    newest = max(advertised, key=lambda one: (one.available_from, one.id))
    found = Reason(program.key, user, program.name, Kind.NEW, newest.available_from, newest.id)
    until, begins_at = program.may_postpone_until, _begins_at(program)
    if until is not None and until > now and begins_at is not None and begins_at - SOON <= now:
        return found._replace(kind=Kind.SOON, due_at=begins_at, until=until)
    has_run = program.last_success_at is not None and program.last_success_at >= newest.available_from
    return found if program.may_run_now and not has_run else None


def decided(reasons: Iterable[Reason], told: Mapping[Place, Notice], sessions: Sequence[Session], setting: Setting) -> Decision:
    """Which notices are shown and taken back, for the users of these sessions. Pure."""
    holding = {reason.place: reason for reason in reasons}
    by_user = _by_user(sessions)
    displays: list[Display] = []
    notices: dict[Place, Notice] = {}
    for user, own in by_user.items():
        news = [reason for reason in holding.values() if reason.user == user and reason.is_news_after(told.get(reason.place))]
        fresh = {reason.place for reason in news}
        over = [one for one in told.values() if one.user == user and one.name and _is_over(one, holding.get(one.place), fresh)]
        notices |= {one.place: msgspec.structs.replace(one, name="", sessions=()) for one in over}
        still_seen = {one.name for one in told.values() if one.user == user and one.name and one.place not in notices}
        displays += _taken_back(over, still_seen, own)
        for group in _grouped(news):
            name, title, text = _words(group, setting)
            displays += [Display(session, name, title, text) for session in own]
            notices |= {one.place: _told(one, told.get(one.place), name, own, setting.now) for one in group}
    return Decision(tuple(displays), tuple(notices.values()))


def held(state: State) -> dict[Place, Notice]:
    """What was told, by program and user. What cannot be read counts as not told."""
    found: dict[Place, Notice] = {}
    for row in state.connection.execute("select content from notice"):
        try:
            notice = from_bytes(bytes(row[0]), Notice)
        except RejectedError:
            continue
        found[notice.place] = notice
    return found


def _begins_at(program: OfferedProgram) -> datetime | None:
    """When it runs by itself next, as far as users have not put it off."""
    return program.postponed_until if program.state is JobState.POSTPONED else program.due_at


def _carry_out(bench: Bench, decision: Decision) -> None:
    """Remembers first and shows then: after a power cut a notice may be missing, but none comes twice."""
    if not decision.displays and not decision.notices:
        return
    with bench.state.transaction() as tx:
        for notice in decision.notices:
            values = (notice.key.package, notice.key.program, notice.user, to_bytes(notice))
            tx.execute("insert or replace into notice values (?, ?, ?, ?)", values)
        tx.execute(
            "delete from notice where (package, program, user) not in"
            " (select package, program, user from notice order by json_extract(content, '$.told_at') desc limit ?)",
            (REMEMBERED,),
        )
    for one in decision.displays:
        if one.title:
            bench.machine.notices.show(one.session, one.name, one.title, one.text)
        else:
            bench.machine.notices.close(one.session, one.name)


def _forget(bench: Bench, places: Iterable[Place]) -> None:
    """Forgets what was told of programs that the site deleted."""
    with bench.state.transaction() as tx:
        for key, user in places:
            tx.execute("delete from notice where package = ? and program = ? and user = ?", (key.package, key.program, user))


def _is_over(notice: Notice, reason: Reason | None, fresh: AbstractSet[Place]) -> bool:
    """Whether a notice that is seen holds no more, or gives way to a newer one."""
    return reason is None or reason.kind is not notice.kind or notice.place in fresh


def _taken_back(over: Sequence[Notice], still_seen: AbstractSet[str], own: Sequence[Session]) -> list[Display]:
    """Takes notices back that nothing holds any more; one that stands for several programs stays as long as any does."""
    names = {one.name: one.sessions for one in over if one.name not in still_seen}
    return [Display(session, name) for name, seen in names.items() for session in own if session.id in seen]


def _grouped(news: Sequence[Reason]) -> list[list[Reason]]:
    """What is told in one notice: each by itself, or all that is new together where it is much."""
    new = [reason for reason in news if reason.kind is Kind.NEW]
    alone = [reason for reason in news if reason.kind is not Kind.NEW]
    together = [new] if len(new) > ONE_BY_ONE else [[reason] for reason in new]
    return together + [[reason] for reason in alone]


def _words(group: Sequence[Reason], setting: Setting) -> tuple[str, str, str]:
    """The name, title and text of a notice."""
    first = group[0]
    where = f" See {setting.page}" if setting.page else " See: purveyor client programs"
    name = f"{first.kind}-{first.key.package}-{first.key.program}"
    if first.kind is Kind.SOON:
        begins, until = (local_text(at, setting.zone) for at in (first.due_at, first.until))
        begins = f"at {begins}" if first.due_at > setting.now else "as soon as it can"
        return name, f"{first.program} will be run soon", f"It begins {begins} and can be put off until {until}.{where}"
    if len(group) > 1:
        return f"{name}-and-more", f"{len(group)} new programs", f"{len(group)} programs are offered to you.{where}"
    return name, "A new program", f"{first.program} is offered to you.{where}"


def _told(reason: Reason, before: Notice | None, name: str, own: Sequence[Session], now: datetime) -> Notice:
    newest = max((reason.newest_at, reason.newest), (before.newest_at, before.newest) if before else (_EARLIEST, ""))
    return Notice(
        key=reason.key,
        user=reason.user,
        told_at=now,
        newest_at=newest[0],
        newest=newest[1],
        soon_at=max(reason.due_at, before.soon_at if before else _EARLIEST),
        kind=reason.kind,
        name=name,
        sessions=tuple(session.id for session in own),
    )


def _by_user(sessions: Sequence[Session]) -> dict[str, list[Session]]:
    found: dict[str, list[Session]] = {}
    for session in sessions:
        found.setdefault(user_name(session.user), []).append(session)
    return found


def _advertised(policy: Policy, now: datetime, user: str, groups: Sequence[str]) -> dict[ProgramKey, list[Advertisement]]:
    """The advertisements of each program that say something now, and by which this user sees it."""
    found: dict[ProgramKey, list[Advertisement]] = {}
    for one in advertisements(policy):
        if is_live(one, now) and one.available_from <= now and may_be_asked_for(one, user, groups):
            found.setdefault(one.key, []).append(one)
    return found
