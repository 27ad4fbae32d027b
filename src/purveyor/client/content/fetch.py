"""Brings a manifest or files from distribution points into the cache: resumed, verified, synced, and only then named.

No point is trusted: one that fails twice is asked no more in this fetch, one that gives wrong bytes or is busy at once. What is
under a final name was synced before it got that name, so a power cut never leaves a wrong one; files are synced many at a time,
since that costs little more than one. Upstream: points; downstream: `held`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from purveyor.client.content.plan import place_of_file, place_of_manifest, place_of_partial
from purveyor.client.machine.interface import Disk
from purveyor.content.verify import digest_of
from purveyor.transport.interface import Point
from purveyor.wire.errors import (
    AbsentError,
    BusyError,
    HeldBackError,
    PurveyorError,
    RejectedError,
    ToComeError,
    UnavailableError,
)
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, Stored, checked, manifest_path, to_come

FAILURE_LIMIT = 2
_TROUBLES_TOLD, _TROUBLE_LIMIT = 5, 300
"""Points that are named where none gives the content, and characters of what is wrong at each."""
SYNC_BYTES = 64 * 2**20
SYNC_FILES = 1000
"""So much of a download can be lost by a power cut."""


class DiskError(PurveyorError):
    """The agent's own disk does not take what was fetched: no other point would help."""


@contextmanager
def on_disk() -> Iterator[None]:
    """Tells the disk's failures from those of points. Errors: DiskError in place of UnavailableError."""
    try:
        yield
    except UnavailableError as error:
        raise DiskError(str(error)) from error


class Sources:
    """The points of one fetch, and what each did wrong in it. `count_absent` is told the URL of one that lacks a file."""

    def __init__(self, manifest: str, points: Sequence[Point], *, count_absent: Callable[[str], None]) -> None:
        self.manifest = manifest
        self.holders: set[str] = set()
        """Points at which the manifest was seen."""
        self._left = list(points)
        self._count_absent = count_absent
        self._failures: Counter[str] = Counter()
        self._troubles: dict[str, str] = {}
        self.wrong: list[str] = []
        """What points held damaged, or not at all."""

    @property
    def trouble(self) -> str:
        """Each point that was left, with what went wrong there last."""
        told = [f"{url}: {error[:_TROUBLE_LIMIT]}" for url, error in self._troubles.items()]
        more = len(told) - _TROUBLES_TOLD
        return "; ".join(told[:_TROUBLES_TOLD]) + (f"; and {more} more" if more > 0 else "")

    def current(self) -> Point | None:
        """The point to ask next; None when all were left."""
        return self._left[0] if self._left else None

    def fail(self, point: Point, error: PurveyorError) -> None:
        """Another point is asked next; after its second failure this one no more."""
        self._failures[point.url] += 1
        self.leave(point, error)
        if self._failures[point.url] < FAILURE_LIMIT:
            self._left.append(point)

    def leave(self, point: Point, error: PurveyorError) -> None:
        """This point is asked no more in this fetch."""
        if isinstance(error, AbsentError):
            self._count_absent(point.url)
        if isinstance(error, AbsentError | RejectedError):
            self.wrong.append(f"{point.url}: {error}")
        self._troubles[point.url] = str(error)
        self._left = [other for other in self._left if other is not point]


def fetch_manifest(manifest: str, sources: Sources) -> bytes:
    """The bytes of the manifest with this hash, verified; nothing is stored yet.

    Errors: UnavailableError: no point gives it.
    """
    while point := sources.current():
        try:
            answer = point.read(manifest_path(manifest), limit_bytes=SIZE_LIMIT_BYTES)
            content = checked(answer.content if answer else b"", manifest, point.url)
        except HeldBackError:
            raise
        except (AbsentError, BusyError, RejectedError, ToComeError) as error:
            sources.leave(point, error)
        except UnavailableError as error:
            sources.fail(point, error)
        else:
            sources.holders.add(point.url)
            return content
    raise UnavailableError(f"no distribution point gives the manifest {manifest} ({sources.trouble})")


def _holder(sources: Sources) -> Point | None:
    """The point to ask next for a file: one whose manifest says, by its first byte, that the content has come there."""
    while point := sources.current():
        if point.url in sources.holders:
            return point
        try:
            if not b"".join(point.read_from(manifest_path(sources.manifest), offset=0, limit_bytes=1)):
                raise to_come(sources.manifest, point.url)
        except HeldBackError:
            raise
        except (AbsentError, BusyError, RejectedError, ToComeError) as error:
            sources.leave(point, error)
        except UnavailableError as error:
            sources.fail(point, error)
        else:
            sources.holders.add(point.url)
    return None


