"""What a client gets of a share and of HTTP, beside the raw speed of the same servers for the same files, in one run.

    python -m bench.smb [--polls 300] [--small 400] [--large 2] [--rounds 3]

One folder with a CAP and a DP, shown by a real smbd with the printed share definition and by a real nginx with the printed
configuration, both on loopback. The raw ones are `smbclient` and `curl`: they read the same files in one session, and check none.
Polls: two unchanged files each. First install: the content of a package brought into the cache as an agent does it, each file
verified, synced and named. Raw reading stands twice: alone, and with its file system synced at the end, since what an agent has
outlasts a power cut. Prints ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

BENCH = Path(__file__).parent
sys.path.insert(0, str(BENCH.parent / "tests"))

from http_servers import nginx_running, prepare_for_nginx  # noqa: E402 - the servers of the tests
from purveyor.client.content.held import Content  # noqa: E402
from purveyor.client.machine.disk import RealDisk  # noqa: E402
from purveyor.client.state.store import open_state  # noqa: E402
from purveyor.client_access_point.nginx import Plan  # noqa: E402
from purveyor.transport.folder.shelf import FolderShelf  # noqa: E402
from purveyor.transport.interface import Point  # noqa: E402
from purveyor.transport.open_point import Points  # noqa: E402
from purveyor.wire.ids import PackageId, SiteCode  # noqa: E402
from purveyor.wire.manifest import File, Manifest, encode, file_path, hash_of, manifest_path  # noqa: E402
from purveyor.wire.settings import AgentSettings, Shards  # noqa: E402
from samba_server import PASSWORD, Samba, samba_as_printed  # noqa: E402

POLLED = ("clidata.box/timestamp.json", "offerinf.box/lookup/00.lkp")
SMALL_BYTES = 32 * 1024
LARGE_BYTES = 64 * 2**20
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = AgentSettings(
    site=SiteCode("S01"), incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=(), disk_reserve_bytes=0
)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polls", type=int, default=300)
    parser.add_argument("--small", type=int, default=400)
    parser.add_argument("--large", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        site = Path(scratch)
        site.chmod(0o755)
        cap, dp = FolderShelf(site / "CAP_S01"), FolderShelf(site / "DP_S01")
        cap.make_boxes()
        for path in POLLED:
            cap.replace(path, os.urandom(1500))
        small = _published(dp, SMALL_BYTES, options.small)
        large = _published(dp, LARGE_BYTES, options.large)
        prepare_for_nginx(cap.folder)
        plan = Plan(cap_folder=str(cap.folder), dp_folder=str(dp.folder), listen="80")
        with nginx_running(plan) as nginx, samba_as_printed(site) as samba:
            print(f"polls of {len(POLLED)} unchanged files, a second; median of {options.rounds}")
            _compare(site, _poll_ways(samba, nginx.url, options.polls), options.polls, "polls/s", options.rounds)
            for name, tree in ((f"{options.small} files of 32 KiB", small), (f"{options.large} files of 64 MiB", large)):
                print(f"first install: {name}, MB a second; median of {options.rounds}")
                ways = _install_ways(samba, nginx.url, tree)
                _compare(site, ways, tree.size_bytes / 1e6, "MB/s", options.rounds)


def _published(shelf: FolderShelf, size_bytes: int, count: int) -> Manifest:
    """So many new files on a DP, with their manifest."""
    files = []
    for number in range(count):
        content = os.urandom(size_bytes)
        shelf.write(file_path(hash_of(content)), content)
        files.append(File(path=f"{number:06}", sha256=hash_of(content), size_bytes=size_bytes))
    tree = Manifest(files=tuple(files))
    shelf.write(manifest_path(hash_of(encode(tree))), encode(tree))
    return tree


def _poll_ways(samba: Samba, http_url: str, count: int) -> dict[str, Callable[[Path], None]]:
    def of_point(point: Point) -> Callable[[Path], None]:
        tags = {}
        for path in POLLED:
            answer = point.read(path, limit_bytes=2**20)
            assert answer is not None
            tags[path] = answer.tag

        def poll(_fresh: Path) -> None:
            for _ in range(count):
                for path, tag in tags.items():
                    assert point.read(path, limit_bytes=2**20, tag=tag) is None

        return poll

    points = Points(lambda: samba.credentials)
    gets = "; ".join(f"get {path.replace('/', chr(92))} /dev/null" for path in POLLED)
    urls = [word for path in POLLED for word in ("-o", "/dev/null", f"{http_url}/cap/{path}")]
    return {
        "SMB, the agent's transport": of_point(points.at(samba.url)),
        "SMB, smbclient": lambda _: _smbclient(samba, "CAP_S01", "; ".join([gets] * count)),
        "HTTP, the agent's transport": of_point(points.at(f"{http_url}/cap")),
        "HTTP, curl": lambda _: _run(["curl", "-sf", *urls * count]),
    }


def _install_ways(samba: Samba, http_url: str, tree: Manifest) -> dict[str, Callable[[Path], None]]:
    points = Points(lambda: samba.credentials)
    manifest = hash_of(encode(tree))

    def of_agent(url: str) -> Callable[[Path], None]:
        def install(fresh: Path) -> None:
            content = Content(RealDisk(fresh), open_state(str(fresh / "agent.db")))
            fetched = content.fetch(manifest, PackageId("S0100001"), [points.at(url)], SETTINGS, NOW)
            assert fetched.is_ready, fetched

        return install

    def smbclient(fresh: Path) -> None:
        gets = [f"get files\\{one.sha256[:2]}\\{one.sha256} {fresh}/{one.sha256}" for one in tree.files]
        _smbclient(samba, "DP_S01", "; ".join(gets))

    def curl(fresh: Path) -> None:
        urls = (("-o", f"{fresh}/{one.sha256}", f"{http_url}/dp/{file_path(one.sha256)}") for one in tree.files)
        _run(["curl", "-sf", *(word for url in urls for word in url)])

    def synced(install: Callable[[Path], None]) -> Callable[[Path], None]:
        def go(fresh: Path) -> None:
            install(fresh)
            _run(["sync", "--file-system", str(fresh)])

        return go

    return {
        "SMB, as an agent": of_agent(samba.url.replace("CAP_", "DP_")),
        "SMB, smbclient": smbclient,
        "SMB, smbclient and sync": synced(smbclient),
        "HTTP, as an agent": of_agent(f"{http_url}/dp"),
        "HTTP, curl": curl,
        "HTTP, curl and sync": synced(curl),
    }


def _compare(folder: Path, ways: dict[str, Callable[[Path], None]], amount: float, unit: str, rounds: int) -> None:
    """The ways take turns, so that what else the machine does meets all of them; each has an empty folder, on a synced disk."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, go in ways.items():
            with tempfile.TemporaryDirectory(dir=folder) as fresh:
                os.sync()
                began = time.perf_counter()
                go(Path(fresh))
                times[name].append(time.perf_counter() - began)
    speeds = {name: amount / statistics.median(taken) for name, taken in times.items()}
    raw = {name.partition(",")[0]: speed for name, speed in speeds.items() if name.endswith(("smbclient", "curl"))}
    for name, speed in speeds.items():
        print(f"  {name:<28} {speed:10,.0f} {unit:<8} {speed / raw[name.partition(',')[0]]:6.2f} of the raw one")


def _smbclient(samba: Samba, share: str, command: str) -> None:
    words = ["smbclient", f"//127.0.0.1/{share}", "-p", str(samba.port), "-U", f"{samba.credentials.user}%{PASSWORD}", "-E"]
    _run([*words, "--client-protection=encrypt"], command.replace("; ", "\n"))


def _run(words: list[str], said: str = "") -> None:
    subprocess.run(words, input=said, text=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
