"""The border between the Advertised Programs Manager and content: what it asks for, and what it is answered.

`held` fulfils it with whole files by their digest; a store of chunks can take its place.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

import msgspec

from purveyor.transport.interface import Point
from purveyor.wire.causes import Cause
from purveyor.wire.ids import PackageId
from purveyor.wire.settings import AgentSettings


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a fetch. `cause` and `reason` say why it waits, if it does; `needed_bytes` is what has to be free for it.

    `try_at` is when to go on, where that is known.
    """

    cause: Cause | None = None
    reason: str = ""
    needed_bytes: int = 0
    try_at: datetime | None = None
    wrong: tuple[str, ...] = ()
    """What points held wrongly, damaged or not at all, though another one may have given it: which point, and what."""

    @property
    def is_ready(self) -> bool:
        """Whether the content is here, whole and verified."""
        return self.cause is None


READY = Fetched()


class ContentCache(Protocol):
    """What the Advertised Programs Manager needs of content, however it is stored and fetched."""

    def fetch(
        self,
        manifest: str,
        package: PackageId,
        points: Sequence[Point],
        settings: AgentSettings,
        now: datetime,
        *,
        keep: AbstractSet[str] = frozenset(),
    ) -> Fetched:
        """Brings all that the manifest lists into the cache, held for this package; goes on where an earlier call stopped.

        Shape: manifests in `keep` are never given up to make room. Errors: none; what is lacking is in the answer.
        """

    def is_held(self, manifest: str) -> bool:
        """Whether everything that the manifest lists is here. Errors: none."""

    def lay_out(self, manifest: str, folder: str) -> None:
        """Makes `folder` the tree of the manifest, in copies that a program may change, every byte verified.

        A folder that is there is removed first.
        Errors: UnavailableError: not held, no space, or something was damaged in the cache (it is then fetched again).
        """

    def release(self, manifest: str, package: PackageId) -> None:
        """This package needs the manifest no more (an older source version): what no other one needs goes.

        Errors: UnavailableError: the disk lets nothing be removed now.
        """

    def forget_package(self, package: PackageId) -> None:
        """Nothing is held for this package any more: what no other one needs goes. Errors: as `release`."""

    def evict(self, settings: AgentSettings, keep: AbstractSet[str]) -> None:
        """Brings the cache within its quota, least recently used first, and removes what nothing leads to.

        Shape: manifests in `keep` stay, even above the quota. Errors: as `release`.
        """
