"""Items of clients on their way up: out of the mirror's up boxes, into those of its source, as they are.

An item leaves only after the source took it. It keeps its name, so one that is carried twice, because the power failed in
between, is one item still; and what the site has loaded before, it knows again by its digest.
"""

from typing import NamedTuple

from purveyor.transport.interface import Point, Shelf
from purveyor.wire.boxes import ITEM_NAME, UP_BOXES, Box
from purveyor.wire.errors import RejectedError, UnavailableError

ITEMS_A_BOX = 5000
"""Items of one box that a pass looks at; the rest waits for the next one."""


class Carried(NamedTuple):
    """What went up. `refused` were items that no site would ever take; they are gone. `problems`: why others wait."""

    items: int
    refused: int
    problems: tuple[str, ...]


def carry(target: Shelf, source: Point) -> Carried:
    """Carries what waits. A box that is full or gone at the source holds up no other. Errors: none."""
    items = refused = 0
    problems = []
    for box in UP_BOXES:
        try:
            came, dropped = _carry_box(target, source, box)
        except (UnavailableError, RejectedError) as error:
            problems.append(f"{box.name}: {error}")
            continue
        items += came
        refused += dropped
    return Carried(items, refused, tuple(problems))


def _carry_box(target: Shelf, source: Point, box: Box) -> tuple[int, int]:
    items = refused = 0
    try:
        for item in target.listed(box.name, limit=ITEMS_A_BOX):
            if not ITEM_NAME.fullmatch(item.name):
                continue
            if _is_taken(target, source, f"{box.name}/{item.name}", is_too_large=item.size_bytes > box.item_limit_bytes):
                items += 1
            else:
                refused += 1
    finally:
        target.sync()
    return items, refused


def _is_taken(target: Shelf, source: Point, path: str, *, is_too_large: bool) -> bool:
    """Carries one item; False when no site will ever take it. Errors: UnavailableError."""
    content = None if is_too_large else target.read(path)
    is_taken = content is not None
    if content is not None:
        try:
            source.put(path, content)
        except RejectedError:
            is_taken = False
    target.remove(path)
    return is_taken
