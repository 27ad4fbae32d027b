"""What a place of content on a shelf does, whatever the shelf is: a folder, the lab's memory, an SMB share, a bucket."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from purveyor.content.place import ContentPlace
from purveyor.content.shelf_store import ShelfStore
from purveyor.content.store import ContentStore
from purveyor.lab.transport import MemoryBoxes
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import File, Manifest, distinct_files, encode, file_path, hash_of, manifest_path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LARGE = os.urandom(9_000_000)
FILES = {"a": b"first", "b/c": b"second", "b/again": b"first", "empty": b"", "large": LARGE}


def tree_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        files=tuple(File(path=path, sha256=hash_of(content), size_bytes=len(content)) for path, content in sorted(files.items()))
    )


TREE = tree_of(FILES)
MANIFEST = hash_of(encode(TREE))


def fill(place: ContentPlace, files: dict[str, bytes]) -> str:
    for content in files.values():
        place.add_file(hash_of(content), [content], len(content))
    place.add_manifest(encode(tree_of(files)))
    return hash_of(encode(tree_of(files)))


@pytest.fixture
def point(shelf: Shelf) -> ShelfStore:
    return ShelfStore(shelf, name="the point")


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "site/content")


def test_content_goes_to_a_point_and_from_there_to_another_byte_for_byte(store: ContentStore, point: ShelfStore) -> None:
    fill(store, FILES)
    assert store.copy_to(point, TREE) == 4
    assert point.verify(TREE) == []
    assert point.read_manifest(MANIFEST) == TREE
    assert b"".join(point.pieces(hash_of(LARGE))) == LARGE
    other = ShelfStore(MemoryBoxes("memory:other", lambda: NOW).shelf(), name="another")
    assert point.copy_to(other, TREE) == 4
    assert point.copy_to(other, TREE) == 0
    assert other.verify(other.read_manifest(MANIFEST)) == []


class Watched(FolderShelf):
    """A folder that notes what its owner does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.done: list[str] = []

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        self.done.append("file")
        return super().write_from(path, pieces, limit_bytes=limit_bytes)

    def write(self, path: str, content: bytes, *, is_synced: bool = False) -> None:
        self.done.append("manifest")
        super().write(path, content, is_synced=is_synced)

    def sync(self) -> None:
        self.done.append("sync")
        super().sync()


@pytest.mark.parametrize("is_from_a_shelf", [False, True])
def test_the_files_of_a_copy_are_synced_together_before_its_manifest_is_there(
    store: ContentStore, tmp_path: Path, is_from_a_shelf: bool
) -> None:
    source = ShelfStore(FolderShelf(tmp_path / "source"), name="source") if is_from_a_shelf else store
    fill(source, {"a": b"1", "b": b"2", "c": b"3"})
    shelf = Watched(tmp_path / "watched")
    source.copy_to(ShelfStore(shelf, name="watched"), tree_of({"a": b"1", "b": b"2", "c": b"3"}))
    assert shelf.done == ["file", "file", "file", "sync", "manifest", "sync"]


def test_only_what_a_point_lacks_or_has_with_another_size_is_copied(store: ContentStore, point: ShelfStore, shelf: Shelf) -> None:
    fill(store, FILES)
    assert point.missing(TREE) == list(distinct_files(TREE))
    store.copy_to(point, TREE)
    assert store.copy_to(point, TREE) == 0
    shelf.remove(file_path(hash_of(b"second")))
    shelf.write(file_path(hash_of(b"first")), b"fir")
    assert store.copy_to(point, TREE) == 2
    assert point.verify(TREE) == []


def test_damage_and_loss_at_a_point_are_found_and_mended(store: ContentStore, point: ShelfStore, shelf: Shelf) -> None:
    fill(store, FILES)
    store.copy_to(point, TREE)
    shelf.write(file_path(hash_of(b"second")), b"SECOND")
    shelf.remove(file_path(hash_of(b"first")))
    assert sorted(point.verify(TREE)) == sorted([file_path(hash_of(b"first")), file_path(hash_of(b"second"))])
    point.remove_file(hash_of(b"second"))
    store.copy_to(point, TREE)
    assert point.verify(TREE) == []


