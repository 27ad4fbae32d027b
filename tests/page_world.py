"""The agent's page over a real socket, in front of a desk that a test lays out by hand; and a visitor with any headers."""

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from purveyor.client.page import door
from purveyor.client.page.answers import Page
from purveyor.client.page.peers import Peers, Visitor
from purveyor.client.page.server import Limits, PageServer, listener_at
from purveyor.client.page.shown import Shown, ShownProgram, ShownRestart, ShownRun
from purveyor.client.page.wishes import Wish, ask_of, sentence
from purveyor.wire.jobs import JobState

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
RUN = ShownRun(
    id="S0100001/1",
    name="Editor",
    package_name="Fine Editor",
    state=JobState.SUCCEEDED,
    started_at=NOW - 2 * HOUR,
    ended_at=NOW - HOUR,
    exit_code=0,
)
EDITOR = ShownProgram(
    id="S0100001/1",
    name="Editor",
    description="Writes texts.",
    package="S0100001",
    package_name="Fine Editor",
    version="2.1",
    publisher="Example",
    advertisement=None,
    is_mandatory=False,
    state=None,
    due_at=None,
    next_at=(),
    postponed_until=None,
    why="",
    last_run=RUN,
    may_run_now=True,
    may_postpone_until=None,
)
UPDATE = msgspec.structs.replace(
    EDITOR,
    id="S0100002/3",
    package="S0100002",
    name="Update",
    description="",
    is_mandatory=True,
    state=JobState.WAITING,
    due_at=NOW + HOUR,
    next_at=(NOW + HOUR, NOW + 25 * HOUR),
    last_run=None,
    may_run_now=False,
    may_postpone_until=NOW + 5 * HOUR,
)
RESTART = ShownRestart(
    name="Update",
    at=NOW + HOUR,
    is_by_agent=True,
    postponements_left=2,
    postpone_seconds=7200,
    may_restart_now=True,
    may_postpone=True,
)


@dataclass
class HandDesk:
    """A desk that shows everybody the same, and remembers who asked for what."""

    programs: tuple[ShownProgram, ...] = (EDITOR, UPDATE)
    runs: tuple[ShownRun, ...] = (RUN,)
    restart: ShownRestart | None = None
    asked: list[tuple[str, Wish]] = field(default_factory=list)
    secret: bytes = b"a secret of this machine alone"

    def key(self) -> bytes:
        return self.secret

    def zone(self) -> tzinfo:
        return BERLIN

    def look(self, visitor: Visitor) -> Shown:
        return Shown(
            machine="pc1",
            site="S01",
            user=visitor.name,
            is_whole_machine=visitor.is_administrator,
            at=NOW,
            zone="Europe/Berlin",
            programs=self.programs,
            runs=self.runs,
            restart=self.restart,
            polled_at=NOW - HOUR,
        )

    def ask(self, visitor: Visitor, wish: Wish) -> str:
        shown = self.look(visitor)
        ask = ask_of(wish, shown, BERLIN)
        self.asked.append((visitor.name, wish))
        return sentence(wish, ask, shown, BERLIN)


@dataclass(frozen=True)
class Got:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON of any shape
        return json.loads(self.body)

    @property
    def token(self) -> str:
        """The token in the first form of a page."""
        found = re.search(r'name="token" value="([0-9a-f]{64})"', self.text)
        assert found is not None, self.text
        return found[1]


@dataclass(frozen=True)
class Browser:
    """Whoever asks a page, with the headers that a browser sends unless others are given."""

    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def get(self, path: str = "/", **headers: str) -> Got:
        return self.ask("GET", path, **headers)

    def send(self, path: str, fields: dict[str, str], **headers: str) -> Got:
        """Sends a form of the page, with its token unless another is among the fields."""
        sent = {"token": self.get().token, **fields}
        given = {"origin": f"http://{self.host}", "content_type": door.FORM, **headers}
        return self.ask("POST", path, urlencode(sent).encode(), **given)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in {"host": self.host, **headers}.items()}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        if body and "content-length" not in given and "transfer-encoding" not in given:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        got = Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        connection.close()
        return got

    def raw(self, content: bytes) -> bytes:
        """What comes back for bytes that need not be a request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(content)
            pieces = []
            while piece := connection.recv(65_536):
                pieces.append(piece)
        return b"".join(pieces)


@contextmanager
def page_serving(desk: HandDesk, peers: Peers, limits: Limits | None = None) -> Iterator[Browser]:
    """Serves the page of a desk on a free port."""
    with PageServer(listener_at(0), Page(desk), peers=peers, limits=limits) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Browser(server.port)
        finally:
            server.shutdown()
            thread.join(20)
