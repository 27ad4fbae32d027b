"""The sentinel as a process: it waits, asks no more often than it is told, starts a worker when there is something to do."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from purveyor.client import asking, sentinel
from purveyor.client.asking import is_unchanged
from purveyor.client.asking import main as ask
from purveyor.client.machine.disk import RealDisk
from purveyor.client.sentinel import Plan, Poll, read_plan
from purveyor.client.waiting import command, write_plan
from purveyor.transport.open_point import point_for

WORKER = """
import json, os, sys, time
folder, seconds, code = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
with open(folder + "/passes", "a") as file:
    file.write(f"{time.monotonic()}\\n")
plan = json.loads(open(folder + "/plan-to-write").read())
now = time.time()
plan["next_poll_at"] += now
if plan["next_due_at"] is not None:
    plan["next_due_at"] += now
open(folder + "/next.json.new", "w").write(json.dumps(plan))
os.rename(folder + "/next.json.new", folder + "/next.json")
time.sleep(seconds)
sys.exit(code)
"""


PAGE = """
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[2]))
open(sys.argv[1] + "/pages", "a").write(f"{os.getpid()}\\n")
listener.settimeout(0.5)
while True:
    try:
        there, _ = listener.accept()
    except TimeoutError:
        break
    said = there.recv(100)
    if said == b"crash":
        os._exit(1)
    there.sendall(b"hello " + said)
    there.close()
"""


class Waiting:
    """A sentinel over a worker that only writes down that it was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "worker.py").write_text(WORKER)
        self.plan()

    def plan(
        self, *polls: Poll, poll_in: float = 3600, due_in: float | None = None, interval: float = 3600, **more: object
    ) -> None:
        """What each pass will leave as its plan, with times from then."""
        content = {
            **more,
            "polls": [{"url": poll.url, "tag": poll.tag} for poll in polls],
            "next_poll_at": poll_in,
            "next_due_at": due_in,
            "interval_seconds": interval,
        }
        (self.folder / "plan-to-write").write_text(json.dumps(content))

    def start(self, *, seconds: float = 0, code: int = 0, page: str = "") -> None:
        worker = [sys.executable, "-I", "-S", str(self.folder / "worker.py"), str(self.folder), str(seconds), str(code)]
        (self.folder / "page.py").write_text(page)
        pages = [sys.executable, "-I", "-S", str(self.folder / "page.py"), str(self.folder)] if page else []
        words = command(sys.executable, str(self.folder), worker, pages)
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE)

    @property
    def passes(self) -> list[float]:
        path = self.folder / "passes"
        return [float(line) for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, is_so: Callable[[], bool], *, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not come to pass in time"
            time.sleep(0.02)

    def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        made.end()


class Served:
    """A file over HTTP that says when it is unchanged, and counts who asks."""

    def __init__(self) -> None:
        self.tag = '"1"'
        self.status = 200
        self.asked: list[tuple[str, str | None]] = []
        served = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tag = self.headers.get("If-None-Match")
                served.asked.append((self.path, tag))
                status = 304 if tag == served.tag and served.status == 200 else served.status
                self.send_response(status)
                self.send_header("ETag", served.tag)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cap/timestamp.json"
        threading.Thread(target=self.server.serve_forever, daemon=True, args=(0.05,)).start()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_without_a_plan_a_pass_is_made_at_once_and_then_none(waiting: Waiting) -> None:
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 1)
    waiting.until((waiting.folder / "next.json").exists)
    assert waiting.end() == 0
    assert len(waiting.passes) == 1


def test_what_is_unchanged_is_asked_for_at_each_interval_and_starts_nothing(waiting: Waiting, served: Served) -> None:
    waiting.plan(Poll(served.url, '"1"'), poll_in=0.2, interval=1)
    waiting.start()
    waiting.until(lambda: len(served.asked) >= 3)
    assert len(waiting.passes) == 1
    served.tag = '"2"'
    waiting.until(lambda: len(waiting.passes) == 2)
    assert {path for path, _ in served.asked} == {"/cap/timestamp.json"}


def test_nothing_is_asked_more_often_than_the_interval_says(waiting: Waiting, served: Served) -> None:
    waiting.plan(Poll(served.url, '"1"'), poll_in=0.1, interval=2)
    waiting.start()
    waiting.until(lambda: len(served.asked) == 1)
    began = time.monotonic()
    waiting.until(lambda: len(served.asked) == 3)
    assert time.monotonic() - began > 3.5


