"""Content for a lab's packages, taken in as the REST API does it: files by digest, then the manifest."""

from collections.abc import Callable, Mapping

from purveyor.content.store import ContentStore
from purveyor.site_server.admin import content
from purveyor.wire.manifest import File, Manifest, encode, hash_of


def take_in(store: ContentStore, change: Callable[..., object], files: Mapping[str, bytes]) -> str:
    """Stores files, given by path, and gives the hash of their manifest. `change` runs a command of the administrator."""
    for file in files.values():
        store.add_file(hash_of(file), [file], len(file))
    listed = (File(path=path, sha256=hash_of(file), size_bytes=len(file)) for path, file in sorted(files.items()))
    manifest = encode(Manifest(files=tuple(listed)))
    change(content.take_in, store, hash_of(manifest), manifest)
    return hash_of(manifest)
