"""Takes a package's source in: the canonical tree of an administrator's folder or file, and a way to its bytes.

Runs on the administrator's side. Equal trees give equal bytes: no times, no owners, no order, of the modes only whether a
file is executable. Nothing is written, no file is ever whole in memory. Downstream: `cli` sends what the site lacks.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from purveyor.content.source import BusyError, Scan, Seen, Source, find_source, read_pieces, scan
from purveyor.content.tree import check_tree
from purveyor.content.verify import digest_of, verified
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, File, Link, Manifest, encode, hash_of

RETRY_LIMIT = 3
PAUSE_SECONDS = 1.0
THREAD_COUNT = 2
BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the reading of a source has come."""

    file_count: int
    total_file_count: int
    read_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """A source that was taken in: its manifest, the manifest's bytes and hash, and the way to the bytes of each file."""

    manifest: Manifest
    content: bytes
    sha256: str
    source: Source

    def open(self, file: File) -> Iterator[bytes]:
        """The bytes of one file, in pieces; the last comes only when all are those that were taken in.

        Errors: RefusedError, naming the file: it changed or vanished since, or cannot be read any more.
        """
        pieces = read_pieces(self.source.place_of(file.path), file.path, limit_bytes=file.size_bytes)
        try:
            yield from verified(pieces, sha256=file.sha256, limit_bytes=file.size_bytes)
        except (RejectedError, BusyError) as error:
            raise RefusedError(f"{file.path!r} changed since the source was read: take the source in again") from error


def take_in(
    source: Path, *, on_progress: Callable[[Progress], None] = lambda _: None, pause: Callable[[float], None] = time.sleep
) -> TakenIn:
    """The canonical tree of a folder, or of a single file. `on_progress` is called by one thread at a time.

    Errors: RefusedError, naming the path: what cannot be read or distributed, or still changes after three more attempts.
    Source: Q207416.
    """
    found = find_source(source)
    digests: dict[str, tuple[Seen, str]] = {}
    for attempt in range(RETRY_LIMIT + 1):
        if attempt:
            pause(PAUSE_SECONDS * attempt)
        try:
            before = scan(found)
            _read_all(found, before, digests, on_progress)
            _expect_same(before, scan(found))
        except BusyError as error:
            trouble = error
            continue
        return _taken_in(found, before, digests)
    raise RefusedError(f"the source {str(source)!r} is being changed: {trouble}. Try again once it is at rest") from trouble


def _read_all(source: Source, found: Scan, digests: dict[str, tuple[Seen, str]], on_progress: Callable[[Progress], None]) -> None:
    """Adds the digest of each file not known as it is now; goes on past busy ones, and raises for the first in the end."""
    unread = [(path, seen) for path, seen in found.files.items() if path not in digests or digests[path][0] != seen]
    meter = _Meter(len(unread), sum(seen.size_bytes for _, seen in unread), on_progress)

    def read(entry: tuple[str, Seen]) -> BusyError | None:
        path, seen = entry
        pieces = read_pieces(source.place_of(path), path, limit_bytes=seen.size_bytes, seen=seen)
        try:
            digests[path] = (seen, digest_of(meter.counted(pieces)))
        except BusyError as error:
            return error
        meter.count_file()
        return None

    busy: list[BusyError] = []
    with ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="take-in") as pool:
        for start in range(0, len(unread), BATCH_SIZE):
            busy += [error for error in pool.map(read, unread[start : start + BATCH_SIZE]) if error]
    if busy:
        raise busy[0]


@dataclass(slots=True)
class _Meter:
    """Counts what was read, over threads."""

    total_file_count: int
    total_bytes: int
    on_progress: Callable[[Progress], None]
    file_count: int = 0
    read_bytes: int = 0
    lock: Lock = field(default_factory=Lock)

    def counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self._count(0, len(piece))

    def count_file(self) -> None:
        self._count(1, 0)

    def _count(self, file_count: int, read_bytes: int) -> None:
        with self.lock:
            self.file_count += file_count
            self.read_bytes += read_bytes
            self.on_progress(
                Progress(
                    file_count=self.file_count,
                    total_file_count=self.total_file_count,
                    read_bytes=self.read_bytes,
                    total_bytes=self.total_bytes,
                )
            )


def _expect_same(before: Scan, after: Scan) -> None:
    if before == after:
        return
    old: dict[str, object] = {**before.files, **before.links, **dict.fromkeys(before.folders)}
    new: dict[str, object] = {**after.files, **after.links, **dict.fromkeys(after.folders)}
    changed = min(path for path in old.keys() | new.keys() if path not in old or path not in new or old[path] != new[path])
    raise BusyError(f"{changed!r} changed while the source was read")


def _taken_in(source: Source, found: Scan, digests: dict[str, tuple[Seen, str]]) -> TakenIn:
    manifest = Manifest(
        files=tuple(
            File(path=path, sha256=digests[path][1], size_bytes=seen.size_bytes, is_executable=seen.is_executable)
            for path, seen in sorted(found.files.items())
        ),
        links=tuple(Link(path=path, target=target) for path, target in sorted(found.links.items())),
        folders=tuple(sorted(found.folders)),
    )
    try:
        check_tree(manifest)
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    content = encode(manifest)
    if len(content) > SIZE_LIMIT_BYTES:
        raise RefusedError(
            f"the list of the {len(manifest.files)} files is larger than {SIZE_LIMIT_BYTES} bytes: "
            "put them into an archive or several packages"
        )
    return TakenIn(manifest=manifest, content=content, sha256=hash_of(content), source=source)