def test_a_poll_of_which_nothing_can_be_told_starts_a_pass(waiting: Waiting, served: Served) -> None:
    waiting.plan(Poll(served.url, '"1"'), poll_in=0.2, interval=1)
    served.status = 500
    waiting.start()
    waiting.until(lambda: len(waiting.passes) >= 2)


def test_a_job_that_is_due_starts_a_pass(waiting: Waiting) -> None:
    waiting.plan(due_in=1)
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 2)
    first, second = waiting.passes
    assert second - first >= 0.9


def test_a_clock_that_is_set_back_while_something_is_due_soon_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, steady = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: clock)
    monkeypatch.setattr(time, "monotonic", lambda: steady)
    write_plan(RealDisk(tmp_path), Plan(next_poll_at=clock + 3600, next_due_at=clock + 900, interval_seconds=3600))
    waiting = sentinel.Sentinel(str(tmp_path), [], sentinel.Door([]))
    waiting.begin()
    clock -= 365 * 86_400
    steady += 899
    assert waiting.reason() == ""
    steady += 1
    assert waiting.reason() == "due"


def test_a_run_that_ended_starts_one_pass(waiting: Waiting) -> None:
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 1)
    run = waiting.folder / "runs" / "r1"
    run.mkdir(parents=True)
    (run / "watch.json").write_text(json.dumps({"pid": os.getpid()}))
    assert waiting.process is not None
    waiting.process.send_signal(signal.SIGHUP)
    waiting.until(lambda: len(waiting.passes) == 2)
    (run / "report.json").write_text("{}")
    waiting.until(lambda: len(waiting.passes) == 3)
    assert waiting.end() == 0
    assert len(waiting.passes) == 3


def test_a_watcher_that_is_gone_starts_a_pass(waiting: Waiting) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    run = waiting.folder / "runs" / "r1"
    run.mkdir(parents=True)
    (run / "watch.json").write_text(json.dumps({"pid": gone.pid}))
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 2)


def test_a_worker_that_fails_is_started_again_later_and_later(waiting: Waiting) -> None:
    waiting.plan(due_in=0)
    waiting.start(code=1)
    waiting.until(lambda: len(waiting.passes) == 2)
    first, second = waiting.passes
    assert second - first >= sentinel.FIRST_BACKOFF_SECONDS


def test_a_worker_that_is_not_there_does_not_end_the_sentinel(tmp_path: Path) -> None:
    words = command(sys.executable, str(tmp_path), ["/no/such/worker"])
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"/no/such/worker" in process.stderr.readline()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    process.stderr.close()


def test_a_second_sentinel_in_one_folder_is_refused_clearly(waiting: Waiting) -> None:
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 1)
    second = subprocess.run(
        command(sys.executable, str(waiting.folder), ["true"]), capture_output=True, text=True, timeout=20, check=False
    )
    assert second.returncode == 1
    assert "an agent runs already" in second.stderr


def test_its_lock_goes_with_it_however_it_ends(waiting: Waiting) -> None:
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 1)
    assert waiting.process is not None
    waiting.process.kill()
    waiting.process.wait()
    assert waiting.process.stderr is not None
    waiting.process.stderr.close()
    waiting.start()
    waiting.until(lambda: (waiting.folder / sentinel.LOCK).read_text() == str(waiting.process.pid if waiting.process else 0))


def test_it_ends_in_the_middle_of_a_pass_too(waiting: Waiting) -> None:
    waiting.start(seconds=60)
    waiting.until(lambda: len(waiting.passes) == 1)
    began = time.monotonic()
    assert waiting.end() == 0
    assert time.monotonic() - began < 5


def test_an_idle_sentinel_is_small_and_uses_no_time(waiting: Waiting, served: Served) -> None:
    waiting.plan(Poll(served.url, '"1"'), poll_in=0.1, interval=600)
    waiting.start()
    waiting.until(lambda: len(served.asked) == 1)
    assert waiting.process is not None
    status = Path(f"/proc/{waiting.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 16 * 1024, f"{resident} kB"


def test_it_imports_nothing_of_purveyor() -> None:
    for module in (sentinel, asking):
        code = (
            f"import runpy,sys; runpy.run_path({module.__file__!r}); print([m for m in sys.modules if m.startswith('purveyor')])"
        )
        shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == "[]"


# --- the page ---


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def asked(port: int, words: bytes, *, seconds: float = 10) -> bytes:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=seconds) as there:
                there.sendall(words)
                return there.recv(100)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def pages_of(waiting: Waiting) -> list[str]:
    path = waiting.folder / "pages"
    return path.read_text().split() if path.exists() else []


