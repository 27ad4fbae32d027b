"""A real Samba server for tests: a CAP's folder shared with the rights that the printed configuration gives.

As a pytest plugin it gives fixtures. It listens on a loopback port of its own, and ends with its test.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from leftovers import ENDS_WITH_US
from purveyor.client_access_point.samba import COMMAND
from purveyor.transport.folder.shelf import ARRIVING
from purveyor.transport.smb.address import Credentials, address_of
from purveyor.transport.smb.session import session_with
from purveyor.transport.smb.share import SmbShare

STARTING_SECONDS = 20.0
PASSWORD = "a Passw0rd of tests"
ACCOUNT = "games"
"""An account that every Debian has, and that owns nothing of a site."""


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
    user = getpass.getuser() if os.geteuid() else "nobody"
    with _own_folders() as base:
        port = _free_port()
        configuration = base / "smb.conf"
        configuration.write_text(_whole(base, port, _simple_share(folder, user, more)))
        subprocess.run(
            ["pdbedit", "-s", str(configuration), "-a", "-t", "-u", user],
            input=f"{PASSWORD}\n{PASSWORD}\n",
            text=True,
            check=True,
            capture_output=True,
        )
        with _smbd(base, port) as pid:
            yield Samba(port, folder, Credentials(user, PASSWORD), pid)


@contextmanager
def samba_as_printed(site: Path, *, cap: Path | None = None, port: int = 0, more: str = "") -> Iterator[Samba]:
    """Real smbd with what `purveyor cap smb-config` prints for a site's folder, after the commands that it asks for.

    Clients come as the account `games`, which the system has anyway. `more` are further lines of the last share's definition, the
    DP's; the folder that is given with the server is the CAP's.
    """
    assert os.geteuid() == 0, "these tests set the rights of folders: run them as root"
    printed = [sys.executable, "-m", "purveyor.cli", "cap", "smb-config", str(site), "--account", ACCOUNT]
    text = subprocess.run(printed, check=True, capture_output=True, text=True).stdout
    with _own_folders() as base:
        port = port or _free_port()
        (base / "smb.conf").write_text(_whole(base, port, text + more))
        (base / "bin").mkdir()
        stand_in = base / "bin" / "smbpasswd"
        stand_in.write_text(
            f"#!/bin/sh\nprintf '%s\\n%s\\n' '{PASSWORD}' '{PASSWORD}' | /usr/bin/smbpasswd -c {base}/smb.conf -s \"$@\"\n"
        )
        stand_in.chmod(0o755)
        path = f"{base}/bin:{os.environ.get('PATH', '')}:/usr/sbin"
        subprocess.run(["sh", "-e", "-c", commands_in(text)], check=True, capture_output=True, env={**os.environ, "PATH": path})
        with _smbd(base, port) as pid:
            found = cap if cap is not None else next(site.glob("CAP_*"))
            yield Samba(port, found, Credentials(ACCOUNT, PASSWORD), pid)


def credentials_file(folder: Path, samba: Samba, *, password: str = "") -> Path:
    """A file as an administrator writes it for `client join --credentials`."""
    made = folder / "share.txt"
    made.touch(0o600)
    made.write_text(f"username={samba.credentials.user}\npassword={password or samba.credentials.password}\n")
    return made


@contextmanager
def _own_folders() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="purveyor-samba-", ignore_cleanup_errors=True) as own:
        base = Path(own)
        base.chmod(0o755)
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
            (base / name).mkdir()
        yield base


@contextmanager
def _smbd(base: Path, port: int) -> Iterator[int]:
    program = shutil.which("smbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None, "these tests need Samba: apt install samba"
    with (base / "log" / "stdout").open("wb") as log:
        process = subprocess.Popen(
            [*ENDS_WITH_US, program, "-F", "--no-process-group", "-s", str(base / "smb.conf")],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(port, process, base / "log" / "stdout")
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
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


def _simple_share(folder: Path, user: str, more: str) -> str:
    return f"""[CAP_S01]
  path = {folder}
  read only = no
  valid users = {user}
  force user = {user}
{more}
"""


def _whole(base: Path, port: int, shares: str) -> str:
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
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  usershare path =
{shares}
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


def commands_in(text: str) -> str:
    """The commands that a printed configuration asks for, for a shell."""
    return "\n".join(line.removeprefix(COMMAND) for line in text.splitlines() if line.startswith(COMMAND))
