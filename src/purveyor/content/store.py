"""A store of content on disk: the site's master copy, and in the same shape what lies on a distribution point.

    files/<first two digits>/<sha256>     manifests/<sha256>     asides/…  (not complete yet)

A file that is visible is complete and what it is called: written aside, verified on the way, synced, renamed. Knows nothing
of packages: which manifest is still needed is the caller's to say. Upstream: the REST API and `publish`; downstream: points.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from pathlib import Path

from purveyor.content.place import ContentPlace
from purveyor.content.source import READ_FLAGS
from purveyor.content.tree import canonical_tree, tree_in
from purveyor.content.verify import PIECE_BYTES, checked_digest, digest_of, is_digest, verified
from purveyor.transport.durable import ONE_BY_ONE_LIMIT, sync_file_system
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import (
    Manifest,
    Stored,
    distinct_files,
    encode,
    file_path,
    hash_of,
    manifest_path,
)

ASIDES = "asides"
ASIDE_AGE_LIMIT_SECONDS = 86_400


class ContentStore:
    """Files and manifests in one folder, each known by the SHA-256 of its bytes. May be used by several threads and processes."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Opens the store, making what is missing; what a crash left half done more than a day ago is removed.

        Units: `clock` gives seconds since 1970, as the file system counts them.
        Errors: UnavailableError.
        """
        self.folder = folder
        self._numbers = itertools.count()
        try:
            for name in ("files", "manifests", ASIDES):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for aside in (folder / ASIDES).iterdir():
                with suppress(FileNotFoundError):  # another thread has given it its name meanwhile
                    if clock() - aside.lstat().st_mtime > ASIDE_AGE_LIMIT_SECONDS:
                        aside.unlink()
        except OSError as error:
            raise UnavailableError(f"the content store {str(folder)!r} cannot be opened: {error.strerror}") from error

    def has(self, sha256: str) -> bool:
        """Whether the file with this digest is here. Errors: RejectedError when that is no digest."""
        return self._size(file_path(checked_digest(sha256))) is not None

    def has_manifest(self, sha256: str) -> bool:
        """Whether the manifest with this hash is here; its files may not be. Errors: RejectedError when that is no digest."""
        return self._size(manifest_path(checked_digest(sha256))) is not None

    def add_file(self, sha256: str, pieces: Iterable[bytes], limit_bytes: int) -> int:
        """Stores a file, replacing one that is here, and gives its size in bytes.

        Errors: RejectedError: other bytes than promised, or more than the limit; UnavailableError: disk full, read-only …
        Nothing is left behind by either, nor by what `pieces` raises.
        """
        path = file_path(checked_digest(sha256))
        return self._write(path, verified(pieces, sha256=sha256, limit_bytes=limit_bytes))

    def add_files(self, files: Iterable[Stored], pieces_of: Callable[[str], Iterable[bytes]]) -> None:
        """Stores files, one after the other. Errors: as `ContentPlace.add_files`."""
        for stored in files:
            self.add_file(stored.sha256, pieces_of(stored.sha256), stored.size_bytes)

    def add_manifest(self, content: bytes) -> Manifest:
        """Stores a manifest. Whether its files are here is another question: `missing`.

        Errors: RejectedError: no manifest, too large, or not one that every client can hold; UnavailableError.
        """
        manifest = canonical_tree(content)
        self._write(manifest_path(hash_of(content)), [content])
        return manifest

    def read_manifest(self, sha256: str) -> Manifest:
        """The manifest with this hash. Errors: UnavailableError: not here; RejectedError: damaged."""
        content = b"".join(self._pieces(manifest_path(checked_digest(sha256))))
        if hash_of(content) != sha256:
            raise RejectedError(f"the manifest {sha256} in {str(self.folder)!r} is damaged")
        return tree_in(content)

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a file, in pieces, as they are on disk. Errors: UnavailableError: not here, not readable."""
        return self._pieces(file_path(checked_digest(sha256)))

    def missing(self, manifest: Manifest) -> list[Stored]:
        """The files of the tree that are not here, or not of their size, each once."""
        return [stored for stored in distinct_files(manifest) if self._size(stored.path) != stored.size_bytes]

    def verify(self, manifest: Manifest) -> list[str]:
        """Reads every file of the tree again; paths in the store of those that are missing or damaged."""
        return [stored.path for stored in distinct_files(manifest) if not self._is_sound(stored)]

    def copy_to(self, other: ContentPlace, manifest: Manifest) -> int:
        """Gives another place what it lacks of the tree, the manifest last; counts the files that it lacked.

        One file under two names where one file system holds both, else a copy; each is verified before it has its name.
        Errors: UnavailableError: something is not here, or the other store cannot take it; RejectedError: damaged here.
        """
        content = encode(manifest)
        lacking = other.missing(manifest)
        if isinstance(other, ContentStore):
            other.add_files(itertools.dropwhile(partial(self._share, other), lacking), self.pieces)
            other._sync_folders(lacking)
        else:
            other.add_files(lacking, self.pieces)
        other.add_manifest(content)
        return len(lacking)

    def remove_manifest(self, sha256: str, keep_files: AbstractSet[str]) -> int:
        """Removes a manifest and its files, save those with a digest in `keep_files`; gives the bytes freed.

        The files go first: stopped in between, the next call finishes. A damaged manifest goes alone.
        Errors: UnavailableError.
        """
        freed_bytes = 0
        path = manifest_path(checked_digest(sha256))
        try:
            tree = self.read_manifest(sha256)
        except RejectedError:
            tree = Manifest()
        except UnavailableError:
            if not self.has_manifest(sha256):
                return 0
            raise
        for stored in distinct_files(tree):
            if stored.sha256 not in keep_files:
                freed_bytes += self._remove(stored.path)
        self._sync_folders(distinct_files(tree))
        freed_bytes += self._remove(path)
        self._sync_folder("manifests")
        return freed_bytes

    def remove_file(self, sha256: str) -> int:
        """Removes one file that nothing needs; gives the bytes freed. Errors: UnavailableError."""
        return self._remove(file_path(checked_digest(sha256)))

    def walk(self, *, until: float | None = None) -> Iterator[Stored]:
        """Every complete file and manifest that lies here, by what is on disk, in no order; only those written before `until`.

        What has no digest for a name, or is no file, was put there by somebody else, and is passed over.
        Units: seconds since 1970, as the file system counts them.
        Errors: UnavailableError.
        """
        try:
            for folder in ("manifests", *(f"files/{digits:02x}" for digits in range(256))):
                for entry in self._entries(folder):
                    if is_digest(entry.name) and entry.is_file(follow_symlinks=False):
                        seen = entry.stat(follow_symlinks=False)
                        if until is None or seen.st_mtime < until:
                            yield Stored(f"{folder}/{entry.name}", entry.name, seen.st_size)
        except OSError as error:
            raise UnavailableError(f"the content store {str(self.folder)!r} cannot be read: {error.strerror}") from error

    def remove(self, stored: Stored) -> int:
        """Removes one thing that `walk` found; gives the bytes freed. Errors: UnavailableError."""
        return self._remove(stored.path)

    def _write(self, path: str, pieces: Iterable[bytes]) -> int:
        final = self.folder / path
        aside = self._aside(path)
        size_bytes = 0
        is_placed = False
        try:
            final.parent.mkdir(exist_ok=True)
            with open(aside, "xb") as stream:
                for piece in pieces:
                    stream.write(piece)
                    size_bytes += len(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(aside, final)
            is_placed = True
            self._sync_folder(os.path.dirname(path))
        except OSError as error:
            raise UnavailableError(f"{path} cannot be stored in {str(self.folder)!r}: {error.strerror or error}") from error
        finally:
            if not is_placed:
                aside.unlink(missing_ok=True)
        return size_bytes

    def _share(self, other: "ContentStore", stored: Stored) -> bool:
        """Whether the file, once verified, could be given a second name in the other store."""
        if digest_of(self._pieces(stored.path)) != stored.sha256:
            raise RejectedError(f"{stored.path} in {str(self.folder)!r} is damaged")
        final = other.folder / stored.path
        aside = other._aside(stored.path)
        try:
            final.parent.mkdir(exist_ok=True)
            os.link(self.folder / stored.path, aside)
            os.replace(aside, final)
        except OSError:
            return False
        finally:
            aside.unlink(missing_ok=True)
        return True

    def _aside(self, path: str) -> Path:
        return self.folder / ASIDES / f"{os.path.basename(path)}.{os.getpid()}.{id(self)}.{next(self._numbers)}"

    def _pieces(self, path: str) -> Iterator[bytes]:
        try:
            with open(self.folder / path, "rb", buffering=0, opener=lambda name, _: os.open(name, READ_FLAGS)) as stream:
                while piece := stream.read(PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise UnavailableError(f"{path} in {str(self.folder)!r} cannot be read: {error.strerror}") from error

    def _is_sound(self, stored: Stored) -> bool:
        if self._size(stored.path) != stored.size_bytes:
            return False
        return digest_of(self._pieces(stored.path)) == stored.sha256

    def _size(self, path: str) -> int | None:
        try:
            return os.stat(self.folder / path, follow_symlinks=False).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(f"{path} in {str(self.folder)!r} cannot be read: {error.strerror}") from error

    def _remove(self, path: str) -> int:
        size_bytes = self._size(path)
        try:
            (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise UnavailableError(f"{path} in {str(self.folder)!r} cannot be removed: {error.strerror}") from error
        return size_bytes or 0

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What lies in a folder; nothing in one that no file needed yet, while the store itself is there. Errors: OSError."""
        try:
            return list(os.scandir(self.folder / folder))
        except (FileNotFoundError, NotADirectoryError):
            if os.path.dirname(folder):
                return []
            raise

    def _sync_folders(self, files: Iterable[Stored]) -> None:
        """Makes the names of files, or their absence, outlast a power cut."""
        folders = {os.path.dirname(stored.path) for stored in files}
        if len(folders) <= ONE_BY_ONE_LIMIT or not sync_file_system(str(self.folder)):
            for folder in folders:
                self._sync_folder(folder)

    def _sync_folder(self, folder: str) -> None:
        """Makes names in a folder outlast a power cut; Windows does that by itself and cannot be asked."""
        if os.name == "nt":
            return
        try:
            descriptor = os.open(self.folder / folder, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
