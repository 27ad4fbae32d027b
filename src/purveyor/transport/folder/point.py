"""A point that is a folder: on this machine, mounted, or on a stick.

A client reads down files there and drops items into up boxes, and needs no more rights than that. The owner's side of such a
folder is in `shelf.py`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from purveyor.transport.folder.confined import (
    PIECE_BYTES,
    locate,
    open_file,
    place_new,
    read_at_most,
    tag_of,
    unavailable,
    write_aside,
)
from purveyor.transport.folder.shelf import FULL
from purveyor.transport.interface import Answer
from purveyor.transport.paths import check_item
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

_NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FolderPoint:
    """A CAP or DP in a folder that this machine sees."""

    def __init__(self, folder: Path | str, *, url: str = "") -> None:
        self._folder = os.path.abspath(folder)
        self._url = url or self._folder

    @property
    def url(self) -> str:
        """The path, or the URL that it was found by."""
        return self._url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file, or None when it is still the one that `tag` stands for. Errors: as `Point.read`."""
        descriptor, seen = self._open(path)
        try:
            found = tag_of(seen)
            if tag == found:
                return None
            if seen.st_size > limit_bytes:
                raise RejectedError(
                    f"{path} at {self._url} has {seen.st_size} bytes, more than the {limit_bytes} that it may have"
                )
            content = read_at_most(descriptor, limit_bytes + 1)
        except OSError as error:
            raise unavailable(error, f"{path} at {self._url}", "read") from error
        finally:
            os.close(descriptor)
        if len(content) > limit_bytes:
            raise RejectedError(f"{path} at {self._url} is larger than the {limit_bytes} bytes that it may have")
        return Answer(content, found)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, nothing when it ends there or before. Errors: as `Point.read_from`."""
        descriptor, _ = self._open(path)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            rest = limit_bytes
            while rest > 0 and (piece := os.read(descriptor, min(rest, PIECE_BYTES))):
                rest -= len(piece)
                yield piece
        except OSError as error:
            raise unavailable(error, f"{path} at {self._url}", "read") from error
        finally:
            os.close(descriptor)

    def put(self, path: str, content: bytes) -> None:
        """Puts an item into an up box; one that is there already stays as it is. Errors: as `Point.put`."""
        box = check_item(path, content)
        if os.path.lexists(f"{self._folder}/{box.name}/{FULL}"):
            raise UnavailableError(f"{box.name} at {self._url} is full")
        try:
            target = locate(self._folder, path)
            folder, name = os.path.split(target)
            aside = f"{folder}/.{name}"
            write_aside(aside, content, is_synced=True)
            place_new(aside, target)
        except OSError as error:
            raise unavailable(error, f"{path} at {self._url}", "put") from error

    def _open(self, path: str) -> tuple[int, os.stat_result]:
        try:
            return open_file(self._folder, path)
        except _NOT_THERE as error:
            if not os.path.isdir(f"{self._folder}/{path.partition('/')[0]}") and "/" in path:
                raise UnavailableError(
                    f"{self._url} has no {path.partition('/')[0]}: it is no point, or is not mounted"
                ) from error
            raise AbsentError(f"{self._url} has no {path}") from error
        except OSError as error:
            raise unavailable(error, f"{path} at {self._url}", "open") from error
