"""A running site publishes one advertisement to a collection of N registered clients: seconds from the command to the timestamp.

    python -m bench.publish [--clients 100000] [--folder DIR] [--database URL]

Prints the rows and files there are, and for the first advertisement of a collection (its members' shards must name it from
then on) and for a second one: seconds from sending the command until the new timestamp lies in the box, until the last shard
lies there, and how many files were written and signatures made for it. Aim: under 1 s to the timestamp, at 100,000 and at
1,000,000 clients.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import urllib3

from bench.registered import is_quiet, make_collection, make_site, shard_files
from purveyor.cli.call import Access
from purveyor.cli.rest import Rest
from purveyor.site_server.site import open_site

_LOOK_SECONDS = 0.002
_COUNTED_SECONDS = 3
_QUIET_SECONDS = 0.05


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--database", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        measure((options.folder or Path(scratch)) / "site", options.clients, options.database)


def measure(folder: Path, client_count: int, database_url: str) -> None:
    """Makes the site, runs it as a process, and publishes to it."""
    began = time.perf_counter()
    site = make_site(folder, client_count, database_url=database_url)
    collection = make_collection(site, "Bench", client_count)
    site.database.dispose()
    made = time.perf_counter() - began
    print(f"site of {client_count} registered clients, {len(shard_files(folder))} shards on disk, made in {made:.1f} s")
    with subprocess.Popen(
        [sys.executable, "-m", "purveyor.cli", "site", "run", str(folder), "--listen", "127.0.0.1:0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            rest = _rest_of(folder)
            package = rest.post("/packages", {"name": "Bench"})["id"]
            for name in ("first", "second"):
                rest.post(f"/packages/{package}/programs", {"name": name, "command": "true"})
            _wait_for_quiet(folder)
            time.sleep(_COUNTED_SECONDS)
            for name in ("first", "second"):
                _publish(
                    folder,
                    rest,
                    {
                        "package": package,
                        "program": name,
                        "collection": collection,
                        "assignments": ["asap"],
                        "is_confirmed": True,
                    },
                )
        finally:
            process.terminate()


def _publish(folder: Path, rest: Rest, advertisement: dict[str, object]) -> None:
    timestamp = folder / "CAP_S01" / "clidata.box" / "timestamp.json"
    before, counted = timestamp.read_bytes(), _totals(folder)
    began = time.perf_counter()
    rest.post("/advertisements", advertisement)
    answered = time.perf_counter() - began
    while timestamp.read_bytes() == before:
        time.sleep(_LOOK_SECONDS)
    published = time.perf_counter() - began
    _wait_for_quiet(folder)
    finished = time.perf_counter() - began
    time.sleep(_COUNTED_SECONDS)  # a turn counts what it did when it is over
    made = {name: amount - counted.get(name, 0) for name, amount in _totals(folder).items()}
    print(
        f"{advertisement['program']:>6} advertisement of the collection: answered {answered:.3f} s, timestamp {published:.3f} s, "
        f"last shard {finished:.1f} s; {made['files_published']:.0f} files, {made['shards_published']:.0f} shards, "
        f"{made['signatures']:.0f} signatures"
    )


def _wait_for_quiet(folder: Path) -> None:
    """Until nothing is wanted and nothing is unwritten."""
    site = open_site(folder)
    try:
        while not is_quiet(site):
            time.sleep(_QUIET_SECONDS)
    finally:
        site.database.dispose()


def _totals(folder: Path) -> dict[str, float]:
    """The site's own counters."""
    url = (folder / "site.url").read_text().strip()

    text = urllib3.request("GET", f"{url}/metrics").data.decode()
    totals = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("purveyor_") and name.endswith("_total"):
            totals[name.removeprefix("purveyor_").removesuffix("_total")] = float(value)
    return {"files_published": 0.0, "shards_published": 0.0, "signatures": 0.0} | totals


def _rest_of(folder: Path) -> Rest:
    while not (folder / "site.url").exists():
        time.sleep(0.05)
    return Rest(Access(url=(folder / "site.url").read_text().strip(), token=(folder / "admin.token").read_text().strip()))


if __name__ == "__main__":
    main()
