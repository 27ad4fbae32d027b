"""The people at a simulated machine: who is logged on, which accounts there are, and what was said to whom.

A story logs users on and off; the agent sees them as it would see the sessions of a real machine.
"""

from typing import NamedTuple

import msgspec

from purveyor.client.machine.interface import Account, Session
from purveyor.lab.clock import LocalClock
from purveyor.wire.accounts import account_name, is_same
from purveyor.wire.errors import UnavailableError

FIRST_USER_ID = 1000


class SimulatedSessions:
    """Who is logged on. `groups` are the groups of each user who ever logged on."""

    def __init__(self, clock: LocalClock) -> None:
        self._clock = clock
        self._sessions: list[Session] = []
        self._accounts: dict[str, Account] = {}
        self._count = 0
        self.is_directory_away = False
        """Whether accounts of a domain cannot be looked up now."""
        self.cannot_be_told = False
        """Whether nobody can tell now who is logged on."""

    def log_on(self, user: str, groups: tuple[str, ...] = ()) -> Session:
        """A user logs on, with a session of their own."""
        self._count += 1
        session = Session(id=str(self._count), user=user, groups=groups, since=self._clock.now())
        self._sessions.append(session)
        self.add_account(user)
        return session

    def log_off(self, user: str) -> None:
        """Ends all sessions of a user."""
        self._sessions = [session for session in self._sessions if not is_same(session.user, user)]

    def lock(self, user: str, *, is_locked: bool = True) -> None:
        """Locks or unlocks the screen of a user, who stays logged on."""
        self._sessions = [
            msgspec.structs.replace(one, is_active=not is_locked) if is_same(one.user, user) else one for one in self._sessions
        ]

    def log_all_off(self) -> None:
        """Ends all sessions, as a restart does."""
        self._sessions = []

    def add_account(self, user: str) -> Account:
        """Makes an account, where there is none of that name."""
        if user not in self._accounts:
            number = FIRST_USER_ID + len(self._accounts)
            name = account_name(user).name
            account = Account(name=name, user_id=number, group_id=number, group_ids=(number,), home=f"/home/{name}")
            self._accounts[user] = account
        return self._accounts[user]

    def remove_account(self, user: str) -> None:
        """Deletes an account."""
        self._accounts.pop(user, None)

    def sessions(self) -> tuple[Session, ...]:
        """Who is logged on. Errors: UnavailableError where a story says that nobody can tell."""
        if self.cannot_be_told:
            raise UnavailableError("nobody can tell who is logged on")
        return tuple(self._sessions)

    def account(self, user: str) -> Account | None:
        """The account of a user, or None. Errors: UnavailableError while the directory of its domain is away."""
        if self.is_directory_away and account_name(user).domain:
            raise UnavailableError(f"the directory that knows {user} cannot be reached")
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

    def close_all(self) -> None:
        """Closes all of them, as the end of all sessions does."""
        self.open.clear()
