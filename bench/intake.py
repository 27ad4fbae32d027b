"""What a site does with a package of many small files: taken in, given to its own DP, pushed to another, beside a plain copy.

    python -m bench.intake [--files 1000] [--size 4096] [--rounds 3]

`purveyor package add` of a folder on this machine to a running site, in a process of its own, until the command ends; then until
the manifest lies, last of all, on the site's own DP, and on a second DP in a folder that the site pushes to. Beside it `cp`
of the same folder with the file system synced at its end.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.01


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        folder = Path(scratch)
        (folder / "pushed").mkdir()
        site = folder / "site"
        _purveyor(site, "site", "init", str(site), "--code", "S01")
        words = _command("site", "run", str(site), "--listen", "127.0.0.1:0")
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                while not (site / "site.url").exists():
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                url = "http://dp.example/DP_S01"
                _purveyor(site, "point", "add", "dp", url, "--push-to", str(folder / "pushed"))
                _measure(folder, site, options.files, options.size, options.rounds)
            finally:
                server.terminate()


def _measure(folder: Path, site: Path, count: int, size_bytes: int, rounds: int) -> None:
    took: dict[str, list[float]] = {}
    for number in range(rounds):
        source = folder / f"source{number}"
        source.mkdir()
        for name in range(count):
            (source / f"{name:06}").write_bytes(os.urandom(size_bytes))
        began = time.perf_counter()
        _purveyor(site, "package", "add", str(source), "--name", f"Bench {number}")
        took.setdefault("package add", []).append(time.perf_counter() - began)
        for what, place in (("until on the site's own DP", site / "DP_S01"), ("until on the other DP", folder / "pushed")):
            while _manifests(place) <= number:
                time.sleep(SECONDS_BETWEEN_LOOKS)
            took.setdefault(what, []).append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run(["cp", "-r", str(source), str(folder / "copied")], check=True)
        subprocess.run(["sync", "--file-system", str(folder / "copied")], check=True)
        took.setdefault("cp and sync", []).append(time.perf_counter() - began)
        subprocess.run(["rm", "-r", str(folder / "copied")], check=True)
    print(f"{count} files of {size_bytes} bytes, seconds since the command began; median of {rounds}")
    for what, seconds in took.items():
        print(f"  {what:<36}{statistics.median(seconds):8.2f}")


def _manifests(place: Path) -> int:
    """Manifests at a place that are not only to come."""
    folder = place / "manifests"
    return sum(bool(entry.stat().st_size) for entry in os.scandir(folder)) if folder.exists() else 0


def _purveyor(site: Path, *words: str) -> None:
    environment = os.environ | {"PURVEYOR_SITE_DIR": str(site)}
    subprocess.run(_command(*words), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "purveyor.cli", *words]


if __name__ == "__main__":
    main()
