"""What can be wrong with what a folder of the lab shows: whom a fault concerns, until when, and what it makes of a file.

The folders of `lab.transport` hold such faults and apply them to every answer; the functions here only say what comes of a file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from random import Random
from typing import NamedTuple

Chosen = Callable[[str], bool]
"""Which paths are meant; `bool` stands for all."""


class Stored(NamedTuple):
    """A file in a folder: its bytes, and its modification time in whole seconds, of which tags are made."""

    content: bytes
    modified: int
    is_endless: bool = False
    """After its bytes come others, without an end."""
    seems_unchanged: bool = False
    """Whoever holds any version of it is told that it is still the newest."""

    @property
    def tag(self) -> str:
        """As a static server makes it: seconds and size."""
        return f'"{self.modified:x}-{len(self.content):x}"'


Files = dict[str, Stored]
Alteration = Callable[[str, Stored | None], Stored | None]
"""What a client is served for a path in place of the file that lies there, or of none."""


class Rank(IntEnum):
    """In which order faults are applied: which file is taken, what becomes of its bytes, whether it is there at all."""

    SOURCE = 1
    BYTES = 2
    ABSENCE = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom something concerns: one client or all, some paths or all, for ever or until a time."""

    client: str | None = None
    only: Chosen = bool
    until: datetime | None = None

    def covers(self, client: str, path: str, now: datetime) -> bool:
        """Whether this client's request for this path meets it now."""
        return self.client in (None, client) and (self.until is None or now < self.until) and self.only(path)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what is shown.

    `is_torn` says that files may be missing to which others that are shown lead, so that asking for them is nobody's mistake.
    """

    rank: Rank
    alter: Alteration
    scope: Scope
    is_torn: bool = False


def served(faults: list[Fault], client: str, path: str, stored: Stored | None, now: datetime) -> Stored | None:
    """What a client is served for a path where `stored` lies."""
    for fault in faults:
        if fault.scope.covers(client, path, now):
            stored = fault.alter(path, stored)
    return stored


# --- what becomes of a file ---


def of_moment(files: Mapping[str, Stored]) -> Alteration:
    """The file as it was among these."""
    return lambda path, _stored: files.get(path)


def of_other(current: Callable[[str], Stored | None], other: str) -> Alteration:
    """Another file under its name: another client's shard, say."""
    return lambda _path, _stored: current(other)


def nothing(_path: str, _stored: Stored | None) -> None:
    """No file."""


def first_bytes(size_bytes: int) -> Alteration:
    """Only the beginning of the file."""
    return lambda _path, stored: stored and stored._replace(content=stored.content[:size_bytes])


def one_byte_changed(_path: str, stored: Stored | None) -> Stored | None:
    """The file with one byte changed in its middle."""
    if stored is None or not stored.content:
        return stored
    middle = len(stored.content) // 2
    content = stored.content[:middle] + bytes([stored.content[middle] ^ 1]) + stored.content[middle + 1 :]
    return stored._replace(content=content)


def without_end(_path: str, stored: Stored | None) -> Stored | None:
    """The file, and after it bytes that never end."""
    return stored and stored._replace(is_endless=True)


def seemingly_unchanged(_path: str, stored: Stored | None) -> Stored | None:
    """The file, said to be the one that its reader already has."""
    return stored and stored._replace(seems_unchanged=True)


# --- the requests that carry them ---


class Fate(IntEnum):
    """What becomes of one request."""

    ANSWERED = 1
    LOST = 2
    """It never arrived: nothing was done."""
    ANSWER_LOST = 3
    """It was carried out, and the answer to it was lost."""


@dataclass(slots=True)
class Loss:
    """A link that loses a share of all requests, half of them on the way back."""

    share: float
    chance: Random
    scope: Scope

    def fate(self, client: str, path: str, now: datetime) -> Fate:
        """What becomes of a request of this client now."""
        if not self.scope.covers(client, path, now):
            return Fate.ANSWERED
        drawn = self.chance.random()
        if drawn >= self.share:
            return Fate.ANSWERED
        return Fate.LOST if drawn < self.share / 2 else Fate.ANSWER_LOST
