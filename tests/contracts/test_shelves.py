"""What every shelf promises the site that owns it."""

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Listed, Shelf
from purveyor.wire.boxes import ITEM_NAME
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from samba_server import Samba


@pytest.fixture(params=["folder", "share"])
def listed_folder(request: pytest.FixtureRequest) -> tuple[Shelf, Path]:
    """A shelf in a folder, or over a share, and the folder itself."""
    if request.param == "folder":
        shelf: FolderShelf = request.getfixturevalue("folder_shelf")
        return shelf, shelf.folder
    share: Shelf = request.getfixturevalue("smb_shelf")
    samba: Samba = request.getfixturevalue("samba")
    return share, samba.folder


def hand_over_folder(folder: Path) -> None:
    """Gives all of it to the account that the share is used by."""
    for place in (folder, *folder.rglob("*")) if os.geteuid() == 0 else ():
        shutil.chown(place, "nobody")


def test_what_was_written_is_read(shelf: Shelf) -> None:
    shelf.write("offerinf.box/lookup/4/03.lkp", b"shard")
    assert shelf.read("offerinf.box/lookup/4/03.lkp") == b"shard"


def test_whatever_is_no_item_is_found_under_any_name_and_swept_but_for_a_folder_in_which_something_lies(
    listed_folder: tuple[Shelf, Path],
) -> None:
    shelf, folder = listed_folder
    box = folder / "statmsgs.box"
    for name in ("ab" * 16, "." + "ab" * 16, "a b;rm -rf", "ROOT.JSON ", "full/inside"):
        (box / name).parent.mkdir(parents=True, exist_ok=True)
        (box / name).write_bytes(b"junk")
    (box / ("cd" * 16)).mkdir()
    hand_over_folder(folder)

    def found() -> list[str]:
        return [one.name for one in shelf.strays("statmsgs.box", usual=ITEM_NAME, limit=99)]

    names = found()
    assert len(names) == 5 and "ab" * 16 not in names
    assert [name for name in names if not shelf.sweep("statmsgs.box", name)] == ["full"]
    assert sorted(os.listdir(box)) == ["ab" * 16, "full"] and found() == ["full"]
    assert shelf.strays("sinv.box", usual=ITEM_NAME, limit=99) == [], "there is no such folder"
    assert shelf.sweep("statmsgs.box", "it has gone meanwhile")


def test_what_was_never_written_is_none(shelf: Shelf) -> None:
    assert shelf.read("offerinf.box/lookup/4/03.lkp") is None
    shelf.write("offerinf.box/x", b"")
    assert shelf.read("offerinf.box/x/y") is None


def test_a_damaged_file_is_mended_by_writing_it_again(shelf: Shelf) -> None:
    shelf.write("pkginfo.box/a", b"damaged")
    shelf.write("pkginfo.box/a", b"right")
    assert shelf.read("pkginfo.box/a") == b"right"


def test_a_replaced_file_is_the_newest(shelf: Shelf) -> None:
    for content in (b"1", b"22", b"3"):
        shelf.replace("clidata.box/timestamp.json", content)
    assert shelf.read("clidata.box/timestamp.json") == b"3"


def test_removing_is_done_once_and_asked_for_as_often_as_one_likes(shelf: Shelf) -> None:
    shelf.write("ddr.box/a", b"x")
    shelf.remove("ddr.box/a")
    shelf.remove("ddr.box/a")
    shelf.remove("nothing.box/a")
    assert shelf.read("ddr.box/a") is None


def test_a_folder_lists_its_own_files_and_their_sizes(shelf: Shelf) -> None:
    shelf.write("ddr.box/a", b"x")
    shelf.write("ddr.box/b", b"xx")
    shelf.write("ddr.box/deeper/c", b"xxx")
    shelf.write("ddr.box2/d", b"xxxx")
    assert sorted(shelf.listed("ddr.box", limit=10)) == [Listed("a", 1), Listed("b", 2)]
    assert shelf.listed("ddr.box/deeper", limit=10) == [Listed("c", 3)]


