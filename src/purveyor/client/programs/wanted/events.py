"""What happened on this machine that makes assignments due: its starts, logons and logoffs, each seen once and numbered.

A pass looks who is logged on, compares that with whom the state remembers, and notes what changed. Where nobody can tell who is
logged on, nothing is concluded. Numbers rise for ever, so that what an assignment has used up is one number. Upstream: the
machine's surroundings; downstream: `due`.
"""

import hashlib
from datetime import datetime, timedelta

import msgspec

from purveyor.client.machine.interface import Machine, Session
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.wanted.due import Happening
from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.offers import AssignmentKind

SESSION_LIMIT = 500
"""Sessions that are told apart at once."""
GONE_LIMIT = 32
"""Ended sessions that are remembered: one run answers all of them that it can."""
GROUP_LIMIT = 1000
_FACT = "happenings"
_MARK = "happenings"
_ID_LIMIT = 64


class SeenSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One session that was seen. Shape: `number` is that of its logon; `gone_number` of its logoff, 0 while it lasts."""

    number: int
    boot_id: str
    id: str
    user: str
    groups: tuple[str, ...] = ()
    since: Instant
    gone_number: int = 0
    gone_at: Instant | None = None

    @property
    def nominal(self) -> str:
        """What occurrences name it by."""
        return f"{short(self.boot_id)}/{short(self.id)}"


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was seen of this machine. Shape: `present` in the order in which they were seen, `gone` the oldest first."""

    count: int = 0
    boot_id: str = ""
    boot_number: int = 0
    booted_at: Instant | None = None
    present: tuple[SeenSession, ...] = ()
    gone: tuple[SeenSession, ...] = ()

    def happenings(self) -> list[Happening]:
        """All that can make an assignment due."""
        found = [Happening(AssignmentKind.LOGON, one.number, one.nominal, one.since) for one in self.present]
        found += [Happening(AssignmentKind.LOGOFF, one.gone_number, one.nominal, one.gone_at) for one in self.gone if one.gone_at]
        if self.booted_at is not None:
            found.append(Happening(AssignmentKind.STARTUP, self.boot_number, short(self.boot_id), self.booted_at))
        return found


def look(bench: Bench) -> Seen:
    """What was seen of this machine, with what is seen now; remembered where it changed."""
    before, after = held(bench.state), seen_now(bench)
    if after != before:
        with bench.state.transaction():
            bench.state.remember(_FACT, to_bytes(after).decode())
            bench.state.raise_mark(_MARK, after.count)
    return after


def seen_now(bench: Bench) -> Seen:
    """What was seen of this machine, with what is seen now; nothing is remembered."""
    machine = bench.machine
    uptime = timedelta(seconds=max(0.0, machine.uptime_seconds()))
    return observed(held(bench.state), _sessions(machine), boot_id=machine.boot_id(), now=bench.now, uptime=uptime)


def held(state: State) -> Seen:
    """What was seen of this machine before. What cannot be read is seen anew, under new numbers."""
    try:
        return from_bytes(state.fact(_FACT).encode() or b"{}", Seen)
    except RejectedError:
        return Seen(count=state.mark(_MARK))


def observed(before: Seen, sessions: tuple[Session, ...] | None, *, boot_id: str, now: datetime, uptime: timedelta) -> Seen:
    """What was seen once these sessions are seen too; None: nobody can tell who is logged on. Pure."""
    after = before
    if before.boot_id != boot_id:
        after = msgspec.structs.replace(
            after, count=after.count + 1, boot_id=boot_id, boot_number=after.count + 1, booted_at=_earlier(now, uptime)
        )
    if sessions is None:
        return after
    known = {(one.boot_id, one.id, one.user): one for one in after.present}
    count, present = after.count, []
    for session in {(session.id, session.user): session for session in sessions[:SESSION_LIMIT]}.values():
        one = known.pop((boot_id, session.id, session.user), None)
        groups = session.groups[:GROUP_LIMIT]
        if one is None:
            count += 1
            since = now if session.since is None else session.since
            one = SeenSession(number=count, boot_id=boot_id, id=session.id, user=session.user, groups=groups, since=since)
        elif one.groups != groups:
            one = msgspec.structs.replace(one, groups=groups)
        present.append(one)
    gone = []
    for one in known.values():
        count += 1
        gone.append(msgspec.structs.replace(one, gone_number=count, gone_at=now))
    return msgspec.structs.replace(
        after,
        count=count,
        present=tuple(sorted(present, key=lambda one: one.number)),
        gone=(*after.gone, *gone)[-GONE_LIMIT:],
    )


def short(text: str) -> str:
    """A text that names something in an occurrence: a long one by its beginning and its hash."""
    plain = text.replace("@", "_").replace("#", "_")
    return plain if len(plain) <= _ID_LIMIT else f"{plain[:40]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _sessions(machine: Machine) -> tuple[Session, ...] | None:
    try:
        return machine.surroundings().sessions
    except UnavailableError:
        return None


def _earlier(now: datetime, span: timedelta) -> datetime:
    try:
        return now - span
    except OverflowError:
        return now
