"""The folders in memory: what each fault shows to clients, and that absent files are written down."""

import pytest

from purveyor.lab.clock import Clock
from purveyor.lab.power import Power, PowerCut
from purveyor.lab.transport import MemoryBoxes
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

TIMESTAMP = "clidata.box/timestamp.json"
OFFERS = "offerinf.box/1.S0110001.ofr"
SHARD = "offerinf.box/lookup/1/00000.lkp"
ITEM = "statmsgs.box/" + "0" * 32


@pytest.fixture
def cap() -> MemoryBoxes:
    return MemoryBoxes("http://lab/cap", Clock().now)


def _read(cap: MemoryBoxes, path: str, client: str = "pc1") -> bytes | None:
    answer = cap.point(client).read(path, limit_bytes=1000)
    return None if answer is None else answer.content


def test_a_file_that_the_site_wrote_is_read_and_its_tag_says_when_it_is_unchanged(cap: MemoryBoxes) -> None:
    cap.shelf().replace(TIMESTAMP, b"1")
    first = cap.point("pc1").read(TIMESTAMP, limit_bytes=10)
    assert first is not None
    assert cap.point("pc1").read(TIMESTAMP, limit_bytes=10, tag=first.tag) is None
    cap.shelf().replace(TIMESTAMP, b"2")
    second = cap.point("pc1").read(TIMESTAMP, limit_bytes=10, tag=first.tag)
    assert second is not None and second.content == b"2"


def test_a_request_for_an_absent_file_is_refused_and_written_down(cap: MemoryBoxes) -> None:
    with pytest.raises(AbsentError):
        _read(cap, OFFERS)
    with pytest.raises(AbsentError):
        cap.point("pc2").read_from(OFFERS, offset=0, limit_bytes=10)
    assert [(request.client, request.path) for request in cap.absent_requests()] == [("pc1", OFFERS), ("pc2", OFFERS)]


def test_an_empty_folder_excuses_only_requests_for_the_mutable_files_that_the_site_has(cap: MemoryBoxes) -> None:
    for path in (TIMESTAMP, OFFERS):
        cap.shelf().write(path, b"x")
    cap.serve_nothing()
    for path in (TIMESTAMP, OFFERS):
        with pytest.raises(AbsentError):
            _read(cap, path)
    assert [request.path for request in cap.absent_requests()] == [OFFERS]
    cap.mend()
    assert _read(cap, OFFERS) == b"x"


def test_a_folder_can_be_cut_for_all_or_for_one(cap: MemoryBoxes) -> None:
    cap.shelf().write(OFFERS, b"x")
    cap.cut("pc1")
    with pytest.raises(UnavailableError):
        _read(cap, OFFERS, "pc1")
    assert _read(cap, OFFERS, "pc2") == b"x"
    cap.cut()
    for client in ("pc1", "pc2"):
        with pytest.raises(UnavailableError):
            cap.point(client).put(ITEM, b"x")
    cap.mend()
    assert _read(cap, OFFERS, "pc1") == b"x"
    assert cap.absent_requests() == []


def test_a_cut_in_the_middle_ends_a_long_read(cap: MemoryBoxes) -> None:
    cap.shelf().write(OFFERS, b"x" * 200_000)
    pieces = cap.point("pc1").read_from(OFFERS, offset=0, limit_bytes=200_000)
    next(pieces)
    cap.cut()
    with pytest.raises(UnavailableError):
        next(pieces)


def test_a_long_read_goes_on_where_it_stopped_and_keeps_to_its_limit(cap: MemoryBoxes) -> None:
    cap.shelf().write(OFFERS, b"0123456789")
    assert b"".join(cap.point("pc1").read_from(OFFERS, offset=4, limit_bytes=6)) == b"456789"
    assert b"".join(cap.point("pc1").read_from(OFFERS, offset=8, limit_bytes=1)) == b"8"
    with pytest.raises(RejectedError):
        cap.point("pc1").read(OFFERS, limit_bytes=9)


def test_half_a_publication_shows_only_its_first_writes(cap: MemoryBoxes) -> None:
    cap.shelf().write("pkginfo.box/old", b"old")
    cap.hold(after_writes=1)
    cap.shelf().write("pkginfo.box/a", b"a")
    cap.shelf().write("pkginfo.box/b", b"b")
    cap.shelf().remove("pkginfo.box/old")
    assert _read(cap, "pkginfo.box/a") == b"a"
    assert _read(cap, "pkginfo.box/old") == b"old"
    with pytest.raises(AbsentError):
        _read(cap, "pkginfo.box/b")
    assert cap.shelf().read("pkginfo.box/b") == b"b"
    cap.release()
    assert _read(cap, "pkginfo.box/b") == b"b"


