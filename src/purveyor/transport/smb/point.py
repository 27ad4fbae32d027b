"""A point on an SMB share, as a client uses it: one kept session, a read in one round trip, items placed aside and renamed.

What it may do there is what the share's rights give: read down boxes, drop items into up boxes. Asks for nothing that may be
absent: a full box is known by its refusal, so no mark is looked for.
"""

from collections.abc import Iterator

from purveyor.transport.folder.shelf import ARRIVING
from purveyor.transport.interface import Answer
from purveyor.transport.paths import check_item, check_path
from purveyor.transport.smb.share import FIRST_READ_BYTES, SmbShare
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError


class SmbPoint:
    """A CAP or DP on an SMB share."""

    def __init__(self, share: SmbShare) -> None:
        self._share = share

    @property
    def url(self) -> str:
        """The share's address, and the folder in it."""
        return self._share.address.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file, or None when it is still the one that `tag` stands for. Errors: as `Point.read`."""
        check_path(path)
        try:
            seen = self._share.look(path)
        except AbsentError as error:
            raise self._told_apart(path, error) from error
        if tag and tag == seen.tag:
            return None
        if seen.size_bytes > limit_bytes:
            raise RejectedError(f"{path} at {self.url} has {seen.size_bytes} bytes, more than the {limit_bytes} that it may have")
        if seen.size_bytes <= FIRST_READ_BYTES:
            return Answer(seen.content, seen.tag)
        rest = self._share.pieces(path, offset=len(seen.content), limit_bytes=limit_bytes + 1 - len(seen.content))
        content = seen.content + b"".join(rest)
        if len(content) > limit_bytes:
            raise RejectedError(f"{path} at {self.url} is larger than the {limit_bytes} bytes that it may have")
        return Answer(content, seen.tag)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, nothing when it ends there or before. Errors: as `Point.read_from`."""
        check_path(path)
        try:
            yield from self._share.pieces(path, offset=offset, limit_bytes=limit_bytes)
        except AbsentError as error:
            raise self._told_apart(path, error) from error

    def put(self, path: str, content: bytes) -> None:
        """Puts an item into an up box; one that is there already stays as it is. Errors: as `Point.put`.

        Written in a folder of its own and moved from there: in the box itself nobody can rename, read or remove.
        """
        box = check_item(path, content)
        name = path.rpartition("/")[2]
        try:
            self._share.place(path, [content], aside=f"{ARRIVING}/{name}", replaces=False)
        except AbsentError as error:
            raise UnavailableError(
                f"{self.url} has no {box.name} or no {ARRIVING}: it is no access point, or was not prepared for shares"
            ) from error

    def is_unchanged(self, path: str, tag: str) -> bool:
        """Whether the file is still the one that `tag` stands for; none of its bytes are read. Errors: as `read`."""
        check_path(path)
        return bool(tag) and self._share.tag_of(path) == tag

    def _told_apart(self, path: str, error: AbsentError) -> AbsentError | UnavailableError:
        """A point that lacks a file is one thing, a share that lacks the whole box is no point at all."""
        box, slash, _ = path.partition("/")
        if slash and not self._share.has_folder(box):
            return UnavailableError(f"{self.url} has no {box}: it is no point, or another share")
        return error
