"""What lies where items arrive and is none: found by the seconds that this process runs, whatever any clock says."""

from datetime import UTC, datetime

import pytest

from purveyor.lab.transport import MemoryBoxes, MemoryShelf
from purveyor.transport.strays import BOXES_AND_ASIDES, UNCHANGED_SECONDS, Strays
from purveyor.wire.boxes import ITEM_NAME

ITEM = "statmsgs.box/" + "ab" * 16
JUNK = ("statmsgs.box/." + "cd" * 16, "ddr.box/REPORT.TXT", ".aside/77-1", ".arriving/" + "ef" * 16)


@pytest.fixture
def shelf() -> MemoryShelf:
    """A CAP with an item, a published file, and junk."""
    boxes = MemoryBoxes("memory:cap", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for path in (ITEM, "clidata.box/timestamp.json", "statmsgs.box.txt", *JUNK):
        boxes.shelf().replace("name", b"what lies there")
        boxes.files[path] = boxes.files["name"]
    return boxes.shelf()


def left(shelf: MemoryShelf) -> set[str]:
    """The junk that lies there still."""
    return {f"{folder}/{one.name}" for folder, usual in BOXES_AND_ASIDES for one in shelf.strays(folder, usual=usual, limit=99)}


def test_what_lies_unchanged_for_the_time_goes_and_nothing_else_does(shelf: MemoryShelf) -> None:
    strays = Strays(BOXES_AND_ASIDES)
    assert strays.sweep(shelf, 5.0).removed == 0
    assert strays.sweep(shelf, 5.0 + UNCHANGED_SECONDS - 1).removed == 0
    assert strays.sweep(shelf, 5.0 + UNCHANGED_SECONDS).removed == len(JUNK)
    assert left(shelf) == set()
    assert [shelf.read(path) for path in (ITEM, "clidata.box/timestamp.json", "statmsgs.box.txt")] == [b"what lies there"] * 3


def test_what_changes_or_comes_later_has_its_time_from_then_on(shelf: MemoryShelf) -> None:
    strays = Strays(BOXES_AND_ASIDES)
    strays.sweep(shelf, 0.0)
    shelf.replace("name", b"another that grows")
    shelf._folder.files[JUNK[1]] = shelf._folder.files["name"]
    assert strays.sweep(shelf, UNCHANGED_SECONDS).removed == len(JUNK) - 1
    assert left(shelf) == {JUNK[1]}
    assert strays.sweep(shelf, 2 * UNCHANGED_SECONDS).removed == 1


def test_what_cannot_be_removed_is_told_and_holds_up_nothing(shelf: MemoryShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = MemoryShelf.sweep
    monkeypatch.setattr(
        MemoryShelf, "sweep", lambda self, folder, name: ITEM_NAME.fullmatch(name) is None and sweep(self, folder, name)
    )
    strays = Strays(BOXES_AND_ASIDES)
    assert strays.sweep(shelf, 0.0).problem == ""
    swept = strays.sweep(shelf, UNCHANGED_SECONDS)
    assert (swept.removed, swept.stuck) == (len(JUNK) - 1, (JUNK[3],))
    assert "1 things that are no items cannot be removed" in swept.problem and JUNK[3] in swept.problem
