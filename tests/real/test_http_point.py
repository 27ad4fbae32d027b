"""What a client's HTTP side makes of servers that are hostile, broken, slow or merely unusual; each speaks over a real socket."""

import contextlib
import itertools
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from purveyor.transport.http.point import HttpPoint, Patience
from purveyor.wire.errors import AbsentError, BusyError, PurveyorError, RejectedError, UnavailableError

PATH = "clidata.box/timestamp.json"
SHORT = Patience(connect_seconds=2, silence_seconds=0.3, grace_seconds=30, slowest_bytes_per_second=1024)


class Dripping(bytes):
    """An answer that is sent byte by byte, until nobody takes any more."""


class Late(bytes):
    """An answer that comes later than a point is silent for."""


class Scripted:
    """A server that gives each connection the next of some answers, whatever it is asked, then closes; it keeps the requests."""

    def __init__(self, *answers: bytes | tuple[bytes, ...], is_silent: bool = False) -> None:
        self._answers = answers
        self._is_silent = is_silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ended = threading.Event()
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/cap"
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for answers in self._answers:
                connection, _ = self._listener.accept()
                with connection:
                    for answer in answers if isinstance(answers, tuple) else (answers,):
                        self.requests.append(read_request(connection))
                        send(connection, answer, ends=self._ended)
                    if self._is_silent:
                        self._ended.wait(10)
                    elif self._answers[-1] is answers:
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass

    def end(self) -> None:
        """Stops listening."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def send(connection: socket.socket, answer: bytes, *, ends: threading.Event) -> None:
    """Sends an answer at once, or late; one that drips in so many packets, each when the one before can have arrived."""
    if isinstance(answer, Late):
        ends.wait(3 * SHORT.silence_seconds)
    if not isinstance(answer, Dripping):
        connection.sendall(answer)
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in answer:
        connection.sendall(bytes([byte]))
        if ends.wait(0.001):
            return


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Makes scripted servers that end with the test."""
    with contextlib.ExitStack() as stack:

        def make(*answers: bytes | tuple[bytes, ...], is_silent: bool = False) -> Scripted:
            server = Scripted(*answers, is_silent=is_silent)
            stack.callback(server.end)
            return server

        yield make


