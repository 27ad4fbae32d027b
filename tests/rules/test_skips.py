"""A skipped test is a failure where it counts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def run_pytest(folder: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest over one file of tests, with this project's strictness."""
    (folder / "test_it.py").write_text(source)
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "strictness",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            str(folder),
        ],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(TESTS)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def skipping(reason: str) -> str:
    """A test that skips itself."""
    return f"import pytest\n\ndef test_it():\n    pytest.skip({reason!r})\n\ndef test_other():\n    pass\n"


def test_a_skip_without_a_listed_reason_fails_the_run_in_ci(tmp_path: Path) -> None:
    ended = run_pytest(tmp_path, skipping("no server here"), CI="true")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_it.py::test_it: Skipped: no server here" in ended.stdout


def test_a_skip_with_a_listed_reason_is_allowed_in_ci(tmp_path: Path) -> None:
    ended = run_pytest(tmp_path, skipping("there is no second file system here"), CI="true")
    assert ended.returncode == pytest.ExitCode.OK


def test_a_skip_is_allowed_where_it_does_not_count(tmp_path: Path) -> None:
    ended = run_pytest(tmp_path, skipping("no server here"))
    assert ended.returncode == pytest.ExitCode.OK
