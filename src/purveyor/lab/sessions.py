"""The people at a simulated machine: who is logged on, which accounts there are, and what was said to whom.

A story logs users on and off; the agent sees them as it would see the sessions of a real machine.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from purveyor.client.machine.interface import Account, Session
from purveyor.lab.clock import LocalClock
from purveyor.wire.accounts import account_name, is_same
from purveyor.wire.errors import UnavailableError

FIRST_USER_ID = 1000


def _nobody_listens(_: Session) -> None:
    """Nothing hangs on the sessions of a machine that has neither programs nor notices."""


class SimulatedSessions:
    """Who is logged on. `ended` is called with each session that has ended, when it is gone."""

    def __init__(self, clock: LocalClock, *, ended: Callable[[Session], None] = _nobody_listens) -> None:
        self._clock = clock
        self._ended = ended
        self._sessions: list[Session] = []
        self._accounts: dict[str, Account] = {}
        self._account_count = 0
        self._count = 0
        self.is_directory_away = False
        """Whether accounts of a domain cannot be looked up now."""
        self.cannot_be_told = False
        """Whether nobody can tell now who is logged on."""
        self.change_count = 0
        """How often somebody logged on or off, or a screen was locked or unlocked: what the sentinel notices."""

    def log_on(self, user: str, groups: tuple[str, ...] = ()) -> Session:
        """A user logs on, with a session of their own."""
        self._count += 1
        self.change_count += 1
        session = Session(id=str(self._count), user=user, groups=groups, since=self._clock.now())
        self._sessions.append(session)
        self.add_account(user)
        return session

    def log_off(self, user: str) -> None:
        """Ends all sessions of a user. Programs of the system go on, and those of the user that need no window."""
        self._end([session for session in self._sessions if is_same(session.user, user)])

    def lock(self, user: str, *, is_locked: bool = True) -> None:
        """Locks or unlocks the screen of a user, who stays logged on."""
        self.change_count += 1
        self._sessions = [
            msgspec.structs.replace(one, is_active=not is_locked) if is_same(one.user, user) else one for one in self._sessions
        ]

    def log_all_off(self) -> None:
        """Ends all sessions, as a restart does."""
        self._end(list(self._sessions))

    def _end(self, ending: list[Session]) -> None:
        if not ending:
            return
        self.change_count += 1
        self._sessions = [session for session in self._sessions if session not in ending]
        for session in ending:
            self._ended(session)

    def add_account(self, user: str) -> Account:
        """Makes an account, where there is none of that name. Its name is written as the user's is, as a directory gives it."""
        found = self._found(user)
        if found is None:
            number = FIRST_USER_ID + self._account_count
            self._account_count += 1
            home = f"/home/{account_name(user).name}"
            found = Account(name=user, user_id=number, group_id=number, group_ids=(number,), home=home)
            self._accounts[user] = found
        return found

    def remove_account(self, user: str) -> None:
        """Deletes an account."""
        self._accounts = {name: account for name, account in self._accounts.items() if not is_same(name, user)}

    def sessions(self) -> tuple[Session, ...]:
        """Who is logged on, as the agent is told. Errors: UnavailableError where a story says that nobody can tell."""
        if self.cannot_be_told:
            raise UnavailableError("nobody can tell who is logged on")
        return self.present()

    def present(self) -> tuple[Session, ...]:
        """Who is logged on, whether or not anybody can tell."""
        return tuple(self._sessions)

    def account(self, user: str) -> Account | None:
        """The account of a user, or None. Errors: UnavailableError while the directory of its domain is away."""
        if self.is_directory_away and account_name(user).domain:
            raise UnavailableError(f"the directory that knows {user} cannot be reached")
        return self._found(user)

    def _found(self, user: str) -> Account | None:
        return next((account for name, account in self._accounts.items() if is_same(name, user)), None)


class Notice(NamedTuple):
    """One notice as its user saw it."""

    user: str
    name: str
    title: str
    text: str


class SimulatedNotices:
    """What was said to users: `open` are the notices that are seen now, `shown` all that ever were, oldest first."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], Notice] = {}
        self.shown: list[Notice] = []

    def show(self, session: Session, name: str, title: str, text: str) -> None:
        """Shows a notice; one of the same name in the same session is replaced."""
        notice = Notice(session.user, name, title, text)
        self.open[(session.id, name)] = notice
        self.shown.append(notice)

    def close(self, session: Session, name: str) -> None:
        """Takes a notice back."""
        self.open.pop((session.id, name), None)

    def session_ended(self, session: Session) -> None:
        """Nobody sees the notices of a session that has ended."""
        self.open = {key: notice for key, notice in self.open.items() if key[0] != session.id}