def read_request(connection: socket.socket) -> bytes:
    """A request's head, and its body as far as its length says."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


Servers = Callable[..., Scripted]


@contextlib.contextmanager
def point_at(url: str, **settings: object) -> Iterator[HttpPoint]:
    """A point that lets go of its connections."""
    point = HttpPoint(url, patience=SHORT, **settings)  # type: ignore[arg-type]
    try:
        yield point
    finally:
        point.close()


def test_a_redirect_to_another_host_is_not_followed(scripted: Servers) -> None:
    elsewhere = scripted(answer("200 OK", b"forged"))
    with point_at(scripted(answer("302 Found", Location=elsewhere.url)).url) as point, pytest.raises(UnavailableError):
        point.read(PATH, limit_bytes=100)
    assert elsewhere.requests == []


def test_no_compression_is_asked_for_and_none_is_accepted(scripted: Servers) -> None:
    server = scripted(answer("200 OK", b"\x1f\x8b", Content_Encoding="gzip"))
    with point_at(server.url) as point, pytest.raises(RejectedError):
        point.read(PATH, limit_bytes=100)
    assert b"Accept-Encoding: identity" in server.requests[0]


def test_an_answer_without_end_is_read_up_to_the_limit_only(scripted: Servers) -> None:
    endless = answer("200 OK", b"10000\r\n" + b"x" * 65536 + b"\r\n", Transfer_Encoding="chunked")
    with point_at(scripted(endless).url) as point, pytest.raises(RejectedError):
        point.read(PATH, limit_bytes=1000)


def test_an_answer_that_announces_too_much_is_not_read(scripted: Servers) -> None:
    with point_at(scripted(answer("200 OK", b"", Content_Length="99999999999999")).url) as point, pytest.raises(RejectedError):
        point.read(PATH, limit_bytes=1000)


def test_an_answer_cut_short_is_unavailable_not_short(scripted: Servers) -> None:
    with point_at(scripted(answer("200 OK", b"half", Content_Length="8")).url) as point, pytest.raises(UnavailableError):
        point.read(PATH, limit_bytes=1000)


def test_content_cut_short_is_unavailable_after_what_came(scripted: Servers) -> None:
    cut = answer("206 Partial Content", b"half", Content_Length="8", Content_Range="bytes 0-7/8")
    with point_at(scripted(cut).url) as point:
        pieces = point.read_from("files/ab/abcd", offset=0, limit_bytes=8)
        assert next(pieces) == b"half"
        with pytest.raises(UnavailableError):
            next(pieces)


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-3/8", "bytes 5-8/8", "", "items 4-7/8", "bytes */8", "bytes 99999999999999999999999-1/8"],
)
def test_a_part_that_was_not_asked_for_is_rejected(scripted: Servers, content_range: str) -> None:
    part = answer("206 Partial Content", b"xxxx", Content_Range=content_range)
    with point_at(scripted(part).url) as point, pytest.raises(RejectedError):
        list(point.read_from("files/ab/abcd", offset=4, limit_bytes=4))


def test_a_server_that_knows_no_ranges_still_gives_the_rest(scripted: Servers) -> None:
    with point_at(scripted(answer("200 OK", b"01234567")).url) as point:
        assert b"".join(point.read_from("files/ab/abcd", offset=4, limit_bytes=3)) == b"456"


def test_content_that_became_another_file_is_not_continued(scripted: Servers) -> None:
    first = answer("206 Partial Content", b"0123", Content_Range="bytes 0-3/8", ETag='"a"')
    second = answer("200 OK", b"76543210", ETag='"b"')
    server = scripted((first, second))
    with point_at(server.url) as point:
        assert b"".join(point.read_from("files/ab/abcd", offset=0, limit_bytes=4)) == b"0123"
        with pytest.raises(UnavailableError, match="another file"):
            list(point.read_from("files/ab/abcd", offset=4, limit_bytes=4))
    assert b'If-Range: "a"' in server.requests[1]


def test_a_server_that_says_nothing_is_given_up(scripted: Servers) -> None:
    with point_at(scripted(b"", is_silent=True).url) as point, pytest.raises(UnavailableError):
        point.read(PATH, limit_bytes=1000)


def test_a_server_that_only_drips_is_given_up(scripted: Servers) -> None:
    clock = itertools.count(0.0, 20.0)
    slow = answer("200 OK", b"x" * 30_000, Content_Length="100000")
    with (
        point_at(scripted(slow, is_silent=True).url, monotonic=lambda: next(clock)) as point,
        pytest.raises(UnavailableError, match="too slow"),
    ):
        point.read(PATH, limit_bytes=100_000)


def test_a_server_that_drips_the_head_of_its_answer_is_given_up(scripted: Servers) -> None:
    """Each byte comes in time, the head as a whole does not: the clock goes on by 5 seconds whenever more is waited for."""
    clock = itertools.count(0.0, 5.0)
    server = scripted(*[Dripping(b"HTTP/1.1 200 OK\r\nX-Endless: " + b"x" * 60_000)] * 2)
    with (
        point_at(server.url, monotonic=lambda: next(clock)) as point,
        pytest.raises(UnavailableError, match="only drips"),
    ):
        point.read(PATH, limit_bytes=1000)
    assert next(clock) <= 100, "it is not waited for byte after byte"


def test_lines_without_end_behind_a_body_are_not_read_to_their_end(scripted: Servers) -> None:
    server = scripted(answer("200 OK", b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 400_000, Transfer_Encoding="chunked"), is_silent=True)
    with point_at(server.url) as point, pytest.raises(UnavailableError, match="never comes to the point"):
        point.read(PATH, limit_bytes=1000)


def test_a_kept_connection_that_the_server_closed_is_replaced_by_a_new_one(scripted: Servers) -> None:
    server = scripted(answer("200 OK", b"one", ETag='"1"'), answer("304 Not Modified", ETag='"1"'))
    with point_at(server.url) as point:
        first = point.read(PATH, limit_bytes=10)
        assert first is not None
        assert point.read(PATH, limit_bytes=10, tag=first.tag) is None


def test_a_poll_uses_one_connection(scripted: Servers) -> None:
    server = scripted(
        (answer("304 Not Modified", ETag='"1"'), answer("304 Not Modified", ETag='"1"'), answer("404 Not Found", b"no"))
    )
    with point_at(server.url) as point:
        assert point.read(PATH, limit_bytes=10, tag='"1"') is None
        assert point.read("offerinf.box/lookup/1/0.lkp", limit_bytes=10, tag='"1"') is None
        with pytest.raises(AbsentError):
            point.read("clidata.box/root.json", limit_bytes=10)
    assert len(server.requests) == 3


def test_a_server_without_entity_tags_is_asked_by_date(scripted: Servers) -> None:
    changed = "Thu, 01 Jan 2026 00:00:00 GMT"
    server = scripted((answer("200 OK", b"one", Last_Modified=changed), answer("304 Not Modified")))
    with point_at(server.url) as point:
        first = point.read(PATH, limit_bytes=10)
        assert first is not None
        assert point.read(PATH, limit_bytes=10, tag=first.tag) is None
    assert f"If-Modified-Since: {changed}".encode() in server.requests[1]


@pytest.mark.parametrize(
    "status",
    ["304 Not Modified", "401 No", "403 No", "418 No", "429 No", "500 No", "502 No", "503 No", "204 No", "206 No"],
)
def test_an_answer_that_is_no_file_is_unavailable_and_never_absent(scripted: Servers, status: str) -> None:
    with point_at(scripted(answer(status)).url) as point, pytest.raises(UnavailableError) as caught:
        point.read(PATH, limit_bytes=10)
    assert not isinstance(caught.value, AbsentError)


@pytest.mark.parametrize("status", ["429 No", "503 No"])
def test_a_server_with_too_much_to_do_says_how_long_to_wait(scripted: Servers, status: str) -> None:
    with point_at(scripted((answer(status, Retry_After="7"),) * 2).url) as point:
        for ask in (lambda: point.read(PATH, limit_bytes=10), lambda: point.put(f"ddr.box/{'ab' * 16}", b"item")):
            with pytest.raises(BusyError) as caught:
                ask()
            assert caught.value.wait_seconds == 7


@pytest.mark.parametrize(
    "garbage",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000, b"\xff" * 1000],
)
def test_garbage_is_unavailable(scripted: Servers, garbage: bytes) -> None:
    with point_at(scripted(garbage, garbage).url) as point, pytest.raises(UnavailableError):
        point.read(PATH, limit_bytes=10)


@pytest.mark.parametrize("status", [200, 201, 204, 409, 412])
def test_an_item_that_is_taken_or_there_already_is_done(scripted: Servers, status: int) -> None:
    server = scripted(answer(f"{status} X"))
    path = f"ddr.box/{secrets.token_hex(16)}"
    with point_at(server.url) as point:
        point.put(path, b"sealed")
    assert server.requests[0].startswith(f"PUT /cap/{path} HTTP/1.1\r\n".encode())
    assert b"If-None-Match: *" in server.requests[0]
    assert server.requests[0].endswith(b"\r\n\r\nsealed")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, UnavailableError) for status in (302, 400, 401, 403, 404, 405, 408, 500, 501, 502, 507)),
        *((status, BusyError) for status in (429, 503)),
        *((status, RejectedError) for status in (413, 422)),
    ],
)
def test_an_item_is_given_up_only_where_it_will_never_be_taken(
    scripted: Servers, status: int, error: type[PurveyorError]
) -> None:
    with point_at(scripted(answer(f"{status} X", b"why")).url) as point, pytest.raises(error) as caught:
        point.put(f"ddr.box/{secrets.token_hex(16)}", b"sealed")
    assert type(caught.value) is error


def test_a_large_item_has_the_time_that_it_takes_on_a_slow_line(scripted: Servers) -> None:
    late = Late(answer("201 X"))
    with point_at(scripted(late, is_silent=True).url) as point:
        point.put(f"ddr.box/{secrets.token_hex(16)}", bytes(30_000))
    with point_at(scripted(late, is_silent=True).url) as point, pytest.raises(UnavailableError):
        point.put(f"ddr.box/{secrets.token_hex(16)}", b"small")


def test_a_name_that_nothing_answers_to_is_unavailable() -> None:
    with point_at("http://no-such-host.invalid/cap") as point, pytest.raises(UnavailableError):
        point.read(PATH, limit_bytes=10)
