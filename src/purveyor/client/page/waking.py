"""Wakes the sentinel of a state folder, so that it makes a pass now."""

import fcntl
import os
import signal
from pathlib import Path

from purveyor.client import sentinel


def wake(folder: Path) -> bool:
    """Asks the agent that runs in this folder for a pass. Shape: false where none runs: the next one will act."""
    try:
        descriptor = os.open(folder / sentinel.LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        if not _is_held(descriptor) or not number.isdigit() or int(number) < 2:
            return False
        os.kill(int(number), signal.SIGHUP)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_held(descriptor: int) -> bool:
    """Whether a sentinel holds its lock: else the number in the file is of a process that is gone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
