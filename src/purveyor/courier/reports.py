"""What clients said, on its way back by hand: items go from a copy's up boxes onto a stick, and from there into the site's.

Items are signed and sealed in themselves; nobody on the way can read or change them. Each arrives whole or not at all, and one
that arrives twice is one item still. One that is lost is sent again: its client keeps it until the site says that it is stored.
"""

from pathlib import Path
from typing import NamedTuple

from purveyor.courier import sticks
from purveyor.transport.interface import Point, Shelf
from purveyor.transport.paths import check_item
from purveyor.wire.boxes import ITEM_NAME, UP_BOXES, up_box_of
from purveyor.wire.bundle import REPORTS, Piece, Reports
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.manifest import hash_of

ITEMS_A_STICK = 1_000_000


class Arrived(NamedTuple):
    """What came of a stick of reports.

    `damaged` are items that are missing or not what the list says, in words; `waiting` says why the rest could not be put now.
    """

    items: int
    damaged: tuple[str, ...]
    waiting: str


def collect(target: Shelf, folder: Path) -> int:
    """Puts all items that wait in a copy's up boxes on a stick. Shape: how many.

    They leave the boxes only when the stick has them, read back. Errors: RefusedError, UnavailableError.
    """
    stick = sticks.new_stick(folder)
    pieces = []
    for box in UP_BOXES:
        for item in target.listed(box.name, limit=ITEMS_A_STICK):
            path = f"{box.name}/{item.name}"
            if not ITEM_NAME.fullmatch(item.name) or item.size_bytes > box.item_limit_bytes:
                continue
            content = target.read(path)
            if content is not None:
                stick.write(path, content)
                pieces.append(Piece(path=path, sha256=hash_of(content), size_bytes=len(content)))
    stick.sync()
    problems = sticks.wrong(folder, pieces)
    if problems:
        raise UnavailableError(f"the stick does not keep what is written to it: {sticks.in_words(problems)}")
    stick.write(REPORTS, to_bytes(Reports(pieces=tuple(pieces))))
    stick.sync()
    for piece in pieces:
        target.remove(piece.path)
    target.sync()
    return len(pieces)


def deliver(folder: Path, source: Point) -> Arrived:
    """Puts the items of a stick into a site's up boxes, as they are. Errors: RejectedError when it is no such stick."""
    reports = from_bytes(sticks.read_list(folder, REPORTS), Reports)
    damaged = []
    items = 0
    for piece in reports.pieces:
        box = up_box_of(piece.path)
        if box is None or piece.size_bytes > box.item_limit_bytes:
            damaged.append(f"{piece.path[:100]} is no item of an up box")
            continue
        problems = sticks.wrong(folder, [piece])
        if problems:
            damaged += problems
            continue
        content = (folder / piece.path).read_bytes()
        try:
            check_item(piece.path, content)
            source.put(piece.path, content)
        except RejectedError as error:
            damaged.append(str(error))
        except UnavailableError as error:
            return Arrived(items, tuple(damaged), str(error))
        else:
            items += 1
    return Arrived(items, tuple(damaged), "")
