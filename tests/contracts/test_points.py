"""What every way to a point promises a client, whatever carries the bytes."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from counted_point import CountedPoint
from http_servers import Nginx, serving
from purveyor.client_access_point.application import application as client_access_point
from purveyor.distribution_point.application import application as distribution_point
from purveyor.lab.transport import MemoryBoxes
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.interface import Point, Shelf
from purveyor.transport.open_point import point_for
from purveyor.transport.s3.policy import bucket_policy
from purveyor.transport.smb.address import address_of
from purveyor.transport.smb.point import SmbPoint
from purveyor.transport.smb.session import session_with
from purveyor.transport.smb.share import SmbShare
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.manifest import file_path, hash_of, manifest_path
from s3_server import Bucket
from samba_server import Samba, share_of

TIMESTAMP = "clidata.box/timestamp.json"
LIMIT = 10 * 2**20


@dataclass(frozen=True)
class Place:
    """A CAP and a DP as their owner and a client have them."""

    cap: Point
    dp: Point
    cap_shelf: Shelf
    dp_shelf: Shelf
    nowhere: Point


def item_path(box: str = "statmsgs.box") -> str:
    """A new item's path."""
    return f"{box}/{secrets.token_hex(16)}"


@pytest.fixture
def over_folder(cap_shelf: FolderShelf, dp_folder: Path, open_folder: Path) -> Place:
    """The folders themselves."""
    return Place(
        FolderPoint(cap_shelf.folder),
        FolderPoint(dp_folder),
        cap_shelf,
        FolderShelf(dp_folder),
        FolderPoint(open_folder / "unmounted"),
    )


@pytest.fixture
def over_built_in(cap_shelf: FolderShelf, dp_folder: Path) -> Iterator[Place]:
    """Our own servers under uvicorn."""
    with serving(client_access_point(cap_shelf.folder)) as cap, serving(distribution_point(dp_folder)) as dp:
        yield Place(HttpPoint(cap), HttpPoint(dp), cap_shelf, FolderShelf(dp_folder), HttpPoint("http://127.0.0.1:1/cap"))


@pytest.fixture
def over_nginx(nginx: Nginx, cap_shelf: FolderShelf, dp_folder: Path) -> Place:
    """Real nginx with the configuration that we print."""
    return Place(
        point_for(f"{nginx.url}/cap"),
        point_for(f"{nginx.url}/dp"),
        cap_shelf,
        FolderShelf(dp_folder),
        HttpPoint("http://127.0.0.1:1/cap"),
    )


@pytest.fixture
def over_counted(over_folder: Place) -> Place:
    """The folders, counted."""
    return Place(
        CountedPoint(over_folder.cap),
        CountedPoint(over_folder.dp),
        over_folder.cap_shelf,
        over_folder.dp_shelf,
        CountedPoint(over_folder.nowhere),
    )


@pytest.fixture
def over_lab() -> Place:
    """The lab's folders in memory."""
    clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
    cap, dp, away = MemoryBoxes("memory:cap", clock), MemoryBoxes("memory:dp", clock), MemoryBoxes("memory:away", clock)
    away.cut()
    return Place(cap.point("client"), dp.point("client"), cap.shelf(), dp.shelf(), away.point("client"))


@pytest.fixture
def over_smb(samba: Samba, open_folder: Path) -> Iterator[Place]:
    """A share of a real Samba; its folder is the site's own, as where Samba runs beside the site."""
    shelf = FolderShelf(samba.folder, up_mode=0o777)
    shelf.make_boxes()
    dp = samba.folder / "DP_S01"
    dp.mkdir()
    share, content = share_of(samba), share_of(samba, "DP_S01")
    away = address_of("smb://127.0.0.1:1/CAP_S01")
    nowhere = SmbShare(away, session_with(away, lambda: samba.credentials))
    yield Place(SmbPoint(share), SmbPoint(content), shelf, FolderShelf(dp), SmbPoint(nowhere))
    share.close()
    content.close()


@pytest.fixture
def over_s3(bucket: Bucket) -> Place:
    """A real bucket over plain HTTP, opened with the policy that we print; it has no up boxes."""
    bucket.open_to_everybody(bucket_policy(bucket.name, "sites", tells_absent=True))
    cap, dp = bucket.shelf("sites/CAP_S01"), bucket.shelf("sites/DP_S01")
    nowhere = HttpPoint("http://127.0.0.1:1/bucket")
    return Place(point_for(cap.address.public_url), point_for(dp.address.public_url), cap, dp, nowhere)


BOTH_WAYS = ["over_folder", "over_built_in", "over_nginx", "over_counted", "over_lab", "over_smb"]
DOWN_ONLY = ["over_s3"]


