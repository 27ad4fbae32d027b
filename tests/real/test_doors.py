"""What the servers of a CAP and a DP let through and what not, asked with raw requests.

They are the built-in ones, and nginx with the configuration that we print.
"""

import contextlib
import http.client
import os
import secrets
import select
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from http_servers import nginx_running, serving
from purveyor.client_access_point.application import application as client_access_point
from purveyor.client_access_point.limits import Limits
from purveyor.client_access_point.nginx import Plan
from purveyor.distribution_point.application import application as distribution_point
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire.manifest import Manifest, encode, file_path, hash_of, manifest_path

SECRET = b"a secret of the site"
CHUNKED = "Transfer-Encoding: chunked"
TIMESTAMP = "clidata.box/timestamp.json"
REFUSED = (400, 403, 404, 405, 413, 501)
FEW = Limits(puts_per_second=0.01, put_burst=3)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Doors:
    """Where the CAP and DP of one folder are served."""

    cap: str
    dp: str
    shelf: FolderShelf
    dp_folder: Path

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Asks the CAP's server; `path` goes onto the line as it is."""
        return ask(self.cap, method, path, body, headers)

    def ask_dp(self, method: str, path: str, **headers: str) -> Reply:
        """Asks the DP's server."""
        return ask(self.dp, method, path, None, headers)

    def in_box(self, box: str) -> dict[str, bytes]:
        """Everything that lies in a box, hidden or not."""
        return {entry.name: entry.read_bytes() for entry in (self.shelf.folder / box).iterdir()}


def ask(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
    """One request on a connection of its own, with the path exactly as given."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.putrequest(method, parts.path + path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def open_doors(kind: str, shelf: FolderShelf, dp_folder: Path, stack: ExitStack, limits: Limits) -> Doors:
    """Serves the folders in one of the two ways."""
    (shelf.folder.parent / "secret").write_bytes(SECRET)
    (shelf.folder.parent / "secret").chmod(0o644)
    shelf.replace(TIMESTAMP, b"the site's own")
    if kind == "nginx":
        nginx = stack.enter_context(nginx_running(Plan(cap_folder=str(shelf.folder), dp_folder=str(dp_folder), limits=limits)))
        return Doors(f"{nginx.url}/cap", f"{nginx.url}/dp", shelf, dp_folder)
    cap = stack.enter_context(serving(client_access_point(shelf.folder, limits)))
    dp = stack.enter_context(serving(distribution_point(dp_folder)))
    return Doors(cap, dp, shelf, dp_folder)


@pytest.fixture(params=["built-in", "nginx"])
def kind(request: pytest.FixtureRequest) -> str:
    """Who serves."""
    return str(request.param)


@pytest.fixture
def doors(kind: str, cap_shelf: FolderShelf, dp_folder: Path) -> Iterator[Doors]:
    """Both ways of serving, with the limits that hold by default."""
    with ExitStack() as stack:
        yield open_doors(kind, cap_shelf, dp_folder, stack, Limits())


@pytest.fixture
def narrow_doors(kind: str, cap_shelf: FolderShelf, dp_folder: Path) -> Iterator[Doors]:
    """Both ways of serving, with room for few items."""
    with ExitStack() as stack:
        yield open_doors(kind, cap_shelf, dp_folder, stack, FEW)


def name() -> str:
    """A new item's name."""
    return secrets.token_hex(16)


def test_an_item_is_put_once_and_can_be_read_by_anyone_with_the_folder(doors: Doors) -> None:
    item = name()
    assert doors.ask("PUT", f"/statmsgs.box/{item}", b"sealed").status == 201
    assert doors.in_box("statmsgs.box") == {item: b"sealed"}
    assert stat.S_IMODE((doors.shelf.folder / "statmsgs.box" / item).stat().st_mode) == 0o644


def test_nothing_is_read_back_from_an_up_box(doors: Doors) -> None:
    item = name()
    doors.ask("PUT", f"/ddr.box/{item}", b"sealed")
    for method in ("GET", "HEAD", "POST"):
        for wanted in (item, name()):
            reply = doors.ask(method, f"/ddr.box/{wanted}")
            assert reply.status == 405
            assert b"sealed" not in reply.body


def test_an_item_is_never_overwritten(doors: Doors) -> None:
    item = name()
    assert doors.ask("PUT", f"/ddr.box/{item}", b"first").status == 201
    assert doors.ask("PUT", f"/ddr.box/{item}", b"again").status == 409
    assert doors.ask("PUT", f"/ddr.box/{item}", b"again", If_None_Match="*").status in (409, 412)
    assert doors.in_box("ddr.box") == {item: b"first"}


def test_of_many_who_put_one_name_at_once_the_box_gets_one_whole_item(doors: Doors) -> None:
    item = name()
    bodies = [bytes([48 + number]) * 200_000 for number in range(8)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda body=body: statuses.append(doors.ask("PUT", f"/sinv.box/{item}", body).status))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert doors.in_box("sinv.box")[item] in bodies
    assert len(doors.in_box("sinv.box")) == 1
    assert set(statuses) <= {201, 204, 409}
    assert 201 in statuses


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/ccr.box",
        "/ccr.box/",
        "/clidata.box",
        "/clidata.box/",
        "/offerinf.box/lookup",
        "/offerinf.box/lookup/",
        "/.aside/",
    ],
)
def test_no_folder_is_listed_or_shown_to_be_there(doors: Doors, path: str) -> None:
    doors.shelf.write("offerinf.box/lookup/1/0.lkp", b"x")
    reply = doors.ask("GET", path)
    assert reply.status == 404
    assert b"lookup" not in reply.body
    assert "location" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/files", "/files/", "/files/ab/", "/manifests/", "/manifests"])
