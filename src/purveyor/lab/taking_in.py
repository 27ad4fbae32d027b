"""Content for a lab's packages, taken in as the REST API does it: files by digest, then the manifest."""

from collections.abc import Mapping

from purveyor.site_server.site import Site
from purveyor.wire.manifest import File, Manifest, encode, hash_of


def take_in(site: Site, files: Mapping[str, bytes]) -> str:
    """Stores files by path, and gives the hash of their manifest."""
    for content in files.values():
        site.store.add_file(hash_of(content), [content], len(content))
    tree = Manifest(
        files=tuple(File(path=path, sha256=hash_of(content), size_bytes=len(content)) for path, content in sorted(files.items()))
    )
    manifest = encode(tree)
    site.store.add_manifest(manifest)
    return hash_of(manifest)