def keep_manifest(disk: Disk, manifest: str, content: bytes) -> None:
    """Puts a verified manifest into the cache. Errors: DiskError."""
    partial = place_of_partial(manifest)
    with on_disk():
        disk.remove(partial)
        disk.append(partial, content)
    _name(disk, {partial: place_of_manifest(manifest)})


def fetch_files(disk: Disk, files: Iterable[Stored], sources: Sources) -> None:
    """Puts files into the cache, in this order.

    Errors: UnavailableError: no point gives one of them; HeldBackError: the budget of bandwidth allows no more now; DiskError.
    What came is kept for the next time.
    """
    unnamed: dict[str, str] = {}
    unsynced_bytes = 0
    try:
        for stored in files:
            _fetch_file(disk, stored, sources)
            unnamed[place_of_partial(stored.sha256)] = place_of_file(stored.sha256)
            unsynced_bytes += stored.size_bytes
            if unsynced_bytes >= SYNC_BYTES or len(unnamed) >= SYNC_FILES:
                whole, unnamed, unsynced_bytes = unnamed, {}, 0  # a disk says once that it lost bytes: none is synced again
                _name(disk, whole)
    finally:
        if unnamed:
            _name(disk, unnamed)


def _fetch_file(disk: Disk, stored: Stored, sources: Sources) -> None:
    """Lets one file lie complete and verified among what was begun, going on from the beginning that is here.

    That is read once, when the rest has come. Errors: as `fetch_files`.
    """
    partial = place_of_partial(stored.sha256)
    while True:
        offset = _begun_bytes(disk, partial, stored.size_bytes)
        digest = None if offset else hashlib.sha256()
        point = None
        if offset < stored.size_bytes:
            point = _holder(sources)
            if point is None:
                raise UnavailableError(f"no distribution point gives {stored.path} ({sources.trouble})")
            if not _receive(disk, partial, stored, point, sources, digest, offset):
                continue
        elif not stored.size_bytes:
            _append(disk, partial, b"")
        if (_digest_there(disk, partial) if digest is None else digest.hexdigest()) == stored.sha256:
            return
        with on_disk():
            disk.remove(partial)
        error = RejectedError(f"{stored.path} is damaged there")
        if point is not None and not offset:
            sources.leave(point, error)
        elif not stored.size_bytes:
            raise UnavailableError(str(error))


def _receive(
    disk: Disk, partial: str, stored: Stored, point: Point, sources: Sources, digest: "hashlib._Hash | None", offset: int
) -> bool:
    """Whether all bytes from `offset` on came. Those that came are kept, and in `digest`, if there is one.

    Errors: HeldBackError, DiskError.
    """
    left_bytes = stored.size_bytes - offset
    unsynced_bytes = 0
    try:
        for piece in point.read_from(stored.path, offset=offset, limit_bytes=left_bytes):
            if len(piece) > left_bytes:
                raise RejectedError(f"{stored.path} is longer there than its {stored.size_bytes} bytes")
            _append(disk, partial, piece)
            if digest is not None:
                digest.update(piece)
            left_bytes -= len(piece)
            unsynced_bytes += len(piece)
            if unsynced_bytes >= SYNC_BYTES:
                _sync(disk, partial)
                unsynced_bytes = 0
        if left_bytes:
            raise UnavailableError(f"{stored.path} ended {left_bytes} bytes early")
    except HeldBackError:
        if unsynced_bytes:
            _sync(disk, partial)
        raise
    except (AbsentError, BusyError, RejectedError) as error:
        sources.leave(point, error)
    except UnavailableError as error:
        sources.fail(point, error)
    if left_bytes and unsynced_bytes:
        _sync(disk, partial)
    return not left_bytes


def _begun_bytes(disk: Disk, partial: str, size_bytes: int) -> int:
    """How long the beginning is that is here. One that is too long is removed."""
    with on_disk():
        begun = disk.size(partial) or 0
        if begun > size_bytes:
            disk.remove(partial)
        return begun if begun <= size_bytes else 0


def _digest_there(disk: Disk, partial: str) -> str:
    with on_disk():
        return digest_of(disk.read_pieces(partial))


def _name(disk: Disk, unnamed: Mapping[str, str]) -> None:
    """Gives what is complete and verified its final name, so that after a power cut it is whole or not there.

    Shape: `unnamed` has the final place by the one where it was begun.
    """
    with on_disk():
        disk.sync(*unnamed)
        for partial, final in unnamed.items():
            disk.rename(partial, final)
        disk.sync(*unnamed.values())


def _append(disk: Disk, path: str, content: bytes) -> None:
    with on_disk():
        disk.append(path, content)


def _sync(disk: Disk, path: str) -> None:
    with on_disk():
        disk.sync(path)
