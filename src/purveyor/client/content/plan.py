"""What the cache of content decides: what is still to be fetched, and what goes to make room. Pure.

Read by `held`, which does it. Paths are those of the cache, so that files which several manifests share count once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from purveyor.wire.manifest import Manifest, Stored, distinct_files, file_path, manifest_path

CACHE = "cache"
PARTIAL = f"{CACHE}/partial"


class Held(NamedTuple):
    """A manifest in the cache. Shape: `sizes` has what lies on disk for it, by path, whole or in part."""

    manifest: str
    used_at: str
    sizes: Mapping[str, int]


class Eviction(NamedTuple):
    """Manifests to give up, oldest first, and whether that makes room enough."""

    manifests: tuple[str, ...]
    is_enough: bool


def place_of_file(sha256: str) -> str:
    """Where the cache has a complete file."""
    return f"{CACHE}/{file_path(sha256)}"


def place_of_manifest(sha256: str) -> str:
    """Where the cache has a manifest."""
    return f"{CACHE}/{manifest_path(sha256)}"


def place_of_partial(sha256: str) -> str:
    """Where the cache has the beginning of a file or manifest."""
    return f"{PARTIAL}/{sha256}"


def places_of(manifest: str, tree: Manifest | None) -> set[str]:
    """Every path of the cache that a manifest leads to, complete or in part."""
    files = {file.sha256 for file in tree.files} if tree else set()
    places = {place_of_manifest(manifest), place_of_partial(manifest)}
    return places | {place_of_file(sha256) for sha256 in files} | {place_of_partial(sha256) for sha256 in files}


def missing_files(tree: Manifest, sizes: Mapping[str, int]) -> list[Stored]:
    """The files to fetch, each once, in the order of the tree: those that the cache does not have at their size."""
    return [stored for stored in distinct_files(tree) if sizes.get(place_of_file(stored.sha256)) != stored.size_bytes]


def missing_bytes(missing: Iterable[Stored], sizes: Mapping[str, int]) -> int:
    """Bytes still to be fetched, those of beginnings that are here left out."""
    return sum(max(0, stored.size_bytes - sizes.get(place_of_partial(stored.sha256), 0)) for stored in missing)


def choose_evictions(
    held: Sequence[Held], *, wanted: Mapping[str, int], keep: AbstractSet[str], quota_bytes: int, shortage_bytes: int
) -> Eviction:
    """What to give up so that the cache, with what is wanted, is within its quota, and so many bytes of the disk become free.

    The least recently used goes first; what is in `keep` never. Files that another manifest needs free nothing.
    Shape: `wanted` has the sizes, by path, of all that is to be in the cache besides what is held.
    """
    sizes: dict[str, int] = {}
    for entry in held:
        sizes.update(entry.sizes)
    needs = Counter(path for entry in held for path in entry.sizes)
    needs.update(wanted.keys())
    total_bytes = sum((sizes | dict(wanted)).values())
    freed_bytes = 0
    chosen: list[str] = []
    for entry in sorted(held, key=lambda entry: (entry.used_at, entry.manifest)):
        if total_bytes <= quota_bytes and freed_bytes >= shortage_bytes:
            break
        if entry.manifest in keep:
            continue
        chosen.append(entry.manifest)
        needs.subtract(entry.sizes.keys())
        gone_bytes = sum(size for path, size in entry.sizes.items() if not needs[path])
        total_bytes -= gone_bytes
        freed_bytes += gone_bytes
    return Eviction(tuple(chosen), total_bytes <= quota_bytes and freed_bytes >= shortage_bytes)
