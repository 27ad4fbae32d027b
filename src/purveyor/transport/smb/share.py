"""Files on an SMB share: read in one round trip, placed aside and renamed, in this project's own errors.

Whoever sits on the other end is not believed: what is read is judged elsewhere, sizes are limited here. Knows nothing of boxes.
Source: MS-SMB2.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.file_info import (
    FileBasicInformation,
    FileDispositionInformation,
    FileInformationClass,
    FileRenameInformation,
)
from smbprotocol.header import NtStatus
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
)

from purveyor.transport.interface import Stray
from purveyor.transport.smb.address import SmbAddress
from purveyor.transport.smb.information import free_bytes, set_information
from purveyor.transport.smb.session import SmbSession, in_words
from purveyor.wire.errors import AbsentError, BusyError, FullError, ReadOnlyError, UnavailableError

Kept = TypeVar("Kept")

FIRST_READ_BYTES = 64 * 1024
PIECE_BYTES = 1024 * 1024
_EVERYBODY = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_TICKS_BEFORE_1970 = 116_444_736_000_000_000
_ABSENT = frozenset({NtStatus.STATUS_OBJECT_NAME_NOT_FOUND, NtStatus.STATUS_NO_SUCH_FILE, NtStatus.STATUS_DELETE_PENDING})
_NO_FOLDER = frozenset({NtStatus.STATUS_OBJECT_PATH_NOT_FOUND, NtStatus.STATUS_NOT_A_DIRECTORY})

_FULL = frozenset({NtStatus.STATUS_DISK_FULL, 0xC0000044})
_READ_ONLY = frozenset({NtStatus.STATUS_ACCESS_DENIED, 0xC00000A2})
_BUSY = frozenset(
    {
        0xC000009A,  # STATUS_INSUFFICIENT_RESOURCES
        0xC00000BF,  # STATUS_NETWORK_BUSY
        0xC00000CE,  # STATUS_TOO_MANY_SESSIONS
        0xC00000D0,  # STATUS_REQUEST_NOT_ACCEPTED: no more connections now
        0xC0000205,  # STATUS_INSUFF_SERVER_RESOURCES
    }
)
_KEEPS_SESSION = frozenset(
    {
        NtStatus.STATUS_ACCESS_DENIED,
        NtStatus.STATUS_DISK_FULL,
        NtStatus.STATUS_FILE_IS_A_DIRECTORY,
        NtStatus.STATUS_SHARING_VIOLATION,
    }
)
"""What one file answers; the session is as good as before."""


class Seen(NamedTuple):
    """A file as the share showed it: its tag, its size in bytes, its first bytes, and when it was last written, aware UTC."""

    tag: str
    size_bytes: int
    content: bytes
    written_at: datetime


class Entry(NamedTuple):
    """A plain file in a folder; `written_at` is aware UTC."""

    name: str
    size_bytes: int
    written_at: datetime


class SmbShare:
    """A share in use, or a folder in it. May be used by several threads; shares of one server may use one session."""

    def __init__(self, address: SmbAddress, session: SmbSession) -> None:
        self.address = address
        self._session = session

    def close(self) -> None:
        """Ends the session; the next use begins another."""
        self._session.close()

    # --- reading ---

    def look(self, path: str, *, offset: int = 0, length: int = FIRST_READ_BYTES) -> Seen:
        """A file's tag, size and its bytes from `offset` on, in one round trip. Errors: AbsentError, UnavailableError."""
        with self._working(path, "read"):
            opened = self._file(path)
            create = opened.create(*_reading(), send=False)
            steps = [create, opened.read(offset, length, send=False), opened.close(False, send=False)]
            answers = self._together(steps)
            failed = next((answer for answer in answers if isinstance(answer, SMBResponseException)), None)
            if isinstance(answers[0], SMBResponseException):
                raise answers[0]
            if failed is not None and failed.status != NtStatus.STATUS_END_OF_FILE:
                raise failed
            content = b"" if failed is not None else bytes(answers[1])
            return Seen(_tag(opened), int(opened.end_of_file), content, _time(opened.last_write_time))

    def tag_of(self, path: str) -> str:
        """A file's tag, in one round trip and without a byte of it. Errors: AbsentError, UnavailableError."""
        with self._working(path, "read"):
            opened = self._file(path)
            answers = self._together([opened.create(*_reading(), send=False), opened.close(False, send=False)])
            if isinstance(answers[0], SMBResponseException):
                raise answers[0]
            return _tag(opened)

    def pieces(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """A file's bytes from `offset` on, at most so many. Errors: AbsentError, UnavailableError, also in the middle."""
        if limit_bytes <= FIRST_READ_BYTES:
            seen = self.look(path, offset=offset, length=limit_bytes) if limit_bytes > 0 else None
            if seen is not None and seen.content:
                yield seen.content
            return
        with self._working(path, "read"):
            opened = self._file(path)
            opened.create(*_reading())
        try:
            end = min(int(opened.end_of_file), offset + limit_bytes)
            while offset < end:
                with self._working(path, "read"):
                    piece = bytes(opened.read(offset, min(PIECE_BYTES, end - offset, self._most(reading=True))))
                if not piece:
                    return
                offset += len(piece)
                yield piece
        finally:
            _close(opened)

    def has(self, path: str) -> bool:
        """Whether a file of this name is there. Errors: UnavailableError."""
        try:
            self.look(path, length=1)
        except AbsentError:
            return False
        return True

    def has_folder(self, folder: str) -> bool:
        """Whether there is a folder of this name. Errors: UnavailableError."""
        try:
            self._open_folder(folder, DirectoryAccessMask.FILE_READ_ATTRIBUTES, CreateDisposition.FILE_OPEN)
        except AbsentError:
            return False
        return True

    def entries(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Entry]:
        """Plain files directly in a folder, at most so many, last written before `until`.

        Errors: AbsentError when there is no folder, UnavailableError.
        """
        return self._kept(folder, partial(_entry, until=until), limit)

    def names(self, *, limit: int) -> list[str]:
        """Names of files and folders directly in the address's folder but hidden ones, at most so many.

        Errors: AbsentError when there is no folder, UnavailableError.
        """
        return self._kept("", _visible_name, limit)

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """Whatever lies directly in a folder but plain files of usual names, at most so many; names as the share shows them.

        Errors: AbsentError when there is no folder, UnavailableError.
        """
        return self._kept(folder, partial(_stray, usual=usual), limit)

    def _kept(self, folder: str, wanted: Callable[[Any], Kept | None], limit: int) -> list[Kept]:
        found: list[Kept] = []
        with self._working(folder, "list"):
            opened = self._file(folder)
            opened.create(*_folder(DirectoryAccessMask.FILE_LIST_DIRECTORY, CreateDisposition.FILE_OPEN))
            try:
                while len(found) < limit:
                    try:
                        listed = opened.query_directory("*", FileInformationClass.FILE_DIRECTORY_INFORMATION)
                    except SMBResponseException as error:
                        if error.status in (NtStatus.STATUS_NO_MORE_FILES, NtStatus.STATUS_NO_SUCH_FILE):
                            break
                        raise
                    found += [entry for entry in map(wanted, listed) if entry is not None]
            finally:
                _close(opened)
        return found[:limit]

    def free_bytes(self) -> int:
        """What the share has left for this account. Errors: UnavailableError."""
        with self._working("", "read"):
            opened = self._file("")
            opened.create(*_folder(DirectoryAccessMask.FILE_READ_ATTRIBUTES, CreateDisposition.FILE_OPEN))
            try:
                return free_bytes(self._connected(), opened)
            finally:
                _close(opened)

    # --- writing ---

    def place(self, path: str, pieces: Iterable[bytes], *, aside: str, replaces: bool, later_than: int | None = None) -> bool:
        """Writes a file aside, makes it durable and gives it its name, all through one handle. False: the name is taken.

        Units:  `later_than` is seconds since 1970: the file is dated one whole second later, at least.
        Errors: UnavailableError; what lies aside is removed where that is possible.
        """
        with self._working(path, "write"):
            opened = self._file(aside)
            opened.create(
                ImpersonationLevel.Impersonation,
                FilePipePrinterAccessMask.FILE_WRITE_DATA
                | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
                | FilePipePrinterAccessMask.FILE_WRITE_ATTRIBUTES
                | FilePipePrinterAccessMask.DELETE,
                FileAttributes.FILE_ATTRIBUTE_NORMAL,
                ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_DELETE,
                CreateDisposition.FILE_OVERWRITE_IF,
                CreateOptions.FILE_NON_DIRECTORY_FILE,
            )
            is_placed = False
            try:
                self._set(opened, _deletion(is_wanted=True))  # should the session end now, the server clears it away
                at, step = 0, min(PIECE_BYTES, self._most(reading=False))
                for piece in pieces:
                    for start in range(0, len(piece), step):
                        opened.write(piece[start : start + step], at + start)
                    at += len(piece)
                opened.flush()
                if later_than is not None:
                    self._date_after(opened, later_than)
                self._set(opened, _deletion(is_wanted=False))
                is_placed = self._rename(opened, path, replaces=replaces)
            finally:
                if not is_placed:
                    with suppress(SMBException, OSError):
                        self._set(opened, _deletion(is_wanted=True))
                _close(opened)
            return is_placed

    def remove(self, path: str) -> None:
        """Removes a file. Errors: AbsentError, UnavailableError."""
        with self._working(path, "remove"):
            opened = self._file(path)
            opened.create(
                ImpersonationLevel.Impersonation,
                FilePipePrinterAccessMask.DELETE,
                FileAttributes.FILE_ATTRIBUTE_NORMAL,
                _EVERYBODY,
                CreateDisposition.FILE_OPEN,
                CreateOptions.FILE_NON_DIRECTORY_FILE | CreateOptions.FILE_DELETE_ON_CLOSE,
            )
            opened.close(False)

    def make_folder(self, folder: str) -> None:
        """Makes one folder where it is missing. Errors: UnavailableError."""
        self._open_folder(folder, DirectoryAccessMask.FILE_READ_ATTRIBUTES, CreateDisposition.FILE_OPEN_IF)

    def remove_folder(self, folder: str) -> None:
        """Removes one folder; one that is not empty, or not there, stays as it is. Errors: UnavailableError."""
        with suppress(AbsentError), self._working(folder, "remove"):
            opened = self._file(folder)
            opened.create(*_folder(DirectoryAccessMask.DELETE, CreateDisposition.FILE_OPEN))
            try:
                self._set(opened, _deletion(is_wanted=True))
            except SMBResponseException as error:
                if error.status != NtStatus.STATUS_DIRECTORY_NOT_EMPTY:
                    raise
            finally:
                _close(opened)

    # --- the session ---

    def _open_folder(self, folder: str, access: int, disposition: int) -> None:
        with self._working(folder, "make" if disposition == CreateDisposition.FILE_OPEN_IF else "read"):
            opened = self._file(folder)
            opened.create(*_folder(access, disposition))
            _close(opened)

    def _file(self, path: str) -> Any:
        whole = "\\".join(filter(None, [*self.address.folder.split("/"), *path.split("/")]))
        return Open(self._connected(), whole)

    def _connected(self) -> Any:
        return self._session.tree(self.address.share)

    def _most(self, *, reading: bool) -> int:
        connection = self._connected().session.connection
        return int(connection.max_read_size if reading else connection.max_write_size)

    def _together(self, steps: list[tuple[Any, Callable[[Any], Any]]]) -> list[Any]:
        """Sends messages as one packet. Shape: the answer of each, or what it failed with."""
        tree = self._connected()
        requests = tree.session.connection.send_compound(
            [message for message, _ in steps], tree.session.session_id, tree.tree_connect_id, related=True
        )
        answers: list[Any] = []
        for (_, read), request in zip(steps, requests, strict=True):
            try:
                answers.append(read(request))
            except SMBResponseException as error:
                answers.append(error)
        return answers

    def _set(self, opened: Any, information: Any) -> None:
        set_information(self._connected(), opened, information)

    def _rename(self, opened: Any, path: str, *, replaces: bool) -> bool:
        wish = FileRenameInformation()
        wish["replace_if_exists"] = replaces
        wish["file_name"] = "\\".join(filter(None, [*self.address.folder.split("/"), *path.split("/")]))
        try:
            self._set(opened, wish)
        except SMBResponseException as error:
            if not replaces and error.status == NtStatus.STATUS_OBJECT_NAME_COLLISION:
                return False
            raise
        return True

    def _date_after(self, opened: Any, seconds: int) -> None:
        earliest = (seconds + 1) * 10_000_000 + _TICKS_BEFORE_1970
        if _ticks(opened.last_write_time) < earliest:
            wish = FileBasicInformation()
            wish["last_write_time"] = earliest
            self._set(opened, wish)

    @contextmanager
    def _working(self, path: str, verb: str) -> Iterator[None]:
        """Turns what the library raises into our errors. A session that failed is left for a new one."""
        place = f"{path or 'the folder'} at {self.address.url}"
        try:
            yield
        except SMBResponseException as error:
            if error.status in _ABSENT or error.status in _NO_FOLDER:
                raise AbsentError(f"{self.address.url} has no {path}") from error
            if error.status not in _KEEPS_SESSION:
                self.close()
            raise _unavailable(error, verb, f"{place} cannot be {_PAST[verb]}: {in_words(error)}") from error
        except (SMBException, OSError, TimeoutError, ValueError) as error:
            self.close()
            raise UnavailableError(f"{place} cannot be {_PAST[verb]}: {in_words(error)}") from error


def _unavailable(error: SMBResponseException, verb: str, text: str) -> UnavailableError:
    if error.status in _FULL:
        return FullError(text)
    if error.status in _BUSY:
        return BusyError(text)
    return ReadOnlyError(text) if error.status in _READ_ONLY and verb not in ("read", "list") else UnavailableError(text)


_PAST = {"read": "read", "list": "listed", "write": "written", "remove": "removed", "make": "made"}


def _reading() -> tuple[Any, ...]:
    return (
        ImpersonationLevel.Impersonation,
        FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES,
        FileAttributes.FILE_ATTRIBUTE_NORMAL,
        _EVERYBODY,
        CreateDisposition.FILE_OPEN,
        CreateOptions.FILE_NON_DIRECTORY_FILE,
    )


def _folder(access: int, disposition: int) -> tuple[Any, ...]:
    return (
        ImpersonationLevel.Impersonation,
        access,
        FileAttributes.FILE_ATTRIBUTE_DIRECTORY,
        _EVERYBODY,
        disposition,
        CreateOptions.FILE_DIRECTORY_FILE,
    )


def _deletion(*, is_wanted: bool) -> Any:
    wish = FileDispositionInformation()
    wish["delete_pending"] = is_wanted
    return wish


def _close(opened: Any) -> None:
    with suppress(SMBException, OSError):
        opened.close(False)


def _tag(opened: Any) -> str:
    return f"{_ticks(opened.last_write_time):x}-{int(opened.end_of_file):x}"


def _ticks(time: Any) -> int:
    """A time of the share in its own units: 100 ns since 1601."""
    if isinstance(time, int):
        return time
    return int(time.timestamp() * 1_000_000) * 10 + _TICKS_BEFORE_1970


def _time(time: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=(_ticks(time) - _TICKS_BEFORE_1970) // 10)


def _visible_name(listed: Any) -> str | None:
    name = str(listed["file_name"].get_value().decode("utf-16-le", "replace"))
    return None if name.startswith(".") else name


def _stray(listed: Any, *, usual: re.Pattern[str]) -> Stray | None:
    name = str(listed["file_name"].get_value().decode("utf-16-le", "replace"))
    kind = listed["file_attributes"].get_value() & FileAttributes.FILE_ATTRIBUTE_DIRECTORY
    if name in (".", "..") or (usual.fullmatch(name) and not kind):
        return None
    return Stray(name, f"{kind}-{listed['end_of_file'].get_value()}-{_ticks(listed['last_write_time'].get_value())}")


def _entry(listed: Any, *, until: datetime | None) -> Entry | None:
    name = _visible_name(listed)
    if name is None or listed["file_attributes"].get_value() & FileAttributes.FILE_ATTRIBUTE_DIRECTORY:
        return None
    entry = Entry(name, int(listed["end_of_file"].get_value()), _time(listed["last_write_time"].get_value()))
    return entry if until is None or entry.written_at < until else None
