"""The list of a package's content: a canonical tree, so that equal trees are equal bytes and have one hash.

A manifest is known by the SHA-256 of its bytes, which stands in the `.pkg`. On a point it lies at `manifests/<hash>`, each
file's bytes at `files/<first two digits>/<hash>`.
"""

import hashlib
from pathlib import PurePosixPath
from typing import NamedTuple

from purveyor.wire.errors import RejectedError, ToComeError
from purveyor.wire.form import Wire, from_bytes, to_bytes

SIZE_LIMIT_BYTES = 64 * 2**20
PATH_LIMIT_BYTES = 4000
NAME_LIMIT_BYTES = 255
FILE_LIMIT_BYTES = 2**50


class File(Wire):
    """One file: where it lies in the tree, what its bytes are."""

    path: str
    sha256: str
    size_bytes: int
    is_executable: bool = False


class Link(Wire):
    """A symbolic link that stays within the tree."""

    path: str
    target: str


class Manifest(Wire):
    """The tree, sorted by path. Empty folders are listed; others follow from the files."""

    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.size_bytes for file in self.files)


class Stored(NamedTuple):
    """One stored piece of content: its path on a point, digest and size."""

    path: str
    sha256: str
    size_bytes: int


def encode(manifest: Manifest) -> bytes:
    """The canonical bytes."""
    return to_bytes(manifest)


def hash_of(content: bytes) -> str:
    """The name of content: its SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def checked(content: bytes, sha256: str, where: str) -> bytes:
    """The bytes of a manifest that a point showed, once they are what they are called.

    An empty one says that the content is yet to come there: none of its files is to be asked for.
    Errors: ToComeError, RejectedError.
    """
    if not content:
        raise to_come(sha256, where)
    if hash_of(content) != sha256:
        raise RejectedError(f"{manifest_path(sha256)} at {where} is damaged")
    return content


def to_come(sha256: str, where: str) -> ToComeError:
    """What an empty manifest says."""
    return ToComeError(f"the content {sha256} is yet to come to {where}")


def decode(content: bytes) -> Manifest:
    """The manifest, once every path in it is seen to stay inside the tree.

    Errors: RejectedError.
    """
    manifest = from_bytes(content, Manifest)
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Nothing when the tree is one that every client can hold.

    Errors: RejectedError: a path leaves the tree, occurs twice, differs from another only by case, or lies below a file or link.
    """
    seen: dict[str, str] = {}
    leaves = {file.path for file in manifest.files} | {link.path for link in manifest.links}
    for path in (*(file.path for file in manifest.files), *(link.path for link in manifest.links), *manifest.folders):
        _check_path(path)
        folded = path.casefold()
        if folded in seen:
            raise RejectedError(f"{path!r} and {seen[folded]!r} are one name where case does not count")
        seen[folded] = path
        parent = path
        while parent := parent.rpartition("/")[0]:
            if parent in leaves:
                raise RejectedError(f"{path!r} lies below {parent!r}, which is no folder")
    for file in manifest.files:
        if len(file.sha256) != 64 or set(file.sha256) - set("0123456789abcdef") or not 0 <= file.size_bytes <= FILE_LIMIT_BYTES:
            raise RejectedError(f"the entry of {file.path!r} is damaged")
    for link in manifest.links:
        _check_link(link)


def distinct_files(manifest: Manifest) -> tuple[Stored, ...]:
    """The files to store or fetch, each digest once, in order of first appearance."""
    pieces = {file.sha256: Stored(file_path(file.sha256), file.sha256, file.size_bytes) for file in manifest.files}
    return tuple(pieces.values())


def file_path(sha256: str) -> str:
    """Where the bytes with this digest lie on a point and in a store."""
    return f"files/{sha256[:2]}/{sha256}"


def manifest_path(sha256: str) -> str:
    """Where the manifest with this hash lies on a point and in a store."""
    return f"manifests/{sha256}"


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise RejectedError(f"{path!r} is no path inside a package")
    try:
        encoded = path.encode()
    except UnicodeEncodeError as error:
        raise RejectedError(f"the name {path!r} is not UTF-8") from error
    if len(encoded) > PATH_LIMIT_BYTES or any(len(part.encode()) > NAME_LIMIT_BYTES for part in parts):
        raise RejectedError(f"the path {path[:80]!r}… is too long")


def _check_link(link: Link) -> None:
    target = link.target
    if not target or target.startswith("/") or "\0" in target:
        raise RejectedError(f"the link {link.path!r} points to {target!r}, out of the package")
    depth = len(PurePosixPath(link.path).parts) - 1
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise RejectedError(f"the link {link.path!r} points to {target!r}, out of the package")