def test_who_comes_to_the_page_is_answered_by_a_process_that_ends_when_nobody_comes(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port)
    waiting.start(page=PAGE)
    assert asked(port, b"one") == b"hello one"
    assert asked(port, b"two") == b"hello two"
    [first] = pages_of(waiting)
    waiting.until(lambda: not Path(f"/proc/{first}").exists())
    assert asked(port, b"three") == b"hello three"
    assert len(pages_of(waiting)) == 2
    assert len(waiting.passes) == 1


def test_nobody_at_the_page_costs_no_time(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port)
    waiting.start(page=PAGE)
    assert asked(port, b"one") == b"hello one"
    waiting.until(lambda: not Path(f"/proc/{pages_of(waiting)[0]}").exists())
    assert waiting.process is not None
    switches = Path(f"/proc/{waiting.process.pid}/status").read_text().split("voluntary_ctxt_switches:")[1].split()[0]
    time.sleep(1)
    assert switches == Path(f"/proc/{waiting.process.pid}/status").read_text().split("voluntary_ctxt_switches:")[1].split()[0]


def test_a_page_is_answered_while_a_pass_goes_on(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port, due_in=1)
    waiting.start(seconds=0, page=PAGE)
    assert asked(port, b"one") == b"hello one"
    worker = waiting.folder / "worker.py"
    worker.write_text(worker.read_text().replace("time.sleep(seconds)", "time.sleep(60)"))
    waiting.until(lambda: len(waiting.passes) == 2)
    waiting.until(lambda: not Path(f"/proc/{pages_of(waiting)[0]}").exists())
    assert asked(port, b"two") == b"hello two"


def test_a_page_that_fails_is_left_alone_for_a_while(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port)
    waiting.start(page=PAGE)
    assert asked(port, b"crash") == b""
    with socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.5)
    assert len(pages_of(waiting)) == 1
    assert waiting.process is not None
    assert waiting.process.poll() is None


def test_a_port_that_is_taken_is_said_once_and_everything_else_goes_on(waiting: Waiting) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        waiting.plan(page_port=port, due_in=0.3)
        waiting.start(page=PAGE)
        waiting.until(lambda: len(waiting.passes) >= 3)
    assert waiting.process is not None
    assert waiting.process.stderr is not None
    waiting.process.send_signal(signal.SIGTERM)
    said = waiting.process.stderr.read().decode()
    assert said.count(str(port)) == 1
    assert waiting.end() == 0


def test_the_page_goes_with_the_sentinel(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port)
    waiting.start(page=PAGE.replace("0.5", "60"))
    assert asked(port, b"one") == b"hello one"
    assert waiting.end() == 0
    assert not Path(f"/proc/{pages_of(waiting)[0]}").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_only_this_machine_reaches_the_page(waiting: Waiting) -> None:
    port = free_port()
    waiting.plan(page_port=port)
    waiting.start(page=PAGE)
    assert asked(port, b"one") == b"hello one"
    listening = [
        line.split() for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} 00000000:0000 0A" in line
    ]
    assert [words[1] for words in listening] == [f"0100007F:{port:04X}"]


# --- people, and starts of the machine ---


@pytest.fixture
def heeding(monkeypatch: pytest.MonkeyPatch, waiting: Waiting) -> Waiting:
    """A sentinel that heeds changes at once, so that a test need not wait."""
    copy = waiting.folder / "sentinel.py"
    copy.write_text(Path(sentinel.__file__).read_text().replace("HEED_SECONDS = 15.0", "HEED_SECONDS = 0.5"))
    monkeypatch.setattr(sentinel, "__file__", str(copy))
    return waiting


def test_somebody_who_logs_on_or_off_starts_a_pass(heeding: Waiting) -> None:
    folder = heeding.folder / "sessions"
    folder.mkdir()
    heeding.plan(watches=[{"url": str(folder), "tag": sentinel.tag_of(str(folder))}])
    heeding.start()
    heeding.until(lambda: len(heeding.passes) == 1)
    (folder / ".1.new").write_text("USER=alice")
    (folder / ".1.new").rename(folder / "1")
    began = time.monotonic()
    heeding.until(lambda: len(heeding.passes) == 2)
    assert time.monotonic() - began < sentinel.LOOK_SECONDS - 1, "the system reports it"


