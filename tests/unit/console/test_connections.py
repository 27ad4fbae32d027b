"""Connections are held to limits, over a real socket: whoever says nothing, too much or too slowly loses his own, nobody else."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from purveyor.console.connections import AHEAD_LIMIT, FIELD_LIMIT, HEAD_LIMIT_BYTES, Connection
from purveyor.console.limits import BodyPace
from purveyor.console.server import RunningServer, bound
from purveyor.site_server import certificates

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
WHOLE = HEAD + b"0123456789"
LAST = WHOLE.replace(b"Host", b"Connection: close\r\nHost")
LARGE = b"x" * 20_000_000


SENT = threading.Event()


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once, whatever of the body has come; a large answer to GET."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LARGE if scope["method"] == "GET" else b"ok", "more_body": True})
    await send({"type": "http.response.body"})
    SENT.set()


async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body first; says 408 where it is too slow."""
    try:
        while (await receive())["more_body"]:
            pass
    except HTTPException as error:
        status = error.status_code
    else:
        status = 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(params=[answer])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Where an application is served."""
    server = RunningServer(request.param, bound("127.0.0.1", 0), stop_seconds=1)
    parts = urlsplit(server.url)
    assert parts.hostname is not None and parts.port is not None
    yield parts.hostname, parts.port
    server.stop()


def said(connection: socket.socket) -> bytes:
    """All that is answered until the other side ends the connection."""
    connection.settimeout(20)
    found = b""
    try:
        while piece := connection.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1"])
def test_a_head_that_does_not_end_is_not_waited_for(
    place: tuple[str, int], begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.2)
    with socket.create_connection(place) as slow:
        slow.sendall(begun)
        assert said(slow).startswith(b"HTTP/1.1 408 ")


def test_the_head_of_a_later_request_is_not_waited_for_either(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.2)
    with socket.create_connection(place) as slow:
        slow.sendall(WHOLE + b"GET / HT")
        answered = said(slow)
    assert answered.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 408 " in answered


@pytest.fixture
def tls_place(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Where an application is served over TLS."""
    chain = certificates.chain_of(tmp_path, certificates.make(tmp_path, (), datetime.now(UTC)))
    server = RunningServer(answer, bound("127.0.0.1", 0), stop_seconds=1, chain=chain)
    parts = urlsplit(server.url)
    assert parts.hostname is not None and parts.port is not None
    yield parts.hostname, parts.port
    server.stop()


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_who_never_agrees_on_tls_is_not_waited_for(
    tls_place: tuple[str, int], begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purveyor.console.doorway.BEGIN_SECONDS", 0.2)
    with socket.create_connection(tls_place) as silent:
        silent.sendall(begun)
        assert b"200" not in said(silent)


def test_who_agrees_on_nothing_leaves_files_to_the_site(tls_place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("purveyor.console.doorway.resource.getrlimit", lambda _: (8, 8))
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with trusting.wrap_socket(socket.create_connection(tls_place)) as honest:
        honest.sendall(WHOLE)
        assert honest.recv(100).startswith(b"HTTP/1.1 200 ")
        with (
            socket.create_connection(tls_place),
            socket.create_connection(tls_place),
            socket.create_connection(tls_place) as third,
        ):
            assert said(third) == b"", "one too many is taken"
        honest.sendall(LAST)
        assert b"HTTP/1.1 200 " in said(honest), "who has agreed is kept"


@pytest.mark.parametrize("begun", [b"GET /", b"GET / HTTP/1.1\r\nX-A: ", b"GET / HTTP/1.1\r\nX"])
def test_a_head_without_end_is_cut_off(place: tuple[str, int], begun: bytes) -> None:
    with socket.create_connection(place) as large:
        large.sendall(begun)
        try:
            for _ in range(100):
                large.sendall(b"x" * HEAD_LIMIT_BYTES)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert said(large).startswith(b"HTTP/1.1 431 ")


def test_large_bodies_are_no_heads(place: tuple[str, int]) -> None:
    body = b"x" * 2 * HEAD_LIMIT_BYTES
    with socket.create_connection(place) as busy:
        for connection in (b"keep-alive", b"keep-alive", b"keep-alive", b"close"):
            head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n" % (connection, len(body))
            busy.sendall(head + body)
        assert said(busy).count(b"HTTP/1.1 200 ") == 4


def test_the_rest_of_a_body_that_was_answered_is_not_waited_for(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "rest_seconds", 0.2)
    with socket.create_connection(place) as slow:
        slow.sendall(HEAD + b"01")
        assert said(slow).startswith(b"HTTP/1.1 200 ")


def test_who_reads_nothing_of_an_answer_loses_it(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "reading_seconds", 0.2)
    SENT.clear()
    with socket.create_connection(place) as deaf:
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert SENT.wait(20), "the site still waits for it"
        assert len(said(deaf)) < len(LARGE)


def test_who_reads_slowly_but_steadily_keeps_the_connection(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    looked, look = threading.Event(), Connection._look

    def told(connection: Connection, before_bytes: int) -> None:
        look(connection, before_bytes)
        looked.set()

    monkeypatch.setattr(Connection, "reading_seconds", 1.0)
    monkeypatch.setattr(Connection, "_look", told)
    with socket.create_connection(place) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        came = 0
        for _ in range(2):
            looked.clear()
            came += len(slow.recv(2_000_000, socket.MSG_WAITALL))
            assert looked.wait(20)
        assert came + len(said(slow)) > len(LARGE)


def test_more_connections_than_the_site_can_have_are_not_taken(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("purveyor.console.connections.resource.getrlimit", lambda _: (4, 4))
    with socket.create_connection(place) as first, socket.create_connection(place) as second:
        for one in (first, second):
            one.sendall(WHOLE)
            assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        with socket.create_connection(place) as third:
            assert said(third) == b""


@pytest.mark.parametrize("place", [BodyPace(swallow, grace_seconds=0.2, slowest_bytes_per_second=10)], indirect=True)
def test_a_body_that_comes_too_slowly_is_not_waited_for(place: tuple[str, int]) -> None:
    with socket.create_connection(place) as slow:
        slow.sendall(HEAD + b"0")
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    with socket.create_connection(place) as quick:
        quick.sendall(WHOLE)
        assert quick.recv(100).startswith(b"HTTP/1.1 200 ")


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("place", [answer, swallow], indirect=True)
@pytest.mark.parametrize("begun", [b"1\r\nx\r\n0\r\n", b"1\r\nx\r\n0\r\nX: ", b"1;", b"1\r\nx"])
def test_what_is_neither_head_nor_body_has_an_end(place: tuple[str, int], begun: bytes) -> None:
    with socket.create_connection(place) as endless, suppress(ConnectionResetError, BrokenPipeError):
        endless.sendall(CHUNKED + begun)
        while True:
            endless.sendall(b"X: y\r\n" * 10_000)


def test_fields_behind_a_body_are_nobodys(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[bytes]] = []
    complete = Connection.on_message_complete

    def noted(connection: Connection) -> None:
        seen.append([name for name, _ in connection.headers])
        complete(connection)

    monkeypatch.setattr(Connection, "on_message_complete", noted)
    with socket.create_connection(place) as sender:
        sender.sendall(CHUNKED + b"0\r\nAuthorization: Bearer x\r\n\r\n" + LAST)
        assert said(sender).count(b"HTTP/1.1 200 ") == 2
    assert seen == [[b"host", b"transfer-encoding"], [b"connection", b"host", b"content-length"]]


def test_a_head_of_many_small_fields_is_refused(place: tuple[str, int]) -> None:
    with socket.create_connection(place) as many:
        many.sendall(b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (FIELD_LIMIT + 1) + b"\r\n")
        assert said(many).startswith(b"HTTP/1.1 431 ")


def test_requests_far_ahead_of_their_answers_end_the_connection_quietly(
    place: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(place) as hasty:
        hasty.sendall(WHOLE * (AHEAD_LIMIT + 2))
        assert b"HTTP/1.1 400 " in said(hasty)
    with socket.create_connection(place) as polite:
        polite.sendall(WHOLE * (AHEAD_LIMIT - 1) + LAST)
        assert said(polite).count(b"HTTP/1.1 200 ") == AHEAD_LIMIT
    assert caplog.text == ""
