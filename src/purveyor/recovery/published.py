"""What a site published, read back from a client access point and verified as a client would: the witness after a restore.

    root of the backup → newer roots → timestamp → snapshot → every role → every target → every shard

Nothing is believed that the site did not sign, and nothing is changed. Whether anything has expired is not asked: a site that was
away for months has still published what it published.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from purveyor.client import trust
from purveyor.client.trust import Trusted, depth_of, version_in
from purveyor.transport.interface import Point
from purveyor.wire import offers, package_info, shards
from purveyor.wire import settings as settings_file
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.ids import CollectionId, PackageId, SiteCode, collection_id, package_id
from purveyor.wire.offers import CollectionOffers
from purveyor.wire.package_info import PackageInfo
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import Shard

TARGET_LIMIT_BYTES = 16 * 2**20
ROOTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What one access point shows. Shape: `roots` newer than the backup's, by version; `paths` on the point by target."""

    url: str
    roots: dict[int, bytes]
    trusted: Trusted
    paths: dict[str, str]
    contents: dict[str, bytes]
    """The bytes of targets that could be read, by target."""
    settings: AgentSettings
    problems: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """Of the timestamp: which of several points shows the newest."""
        return self.trusted.timestamp.version if self.trusted.timestamp else 0

    def roles(self) -> dict[str, int]:
        """The version of every role, the root's and the timestamp's among them."""
        snapshot = self.trusted.snapshot
        named = {name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()} if snapshot else {}
        top = {"root": self.trusted.root.version, "timestamp": self.version, "snapshot": snapshot.version if snapshot else 0}
        return named | top

    def packages(self) -> dict[PackageId, PackageInfo | None]:
        """Every package that is published; None for one whose words cannot be read here."""
        found: dict[PackageId, PackageInfo | None] = {}
        for target in self.paths:
            if target.startswith("pkginfo.box/"):
                content = self.contents.get(target)
                package = package_id(target.removeprefix("pkginfo.box/").removesuffix(".pkg"))
                found[package] = None if content is None else package_info.decode(content)
        return found

    def offers(self) -> dict[CollectionId, CollectionOffers | None]:
        """Every collection that says anything; None for one whose words cannot be read here."""
        found: dict[CollectionId, CollectionOffers | None] = {}
        for target in self.paths:
            if target.startswith("offerinf.box/"):
                content = self.contents.get(target)
                collection = collection_id(target.removeprefix("offerinf.box/").removesuffix(".ofr"))
                found[collection] = None if content is None else offers.decode(content)
        return found


@dataclass(slots=True)
class Reading:
    """The shards of a point, one after the other. Shape: `known`, by number, the publications that the backup has of them.

    `unread` counts those that were missing, damaged, of other keys, or older than the backup: whoever is blocked may show one.
    """

    point: Point
    settings: AgentSettings
    known: Mapping[int, int]
    unread: int = 0
    highest: int = 0
    """The highest publication that any of them states."""

    def shards(self) -> Iterator[Shard]:
        """All that can be read and verified."""
        said = self.settings.shards
        for number in range(1 << said.bits):
            try:
                answer = self.point.read(shards.path_of(said.generation, number), limit_bytes=shards.SIZE_LIMIT_BYTES)
                shard = shards.decode(answer.content if answer else b"", said.keys)
                if (shard.generation, shard.number) != (said.generation, number):
                    raise RejectedError("this shard lies where another one should")
                if shard.publication < self.known.get(number, 0):
                    raise RejectedError("this shard is older than the backup")
            except (AbsentError, RejectedError, UnavailableError):
                self.unread += 1
                continue
            self.highest = max(self.highest, shard.publication)
            yield shard


def read_published(point: Point, *, root: bytes, site: SiteCode) -> Published:
    """What a point shows, verified from the root of the backup on.

    Errors: RejectedError: it is not this site's, or what makes the whole of it does not verify; UnavailableError.
    """
    trusted = Trusted(root, {})
    roots = _take_roots(trusted, point)
    trusted.take_timestamp(_read(point, "clidata.box/timestamp.json", trust.TIMESTAMP_LIMIT_BYTES))
    assert trusted.timestamp is not None
    snapshot = trusted.timestamp.snapshot_meta.version
    trusted.take_snapshot(_read(point, f"clidata.box/{snapshot}.snapshot.json", trust.SNAPSHOT_LIMIT_BYTES))
    assert trusted.snapshot is not None
    names = sorted((name.removesuffix(".json") for name in trusted.snapshot.meta), key=depth_of)
    for name in names:
        path = f"clidata.box/{trusted.version_of(name)}.{name}.json"
        trusted.take_targets(name, _read(point, path, trust.TARGETS_LIMIT_BYTES))
    paths: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    problems: list[str] = []
    for name in names:
        for target, listed in trusted.targets(name).targets.items():
            folder, _, last = target.rpartition("/")
            paths[target] = f"{folder}/{listed.hashes.get('sha256', '')}.{last}"
            if not is_down_path(paths[target]):
                raise RejectedError(f"{name} lists {target[:120]!r}, which cannot lie on an access point")
            try:
                contents[target] = _target(point, paths[target], listed.hashes["sha256"])
            except (AbsentError, RejectedError) as error:
                problems.append(f"{target} could not be read at {point.url}: {error}")
    settings = settings_file.decode(contents.get(settings_file.PATH, b""))
    if settings.site != site:
        raise RejectedError(f"{point.url} belongs to the site {settings.site}, not to {site}")
    return Published(
        url=point.url, roots=roots, trusted=trusted, paths=paths, contents=contents, settings=settings, problems=tuple(problems)
    )


def _take_roots(trusted: Trusted, point: Point) -> dict[int, bytes]:
    shown = version_in(_read(point, "clidata.box/root.json", trust.ROOT_LIMIT_BYTES))
    roots: dict[int, bytes] = {}
    for version in range(trusted.root.version + 1, min(shown, trusted.root.version + ROOTS) + 1):
        roots[version] = _read(point, f"clidata.box/{version}.root.json", trust.ROOT_LIMIT_BYTES)
        trusted.take_root(roots[version])
    return roots


def _target(point: Point, path: str, sha256: str) -> bytes:
    content = _read(point, path, TARGET_LIMIT_BYTES)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RejectedError("it is damaged")
    return content


def _read(point: Point, path: str, limit_bytes: int) -> bytes:
    answer = point.read(path, limit_bytes=limit_bytes)
    if answer is None:
        raise RejectedError(f"{point.url} says that {path} is unchanged, which nobody asked")
    return answer.content
