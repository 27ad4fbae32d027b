"""What lies or happens on a client's machine."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from fuzz import seeds
from fuzz.parser import Parser, in_folder, of_text
from page_world import HandDesk
from purveyor.client import asking, sentinel
from purveyor.client.machine import sessions
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.system_commands import Answer
from purveyor.client.page import door, peers, remote
from purveyor.client.page.answers import Page
from purveyor.client.programs.ending.mif import status_mif
from purveyor.client.programs.ending.outcome import read_result
from purveyor.wire.errors import PurveyorError, UnavailableError


def logged_on(content: bytes) -> object:
    """Sessions, where utmp, a session's file and the directory's answers are all these bytes."""
    text = content.decode(errors="replace")

    def ask(words: Sequence[str]) -> Answer:
        return Answer(0, text)

    def read(folder: Path) -> object:
        found = sessions.sessions(folder, Directory(folder, ask=ask), ask=ask)
        for name in ("run/utmp", "run/systemd/sessions/2", "run/systemd/seats/seat0", "etc/nsswitch.conf"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            found += sessions.sessions(folder, Directory(folder, ask=ask), ask=ask)
        directory = Directory(folder, ask=ask)
        return found, directory.groups_of("alice"), directory.name_of(1000)

    return in_folder("unused", read)(content)


def asked_of_page(content: bytes) -> object:
    """A request to the agent's page with this body, as a form and as JSON, of a user who holds the token."""
    desk = HandDesk()
    page, visitor = Page(desk), peers.Visitor(1000, "alice")
    token = door.token_of(desk.secret, visitor.user_id)
    answers = []
    for path, kind in (("/api/wishes", door.JSON), ("/run", door.FORM), ("/postpone", door.FORM), ("/restart", door.FORM)):
        body = content if kind == door.JSON else b"token=" + token.encode() + b"&" + content
        request = door.Request("POST", path, {}, {"content-type": [kind], "x-purveyor-token": [token]}, body)
        try:
            answers.append(page.answer(request, visitor).status)
        except PurveyorError as error:
            answers.append(door.status_of(error))
    assert HTTPStatus.INTERNAL_SERVER_ERROR not in answers
    return answers


def answer_of_page(content: bytes) -> object:
    """What the page answers, as a user's command reads it."""
    return remote.read_answer(content, remote.Listed), remote.reason_in(content)


THEIRS, OURS = peers.End("127.0.0.1", 40_000), peers.End("127.0.0.1", 8475)
CONNECTIONS = (
    f"   1: {peers.table_end(THEIRS)} {peers.table_end(OURS)} 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n"
).encode()

ON_CLIENTS: Mapping[str, Parser] = {
    "status MIF": Parser(
        read=status_mif,
        seeds=[seeds.MIF, seeds.MIF.decode().encode("utf-16")],
        reads=("client/programs/ending/mif.py:status_mif",),
    ),
    "result file": Parser(
        read=read_result,
        seeds=[b'{"status":"failure","description":"it did not work"}'],
        is_json=True,
        errors=(),
        reads=("client/programs/ending/outcome.py:read_result",),
    ),
    "plan of the sentinel": Parser(
        read=in_folder(sentinel.PLAN, lambda folder: sentinel.read_plan(str(folder))),
        seeds=[seeds.PLAN],
        is_json=True,
        errors=(),
        reads=("client/sentinel.py:read_plan",),
        found=[seeds.PLAN.replace(b"8475", b"Infinity"), seeds.PLAN.replace(b"2.5", b"9" * 400), b"[" * 60_000],
    ),
    "number of a process": Parser(
        read=in_folder("watch.json", lambda folder: sentinel._pid_in(str(folder / "watch.json"))),
        seeds=[b'{"pid":12}'],
        is_json=True,
        errors=(),
        reads=("client/sentinel.py:_pid_in",),
        found=[b'{"pid":Infinity}', b"[" * 4000],
    ),
    "addresses to ask": Parser(
        read=of_text(
            lambda text: [asking.is_unchanged(url, "x") for url, _, _ in asking.polls_in(text) if not url.startswith("http")]
        ),
        seeds=[b'[{"url":"/a","tag":"x"},{"url":"file:///b","tag":"y"}]'],
        is_json=True,
        errors=(),
        reads=("client/asking.py:polls_in", "client/asking.py:is_unchanged"),
        found=[b"[" * 60_000],
    ),
    "sessions and accounts": Parser(
        read=logged_on,
        seeds=[seeds.UTMP, seeds.LOGIND, seeds.GETENT],
        errors=(UnavailableError,),
        reads=("client/machine/sessions.py:_utmp_sessions", "client/machine/directory.py:_entry_in"),
        found=["alice:x:²:²:Alice:/home/alice:/bin/sh\n".encode(), b"alice:x:" + b"1" * 5000 + b":1:::\n", "² ٣ 1".encode()],
    ),
    "table of connections": Parser(
        read=of_text(lambda text: peers.opener_in(text.splitlines(), THEIRS, OURS)),
        seeds=[CONNECTIONS],
        errors=(),
        reads=("client/page/peers.py:opener_in",),
    ),
    "request to the agent's page": Parser(
        read=asked_of_page,
        seeds=[
            b'{"type":"run","program":"S0100001/1","at":"2026-12-01T10:00:00Z"}',
            b'{"type":"postpone","program":"S0100002/3","seconds":60}',
            b"program=S0100001%2F1&at=2026-12-01T10%3A00",
            b"program=S0100002%2F3&for=3600",
        ],
        errors=(),
        reads=("client/page/answers.py:_wish_in", "client/page/door.py:fields_of"),
    ),
    "answer of the agent's page": Parser(
        read=answer_of_page,
        seeds=[seeds.SHOWN],
        is_json=True,
        errors=(UnavailableError,),
        reads=("client/page/remote.py:read_answer", "client/page/remote.py:reason_in"),
    ),
}
