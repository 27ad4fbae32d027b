"""One folder for whatever a run of the tests makes under `/tmp`: it goes with the run.

A run that was killed cannot take its folder away; the next one does, once it sees that the run's process is no more. The
servers that a run has started end with it in any case (`ENDS_WITH_US`). A pytest plugin; pytest's own folders stay elsewhere.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

PREFIX = "purveyor-tests-"
ENDS_WITH_US = ("setpriv", "--pdeathsig", "INT", "--")
"""Words before a command: it is told to end when the process that started it ends, however that came about."""

_made = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Makes the run's folder; its workers and whatever they start take it over as TMPDIR."""
    if hasattr(config, "workerinput"):
        return
    around = Path(tempfile.gettempdir())
    sweep(around)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(around))
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    made.chmod(0o755)
    config.stash[_made] = made
    os.environ["TMPDIR"] = tempfile.tempdir = str(made)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Takes it away."""
    if _made in config.stash:
        shutil.rmtree(config.stash[_made], ignore_errors=True)


def sweep(around: Path) -> None:
    """Takes away the folders of runs whose process is no more."""
    for found in around.glob(f"{PREFIX}*-*"):
        process = found.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdigit() and not Path("/proc", process).exists():
            shutil.rmtree(found, ignore_errors=True)
