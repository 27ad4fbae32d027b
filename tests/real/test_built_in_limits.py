"""The limits of the built-in client access point that nginx has not, or has in another way."""

import contextlib
import os
import resource
import secrets
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from http_servers import serving
from purveyor.client_access_point.application import application
from purveyor.client_access_point.limits import Limits
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.http.serving import Receive, Scope, Send
from purveyor.wire.boxes import up_box_of
from purveyor.wire.errors import RejectedError, UnavailableError


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    """The owner's hand in an empty CAP."""
    made = FolderShelf(tmp_path / "CAP_S01")
    made.make_boxes()
    return made


def item(box: str = "ccr.box") -> str:
    """A new item's path."""
    return f"{box}/{secrets.token_hex(16)}"


def raw(url: str, request: bytes) -> bytes:
    """Sends bytes and gives all that comes back until the server closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as stream:
        stream.sendall(request)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := stream.recv(65536):
                received += piece
    return received


def test_a_box_holds_as_many_items_as_the_table_says_and_takes_more_once_some_are_gone(shelf: FolderShelf) -> None:
    box = up_box_of(item())
    assert box is not None
    for number in range(box.depth_limit - 1):
        (shelf.folder / "ccr.box" / f"{number:032x}").touch()
    seconds = [0.0]
    with serving(application(shelf.folder, Limits(is_synced=False), monotonic=lambda: seconds[0])) as url:
        point = HttpPoint(url)
        last = item()
        point.put(last, b"the last one")
        with pytest.raises(UnavailableError, match="507"):
            point.put(item(), b"one too many")
        point.put(item("ddr.box"), b"another box has room")
        shelf.remove(last)
        with pytest.raises(UnavailableError, match="507"):
            point.put(item(), b"counted a moment ago")
        seconds[0] += 5.0
        point.put(item(), b"room again")
        point.close()
    assert len(os.listdir(shelf.folder / "ccr.box")) == box.depth_limit


def test_a_body_that_does_not_come_is_not_waited_for(shelf: FolderShelf) -> None:
    with serving(application(shelf.folder, Limits(body_grace_seconds=0.2))) as url:
        answer = raw(url, f"PUT /{item()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nten bytes.".encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert os.listdir(shelf.folder / "ccr.box") == []


def test_a_body_that_comes_slowly_but_steadily_is_waited_for(shelf: FolderShelf) -> None:
    name = item()
    with serving(application(shelf.folder, Limits(body_grace_seconds=0.3, slowest_bytes_per_second=1))) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as slow:
            slow.sendall(f"PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nten bytes.".encode())
            slow.settimeout(0.5)
            with pytest.raises(TimeoutError):
                slow.recv(100)
            slow.settimeout(20)
            slow.sendall(b"ten bytes.")
            assert slow.recv(100).startswith(b"HTTP/1.1 201 ")
    assert (shelf.folder / name).read_bytes() == b"ten bytes.ten bytes."


def test_no_more_items_come_in_at_once_than_there_is_memory_for(shelf: FolderShelf) -> None:
    with serving(application(shelf.folder, Limits(put_limit=1))) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as slow:
            slow.sendall(f"PUT /{item()} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode())
            assert slow.recv(100).startswith(b"HTTP/1.1 100 ")
            point = HttpPoint(url)
            with pytest.raises(UnavailableError, match="503"):
                point.put(item(), b"x")
            slow.sendall(b"slow")
            assert slow.recv(100).startswith(b"HTTP/1.1 201 ")
            point.put(item(), b"x")
            point.close()


def test_a_write_that_the_system_cuts_short_is_no_room_and_leaves_nothing(shelf: FolderShelf) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serving(application(shelf.folder)) as url:
        point = HttpPoint(url)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(UnavailableError, match="507"):
                point.put(item(), b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert os.listdir(shelf.folder / "ccr.box") == []
        assert os.listdir(shelf.folder / ".arriving") == []
        point.put(item(), b"x" * 2000)
        point.close()


def test_leftovers_of_a_killed_server_are_cleared_away_but_not_what_is_being_written(shelf: FolderShelf) -> None:
    arriving = shelf.folder / ".arriving"
    arriving.mkdir()
    (arriving / "1-old").write_bytes(b"x")
    os.utime(arriving / "1-old", (0, 0))
    (arriving / "1-new").write_bytes(b"x")
    with serving(application(shelf.folder)) as url:
        point = HttpPoint(url)
        point.put(item(), b"x")
        point.close()
    assert os.listdir(arriving) == ["1-new"]


def test_it_works_below_a_path_of_a_larger_application(shelf: FolderShelf) -> None:
    shelf.replace("clidata.box/timestamp.json", b"one")
    cap = application(shelf.folder)

    async def larger(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/cap"}
        await cap(scope, receive, send)

    with serving(larger) as url:
        point = HttpPoint(f"{url}/cap/")
        answer = point.read("clidata.box/timestamp.json", limit_bytes=10)
        point.close()
    assert answer is not None
    assert answer.content == b"one"


def test_a_slow_reader_holds_up_nobody(shelf: FolderShelf) -> None:
    shelf.write("clicomp.box/agent-1", os.urandom(16 * 2**20))
    shelf.replace("clidata.box/timestamp.json", b"one")
    with serving(application(shelf.folder)) as url:
        parts = urlsplit(url)
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                slow = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10))
                slow.sendall(b"GET /clicomp.box/agent-1 HTTP/1.1\r\nHost: x\r\n\r\n")
                assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
            point = HttpPoint(url)
            assert point.read("clidata.box/timestamp.json", limit_bytes=10) is not None
            point.close()


def test_a_large_item_is_rejected_before_it_is_sent(shelf: FolderShelf) -> None:
    asked = threading.Event()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.set()
        else:
            await application(shelf.folder)(scope, receive, send)

    with serving(counted) as url:
        point = HttpPoint(url)
        with pytest.raises(RejectedError):
            point.put(item(), b"x" * 20_000)
        point.close()
    assert not asked.is_set()
