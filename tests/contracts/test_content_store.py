"""What every content store does, wherever its folder lies: on the site's disk, or on one that shares no names with it."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.content.store import ContentStore
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import File, Link, Manifest, distinct_files, encode, file_path, hash_of, manifest_path

OTHER_DISK = Path("/dev/shm")


def digest(content: bytes) -> str:
    return hash_of(content)


def tree_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        files=tuple(File(path=path, sha256=digest(content), size_bytes=len(content)) for path, content in sorted(files.items()))
    )


def fill(store: ContentStore, files: dict[str, bytes]) -> str:
    tree = tree_of(files)
    for content in files.values():
        store.add_file(digest(content), [content], len(content))
    store.add_manifest(encode(tree))
    return digest(encode(tree))


def damage(store: ContentStore, content: bytes) -> None:
    place = store.folder / file_path(digest(content))
    place.write_bytes(bytes([place.read_bytes()[0] ^ 1]) + place.read_bytes()[1:])


def asides(store: ContentStore) -> list[str]:
    return os.listdir(store.folder / "asides")


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "site/content")


@pytest.fixture(params=["same disk", "other disk"])
def point(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContentStore]:
    """A distribution point: names can be shared with it, or everything has to be copied."""
    if request.param == "same disk":
        yield ContentStore(tmp_path / "DP_S01")
        return
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=OTHER_DISK) as name:
        yield ContentStore(Path(name) / "DP_S01")


FILES = {"a": b"first", "b/c": b"second", "b/again": b"first", "empty": b""}


def test_what_was_added_is_there_byte_for_byte(point: ContentStore) -> None:
    sha256 = digest(b"one two")
    assert not point.has(sha256)
    assert point.add_file(sha256, iter([b"one", b"", b" two"]), 7) == 7
    assert point.has(sha256)
    assert b"".join(point.pieces(sha256)) == b"one two"
    assert (point.folder / file_path(sha256)).read_bytes() == b"one two"


def test_manifest_lies_at_its_hash_and_reads_back(point: ContentStore) -> None:
    sha256 = fill(point, FILES)
    assert point.has_manifest(sha256)
    assert point.read_manifest(sha256) == tree_of(FILES)
    assert (point.folder / manifest_path(sha256)).read_bytes() == encode(tree_of(FILES))


def test_store_opened_again_has_what_it_had(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    assert ContentStore(store.folder).missing(ContentStore(store.folder).read_manifest(sha256)) == []


@pytest.mark.parametrize("pieces", [[b"other"], [], [b"con", b"ten"], [b"content", b"!"], [b"content" * 1000]])
def test_other_bytes_than_promised_are_rejected_and_leave_nothing(point: ContentStore, pieces: list[bytes]) -> None:
    with pytest.raises(RejectedError):
        point.add_file(digest(b"content"), pieces, 100)
    assert list(point.walk()) == []
    assert asides(point) == []


def test_file_above_the_limit_is_rejected_while_it_comes(store: ContentStore) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(RejectedError, match="larger than 10000 bytes"):
        store.add_file(digest(b""), endless(), 10_000)
    assert asides(store) == []


def test_sender_that_breaks_off_leaves_nothing(store: ContentStore) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"some"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add_file(digest(b"some more"), breaking(), 100)
    assert list(store.walk()) == []
    assert asides(store) == []


def test_full_disk_is_unavailable_and_leaves_nothing(store: ContentStore) -> None:
    def with_full_disk() -> Iterator[bytes]:
        yield b"some"
        raise OSError(28, "No space left on device")

    with pytest.raises(UnavailableError, match="No space left on device"):
        store.add_file(digest(b"some more"), with_full_disk(), 100)
    assert list(store.walk()) == []
    assert asides(store) == []


def test_nothing_is_visible_before_it_is_whole(store: ContentStore) -> None:
    sha256 = digest(b"one two")
    seen: list[bool] = []

    def pieces() -> Iterator[bytes]:
        yield b"one"
        seen.append(store.has(sha256) or any(store.walk()))
        yield b" two"

    store.add_file(sha256, pieces(), 7)
    assert seen == [False]


def test_adding_again_mends_a_damaged_file(store: ContentStore) -> None:
    store.add_file(digest(b"content"), [b"content"], 7)
    damage(store, b"content")
    store.add_file(digest(b"content"), [b"content"], 7)
    assert b"".join(store.pieces(digest(b"content"))) == b"content"


def test_many_may_add_one_file_at_once(store: ContentStore) -> None:
    content = os.urandom(300_000)
    sha256 = digest(content)
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def add() -> None:
        start.wait(timeout=10)
        try:
            ContentStore(store.folder).add_file(
                sha256, (content[at : at + 1000] for at in range(0, len(content), 1000)), len(content)
            )
        except UnavailableError as error:
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert b"".join(store.pieces(sha256)) == content
    assert asides(store) == []


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "", "x" * 64, "A" * 64, "0" * 63 + "/", "0" * 64 + "\n"])
def test_what_is_no_digest_never_becomes_a_path(store: ContentStore, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.has(name),
        lambda: store.has_manifest(name),
        lambda: store.add_file(name, [b"x"], 1),
        lambda: store.read_manifest(name),
        lambda: store.pieces(name),
        lambda: store.remove_file(name),
        lambda: store.remove_manifest(name, set()),
    ]
    for call in calls:
        with pytest.raises(RejectedError, match="no SHA-256"):
            call()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no manifest",
        b"[]",
        b'{"files":[{"path":"../a","sha256":"' + b"0" * 64 + b'","size_bytes":1}]}',
        encode(Manifest(links=(Link(path="a", target="a"),))),
        encode(Manifest(files=tuple(reversed(tree_of(FILES).files)))),
        encode(tree_of(FILES)) + b" ",
        encode(tree_of({"a": b"", "A": b""})),
    ],
)
def test_manifest_that_not_every_client_can_hold_is_rejected(store: ContentStore, content: bytes) -> None:
    with pytest.raises(RejectedError):
        store.add_manifest(content)
    assert list(store.walk()) == []


def test_reading_what_is_not_there_is_unavailable(store: ContentStore) -> None:
    with pytest.raises(UnavailableError):
        store.read_manifest("0" * 64)
    with pytest.raises(UnavailableError):
        list(store.pieces("0" * 64))


def test_damaged_manifest_is_rejected(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    (store.folder / manifest_path(sha256)).write_bytes(encode(tree_of({"other": b"x"})))
    with pytest.raises(RejectedError, match="damaged"):
        store.read_manifest(sha256)


def test_missing_are_the_files_that_are_absent_or_not_of_their_size_each_once(store: ContentStore) -> None:
    tree = tree_of(FILES)
    assert store.missing(tree) == list(distinct_files(tree))
    fill(store, FILES)
    assert store.missing(tree) == []
    (store.folder / file_path(digest(b"second"))).write_bytes(b"sec")
    assert [stored.sha256 for stored in store.missing(tree)] == [digest(b"second")]


def test_verify_finds_what_is_damaged_or_gone(point: ContentStore) -> None:
    fill(point, FILES)
    tree = tree_of(FILES)
    assert point.verify(tree) == []
    damage(point, b"second")
    (point.folder / file_path(digest(b"first"))).unlink()
    assert sorted(point.verify(tree)) == sorted([file_path(digest(b"first")), file_path(digest(b"second"))])


# --- copies ---


def test_what_is_no_file_under_a_files_name_is_not_waited_for(point: ContentStore) -> None:
    manifest = fill(point, {"a": b"a"})
    for path in (manifest_path(manifest), file_path(digest(b"a"))):
        (point.folder / path).unlink()
        os.mkfifo(point.folder / path)
    with pytest.raises(RejectedError):
        point.read_manifest(manifest)
    assert point.verify(tree_of({"a": b"a"})) == [file_path(digest(b"a"))]


def test_copy_has_everything(store: ContentStore, point: ContentStore) -> None:
    sha256 = fill(store, FILES)
    assert store.copy_to(point, tree_of(FILES)) == 3
    assert point.read_manifest(sha256) == tree_of(FILES)
    assert point.verify(tree_of(FILES)) == []
    assert asides(point) == []


def test_copy_of_many_files_has_everything(store: ContentStore, point: ContentStore) -> None:
    manifest = store.read_manifest(fill(store, {str(number): b"%d" % number for number in range(40)}))
    assert store.copy_to(point, manifest) == 40
    assert point.verify(manifest) == []
    point.remove_manifest(hash_of(encode(manifest)), keep_files=set())
    assert list(point.walk()) == []


def test_copying_again_copies_only_what_is_lacking(store: ContentStore, point: ContentStore) -> None:
    fill(store, FILES)
    store.copy_to(point, tree_of(FILES))
    assert store.copy_to(point, tree_of(FILES)) == 0
    (point.folder / file_path(digest(b"second"))).unlink()
    assert store.copy_to(point, tree_of(FILES)) == 1
    assert point.verify(tree_of(FILES)) == []


def test_damaged_file_is_not_copied_and_the_manifest_does_not_appear(store: ContentStore, point: ContentStore) -> None:
    sha256 = fill(store, FILES)
    damage(store, b"second")
    with pytest.raises(RejectedError):
        store.copy_to(point, tree_of(FILES))
    assert not point.has(digest(b"second"))
    assert not point.has_manifest(sha256)
    assert asides(point) == []


def test_missing_file_makes_the_copy_unavailable(store: ContentStore, point: ContentStore) -> None:
    sha256 = fill(store, FILES)
    (store.folder / file_path(digest(b"second"))).unlink()
    with pytest.raises(UnavailableError):
        store.copy_to(point, tree_of(FILES))
    assert not point.has_manifest(sha256)


def test_removing_here_removes_nothing_there(store: ContentStore, point: ContentStore) -> None:
    sha256 = fill(store, FILES)
    store.copy_to(point, tree_of(FILES))
    store.remove_manifest(sha256, set())
    assert point.verify(tree_of(FILES)) == []


def test_names_are_shared_where_the_disk_can_do_that(store: ContentStore, tmp_path: Path) -> None:
    fill(store, FILES)
    point = ContentStore(tmp_path / "DP_S01")
    store.copy_to(point, tree_of(FILES))
    assert (point.folder / file_path(digest(b"first"))).samefile(store.folder / file_path(digest(b"first")))


# --- removal ---


def test_removed_manifest_leaves_nothing_and_tells_the_bytes(point: ContentStore) -> None:
    sha256 = fill(point, FILES)
    assert point.remove_manifest(sha256, set()) == len(b"first") + len(b"second") + len(encode(tree_of(FILES)))
    assert list(point.walk()) == []
    assert [name for _, _, names in os.walk(point.folder) for name in names] == []


def test_files_to_keep_stay(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    other = fill(store, {"x": b"first", "y": b"third"})
    keep = {stored.sha256 for stored in distinct_files(store.read_manifest(other))}
    store.remove_manifest(sha256, keep)
    assert store.verify(store.read_manifest(other)) == []
    assert not store.has(digest(b"second"))


def test_removing_twice_frees_nothing_more(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    store.remove_manifest(sha256, set())
    assert store.remove_manifest(sha256, set()) == 0


def test_removal_that_was_cut_short_is_finished_by_the_next(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    (store.folder / file_path(digest(b"first"))).unlink()
    store.remove_manifest(sha256, set())
    assert list(store.walk()) == []


def test_damaged_manifest_can_be_removed(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    (store.folder / manifest_path(sha256)).write_bytes(b"{}")
    assert store.remove_manifest(sha256, set()) == 2
    assert not store.has_manifest(sha256)
    for stored in list(store.walk()):
        store.remove_file(stored.sha256)
    assert list(store.walk()) == []


def test_walk_tells_every_file_by_what_is_on_disk(store: ContentStore) -> None:
    sha256 = fill(store, FILES)
    expected = {stored.path: stored.size_bytes for stored in distinct_files(tree_of(FILES))}
    expected[manifest_path(sha256)] = len(encode(tree_of(FILES)))
    assert {stored.path: stored.size_bytes for stored in store.walk()} == expected


@pytest.mark.parametrize("is_all_gone", [True, False])
def test_a_store_that_went_away_is_not_taken_for_an_empty_one(store: ContentStore, is_all_gone: bool) -> None:
    fill(store, FILES)
    gone = store.folder if is_all_gone else store.folder / "manifests"
    gone.rename(gone.with_name("elsewhere"))
    with pytest.raises(UnavailableError, match="cannot be read"):
        list(store.walk())


# --- what a crash leaves ---


def test_asides_older_than_a_day_are_swept_at_open_and_younger_ones_are_not(store: ContentStore) -> None:
    for name, changed_at in (("old", 1000), ("young", 90_000)):
        aside = store.folder / "asides" / name
        aside.write_bytes(b"half")
        os.utime(aside, (changed_at, changed_at))
    again = ContentStore(store.folder, clock=lambda: 100_000)
    assert asides(again) == ["young"]
    assert list(again.walk()) == []


def test_place_that_cannot_be_a_store_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be opened"):
        ContentStore(tmp_path / "file")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=100), max_size=5), st.data())
def test_what_two_trees_share_outlives_either(files: dict[str, bytes], data: st.DataObject) -> None:
    others = data.draw(
        st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.sampled_from([b"", b"q", *files.values()]), max_size=5)
    )
    with tempfile.TemporaryDirectory() as name:
        store = ContentStore(Path(name))
        first, second = fill(store, files), fill(store, others)
        if first == second:
            return
        store.remove_manifest(first, {file.sha256 for file in tree_of(others).files})
        assert store.verify(store.read_manifest(second)) == []
        store.remove_manifest(second, set())
        assert list(store.walk()) == []
