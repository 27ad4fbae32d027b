"""What lies where items arrive, and is none: left by a crash in the middle of a write, or put there by somebody.

It goes once it has lain there unchanged for a while. The while is counted by the seconds that this process runs, from when it saw
a thing as it is now: neither the clock of a server nor that of a disk is asked, so none that is wrong ends anything early.
What is written at the time changes; what is the owner's own is never a stray while it is written, for who sweeps is who writes.
"""

import re
from typing import NamedTuple

from purveyor.transport.folder.shelf import ARRIVING, ASIDE
from purveyor.transport.interface import Shelf
from purveyor.wire.boxes import ITEM_NAME, UP_BOXES

UNCHANGED_SECONDS = 1800.0
LOOKED_AT = 10_000
"""Strays of one folder that a look finds; the rest is found when these have gone."""

_NONE = re.compile(r"(?!)")
ASIDES = ((ASIDE, _NONE),)
"""In a place that takes no items: what the owner wrote aside. Shape: folder, and the names of what belongs there."""
BOXES_AND_ASIDES = (*ASIDES, (ARRIVING, _NONE), *((box.name, ITEM_NAME) for box in UP_BOXES))
"""In a CAP."""


class Swept(NamedTuple):
    """What a look did: strays removed, and those that cannot be."""

    removed: int
    stuck: tuple[str, ...]

    @property
    def problem(self) -> str:
        """What is to be told of it, or nothing."""
        if not self.stuck:
            return ""
        return f"{len(self.stuck)} things that are no items cannot be removed from the up boxes, {self.stuck[0][:100]!r} for one"


class Strays:
    """What was seen in one place at the last look, and since when it is as it was then."""

    def __init__(self, folders: tuple[tuple[str, re.Pattern[str]], ...]) -> None:
        self._folders = folders
        self._seen: dict[tuple[str, str], tuple[str, float]] = {}

    def sweep(self, shelf: Shelf, running_seconds: float) -> Swept:
        """Looks once, and removes what has lain for long enough. Errors: UnavailableError."""
        found: dict[tuple[str, str], tuple[str, float]] = {}
        removed, stuck = 0, []
        for folder, usual in self._folders:
            for stray in shelf.strays(folder, usual=usual, limit=LOOKED_AT):
                key = (folder, stray.name)
                tag, since = self._seen.get(key, (stray.tag, running_seconds))
                is_old = tag == stray.tag and running_seconds - since >= UNCHANGED_SECONDS
                if is_old and shelf.sweep(folder, stray.name):
                    removed += 1
                    continue
                found[key] = (stray.tag, since if tag == stray.tag else running_seconds)
                if is_old:
                    stuck.append(f"{folder}/{stray.name}")
        self._seen = found
        return Swept(removed, tuple(stuck))
