"""Content on its way to a mirror's DP: every byte verified as it comes, a manifest last, and read back before it counts.

A large file comes in parts that outlast a broken line or a switched-off machine; the parts go once the file is whole. What does
not fit is not begun. An empty manifest stands for content that is yet to come.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.content.place import ContentPlace
from purveyor.content.tree import canonical_tree
from purveyor.content.verify import checked_digest
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import Memory
from purveyor.transport.interface import Listed, Point, Shelf
from purveyor.wire.errors import FullError, RejectedError, UnavailableError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, Manifest, Stored, checked, distinct_files, hash_of, manifest_path

PART_BYTES = 32 * 2**20
PARTS = "_mirror/parts"
CHECK_AFTER = timedelta(days=1)
"""Content that was not read back for so long is read again; one manifest a pass."""
_LISTING_LIMIT = 1_000_000

Elsewhere = Callable[[str], bool]
"""Whether a file need not be copied because whoever gets the copy has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A DP that is mirrored: where it is read, and the same place as a shelf and as content.

    Units: content leaves `reserve_bytes` of the place free, so that what is published still fits.
    """

    source: Point
    shelf: Shelf
    place: ContentPlace
    reserve_bytes: int = 64 * 2**20


class Coming(NamedTuple):
    """Content that is to come: the bytes of its manifest, what it says, and the files that are not here."""

    content: bytes
    manifest: Manifest
    lacking: list[Stored]


def coming(sha256: str, source: Intake, store: Store, elsewhere: Elsewhere) -> Coming:
    """What there is to bring for a manifest. Errors: UnavailableError; RejectedError: the source's copy is damaged."""
    content = checked(source.read(manifest_path(checked_digest(sha256)), SIZE_LIMIT_BYTES), sha256, source.url)
    manifest = canonical_tree(content)
    return Coming(content, manifest, [stored for stored in store.place.missing(manifest) if not elsewhere(stored.path)])


def check_room(wanted: Coming, store: Store) -> None:
    """Whether all of it fits, as far as the place says; where it does not, parts of it that came before go.

    A large file needs its room twice while it is put together from parts. Errors: FullError, UnavailableError.
    """
    free_bytes = store.shelf.free_bytes()
    if free_bytes is None:
        return
    sizes = [stored.size_bytes for stored in wanted.lacking]
    twice_bytes = max((size for size in sizes if size > PART_BYTES), default=0)
    digests = {stored.sha256 for stored in wanted.lacking}
    came_bytes = sum(item.size_bytes for item in _parts(store.shelf, digests))
    needed_bytes = sum(sizes) + twice_bytes - came_bytes
    if needed_bytes + store.reserve_bytes > free_bytes:
        remove_parts(store.shelf, digests)
        raise FullError(
            f"the content {hash_of(wanted.content)} does not fit: it needs {needed_bytes} bytes beside {store.reserve_bytes} "
            f"that stay free, and {free_bytes} are free"
        )


def fetch(wanted: Coming, source: Intake, store: Store, elsewhere: Elsewhere) -> None:
    """Brings content, reads it back, and names it. Where the place turns out to be full, nothing of it stays.

    Errors: UnavailableError; RejectedError: the source's copy is damaged.
    """
    place = store.place
    try:
        small = {stored.sha256: stored for stored in wanted.lacking if stored.size_bytes <= PART_BYTES}
        place.add_files(small.values(), lambda sha256: source.pieces(small[sha256].path, size_bytes=small[sha256].size_bytes))
        for stored in wanted.lacking:
            if stored.sha256 not in small:
                _bring_large(stored, source, place, store.shelf)
        damaged = [path for path in place.verify(wanted.manifest) if not elsewhere(path)]
        if damaged:
            _take_away(damaged, store)
            raise UnavailableError(f"{damaged[0]} could not be read back as it was written, of {len(damaged)} such files")
        place.add_manifest(wanted.content)
    except FullError:
        remove_parts(store.shelf, {stored.sha256 for stored in wanted.lacking})
        for stored in wanted.lacking:
            place.remove_file(stored.sha256)
        raise


def is_here(sha256: str, place: ContentPlace) -> bool:
    """Whether a manifest and all its files are here, by their sizes. Errors: UnavailableError."""
    try:
        return place.has_manifest(sha256) and not place.missing(place.read_manifest(sha256))
    except RejectedError:
        return False


def promise(sha256: str, shelf: Shelf) -> None:
    """Says that content is yet to come: an empty manifest, so that nobody asks for files that are not here.

    Errors: UnavailableError.
    """
    path = manifest_path(sha256)
    if shelf.size_of(path) != 0:
        shelf.write(path, b"")
        shelf.sync()


def check_oldest(memory: Memory, store: Store, now: datetime) -> str:
    """Reads the manifest back that was not read for the longest; what is wrong with it, or nothing.

    One that is damaged is brought anew at the next pass. Errors: UnavailableError.
    """
    if not memory.checked:
        return ""
    sha256, at = min(memory.checked.items(), key=lambda item: (item[1], item[0]))
    if now - CHECK_AFTER < min(at, now):
        return ""
    try:
        damaged = store.place.verify(store.place.read_manifest(sha256))
    except (RejectedError, UnavailableError) as error:
        del memory.checked[sha256]
        return f"{manifest_path(sha256)}: {error}"
    if not damaged:
        memory.checked[sha256] = now
        return ""
    _take_away(damaged, store)
    del memory.checked[sha256]
    return f"{len(damaged)} files of {manifest_path(sha256)} were damaged, {damaged[0]} for one"


def _take_away(damaged: list[str], store: Store) -> None:
    """Takes damaged files away, once all content that has any of them is said to be yet to come. Errors: UnavailableError."""
    digests = {path.rpartition("/")[2] for path in damaged}
    lying = [stored.sha256 for stored in store.place.walk() if stored.path == manifest_path(stored.sha256)]
    for sha256 in lying:
        if digests & files_of(store.place, sha256):
            promise(sha256, store.shelf)
    for digest in digests:
        store.place.remove_file(digest)


def files_of(place: ContentPlace, sha256: str) -> set[str]:
    """The digests of a manifest's files; none of one that is not here or damaged. Errors: UnavailableError."""
    if not place.has_manifest(sha256):
        return set()
    try:
        manifest = place.read_manifest(sha256)
    except RejectedError:
        return set()
    return {stored.sha256 for stored in distinct_files(manifest)}


def remove_parts(shelf: Shelf, digests: AbstractSet[str] | None = None) -> None:
    """Removes the parts of these files, or all that lie here. Errors: UnavailableError."""
    for item in _parts(shelf, digests):
        shelf.remove(f"{PARTS}/{item.name}")


def _parts(shelf: Shelf, digests: AbstractSet[str] | None) -> list[Listed]:
    lying = shelf.listed(PARTS, limit=_LISTING_LIMIT)
    return [item for item in lying if digests is None or item.name.casefold().partition(".")[0] in digests]


def _bring_large(stored: Stored, source: Intake, place: ContentPlace, shelf: Shelf) -> None:
    parts = f"{PARTS}/{stored.sha256}."
    try:
        place.add_file(stored.sha256, _through_parts(stored, source, shelf, parts), stored.size_bytes)
    except RejectedError:
        remove_parts(shelf, {stored.sha256})  # one of them is not what it should be, and nobody can tell which
        raise
    remove_parts(shelf, {stored.sha256})


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
