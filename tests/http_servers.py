"""Real HTTP servers for tests: the built-in ones under uvicorn, and nginx with the configuration that we print.

As a pytest plugin it gives fixtures; as a module, `serving` and `nginx_running` for whoever needs other folders. Every server
listens on a loopback port of its own and ends with its test.
"""

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvicorn

from leftovers import ENDS_WITH_US
from purveyor.client_access_point.nginx import ARRIVING, Plan, nginx_configuration
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.http.serving import Application
from purveyor.wire.boxes import UP_BOXES

STARTING_SECONDS = 20.0
NGINX_USER = "www-data"


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: where it is reached, and its access log, which is flushed with every request."""

    url: str
    access_log: Path
    pid: int

    def logged(self) -> list[str]:
        """Shape: `METHOD PATH STATUS` of every request that it answered, in order."""
        return self.access_log.read_text().splitlines()


class _Server(uvicorn.Server):
    """uvicorn as it is, but for ending at once: its own loop looks only ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_running = threading.Event()

    async def main_loop(self) -> None:
        """Waits for the end."""
        await self.on_tick(0)
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._is_running.set()
        await self._ended.wait()

    def end(self) -> None:
        """Ends it from another thread."""
        assert self._is_running.wait(STARTING_SECONDS)
        self.force_exit = True
        self._loop.call_soon_threadsafe(self._ended.set)


@contextlib.contextmanager
def serving(application: Application) -> Iterator[str]:
    """Runs an ASGI application under uvicorn with httptools and uvloop. Shape: its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http="httptools", loop="uvloop", lifespan="on", log_level="warning", access_log=False, ws="none"
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.end()
        thread.join(STARTING_SECONDS)
        listener.close()


@contextlib.contextmanager
def nginx_running(plan: Plan, *, workers: int = 1) -> Iterator[Nginx]:
    """Runs real nginx in the foreground with the configuration that `plan` makes; the plan's address is chosen here."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None, "these tests need nginx: apt install nginx-light"
    with tempfile.TemporaryDirectory(prefix="purveyor-nginx-") as own:
        own_folder = Path(own)
        own_folder.chmod(0o755)
        port = _free_port()
        (own_folder / "site.conf").write_text(
            nginx_configuration(replace(plan, listen=f"127.0.0.1:{port}", nginx_user=nginx_user()))
        )
        (own_folder / "nginx.conf").write_text(_frame(own_folder, workers))
        process = subprocess.Popen(
            [*ENDS_WITH_US, program, "-p", own, "-c", f"{own}/nginx.conf", "-e", f"{own}/error.log"], stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port, process, own_folder / "error.log")
            yield Nginx(f"http://127.0.0.1:{port}", own_folder / "access.log", process.pid)
        finally:
            process.terminate()
            process.wait(STARTING_SECONDS)


def nginx_user() -> str:
    """As whom nginx's workers run here: as its own user if we may choose, else as we do."""
    return NGINX_USER if os.geteuid() == 0 else getpass.getuser()


def prepare_for_nginx(cap: Path) -> None:
    """What the printed configuration's first comment asks of root."""
    if os.geteuid() == 0:
        for box in UP_BOXES:
            shutil.chown(cap / box.name, group=NGINX_USER)
    (cap / ARRIVING).mkdir(0o700, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(cap / ARRIVING, NGINX_USER, NGINX_USER)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that other users may pass, as a site's own folder is; pytest's own ones are closed."""
    with tempfile.TemporaryDirectory(prefix="purveyor-site-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def cap_shelf(open_folder: Path) -> FolderShelf:
    """The owner's hand in an empty CAP with all its boxes, which nginx can serve."""
    shelf = FolderShelf(open_folder / "CAP_S01")
    shelf.make_boxes()
    prepare_for_nginx(shelf.folder)
    return shelf


@pytest.fixture
def dp_folder(open_folder: Path) -> Path:
    """An empty DP."""
    folder = open_folder / "DP_S01"
    folder.mkdir(0o755)
    return folder


@pytest.fixture
def nginx(cap_shelf: FolderShelf, dp_folder: Path) -> Iterator[Nginx]:
    """Real nginx over `cap_shelf` at /cap and `dp_folder` at /dp."""
    with nginx_running(Plan(cap_folder=str(cap_shelf.folder), dp_folder=str(dp_folder), listen="80")) as running:
        yield running


def _frame(own: Path, workers: int) -> str:
    user = f"user {NGINX_USER};" if os.geteuid() == 0 else ""
    return f"""
daemon off; worker_processes {workers}; {user}
pid {own}/nginx.pid; error_log {own}/error.log info; lock_file {own}/lock;
events {{ worker_connections 1024; }}
http {{
    log_format plain '$request_method $request_uri $status';
    access_log {own}/access.log plain;
    proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi; uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;
    include {own}/site.conf;
}}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], error_log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = error_log.read_text() if error_log.exists() else ""
            raise AssertionError(f"nginx ended with {process.returncode}: {log}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("nginx did not start to listen")
