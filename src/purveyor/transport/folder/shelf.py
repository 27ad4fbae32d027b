"""A CAP's or DP's folder in its owner's hand: the one writer of the down boxes, the one who takes items out of the up boxes.

Whatever it shows was whole before it was seen. What a client does with such a folder is in `point.py`.
"""

import errno
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from purveyor.transport.durable import make_durable
from purveyor.transport.folder.confined import (
    FOLDER_MODE,
    PIECE_BYTES,
    create_aside,
    locate,
    open_file,
    read_at_most,
    unavailable,
    write_all,
    write_aside,
)
from purveyor.transport.interface import Listed, Stray
from purveyor.transport.paths import check_path
from purveyor.transport.streams import Measured
from purveyor.wire.boxes import BOXES, UP_BOXES
from purveyor.wire.errors import AbsentError, RejectedError

ASIDE = ".aside"
"""Where the owner writes before renaming; hidden, never served."""
ARRIVING = ".arriving"
"""Where clients over a share write items before they move them into a box; not every CAP has it (`purveyor cap smb-config`)."""
FULL = ".full"
"""A box that holds this name takes nothing more: the owner puts it there when too many items wait."""
UP_MODE = 0o1730
"""The owner reads an up box; its group may drop items into it, but neither list them nor take away each other's."""

_READ_LIMIT_BYTES = 256 * 2**20
_NOT_TO_BE_REMOVED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EPERM, errno.EACCES, errno.EBUSY})
"""What the system says of one thing; others can be removed all the same."""