def test_a_watched_file_that_is_not_there_yet_is_noticed_when_it_comes(heeding: Waiting) -> None:
    path = heeding.folder / "utmp"
    heeding.plan(watches=[{"url": str(path), "tag": ""}])
    heeding.start()
    heeding.until(lambda: len(heeding.passes) == 1)
    path.write_bytes(b"somebody")
    heeding.until(lambda: len(heeding.passes) == 2)


def test_many_who_come_and_go_start_few_passes(heeding: Waiting) -> None:
    folder = heeding.folder / "sessions"
    folder.mkdir()
    heeding.plan(watches=[{"url": str(folder), "tag": "never so"}])
    heeding.start()
    heeding.until(lambda: len(heeding.passes) == 1)
    for number in range(20):
        (folder / str(number)).touch()
        time.sleep(0.05)
    assert len(heeding.passes) <= 4


def test_a_start_of_the_machine_starts_a_pass(waiting: Waiting) -> None:
    write_plan(RealDisk(waiting.folder), Plan(next_poll_at=time.time() + 3600, interval_seconds=3600, boot_id="an earlier one"))
    waiting.plan(boot_id=sentinel.boot_id())
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 1)
    assert waiting.end() == 0
    waiting.start()
    taken = f":{(waiting.folder / sentinel.LOCK).stat().st_ino} "
    waiting.until(lambda: taken in Path("/proc/locks").read_text())
    time.sleep(0.5)
    assert waiting.end() == 0
    assert len(waiting.passes) == 1


def test_a_program_whose_watcher_was_killed_starts_a_pass_then_and_at_its_own_end(waiting: Waiting) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    program = subprocess.Popen(["sleep", "600"])
    run = waiting.folder / "runs" / "r1"
    run.mkdir(parents=True)
    (run / "watch.json").write_text(json.dumps({"pid": gone.pid}))
    (run / "program.json").write_text(json.dumps({"pid": program.pid}))
    waiting.start()
    waiting.until(lambda: len(waiting.passes) == 2)
    program.kill()
    program.wait()
    waiting.until(lambda: len(waiting.passes) == 3)


# --- its parts ---


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan(
        polls=(Poll("http://a/b", '"x"'),),
        next_poll_at=5.5,
        next_due_at=None,
        interval_seconds=60,
        watches=(Poll("/run/systemd/sessions", "1-2-3"),),
        boot_id="b",
        page_port=4711,
    )
    write_plan(RealDisk(tmp_path), plan)
    assert read_plan(str(tmp_path)) == plan
    write_plan(RealDisk(tmp_path), Plan(next_due_at=7.0))
    assert read_plan(str(tmp_path)) == Plan(next_due_at=7.0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"polls": 1}',
        b'{"polls": [], "next_due_at": null, "next_poll_at": 1, "interval_seconds": 1, "watches": 1}',
        b"\xff",
    ],
)
def test_a_plan_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "next.json").write_bytes(content)
    assert read_plan(str(tmp_path)) is None


def test_a_file_in_a_folder_is_told_by_the_tag_that_the_folder_gives(tmp_path: Path) -> None:
    path = tmp_path / "timestamp.json"
    path.write_text("1")
    answer = point_for(str(tmp_path)).read("timestamp.json", limit_bytes=10)
    assert answer is not None
    tag = answer.tag
    assert is_unchanged(str(path), tag)
    assert is_unchanged(path.as_uri(), tag)
    assert not is_unchanged(str(path), "")
    path.write_text("22")
    assert not is_unchanged(str(path), tag)
    path.unlink()
    assert not is_unchanged(str(path), tag)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://", "http://[", "ftp://x/y", "http://h:99999999/x", ""])
def test_an_address_that_leads_nowhere_is_never_unchanged(url: str) -> None:
    assert not is_unchanged(url, '"1"')


@pytest.mark.parametrize("words", [[], ["{"], ["[]"], ["[1]"], ['[{"url": "x"}]']])
def test_asking_without_polls_that_can_be_read_tells_nothing(words: list[str]) -> None:
    assert ask(words) == 1
