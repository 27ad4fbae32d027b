"""What a transport is: `Point` is what a client does with a CAP or DP, `Shelf` is the site's own hand in such a folder.

Paths are relative, with `/`, and never leave the point: an implementation refuses others with RejectedError.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol


class Answer(NamedTuple):
    """A file that was read, and the tag with which to ask whether it changed."""

    content: bytes
    tag: str


class Listed(NamedTuple):
    """An item in a folder of a shelf."""

    name: str
    size_bytes: int


class Stray(NamedTuple):
    """A thing in a folder that is none of its usual files, under whatever name; the tag changes with what it is."""

    name: str
    tag: str


class Point(Protocol):
    """A CAP or DP as a client sees it."""

    @property
    def url(self) -> str:
        """What it is known by."""

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file, or None when it is still the one that `tag` stands for.

        Errors: AbsentError when the point has no such file, UnavailableError when it cannot be asked now,
        RejectedError when the file is larger than the limit.
        """

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The bytes of a file from `offset` on, in pieces, at most `limit_bytes` of them.

        Errors: as `read`; UnavailableError also in the middle.
        """

    def put(self, path: str, content: bytes) -> None:
        """Puts a new item into an up box; it is visible only when complete.

        Errors: UnavailableError when the point cannot take it now, RejectedError when it will never take it.
        """


class Shelf(Protocol):
    """A folder as the site that owns it sees it. Every write is aside, synced, then renamed; none is visible half done."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file that will never change. Errors: UnavailableError (disk full, read-only …)."""

    def replace(self, path: str, content: bytes) -> None:
        """Replaces a mutable file; its modification time is at least one whole second after the one before (protocol 3.4)."""

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """Writes a file that will never change from pieces, however large; gives its size in bytes.

        Nobody sees it before the last piece has come; whatever `pieces` raises leaves nothing to be seen.
        Errors: RejectedError when there are more bytes than the limit; UnavailableError.
        """

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces, however large it is. Errors: AbsentError when there is none; UnavailableError."""

    def size_of(self, path: str) -> int | None:
        """A file's size, or None when there is none. Units: bytes. Errors: UnavailableError."""

    def free_bytes(self) -> int | None:
        """How much more fits; None where the place cannot say, as a bucket. Errors: UnavailableError."""

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none."""

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Complete files directly in a folder, in any order, at most `limit`; only those last written before `until`.

        Units: aware UTC, by the clock of the disk or server that holds them.
        """

    def names(self, *, limit: int) -> list[str]:
        """Names of files and folders directly in the shelf, in any order, at most `limit`; hidden ones are left out.

        Errors: UnavailableError.
        """

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Removes each of these folders, in this order, in which nothing is left, and what the owner made to write aside.

        Where a place knows no folders there is nothing to do. Errors: UnavailableError.
        """

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """Whatever lies directly in a box or where files arrive, but for plain files of usual names; at most `limit`.

        Hidden names, links, folders, names that no path may have. Where a place has no such folder there are none.
        Errors: UnavailableError.
        """

    def sweep(self, folder: str, name: str) -> bool:
        """Removes a stray; False when it cannot be, as a folder in which something lies. Errors: UnavailableError."""

    def close(self) -> None:
        """Lets go of connections; a later use opens others."""

    def sync(self) -> None:
        """Makes everything written so far outlast a power cut (`write` and `replace` may leave that to this call)."""
