"""A place of content on a shelf: a distribution point in a folder, on an SMB share or in a bucket, in the site's own hand.

The same operations as `store`, with nothing but a shelf below: large files go in and out in pieces, and are verified on the way.
A point that others can write into is not believed: what is read back is judged by its digest.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, datetime

from purveyor.content.place import ContentPlace
from purveyor.content.tree import canonical_tree, tree_in
from purveyor.content.verify import checked_digest, digest_of, verified
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.manifest import Manifest, Stored, distinct_files, encode, file_path, hash_of, manifest_path

LISTING_LIMIT = 1_000_000
"""Items of one folder that a walk looks at: files lie in 256 folders, so a quarter of a billion of them is seen."""


class ShelfStore:
    """Files and manifests on a shelf, each known by the SHA-256 of its bytes. `name` is what errors call it.

    The bytes of files go `through` something, out and in, that may hold them up for a while.
    """

    def __init__(self, shelf: Shelf, *, name: str, through: Callable[[Iterable[bytes]], Iterator[bytes]] = iter) -> None:
        self._shelf = shelf
        self._name = name
        self._through = through

    def has(self, sha256: str) -> bool:
        """Whether the file with this digest is here. Errors: as `ContentPlace`."""
        return self._shelf.size_of(file_path(checked_digest(sha256))) is not None

    def has_manifest(self, sha256: str) -> bool:
        """Whether the manifest with this hash is here, and not only to come. Errors: as `ContentPlace`."""
        return bool(self._shelf.size_of(manifest_path(checked_digest(sha256))))

    def add_file(self, sha256: str, pieces: Iterable[bytes], limit_bytes: int) -> int:
        """Stores a file, replacing one that is here, and gives its size in bytes. Errors: as `ContentPlace.add_file`."""
        size_bytes = self._write(sha256, pieces, limit_bytes)
        self._shelf.sync()
        return size_bytes

    def add_files(self, files: Iterable[Stored], pieces_of: Callable[[str], Iterable[bytes]]) -> None:
        """Stores files, and syncs them together: what came before an error may be lost with the power. Errors: as `add_file`."""
        for stored in files:
            self._write(stored.sha256, pieces_of(stored.sha256), stored.size_bytes)
        self._shelf.sync()

    def add_manifest(self, content: bytes) -> Manifest:
        """Stores a manifest. Whether its files are here is another question: `missing`. Errors: as `ContentPlace`."""
        manifest = canonical_tree(content)
        self._shelf.write(manifest_path(hash_of(content)), content)
        self._shelf.sync()
        return manifest

    def read_manifest(self, sha256: str) -> Manifest:
        """The manifest with this hash. Errors: UnavailableError: not here; RejectedError: damaged."""
        content = self._shelf.read(manifest_path(checked_digest(sha256)))
        if content is None:
            raise UnavailableError(f"the manifest {sha256} is not in {self._name}")
        if hash_of(content) != sha256:
            raise RejectedError(f"the manifest {sha256} in {self._name} is damaged")
        return tree_in(content)

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a file, in pieces, as they lie there. Errors: UnavailableError: not here, not readable."""
        return self._pieces(file_path(checked_digest(sha256)))

    def missing(self, manifest: Manifest) -> list[Stored]:
        """The files of the tree that are not here, or not of their size, each once. Errors: as `ContentPlace`."""
        return [stored for stored in distinct_files(manifest) if self._shelf.size_of(stored.path) != stored.size_bytes]

    def verify(self, manifest: Manifest) -> list[str]:
        """Reads every file of the tree again; paths of those that are missing or damaged. Errors: as `ContentPlace`."""
        return [stored.path for stored in distinct_files(manifest) if not self._is_sound(stored)]

    def copy_to(self, other: ContentPlace, manifest: Manifest) -> int:
        """Gives another place what it lacks of the tree, the manifest last; counts the files that it lacked.

        Errors: as `ContentPlace.copy_to`.
        """
        lacking = other.missing(manifest)
        other.add_files(lacking, self.pieces)
        other.add_manifest(encode(manifest))
        return len(lacking)

    def remove_manifest(self, sha256: str, keep_files: AbstractSet[str]) -> int:
        """Removes a manifest and its files, save those with a digest in `keep_files`; gives the bytes freed.

        The files go first: stopped in between, the next call finishes. A damaged manifest goes alone.
        Errors: UnavailableError.
        """
        path = manifest_path(checked_digest(sha256))
        if self._shelf.size_of(path) is None:
            return 0
        tree = Manifest()
        with suppress(RejectedError):
            tree = self.read_manifest(sha256)
        freed_bytes = sum(self._remove(stored.path) for stored in distinct_files(tree) if stored.sha256 not in keep_files)
        self._shelf.sync()
        freed_bytes += self._remove(path)
        self._shelf.sync()
        return freed_bytes

    def remove_file(self, sha256: str) -> int:
        """Removes one file that nothing needs; gives the bytes freed. Errors: UnavailableError."""
        return self._remove(file_path(checked_digest(sha256)))

    def walk(self, *, until: float | None = None) -> Iterator[Stored]:
        """Every complete file and manifest that lies here, in no order; only those written before `until`.

        Units: seconds since 1970, by the clock of the shelf.
        Errors: UnavailableError.
        """
        before = None if until is None else datetime.fromtimestamp(until, UTC)
        for folder in ("manifests", *(f"files/{digits:02x}" for digits in range(256))):
            for item in self._shelf.listed(folder, limit=LISTING_LIMIT, until=before):
                name = item.name.casefold()  # digests, which a share may show in other letters
                yield Stored(f"{folder}/{name}", name, item.size_bytes)

    def remove(self, stored: Stored) -> int:
        """Removes one thing that `walk` found; gives the bytes freed. Errors: UnavailableError."""
        return self._remove(stored.path)

    def _write(self, sha256: str, pieces: Iterable[bytes], limit_bytes: int) -> int:
        path = file_path(checked_digest(sha256))
        sound = verified(pieces, sha256=sha256, limit_bytes=limit_bytes)
        return self._shelf.write_from(path, self._through(sound), limit_bytes=limit_bytes)

    def _pieces(self, path: str) -> Iterator[bytes]:
        try:
            yield from self._through(self._shelf.pieces(path))
        except AbsentError as error:
            raise UnavailableError(f"{path} is not in {self._name}") from error

    def _is_sound(self, stored: Stored) -> bool:
        if self._shelf.size_of(stored.path) != stored.size_bytes:
            return False
        return digest_of(self._through(self._shelf.pieces(stored.path))) == stored.sha256

    def _remove(self, path: str) -> int:
        size_bytes = self._shelf.size_of(path)
        if size_bytes is None:
            return 0
        self._shelf.remove(path)
        return size_bytes