def test_other_bytes_than_promised_never_appear_at_a_point(point: ShelfStore) -> None:
    for pieces in ([b"other"], [], [b"con", b"ten"], [b"content", b"!"], [b"content" * 1000], [LARGE, b"!"]):
        with pytest.raises(RejectedError):
            point.add_file(hash_of(b"content"), pieces, 10_000_000)
        assert not point.has(hash_of(b"content"))
    with pytest.raises(RejectedError):
        point.add_manifest(encode(Manifest(files=tuple(reversed(TREE.files)))))
    assert list(point.walk()) == []


def test_content_that_is_damaged_at_home_is_not_copied(store: ContentStore, point: ShelfStore) -> None:
    fill(store, FILES)
    (store.folder / file_path(hash_of(b"second"))).write_bytes(b"SECOND")
    with pytest.raises(RejectedError):
        store.copy_to(point, TREE)
    assert not point.has(hash_of(b"second"))
    assert not point.has_manifest(MANIFEST)


def test_content_that_is_damaged_at_a_point_is_not_copied_on(point: ShelfStore, shelf: Shelf, store: ContentStore) -> None:
    fill(point, FILES)
    shelf.write(file_path(hash_of(b"second")), b"SECOND")
    with pytest.raises(RejectedError):
        point.copy_to(store, TREE)
    assert not store.has_manifest(MANIFEST)


def test_a_manifest_that_is_absent_or_damaged_is_told(point: ShelfStore, shelf: Shelf) -> None:
    with pytest.raises(UnavailableError):
        point.read_manifest(MANIFEST)
    with pytest.raises(UnavailableError):
        list(point.pieces(hash_of(b"first")))
    shelf.write(manifest_path(MANIFEST), encode(tree_of({"other": b"x"})))
    with pytest.raises(RejectedError, match="damaged"):
        point.read_manifest(MANIFEST)
    assert point.remove_manifest(MANIFEST, set()) > 0
    assert not point.has_manifest(MANIFEST)


def test_removal_frees_all_that_nothing_else_needs_and_tells_how_much(point: ShelfStore) -> None:
    fill(point, FILES)
    other = fill(point, {"x": b"first", "y": b"third"})
    keep = {stored.sha256 for stored in distinct_files(point.read_manifest(other))}
    freed = point.remove_manifest(MANIFEST, keep)
    assert freed == len(b"second") + len(LARGE) + len(encode(TREE))
    assert point.remove_manifest(MANIFEST, keep) == 0
    assert point.verify(point.read_manifest(other)) == []
    point.remove_manifest(other, set())
    assert list(point.walk()) == []


def test_a_walk_tells_all_that_lies_there_and_what_was_there_before_a_moment(point: ShelfStore) -> None:
    fill(point, FILES)
    expected = {stored.path: stored.size_bytes for stored in distinct_files(TREE)}
    expected[manifest_path(MANIFEST)] = len(encode(TREE))
    assert {stored.path: stored.size_bytes for stored in point.walk()} == expected
    assert list(point.walk(until=(NOW - timedelta(days=365)).timestamp())) == []
    for stored in point.walk(until=datetime(2099, 1, 1, tzinfo=UTC).timestamp()):
        assert point.remove(stored) == stored.size_bytes
    assert list(point.walk()) == []


def test_what_is_no_digest_never_becomes_a_path(point: ShelfStore) -> None:
    for name in ("../../escape", "/etc/passwd", "", "x" * 64, "A" * 64, "0" * 63 + "/"):
        for call in (point.has, point.has_manifest, point.read_manifest, point.pieces, point.remove_file):
            with pytest.raises(RejectedError, match="no SHA-256"):
                call(name)
