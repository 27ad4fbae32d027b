"""Backing up and restoring a site of N registered clients: seconds, bytes, memory.

    python -m bench.restore [--clients 100000] [--database URL --into URL]

The rows are made directly: clients, a job state and three status messages each, all shards on disk. Prints how long a first
backup takes, a second one, reading it back, and a restore with the CAP that outlived the site and without any: from the command
to a folder in which a site can run. Memory is the peak of each command's process. With --database the site is on PostgreSQL, and
is restored into another database there, --into.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from bench.registered import make_collection, make_site, publish_all
from purveyor.site_server.database import schema
from purveyor.site_server.site import Site

_ROWS = 20_000
_MESSAGES = 3


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--database", default="")
    parser.add_argument("--into", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        measure(Path(scratch), options.clients, options.database, options.into)


def measure(folder: Path, client_count: int, database_url: str, into_url: str) -> None:
    """One site, two backups, two restores."""
    site = make_site(folder / "site", client_count, database_url=database_url)
    make_collection(site, "Everybody else", client_count)
    _insert_history(site, client_count)
    publish_all(site)
    site.database.dispose()
    backups, old = folder / "backups", folder / "site"
    _timed("first backup", "site", "backup", str(backups), "--site-dir", str(old))
    _timed("second backup", "site", "backup", str(backups), "--site-dir", str(old), "--keep", "1")
    backup = next(path for path in sorted(backups.iterdir()) if path.name.startswith("S01-"))
    size_bytes = sum(path.stat().st_size for path in backup.rglob("*") if path.is_file())
    print(f"size: {size_bytes / 1e6:.1f} MB")
    _timed("reading it back", "site", "backup", str(backups), "--verify")
    database = ["--database", into_url, "--replace"] if into_url else []
    shutil.copytree(old / "CAP_S01", folder / "with" / "CAP_S01")
    _timed("restore with its CAP", "site", "restore", str(backup), str(folder / "with"), *database)
    _timed("restore without a CAP", "site", "restore", str(backup), str(folder / "without"), *database)


def _timed(what: str, *words: str) -> None:
    """Carries a command out; prints its seconds and the peak of its memory."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "purveyor.cli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (words, process.returncode)
    seconds = time.monotonic() - began
    print(f"{what}: {seconds:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} s of CPU, {usage.ru_maxrss / 1024:.0f} MB", flush=True)


def _insert_history(site: Site, client_count: int) -> None:
    now = datetime.now(UTC)
    shared = {"package": "S0100001", "program": 1, "state": "succeeded", "occurrence": "S0120001.1@asap", "source_version": 1}
    with site.database.write() as tx:
        for start in range(1, client_count + 1, _ROWS):
            numbers = range(start, min(start + _ROWS, client_count + 1))
            job = shared | {"text": "", "at": now, "order": 1000}
            tx.execute(insert(schema.job_state), [job | {"client": number} for number in numbers])
            told = shared | {"arrived_at": now, "at": now, "status": 10008, "severity": "information", "text": "exit code 0"}
            for position in range(_MESSAGES):
                place = {"sequence": 1, "position": position}
                tx.execute(insert(schema.status_message), [told | place | {"client": number} for number in numbers])


if __name__ == "__main__":
    main()