class FolderShelf:
    """A CAP's or DP's folder in its owner's hand. There is one owner at a time.

    Folders are made as they are needed: up boxes with `up_mode`, all others readable for everybody.
    """

    def __init__(self, folder: Path | str, *, up_mode: int = UP_MODE) -> None:
        self._folder = os.path.abspath(folder)
        self._up_mode = up_mode
        self._numbers = itertools.count(1)
        self._unsynced: set[str] = set()
        self._gone_ns: dict[str, int] = {}
        self._is_swept = False

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(self._folder)

    def make_boxes(self) -> None:
        """Makes the boxes of a CAP that are not there; those that are keep the owner and mode that they have."""
        for box in BOXES:
            try:
                self._make_folder(box.name)
            except OSError as error:
                raise unavailable(error, f"{self._folder}/{box.name}", "make") from error

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none. Errors: RejectedError for a link, pipe or giant; UnavailableError."""
        opened = self._opened(path)
        if opened is None:
            return None
        descriptor, seen = opened
        try:
            if seen.st_size > _READ_LIMIT_BYTES:
                raise RejectedError(f"{self._folder}/{path} has {seen.st_size} bytes, too many to be read at once")
            return read_at_most(descriptor, _READ_LIMIT_BYTES)
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "read") from error
        finally:
            os.close(descriptor)

    def write(self, path: str, content: bytes, *, is_synced: bool = False) -> None:
        """Writes a file that will never change; a damaged one under that name is mended. Errors: UnavailableError."""
        self._place(path, content, is_synced=is_synced, is_mutable=False)

    def replace(self, path: str, content: bytes, *, is_synced: bool = False) -> None:
        """Replaces a mutable file; its modification time is at least one whole second after the one before.

        With no file before it, the folder's last change and the newest file removed there stand in for it.
        Source: the protocol, section 3.4: a static server's entity tag is made of seconds and size.
        Errors: UnavailableError.
        """
        self._place(path, content, is_synced=is_synced, is_mutable=True)

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """Writes a file that will never change from pieces; gives its size in bytes. Errors: as `Shelf.write_from`."""
        check_path(path)
        aside = self._new_aside()
        measured = Measured(pieces, path, limit_bytes)
        is_placed = False
        try:
            self._open_aside()
            target = self._target(path)
            descriptor = create_aside(aside)
            try:
                for piece in measured:
                    write_all(descriptor, piece)
            finally:
                os.close(descriptor)
            os.replace(aside, target)
            is_placed = True
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "write") from error
        finally:
            if not is_placed:
                with suppress(OSError):
                    os.unlink(aside)
        self._unsynced.add(target)
        return measured.size_bytes

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces. Errors: AbsentError, RejectedError for a link or pipe, UnavailableError."""
        opened = self._opened(path)
        if opened is None:
            raise AbsentError(f"{self._folder} has no {path}")
        descriptor, _ = opened
        try:
            while piece := os.read(descriptor, PIECE_BYTES):
                yield piece
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "read") from error
        finally:
            os.close(descriptor)

    def size_of(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none. Errors: RejectedError for a link or pipe; UnavailableError."""
        opened = self._opened(path)
        if opened is None:
            return None
        os.close(opened[0])
        return opened[1].st_size

    def free_bytes(self) -> int | None:
        """What the disk has left for this account; None before the folder is made. Errors: UnavailableError."""
        try:
            seen = os.statvfs(self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unavailable(error, self._folder, "read") from error
        return seen.f_bavail * seen.f_frsize

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none. Errors: UnavailableError."""
        try:
            place = locate(self._folder, path)
            folder = os.path.dirname(place)
            self._gone_ns[folder] = max(self._gone_ns.get(folder, 0), os.lstat(place).st_mtime_ns)
            os.unlink(place)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "remove") from error
        self._unsynced.add(place)

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Complete files directly in a folder, in any order, at most `limit`; none when there is no such folder.

        Errors: UnavailableError. What vanishes meanwhile, hidden names, links and folders are left out.
        """
        before_ns = None if until is None else int(until.timestamp() * 1_000_000_000)
        check_path(folder)
        found: list[Listed] = []
        try:
            with os.scandir(os.path.dirname(locate(self._folder, f"{folder}/_"))) as entries:
                for entry in entries:
                    if len(found) >= limit:
                        break
                    if (size_bytes := _size_of(entry, before_ns)) is not None:
                        found.append(Listed(entry.name, size_bytes))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{folder}", "list") from error
        return found

    def names(self, *, limit: int) -> list[str]:
        """Names of whatever lies directly in the folder but hidden ones, at most `limit`. Errors: UnavailableError."""
        try:
            with os.scandir(self._folder) as entries:
                return list(itertools.islice((entry.name for entry in entries if not entry.name.startswith(".")), limit))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unavailable(error, self._folder, "list") from error

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Removes each of these folders in which nothing is left, and the place for asides. Errors: none; what is used stays."""
        self._is_swept = False
        for folder in folders:
            with suppress(OSError, RejectedError):
                os.rmdir(locate(self._folder, folder))
        with suppress(OSError):
            os.rmdir(f"{self._folder}/{ASIDE}")

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """Whatever lies directly in a folder, but for plain files of usual names and the mark of a full box."""
        place = f"{self._folder}/{folder}"
        found: list[Stray] = []
        try:
            if stat.S_ISLNK(os.lstat(place).st_mode):
                return []
            with os.scandir(place) as entries:
                for entry in entries:
                    if len(found) >= limit:
                        break
                    is_usual = entry.name == FULL or (usual.fullmatch(entry.name) and entry.is_file(follow_symlinks=False))
                    if not is_usual and (tag := _tag_of(entry)):
                        found.append(Stray(entry.name, tag))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unavailable(error, place, "list") from error
        return found

    def sweep(self, folder: str, name: str) -> bool:
        """Removes a stray; False when it cannot be. Errors: UnavailableError."""
        place = f"{self._folder}/{folder}/{name}"
        try:
            (os.rmdir if stat.S_ISDIR(os.lstat(place).st_mode) else os.unlink)(place)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in _NOT_TO_BE_REMOVED:
                return False
            raise unavailable(error, place, "remove") from error
        return True

    def close(self) -> None:
        """Nothing: no connection is kept."""

    def set_full(self, box: str, *, is_full: bool) -> None:
        """Lets an up box take nothing more, or take again: every server of the folder heeds it. Errors: UnavailableError.

        Servers look for the mark; clients of a share are refused by the box's rights, and look for nothing.
        """
        check_path(box)
        mark = f"{self._folder}/{box}/{FULL}"
        try:
            if is_full:
                os.close(create_aside(mark))
            else:
                os.unlink(mark)
            _let_group_drop(os.path.dirname(mark), is_let=not is_full)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error, mark, "mark") from error

    def mark_full_boxes(self) -> list[str]:
        """Counts what waits in the up boxes, lets the full ones take nothing more and the others take again.

        A box that somebody removed is made again, with the rights that it is to have (Q200830).
        Shape: the names of the full ones. Errors: UnavailableError.
        """
        full = []
        for box in UP_BOXES:
            place = f"{self._folder}/{box.name}"
            try:
                is_full = len(os.listdir(place)) > box.depth_limit
            except FileNotFoundError:
                self.make_boxes()
                continue
            except OSError as error:
                raise unavailable(error, place, "count") from error
            if is_full != os.path.lexists(f"{place}/{FULL}"):
                self.set_full(box.name, is_full=is_full)
            full += [box.name] if is_full else []
        return full

    def sync(self) -> None:
        """Makes everything written and removed so far outlast a power cut. Errors: UnavailableError; a later call tries again."""
        unsynced, self._unsynced = self._unsynced, set()
        try:
            make_durable(self._folder, unsynced)
        except OSError as error:
            self._unsynced |= unsynced
            raise unavailable(error, self._folder, "sync") from error

    def _place(self, path: str, content: bytes, *, is_synced: bool, is_mutable: bool) -> None:
        check_path(path)
        aside = self._new_aside()
        try:
            self._open_aside()
            target = self._target(path)
            write_aside(aside, content, is_synced=is_synced)
            if is_mutable:
                _date_after(aside, self._last_change_ns(target))
            os.replace(aside, target)
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "write") from error
        self._unsynced.add(target)

    def _opened(self, path: str) -> tuple[int, os.stat_result] | None:
        """A descriptor of a plain file and what it is; None when there is none."""
        try:
            return open_file(self._folder, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unavailable(error, f"{self._folder}/{path}", "read") from error

    def _new_aside(self) -> str:
        return f"{self._folder}/{ASIDE}/{os.getpid()}-{next(self._numbers)}"

    def _target(self, path: str) -> str:
        try:
            return locate(self._folder, path)
        except FileNotFoundError:
            folders = path.split("/")[:-1]
            for depth in range(1, len(folders) + 1):
                self._make_folder("/".join(folders[:depth]))
            return locate(self._folder, path)

    def _last_change_ns(self, target: str) -> int:
        """The modification time that a replacement has to come after."""
        try:
            return os.lstat(target).st_mtime_ns
        except FileNotFoundError:
            folder = os.path.dirname(target)
            return max(os.lstat(folder).st_mtime_ns, self._gone_ns.get(folder, 0))

    def _make_folder(self, folder: str) -> None:
        mode = self._up_mode if any(folder == box.name for box in UP_BOXES) else FOLDER_MODE
        os.makedirs(self._folder, FOLDER_MODE, exist_ok=True)
        place = f"{self._folder}/{folder}"
        try:
            os.mkdir(place, mode)
        except FileExistsError:
            return
        os.chmod(place, mode)

    def _open_aside(self) -> None:
        """Makes the place for asides once, and clears away what an owner left there whom a power cut or a kill ended."""
        if self._is_swept:
            return
        folder = f"{self._folder}/{ASIDE}"
        os.makedirs(self._folder, FOLDER_MODE, exist_ok=True)
        os.makedirs(folder, 0o700, exist_ok=True)
        own = f"{os.getpid()}-"
        for name in os.listdir(folder):
            if not name.startswith(own):
                os.unlink(f"{folder}/{name}")
        self._is_swept = True


def _tag_of(entry: os.DirEntry[str]) -> str:
    """What tells a thing from what it was before; empty when it has gone."""
    try:
        seen = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return ""
    return f"{seen.st_mode:o}-{seen.st_size}-{seen.st_mtime_ns}"


def _let_group_drop(box: str, *, is_let: bool) -> None:
    """Takes the right to drop items from a box's group, or gives it back; a box that its group cannot enter stays as it is."""
    mode = stat.S_IMODE(os.stat(box).st_mode)
    if mode & stat.S_IXGRP:
        os.chmod(box, mode | stat.S_IWGRP if is_let else mode & ~stat.S_IWGRP)


def _date_after(aside: str, before_ns: int) -> None:
    earliest_ns = before_ns + 1_000_000_000
    if os.lstat(aside).st_mtime_ns < earliest_ns:
        os.utime(aside, ns=(earliest_ns, earliest_ns))


def _size_of(entry: os.DirEntry[str], before_ns: int | None) -> int | None:
    """The size of a plain file, last written before that time where one is given."""
    if entry.name.startswith("."):
        return None
    try:
        seen = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    is_meant = stat.S_ISREG(seen.st_mode) and (before_ns is None or seen.st_mtime_ns < before_ns)
    return seen.st_size if is_meant else None
