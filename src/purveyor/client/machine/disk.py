"""The agent's folder on a real disk. Every path is walked folder by folder without following links, so that none leaves it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from purveyor.client.machine.interface import Account
from purveyor.client.machine.removing import remove_tree
from purveyor.transport.durable import ONE_BY_ONE_LIMIT, sync_file_system
from purveyor.wire.errors import RejectedError, UnavailableError

PIECE_BYTES = 256 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class RealDisk:
    """Implements `client.machine.interface.Disk`. A link inside the folder is never followed; only regular files are read."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None when there is none."""
        pieces = list(self._pieces(path))
        return b"".join(pieces[1:]) if pieces else None

    def read_pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces; nothing when there is none."""
        return (piece for piece in self._pieces(path) if piece)

    def size(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none."""
        found = self._file(path)
        return None if found is None else found.st_size

    def modified_at(self, path: str) -> datetime | None:
        """When a file was last written to; None when there is no such file, or its time is absurd."""
        found = self._file(path)
        try:
            return None if found is None else datetime.fromtimestamp(found.st_mtime, UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def append(self, path: str, content: bytes) -> None:
        """Adds bytes at the end of a file. Errors: UnavailableError, also when the disk is full; what fits is then written."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with _told(path, "write to"), self._parent(path, is_made=True) as (folder, name):
            descriptor = os.open(name, flags, 0o600, dir_fd=folder)
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)

    def sync(self, *paths: str) -> None:
        """Makes the bytes of files, their names and those of the folders that lead to them outlast a power cut."""
        folders = {"/".join(parts[:count]) for parts in map(_parts, paths) for count in range(1, len(parts))}
        with _told(", ".join(paths[:1]), "sync"):
            if len(paths) > ONE_BY_ONE_LIMIT and sync_file_system(str(self._root)):
                return
            for path in paths:
                self._sync(path, _READ)
            for path in sorted(folders, key=len, reverse=True):
                self._sync(path, _FOLDER)
            _sync(str(self._root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, None)

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what has it; durable after `sync(new)`. Errors: UnavailableError."""
        with _told(old, "rename"), self._parent(old) as (folder, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise UnavailableError(f"{old!r} is a folder and is not renamed")
            with self._parent(new, is_made=True) as (target, new_name):
                os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=target)

    def remove(self, path: str) -> None:
        """Removes a file or a whole folder; nothing happens when there is none."""
        with _told(path, "remove"):
            try:
                with self._parent(path) as (folder, name):
                    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                        remove_tree(name, folder)
                    else:
                        os.unlink(name, dir_fd=folder)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, sorted; empty when there is none."""
        with _told(folder, "list"):
            try:
                with self._parent(folder) as (above, name):
                    descriptor = os.open(name, _FOLDER, dir_fd=above)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return []
                raise
            try:
                return sorted(os.listdir(descriptor))
            finally:
                os.close(descriptor)

    def place(self, stored: str, path: str, *, is_executable: bool) -> None:
        """Puts a copy of a stored file at `path`, replacing what is there. Errors: UnavailableError."""
        with _told(stored, "copy"), self._parent(stored) as (folder, name):
            source = os.open(name, _READ, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(source).st_mode):
                    raise UnavailableError(f"{stored!r} is no file")
                with _told(path, "write to"), self._parent(path, is_made=True) as (target, new_name):
                    with suppress(FileNotFoundError):
                        os.unlink(new_name, dir_fd=target)
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                    copy = os.open(new_name, flags, 0o755 if is_executable else 0o644, dir_fd=target)
                    try:
                        _copy(source, copy)
                    finally:
                        os.close(copy)
            finally:
                os.close(source)

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link, replacing what is there. It is never followed by the agent itself."""
        with _told(path, "make"), self._parent(path, is_made=True) as (folder, name):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            os.symlink(target, name, dir_fd=folder)

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""
        with _told(path, "make"), self._parent(f"{path}/_", is_made=True):
            pass

    def give(self, path: str, account: Account) -> None:
        """Makes a folder, and all in it, the account's own; those above it can be passed through, and nothing else looked at.

        An agent that is not root gives nothing away; it cannot start a program for another account either, and says so then.
        Errors: UnavailableError.
        """
        parts = _parts(path)
        if os.geteuid() != 0:
            return
        with _told(path, "give away"):
            self._close_beside(parts[0])
            for count in range(len(parts)):
                _open_way(self.absolute("/".join(parts[:count])))
            with self._parent(path) as (folder, name):
                for _, folders, files, descriptor in os.fwalk(name, dir_fd=folder):
                    for below in files:
                        _give_file(below, descriptor, account)
                    for below in folders:  # links to folders are among them, and none is followed
                        os.chown(below, account.user_id, account.group_id, dir_fd=descriptor, follow_symlinks=False)
                    os.fchmod(descriptor, 0o700)
                os.chown(name, account.user_id, account.group_id, dir_fd=folder, follow_symlinks=False)

    def free_bytes(self) -> int:
        """Bytes that can still be written."""
        with _told(str(self._root), "look at"):
            found = os.statvfs(self._root)
        return 0 if found.f_flag & os.ST_RDONLY else found.f_bavail * found.f_frsize

    def absolute(self, path: str) -> str:
        """The path as a program would name it."""
        parts = _parts(path) if path else []
        return "/".join([str(self._root), *parts])

    def _file(self, path: str) -> os.stat_result | None:
        """What is known of a file; None where there is none, or something else."""
        with _told(path, "look at"):
            try:
                with self._parent(path) as (folder, name):
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return None
                raise
        return found if stat.S_ISREG(found.st_mode) else None

    def _pieces(self, path: str) -> Iterator[bytes]:
        """An empty piece when the file is there, then its bytes."""
        with _told(path, "read"):
            try:
                with self._parent(path) as (folder, name):
                    descriptor = os.open(name, _READ, dir_fd=folder)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return
                raise
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return
                yield b""
                while piece := os.read(descriptor, PIECE_BYTES):
                    yield piece
            finally:
                os.close(descriptor)

    def _sync(self, path: str, flags: int) -> None:
        with suppress(FileNotFoundError), self._parent(path) as (folder, name):
            _sync(name, flags, folder)

    @contextmanager
    def _parent(self, path: str, *, is_made: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a path lies in, opened, and the name in it. Errors: OSError."""
        *folders, name = _parts(path)
        descriptor = self._open_root(is_made=is_made)
        try:
            for part in folders:
                below = _open_folder(part, descriptor, is_made=is_made)
                os.close(descriptor)
                descriptor = below
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _open_root(self, *, is_made: bool) -> int:
        try:
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if not is_made:
                raise
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._open_root(is_made=False)

    def _close_beside(self, name: str) -> None:
        """Shuts what lies beside a folder of this name in the agent's folder, before strangers may pass through that."""
        with os.scandir(self._root) as found:
            for entry in found:
                is_own = entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
                with suppress(FileNotFoundError):  # files of the database come and go
                    mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
                    if entry.name != name and is_own and mode & 0o077:
                        os.chmod(entry.path, mode & 0o700)


def _open_folder(name: str, above: int, *, is_made: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except FileNotFoundError:
        if not is_made:
            raise
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
        return os.open(name, _FOLDER, dir_fd=above)


def _open_way(folder: str) -> None:
    """Lets everybody pass through a folder who knows what lies in it; nobody may list it."""
    mode = stat.S_IMODE(os.stat(folder, follow_symlinks=False).st_mode)
    if mode != 0o711:
        os.chmod(folder, 0o711)  # noqa: S103 - what lies in it has rights of its own


def _give_file(name: str, folder: int, account: Account) -> None:
    os.chown(name, account.user_id, account.group_id, dir_fd=folder, follow_symlinks=False)
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode):
        os.chmod(name, stat.S_IMODE(found.st_mode) & 0o700, dir_fd=folder)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise RejectedError(f"{path!r} is no path inside the state folder")
    return parts


@contextmanager
def _told(path: str, verb: str) -> Iterator[None]:
    """Turns what the system says into an UnavailableError that says which file."""
    try:
        yield
    except OSError as error:
        words = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or str(error)
        raise UnavailableError(f"cannot {verb} {path!r}: {words}") from error


def _sync(name: str, flags: int, folder: int | None) -> None:
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: int, target: int) -> None:
    """Copies all bytes, within the kernel where it can."""
    try:
        while os.copy_file_range(source, target, 2**30):
            pass
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    os.lseek(source, 0, os.SEEK_SET)
    os.ftruncate(target, 0)
    os.lseek(target, 0, os.SEEK_SET)
    while piece := os.read(source, PIECE_BYTES):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(target, rest) :]
