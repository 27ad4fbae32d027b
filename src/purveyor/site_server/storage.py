"""How much room is left where the site writes: told before it is used up, so that nobody finds out by what stands still.

When it is used up, turns fail and are tried again, items stay in their boxes and commands are refused; nothing is lost. A
database on a server of its own is that server's to watch.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

LOW_BYTES = 2 * 2**30
"""With less room than this it is told."""


def free_bytes(folder: Path) -> int:
    """The room on a folder's disk. Errors: OSError."""
    return shutil.disk_usage(folder).free


def low_room(folders: Iterable[Path], *, room_of: Callable[[Path], int] = free_bytes) -> list[str]:
    """What is short of room among these folders, in words, each disk once; one that cannot be looked at says nothing here."""
    found: dict[int, str] = {}
    for folder in folders:
        try:
            disk, free = os.stat(folder).st_dev, room_of(folder)
        except OSError:
            continue
        if free < LOW_BYTES:
            found.setdefault(disk, f"{free // 2**20} MiB are left on the disk of {folder}: make room before it is full")
    return list(found.values())
