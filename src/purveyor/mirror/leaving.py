"""What leaves a mirror: files that nothing names any more, once their grace is over; looked for on the target itself.

The grace is that of the protocol, 3.5: a timestamp's life, the poll interval and a day. It counts from when this mirror first saw
the file unnamed, by its own clock and by the site's signed times, whichever says less. Content of a package that still stands
stays thirty days, unless other content lacks room. Nothing leaves before what replaces it is served.
Source: the protocol, sections 3.5 and 3.6.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from purveyor.content.place import ContentPlace
from purveyor.mirror import content, lookup
from purveyor.mirror.content import Store
from purveyor.mirror.memory import Memory, Since, is_over, not_ahead
from purveyor.transport.interface import Shelf
from purveyor.wire.boxes import DOWN_BOXES
from purveyor.wire.errors import UnavailableError
from purveyor.wire.manifest import file_path, manifest_path
from purveyor.wire.settings import Shards

MARGIN_SECONDS = 86_400.0
SUPERSEDED_SECONDS = 30 * 86_400.0
_LISTING_LIMIT = 1_000_000
_ROOT = re.compile(r"clidata\.box/[0-9]+\.root\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What time it is, by both clocks, and how long the grace is."""

    now: datetime
    signed: datetime
    grace_seconds: float


class Left(NamedTuple):
    """What left: files and bytes."""

    files: int = 0
    freed_bytes: int = 0


def leave_boxes(target: Shelf, memory: Memory, named: set[str], where: Shards, clocks: Clocks) -> Left:
    """Removes what has lain in the down boxes unnamed for long enough, old generations too. Errors: UnavailableError."""
    memory.generations = tuple(sorted({*memory.generations, where.generation}))
    known = {path.casefold() for path in named}  # a share may show other letters than it was given
    lying = [path for path in _lying(target, named) if path.casefold() not in known and not _ROOT.fullmatch(path.casefold())]
    old = {lookup.folder_of(generation): generation for generation in memory.generations if generation != where.generation}
    over = _over(memory, [*lying, *old], clocks, _box_paths(memory))
    files = 0
    for path in over:
        if path in old:
            for shard in lookup.lying(target, old[path]):
                target.remove(shard)
                memory.tags.pop(shard, None)
                files += 1
            memory.generations = tuple(one for one in memory.generations if one != old[path])
        else:
            target.remove(path)
            files += 1
        del memory.unnamed[path]
    if files:
        target.sync()
    return Left(files)


def leave_content(
    store: Store,
    memory: Memory,
    needed: Mapping[str, tuple[str, ...]],
    clocks: Clocks,
    problems: list[str],
    *,
    is_short: bool,
    is_coming: bool,
) -> Left:
    """Removes content that nothing has named for long enough, and looks on the disk that it is gone.

    Where room `is_short`, content of packages that still stand stays no longer than other; while content `is_coming`, what has
    come of it stays.
    Shape: `needed` has the packages of each manifest that is named. Errors: UnavailableError.
    """
    place = store.place
    if not is_coming:
        content.remove_parts(store.shelf)
    manifests = {stored.sha256 for stored in place.walk() if stored.path == manifest_path(stored.sha256)}
    leaving = _manifests_over(memory, manifests, needed, clocks, is_short=is_short)
    kept = set().union(*(content.files_of(place, sha256) for sha256 in manifests - leaving))
    freed_bytes = files = 0
    for sha256 in sorted(leaving):
        its_files = content.files_of(place, sha256) - kept
        freed_bytes += place.remove_manifest(sha256, kept)
        left = [file_path(digest) for digest in sorted(its_files) if place.has(digest)]
        if left or place.has_manifest(sha256):
            problems.append(f"{(left or [manifest_path(sha256)])[0]} is still there after it was removed")
            continue
        files += 1 + len(its_files)
        memory.packages.pop(sha256, None)
        memory.checked.pop(sha256, None)
        memory.full.pop(sha256, None)
        del memory.unnamed[manifest_path(sha256)]
    strays = Left() if is_coming else _leave_strays(place, memory, kept, clocks)
    if files or strays.files:
        memory.full.clear()  # there is more room than there was
    return Left(files + strays.files, freed_bytes + strays.freed_bytes)


def _manifests_over(
    memory: Memory, manifests: set[str], needed: Mapping[str, tuple[str, ...]], clocks: Clocks, *, is_short: bool
) -> set[str]:
    """The manifests that leave now: those of packages that still stand stay longer, but where room is short."""
    standing = {package for packages in needed.values() for package in packages}
    known = [path for path in memory.unnamed if path.startswith("manifests/")]
    over = _over(memory, [manifest_path(sha256) for sha256 in manifests - needed.keys()], clocks, known)
    return {
        path.rpartition("/")[2]
        for path in over
        if is_short
        or not standing & set(memory.packages.get(path.rpartition("/")[2], ()))
        or _is_long_over(memory.unnamed[path], clocks)
    }


def _leave_strays(place: ContentPlace, memory: Memory, kept: set[str], clocks: Clocks) -> Left:
    """Removes files of no manifest: what was given up half way."""
    files = (stored for stored in place.walk() if stored.path == file_path(stored.sha256))
    strays = {stored.path: stored for stored in files if stored.sha256 not in kept}
    known = [path for path in memory.unnamed if path.startswith("files/")]
    over = _over(memory, strays, clocks, known)
    freed_bytes = 0
    for path in over:
        freed_bytes += place.remove(strays[path])
        del memory.unnamed[path]
    return Left(len(over), freed_bytes)


def _over(memory: Memory, unnamed: Iterable[str], clocks: Clocks, known: Iterable[str]) -> list[str]:
    """The unnamed whose grace is over. The others are remembered; `known` that are not unnamed any more are forgotten."""
    found = set(unnamed)
    for path in [path for path in known if path not in found]:
        memory.unnamed.pop(path, None)
    over = []
    for path in sorted(found):
        since = memory.unnamed.setdefault(path, Since(here=clocks.now, signed=clocks.signed))
        since = memory.unnamed[path] = not_ahead(since, now=clocks.now, signed=clocks.signed)
        if is_over(since, grace_seconds=clocks.grace_seconds, now=clocks.now, signed=clocks.signed):
            over.append(path)
    return over


def _is_long_over(since: Since, clocks: Clocks) -> bool:
    grace_seconds = max(clocks.grace_seconds, SUPERSEDED_SECONDS)
    return is_over(since, grace_seconds=grace_seconds, now=clocks.now, signed=clocks.signed)


def _box_paths(memory: Memory) -> list[str]:
    return [path for path in memory.unnamed if not path.startswith(("manifests/", "files/"))]


def _lying(target: Shelf, named: set[str]) -> Iterable[str]:
    """Every file in the down boxes and their folders that anything has named, but for shards."""
    folders = {box.name for box in DOWN_BOXES} | {path.rpartition("/")[0] for path in named}
    for folder in sorted(folders):
        try:
            listed = target.listed(folder, limit=_LISTING_LIMIT)
        except UnavailableError:
            if folder in {path.rpartition("/")[0] for path in named}:
                raise
            continue
        for item in listed:
            yield f"{folder}/{item.name}"
