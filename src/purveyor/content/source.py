"""An administrator's source folder or file, as it is on disk at this moment: what lies in it, and the bytes of each file.

Never follows a link, never opens what is no regular file, never writes. Upstream: a person's disk, which others may be
writing to just now. Downstream: `take_in`.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from purveyor.content.tree import check_links, check_names
from purveyor.content.verify import PIECE_BYTES
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.manifest import NAME_LIMIT_BYTES

ENTRY_LIMIT = 1_000_000
PATH_LIMIT_BYTES = 3000
"""Less than a manifest may hold: a client lays the tree out below a folder of its own, within the 4096 bytes of a path."""

READ_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BUSY = {errno.ENOENT, errno.ENOTDIR, errno.EBUSY, errno.ETXTBSY, errno.EAGAIN, errno.ESTALE, errno.ELOOP}
_BUSY_ON_WINDOWS = {32, 33}
"""ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION."""


class BusyError(UnavailableError):
    """Something in the source changes, vanishes or is locked just now; a little later it may not be."""


class Seen(NamedTuple):
    """What tells that a file is still the one that was read."""

    size_bytes: int
    changed_at_ns: int
    is_executable: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything in a source at one moment. Shape: files and links by path; folders are those that hold nothing."""

    files: dict[str, Seen] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a source lies, all links on the way to it followed. `file_name` is set when it is a single file."""

    place: str
    file_name: str = ""

    def place_of(self, path: str) -> str:
        """Where a file of the tree lies on disk."""
        return self.place if self.file_name else os.path.join(self.place, path)


def find_source(path: Path) -> Source:
    """The source that a person named.

    Errors: RefusedError: nothing there, not readable, the root of a file system, neither a folder nor a file.
    """
    try:
        place = os.path.realpath(path, strict=True)
        mode = os.stat(place).st_mode
    except (OSError, ValueError) as error:
        raise RefusedError(f"the source {str(path)!r} cannot be read: {_words(error)}") from error
    if place == os.path.dirname(place):
        raise RefusedError(f"the source {str(path)!r} is the root of a file system: name the folder that is to be distributed")
    if stat.S_ISDIR(mode):
        return Source(place)
    if stat.S_ISREG(mode):
        return Source(place, os.path.basename(os.path.abspath(path)))
    raise RefusedError(f"the source {str(path)!r} is {_kind(mode)}: a folder or a file is expected")


def scan(source: Source) -> Scan:
    """All that lies in the source now, its names and links seen to be possible on every client.

    Errors: RefusedError, naming the path; BusyError when it changes meanwhile.
    """
    found = Scan()
    if source.file_name:
        _check_path(source.file_name)
        _sort_in(found, source.file_name, source.place, _lstat(source.place, source.file_name))
    else:
        _scan_folders(source.place, found)
    if not found.files:
        raise RefusedError(f"the source {source.place!r} holds no files; leave the source out for a package without content")
    try:
        check_names([*found.files, *found.links, *found.folders])
        check_links(found.links)
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    return found


def read_pieces(place: str, path: str, *, limit_bytes: int, seen: Seen | None = None) -> Iterator[bytes]:
    """The bytes of one file, in pieces; when `seen` is given, only if the file is that one before and after.

    Errors: BusyError: it is not, has grown beyond the limit, vanished or is locked; RefusedError: it may not be read.
    """
    try:
        with open(place, "rb", buffering=0, opener=lambda name, _: os.open(name, READ_FLAGS)) as stream:
            _expect(seen, os.fstat(stream.fileno()), path)
            left_bytes = limit_bytes
            while piece := stream.read(min(PIECE_BYTES, left_bytes + 1)):
                left_bytes -= len(piece)
                if left_bytes < 0:
                    raise BusyError(f"{path!r} changes while it is read")
                yield piece
            _expect(seen, os.fstat(stream.fileno()), path)
            if seen is not None and left_bytes:
                raise BusyError(f"{path!r} changes while it is read")
    except OSError as error:
        raise _explained(error, path) from error


def _scan_folders(root: str, found: Scan) -> None:
    ahead = [""]
    while ahead:
        folder = ahead.pop()
        is_empty = True
        for name in _names(os.path.join(root, folder), folder):
            is_empty = False
            path = f"{folder}/{name}" if folder else name
            _check_path(path)
            place = os.path.join(root, path)
            status = _lstat(place, path)
            if stat.S_ISDIR(status.st_mode):
                ahead.append(path)
            else:
                _sort_in(found, path, place, status)
            if len(found.files) + len(found.links) + len(found.folders) + len(ahead) > ENTRY_LIMIT:
                raise RefusedError(
                    f"the source {root!r} holds more than {ENTRY_LIMIT} files: put them into an archive or several packages"
                )
        if is_empty and folder:
            found.folders.add(folder)


def _sort_in(found: Scan, path: str, place: str, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        try:
            target = os.readlink(place)
        except OSError as error:
            raise _explained(error, path) from error
        _check_utf8(target, f"the link {path!r} leads to {target!r}, which")
        found.links[path] = target
    elif stat.S_ISREG(status.st_mode):
        found.files[path] = _seen(status)
    else:
        raise RefusedError(f"{path!r} is {_kind(status.st_mode)}: only files, folders and links can be distributed")


def _names(place: str, folder: str) -> list[str]:
    try:
        return os.listdir(place)
    except OSError as error:
        raise _explained(error, folder or place) from error


def _lstat(place: str, path: str) -> os.stat_result:
    try:
        return os.lstat(place)
    except OSError as error:
        raise _explained(error, path) from error


def _seen(status: os.stat_result) -> Seen:
    return Seen(status.st_size, status.st_mtime_ns, bool(status.st_mode & stat.S_IXUSR))


def _expect(seen: Seen | None, status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode) or (seen is not None and _seen(status) != seen):
        raise BusyError(f"{path!r} changes while it is read")


def _check_path(path: str) -> None:
    name = path.rpartition("/")[2]
    _check_utf8(name, f"the name of {path!r}")
    if len(name.encode()) > NAME_LIMIT_BYTES:
        raise RefusedError(f"the name of {path!r} is longer than {NAME_LIMIT_BYTES} bytes")
    if len(path.encode()) > PATH_LIMIT_BYTES:
        raise RefusedError(f"the path {path[:80]!r}… is longer than {PATH_LIMIT_BYTES} bytes")


def _check_utf8(text: str, subject: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError(f"{subject} is not UTF-8: rename it") from error


def _explained(error: OSError, path: str) -> BusyError | RefusedError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return BusyError(f"{path!r} vanished while it was read")
    if error.errno in _BUSY or getattr(error, "winerror", None) in _BUSY_ON_WINDOWS:
        return BusyError(f"{path!r} is busy: {_words(error)}")
    if error.errno == errno.ENAMETOOLONG:
        return RefusedError(f"the path {path[:80]!r}… is too long for this system")
    return RefusedError(f"{path!r} cannot be read: {_words(error)}")


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _kind(mode: int) -> str:
    match stat.S_IFMT(mode):
        case stat.S_IFCHR | stat.S_IFBLK:
            return "a device"
        case stat.S_IFIFO:
            return "a pipe"
        case stat.S_IFSOCK:
            return "a socket"
        case _:
            return "no regular file"
