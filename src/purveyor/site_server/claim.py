"""Whose folder a point is: the site's mark in it, looked for before anything is written there or taken away.

The mark names the site by the digest of its first root. A place with the boxes or the content of somebody else is never touched;
nor is one from which the mark has gone, such as the empty folder where a disk is not mounted.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from purveyor.site_server.model.points import PointKind
from purveyor.transport.interface import Listed, Shelf, Stray
from purveyor.wire.boxes import BOXES, OF_A_DISK
from purveyor.wire.errors import ForeignError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes, to_bytes

MARK = "site.json"
FIRST_ROOT = "clidata.box/1.root.json"


class Mark(msgspec.Struct, frozen=True):
    """What the mark says: the site's code for people, and the SHA-256 of its first root."""

    site: str
    root: str


def refuse_foreign(shelf: Shelf, kind: PointKind, mark: Mark, first_root: bytes) -> bool:
    """Whether the mark lies there already; a place that is empty, or a copy of this site's boxes, may get it.

    Errors: ForeignError when the place is somebody else's; UnavailableError.
    """
    content = shelf.read(MARK)
    if content is not None:
        found = _mark_in(content)
        if found.root != mark.root:
            raise ForeignError(f"this place belongs to another site, {found.site}: give each site a folder of its own")
        return True
    if kind is PointKind.CAP:
        root = shelf.read(FIRST_ROOT)
        if root is not None and root != first_root:
            raise ForeignError("the boxes of another site lie there: give each site a folder of its own")
        if root is None and shelf.listed("clidata.box", limit=1):
            raise ForeignError("boxes lie there, and nothing says that they are this site's: give an empty folder")
    elif shelf.listed("manifests", limit=1):
        raise ForeignError("content lies there that this site did not put there: give an empty folder")
    return False


def refuse_filled(shelf: Shelf, kind: PointKind, mark: Mark, first_root: bytes) -> bool:
    """As `refuse_foreign`, of a place that is to become a point: with files of others in it and no mark it may not.

    Errors: ForeignError; UnavailableError.
    """
    if refuse_foreign(shelf, kind, mark, first_root):
        return True
    usual = OF_A_DISK.union(box.name for box in BOXES) if kind is PointKind.CAP else OF_A_DISK
    others = [name for name in shelf.names(limit=len(usual) + 1) if name not in usual]
    if others:
        raise ForeignError(
            f"{others[0][:80]!r} lies there, and no mark says that the folder is this site's: give an empty folder"
        )
    return False


def claim(shelf: Shelf, kind: PointKind, mark: Mark, first_root: bytes, *, is_claimed: bool) -> None:
    """Makes sure that a place is the site's, and says so in it. `is_claimed`: the mark was there before, and must be.

    Errors: ForeignError when it is somebody else's; UnavailableError, also when the mark is gone.
    """
    looked_for = refuse_foreign if is_claimed else refuse_filled
    if looked_for(shelf, kind, mark, first_root):
        return
    if is_claimed:
        raise UnavailableError(
            "the site's mark is gone from there: is a disk not mounted? Where the folder was really emptied, "
            "`purveyor point edit POINT --refill` fills it anew"
        )
    shelf.write(MARK, to_bytes(mark))
    shelf.sync()


class MarkedShelf:
    """A shelf that looks for the site's mark before the first change of each round; `look` raises where it is not there.

    So a disk that was taken away, or a place that came to be somebody else's, is not written to by a site that had it open.
    """

    def __init__(self, shelf: Shelf, look: Callable[[], None]) -> None:
        self._shelf = shelf
        self._look = look
        self._is_seen = True

    def begin(self) -> None:
        """A round begins: the mark has to be seen anew."""
        self._is_seen = False

    def read(self, path: str) -> bytes | None:
        """As the shelf's."""
        return self._shelf.read(path)

    def pieces(self, path: str) -> Iterator[bytes]:
        """As the shelf's."""
        return self._shelf.pieces(path)

    def size_of(self, path: str) -> int | None:
        """As the shelf's."""
        return self._shelf.size_of(path)

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """As the shelf's."""
        return self._shelf.listed(folder, limit=limit, until=until)

    def names(self, *, limit: int) -> list[str]:
        """As the shelf's."""
        return self._shelf.names(limit=limit)

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """As the shelf's."""
        return self._shelf.strays(folder, usual=usual, limit=limit)

    def free_bytes(self) -> int | None:
        """As the shelf's."""
        return self._shelf.free_bytes()

    def close(self) -> None:
        """As the shelf's."""
        self._shelf.close()

    def sync(self) -> None:
        """As the shelf's."""
        self._shelf.sync()

    def write(self, path: str, content: bytes) -> None:
        """As the shelf's, where the mark lies."""
        self._changed().write(path, content)

    def replace(self, path: str, content: bytes) -> None:
        """As the shelf's, where the mark lies."""
        self._changed().replace(path, content)

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """As the shelf's, where the mark lies."""
        return self._changed().write_from(path, pieces, limit_bytes=limit_bytes)

    def remove(self, path: str) -> None:
        """As the shelf's, where the mark lies."""
        self._changed().remove(path)

    def sweep(self, folder: str, name: str) -> bool:
        """As the shelf's, where the mark lies."""
        return self._changed().sweep(folder, name)

    def remove_folders(self, folders: Iterable[str]) -> None:
        """As the shelf's, where the mark lies."""
        self._changed().remove_folders(folders)

    def _changed(self) -> Shelf:
        """The shelf, for a change. Errors: ForeignError, UnavailableError, as `claim`."""
        if not self._is_seen:
            self._look()
            self._is_seen = True
        return self._shelf


def _mark_in(content: bytes) -> Mark:
    try:
        return from_bytes(content, Mark)
    except RejectedError as error:
        raise ForeignError(f"{MARK} lies there, and says nothing that can be read: give an empty folder") from error
