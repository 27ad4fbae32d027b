"""Whole polls per second that find nothing new, of the built-in CAP and of real nginx with our configuration, in one run.

A poll is two conditional reads, of `timestamp.json` and of one shard among many, each answered 304. `wrk` asks; it must be
installed, and it takes part of the machine: so beside the polls per second stands what one poll costs of the server's processor.

    .venv/bin/python bench/polls.py --shards 100000
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import urllib3

BENCH = Path(__file__).parent
sys.path.insert(0, str(BENCH.parent / "tests"))

from http_servers import nginx_running, prepare_for_nginx  # noqa: E402
from purveyor.client_access_point.nginx import Plan  # noqa: E402
from purveyor.transport.folder.confined import tag_of  # noqa: E402
from purveyor.transport.folder.shelf import FolderShelf  # noqa: E402

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
SERVER = """
import sys, uvicorn
from purveyor.client_access_point.application import application
uvicorn.run(application(sys.argv[1]), fd=int(sys.argv[2]), http="httptools", loop="uvloop", lifespan="off",
            access_log=False, log_level="error", ws="none", server_header=False)
"""


class Row(NamedTuple):
    """One measurement."""

    server: str
    connections: str
    polls_per_second: float
    cpu_microseconds: float
    p99_milliseconds: float
    failures: int


def main() -> int:
    """Measures, prints a table; exit code 1 when anything was answered other than 304."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="purveyor-polls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cap, paths = _fill(folder / "CAP_S01", arguments.shards)
        print(
            f"{arguments.shards} shards in one folder; wrk with {arguments.connections} connections, {arguments.seconds} s each"
        )
        rows = [*_built_in(cap, paths, arguments), *_nginx(cap, paths, arguments)]
    print(f"{'server':<10} {'connections':<12} {'polls/s':>9} {'server CPU µs/poll':>19} {'p99 ms/request':>15} {'failures':>9}")
    for row in rows:
        print(
            f"{row.server:<10} {row.connections:<12} {row.polls_per_second:>9.0f} {row.cpu_microseconds:>19.1f} "
            f"{row.p99_milliseconds:>15.1f} {row.failures:>9}"
        )
    return 1 if any(row.failures for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    return parser.parse_args()


def _fill(cap: Path, shard_count: int) -> tuple[Path, list[str]]:
    shelf = FolderShelf(cap)
    shelf.make_boxes()
    prepare_for_nginx(cap)
    paths = ["clidata.box/timestamp.json", *(f"offerinf.box/lookup/1/{number:05x}.lkp" for number in range(shard_count))]
    for path in paths:
        shelf.replace(path, os.urandom(900))
    shelf.sync()
    return cap, paths


def _built_in(cap: Path, paths: list[str], arguments: argparse.Namespace) -> list[Row]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(cap), str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            return _both("built-in", url, "", process.pid, _tags(cap, paths, lambda seen: f'"{tag_of(seen)}"'), arguments)
        finally:
            process.terminate()
            process.wait()


def _nginx(cap: Path, paths: list[str], arguments: argparse.Namespace) -> list[Row]:
    with nginx_running(Plan(cap_folder=str(cap), dp_folder="", connections_per_address=10_000)) as nginx:
        tags = _tags(cap, paths, lambda seen: f'"{int(seen.st_mtime):x}-{seen.st_size:x}"')
        return _both("nginx", nginx.url, "/cap", _only_child(nginx.pid), tags, arguments)


def _both(server: str, url: str, path: str, pid: int, tags: str, arguments: argparse.Namespace) -> list[Row]:
    with tempfile.NamedTemporaryFile("w", suffix=".tags") as file:
        file.write(tags)
        file.flush()
        _check(f"{url}{path}", tags.splitlines()[0], tags.splitlines()[-1])
        return [_measure(server, url, path, pid, file.name, is_kept, arguments) for is_kept in (True, False)]


def _check(url: str, *lines: str) -> None:
    """For wrk a full answer is a success too: that there are none is seen here, once for each kind of request."""
    with urllib3.PoolManager() as pool:
        for line in lines:
            path, _, tag = line.partition(" ")
            status = pool.request("GET", f"{url}/{path}", headers={"If-None-Match": tag}).status
            if status != 304:
                raise AssertionError(f"{url}/{path} answers {status}, not 304")


def _measure(server: str, url: str, path: str, pid: int, tags: str, is_kept: bool, arguments: argparse.Namespace) -> Row:
    settings = {"POLL_BASE": path, "POLL_TAGS": tags, "POLL_CLOSE": "0" if is_kept else "1"}
    script = str(BENCH / "polls.lua")
    before = _cpu_seconds(pid)
    printed = subprocess.run(
        ["wrk", "-t1", f"-c{arguments.connections}", f"-d{arguments.seconds}", "-s", script, url],
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    used = _cpu_seconds(pid) - before
    result = next(line for line in printed.splitlines() if line.startswith("RESULT ")).split()
    requests, duration, failures, p99 = (int(number) for number in result[1:])
    polls = requests / 2
    connections = "kept" if is_kept else "new each"
    return Row(server, connections, polls / (duration / 1e6), used / polls * 1e6, p99 / 1000, failures)


def _tags(cap: Path, paths: list[str], tag: Callable[[os.stat_result], str]) -> str:
    return "".join(f"{path} {tag((cap / path).stat())}\n" for path in paths)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


if __name__ == "__main__":
    sys.exit(main())