@pytest.fixture(params=[*BOTH_WAYS, *DOWN_ONLY])
def place(request: pytest.FixtureRequest) -> Place:
    """One of all of them."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


@pytest.fixture(params=BOTH_WAYS)
def with_up_boxes(request: pytest.FixtureRequest) -> Place:
    """One of those into which clients can put."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


def put_content(place: Place, content: bytes) -> str:
    """Lays content on the DP. Shape: its path."""
    path = file_path(hash_of(content))
    place.dp_shelf.write(path, content)
    return path


def whole(pieces: Iterator[bytes]) -> bytes:
    """All pieces in one."""
    return b"".join(pieces)


def test_a_file_is_read_as_it_was_written(place: Place) -> None:
    place.cap_shelf.write("pkginfo.box/ab12.S0100001.pkg", b"\0\1\2")
    answer = place.cap.read("pkginfo.box/ab12.S0100001.pkg", limit_bytes=3)
    assert answer is not None
    assert answer.content == b"\0\1\2"


def test_an_empty_file_is_read_as_empty(place: Place) -> None:
    place.cap_shelf.write("offerinf.box/1.S0110001.ofr", b"")
    answer = place.cap.read("offerinf.box/1.S0110001.ofr", limit_bytes=10)
    assert answer is not None
    assert answer.content == b""


def test_a_large_file_is_read_whole(place: Place) -> None:
    content = os.urandom(3 * 2**20 + 17)
    place.cap_shelf.write("clicomp.box/agent-1.tar", content)
    answer = place.cap.read("clicomp.box/agent-1.tar", limit_bytes=LIMIT)
    assert answer is not None
    assert answer.content == content


def test_an_unchanged_file_is_not_sent_again(place: Place) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"one")
    answer = place.cap.read(TIMESTAMP, limit_bytes=LIMIT)
    assert answer is not None
    assert answer.tag
    assert place.cap.read(TIMESTAMP, limit_bytes=LIMIT, tag=answer.tag) is None
    assert place.cap.read(TIMESTAMP, limit_bytes=LIMIT, tag=answer.tag) is None


def test_of_many_replacements_of_equal_length_within_one_second_every_one_is_seen(place: Place) -> None:
    began_at = time.monotonic()
    tag = ""
    for number in range(8):
        place.cap_shelf.replace(TIMESTAMP, b"publication %d" % number)
        answer = place.cap.read(TIMESTAMP, limit_bytes=LIMIT, tag=tag)
        assert answer is not None, f"publication {number} was held for the one before"
        assert answer.content == b"publication %d" % number
        tag = answer.tag
    assert time.monotonic() - began_at < 8, "the replacements did not follow each other within a second"


def test_a_file_removed_and_made_anew_within_one_second_is_seen(place: Place) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"before")
    answer = place.cap.read(TIMESTAMP, limit_bytes=LIMIT)
    assert answer is not None
    place.cap_shelf.remove(TIMESTAMP)
    place.cap_shelf.replace(TIMESTAMP, b"after!")
    again = place.cap.read(TIMESTAMP, limit_bytes=LIMIT, tag=answer.tag)
    assert again is not None
    assert again.content == b"after!"


def test_a_tag_of_another_point_or_of_nobody_brings_the_file(place: Place) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"one")
    for tag in ('"another"', "189f-3-77", 'W/"x"', "nonsense\r\nX: y", "changed Thu, 01 Jan 2015 00:00:00 GMT"):
        answer = place.cap.read(TIMESTAMP, limit_bytes=LIMIT, tag=tag)
        assert answer is not None
        assert answer.content == b"one"


def test_an_absent_file_is_told_from_an_unreachable_point(place: Place) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"one")
    with pytest.raises(AbsentError):
        place.cap.read("clidata.box/9.root.json", limit_bytes=LIMIT)
    with pytest.raises(UnavailableError) as caught:
        place.nowhere.read(TIMESTAMP, limit_bytes=LIMIT)
    assert not isinstance(caught.value, AbsentError)


def test_a_file_larger_than_the_limit_is_rejected(place: Place) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"x" * 1000)
    with pytest.raises(RejectedError):
        place.cap.read(TIMESTAMP, limit_bytes=999)
    assert place.cap.read(TIMESTAMP, limit_bytes=1000) is not None


