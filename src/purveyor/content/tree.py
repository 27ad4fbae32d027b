"""The rules of a package's tree that need all of it at once: names that some system takes for one, links that leave.

Pure. `wire.manifest` checks each entry; this adds what two entries can do together. The administrator's side asks before
anything is read, the site's store and the client before anything is believed.
"""

import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping

from purveyor.wire.errors import RejectedError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, Manifest, check, decode, encode, hash_of

HOP_LIMIT = 40
"""Links followed one after another before it counts as a loop, as on Linux."""

EMPTY_SHA256 = hash_of(b"")


def check_tree(manifest: Manifest) -> None:
    """Nothing when every client can hold this tree, and no path or link of it leads out.

    Errors: RejectedError.
    """
    check(manifest)
    check_names(_paths(manifest))
    check_links({link.path: link.target for link in manifest.links})
    _check_sizes(manifest)


def tree_in(content: bytes) -> Manifest:
    """The tree in the bytes of a manifest, once every client can hold it. Errors: RejectedError."""
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"the manifest is larger than {SIZE_LIMIT_BYTES} bytes")
    manifest = decode(content)
    check_tree(manifest)
    return manifest


def canonical_tree(content: bytes) -> Manifest:
    """As `tree_in`, for bytes that are to be kept: equal trees must be equal bytes. Errors: RejectedError."""
    manifest = tree_in(content)
    in_order = Manifest(
        files=tuple(sorted(manifest.files, key=lambda file: file.path)),
        links=tuple(sorted(manifest.links, key=lambda link: link.path)),
        folders=tuple(sorted(manifest.folders)),
    )
    if encode(in_order) != content:
        raise RejectedError("the manifest is not in its canonical form: entries sorted by path, nothing beside them")
    return manifest


def check_names(paths: Iterable[str]) -> None:
    """Nothing when no two names in one folder differ only by case or by Unicode normalisation.

    Errors: RejectedError, naming both.
    """
    names: dict[tuple[str, str], str] = {}
    known_folders = {""}
    for path in paths:
        rest = path
        while rest not in known_folders:
            folder, _, name = rest.rpartition("/")
            other = names.setdefault((folder, folded(name)), name)
            if other != name:
                beside = f"{folder}/{other}" if folder else other
                raise RejectedError(
                    f"{rest!r} and {beside!r} differ only by case or by how letters are composed: rename one of them"
                )
            if rest != path:
                known_folders.add(rest)
            rest = folder


def check_links(links: Mapping[str, str]) -> None:
    """Nothing when every link, followed through all others, stays inside the tree and comes to an end.

    Shape: path of the link → its target, as it stands.
    Errors: RejectedError, naming the link.
    """
    for path, target in links.items():
        _follow(path, target, links)


def folded(name: str) -> str:
    """What a name is where neither case nor composition counts. Source: Unicode 15, 3.13, D145."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _follow(path: str, target: str, links: Mapping[str, str]) -> None:
    place = path.split("/")[:-1]
    ahead = deque(_parts(path, target))
    hop_count = 1
    while ahead:
        part = ahead.popleft()
        match part:
            case "" | ".":
                continue
            case "..":
                if not place:
                    raise RejectedError(f"the link {path!r} leads to {target!r}, out of the package")
                place.pop()
                continue
        place.append(part)
        here = "/".join(place)
        if here in links:
            hop_count += 1
            if hop_count > HOP_LIMIT:
                raise RejectedError(f"the link {path!r} leads to {target!r}, round in a loop")
            place.pop()
            ahead.extendleft(reversed(_parts(here, links[here])))


def _parts(path: str, target: str) -> list[str]:
    if not target or target.startswith("/"):
        raise RejectedError(f"the link {path!r} leads to {target!r}: only relative links inside the package are possible")
    return target.split("/")


def _paths(manifest: Manifest) -> Iterable[str]:
    yield from (file.path for file in manifest.files)
    yield from (link.path for link in manifest.links)
    yield from manifest.folders


def _check_sizes(manifest: Manifest) -> None:
    sizes: dict[str, int] = {}
    for file in manifest.files:
        if sizes.setdefault(file.sha256, file.size_bytes) != file.size_bytes:
            raise RejectedError(f"{file.path!r} has the digest of a file of another size")
        if (file.size_bytes == 0) != (file.sha256 == EMPTY_SHA256):
            raise RejectedError(f"{file.path!r} is empty by its size or by its digest, but not by both")