def test_no_folder_of_content_is_listed(doors: Doors, path: str) -> None:
    content = doors.dp_folder / manifest_path("ab" * 32)
    content.parent.mkdir(parents=True)
    content.write_bytes(b"x")
    assert doors.ask_dp("GET", path).status == 404


@pytest.mark.parametrize(
    "path",
    [f"/{TIMESTAMP}", "/pkginfo.box/new.pkg", "/offerinf.box/lookup/1/0.lkp", "/", "/new", "/.nginx/x", "/.arriving/x"],
)
def test_nothing_is_put_anywhere_but_into_up_boxes(doors: Doors, path: str) -> None:
    before = tree_of(doors.shelf.folder)
    assert doors.ask("PUT", path, b"forged").status in REFUSED
    assert tree_of(doors.shelf.folder) == before


def test_nothing_is_put_into_a_distribution_point(doors: Doors) -> None:
    path = doors.dp_folder / file_path(hash_of(b"content"))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    for target in (file_path(hash_of(b"content")), file_path(hash_of(b"new")), manifest_path("0" * 64)):
        assert ask(doors.dp, "PUT", f"/{target}", b"forged", {}).status in REFUSED
        assert ask(doors.dp, "DELETE", f"/{target}", None, {}).status in REFUSED
    assert path.read_bytes() == b"content"
    assert sum(1 for found in doors.dp_folder.rglob("*") if found.is_file()) == 1


@pytest.mark.parametrize(
    "method",
    ["DELETE", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK", "PATCH", "POST", "OPTIONS", "TRACE"],
)
def test_every_other_method_is_refused_and_changes_nothing(doors: Doors, method: str) -> None:
    item = name()
    doors.ask("PUT", f"/ddr.box/{item}", b"sealed")
    before = tree_of(doors.shelf.folder)
    for path in (f"/{TIMESTAMP}", f"/ddr.box/{item}", f"/ddr.box/{name()}", "/ddr.box/", "/clidata.box/new/", "/new"):
        reply = doors.ask(method, path, b"", Destination=f"{doors.cap}/clidata.box/copy", Depth="infinity", Overwrite="T")
        assert reply.status in REFUSED, f"{method} {path} gives {reply.status}"
    assert tree_of(doors.shelf.folder) == before


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/clidata.box/../../secret",
        "/clidata.box/%2e%2e/%2e%2e/secret",
        "/clidata.box/..%2f..%2fsecret",
        "/clidata.box/%252e%252e/%252e%252e/secret",
        "/clidata.box/..\\..\\secret",
        "//secret",
        "/clidata.box//../../secret",
        "/clidata.box/link",
        "/pkginfo.box/folder/secret",
        "/.aside/left",
        "/clidata.box/.hidden",
        "/ddr.box/.full",
        "/clidata.box/timestamp.json/",
        "/clidata.box/timestamp.json%00",
        "/clidata.box/timestamp.json/x",
        "/clidata.box/pipe",
    ],
)
def test_no_path_leads_out_or_to_what_is_hidden(doors: Doors, path: str) -> None:
    folder = doors.shelf.folder
    doors.shelf.make_boxes()
    (folder / "clidata.box/link").symlink_to(folder.parent / "secret")
    (folder / "pkginfo.box/folder").symlink_to(folder.parent)
    (folder / "clidata.box/pipe").symlink_to("/dev/null")
    for hidden in (".aside/left", "clidata.box/.hidden", "ddr.box/.full"):
        (folder / hidden).write_bytes(SECRET)
    for method in ("GET", "PUT"):
        reply = doors.ask(method, path, b"forged" if method == "PUT" else None)
        assert reply.status in REFUSED, f"{method} {path} gives {reply.status}"
        assert SECRET not in reply.body
    assert (folder.parent / "secret").read_bytes() == SECRET


