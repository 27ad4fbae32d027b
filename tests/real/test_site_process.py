"""`purveyor site init` and `site run` as processes: one at a time, stopped by a signal, killed without loss."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from purveyor.site_server.site import create_site, open_site

PURVEYOR = (sys.executable, "-m", "purveyor.cli")
START_SECONDS = 60


def purveyor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command against the site of a folder."""
    environment = os.environ | {"PURVEYOR_SITE_DIR": str(folder)}
    return subprocess.run([*PURVEYOR, *words], env=environment, capture_output=True, text=True, timeout=START_SECONDS)


@contextmanager
def running(folder: Path, listen: str = "127.0.0.1:0") -> Iterator[subprocess.Popen[str]]:
    """A site that runs, once it can be reached."""
    process = subprocess.Popen(
        [*PURVEYOR, "site", "run", str(folder), "--listen", listen], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (folder / "site.url").exists():
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a new site."""
    made = purveyor(tmp_path, "site", "init", str(tmp_path / "site"), "--code", "S01")
    assert (made.returncode, made.stdout) == (0, "")
    return tmp_path / "site"


def test_a_site_is_made_once(folder: Path) -> None:
    again = purveyor(folder, "site", "init", str(folder), "--code", "S01")
    assert again.returncode == 1 and "not empty" in again.stderr
    assert (folder / "admin.token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", ["S", "S0001", "s-1", ""])
def test_a_code_that_is_none_makes_nothing(tmp_path: Path, code: str) -> None:
    assert purveyor(tmp_path, "site", "init", str(tmp_path / "site"), "--code", code).returncode == 1
    assert not (tmp_path / "site").exists()


def test_what_holds_no_site_is_not_run(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        said = purveyor(tmp_path, "site", "run", str(place))
        assert said.returncode == 1 and "holds no site" in said.stderr


def test_a_second_run_on_one_folder_is_refused_and_disturbs_nothing(folder: Path) -> None:
    with running(folder) as process:
        second = purveyor(folder, "site", "run", str(folder), "--listen", "127.0.0.1:0")
        assert second.returncode == 1 and f"already runs on {folder}" in second.stderr and str(process.pid) in second.stderr
        assert purveyor(folder, "package", "list").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(folder: Path, number: signal.Signals) -> None:
    with running(folder) as process:
        process.send_signal(number)
        assert process.wait(START_SECONDS) == 0
        said = process.stdout.read() if process.stdout else ""
        assert [line.partition(" at ")[0] for line in said.splitlines()] == ["site S01 runs", "site S01 has stopped"], (
            "no library of ours tells of what it does: one of shares would with each of its requests"
        )
    assert not (folder / "site.url").exists()
    listed = purveyor(folder, "package", "list")
    assert listed.returncode == 3 and "does not run" in listed.stderr


def test_a_site_that_was_killed_goes_on_where_it_was(folder: Path) -> None:
    with running(folder) as process:
        assert purveyor(folder, "package", "add", "--name", "Before").stdout == "S0100001\n"
        process.kill()
        process.wait()
    assert purveyor(folder, "package", "list").returncode == 3
    (folder / "site.url").unlink()
    with running(folder):
        assert "Before" in purveyor(folder, "package", "list").stdout
        assert purveyor(folder, "package", "add", "--name", "After").stdout == "S0100002\n"


def test_an_address_that_is_taken_is_said_clearly_before_anything_is_published(folder: Path) -> None:
    with running(folder):
        listen = (folder / "site.url").read_text().strip().removeprefix("http://")
        second = folder.parent / "second"
        purveyor(folder, "site", "init", str(second), "--code", "S02")
        said = purveyor(folder, "site", "run", str(second), "--listen", listen)
        assert said.returncode == 3 and f"{listen} cannot be listened on" in said.stderr and "--listen" in said.stderr
        assert not list((second / "CAP_S02" / "clidata.box").iterdir())


def test_the_configuration_for_nginx_names_the_folders_of_the_site(folder: Path) -> None:
    said = purveyor(folder, "cap", "nginx-config", str(folder), "--listen", "127.0.0.1:8080", "--server-name", "cap.example")
    assert said.returncode == 0
    for text in ("listen 127.0.0.1:8080;", "server_name cap.example;", f"{folder}/CAP_S01", f"{folder}/DP_S01"):
        assert text in said.stdout
    assert purveyor(folder, "cap", "nginx-config", str(folder.parent)).returncode == 1


OPENING = """
import os, signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from purveyor.cli.site import stay_with_the_site
if __name__ == "__main__":
    openers = ProcessPoolExecutor(1, get_context("spawn"), initializer=stay_with_the_site)
    print(openers.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_site_leaves_no_process_behind_that_knows_its_keys(tmp_path: Path) -> None:
    script = tmp_path / "opening.py"
    script.write_text(OPENING)
    with (tmp_path / "said").open("w") as said:
        subprocess.run([sys.executable, str(script)], stdout=said, stderr=subprocess.DEVNULL, timeout=START_SECONDS)
    status = Path(f"/proc/{(tmp_path / 'said').read_text().strip()}/stat")
    deadline = time.monotonic() + START_SECONDS
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the opener outlived the site"
        time.sleep(0.05)


def test_the_url_of_a_database_is_found_again_as_it_was_given(tmp_path: Path) -> None:
    url = f'sqlite:///{tmp_path}/a "quoted" one.db'
    create_site(tmp_path / "site", code="S01", database_url=url, now=datetime.now(UTC))
    site = open_site(tmp_path / "site")
    assert site.code == "S01"
    site.database.dispose()
