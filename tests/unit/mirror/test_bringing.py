"""Content on its way to a mirror whose place does not say how much fits."""

from datetime import timedelta

import pytest

from purveyor.content.shelf_store import ShelfStore
from purveyor.lab.clock import Clock
from purveyor.lab.transport import MemoryBoxes, MemoryShelf
from purveyor.mirror.bringing import AGAIN_AFTER, Bringing
from purveyor.mirror.content import CHECK_AFTER, Store, check_oldest
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import Memory
from purveyor.transport.pace import Pace
from purveyor.wire.errors import FullError
from purveyor.wire.manifest import File, Manifest, encode, file_path, hash_of, manifest_path

PIECES = [bytes([number]) * 5_000 for number in range(3)]
MANIFEST = encode(
    Manifest(files=tuple(File(path=str(number), sha256=hash_of(piece), size_bytes=5_000) for number, piece in enumerate(PIECES)))
)
SHA256 = hash_of(MANIFEST)
SMALLER = encode(Manifest(files=(File(path="first", sha256=hash_of(PIECES[0]), size_bytes=5_000),)))
"""Content that has a file in common with the other."""


class World:
    """A source, a place with so much room, and passes between them."""

    def __init__(self, room_bytes: int) -> None:
        self.clock = Clock()
        self.source = MemoryBoxes("the source", self.clock.now)
        for content in (MANIFEST, SMALLER):
            self.source.shelf().write(manifest_path(hash_of(content)), content)
        for content in PIECES:
            self.source.shelf().write(file_path(hash_of(content)), content)
        self.copy = MemoryBoxes("the copy", self.clock.now)
        self.copy.capacity_bytes = room_bytes
        self.memory = Memory()
        shelf = self.copy.shelf()
        place = ShelfStore(shelf, name="the copy")
        self.store = Store(source=self.source.point("the mirror"), shelf=shelf, place=place, reserve_bytes=0)

    def turn(self, *wanted: str) -> Bringing:
        """A pass, for one content unless others are named.

        Shape: what came of it; `requests` of the source are those of this pass.
        """
        self.source.requests.clear()
        bringing = Bringing(
            self.store,
            Intake(self.store.source, Pace()),
            memory=self.memory,
            elsewhere=lambda path: False,
            now=self.clock.now(),
            noted=lambda: None,
        )
        bringing.bring(wanted or [SHA256])
        bringing.promise()
        return bringing


def test_content_that_fills_a_place_leaves_it_again_and_is_asked_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(room_bytes=12_000)
    monkeypatch.setattr(MemoryShelf, "free_bytes", lambda shelf: None)
    bringing = world.turn()
    assert isinstance(bringing.lacking[SHA256], FullError)
    assert {path: stored.content for path, stored in world.copy.files.items()} == {manifest_path(SHA256): b""}

    assert isinstance(world.turn().lacking[SHA256], FullError)
    assert world.source.requests == []
    world.copy.capacity_bytes = 100_000
    world.clock.advance(AGAIN_AFTER - timedelta(seconds=1))
    assert world.turn().lacking
    world.clock.advance(timedelta(seconds=1))
    assert (world.turn().lacking, world.memory.full) == ({}, {})
    assert world.store.place.has_manifest(SHA256)


def test_content_that_does_not_fit_where_a_place_says_so_is_not_begun_and_comes_as_soon_as_it_fits() -> None:
    world = World(room_bytes=12_000)
    for _ in range(2):
        assert "it needs 15000 bytes" in " ".join(world.turn().problems())
        assert [request.path for request in world.source.requests] == [manifest_path(SHA256)]
    world.copy.capacity_bytes = 20_000
    assert world.turn().lacking == {}


def test_content_that_stands_whole_is_not_taken_back_where_the_source_is_gone() -> None:
    world = World(room_bytes=100_000)
    world.turn()
    world.memory.checked.clear()
    world.source.cut()
    assert world.turn().is_coming
    assert world.store.place.has_manifest(SHA256)
    world.copy.lose(file_path(hash_of(PIECES[1])))
    world.turn()
    assert world.copy.files[manifest_path(SHA256)].content == b"", "nobody is to ask for the file that is lost"


def test_a_file_that_was_damaged_is_taken_away_once_all_content_that_has_it_is_said_to_be_yet_to_come() -> None:
    world, both = World(room_bytes=100_000), (SHA256, hash_of(SMALLER))
    world.turn(*both)
    shared = file_path(hash_of(PIECES[0]))
    world.copy.files[shared] = world.copy.files[shared]._replace(content=b"x" * 5_000)
    world.clock.advance(CHECK_AFTER)
    assert "damaged" in check_oldest(world.memory, world.store, world.clock.now())
    assert shared not in world.copy.files
    assert {world.copy.files[manifest_path(sha256)].content for sha256 in both} == {b""}
    assert world.turn(*both).lacking == {}
    assert all(world.store.place.verify(world.store.place.read_manifest(sha256)) == [] for sha256 in both)
