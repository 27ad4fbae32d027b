"""`purveyor demo`: the main job before one's eyes, with the commands that an administrator would type.

A site, three clients as processes of their own, a package that goes out, is reported, updated, deleted and forgotten. Everything
happens through `purveyor …` commands run as processes; nothing here reaches into a site or a client but to look at files.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from purveyor.cli.call import SITE_URL_FILE, Call
from purveyor.wire.errors import UnavailableError

CLIENTS = ("anna", "boris", "clara")
SETTINGS = {
    "poll_interval_seconds": 2,
    "publish_interval_seconds": 1,
    "heartbeat_interval_seconds": 5,
    "point_grace_seconds": 1,
    "timestamp_rhythm_seconds": 5,
    "timestamp_lifetime_seconds": 20,
    "unnamed_margin_seconds": 1,
}
"""Hours and days, shortened to seconds so that the whole life of a package can be watched."""
STEP_SECONDS = 90
_LOOK_SECONDS = 0.25

_INSTALL = """#!/bin/sh
# Installs the greeting on this client's machine; here that is a folder beside the agent's own.
set -eu
machine="$PURVEYOR_STATE-machine"
mkdir -p "$machine/opt/greeting"
cp greeting.txt "$machine/opt/greeting/"
echo "run $PURVEYOR_RUN installed source version $PURVEYOR_SOURCE_VERSION" >> "$machine/runs.log"
"""
_UNINSTALL = """#!/bin/sh
set -eu
machine="$PURVEYOR_STATE-machine"
rm -rf "$machine/opt/greeting"
echo "run $PURVEYOR_RUN uninstalled it" >> "$machine/runs.log"
"""


@dataclass(slots=True)
class Demo:
    """One demonstration in one folder."""

    folder: Path
    listen: str
    say: Callable[[str], None]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    step: int = 0

    @property
    def site(self) -> Path:
        """The site's folder."""
        return self.folder / "site"

    def client(self, name: str) -> Path:
        """A client's state folder."""
        return self.folder / "clients" / name

    def greeting(self, name: str) -> Path:
        """What the package installs on a client's machine."""
        return self.folder / "clients" / f"{name}-machine" / "opt" / "greeting" / "greeting.txt"

    def begin(self, title: str) -> None:
        """Shows the title of the next step."""
        self.step += 1
        self.say(f"\n== {self.step}. {title}")

    def purveyor(self, *words: str, shows_output: bool = True) -> str:
        """What a `purveyor` command prints, shown as it would be typed. Errors: UnavailableError when it fails."""
        self.say(f"$ purveyor {shlex.join(words)}")
        ended = subprocess.run(
            _command(*words), env=self._environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        told = "\n".join(text for text in (ended.stdout.strip(), ended.stderr.strip()) if text)
        if told and (shows_output or ended.returncode):
            self.say("\n".join(f"  {line}" for line in told.splitlines()))
        if ended.returncode:
            raise UnavailableError(f"`purveyor {words[0]} …` ended with {ended.returncode}")
        return ended.stdout.strip()

    def asked(self, *words: str) -> Any:
        """What a command gives with `--json`, not shown."""
        ended = subprocess.run(_command(*words, "--json"), env=self._environment(), capture_output=True, text=True, check=False)
        return json.loads(ended.stdout) if ended.returncode == 0 else None

    def start(self, log: Path, *words: str) -> None:
        """Starts a command that goes on running, its output in a file."""
        self.say(f"$ purveyor {shlex.join(words)} &")
        with log.open("ab") as file:
            process = subprocess.Popen(
                _command(*words), env=self._environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        self.processes.append(process)

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Looks until something is so. Errors: UnavailableError when it takes too long or a process ended."""
        deadline = time.monotonic() + STEP_SECONDS
        while not is_so():
            if any(process.poll() is not None for process in self.processes):
                raise UnavailableError(f"a process of the demonstration ended; its log is in {self.folder}")
            if time.monotonic() > deadline:
                raise UnavailableError(f"waited {STEP_SECONDS} seconds for this in vain: {what}")
            time.sleep(_LOOK_SECONDS)
        self.say(f"  {what}")

    def stop(self) -> None:
        """Ends all processes, clients first, by their ids."""
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PURVEYOR_")}
        return kept | {"PURVEYOR_SITE_DIR": str(self.site)}


def main(call: Call) -> int:
    """Shows the main job; then keeps the site up until Ctrl-C, unless it is to be shown once."""
    options = call.arguments
    with _folder(options.dir) as folder:
        demo = Demo(folder, _listen_address(options.listen), call.output.say)
        try:
            demo.say(f"Everything of this demonstration lies in {folder}")
            package = _show(demo)
            if not options.once:
                _stay(demo, package)
        except KeyboardInterrupt:
            demo.say("stopping")
        finally:
            demo.stop()
    return 0


def _show(demo: Demo) -> str:
    _start_site(demo)
    _join_clients(demo)
    package = _send_out(demo)
    _update(demo, package)
    _delete(demo, package)
    return package


def _start_site(demo: Demo) -> None:
    demo.begin("A site is made, and runs")
    demo.purveyor("site", "init", str(demo.site), "--code", "S01")
    demo.start(demo.folder / "site.log", "site", "run", str(demo.site), "--listen", demo.listen)
    url_file = demo.site / SITE_URL_FILE
    demo.wait_until("the site answers", url_file.exists)
    for name, value in SETTINGS.items():
        demo.purveyor("settings", "set", name, str(value), shows_output=False)


def _join_clients(demo: Demo) -> None:
    demo.begin("Three clients join it")
    cap = (demo.site / SITE_URL_FILE).read_text().strip() + "/cap"
    code = demo.purveyor("join-code", "create", "--uses", str(len(CLIENTS)), "--expires", "1d")
    for name in CLIENTS:
        demo.purveyor("client", "join", cap, "--code", code, "--name", name, "--state", str(demo.client(name)))
    for name in CLIENTS:
        log = demo.folder / f"client-{name}.log"
        demo.start(log, "client", "run", "--state", str(demo.client(name)))
    demo.purveyor("resource", "list")


def _send_out(demo: Demo) -> str:
    demo.begin("A package is taken in and advertised; every client runs it, and says so")
    source = _write_source(demo.folder / "source", "Good morning.\n")
    package = demo.purveyor("package", "add", str(source), "--name", "Greeting", "--version", "1.0", "--publisher", "Example")
    demo.purveyor("program", "add", package, "install", "--command", "sh install.sh",
                  "--uninstall-command", "sh uninstall.sh", "--uninstall-file", "uninstall.sh")  # fmt: skip
    demo.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--each-version", "--yes")
    _wait_for_version(demo, package, 1)
    _wait_for_greeting(demo, "Good morning.\n")
    return package


def _update(demo: Demo, package: str) -> None:
    demo.begin("The source changes: a second source version goes out")
    _write_source(demo.folder / "source", "Good evening.\n")
    demo.purveyor("package", "update", package)
    _wait_for_version(demo, package, 2)
    _wait_for_greeting(demo, "Good evening.\n")


def _delete(demo: Demo, package: str) -> None:
    demo.begin("The package is deleted: first what that means, then the deed")
    demo.purveyor("package", "preview", package)
    demo.purveyor("package", "delete", package, "--yes")
    demo.wait_until(
        "every client has forgotten it, and said so",
        lambda: _retirement(demo, package).get("acknowledged") == len(CLIENTS),
    )
    demo.say("  its files stay until no client can hold metadata that leads to them; here that takes some twenty seconds")
    demo.wait_until("its content and its files are gone from every point", lambda: _is_purged(demo, package))
    demo.purveyor("package", "retirement", package)
    left = [path for path in demo.site.rglob("*") if package in path.name]
    demo.say(f"  files of it below {demo.site}: {len(left)}")
    if left:
        raise UnavailableError(f"{left[0]} is still there")
    demo.begin("No client ever asked for a file that was not there")
    demo.purveyor("resource", "list")
    absent = sum(int(client.get("absent_requests", 0)) for client in _rows(demo.asked("resource", "list")))
    if absent:
        raise UnavailableError(f"{absent} requests for absent files")
    demo.begin("Long after, the receipt still uninstalls what was installed")
    name = CLIENTS[0]
    demo.purveyor("client", "uninstall", package, "--state", str(demo.client(name)))
    if demo.greeting(name).exists():
        raise UnavailableError("the greeting is still installed")


def _stay(demo: Demo, package: str) -> None:
    url = (demo.site / SITE_URL_FILE).read_text().strip()
    demo.say(f"""
== The site stays up at {url} until Ctrl-C. Try next, in another terminal:
  export PURVEYOR_SITE_DIR={demo.site}
  purveyor package list
  purveyor package retirement {package}
  purveyor status messages
  purveyor client jobs --state {demo.client(CLIENTS[1])}
  purveyor client check --state {demo.client(CLIENTS[1])}
  the API and its description: {url}/api/v1/docs""")
    while all(process.poll() is None for process in demo.processes):
        time.sleep(_LOOK_SECONDS)
    raise UnavailableError(f"a process of the demonstration ended; its log is in {demo.folder}")


def _wait_for_version(demo: Demo, package: str, version: int) -> None:
    def has_run() -> bool:
        status = demo.asked("status", "package", package) or {}
        return _succeeded(status, version) == len(CLIENTS)

    demo.wait_until(f"{len(CLIENTS)} clients report that source version {version} succeeded", has_run)
    demo.purveyor("status", "package", package)


def _wait_for_greeting(demo: Demo, text: str) -> None:
    files = [demo.greeting(name) for name in CLIENTS]
    demo.wait_until(
        f"on every machine the file says: {text.strip()}",
        lambda: all(file.exists() and file.read_text() == text for file in files),
    )


def _retirement(demo: Demo, package: str) -> Mapping[str, Any]:
    answer = demo.asked("package", "retirement", package)
    return answer if isinstance(answer, dict) else {}


def _is_purged(demo: Demo, package: str) -> bool:
    return _retirement(demo, package).get("state") in ("purged", "archived")


def _rows(answer: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(answer, dict):
        return next((value for value in answer.values() if isinstance(value, list)), [])
    return answer or []


def _succeeded(status: Mapping[str, Any], version: int) -> int:
    """How many clients succeeded with a source version, as `status package --json` says."""
    return sum(1 for job in status.get("jobs", []) if job["state"] == "succeeded" and job["source_version"] == version)


def _write_source(folder: Path, greeting: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "greeting.txt").write_text(greeting)
    for name, text in (("install.sh", _INSTALL), ("uninstall.sh", _UNINSTALL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "purveyor.cli", *words]


def _listen_address(listen: str | None) -> str:
    """The address asked for, or the usual one where it is free, or any free one."""
    if listen:
        return listen
    for port in (8470, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"127.0.0.1:{probe.getsockname()[1]}"
    raise UnavailableError("no port of 127.0.0.1 is free")


@contextmanager
def _folder(asked: str | None) -> Iterator[Path]:
    """The folder that was asked for, kept; or one of its own, removed at the end."""
    if asked:
        folder = Path(asked).resolve()
        folder.mkdir(parents=True)
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="purveyor-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
