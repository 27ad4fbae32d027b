"""What a killed run of the tests has left goes with the next one, and nothing else does."""

import os
import subprocess
import sys
from pathlib import Path

from leftovers import ENDS_WITH_US, PREFIX, sweep


def test_only_folders_of_runs_that_are_no_more_are_taken_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    kept = {f"{PREFIX}{os.getpid()}-a", "purveyor-demo-1", f"{PREFIX}notes-a"}
    for name in (*kept, f"{PREFIX}{ended.pid}-a"):
        (tmp_path / name / "below").mkdir(parents=True)
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_server_ends_with_the_run_that_started_it_even_a_killed_one() -> None:
    lines = (
        "import os, subprocess",
        f"server = subprocess.Popen([*{ENDS_WITH_US!r}, 'sh', '-c', 'echo up; exec sleep 600'], stdout=subprocess.PIPE)",
        "server.stdout.readline()",
        "os.kill(os.getpid(), 9)",
    )
    with subprocess.Popen([sys.executable, "-c", "; ".join(lines)], stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        assert run.stderr.read() == b"", "which ends when nobody holds it open any more"
