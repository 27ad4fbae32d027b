"""A walk at one access point: from its timestamp to everything that this client needs, asking only for what metadata leads to.

What is verified on the way is kept even when the walk cannot be finished; only a finished walk proves anything by what it did
not find. One file that is missing or damaged is a problem record, and never delays the others (Q245170, Q246614).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from purveyor.client import trust
from purveyor.client.policy import conclude
from purveyor.client.policy_view import Problem
from purveyor.client.state import published
from purveyor.client.state.store import State
from purveyor.client.trust import Trusted, depth_of, version_in
from purveyor.transport.interface import Point
from purveyor.wire import offers, package_info
from purveyor.wire import settings as settings_file
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.ids import CollectionId, PackageId
from purveyor.wire.offers import CollectionOffers
from purveyor.wire.package_info import PackageInfo

T = TypeVar("T")

ROOTS_A_WALK = 256
ABSENT_BUDGET = 3
_TARGET_LIMIT_BYTES = 16 * 2**20


@dataclass(slots=True)
class Walk:
    """One walk. `problems` and `absent` grow; `is_complete` says whether everything that was needed could be read."""

    state: State
    trusted: Trusted
    point: Point
    now: datetime
    problems: list[Problem] = field(default_factory=list)
    absent: int = 0
    is_complete: bool = True
    is_torn: bool = False
    """The point lacks, or has damaged, a file to which metadata leads: another one may have it."""

    # --- metadata ---

    def update_root(self) -> None:
        """Brings the root to the newest version that this point shows. Errors: RejectedError, UnavailableError."""
        shown = version_in(self.read("clidata.box/root.json", trust.ROOT_LIMIT_BYTES))
        last = min(shown, self.trusted.root.version + ROOTS_A_WALK)
        before = (self.trusted.root.roles["timestamp"].keyids, self.trusted.root.roles["snapshot"].keyids)
        for version in range(self.trusted.root.version + 1, last + 1):
            self.trusted.take_root(self.read(f"clidata.box/{version}.root.json", trust.ROOT_LIMIT_BYTES))
        if before != (self.trusted.root.roles["timestamp"].keyids, self.trusted.root.roles["snapshot"].keyids):
            self.trusted.drop_online()
            self.state.remember("newest_signed", "")  # a time that a stolen key signed binds nobody either

    def update_top(self, timestamp: bytes | None) -> None:
        """Takes a timestamp and what it names, down to the delegators. Errors: RejectedError, UnavailableError."""
        if timestamp is not None:
            self.trusted.take_timestamp(timestamp)
        if self.trusted.timestamp is None:
            raise RejectedError("no timestamp is held")
        wanted = self.trusted.timestamp.snapshot_meta.version
        if self.trusted.snapshot is None or self.trusted.snapshot.version != wanted:
            self.trusted.take_snapshot(self.read(f"clidata.box/{wanted}.snapshot.json", trust.SNAPSHOT_LIMIT_BYTES))
        self.save()
        for role in ("targets", "settings", "packages", "offers"):
            self.need(role)

    def need(self, role: str) -> None:
        """Makes a role current. Errors: RejectedError, UnavailableError."""
        if not self.trusted.is_current(role):
            path = f"clidata.box/{self.trusted.version_of(role)}.{role}.json"
            self.trusted.take_targets(role, self.read(path, trust.TARGETS_LIMIT_BYTES))

    def save(self) -> None:
        """Commits the verified metadata and its high-water marks, before anything is concluded from it."""
        with self.state.transaction():
            published.store_trusted(self.state, self.trusted.current_contents())
            self.state.raise_mark("root", self.trusted.root.version)
            if self.trusted.timestamp is not None:
                self.state.raise_mark("timestamp", self.trusted.timestamp.version)
                issued_at, rhythm_seconds = self.trusted.rhythm()
                self.state.remember("rhythm_seconds", str(rhythm_seconds))
                if issued_at is not None:  # of the newest version, not the highest: a site's clock that was ahead can be mended
                    self.state.remember_time("newest_signed", issued_at)
                    lifetime = self.trusted.timestamp.expires - issued_at
                    self.state.remember("timestamp_lifetime_seconds", str(int(lifetime.total_seconds())))
            if self.trusted.snapshot is not None:
                self.state.raise_mark("snapshot", self.trusted.snapshot.version)

    # --- target files ---

    def settings(self) -> settings_file.AgentSettings | None:
        """The agents' settings, read when they changed."""
        content = self.target("settings", settings_file.PATH)
        return None if content is None else settings_file.decode(content)

    def offers_of(self, collections: Iterable[CollectionId]) -> list[CollectionOffers]:
        """The offers of these collections, as far as they can be read."""
        found = []
        for collection in collections:
            path = offers.path_of(collection)
            content = self._guarded_target("offers", path)
            if content is not None:
                said = self._understood(path, content, offers.decode)
                found += [] if said is None else [said]
            elif self.is_complete:
                self._record(path, RejectedError("this collection speaks to this client, but says nothing yet"))
        return found

    def packages_of(self, wanted: Iterable[PackageId]) -> dict[PackageId, PackageInfo]:
        """These packages and all that their programs depend on, as far as they can be read."""
        found: dict[PackageId, PackageInfo] = {}
        open_ids = list(dict.fromkeys(wanted))
        seen = set(open_ids)
        while open_ids:
            path = package_info.path_of(open_ids.pop())
            content = self._guarded_target("packages", path)
            info = None if content is None else self._understood(path, content, package_info.decode)
            if info is None:
                continue
            found[info.id] = info
            needed = {program.depends_on.package for program in info.programs if program.depends_on} - seen
            seen |= needed
            open_ids += sorted(needed)
        return found

    def judge_deletions(self, packages: Iterable[PackageId]) -> list[PackageId]:
        """Those of these packages that are proven deleted. One whose bin cannot be read now stays undecided."""
        proven = []
        for package in packages:
            try:
                self.need(self.trusted.bin_of("packages", package_info.path_of(package)))
            except (AbsentError, RejectedError) as error:
                self.is_torn = True
                self._record(package, error)
                continue
            if conclude.is_proven_deleted(self.trusted, package):
                proven.append(package)
        return proven

    def target(self, role: str, path: str) -> bytes | None:
        """A target file's verified bytes, from the state where they are unchanged, or None when the role lists no such path.

        Errors: RejectedError, UnavailableError.
        """
        self.need(role)
        listed = self.trusted.target(role, path)
        if listed is None:
            return None
        digest = listed.hashes.get("sha256")
        if digest is None:
            raise RejectedError(f"{path} is listed without a SHA-256")
        if published.target_digest(self.state, path) == digest:
            return published.target_content(self.state, path)
        folder, _, name = path.rpartition("/")
        content = self.read(f"{folder}/{digest}.{name}", min(listed.length, _TARGET_LIMIT_BYTES))
        _check(path, listed, content)
        published.store_target(self.state, path, digest, content)
        return content

    def read(self, path: str, limit_bytes: int) -> bytes:
        """A file of this point. Errors: UnavailableError, RejectedError."""
        if self.absent >= ABSENT_BUDGET:
            raise UnavailableError(f"{self.point.url} lacks files that its own metadata names; it is not asked any further")
        try:
            answer = self.point.read(path, limit_bytes=limit_bytes)
        except AbsentError:
            self.absent += 1
            published.count_absent(self.state, self.point.url, 1)
            raise
        if answer is None:
            raise RejectedError(f"{self.point.url} says that {path} is unchanged, which nobody asked")
        return answer.content

    def _guarded_target(self, hashed: str, path: str) -> bytes | None:
        """A target of a bin; what is wrong with this one is recorded and stops no other."""
        try:
            return self.target(self.trusted.bin_of(hashed, path), path)
        except (RejectedError, AbsentError) as error:
            self.is_torn = True
            self._record(path, error)
            return None

    def _understood(self, path: str, content: bytes, decode: Callable[[bytes], T]) -> T | None:
        """What a signed file says; one in words that this agent does not know is recorded and stops no other."""
        try:
            return decode(content)
        except RejectedError as error:
            self._record(path, error)
            return None

    def _record(self, about: str, error: Exception) -> None:
        self.is_complete = False
        self.problems.append(Problem(about=about, reason=str(error)))


