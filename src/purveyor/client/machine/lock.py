"""The lock on a state folder: one pass at a time. It goes with its process, however that ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from purveyor.wire.errors import RefusedError, UnavailableError

_TRY_SECONDS = 0.1
LOCK_FILE = "pass.lock"
"""Held while the agent changes its state: by a pass, and by every command that acts."""


@contextmanager
def held(folder: Path, *, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds the lock of a state folder, waiting so long at most for another to let it go.

    Errors: RefusedError, saying that `what` is under way, when another process holds it; UnavailableError.
    """
    path = folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        try:
            _take(descriptor, time.monotonic() + wait_seconds)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            by = f" (process {holder})" if holder.isdigit() else ""
            raise RefusedError(f"{what} is under way already in {folder}{by}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, deadline: float) -> None:
    """Takes the lock, trying until a time. Errors: BlockingIOError."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_TRY_SECONDS)
        else:
            return
