"""Making files outlast a power cut, one or many of them in one call.

A few files are synced one by one, with the folders that name them; for more, Linux syncs their whole file system at once.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ONE_BY_ONE_LIMIT = 8
"""With more files than this one sync of the whole file system costs less."""


def make_durable(root: str, places: Iterable[str], *, one_by_one_limit: int = ONE_BY_ONE_LIMIT) -> None:
    """Returns once these files below `root`, their names, and the absence of those that are gone, will survive a power cut.

    Errors: OSError when the system could not write something.
    """
    chosen = list(places)
    if len(chosen) > one_by_one_limit and sync_file_system(root):
        return
    folders: set[str] = set()
    for place in chosen:
        _sync(place)
        folders.update(folders_between(root, place))
    for folder in sorted(folders, key=len, reverse=True):
        _sync(folder)


def write_new(path: Path, content: bytes, *, mode: int = 0o600, owned_as: Path | None = None) -> None:
    """Writes a file that was not there, for its owner alone unless `mode` says otherwise; it survives a power cut.

    `owned_as`: a folder to whose owner it belongs, where root writes it. Errors: OSError; FileExistsError when something has that
    name.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if owned_as is not None:
            give_as(owned_as, path)
    make_durable(str(path.parent), [str(path)])


def replace_whole(path: Path, content: bytes, *, mode: int = 0o600, owned_as: Path | None = None) -> None:
    """Gives a file this content: under its name it lies whole or as it was, and survives a power cut.

    `owned_as`: as `write_new`. Errors: OSError.
    """
    aside = path.with_name(f"{path.name}.partial")
    aside.unlink(missing_ok=True)
    write_new(aside, content, mode=mode, owned_as=owned_as)
    aside.replace(path)
    make_durable(str(path.parent), [str(path)])


def give_as(folder: Path, path: Path) -> None:
    """What root made belongs to whoever a folder belongs to; whoever else made it keeps it. Errors: OSError."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def folders_between(root: str, place: str) -> list[str]:
    """The folders that hold `place`, from its own up to `root`."""
    folders = []
    at = place
    while len(at) > len(root):
        at = os.path.dirname(at)
        folders.append(at)
    return folders


def sync_file_system(root: str) -> bool:
    """Makes all that was written to a folder's file system outlast a power cut; False where the system knows no such call.

    Errors: OSError.
    """
    syncfs = _find_syncfs()
    if syncfs is None:
        return False
    descriptor = os.open(root, os.O_RDONLY)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), root)
    finally:
        os.close(descriptor)
    return True


def _sync(place: str) -> None:
    try:
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return
    except PermissionError:
        if sys.platform == "win32":  # folders cannot be opened there, and need not be
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _find_syncfs() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found
