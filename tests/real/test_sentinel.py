"""The sentinel as a process: it waits, asks no more often than it is told, starts a worker when there is something to do."""

import http.server
import json
import os
import signal
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
from purveyor.client.sentinel import Plan, Poll, read_plan, write_plan
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


class Waiting:
    """A sentinel over a worker that only writes down that it was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "worker.py").write_text(WORKER)
        self.plan()

    def plan(self, *polls: Poll, poll_in: float = 3600, due_in: float | None = None, interval: float = 3600) -> None:
        """What each pass will leave as its plan, with times from then."""
        content = {
            "polls": [{"url": poll.url, "tag": poll.tag} for poll in polls],
            "next_poll_at": poll_in,
            "next_due_at": due_in,
            "interval_seconds": interval,
        }
        (self.folder / "plan-to-write").write_text(json.dumps(content))

    def start(self, *, seconds: float = 0, code: int = 0) -> None:
        worker = [sys.executable, "-I", "-S", str(self.folder / "worker.py"), str(self.folder), str(seconds), str(code)]
        words = sentinel.command(sys.executable, str(self.folder), worker)
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
    words = sentinel.command(sys.executable, str(tmp_path), ["/no/such/worker"])
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
        sentinel.command(sys.executable, str(waiting.folder), ["true"]), capture_output=True, text=True, timeout=20, check=False
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


# --- its parts ---


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan(polls=(Poll("http://a/b", '"x"'),), next_poll_at=5.5, next_due_at=None, interval_seconds=60)
    write_plan(RealDisk(tmp_path), plan)
    assert read_plan(str(tmp_path)) == plan
    write_plan(RealDisk(tmp_path), Plan(next_due_at=7.0))
    assert read_plan(str(tmp_path)) == Plan(next_due_at=7.0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"polls": 1}', b"\xff"])
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
