"""Removes a whole folder of the agent that programs have written to, whatever they left there.

A program may leave folders so deep that no path leads to their end, a mount in the middle of them, links, and folders that even
their owner may not write to; another program of the same user may go on writing there. Follows no link, enters no mount.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(name: str, above: int) -> None:
    """Removes a folder that lies in an open one, and all in it, with few open files however deep it goes.

    What lies deeper is moved up before it is entered: where something is mounted cannot be moved, and so is never entered.
    Errors: OSError, once all that can go is gone.
    """
    problems: list[OSError] = []
    top = os.open(name, _FOLDER, dir_fd=above)
    try:
        if os.fstat(top).st_dev != os.fstat(above).st_dev:
            raise OSError(errno.EBUSY, "something is mounted there")
        waiting = _emptied(top, top, problems)
        while waiting:
            moved = waiting.pop()
            with _noted(problems):
                folder = os.open(moved, _FOLDER, dir_fd=top)
                try:
                    waiting += _emptied(folder, top, problems)
                finally:
                    os.close(folder)
                os.rmdir(moved, dir_fd=top)
    finally:
        os.close(top)
    if problems:
        raise problems[0]
    os.rmdir(name, dir_fd=above)


def _emptied(folder: int, top: int, problems: list[OSError]) -> list[str]:
    """Removes the files of an open folder, and moves its folders to the top. Shape: by which names they lie there."""
    _take_over(folder)
    moved: list[str] = []
    for entry in os.listdir(folder):
        with _noted(problems):
            if _is_folder(entry, folder):
                fresh = f".{os.urandom(12).hex()}"
                os.rename(entry, fresh, src_dir_fd=folder, dst_dir_fd=top)
                moved.append(fresh)
            else:
                os.unlink(entry, dir_fd=folder)
    return moved


def _is_folder(name: str, above: int) -> bool:
    """Whether this is a folder; made one that can be moved, where the agent has no more rights than the program."""
    try:
        below = os.open(name, _FOLDER, dir_fd=above)
    except PermissionError:
        if os.geteuid() == 0:
            raise
        os.chmod(name, 0o700, dir_fd=above)
        return True
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    try:
        if os.fstat(below).st_dev != os.fstat(above).st_dev:
            raise OSError(errno.EBUSY, f"something is mounted at {name[:80]!r}")
        if os.geteuid() != 0:
            os.fchmod(below, 0o700)
    finally:
        os.close(below)
    return True


def _take_over(folder: int) -> None:
    """Lets the agent alone write to an open folder, as far as that can be."""
    with suppress(OSError):
        if os.geteuid() == 0:
            os.fchown(folder, 0, 0)
        os.fchmod(folder, 0o700)


@contextmanager
def _noted(problems: list[OSError]) -> Iterator[None]:
    """Notes the first thing that cannot be removed, and goes on; what is gone already is no problem."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        if not problems:
            problems.append(error)