def test_a_listing_has_at_most_as_many_as_asked_for(shelf: Shelf) -> None:
    for number in range(20):
        shelf.write(f"ddr.box/{number}", b"x")
    assert len(shelf.listed("ddr.box", limit=7)) == 7


def test_whatever_lies_in_it_is_named_files_and_folders_alike(shelf: Shelf) -> None:
    assert shelf.names(limit=10) == []
    for path in ("ddr.box/a", "ddr.box/b", "deeper/and/deeper", "site.json"):
        shelf.write(path, b"x")
    assert sorted(shelf.names(limit=10)) == ["ddr.box", "deeper", "site.json"]
    assert len(shelf.names(limit=2)) == 2


def test_a_folder_that_is_not_there_lists_nothing(shelf: Shelf) -> None:
    assert shelf.listed("ddr.box", limit=10) == []


@pytest.mark.parametrize(
    "path", ["../outside", "ddr.box/../../outside", "/etc/passwd", "", ".", "ddr.box/", "ddr.box/.hidden", "a//b", "a\\b", "a\0"]
)
def test_a_path_that_leaves_the_shelf_is_rejected(shelf: Shelf, path: str) -> None:
    with pytest.raises(RejectedError):
        shelf.write(path, b"x")
    with pytest.raises(RejectedError):
        shelf.replace(path, b"x")
    with pytest.raises(RejectedError):
        shelf.read(path)
    with pytest.raises(RejectedError):
        shelf.remove(path)
    with pytest.raises(RejectedError):
        shelf.write_from(path, [b"x"], limit_bytes=10)
    with pytest.raises(RejectedError):
        list(shelf.pieces(path))
    with pytest.raises(RejectedError):
        shelf.size_of(path)


def test_syncing_keeps_everything(shelf: Shelf) -> None:
    for number in range(100):
        shelf.write(f"offerinf.box/{number // 10}/{number}", b"x")
    shelf.remove("offerinf.box/0/0")
    shelf.sync()
    shelf.sync()
    assert len(shelf.listed("offerinf.box/0", limit=100)) == 9


@pytest.mark.parametrize("sizes", [[], [0], [5], [0, 3, 0, 4], [1, 2_000_000, 1], [9_000_000, 9_000_000, 7]])
def test_a_file_of_many_pieces_is_written_and_read_whole(shelf: Shelf, sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]
    assert shelf.write_from("files/ab/abc", iter(pieces), limit_bytes=20_000_000) == sum(sizes)
    assert b"".join(shelf.pieces("files/ab/abc")) == b"".join(pieces)
    assert shelf.size_of("files/ab/abc") == sum(sizes)


@pytest.mark.parametrize("limit_bytes", [99, 20_000_000])
def test_a_writer_that_breaks_off_or_brings_too_much_leaves_what_was_there(shelf: Shelf, limit_bytes: int) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"x" * 99
        yield b"y" * 9_000_000
        raise RejectedError("the sender has gone")

    for before in (None, b"before"):
        if before is not None:
            shelf.write("files/ab/abc", before)
        with pytest.raises(RejectedError, match="the sender has gone" if limit_bytes > 99 else "larger than the 99 bytes"):
            shelf.write_from("files/ab/abc", breaking(), limit_bytes=limit_bytes)
        assert shelf.read("files/ab/abc") == before
        assert [item.name for item in shelf.listed("files/ab", limit=10)] == (["abc"] if before else [])


def test_a_file_is_not_seen_before_its_last_piece(shelf: Shelf) -> None:
    seen: list[int | None] = []

    def pieces() -> Iterator[bytes]:
        yield b"x" * 9_000_000
        seen.append(shelf.size_of("files/ab/abc"))
        yield b"y"

    shelf.write_from("files/ab/abc", pieces(), limit_bytes=20_000_000)
    assert seen == [None]


