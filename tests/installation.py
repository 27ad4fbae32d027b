"""A site and clients as an administrator installs them: folders, and `purveyor …` commands as processes of their own."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leftovers import ENDS_WITH_US
from purveyor.site_server.executive import Executive
from purveyor.site_server.site import open_site, utc_now

DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.1
QUICK_SETTINGS = {"publish_interval_seconds": 1, "poll_interval_seconds": 2, "heartbeat_interval_seconds": 2}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Installation:
    """One site in a folder, and the clients around it."""

    folder: Path
    database: str = ""
    listen: str = "127.0.0.1:0"
    """Chosen at the first start and kept, as a real site keeps its port."""
    server: subprocess.Popen[bytes] | None = None
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def site(self) -> Path:
        """The site's folder."""
        return self.folder / "site"

    @property
    def url(self) -> str:
        """Where the site answers."""
        return (self.site / "site.url").read_text().strip()

    def state(self, name: str) -> Path:
        """A client's state folder."""
        return self.folder / "clients" / name

    def call(self, *words: str) -> Ended:
        """Carries out a command."""
        ended = subprocess.run(
            _command(*words), env=self._environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        return Ended(ended.returncode, ended.stdout.strip(), ended.stderr.strip())

    def purveyor(self, *words: str) -> str:
        """What a command that must succeed prints on standard output."""
        ended = self.call(*words)
        assert ended.code == 0, (words, ended)
        return ended.out

    def asked(self, *words: str) -> Any:  # noqa: ANN401 - JSON of any shape
        """What a command that must succeed gives as JSON."""
        return json.loads(self.purveyor(*words, "--json"))

    def copy(self, made: Path) -> None:
        """Takes a site that was made elsewhere, and does not run, as this one."""
        shutil.copytree(made, self.site)

    def init(self) -> None:
        """Makes the site."""
        database = ["--database", self.database] if self.database else []
        self.purveyor("site", "init", str(self.site), "--code", "S01", *database)

    def start(self) -> None:
        """Starts the site and waits until it answers."""
        self.server = self._started("site.log", "site", "run", str(self.site), "--listen", self.listen)
        self.until("the site answers", (self.site / "site.url").exists)
        self.listen = self.url.partition("//")[2]

    def kill(self) -> None:
        """Kills the site as a power cut would end it."""
        assert self.server is not None
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()
        (self.site / "site.url").unlink()

    def make_quick(self) -> None:
        """Shortens intervals, so that a test waits for seconds."""
        for name, value in QUICK_SETTINGS.items():
            self.purveyor("settings", "set", name, str(value))

    def join(self, *names: str, cap: str = "") -> None:
        """Makes clients that are members."""
        code = self.purveyor("join-code", "create", "--uses", str(len(names)))
        for name in names:
            self.purveyor("client", "join", cap or f"{self.url}/cap", "--code", code, "--state", str(self.state(name)))

    def pass_of(self, name: str) -> Ended:
        """One pass of a client."""
        return self.call("client", "run", "--once", "--state", str(self.state(name)))

    def run_agent(self, name: str) -> None:
        """Starts a client's agent."""
        self.agents[name] = self._started(f"client-{name}.log", "client", "run", "--state", str(self.state(name)))

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Looks until something is so, and fails after the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"in vain: {what}; {self._logs()}"
            if self.server is not None and self.server.poll() is not None:
                raise AssertionError(f"the site has ended; {self._logs()}")
            time.sleep(LOOK_SECONDS)

    def jobs_of(self, package: str) -> list[dict[str, Any]]:
        """The jobs of a package as the site knows them."""
        return list(self.asked("status", "package", package)["jobs"])

    def end(self) -> None:
        """Ends all processes."""
        for process in [*self.agents.values(), *([self.server] if self.server else [])]:
            if process.poll() is None:
                process.terminate()
        for process in [*self.agents.values(), *([self.server] if self.server else [])]:
            process.wait(30)

    def _started(self, log: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as file:
            words = (*ENDS_WITH_US, *_command(*words))
            return subprocess.Popen(words, env=self._environment(), stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PURVEYOR_")}
        return kept | {"PURVEYOR_SITE_DIR": str(self.site)}

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))


def live_on(folder: Path, end: timedelta, *, begin: timedelta = timedelta(0)) -> None:
    """A site that no process runs has turns, at the beginning and at the end of a time in which it ran. Units: from now on."""
    moments = [begin]
    site = open_site(folder)
    running = replace(site, clock=lambda: utc_now() + moments[-1], running=lambda: timedelta.total_seconds(moments[-1]))
    try:
        executive = Executive(running)
        for moment in (begin, end):
            moments.append(moment)
            for _ in range(3):  # what one component has done, others find at a later turn
                while executive.turn():
                    pass
    finally:
        site.database.dispose()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "purveyor.cli", *words]


@pytest.fixture(scope="session")
def quick_site() -> Path:
    """The folder of a site with quick settings, over SQLite, as one was made and stopped: to be copied, which is quicker.

    Made once in a run, by whichever of its processes needs it first.
    """
    made = Installation(Path(tempfile.gettempdir()) / "quick")
    made.folder.mkdir(exist_ok=True)
    with (made.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.folder / "made").exists():
            shutil.rmtree(made.site, ignore_errors=True)
            try:
                made.init()
                made.start()
                made.make_quick()
            finally:
                made.end()
            (made.folder / "made").touch()
    return made.site


@pytest.fixture
def installation(open_folder: Path, quick_site: Path) -> Iterator[Installation]:
    """A running site with quick settings, over SQLite."""
    made = Installation(open_folder)
    try:
        made.copy(quick_site)
        made.start()
        yield made
    finally:
        made.end()
