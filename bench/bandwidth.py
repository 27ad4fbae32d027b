"""How near what comes is to what a budget allows, and what a budget costs where it allows everything, in one run.

    python -m bench.bandwidth [--seconds 15] [--rates 256K 4M] [--rounds 3]

One folder with a DP, shown by a real nginx and, where there is one, a real smbd, with the printed configurations, and by the
built-in server; all on loopback. An agent's fetch is paced pass by pass, as it is in life; a push writes a file into a folder and
reads it back; the built-in server sends to four clients at once. Prints achieved over allowed. Then the same large file as fast
as it comes: without a budget, with one that never holds back, and by a bare read of the same answer.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

BENCH = Path(__file__).parent
sys.path.insert(0, str(BENCH.parent / "tests"))

from http_servers import nginx_running, prepare_for_nginx, serving  # noqa: E402 - the servers of the tests
from purveyor.client.budget import Allowance, PacedPoint  # noqa: E402
from purveyor.client.content.fetch import Sources, fetch_files  # noqa: E402
from purveyor.client.machine.real import RealMachine  # noqa: E402
from purveyor.client.state.store import State, open_state  # noqa: E402
from purveyor.client_access_point.nginx import Plan  # noqa: E402
from purveyor.content.shelf_store import ShelfStore  # noqa: E402
from purveyor.distribution_point.application import application  # noqa: E402
from purveyor.transport.folder.shelf import FolderShelf  # noqa: E402
from purveyor.transport.http.point import HttpPoint  # noqa: E402
from purveyor.transport.interface import Point  # noqa: E402
from purveyor.transport.open_point import Points  # noqa: E402
from purveyor.transport.pace import Meter, Pace  # noqa: E402
from purveyor.wire.bandwidth import UNLIMITED, Budget, parse_budget, rate_at  # noqa: E402
from purveyor.wire.errors import HeldBackError  # noqa: E402
from purveyor.wire.manifest import File, Manifest, Stored, file_path, hash_of, manifest_path  # noqa: E402
from samba_server import Samba, samba_as_printed  # noqa: E402

LARGE_BYTES = 256 * 2**20
CLIENTS = 4
NEVER_HOLDS_BACK = parse_budget("1000G")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rates", nargs="*", default=["256K", "4M"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch, ExitStack() as servers:
        bench = Bench(Path(scratch), servers)
        print("achieved of what is allowed")
        for rate in options.rates:
            bench.print_kept(parse_budget(rate), rate, options.seconds)
        print(f"a file of {LARGE_BYTES // 2**20} MiB as fast as it comes; median of {options.rounds}")
        bench.print_cost(options.rounds)


class Bench:
    """A folder with a DP, the servers that show it, and an agent's parts."""

    def __init__(self, folder: Path, servers: ExitStack) -> None:
        folder.chmod(0o755)
        cap, self.dp = FolderShelf(folder / "CAP_S01"), FolderShelf(folder / "DP_S01")
        cap.make_boxes()
        self.laid(1)
        prepare_for_nginx(cap.folder)
        plan = Plan(cap_folder=str(cap.folder), dp_folder=str(self.dp.folder), listen="80")
        self.meter = Meter(UNLIMITED, now=now)
        self.nginx = servers.enter_context(nginx_running(plan))
        self.built_in = servers.enter_context(serving(application(self.dp.folder, self.meter)))
        self.samba = servers.enter_context(samba_as_printed(folder)) if shutil.which("smbd", path="/usr/sbin:/usr/bin") else None
        self.machine = RealMachine(folder / "agent")
        self.state: State = open_state(str(folder / "agent.db"))
        self.pushed = FolderShelf(folder / "pushed")

    def laid(self, size_bytes: int) -> Stored:
        """A new file on the DP."""
        content = os.urandom(size_bytes)
        digest = hash_of(content)
        self.dp.write(file_path(digest), content)
        self.dp.write(manifest_path(digest), b"{}")  # by which a client sees that the content has come
        return Stored(file_path(digest), digest, size_bytes)

    def print_kept(self, budget: Budget, name: str, seconds: float) -> None:
        """What comes in each way under a budget, over what it allows."""
        rate = rate_at(budget, now(), UTC) or 1
        size_bytes = int(rate * seconds)
        ways: dict[str, Callable[[], None]] = {
            "a client over HTTP": lambda: self.fetch(self.over_http(), self.laid(size_bytes), budget)
        }
        if self.samba is not None:
            samba = self.samba
            ways["a client over SMB"] = lambda: self.fetch(over_smb(samba), self.laid(size_bytes), budget)
        ways["a push, written and read back"] = lambda: self.push(size_bytes // 2, budget)
        ways[f"the site's server, to {CLIENTS} clients"] = lambda: self.serve(size_bytes // CLIENTS, budget)
        for way, do in ways.items():
            elapsed = measured(do)
            print(f"  {name:>6} a second, {way:36}{size_bytes / elapsed / rate:8.3f}")

    def print_cost(self, rounds: int) -> None:
        """What a budget that never holds back costs."""
        stored = self.laid(LARGE_BYTES)
        ways: dict[str, Callable[[], None]] = {
            "a bare read": lambda: drain(whole(self.over_http(), stored)),
            "a fetch without a budget": lambda: self.fetch(self.over_http(), stored, UNLIMITED),
            "a fetch with one that never holds back": lambda: self.fetch(self.over_http(), stored, NEVER_HOLDS_BACK),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        worked: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, do in ways.items():
                begun = time.process_time()
                took[way].append(measured(do))
                worked[way].append(time.process_time() - begun)
        for way, seconds in took.items():
            cpu_seconds = statistics.median(worked[way])
            print(f"  {way:40}{LARGE_BYTES / statistics.median(seconds) / 1e6:8.0f} MB/s {cpu_seconds:8.2f} s of CPU")

    def over_http(self) -> Point:
        """The DP behind nginx."""
        return HttpPoint(f"{self.nginx.url}/dp")

    def fetch(self, point: Point, stored: Stored, budget: Budget) -> None:
        """A file as an agent fetches it, in as many passes as it takes."""
        while True:
            allowance = Allowance(budget, state=self.state, machine=self.machine)
            taken = point if budget.is_unlimited else PacedPoint(point, allowance)
            try:
                fetch_files(self.machine.disk, [stored], Sources(stored.sha256, [taken], count_absent=lambda _: None))
            except HeldBackError as error:
                allowance.keep()
                time.sleep(max(0.0, ((error.until or now()) - now()).total_seconds()))
            else:
                allowance.keep()
                self.machine.disk.remove("cache")
                return

    def push(self, size_bytes: int, budget: Budget) -> None:
        """A file as the site brings it to a DP: written, and read back."""
        content = os.urandom(size_bytes)
        pace = Pace(Meter(budget, now=now))
        place = ShelfStore(self.pushed, name="the DP", through=pace.content)
        pieces = [content[start : start + 2**18] for start in range(0, size_bytes, 2**18)]
        place.add_file(hash_of(content), pieces, size_bytes)
        file = File(path="setup", sha256=hash_of(content), size_bytes=size_bytes)
        assert place.verify(Manifest(files=(file,))) == []

    def serve(self, size_bytes: int, budget: Budget) -> None:
        """Several clients of the built-in server at once, each with a file of its own."""
        files = [self.laid(size_bytes) for _ in range(CLIENTS)]
        self.meter.budget = budget
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(lambda stored: drain(whole(HttpPoint(self.built_in), stored)), files))
        self.meter.budget = UNLIMITED


def over_smb(samba: Samba) -> Point:
    """The DP on the share."""
    return Points(lambda: samba.credentials).at(samba.url.replace("CAP_", "DP_"))


def whole(point: Point, stored: Stored) -> Iterator[bytes]:
    """All of a file."""
    return point.read_from(stored.path, offset=0, limit_bytes=stored.size_bytes)


def drain(pieces: Iterator[bytes]) -> None:
    """Reads to the end."""
    for _ in pieces:
        pass


def measured(do: Callable[[], None]) -> float:
    """How long it takes. Units: seconds."""
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
