"""Which items a turn takes from the up boxes, and their bytes: fair to the boxes, and to the clients within a box.

Requests to join have a budget of their own, so that no flood of reports keeps a machine from joining, and none of joins delays
reports. Within a full box every client has a budget; what is over it is taken only where room is left. Nothing is opened or
believed here, nothing removed: what is not taken lies where it is until the next turn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from purveyor.transport.interface import Listed, Shelf
from purveyor.wire import envelope
from purveyor.wire.boxes import ITEM_NAME, UP_BOXES, Box
from purveyor.wire.envelope import Envelope
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.ids import ClientId

JOINING_BOX = "ccr.box"
TURN_LIMIT_BYTES = 64 * 2**20
_LOOKED_AT = 4
"""So many times its share of items is looked at in a full box, to find those of clients that are within their budget."""


class Taken(NamedTuple):
    """An item as it lay in its box. `parts` is None when it is not even an envelope; `problem` says why."""

    box: Box
    name: str
    content: bytes
    parts: Envelope | None
    problem: str = ""

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{self.box.name}/{self.name}"


@dataclass(slots=True)
class Budget:
    """What is left of a turn: bytes, and items of each client."""

    items_a_client: int
    left_bytes: int = TURN_LIMIT_BYTES
    taken: dict[ClientId, int] = field(default_factory=dict)

    def allows(self, client: ClientId) -> bool:
        """Whether the client is within its budget."""
        return self.taken.get(client, 0) < self.items_a_client

    def count(self, item: Taken) -> None:
        """Counts an item that is taken."""
        self.left_bytes -= len(item.content)
        if item.parts is not None:
            self.taken[item.parts.client] = self.taken.get(item.parts.client, 0) + 1


class Reading(NamedTuple):
    """What a turn took. `unreadable` items could not be read now and stay; `is_more`: a box holds more than was taken.

    Where nothing could be taken there is no more at once: a list may go on naming what has vanished.
    """

    taken: list[Taken]
    unreadable: int
    is_more: bool


def take(cap: Shelf, *, limit: int) -> Reading:
    """At most `limit` items over all up boxes, those that ask to join first.

    Errors: UnavailableError when no box at all can be listed.
    """
    listed = _listed(cap, limit)
    shares = shares_of({name: len(items) for name, items in listed.items()}, limit=limit)
    budget = Budget(items_a_client=max(10, limit // 20))
    taken: list[Taken] = []
    unreadable = 0
    for box in sorted(UP_BOXES, key=lambda box: box.name != JOINING_BOX):
        chosen, failed = _from_box(cap, box, listed.get(box.name, []), shares.get(box.name, 0), budget)
        taken += chosen
        unreadable += failed
    is_more = bool(taken) and sum(len(items) for items in listed.values()) > len(taken) + unreadable
    return Reading(taken, unreadable, is_more)


def shares_of(waiting: Mapping[str, int], *, limit: int) -> dict[str, int]:
    """How many items each box may give, when so many wait in each.

    Requests to join have a quarter, the others share the rest evenly. What one box does not need, the others have.
    """
    shares = {JOINING_BOX: min(waiting.get(JOINING_BOX, 0), max(1, limit // 4))}
    left = limit - shares[JOINING_BOX]
    others = sorted((count, name) for name, count in waiting.items() if name != JOINING_BOX)
    for place, (count, name) in enumerate(others):
        shares[name] = min(count, left // (len(others) - place))
        left -= shares[name]
    shares[JOINING_BOX] = min(waiting.get(JOINING_BOX, 0), shares[JOINING_BOX] + left)
    return shares


def _listed(cap: Shelf, limit: int) -> dict[str, list[Listed]]:
    """The items that wait, by box. Files whose names are not those of items are none of ours and are left alone."""
    listed: dict[str, list[Listed]] = {}
    failure: UnavailableError | None = None
    for box in UP_BOXES:
        try:
            found = cap.listed(box.name, limit=_LOOKED_AT * limit)
        except UnavailableError as error:
            failure = error
            continue
        listed[box.name] = [item for item in found if ITEM_NAME.fullmatch(item.name)]
    if failure is not None and not listed:
        raise failure
    return listed


def _from_box(cap: Shelf, box: Box, items: Sequence[Listed], share: int, budget: Budget) -> tuple[list[Taken], int]:
    chosen: list[Taken] = []
    surplus: list[Taken] = []
    unreadable = 0
    has_room = len(items) <= share
    for item in _read(cap, box, items[: share * _LOOKED_AT]):
        if item is None:
            unreadable += 1
        elif len(chosen) >= share or budget.left_bytes <= 0:
            break
        elif has_room or item.parts is None or budget.allows(item.parts.client):
            chosen.append(item)
            budget.count(item)
        elif len(surplus) < share:
            surplus.append(item)
    for item in surplus[: share - len(chosen)]:
        if budget.left_bytes > 0:
            chosen.append(item)
            budget.count(item)
    return chosen, unreadable


def _read(cap: Shelf, box: Box, items: Sequence[Listed]) -> Iterator[Taken | None]:
    """The items with their bytes; None for one that cannot be read now. One that has vanished is passed over."""
    for listed in items:
        if listed.size_bytes > box.item_limit_bytes:
            yield Taken(box, listed.name, b"", None, f"{listed.size_bytes} bytes are more than {box.name} takes")
            continue
        try:
            content = cap.read(f"{box.name}/{listed.name}")
        except UnavailableError:
            yield None
            continue
        except RejectedError as error:
            yield Taken(box, listed.name, b"", None, str(error))
            continue
        if content is None:
            continue
        try:
            yield Taken(box, listed.name, content, envelope.split(content))
        except RejectedError as error:
            yield Taken(box, listed.name, content, None, str(error))
