"""The agent's page over HTTP: a listening socket on the loopback address, a few threads, nothing beyond the standard library.

Holds no state between two requests. Whoever asks is known by the socket that asks (`peers`), whatever the request says; and
twice: a connection that is not the same before and after its request was read is not answered.
"""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from purveyor.client.page import door
from purveyor.client.page.answers import Answer, Page, refusal
from purveyor.client.page.door import DoorError, Request
from purveyor.client.page.peers import End, Opener, Peers, Visitor
from purveyor.wire.errors import PurveyorError, UnavailableError

IDLE_SECONDS = 60.0
READ_SECONDS = 10.0
"""How long the other side may be silent."""
REQUEST_SECONDS = 30.0
"""How long one request may take altogether."""
CONNECTIONS = 32
CONNECTIONS_EACH = 8
"""Requests at once: of all users, and of one of them."""
LINE_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long is waited, and for how many. Units: seconds, as the names say."""

    read_seconds: float = READ_SECONDS
    request_seconds: float = REQUEST_SECONDS
    connections: int = CONNECTIONS
    connections_each: int = CONNECTIONS_EACH


class PageServer(ThreadingHTTPServer):
    """The page on a listening socket that is there already."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, listener: socket.socket, page: Page, *, peers: Peers, limits: Limits | None = None) -> None:
        address = listener.getsockname()
        super().__init__((address[0], address[1]), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = (address[0], address[1])
        self.page, self.peers, self.limits = page, peers, limits or Limits()
        self.is_idle = False
        self._open: Counter[int] = Counter()
        self._threads_open = 0
        self._lock = threading.Lock()

    @property
    def end(self) -> End:
        """Our own end of every connection."""
        return End(door.HOST, self.port)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{door.HOST}:{self.port}/"

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - as the library calls it
        """Whether there is room for one more connection; without, it is closed at once."""
        with self._lock:
            is_full = self._threads_open >= 2 * self.limits.connections
            self._threads_open += not is_full
        return not is_full

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Answers one connection, in a thread of its own."""
        try:
            super().finish_request(request, client_address)
        finally:
            with self._lock:
                self._threads_open -= 1

    def handle_timeout(self) -> None:
        """Notes that nobody came."""
        self.is_idle = True

    def serve_until_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Answers until nobody has connected for so long."""
        self.timeout = seconds
        while not self.is_idle:
            self.handle_request()

    @contextmanager
    def place(self, user_id: int) -> Iterator[None]:
        """A place for one request of a user. Errors: DoorError when all are taken."""
        with self._lock:
            if self._open.total() >= self.limits.connections or self._open[user_id] >= self.limits.connections_each:
                raise DoorError(HTTPStatus.TOO_MANY_REQUESTS, "too many requests at once; try again in a moment")
            self._open[user_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[user_id] -= 1


def listener_at(port: int) -> socket.socket:
    """A listening socket on the loopback address; port 0 takes a free one. Errors: UnavailableError."""
    try:
        return socket.create_server((door.HOST, port), backlog=CONNECTIONS)
    except OSError as error:
        raise UnavailableError(f"{door.HOST}:{port} cannot be listened on: {error.strerror or error}") from error


class _Connection(BaseHTTPRequestHandler):
    """One connection, which carries one request."""

    server: PageServer
    server_version, sys_version = "Purveyor", ""
    requestline, request_version, command = "", "HTTP/1.0", ""

    def setup(self) -> None:
        """Limits how long the other side may take."""
        self.request.settimeout(self.server.limits.read_seconds)
        super().setup()

    def handle(self) -> None:
        """Answers one request. What the connection itself does not carry is nobody's fault and is not told."""
        deadline = threading.Timer(self.server.limits.request_seconds, self._cut_off)
        deadline.daemon = True
        deadline.start()
        try:
            self._converse()
        except (OSError, ValueError):
            self.close_connection = True
        finally:
            deadline.cancel()

    def log_message(self, format: str, *words: Any) -> None:  # noqa: A002 - as the library calls it
        """Keeps no record of who looked at what."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - as the library calls it
        """Answers what the library could not read."""
        error = DoorError(HTTPStatus(code), message or HTTPStatus(code).phrase)
        self._send(refusal(error, None, is_for_program=True))

    def _converse(self) -> None:
        request: Request | None = None
        try:
            opener = self._opener()
            with self.server.place(opener.user_id):
                request = self._request()
                if request is None:
                    return
                door.check_origin(request, self.server.port)
                if self._opener() != opener:
                    raise DoorError(HTTPStatus.FORBIDDEN, "the connection is not the one that it was")
                answer = self.server.page.answer(request, self._visitor(opener))
        except PurveyorError as error:
            answer = refusal(error, request)
        self._send(answer, is_head=request is not None and request.method == "HEAD")

    def _opener(self) -> Opener:
        theirs = End(self.client_address[0], self.client_address[1])
        found = self.server.peers.opener(theirs, self.server.end)
        if found is None:
            raise DoorError(HTTPStatus.FORBIDDEN, "it cannot be told which user of this machine asks")
        return found

    def _visitor(self, opener: Opener) -> Visitor:
        try:
            return self.server.peers.visitor(opener)
        except PurveyorError as error:
            raise DoorError(HTTPStatus.FORBIDDEN, str(error)) from error

    def _request(self) -> Request | None:
        """The request, read within its limits; None when the library has answered what it could not read."""
        self.raw_requestline = self.rfile.readline(LINE_LIMIT + 1)
        if len(self.raw_requestline) > LINE_LIMIT:
            raise DoorError(HTTPStatus.REQUEST_URI_TOO_LONG, "the address is too long")
        if not self.raw_requestline or not self.parse_request():
            return None
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        parts = urlsplit(self.path)
        if len(self.path) > door.TARGET_LIMIT or not self.path.startswith("/") or parts.netloc:
            raise DoorError(HTTPStatus.BAD_REQUEST, "this is no address of this page")
        query = dict(parse_qsl(parts.query, max_num_fields=door.FIELD_LIMIT))
        request = Request(self.command, parts.path, query, headers)
        return Request(self.command, parts.path, query, headers, self._body(request))

    def _body(self, request: Request) -> bytes:
        if request.header("transfer-encoding"):
            raise DoorError(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
        length = request.header("content-length") or "0"
        if not length.isascii() or not length.isdigit():
            raise DoorError(HTTPStatus.BAD_REQUEST, "the length of the body is no number")
        if len(length) > 9 or int(length) > door.BODY_LIMIT_BYTES:
            raise DoorError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise DoorError(HTTPStatus.BAD_REQUEST, "the body ended too early")
        return body

    def _send(self, answer: Answer, *, is_head: bool = False) -> None:
        self.close_connection = True
        self.send_response_only(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), "Connection": "close"}
        for name, value in {**door.HEADERS, **headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not is_head:
            self.wfile.write(answer.body)

    def _cut_off(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
