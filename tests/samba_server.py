"""A real Samba server for tests: a CAP's folder shared with the rights that the printed configuration gives.

As a pytest plugin it gives fixtures. It listens on a loopback port of its own, and ends with its test.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from purveyor.transport.folder import ARRIVING
from purveyor.transport.smb_address import Credentials, address_of
from purveyor.transport.smb_session import session_with
from purveyor.transport.smb_share import SmbShare

STARTING_SECONDS = 20.0
PASSWORD = "a Passw0rd of tests"


@dataclass(frozen=True, slots=True)
class Samba:
    """A running server: where it is reached, as whom, and the folder that the share shows."""

    port: int
    folder: Path
    credentials: Credentials
    pid: int

    @property
    def url(self) -> str:
        """The share's address."""
        return f"smb://127.0.0.1:{self.port}/CAP_S01"


def share_of(samba: Samba, folder: str = "") -> SmbShare:
    """A session with the share, or with a folder in it."""
    address = address_of(f"{samba.url}/{folder}" if folder else samba.url)
    return SmbShare(address, session_with(address, lambda: samba.credentials))


@contextmanager
def samba_running(folder: Path, *, more: str = "") -> Iterator[Samba]:
    """Shares a folder as `CAP_S01` with real smbd. `more` are further lines of the share's definition."""
    program = shutil.which("smbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None, "these tests need Samba: apt install samba"
    user = getpass.getuser() if os.geteuid() else "nobody"
    with tempfile.TemporaryDirectory(prefix="purveyor-samba-", ignore_cleanup_errors=True) as own:
        base = Path(own)
        base.chmod(0o755)
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
            (base / name).mkdir()
        port = _free_port()
        configuration = base / "smb.conf"
        configuration.write_text(_configuration(base, folder, port, user, more))
        subprocess.run(
            ["pdbedit", "-s", str(configuration), "-a", "-t", "-u", user],
            input=f"{PASSWORD}\n{PASSWORD}\n",
            text=True,
            check=True,
            capture_output=True,
        )
        with (base / "log" / "stdout").open("wb") as log:
            process = subprocess.Popen(
                [program, "-F", "--no-process-group", "-s", str(configuration)],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(port, process, base / "log" / "stdout")
            yield Samba(port, folder, Credentials(user, PASSWORD), process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STARTING_SECONDS)


@pytest.fixture
def samba(open_folder: Path) -> Iterator[Samba]:
    """Real Samba over an empty folder that its user may write."""
    folder = open_folder / "CAP_S01"
    folder.mkdir(0o755)
    (folder / ARRIVING).mkdir(0o777)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        shutil.chown(folder / ARRIVING, "nobody")
    with samba_running(folder) as running:
        yield running


def _configuration(base: Path, folder: Path, port: int, user: str, more: str) -> str:
    return f"""[global]
  server role = standalone server
  workgroup = PURVEYOR
  netbios name = CAPHOST
  interfaces = lo
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  private dir = {base}/private
  lock directory = {base}/lock
  state directory = {base}/state
  cache directory = {base}/cache
  pid directory = {base}/pid
  ncalrpc dir = {base}/ncalrpc
  log file = {base}/log/log.%m
  passdb backend = tdbsam:{base}/private/passdb.tdb
  map to guest = Never
  server min protocol = SMB3_00
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  usershare path =
[CAP_S01]
  path = {folder}
  read only = no
  valid users = {user}
  force user = {user}
{more}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"smbd ended with {process.returncode}: {log.read_text()}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("smbd did not start to listen")
