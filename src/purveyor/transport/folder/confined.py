"""Opening and placing files inside one folder and nowhere else: no link is followed, nothing but plain files is opened.

Folders on the way are looked at, the file itself is opened without following: only the owner can put anything where a folder
is expected, strangers can at most put a link or a pipe under an item's name. The folder itself may be reached through a link.
"""

import errno
import os
import stat

from purveyor.transport.paths import check_path
from purveyor.wire.errors import FullError, ReadOnlyError, RejectedError, UnavailableError

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_CREATE_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_TRUNC
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINKS_HERE = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

FOLDER_MODE = 0o755
FILE_MODE = 0o644
PIECE_BYTES = 256 * 1024


def locate(root: str, path: str) -> str:
    """Where `path` lies below `root`, once every folder on the way is seen to be a real folder.

    Errors: RejectedError for a path that leaves the folder or passes a link; OSError when a folder on the way is not there.
    """
    check_path(path)
    *folders, name = path.split("/")
    at = root
    for folder in folders:
        at = f"{at}/{folder}"
        mode = os.lstat(at).st_mode
        if stat.S_ISLNK(mode):
            raise RejectedError(f"{at} is a link; links are not followed")
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), at)
    return f"{at}/{name}"


def open_file(root: str, path: str) -> tuple[int, os.stat_result]:
    """A descriptor for reading a plain file below `root`, and what it is.

    Errors: RejectedError for a link, pipe or device; OSError as the system says, IsADirectoryError for a folder.
    """
    place = locate(root, path)
    try:
        descriptor = os.open(place, _OPEN_FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise RejectedError(f"{place} is no plain file") from error
        raise
    seen = os.fstat(descriptor)
    if stat.S_ISREG(seen.st_mode):
        return descriptor, seen
    os.close(descriptor)
    if stat.S_ISDIR(seen.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place)
    raise RejectedError(f"{place} is no plain file")


def create_aside(place: str, *, mode: int = FILE_MODE) -> int:
    """A descriptor for writing a new file that nobody looks at yet. Errors: OSError."""
    descriptor = os.open(place, _CREATE_FLAGS, mode)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)
    return descriptor


def write_all(descriptor: int, content: bytes) -> None:
    """Writes every byte, however few of them the system takes at a time. Errors: OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_aside(aside: str, content: bytes, *, is_synced: bool) -> None:
    """Writes a new file that nobody looks at yet; one that could not be written whole leaves no trace. Errors: OSError."""
    descriptor = create_aside(aside)
    is_whole = False
    try:
        write_all(descriptor, content)
        if is_synced:
            os.fsync(descriptor)
        is_whole = True
    finally:
        os.close(descriptor)
        if not is_whole:
            os.unlink(aside)


def read_at_most(descriptor: int, limit_bytes: int) -> bytes:
    """The bytes from here on, `limit_bytes` of them if there are as many. Errors: OSError."""
    pieces = []
    rest = limit_bytes
    while rest > 0 and (piece := os.read(descriptor, min(rest, PIECE_BYTES))):
        pieces.append(piece)
        rest -= len(piece)
    return b"".join(pieces)


def tag_of(seen: os.stat_result) -> str:
    """The tag of a file in a folder: it changes with every replacement."""
    return f"{seen.st_mtime_ns:x}-{seen.st_size:x}-{seen.st_ino:x}"


def place_new(aside: str, target: str) -> bool:
    """Makes the finished file visible under a name that nothing has; says whether it did. The aside is gone either way.

    Where the file system has no hard links, looking and renaming are two steps; names of 128 random bits make that harmless.
    Errors: OSError.
    """
    try:
        os.link(aside, target)
    except FileExistsError:
        os.unlink(aside)
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        if os.path.lexists(target):
            os.unlink(aside)
            return False
        os.rename(aside, target)
        return True
    os.unlink(aside)
    return True


def unavailable(error: OSError, place: str, wanted: str) -> UnavailableError:
    """The error that names the place, what was wanted there, and the system's reason."""
    text = f"cannot {wanted} {place}: {error.strerror or type(error).__name__}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FullError(text)
    if error.errno == errno.EROFS or (error.errno in (errno.EACCES, errno.EPERM) and wanted not in ("read", "list")):
        return ReadOnlyError(text)
    return UnavailableError(text)