@pytest.mark.parametrize(
    "path", ["../secret", "clidata.box/../../secret", "/etc/passwd", "clidata.box//x", "", "clidata.box/.aside", "a\0b", "a\\b"]
)
def test_a_path_that_leaves_the_point_is_rejected(place: Place, path: str) -> None:
    with pytest.raises(RejectedError):
        place.cap.read(path, limit_bytes=LIMIT)
    with pytest.raises(RejectedError):
        whole(place.dp.read_from(path, offset=0, limit_bytes=LIMIT))
    with pytest.raises(RejectedError):
        place.cap.put(path, b"")


@pytest.mark.parametrize("size_bytes", [1, 70_000, 1_500_000])
def test_content_is_read_from_any_byte_on(place: Place, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    path = put_content(place, content)
    for offset in {0, 1, size_bytes // 2, size_bytes - 1}:
        if offset < size_bytes:
            assert whole(place.dp.read_from(path, offset=offset, limit_bytes=LIMIT)) == content[offset:]


def test_no_more_content_is_read_than_was_asked_for(place: Place) -> None:
    content = os.urandom(400_000)
    path = put_content(place, content)
    assert whole(place.dp.read_from(path, offset=0, limit_bytes=100_000)) == content[:100_000]
    assert whole(place.dp.read_from(path, offset=100_000, limit_bytes=7)) == content[100_000:100_007]
    assert whole(place.dp.read_from(path, offset=100_000, limit_bytes=0)) == b""


def test_at_the_end_of_content_or_behind_it_there_is_nothing(place: Place) -> None:
    path = put_content(place, b"seven..")
    assert whole(place.dp.read_from(path, offset=7, limit_bytes=10)) == b""
    assert whole(place.dp.read_from(path, offset=8, limit_bytes=10)) == b""
    empty = put_content(place, b"")
    assert whole(place.dp.read_from(empty, offset=0, limit_bytes=10)) == b""


def test_a_reader_that_stops_in_the_middle_disturbs_nobody(place: Place) -> None:
    content = os.urandom(2_000_000)
    path = put_content(place, content)
    pieces = place.dp.read_from(path, offset=0, limit_bytes=LIMIT)
    next(pieces)
    del pieces
    assert whole(place.dp.read_from(path, offset=0, limit_bytes=LIMIT)) == content


def test_absent_content_is_told_from_an_unreachable_point(place: Place) -> None:
    put_content(place, b"something")
    with pytest.raises(AbsentError):
        whole(place.dp.read_from(file_path(hash_of(b"else")), offset=0, limit_bytes=LIMIT))
    with pytest.raises(UnavailableError):
        whole(place.nowhere.read_from(manifest_path("0" * 64), offset=0, limit_bytes=LIMIT))


def test_an_item_that_was_put_lies_in_the_box_for_the_site(with_up_boxes: Place) -> None:
    place = with_up_boxes
    path = item_path()
    place.cap.put(path, b"sealed")
    assert place.cap_shelf.read(path) == b"sealed"
    assert [item.name for item in place.cap_shelf.listed("statmsgs.box", limit=10)] == [path.partition("/")[2]]
    place.cap_shelf.remove(path)
    assert place.cap_shelf.listed("statmsgs.box", limit=10) == []


def test_putting_an_item_again_is_no_error_and_changes_nothing(with_up_boxes: Place) -> None:
    place = with_up_boxes
    path = item_path("ddr.box")
    place.cap.put(path, b"first")
    place.cap.put(path, b"again")
    assert place.cap_shelf.read(path) == b"first"


def test_an_item_of_exactly_the_limit_is_taken_and_a_larger_one_rejected(with_up_boxes: Place) -> None:
    place = with_up_boxes
    path = item_path("ccr.box")
    place.cap.put(path, b"x" * 16 * 1024)
    with pytest.raises(RejectedError):
        place.cap.put(item_path("ccr.box"), b"x" * (16 * 1024 + 1))
    assert [item.size_bytes for item in place.cap_shelf.listed("ccr.box", limit=10)] == [16 * 1024]


@pytest.mark.parametrize(
    "path", ["clidata.box/timestamp.json", "pkginfo.box/" + "0" * 32, "statmsgs.box/short", "statmsgs.box/" + "A" * 32]
)
def test_an_item_that_is_none_of_an_up_box_is_rejected(place: Place, path: str) -> None:
    place.cap_shelf.replace(TIMESTAMP, b"the site's")
    with pytest.raises(RejectedError):
        place.cap.put(path, b"forged")
    assert place.cap_shelf.read(TIMESTAMP) == b"the site's"


def test_an_item_for_an_unreachable_point_waits(place: Place) -> None:
    with pytest.raises(UnavailableError):
        place.nowhere.put(item_path(), b"sealed")


def test_a_point_says_what_it_is_known_by(place: Place) -> None:
    assert place.cap.url
    assert place.cap.url != place.dp.url
