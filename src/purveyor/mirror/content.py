"""Content on its way to a mirror's DP: every byte verified as it comes, a manifest last, and read back before it counts.

A large file comes in parts that outlast a broken line or a switched-off machine; the parts go once the file is whole.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from purveyor.content.place import ContentPlace
from purveyor.content.tree import canonical_tree
from purveyor.content.verify import checked_digest
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import Memory
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, Stored, distinct_files, hash_of, manifest_path

PART_BYTES = 32 * 2**20
PARTS = "_mirror/parts"
CHECK_AFTER = timedelta(days=1)
"""Content that was not read back for so long is read again; one manifest a pass."""
_LISTING_LIMIT = 1_000_000

Elsewhere = Callable[[str], bool]
"""Whether a file need not be copied because whoever gets the copy has it."""


def bring(sha256: str, *, source: Intake, place: ContentPlace, shelf: Shelf, elsewhere: Elsewhere) -> int:
    """Brings one manifest and its files, and reads them back. Shape: files that came.

    Errors: UnavailableError; RejectedError: the source's copy is damaged.
    """
    content = _manifest_bytes(sha256, source)
    manifest = canonical_tree(content)
    lacking = [stored for stored in place.missing(manifest) if not elsewhere(stored.path)]
    for stored in lacking:
        _bring_file(stored, source, place, shelf)
    damaged = [path for path in place.verify(manifest) if not elsewhere(path)]
    for path in damaged:
        place.remove_file(path.rpartition("/")[2])
    if damaged:
        raise UnavailableError(f"{damaged[0]} could not be read back as it was written, of {len(damaged)} such files")
    place.add_manifest(content)
    return len(lacking)


def check_oldest(memory: Memory, place: ContentPlace, now: datetime) -> str:
    """Reads the manifest back that was not read for the longest; what is wrong with it, or nothing.

    One that is damaged is brought anew at the next pass. Errors: UnavailableError.
    """
    if not memory.checked:
        return ""
    sha256, at = min(memory.checked.items(), key=lambda item: (item[1], item[0]))
    if now - CHECK_AFTER < min(at, now):
        return ""
    try:
        damaged = place.verify(place.read_manifest(sha256))
    except (RejectedError, UnavailableError) as error:
        del memory.checked[sha256]
        return f"{manifest_path(sha256)}: {error}"
    if not damaged:
        memory.checked[sha256] = now
        return ""
    del memory.checked[sha256]
    for path in damaged:
        place.remove_file(path.rpartition("/")[2])
    return f"{len(damaged)} files of {manifest_path(sha256)} were damaged, {damaged[0]} for one"


def files_of(place: ContentPlace, sha256: str) -> set[str]:
    """The digests of a manifest's files; none of one that is not here or damaged. Errors: UnavailableError."""
    if not place.has_manifest(sha256):
        return set()
    try:
        manifest = place.read_manifest(sha256)
    except RejectedError:
        return set()
    return {stored.sha256 for stored in distinct_files(manifest)}


def remove_parts(shelf: Shelf, sha256: str = "") -> None:
    """Removes the parts of a file, or all that lie here. Errors: UnavailableError."""
    for item in shelf.listed(PARTS, limit=_LISTING_LIMIT):
        if item.name.startswith(sha256):
            shelf.remove(f"{PARTS}/{item.name}")


def _manifest_bytes(sha256: str, source: Intake) -> bytes:
    content = source.read(manifest_path(checked_digest(sha256)), SIZE_LIMIT_BYTES)
    if hash_of(content) != sha256:
        raise RejectedError(f"{manifest_path(sha256)} at {source.url} is damaged")
    return content


def _bring_file(stored: Stored, source: Intake, place: ContentPlace, shelf: Shelf) -> None:
    if stored.size_bytes <= PART_BYTES:
        place.add_file(stored.sha256, source.pieces(stored.path, size_bytes=stored.size_bytes), stored.size_bytes)
        return
    parts = f"{PARTS}/{stored.sha256}."
    try:
        place.add_file(stored.sha256, _through_parts(stored, source, shelf, parts), stored.size_bytes)
    except RejectedError:
        remove_parts(shelf, stored.sha256)  # one of them is not what it should be, and nobody can tell which
        raise
    remove_parts(shelf, stored.sha256)


def _through_parts(stored: Stored, source: Intake, shelf: Shelf, parts: str) -> Iterator[bytes]:
    """The file's bytes: from the parts that are here, then those that are fetched, each of them kept before it is passed on."""
    for number, start in enumerate(range(0, stored.size_bytes, PART_BYTES)):
        path = f"{parts}{number:06d}"
        end = min(start + PART_BYTES, stored.size_bytes)
        if shelf.size_of(path) != end - start:
            coming = source.pieces(stored.path, size_bytes=end, offset=start)
            shelf.write_from(path, coming, limit_bytes=end - start)
            shelf.sync()
        yield from shelf.pieces(path)