def test_a_kept_moment_is_served_whole_or_in_part_to_all_or_to_one(cap: MemoryBoxes) -> None:
    for path in (TIMESTAMP, SHARD):
        cap.shelf().replace(path, b"old")
    cap.keep_moment("yesterday")
    for path in (TIMESTAMP, SHARD):
        cap.shelf().replace(path, b"new")
    cap.serve_moment("yesterday", only=lambda path: path.endswith(".lkp"), client="pc1")
    assert (_read(cap, TIMESTAMP), _read(cap, SHARD)) == (b"new", b"old")
    assert _read(cap, SHARD, "pc2") == b"new"
    cap.serve_moment("yesterday")
    assert _read(cap, TIMESTAMP, "pc2") == b"old"
    cap.mend()
    assert (_read(cap, TIMESTAMP), _read(cap, SHARD)) == (b"new", b"new")


def test_files_can_be_truncated_corrupted_and_lost(cap: MemoryBoxes) -> None:
    for path in ("pkginfo.box/a", "pkginfo.box/b", "pkginfo.box/c"):
        cap.shelf().write(path, b"12345")
    cap.truncate("pkginfo.box/a", 2)
    cap.corrupt("pkginfo.box/b")
    cap.lose("pkginfo.box/c")
    assert _read(cap, "pkginfo.box/a") == b"12"
    damaged = _read(cap, "pkginfo.box/b")
    assert damaged is not None and damaged != b"12345" and len(damaged) == 5
    assert cap.shelf().read("pkginfo.box/c") is None


def test_an_item_is_put_once_into_an_up_box_and_nowhere_else(cap: MemoryBoxes) -> None:
    cap.point("pc1").put(ITEM, b"x")
    assert cap.shelf().read(ITEM) == b"x"
    assert [item.name for item in cap.shelf().listed("statmsgs.box", limit=10)] == ["0" * 32]
    cap.point("pc1").put(ITEM, b"again")
    assert cap.shelf().read(ITEM) == b"x"
    for path in (OFFERS, "statmsgs.box/name", "statmsgs.box/../" + "0" * 32):
        with pytest.raises(RejectedError):
            cap.point("pc1").put(path, b"y")
    with pytest.raises(RejectedError):
        cap.point("pc1").put("ccr.box/" + "1" * 32, b"x" * 20_000)


def test_a_discarding_folder_takes_items_and_has_none(cap: MemoryBoxes) -> None:
    cap.discard()
    cap.point("pc1").put(ITEM, b"x")
    assert cap.shelf().listed("statmsgs.box", limit=10) == []


def test_a_full_disk_refuses_the_site(cap: MemoryBoxes) -> None:
    shelf = cap.shelf()
    cap.is_full = True
    with pytest.raises(UnavailableError):
        shelf.write(OFFERS, b"x")
    assert shelf.read(OFFERS) is None


def test_what_the_site_had_not_synced_is_undone_by_its_power_cut() -> None:
    power = Power()
    cap = MemoryBoxes("http://lab/cap", Clock().now, power=power)
    shelf = cap.shelf()
    shelf.write("pkginfo.box/a", b"a")
    shelf.replace(TIMESTAMP, b"1")
    shelf.sync()
    shelf.replace(TIMESTAMP, b"2")
    shelf.remove("pkginfo.box/a")
    power.fail_at(1)
    with pytest.raises(PowerCut):
        shelf.write("pkginfo.box/b", b"b")
    cap.power_cut()
    power.restore()
    assert {path: stored.content for path, stored in cap.files.items()} == {"pkginfo.box/a": b"a", TIMESTAMP: b"1"}


def test_an_item_is_an_effect_of_the_machine_that_puts_it(cap: MemoryBoxes) -> None:
    power = Power()
    power.fail_at(1)
    with pytest.raises(PowerCut):
        cap.point("pc1", power=power).put(ITEM, b"x")
    assert cap.shelf().read(ITEM) is None


@pytest.mark.parametrize("path", ["../x", "a//b", "/a", "a/./b", "a\\b"])
def test_no_path_leaves_the_folder(cap: MemoryBoxes, path: str) -> None:
    with pytest.raises(RejectedError):
        _read(cap, path)
    with pytest.raises(RejectedError):
        cap.shelf().write(path, b"x")