@pytest.mark.parametrize(
    "item",
    [
        "A" * 32,
        "0" * 31,
        "0" * 33,
        "0" * 32 + "/",
        "0" * 32 + ".tmp",
        "%30" * 31 + "g",
        "0" * 31 + "%00",
        "." + "0" * 31,
        "0" * 32 + "%0a",
        "é",
        "0/" + "0" * 30,
    ],
)
def test_an_item_of_any_other_name_is_not_taken(doors: Doors, item: str) -> None:
    assert ask_raw(doors.cap, head_of(f"ddr.box/{item}", "Content-Length: 1") + "x")[0] in REFUSED
    assert doors.in_box("ddr.box") == {}


def test_an_item_that_is_too_large_is_refused_whether_or_not_it_says_so(doors: Doors) -> None:
    limit = 16 * 1024
    assert doors.ask("PUT", f"/ccr.box/{name()}", b"x" * (limit + 1)).status == 413
    chunks = f"{limit + 1:x}\r\n" + "x" * (limit + 1) + "\r\n0\r\n\r\n"
    assert ask_raw(doors.cap, head_of(f"ccr.box/{name()}", CHUNKED) + chunks)[0] == 413
    assert doors.ask("PUT", f"/ccr.box/{name()}", b"x" * limit).status == 201
    assert [len(content) for content in doors.in_box("ccr.box").values()] == [limit]


def test_a_body_that_never_ends_is_refused_and_not_kept(doors: Doors) -> None:
    with connected(doors.cap) as stream:
        stream.sendall(head_of(f"ccr.box/{name()}", CHUNKED).replace("{base}", base_of(doors.cap)).encode())
        sent_bytes, received = 0, b""
        with contextlib.suppress(ConnectionError):
            while sent_bytes < 64 * 2**20 and not select.select([stream], [], [], 0)[0]:
                stream.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent_bytes += 65536
            received = stream.recv(100)
    assert sent_bytes < 16 * 2**20
    assert received == b"" or b" 413 " in received
    assert doors.in_box("ccr.box") == {}
    assert [path for path in doors.shelf.folder.glob(".*/*") if path.is_file()] == []


def test_an_upload_that_breaks_off_leaves_nothing_in_the_box(doors: Doors) -> None:
    with connected(doors.cap) as stream:
        stream.sendall(
            (head_of(f"ddr.box/{name()}", "Content-Length: 1000") + "half").replace("{base}", base_of(doors.cap)).encode()
        )
    assert doors.ask("PUT", f"/ddr.box/{name()}", b"whole").status == 201
    assert list(doors.in_box("ddr.box").values()) == [b"whole"]


def test_an_address_that_puts_too_much_is_told_to_wait(narrow_doors: Doors) -> None:
    replies = [narrow_doors.ask("PUT", f"/ddr.box/{name()}", b"x") for _ in range(6)]
    statuses = [reply.status for reply in replies]
    assert statuses[:3] == [201, 201, 201]
    assert statuses[4:] == [429, 429]
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert len(narrow_doors.in_box("ddr.box")) == statuses.count(201)
    assert narrow_doors.ask("GET", f"/{TIMESTAMP}").status == 200


def test_a_box_that_the_site_marked_full_takes_nothing_and_says_so(doors: Doors) -> None:
    doors.shelf.set_full("ddr.box", is_full=True)
    reply = doors.ask("PUT", f"/ddr.box/{name()}", b"x")
    assert reply.status == 507
    assert int(reply.headers["retry-after"]) >= 1
    assert doors.ask("PUT", f"/sinv.box/{name()}", b"x").status == 201
    doors.shelf.set_full("ddr.box", is_full=False)
    assert doors.ask("PUT", f"/ddr.box/{name()}", b"x").status == 201


def test_a_box_that_is_not_there_is_not_taken_for_an_item_that_is(doors: Doors) -> None:
    (doors.shelf.folder / "ddr.box").rmdir()
    assert doors.ask("PUT", f"/ddr.box/{name()}", b"x").status == 503


