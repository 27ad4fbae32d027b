"""The numbering of a client's upward items: which is new, which was here before, and up to where none is missing. Pure.

A client numbers its items without gaps. An item is known by its digest: the same number with another digest proves that two
machines use one identity (a clone). What the client no longer holds is lost for good and is counted, never waited for.
Source: the protocol, sections 4 and 10.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from purveyor.wire.reports import REMEMBERED_ITEMS

PLACES_AN_ITEM = 1000
"""The `order` of what a message said is the sequence of its item times this, plus its position in the item."""


class Arrival(StrEnum):
    """What an item is to the site."""

    NEW = "new"
    LATE = "late"  # given up as lost, and here after all
    DUPLICATE = "duplicate"
    FORK = "fork"


class Advance(NamedTuple):
    """Where an item took the numbering. `lost` counts the numbers that were given up, `first_lost` is the lowest of them."""

    received: int
    lost: int
    first_lost: int


def arrival_of(sequence: int, digest: str, *, received: int, remembered: str | None) -> Arrival:
    """What this item is; `remembered` is the digest stored under its number, if there is one."""
    if remembered is not None:
        return Arrival.DUPLICATE if remembered == digest else Arrival.FORK
    if sequence > received:
        return Arrival.NEW
    return Arrival.LATE if sequence > oldest_forgotten(received) else Arrival.DUPLICATE


def oldest_forgotten(received: int) -> int:
    """The highest number whose digest is no longer remembered when everything up to `received` was received."""
    return max(0, received - REMEMBERED_ITEMS)


def advance(received: int, *, oldest_kept: int, stored: Collection[int]) -> Advance:
    """How far all items are stored, when `stored` lie above `received` and the client keeps none below `oldest_kept`.

    A number below `oldest_kept` that is not stored will never come: it is given up.
    """
    above = {sequence for sequence in stored if sequence > received}
    missing_end = max(received, oldest_kept - 1)
    lost = missing_end - received - sum(1 for sequence in above if sequence <= missing_end)
    first_lost = 0
    if lost:
        first_lost = received + 1
        while first_lost in above:
            first_lost += 1
    received = missing_end
    while received + 1 in above:
        received += 1
    return Advance(received, lost, first_lost)
