"""What the users of this machine ask for: to run a program now or at a time they choose, to put a run or a restart off.

Stored by the agent's page and commands, under the agent's lock; acted on by the next turn, which removes what is done with. Pure
storage: whether something may be asked is decided where it is taken in.
"""

from enum import StrEnum

import msgspec

from purveyor.client.state.store import State
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
    """One wish of one user.

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


def asks(state: State) -> list[Ask]:
    """All that users ask for, in the order in which they asked."""
    rows = state.connection.execute("select number, content from ask order by number").fetchall()
    return [msgspec.structs.replace(from_bytes(bytes(row[1]), Ask), number=int(row[0])) for row in rows]


def add_ask(state: State, ask: Ask) -> int:
    """Stores a wish; beyond the limit the oldest goes. Shape: its number, never given twice."""
    with state.transaction() as tx:
        number = tx.execute("insert into ask (content) values (?)", (to_bytes(ask),)).lastrowid
        tx.execute("delete from ask where number not in (select number from ask order by number desc limit ?)", (LIMIT,))
    return int(number or 0)


def drop_ask(state: State, number: int) -> None:
    """Removes a wish that is done with."""
    with state.transaction() as tx:
        tx.execute("delete from ask where number = ?", (number,))
