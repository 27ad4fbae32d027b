"""The content that a client holds: fetched from distribution points, verified, shared between packages, laid out for runs.

    cache/manifests/<sha256>     cache/files/<first two digits>/<sha256>     cache/partial/<sha256>

Asks points only for what a manifest leads to, and for the manifest only because a signed `.pkg` named it. Nothing unverified ever
lies where a program can see it. Upstream: distribution points; downstream: the Advertised Programs Manager.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

import msgspec

from purveyor.client.content import plan
from purveyor.client.content.cache import READY, ContentCache, Fetched
from purveyor.client.content.fetch import DiskError, Sources, fetch_files, fetch_manifest, keep_manifest, on_disk
from purveyor.client.machine.interface import Disk
from purveyor.client.state import published
from purveyor.client.state.store import State, text_of
from purveyor.content.tree import check_tree
from purveyor.content.verify import digest_of
from purveyor.transport.interface import Point
from purveyor.wire.causes import Cause
from purveyor.wire.errors import HeldBackError, RejectedError, UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.manifest import File, Manifest, decode, hash_of
from purveyor.wire.settings import AgentSettings

__all__ = ["Content", "ContentCache", "Fetched"]


class _Row(NamedTuple):
    """A row of `held_content`."""

    manifest: str
    package: str
    used_at: str
    is_complete: int


class Content(ContentCache):
    """Whole files by their digest. `held_content` in the state says which manifests are held, for which packages."""

    def __init__(self, disk: Disk, state: State) -> None:
        self._disk = disk
        self._state = state

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
        """As the interface says. The manifest comes first, then room is made, then each file that is missing."""
        if self.is_held(manifest):
            self._record(manifest, package, now, is_complete=True)
            return READY
        self._record(manifest, package, now, is_complete=False)
        tree = self._tree(manifest)
        if not points and (tree is None or plan.missing_files(tree, self._sizes(manifest, tree))):
            return _waiting(Cause.NO_POINT, "no distribution point holds the content")
        sources = Sources(manifest, points, count_absent=lambda url: published.count_absent(self._state, url, 1))
        try:
            if tree is None:
                content = fetch_manifest(manifest, sources)
                tree = _believable(content)
                keep_manifest(self._disk, manifest, content)
            with on_disk():
                sizes = self._sizes(manifest, tree)
                lack = self._make_room(manifest, tree, sizes, settings, keep)
            if lack is not None:
                return lack
            fetch_files(self._disk, plan.missing_files(tree, sizes), sources)
        except DiskError as error:
            return _waiting(Cause.CONTENT_SPACE, f"the content cannot be stored: {error}")
        except RejectedError as error:
            return _waiting(Cause.CONTENT_UNREADABLE, f"the manifest {manifest} cannot be used: {error}")
        except HeldBackError as error:
            return Fetched(cause=Cause.BANDWIDTH, reason=str(error), try_at=error.until)
        except UnavailableError as error:
            return _waiting(Cause.POINTS_FAIL, str(error))
        self._record(manifest, package, now, is_complete=True)
        return msgspec.structs.replace(READY, wrong=tuple(sources.wrong))

    def is_held(self, manifest: str) -> bool:
        """As the interface says: it was completed once, its manifest is sound, and every file has its size."""
        if not any(row.manifest == manifest and row.is_complete for row in self._rows()):
            return False
        tree = self._tree(manifest)
        return tree is not None and not plan.missing_files(tree, self._sizes(manifest, tree))

    def lay_out(self, manifest: str, folder: str) -> None:
        """As the interface says."""
        tree = self._tree(manifest)
        if tree is None:
            raise UnavailableError(f"the manifest {manifest} is not in the cache")
        self._disk.remove(folder)
        free_bytes = self._disk.free_bytes()
        if tree.size_bytes > free_bytes:
            raise UnavailableError(f"not enough space to lay out the content: needs {tree.size_bytes} bytes, has {free_bytes}")
        try:
            self._lay_out(manifest, tree, folder)
        except UnavailableError:
            self._disk.remove(folder)
            raise

    def release(self, manifest: str, package: PackageId) -> None:
        """As the interface says."""
        self._give_up(row for row in self._rows() if (row.manifest, row.package) == (manifest, package))

    def forget_package(self, package: PackageId) -> None:
        """As the interface says."""
        self._give_up(row for row in self._rows() if row.package == package)

    def evict(self, settings: AgentSettings, keep: AbstractSet[str]) -> None:
        """As the interface says."""
        chosen = plan.choose_evictions(
            self._held(but=""), wanted={}, keep=keep, quota_bytes=settings.cache_quota_bytes, shortage_bytes=0
        )
        self._evict(chosen.manifests)

    # --- room ---

    def _make_room(
        self, manifest: str, tree: Manifest, sizes: Mapping[str, int], settings: AgentSettings, keep: AbstractSet[str]
    ) -> Fetched | None:
        """Gives up what was used least recently until there is room for the files and for laying them out; else says what lacks.

        Nothing is given up when even all of it would not be enough, and nothing of this manifest, of which `sizes` are here.
        """
        wanted = {plan.place_of_file(file.sha256): file.size_bytes for file in tree.files}
        others = self._held(but=manifest)
        to_fetch_bytes = plan.missing_bytes(plan.missing_files(tree, sizes), sizes)
        needed_bytes = to_fetch_bytes + tree.size_bytes + settings.disk_reserve_bytes
        free_bytes = self._disk.free_bytes()
        chosen = plan.choose_evictions(
            others, wanted=wanted, keep=keep, quota_bytes=settings.cache_quota_bytes, shortage_bytes=needed_bytes - free_bytes
        )
        if chosen.is_enough:
            if chosen.manifests:
                self._evict(chosen.manifests)
            return None
        if needed_bytes > free_bytes:
            parts = f"{to_fetch_bytes} to fetch, {tree.size_bytes} to run, {settings.disk_reserve_bytes} to stay free"
            reason = f"not enough space: needs {needed_bytes} bytes ({parts}), has {free_bytes}"
        else:
            reason = f"not enough space: {sum(wanted.values())} bytes do not fit into the cache's {settings.cache_quota_bytes}"
        return _waiting(Cause.CONTENT_SPACE, reason, needed_bytes)

    def _evict(self, manifests: Sequence[str]) -> None:
        self._give_up(row for row in self._rows() if row.manifest in manifests)

    def _give_up(self, given_up: Iterable[_Row]) -> None:
        """Removes what no other holding leads to from the disk, then these holdings.

        A power cut in between leaves holdings whose files are not there: they are not believed.
        """
        gone = set(given_up)
        led_to: set[str] = set()
        for manifest in {row.manifest for row in self._rows() if row not in gone}:
            led_to |= plan.places_of(manifest, self._tree(manifest))
        for place in self._all_places():
            if place not in led_to:
                self._disk.remove(place)
        with self._state.transaction() as tx:
            for row in gone:
                tx.execute("delete from held_content where manifest = ? and package = ?", (row.manifest, row.package))

    # --- what lies on disk ---

    def _all_places(self) -> list[str]:
        folders = [f"{plan.CACHE}/manifests", plan.PARTIAL]
        folders += [f"{plan.CACHE}/files/{name}" for name in self._disk.names(f"{plan.CACHE}/files")]
        return [f"{folder}/{name}" for folder in folders for name in self._disk.names(folder)]

    def _tree(self, manifest: str) -> Manifest | None:
        """The manifest in the cache, or None when it is not there, damaged, or not one to believe."""
        content = self._disk.read(plan.place_of_manifest(manifest))
        if content is None or hash_of(content) != manifest:
            return None
        try:
            return _believable(content)
        except RejectedError:
            return None

    def _sizes(self, manifest: str, tree: Manifest | None) -> Mapping[str, int]:
        begun = {f"{plan.PARTIAL}/{name}" for name in self._disk.names(plan.PARTIAL)}
        places = plan.places_of(manifest, tree)
        found = {place: self._disk.size(place) for place in places if place in begun or not place.startswith(plan.PARTIAL)}
        return {place: size for place, size in found.items() if size is not None}

    def _held(self, *, but: str) -> list[plan.Held]:
        used: dict[str, str] = {}
        for row in self._rows():
            if row.manifest != but:
                used[row.manifest] = max(row.used_at, used.get(row.manifest, ""))
        return [plan.Held(manifest, used_at, self._sizes(manifest, self._tree(manifest))) for manifest, used_at in used.items()]

    def _lay_out(self, manifest: str, tree: Manifest, folder: str) -> None:
        """Links come last, so that nothing is ever written through one."""
        self._disk.make_folder(folder)
        for empty in tree.folders:
            self._disk.make_folder(f"{folder}/{empty}")
        for file in tree.files:
            if not self._placed(file, f"{folder}/{file.path}"):
                self._drop_damaged(manifest, file)
                raise UnavailableError(f"{file.path!r} was damaged in the cache and has to be fetched again")
        for link in tree.links:
            self._disk.link(f"{folder}/{link.path}", link.target)

    def _placed(self, file: File, path: str) -> bool:
        """Whether a verified copy of the file now lies at `path`."""
        stored = plan.place_of_file(file.sha256)
        if self._disk.size(stored) != file.size_bytes:
            return False
        self._disk.place(stored, path, is_executable=file.is_executable)
        return digest_of(self._disk.read_pieces(path)) == file.sha256

    def _drop_damaged(self, manifest: str, file: File) -> None:
        self._disk.remove(plan.place_of_file(file.sha256))
        with self._state.transaction() as tx:
            tx.execute("update held_content set is_complete = 0 where manifest = ?", (manifest,))

    # --- what the state says ---

    def _rows(self) -> list[_Row]:
        statement = "select manifest, package, used_at, is_complete from held_content"
        return [_Row(*row) for row in self._state.connection.execute(statement)]

    def _record(self, manifest: str, package: PackageId, now: datetime, *, is_complete: bool) -> None:
        with self._state.transaction() as tx:
            tx.execute("insert or replace into held_content values (?, ?, ?, ?)", (manifest, package, text_of(now), is_complete))


def _believable(content: bytes) -> Manifest:
    manifest = decode(content)
    check_tree(manifest)
    return manifest


def _waiting(cause: Cause, reason: str, needed_bytes: int = 0) -> Fetched:
    return Fetched(cause=cause, reason=reason, needed_bytes=needed_bytes)
