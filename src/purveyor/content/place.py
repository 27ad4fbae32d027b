"""What a place of content is, whatever it is made of: a folder of the site (`store`), or a shelf that it reaches (`shelf_store`).

    files/<first two digits>/<sha256>     manifests/<sha256>

What is visible in a place is complete and what it is called. A place knows nothing of packages. Publishing works with this.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Protocol

from purveyor.wire.manifest import Manifest, Stored


class ContentPlace(Protocol):
    """Files and manifests, each known by the SHA-256 of its bytes. What is no digest is refused with RejectedError.

    Errors: UnavailableError from any of it, when the place cannot be used now.
    """

    def has(self, sha256: str) -> bool:
        """Whether the file with this digest is here."""

    def has_manifest(self, sha256: str) -> bool:
        """Whether the manifest with this hash is here; its files may not be."""

    def add_file(self, sha256: str, pieces: Iterable[bytes], limit_bytes: int) -> int:
        """Stores a file, replacing one that is here, and gives its size in bytes. It lasts once this returns.

        Errors: RejectedError: other bytes than promised, or more than the limit; nothing is left to be seen.
        """

    def add_files(self, files: Iterable[Stored], pieces_of: Callable[[str], Iterable[bytes]]) -> None:
        """Stores files, whose bytes are had by their digests. All of them last once this returns. Errors: as `add_file`."""

    def add_manifest(self, content: bytes) -> Manifest:
        """Stores a manifest. Errors: RejectedError when it is none that every client can hold."""

    def read_manifest(self, sha256: str) -> Manifest:
        """The manifest with this hash. Errors: UnavailableError: not here; RejectedError: damaged."""

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a file, in pieces, as they lie here. Errors: UnavailableError: not here."""

    def missing(self, manifest: Manifest) -> list[Stored]:
        """The files of the tree that are not here, or not of their size, each once."""

    def verify(self, manifest: Manifest) -> list[str]:
        """Reads every file of the tree again; paths of those that are missing or damaged."""

    def copy_to(self, other: "ContentPlace", manifest: Manifest) -> int:
        """Gives another place what it lacks of the tree, the manifest last; counts the files that it lacked.

        Errors: UnavailableError: something is not here, or the other place cannot take it; RejectedError: damaged here.
        """

    def remove_manifest(self, sha256: str, keep_files: AbstractSet[str]) -> int:
        """Removes a manifest and its files, save those with a digest in `keep_files`; gives the bytes freed."""

    def remove_file(self, sha256: str) -> int:
        """Removes one file that nothing needs; gives the bytes freed."""

    def walk(self, *, until: float | None = None) -> Iterator[Stored]:
        """Every complete file and manifest that lies here, in no order; only those written before `until`.

        Units: seconds since 1970, by the clock of the place.
        """

    def remove(self, stored: Stored) -> int:
        """Removes one thing that `walk` found; gives the bytes freed."""
