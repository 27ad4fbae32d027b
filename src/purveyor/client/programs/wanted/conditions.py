"""What must hold right before a launch: who is logged on, power, network, room on the disk, a machine that stays up.

Pure: looks at what it is given and says what stands in the way, and when it is worth looking again. It never waits, tells or
stores anything. Windows are `opening`'s matter. Upstream: the machine's surroundings; downstream: `families`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from purveyor.client.machine.interface import Session, Surroundings
from purveyor.wire.accounts import is_same
from purveyor.wire.causes import Cause
from purveyor.wire.package_info import Logon, Program, RunAs

_LAST = datetime.max.replace(tzinfo=UTC)


class Unmet(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that does not hold now. `look_at`: when to look again; None: nothing but what a later policy brings."""

    cause: Cause
    reason: str
    look_at: datetime | None = None


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """When a look is made, and how long the next one is away at least. Units: seconds."""

    now: datetime
    seconds: int

    @property
    def next_look(self) -> datetime:
        """When to look again. Source: Q240921, Q259991, Q320743: never sooner."""
        return self.now + timedelta(seconds=max(1, self.seconds))


def unmet(
    program: Program, surroundings: Surroundings | None, *, user: str, free_bytes: int | None, interval: Interval
) -> Unmet | None:
    """What keeps a program from starting at this moment; None when everything holds.

    Those that pass by themselves come first, so that a user who comes and goes while a cable is missed tells nothing new.
    Shape:  `surroundings` is None when nobody can tell who is logged on; `user` is the one for whom it runs, where it is for one;
            `free_bytes` is None when that cannot be told, which stands in nobody's way.
    """
    if surroundings is not None and surroundings.is_going_down:
        return _unmet(Cause.GOING_DOWN, "the machine is going down", interval)
    wanted = program.conditions
    if wanted.needs_mains and surroundings is not None and surroundings.is_on_mains is False:
        return _unmet(Cause.MAINS, "the machine runs on its battery", interval)
    if wanted.needs_unmetered and is_costly(surroundings):
        return _unmet(Cause.METERED, "the network costs by volume", interval)
    if free_bytes is not None and free_bytes < wanted.min_free_bytes:
        reason = f"not enough space, as {wanted.min_free_bytes} bytes have to be free"
        return _unmet(Cause.SPACE, reason, interval)
    return _unmet_logon(program, surroundings, user, interval)


def is_costly(surroundings: Surroundings | None) -> bool:
    """Whether the network is known to cost by volume."""
    return surroundings is not None and surroundings.is_metered is True


def needs_user(program: Program) -> bool:
    """Whether a program starts only while somebody is logged on, however it runs (Q263369)."""
    return program.conditions.logon is Logon.USER or program.run_as is RunAs.USER


def session_for(sessions: Sequence[Session], user: str) -> Session | None:
    """The session in which a program runs: one of its user, where it is for one, else anybody's; who is active goes first."""
    fitting = [session for session in sessions if not user or is_same(session.user, user)]
    return min(fitting, key=_place, default=None)


def _place(session: Session) -> tuple[bool, datetime, str]:
    """Who is in front of the machine first, then who came first."""
    return (not session.is_active, session.since or _LAST, session.id)


def _unmet_logon(program: Program, surroundings: Surroundings | None, user: str, interval: Interval) -> Unmet | None:
    is_wanted = needs_user(program) or bool(user)
    if not is_wanted and program.conditions.logon is Logon.ANY:
        return None
    if surroundings is None:
        return _unmet(Cause.SESSIONS_UNKNOWN, "it cannot be told who is logged on", interval)
    if is_wanted:
        if session_for(surroundings.sessions, user) is not None:
            return None
        return _unmet(Cause.NO_USER, f"{user} is not logged on" if user else "no user is logged on", interval)
    if surroundings.sessions:
        names = ", ".join(sorted({session.user for session in surroundings.sessions})[:3])
        return _unmet(Cause.SOME_USER, f"somebody is logged on ({names}), and it runs only while nobody is", interval)
    return None


def _unmet(cause: Cause, reason: str, interval: Interval) -> Unmet:
    return Unmet(cause=cause, reason=f"waits: {reason}", look_at=interval.next_look)
