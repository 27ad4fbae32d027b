"""The agent's page over real connections: who is answered, and who is not, whatever they send."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from page_world import EDITOR, RESTART, UPDATE, Browser, HandDesk, page_serving
from purveyor.client import sentinel
from purveyor.client.page import door
from purveyor.client.page.answers import Page
from purveyor.client.page.peers import End, Opener, RealPeers, Visitor
from purveyor.client.page.remote import PageDesk
from purveyor.client.page.server import Limits, PageServer, listener_at
from purveyor.client.page.waking import wake
from purveyor.client.page.wishes import Postpone, PostponeRestart, RestartNow, RunNow
from purveyor.wire.errors import RefusedError, UnavailableError

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\u202e\x00'
OTHER_USER = "daemon"
ASKING = """
import http.client, os, pwd, sys
from purveyor.client.page.remote import PageDesk
from purveyor.client.page.wishes import RunNow
"".encode("idna")  # loaded while whatever holds it can be read
user = pwd.getpwnam(sys.argv[2])
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
desk = PageDesk(sys.argv[1])
print(desk.look().user)
desk.ask(RunNow(program="S0100001/1"))
"""


class Claimed:
    """Peers as a test says: a row of users, one for each time that the system is asked."""

    def __init__(self, *openers: Opener | None, user: str = "alice") -> None:
        self.openers, self.user = list(openers), user

    def opener(self, theirs: End, ours: End) -> Opener | None:
        return self.openers.pop(0) if len(self.openers) > 1 else self.openers[0]

    def visitor(self, opener: Opener) -> Visitor:
        if opener.user_id == 4242:
            raise RefusedError("no account of this machine has the number 4242")
        return Visitor(opener.user_id, self.user)


ALICE = Opener(1000, "7")


@pytest.fixture
def desk() -> HandDesk:
    """What is shown, and what was asked for."""
    return HandDesk()


@pytest.fixture
def browser(desk: HandDesk) -> Iterator[Browser]:
    """The page, as it is served to a user of whom the system says that it is alice."""
    with page_serving(desk, Claimed(ALICE)) as found:
        yield found


# --- who asks ---


def test_the_system_itself_says_who_asks(desk: HandDesk) -> None:
    with page_serving(desk, RealPeers()) as browser:
        shown = browser.get("/api/programs").json["shown"]
        assert (shown["user"], shown["is_whole_machine"]) == (_own_name(), os.geteuid() == 0)


def test_another_user_is_known_as_that_user_and_asks_in_their_own_name(desk: HandDesk) -> None:
    assert os.geteuid() == 0, "another user can be tried by root alone"
    with page_serving(desk, RealPeers()) as browser:
        words = [sys.executable, "-c", ASKING, f"http://{browser.host}", OTHER_USER]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert (ended.stdout, ended.stderr) == (f"{OTHER_USER}\n", "")
    assert desk.asked == [(OTHER_USER, RunNow(program="S0100001/1"))]


def test_a_connection_of_version_6_that_leads_to_the_same_address_is_known_too(desk: HandDesk) -> None:
    with page_serving(desk, RealPeers()) as browser, socket.socket(socket.AF_INET6) as connection:
        connection.settimeout(20)
        connection.connect(("::ffff:127.0.0.1", browser.port))
        connection.sendall(f"GET /api/programs HTTP/1.1\r\nHost: {browser.host}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.0 200 ")


def test_who_closes_the_connection_before_it_is_looked_at_is_not_taken_for_root(desk: HandDesk) -> None:
    with page_serving(desk, RealPeers()) as browser:
        token = browser.get().token
        body = f"token={token}&program=S0100001%2F1"
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", browser.port)) as connection:
                connection.sendall(
                    f"POST /run HTTP/1.1\r\nHost: {browser.host}\r\nOrigin: http://{browser.host}\r\n"
                    f"Content-Type: {door.FORM}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
                )
        assert browser.get().status == 200
    assert {name for name, _ in desk.asked} <= {_own_name()}


@pytest.mark.parametrize(
    "openers",
    [(None,), (ALICE, None), (ALICE, Opener(0, "7")), (ALICE, Opener(1000, "8")), (Opener(4242, "7"),)],
    ids=["unknown", "gone meanwhile", "another user meanwhile", "another socket meanwhile", "no account"],
)
def test_of_whom_it_cannot_be_told_who_they_are_is_refused(desk: HandDesk, openers: tuple[Opener | None, ...]) -> None:
    with page_serving(desk, Claimed(*openers)) as browser:
        got = browser.get("/api/programs")
    assert got.status == 403
    assert "Editor" not in got.text


# --- the door ---


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"])
def test_a_foreign_name_is_not_answered(browser: Browser, host: str) -> None:
    got = browser.get(host=host.format(port=browser.port))
    assert got.status == 421
    assert "Editor" not in got.text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}],
)
def test_a_form_of_another_page_is_refused(browser: Browser, desk: HandDesk, headers: dict[str, str]) -> None:
    assert browser.send("/run", {"program": "S0100001/1"}, **headers).status == 403
    assert desk.asked == []


def test_a_form_without_an_origin_is_refused(browser: Browser, desk: HandDesk) -> None:
    body = f"token={browser.get().token}&program=S0100001%2F1".encode()
    assert browser.ask("POST", "/run", body, content_type=door.FORM).status == 403
    assert desk.asked == []


@pytest.mark.parametrize("token", ["", "0" * 64, door.token_of(b"a secret of this machine alone", 1001)])
def test_a_token_of_nobody_or_of_another_user_is_refused(browser: Browser, desk: HandDesk, token: str) -> None:
    assert browser.send("/run", {"program": "S0100001/1", "token": token}).status == 403
    headers = {"origin": f"http://{browser.host}", "content_type": door.JSON, "x_purveyor_token": token}
    assert browser.ask("POST", "/api/wishes", b'{"type":"run","program":"S0100001/1"}', **headers).status == 403
    assert desk.asked == []


@pytest.mark.parametrize("path", ["/", "/schedule", "/history", "/api/programs", "/style.css", "/nothing"])
def test_every_answer_forbids_scripts_frames_and_keeping(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and headers["x-frame-options"] == "DENY"
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % number for number in range(200)) + b"\r\n", b"431"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n", b"400"),
        (b"GET //evil.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n", b"404"),
        (b"POST /run HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999\r\n\r\n", b"413"),
        (b"POST /run HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /run HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"400"),
        (b"POST /run HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"DELETE / HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\n\r\n", b"405"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)
def test_what_is_too_long_or_makes_no_sense_is_refused(browser: Browser, content: bytes, status: bytes) -> None:
    answer = browser.raw(content.replace(b"HOST", browser.host.encode()))
    first = answer.partition(b"\r\n")[0]
    assert status in first or (answer.startswith(b"{") and status == b"400"), answer[:200]
    assert browser.get().status == 200


def test_who_says_nothing_is_left(desk: HandDesk) -> None:
    with page_serving(desk, Claimed(ALICE), Limits(read_seconds=0.2)) as browser:
        assert browser.raw(b"GET / HTTP/1.1\r\nHos") == b""
        assert browser.get().status == 200


def test_who_speaks_too_slowly_is_left(desk: HandDesk) -> None:
    with page_serving(desk, Claimed(ALICE), Limits(request_seconds=0.5)) as browser:
        with socket.create_connection(("127.0.0.1", browser.port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            assert connection.recv(100) == b""
        assert browser.get().status == 200


def test_one_user_does_not_take_all_places(desk: HandDesk) -> None:
    with page_serving(desk, Claimed(ALICE), Limits(connections_each=2)) as browser:
        waiting = [socket.create_connection(("127.0.0.1", browser.port)) for _ in range(2)]
        for connection in waiting:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        statuses = {browser.get().status for _ in range(20)}
        for connection in waiting:
            connection.close()
    assert 429 in statuses


def test_it_ends_when_nobody_comes_and_not_before_whoever_came_is_answered(desk: HandDesk) -> None:
    with PageServer(listener_at(0), Page(desk), peers=Claimed(ALICE)) as server:
        got: list[int] = []
        visit = threading.Thread(target=lambda: got.append(Browser(server.port).get().status))
        visit.start()
        server.serve_until_idle(0.5)
        assert server.is_idle
    visit.join(20)
    assert got == [200]


def test_a_sentinel_that_is_gone_is_not_woken_whoever_has_its_number_now(tmp_path: Path) -> None:
    assert not wake(tmp_path)
    (tmp_path / sentinel.LOCK).write_text(str(os.getpid()))
    assert not wake(tmp_path), "the signal would have ended this very test"


# --- what it shows ---


class Parsed(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("path", ["/", "/schedule", "/history"])
def test_whatever_a_site_names_its_programs_no_markup_comes_of_it(path: str) -> None:
    texts = dict.fromkeys(("name", "description", "package_name", "version", "publisher", "why"), HOSTILE)
    run = msgspec.structs.replace(EDITOR.last_run, name=HOSTILE, package_name=HOSTILE)
    programs = tuple(msgspec.structs.replace(one, **texts) for one in (EDITOR, UPDATE))
    restart = msgspec.structs.replace(RESTART, name=HOSTILE)
    with page_serving(HandDesk(programs, (run,), restart), Claimed(ALICE, user=HOSTILE)) as browser:
        page = Parsed(browser.get(path).text)
    assert not page.names & {"script", "img"}
    assert not any(name.startswith("on") for name in page.attributes)
    assert "<script>alert(1)</script>" in page.text


def test_the_list_says_what_is_offered_when_it_runs_and_what_can_be_done(browser: Browser) -> None:
    text = Parsed(browser.get().text).text
    for words in (
        "Editor",
        "Writes texts.",
        "Example",
        "Succeeded",
        "Tuesday 1 Dec 2026, 09:00+01:00",
        "Run now",
        "Tuesday 1 Dec 2026, 11:00+01:00",
    ):
        assert words in text
    assert "Put off" in text and "in 1 hour" in text


def test_a_page_with_nothing_says_so() -> None:
    with page_serving(HandDesk((), ()), Claimed(ALICE)) as browser:
        assert "Nothing is offered to you" in browser.get().text
        assert "Nothing is planned" in browser.get("/schedule").text
        assert "Nothing has been run" in browser.get("/history").text


# --- what it takes ---


def test_forms_ask_for_a_run_a_time_and_a_postponement(browser: Browser, desk: HandDesk) -> None:
    done = browser.send("/run", {"program": "S0100001/1"})
    assert (done.status, done.headers["location"]) == (303, "/?said=run")
    browser.send("/run", {"program": "S0100001/1", "at": "2026-12-02T08:30"})
    browser.send("/postpone", {"program": "S0100002/3", "for": "3600"})
    browser.send("/postpone", {"program": "S0100002/3", "for": "limit"})
    planned, put_off = desk.asked[1][1], desk.asked[3][1]
    assert isinstance(planned, RunNow) and planned.at is not None and planned.at.isoformat() == "2026-12-02T07:30:00+00:00"
    assert desk.asked[2][1] == Postpone(program="S0100002/3", seconds=3600)
    assert isinstance(put_off, Postpone) and put_off.until == UPDATE.may_postpone_until


def test_a_restart_is_asked_for_and_put_off(desk: HandDesk, browser: Browser) -> None:
    desk.restart = RESTART
    assert "This machine restarts in 1 hour, at 11:00+01:00" in browser.get().text
    browser.send("/restart", {})
    browser.send("/postpone-restart", {})
    assert [wish for _, wish in desk.asked] == [RestartNow(), PostponeRestart()]


@pytest.mark.parametrize(
    ("path", "fields", "status", "reason"),
    [
        ("/run", {"program": "S0100002/3"}, 409, "cannot be started"),
        ("/run", {"program": "S0100009/1"}, 409, "is not offered to alice"),
        ("/run", {"program": "<script>"}, 409, "names no program"),
        ("/run", {"program": "S0100001/1", "at": "yesterday"}, 409, "no day and time"),
        ("/postpone", {"program": "S0100002/3", "for": "9999999"}, 409, "at most"),
        ("/postpone", {"program": "S0100002/3", "for": "-1"}, 409, "Say for how long"),
        ("/postpone", {"program": "S0100001/1", "for": "limit"}, 409, "only when a user starts it"),
        ("/restart", {}, 409, "No restart is pending"),
        ("/nothing", {}, 404, "no such page"),
    ],
)
def test_what_may_not_be_is_said_on_a_page_of_its_own(
    browser: Browser, desk: HandDesk, path: str, fields: dict[str, str], status: int, reason: str
) -> None:
    got = browser.send(path, fields)
    assert (got.status, reason in Parsed(got.text).text) == (status, True), got.text
    assert desk.asked == []


def test_what_was_done_is_said_by_name_and_no_word_of_the_address_is_shown(browser: Browser) -> None:
    assert "It is put off." in browser.get("/?said=postponed").text
    assert "evil" not in browser.get("/?said=evil").text


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type":"format"}', b"[" * 5000, b'{"type":"run","program":1}', b"\xff"])
def test_json_that_asks_for_nothing_known_is_refused(browser: Browser, desk: HandDesk, body: bytes) -> None:
    token = browser.get("/api/programs").json["token"]
    headers = {"origin": f"http://{browser.host}", "content_type": door.JSON, "x_purveyor_token": token}
    got = browser.ask("POST", "/api/wishes", body, **headers)
    assert (got.status, bool(json.loads(got.body)["error"])) == (400, True)
    assert desk.asked == []


def test_commands_see_and_ask_through_the_page_what_a_browser_does(browser: Browser, desk: HandDesk) -> None:
    remote = PageDesk(f"http://localhost:{browser.port}/")
    assert [one.name for one in remote.look().programs] == ["Editor", "Update"]
    assert remote.ask(Postpone(program="S0100002/3", seconds=60)).startswith("Update is put off until")
    with pytest.raises(RefusedError, match="is not offered to alice"):
        remote.ask(RunNow(program="S0100009/1"))
    assert len(desk.asked) == 1


def test_commands_say_when_no_page_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError, match="does not answer"):
        PageDesk(f"http://127.0.0.1:{port}").look()


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://evil.example:1", "http://127.0.0.1:1/x", "nonsense", ""])
def test_commands_speak_to_this_machine_alone(url: str) -> None:
    with pytest.raises(RefusedError, match="no address of an agent's page"):
        PageDesk(url)


def _own_name() -> str:
    opener = Opener(os.geteuid(), "1")
    return RealPeers().visitor(opener).name