@pytest.mark.parametrize(
    ("path", "cached"),
    [
        (TIMESTAMP, "no-cache"),
        ("clidata.box/root.json", "no-cache"),
        ("offerinf.box/lookup/4/0f.lkp", "no-cache"),
        ("clidata.box/7.snapshot.json", "public, max-age=31536000, immutable"),
        ("pkginfo.box/ab.S0100001.pkg", "public, max-age=31536000, immutable"),
        ("offerinf.box/ab.S0110001.ofr", "public, max-age=31536000, immutable"),
    ],
)
def test_caches_ask_again_for_what_changes_and_keep_the_rest(doors: Doors, path: str, cached: str) -> None:
    doors.shelf.replace(path, b'{"compressible": "' + b"x" * 5000 + b'"}')
    reply = doors.ask("GET", f"/{path}", Accept_Encoding="gzip, br")
    assert reply.status == 200
    assert reply.headers["cache-control"] == cached
    assert "content-encoding" not in reply.headers
    unchanged = doors.ask("GET", f"/{path}", If_None_Match=reply.headers["etag"])
    assert unchanged.status == 304
    assert unchanged.headers["cache-control"] == cached
    assert unchanged.headers["etag"] == reply.headers["etag"]
    assert unchanged.body == b""
    assert doors.ask("GET", f"/{path}", If_None_Match=f'"x", {reply.headers["etag"]}').status == 304
    assert doors.ask("GET", f"/{path}", If_None_Match='"x"').status == 200
    head = doors.ask("HEAD", f"/{path}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(reply.body)))
    absent = doors.ask("GET", f"/{path}x")
    assert absent.status == 404
    assert "immutable" not in absent.headers.get("cache-control", "")


def test_nobody_keeps_the_word_that_content_is_yet_to_come(doors: Doors) -> None:
    manifest = encode(Manifest())
    path = doors.dp_folder / manifest_path(hash_of(manifest))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    asked = f"/{manifest_path(hash_of(manifest))}"
    empty = doors.ask_dp("GET", asked)
    assert (empty.status, empty.body, empty.headers["cache-control"]) == (200, b"", "no-cache")
    assert doors.ask_dp("GET", asked, Range="bytes=0-0").status in (200, 416)
    path.write_bytes(manifest)
    came = doors.ask_dp("GET", asked, If_None_Match=empty.headers.get("etag", '"x"'))
    assert (came.status, came.body) == (200, manifest)
    assert came.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_content_is_served_whole_in_ranges_and_for_ever(doors: Doors) -> None:
    content = os.urandom(300_000)
    path = doors.dp_folder / file_path(hash_of(content))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    asked = f"/{file_path(hash_of(content))}"
    whole = doors.ask_dp("GET", asked)
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    for wanted, first, last in (
        ("0-9", 0, 9),
        ("299990-", 299_990, 299_999),
        ("-10", 299_990, 299_999),
        ("5-999999999", 5, 299_999),
    ):
        part = doors.ask_dp("GET", asked, Range=f"bytes={wanted}")
        assert (part.status, part.headers["content-range"]) == (206, f"bytes {first}-{last}/300000")
        assert part.body == content[first : last + 1]
    assert doors.ask_dp("GET", asked, Range="bytes=300000-").status == 416
    assert doors.ask_dp("GET", asked, Range="bytes=0-1,5-6").body == content
    assert doors.ask_dp("GET", asked, Range="bytes=0-1", If_Range='"other"').body == content
    assert doors.ask_dp("GET", asked, Range="bytes=0-1", If_Range=whole.headers["etag"]).body == content[:2]
    assert doors.ask_dp("GET", asked, If_None_Match=whole.headers["etag"]).status == 304
    assert doors.ask_dp("HEAD", asked).headers["content-length"] == "300000"
    elsewhere = "00" if not hash_of(content).startswith("00") else "01"
    assert doors.ask_dp("GET", f"/files/{elsewhere}/{hash_of(content)}").status == 404


def tree_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def head_of(path: str, framing: str) -> str:
    """The head of a PUT, written out by hand."""
    return f"PUT {{base}}/{path} HTTP/1.1\r\nHost: x\r\n{framing}\r\nConnection: close\r\n\r\n"


def base_of(url: str) -> str:
    """The path of a URL."""
    return urlsplit(url).path


def connected(url: str) -> socket.socket:
    """A connection to the server of a URL."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20)


def ask_raw(url: str, request: str) -> tuple[int, bytes]:
    """The status and all bytes of the answer to a request written out by hand; `{base}` in it is the URL's path."""
    with connected(url) as stream:
        stream.sendall(request.replace("{base}", base_of(url)).encode())
        received = b""
        while b"\r\n\r\n" not in received and (piece := stream.recv(65536)):
            received += piece
    return int(received.split(b" ", 2)[1]), received