def test_an_absent_file_has_no_size_and_no_pieces(shelf: Shelf) -> None:
    assert shelf.size_of("files/ab/abc") is None
    with pytest.raises(AbsentError):
        list(shelf.pieces("files/ab/abc"))
    shelf.write("files/ab/empty", b"")
    assert shelf.size_of("files/ab/empty") == 0
    assert list(shelf.pieces("files/ab/empty")) == []


def test_a_listing_tells_apart_what_was_written_before_a_moment(shelf: Shelf) -> None:
    shelf.write("ddr.box/a", b"x")
    assert shelf.listed("ddr.box", limit=10, until=datetime(2025, 1, 1, tzinfo=UTC)) == []
    assert shelf.listed("ddr.box", limit=10, until=datetime(2099, 1, 1, tzinfo=UTC)) == [Listed("a", 1)]


# What only a real folder can get wrong.


def test_a_replacement_is_dated_at_least_one_whole_second_later(folder_shelf: FolderShelf) -> None:
    place = folder_shelf.folder / "clidata.box/timestamp.json"
    dates = []
    for number in range(5):
        folder_shelf.replace("clidata.box/timestamp.json", b"%d" % number)
        dates.append(place.stat().st_mtime_ns)
    assert all(later - earlier >= 1_000_000_000 for earlier, later in pairwise(dates))


def test_nothing_is_left_aside_and_nothing_aside_is_listed(folder_shelf: FolderShelf) -> None:
    folder_shelf.write("ddr.box/a", b"x")
    (folder_shelf.folder / "ddr.box/.half-written").write_bytes(b"x")
    (folder_shelf.folder / "ddr.box/link").symlink_to("/etc/passwd")
    os.mkfifo(folder_shelf.folder / "ddr.box/pipe")
    assert folder_shelf.listed("ddr.box", limit=10) == [Listed("a", 1)]
    assert list((folder_shelf.folder / ".aside").iterdir()) == []


def test_what_a_killed_owner_left_aside_is_cleared_away(folder_shelf: FolderShelf) -> None:
    aside = folder_shelf.folder / ".aside"
    aside.mkdir(parents=True)
    (aside / "1-77").write_bytes(b"half")
    folder_shelf.write("ddr.box/a", b"x")
    assert list(aside.iterdir()) == []