def load_trusted(state: State, root: bytes | None = None) -> Trusted:
    """The verified metadata of the state, judged again in its order; what no longer holds is left out.

    `root` is given when a client joins, and its digest was in the join code. Errors: RejectedError when no root is held.
    """
    contents = published.trusted_contents(state)
    first = root if root is not None else contents.get("root")
    if first is None:
        raise RejectedError("this client holds no root of trust: it must join again")
    trusted = Trusted(first, {name: state.mark(name) for name in ("root", "timestamp", "snapshot")})
    steps = [("timestamp", trusted.take_timestamp), ("snapshot", trusted.take_held_snapshot)]
    for name, take in steps:
        if name in contents:
            _keep_what_holds(lambda take=take, name=name: take(contents[name]))
    for name in sorted(contents.keys() - {"root", "timestamp", "snapshot"}, key=depth_of):
        _keep_what_holds(lambda name=name: trusted.take_targets(name, contents[name]))
    return trusted


def _keep_what_holds(take: object) -> None:
    """Takes one piece of held metadata; one that is refused now is simply not held any more."""
    assert callable(take)
    try:
        take()
    except RejectedError:
        return


def _check(path: str, listed: TargetFile, content: bytes) -> None:
    try:
        listed.verify_length_and_hashes(content)
    except LengthOrHashMismatchError as error:
        raise RejectedError(f"{path} is not the file that the metadata describes") from error
