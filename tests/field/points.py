"""Distribution points of a lab's site that go away and come back, as a share on another server does."""

from collections.abc import Iterator
from contextlib import contextmanager

from purveyor.content.store import ContentStore
from purveyor.lab.fleet import Fleet

BRANCH = "branch"


def add_branch(fleet: Fleet) -> ContentStore:
    """A second distribution point of the site, on a disk of its own."""
    store = ContentStore(fleet.site.store.folder.parent / BRANCH)
    points = fleet.site.points
    assert isinstance(points, dict)
    points[BRANCH] = store
    return store


@contextmanager
def away(store: ContentStore) -> Iterator[None]:
    """The share of a point is not there; what lies on it comes back with it."""
    kept = store.folder.with_name(f"{store.folder.name} away")
    store.folder.rename(kept)
    store.folder.write_bytes(b"no folder")
    try:
        yield
    finally:
        store.folder.unlink()
        kept.rename(store.folder)


def files_of(store: ContentStore) -> set[str]:
    """The files that lie on a point or in the store, by their paths in it."""
    return {str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file()}