def test_no_link_is_followed(folder_shelf: FolderShelf, tmp_path: Path) -> None:
    folder_shelf.write("ddr.box/a", b"x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (folder_shelf.folder / "ddr.box/link").symlink_to(tmp_path / "outside/secret")
    (folder_shelf.folder / "sinv.box").symlink_to(tmp_path / "outside")
    os.mkfifo(folder_shelf.folder / "ddr.box/pipe")
    for path in ("ddr.box/link", "sinv.box/secret", "ddr.box/pipe"):
        with pytest.raises(RejectedError):
            folder_shelf.read(path)
    with pytest.raises(RejectedError):
        folder_shelf.write("sinv.box/new", b"x")
    with pytest.raises(RejectedError):
        folder_shelf.remove("sinv.box/secret")
    with pytest.raises(RejectedError):
        folder_shelf.listed("sinv.box", limit=10)
    folder_shelf.remove("ddr.box/link")
    assert (tmp_path / "outside/secret").read_bytes() == b"secret"


def test_everybody_may_read_down_boxes_and_nobody_else_list_up_boxes(folder_shelf: FolderShelf) -> None:
    before = os.umask(0o077)
    try:
        folder_shelf.make_boxes()
        folder_shelf.write("offerinf.box/lookup/1/0.lkp", b"x")
    finally:
        os.umask(before)
    modes = {
        path: stat.S_IMODE((folder_shelf.folder / path).stat().st_mode)
        for path in ("offerinf.box/lookup/1", "offerinf.box/lookup/1/0.lkp", "ccr.box")
    }
    assert modes == {"offerinf.box/lookup/1": 0o755, "offerinf.box/lookup/1/0.lkp": 0o644, "ccr.box": 0o1730}


def test_an_administrators_mode_of_a_box_is_kept(folder_shelf: FolderShelf) -> None:
    folder_shelf.make_boxes()
    (folder_shelf.folder / "ccr.box").chmod(0o1733)
    folder_shelf.make_boxes()
    assert stat.S_IMODE((folder_shelf.folder / "ccr.box").stat().st_mode) == 0o1733


def test_a_place_that_cannot_be_written_is_unavailable_and_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    shelf = FolderShelf(tmp_path / "file")
    with pytest.raises(UnavailableError, match=r"file/ddr\.box/a: "):
        shelf.write("ddr.box/a", b"x")


def test_a_write_that_the_system_cuts_short_leaves_the_old_file_and_nothing_aside(folder_shelf: FolderShelf) -> None:
    folder_shelf.replace("clidata.box/timestamp.json", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UnavailableError, match="File too large"):
            folder_shelf.replace("clidata.box/timestamp.json", b"x" * 2**20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert folder_shelf.read("clidata.box/timestamp.json") == b"old"
    assert list((folder_shelf.folder / ".aside").iterdir()) == []


def test_a_box_with_too_many_items_is_marked_full_until_some_are_taken(folder_shelf: FolderShelf) -> None:
    folder_shelf.make_boxes()
    assert folder_shelf.mark_full_boxes() == []
    box = folder_shelf.folder / "ccr.box"
    for number in range(10_001):
        (box / f"{number:032x}").touch()
    assert folder_shelf.mark_full_boxes() == ["ccr.box"]
    assert folder_shelf.mark_full_boxes() == ["ccr.box"]
    assert (box / ".full").exists()
    for number in range(2):
        folder_shelf.remove(f"ccr.box/{number:032x}")
    assert folder_shelf.mark_full_boxes() == []
    assert not (box / ".full").exists()


def test_a_full_box_says_so_to_a_client_with_the_folder(folder_shelf: FolderShelf) -> None:
    folder_shelf.make_boxes()
    folder_shelf.set_full("ddr.box", is_full=True)
    folder_shelf.set_full("ddr.box", is_full=True)
    with pytest.raises(UnavailableError, match="full"):
        FolderPoint(folder_shelf.folder).put("ddr.box/" + "0" * 32, b"x")
    assert folder_shelf.listed("ddr.box", limit=10) == []
    folder_shelf.set_full("ddr.box", is_full=False)
    folder_shelf.set_full("ddr.box", is_full=False)
    FolderPoint(folder_shelf.folder).put("ddr.box/" + "0" * 32, b"x")


def test_only_folders_in_which_nothing_is_left_are_removed(shelf: Shelf) -> None:
    for path in ("offerinf.box/lookup/1/0.lkp", "offerinf.box/lookup/2/0.lkp", "pkginfo.box/a"):
        shelf.write(path, b"x")
    shelf.remove("offerinf.box/lookup/1/0.lkp")
    shelf.remove("pkginfo.box/a")
    shelf.remove_folders(["offerinf.box/lookup/1", "offerinf.box/lookup/2", "offerinf.box/lookup", "pkginfo.box", "never.box"])
    assert shelf.read("offerinf.box/lookup/2/0.lkp") == b"x"
    shelf.write("pkginfo.box/b", b"y")
    assert shelf.read("pkginfo.box/b") == b"y", "whoever goes on makes what is needed anew"


def test_folders_that_are_removed_are_gone_from_the_disk(folder_shelf: FolderShelf, smb_shelf: Shelf, samba: Samba) -> None:
    for shelf, folder in ((folder_shelf, folder_shelf.folder), (smb_shelf, samba.folder)):
        shelf.write("pkginfo.box/a", b"x")
        shelf.remove("pkginfo.box/a")
        shelf.remove_folders(["pkginfo.box"])
        assert list(folder.iterdir()) == []
