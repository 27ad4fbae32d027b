"""A distribution point of the lab: the real store of content in a folder of its own, seen by clients through the lab's faults."""

from collections.abc import Callable
from datetime import datetime

from purveyor.content.store import ContentStore
from purveyor.lab.faults import Stored
from purveyor.lab.transport import MemoryBoxes


class StoreBoxes(MemoryBoxes):
    """What clients are served of a content store. Whatever lies on disk at the moment of a request is there, nothing else."""

    def __init__(self, url: str, now: Callable[[], datetime], store: ContentStore) -> None:
        super().__init__(url, now)
        self.store = store

    def current(self, path: str) -> Stored | None:
        """The file as it lies there now, without any fault."""
        try:
            return Stored((self.store.folder / path).read_bytes(), 0)
        except OSError:
            return None
