"""What is asked for by people, beside what is assigned: to run a program now or at a chosen time, to put a run or a restart off.

Stored by the agent's page and commands, under the agent's lock, and where an administrator's request is accepted; acted on by the
turns that follow, which remove what is done with. Pure storage: whether something may be asked is decided where it is taken in.
"""

from enum import StrEnum

import msgspec

from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.package_info import ProgramKey

LIMIT = 1000
"""Asks that may wait at once; far more than people ever make."""


class AskKind(StrEnum):
    """What a user asks for."""

    RUN = "run"
    POSTPONE = "postpone"
    POSTPONE_RESTART = "postpone-restart"
    RESTART_NOW = "restart-now"


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One wish of one user, or one run that an administrator's request brought.

    Shape: `at` is when to run, or until when to put off; `number` is 0 until it is stored; a RUN is kept until it was started,
    the others until the next turn has taken them.
    """

    kind: AskKind
    user: str
    made_at: Instant
    at: Instant
    key: ProgramKey | None = None
    advertisement: AdvertisementId | None = None
    number: int = 0
    request: int = 0
    """The number of the administrator's request; 0: a user asks."""
    expires_at: Instant | None = None
    """From then on it is not asked for any more, where each user has a run of their own."""
    is_told: bool = False
    """Whether the site was told of it."""

    @property
    def program(self) -> ProgramKey | None:
        """The program that is asked for."""
        return None if self.key is None else ProgramKey(*self.key)


def asks(state: State) -> list[Ask]:
    """All that users ask for, in the order in which they asked. What cannot be read is passed over."""
    rows = state.connection.execute("select number, content from ask order by number").fetchall()
    found = []
    for number, content in rows:
        try:
            found.append(msgspec.structs.replace(from_bytes(bytes(content), Ask), number=int(number)))
        except RejectedError:
            continue
    return found


def add_ask(state: State, ask: Ask) -> int:
    """Stores a wish; beyond the limit the oldest goes. Shape: its number, never given twice."""
    with state.transaction() as tx:
        number = tx.execute("insert into ask (content) values (?)", (to_bytes(ask),)).lastrowid
        tx.execute("delete from ask where number not in (select number from ask order by number desc limit ?)", (LIMIT,))
    return int(number or 0)


def save_ask(state: State, ask: Ask) -> None:
    """Stores a wish in its place; one that is gone stays gone."""
    with state.transaction() as tx:
        tx.execute("update ask set content = ? where number = ?", (to_bytes(ask), ask.number))


def drop_ask(state: State, number: int) -> None:
    """Removes a wish that is done with."""
    with state.transaction() as tx:
        tx.execute("delete from ask where number = ?", (number,))
