"""A CAP's or DP's folder on an SMB share, in the hand of the site that owns it. Each file is durable once it is written.

For a CAP on another server that the site can reach. A site that publishes to very many clients serves a local folder instead: a
share takes some two hundred files a second.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from purveyor.transport.folder.shelf import ARRIVING, ASIDE
from purveyor.transport.interface import Listed, Stray
from purveyor.transport.paths import check_path
from purveyor.transport.smb.share import SmbShare
from purveyor.transport.streams import Measured
from purveyor.wire.boxes import BOXES
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.manifest import FILE_LIMIT_BYTES

_READ_LIMIT_BYTES = 256 * 2**20


class SmbShelf:
    """A share's folder in its owner's hand. There is one owner at a time; `owner` tells its asides from those of another."""

    def __init__(self, share: SmbShare, *, owner: str) -> None:
        self._share = share
        self._owner = owner
        self._numbers = itertools.count(1)
        self._folders: set[str] = set()
        self._dated: dict[str, int] = {}
        """When the newest file of a mutable name was dated, so that one that comes after a removal is newer too."""

    def make_boxes(self) -> None:
        """Makes the boxes of a CAP that are not there, and where items arrive. Errors: UnavailableError."""
        for name in (*(box.name for box in BOXES), ARRIVING):
            self._share.make_folder(name)

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none. Errors: RejectedError for a giant; UnavailableError."""
        check_path(path)
        try:
            seen = self._share.look(path)
            if seen.size_bytes > _READ_LIMIT_BYTES:
                raise RejectedError(f"{path} at {self._share.address.url} is too large to be read at once")
            if seen.size_bytes == len(seen.content):
                return seen.content
            return seen.content + b"".join(self._share.pieces(path, offset=len(seen.content), limit_bytes=_READ_LIMIT_BYTES))
        except AbsentError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Writes a file that will never change; a damaged one under that name is mended. Errors: UnavailableError."""
        self._place(path, [content], later_than=None)

    def replace(self, path: str, content: bytes) -> None:
        """Replaces a mutable file; it is dated one whole second after the one before. Errors: UnavailableError."""
        check_path(path)
        before = max(self._dated_at(path), self._dated.get(path, 0))
        self._place(path, [content], later_than=before or None)
        self._dated[path] = self._dated_at(path)

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """Writes a file that will never change from pieces; gives its size in bytes. Errors: as `Shelf.write_from`."""
        measured = Measured(pieces, path, limit_bytes)
        self._place(path, measured, later_than=None)
        return measured.size_bytes

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces. Errors: AbsentError, UnavailableError."""
        check_path(path)
        yield from self._share.pieces(path, offset=0, limit_bytes=FILE_LIMIT_BYTES)

    def size_of(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none. Errors: UnavailableError."""
        check_path(path)
        try:
            return self._share.look(path, length=1).size_bytes
        except AbsentError:
            return None

    def free_bytes(self) -> int:
        """What the share has left for this account. Errors: UnavailableError."""
        return self._share.free_bytes()

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none. Errors: UnavailableError."""
        check_path(path)
        self._dated[path] = max(self._dated_at(path), self._dated.get(path, 0))
        try:
            self._share.remove(path)
        except AbsentError:
            return

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Complete files directly in a folder, at most `limit`; none when there is no such folder. Errors: UnavailableError."""
        check_path(folder)
        try:
            return [Listed(entry.name, entry.size_bytes) for entry in self._share.entries(folder, limit=limit, until=until)]
        except AbsentError:
            return []

    def names(self, *, limit: int) -> list[str]:
        """Names of whatever lies directly in the share's folder but hidden ones, at most `limit`. Errors: UnavailableError."""
        try:
            return self._share.names(limit=limit)
        except AbsentError:
            return []

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Removes each of these folders in which nothing is left, and those where files arrive. Errors: UnavailableError."""
        self._folders.clear()
        for folder in (*folders, ASIDE, ARRIVING):
            self._share.remove_folder(folder)

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """Whatever lies directly in a folder, but for plain files of usual names. Errors: UnavailableError."""
        try:
            return self._share.strays(folder, usual=usual, limit=limit)
        except AbsentError:
            return []

    def sweep(self, folder: str, name: str) -> bool:
        """Removes a stray; False when it cannot be. Errors: UnavailableError when the share is not to be had at all."""
        path = f"{folder}/{name}"
        try:
            self._share.remove(path)
        except AbsentError:
            return True
        except UnavailableError:
            if not self._share.has_folder(path):
                return False
            self._share.remove_folder(path)
            return not self._share.has_folder(path)
        return True

    def close(self) -> None:
        """Ends the session; the next use begins another."""
        self._share.close()

    def sync(self) -> None:
        """Nothing: every file was flushed before it got its name."""

    def _place(self, path: str, pieces: Iterable[bytes], *, later_than: int | None) -> None:
        check_path(path)
        self._make_folders(path)
        aside = f"{ASIDE}/{self._owner}-{next(self._numbers)}"
        self._share.place(path, pieces, aside=aside, replaces=True, later_than=later_than)

    def _make_folders(self, path: str) -> None:
        parts = path.split("/")[:-1]
        wanted = [ASIDE, *("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))]
        for folder in wanted:
            if folder not in self._folders:
                self._share.make_folder(folder)
                self._folders.add(folder)

    def _dated_at(self, path: str) -> int:
        """When the file that is there was last written, in whole seconds since 1970; 0: there is none."""
        try:
            written = self._share.look(path, length=1).written_at
        except AbsentError:
            return 0
        return int((written - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
