"""What is on its way: the site's files to those who look from afar, and the items of clients into the up boxes.

`Mirroring` decides which of the site's writes are seen yet, `Delivery` what becomes of an item that was put, and when. Both are
moved by the lab's clock alone. The folders of `lab.transport` ask them.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from purveyor.lab.faults import Chosen, Files, Scope, Stored
from purveyor.transport.interface import Listed

NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Request:
    """Any request, for counting."""

    client: str
    verb: str
    path: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AbsentRequest:
    """A request for a file that was not there.

    It is excused where a fault that was asked for hid a file that every client may ask for.
    """

    client: str
    path: str
    at: datetime
    is_excused: bool


@dataclass(frozen=True, slots=True)
class _Write:
    shown_at: datetime
    path: str
    stored: Stored | None


@dataclass(slots=True)
class Mirroring:
    """How the site's writes become visible: some of them only, or later, each by itself. `files` are those that are seen."""

    files: Files
    writes_to_show: int = 0
    """So many of the next writes are seen at once."""
    by: timedelta = NONE
    spread: timedelta = NONE
    """How much longer than `by` a write may take; with a spread, writes overtake each other."""
    only: Chosen | None = None
    """The paths that take time, others are seen at once; None: nothing that is not to be shown is ever seen."""
    chance: Random = field(default_factory=Random)
    _coming: list[_Write] = field(default_factory=list)

    @property
    def is_torn(self) -> bool:
        """Whether something may be seen before that to which it leads."""
        return self.only is not None and (self.only is not bool or self.spread > NONE)

    def wrote(self, path: str, stored: Stored | None, now: datetime) -> None:
        """The site wrote or removed a file."""
        if self.only is None:
            if self.writes_to_show > 0:
                self.writes_to_show -= 1
                put(self.files, path, stored)
        elif self.only(path):
            self._coming.append(_Write(now + self.by + self.spread * self.chance.random(), path, stored))
        else:
            put(self.files, path, stored)

    def seen(self, path: str, now: datetime) -> Stored | None:
        """The file as it is seen now. Of two writes of one file the later one is never undone by the earlier one."""
        while (index := next((n for n, write in enumerate(self._coming) if write.shown_at <= now), None)) is not None:
            shown = self._coming[index]
            put(self.files, shown.path, shown.stored)
            older = (write for write in self._coming[:index] if write.path != shown.path)
            self._coming = [*older, *self._coming[index + 1 :]]
        return self.files.get(path)


@dataclass(slots=True)
class Delivery:
    """What becomes of items between the client that puts them and the site that looks into the box."""

    discards: list[Scope] = field(default_factory=list)
    """Whose items are taken and thrown away without a word."""
    by: timedelta = NONE
    spread: timedelta = NONE
    duplicates_after: timedelta | None = None
    """Every item comes a second time, so much later."""
    keeps_names: bool = False
    """The second time it has the name that it had, as where a file comes back that was removed; else another one."""
    chance: Random = field(default_factory=Random)
    listing: Random | None = None
    """Lists of the boxes are wrong: out of order, with gaps, with names twice and names of nothing."""
    _under_way: list[tuple[datetime, str, bytes]] = field(default_factory=list)

    def take(self, client: str, path: str, content: bytes, now: datetime) -> None:
        """An item was put."""
        if any(discard.covers(client, path, now) for discard in self.discards):
            return
        arrives_at = now + self.by + self.spread * self.chance.random()
        self._under_way.append((arrives_at, path, content))
        if self.duplicates_after is not None:
            again = path if self.keeps_names else _named_otherwise(path)
            self._under_way.append((arrives_at + self.duplicates_after, again, content))

    def arrived(self, now: datetime | None) -> Iterator[tuple[str, bytes]]:
        """Items that have arrived by now, in the order in which they did; with None all that are under way."""
        here = sorted(item for item in self._under_way if now is None or item[0] <= now)
        self._under_way = [item for item in self._under_way if item not in here]
        for _, path, content in here:
            yield path, content

    def listed(self, names: list[Listed]) -> list[Listed]:
        """A list of a box as it is given."""
        if self.listing is None:
            return names
        wrong = [name for name in names if self.listing.random() < 0.7]
        wrong += [Listed(self.listing.randbytes(16).hex(), 100), *wrong[:2]]
        self.listing.shuffle(wrong)
        return wrong


def put(files: Files, path: str, stored: Stored | None) -> None:
    """Puts a file into a folder, or takes it out."""
    if stored is None:
        files.pop(path, None)
    else:
        files[path] = stored


def _named_otherwise(path: str) -> str:
    box = path.rpartition("/")[0]
    return f"{box}/{hashlib.sha256(path.encode()).hexdigest()[:32]}"


Passing = Callable[[timedelta], None]
"""Lets time pass, as `Clock.advance` does."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """A link or a disk on which answers and bytes take their time."""

    passes: Passing
    bytes_per_second: float
    answer: timedelta = NONE

    def cross(self, size_bytes: int) -> None:
        """So many bytes go over it."""
        self.passes(timedelta(seconds=size_bytes / self.bytes_per_second))
