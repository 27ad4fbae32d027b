"""What a mirror believes: the site's metadata, from the root that was pinned down to every file that it lists.

    pinned root → newer roots → timestamp → snapshot → targets → delegating roles → bins

The same judgement as a client's, and nothing looser: what a hostile source says can then neither empty a mirror nor fill it. The
target is read by the same rules, so a damaged file there is simply fetched again. Whether anything has expired is not asked:
clients judge that by their own clocks, and a branch goes on serving what it has.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from purveyor.client import trust
from purveyor.client.trust import Trusted, depth_of, version_in
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import TIMESTAMP, Pin
from purveyor.transport.interface import Answer, Shelf
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import AbsentError, RejectedError

ROOT = "clidata.box/root.json"
ROOTS_A_PASS = 256
ROOT_LIMIT_BYTES = trust.ROOT_LIMIT_BYTES
_RANKS = {"targets": 3, "root": 3, "snapshot": 4}
_Take = Callable[[bytes], object]
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Target(NamedTuple):
    """One file that a role lists: its name for people, where it lies on a CAP, its digest and size."""

    name: str
    path: str
    sha256: str
    size_bytes: int


class Metadata:
    """The metadata that a mirror holds, read from its target first and from its source where it is newer.

    `lacking` are the files of it that the target does not have yet, or has damaged: path → bytes.
    """

    def __init__(self, target: Shelf, source: Intake, pin: Pin) -> None:
        self._target = target
        self._source = source
        self.lacking: dict[str, bytes] = {}
        self.fresh_tags: dict[str, str] = {}
        """Entity tags of what was read in this pass: to be remembered once it is served."""
        self.trusted = Trusted(self._first_root(pin), {})
        self._take_held_roots()
        self._take_held(TIMESTAMP, self.trusted.take_timestamp)
        self.served_timestamp = 0
        if self.trusted.timestamp is not None:
            self.served_timestamp = self.trusted.timestamp.version
            snapshot = self.trusted.timestamp.snapshot_meta.version
            self._take_held(f"clidata.box/{snapshot}.snapshot.json", self.trusted.take_snapshot)

    def update(self, tags: dict[str, str]) -> None:
        """Brings all of it to what the source shows now; changes nothing on the target.

        Errors: RejectedError: the source is not this site's, is behind, or damaged; UnavailableError.
        """
        self._update_root(tags)
        is_held = self.trusted.timestamp is not None and self.trusted.timestamp.version == self.served_timestamp
        answer = self._source.read_changed(TIMESTAMP, trust.TIMESTAMP_LIMIT_BYTES, tags.get(TIMESTAMP, "") if is_held else "")
        if answer is not None:
            self._take_timestamp(answer)
        if self.trusted.timestamp is None:
            raise RejectedError(f"{self._source.url} shows no timestamp")
        wanted = self.trusted.timestamp.snapshot_meta.version
        if self.trusted.snapshot is None or self.trusted.snapshot.version != wanted:
            self._need(f"clidata.box/{wanted}.snapshot.json", trust.SNAPSHOT_LIMIT_BYTES, self.trusted.take_snapshot)
        for role in self.roles():
            if not self.trusted.is_current(role):
                self._need(self._path_of(role), trust.TARGETS_LIMIT_BYTES, partial(self.trusted.take_targets, role))

    def held_target(self, role: str, name: str) -> Target | None:
        """A file that a role lists in what the target serves; nothing where it serves none, or not all that leads there."""
        for one in ("targets", role):
            if self.trusted.snapshot is None or not self._take_held(self._path_of(one), partial(self.trusted.take_targets, one)):
                return None
        return self.target_in(role, name)

    def target_in(self, role: str, name: str) -> Target | None:
        """A file that a role lists; None where it does not."""
        listed = self.trusted.target(role, name)
        if listed is None:
            return None
        folder, _, last = name.rpartition("/")
        digest = listed.hashes["sha256"]
        return Target(name, f"{folder}/{digest}.{last}", digest, listed.length)

    def roles(self) -> list[str]:
        """The roles that the snapshot names, delegators first."""
        named = self.trusted.snapshot.meta if self.trusted.snapshot else {}
        return sorted((name.removesuffix(".json") for name in named), key=depth_of)

    def targets(self) -> Iterator[Target]:
        """All files that any role lists, in no order. Errors: RejectedError for one that cannot lie on a CAP."""
        for role in self.roles():
            for name, listed in self.trusted.targets(role).targets.items():
                folder, _, last = name.rpartition("/")
                digest = listed.hashes.get("sha256", "")
                path = f"{folder}/{digest}.{last}"
                if not is_down_path(path):
                    raise RejectedError(f"{role} lists {name[:120]!r}, which cannot lie on an access point")
                yield Target(name, path, digest, listed.length)

    def publication_order(self) -> list[str]:
        """The paths in `lacking`, in the order in which they are written: bins, delegating roles, targets, snapshot, roots."""
        return sorted(self.lacking, key=lambda path: (_write_rank(path), path))

    def named(self) -> set[str]:
        """The paths of all metadata that is served now; old roots, which stay for ever, are not among them."""
        version = self.trusted.snapshot.version if self.trusted.snapshot else 0
        return {TIMESTAMP, ROOT, f"clidata.box/{version}.snapshot.json", *map(self._path_of, self.roles())}

    def signed_at(self) -> datetime:
        """The newest time that the site has signed."""
        return self.trusted.rhythm().issued_at or _UNKNOWN_TIME

    def timestamp_seconds(self) -> float:
        """How long a timestamp holds."""
        held = self.trusted.timestamp
        return max(0.0, (held.expires - self.signed_at()).total_seconds()) if held else 0.0

    # --- roots ---

    def _first_root(self, pin: Pin) -> bytes:
        path = f"clidata.box/{pin.root_version}.root.json"
        held = self._held(path)
        if held is not None and hashlib.sha256(held).hexdigest() == pin.root_sha256:
            return held
        content = self._source.read(path, trust.ROOT_LIMIT_BYTES)
        if hashlib.sha256(content).hexdigest() != pin.root_sha256:
            raise RejectedError(f"{self._source.url} has another root than this mirror was begun with: it is not that site")
        self.lacking[path] = content
        return content

    def _take_held_roots(self) -> None:
        for version in range(self.trusted.root.version + 1, self.trusted.root.version + ROOTS_A_PASS):
            if not self._take_held(f"clidata.box/{version}.root.json", self.trusted.take_root):
                return

    def _update_root(self, tags: dict[str, str]) -> None:
        is_served = self._held(ROOT) == self.trusted.contents["root"]
        answer = self._source.read_changed(ROOT, trust.ROOT_LIMIT_BYTES, tags.get(ROOT, "") if is_served else "")
        if answer is not None:
            before = _online_keys(self.trusted)
            shown = version_in(answer.content)
            for version in range(self.trusted.root.version + 1, min(shown, self.trusted.root.version + ROOTS_A_PASS) + 1):
                path = f"clidata.box/{version}.root.json"
                content = self._source.read(path, trust.ROOT_LIMIT_BYTES)
                self.trusted.take_root(content)
                self.lacking[path] = content
            if before != _online_keys(self.trusted):
                self.trusted.drop_online()
            self._fetch_older_roots()
            self.fresh_tags[ROOT] = answer.tag
        newest = self.trusted.contents["root"]
        if self._held(ROOT) != newest:
            self.lacking[ROOT] = newest

    def _fetch_older_roots(self) -> None:
        """Roots before the pinned one, for clients whose join codes are older: each compares the digest that its code names."""
        for version in range(self.trusted.root.version - 1, 0, -1):
            path = f"clidata.box/{version}.root.json"
            if path in self.lacking or self._held(path) is not None:
                continue
            try:
                content = self._source.read(path, trust.ROOT_LIMIT_BYTES)
                Trusted(content, {})
            except (AbsentError, RejectedError):
                return
            self.lacking[path] = content

    # --- what stands below the root ---

    def _take_timestamp(self, answer: Answer) -> None:
        if self.trusted.take_timestamp(answer.content):
            self.lacking[TIMESTAMP] = answer.content
        self.fresh_tags[TIMESTAMP] = answer.tag

    def _need(self, path: str, limit_bytes: int, take: _Take) -> None:
        """Takes a piece of metadata from the target, or from the source where the target has none that holds."""
        if self._take_held(path, take):
            return
        content = self._source.read(path, limit_bytes)
        take(content)
        self.lacking[path] = content

    def _take_held(self, path: str, take: _Take) -> bool:
        content = self.lacking.get(path) or self._held(path)
        if content is None:
            return False
        try:
            take(content)
        except RejectedError:
            return False
        return True

    def _held(self, path: str) -> bytes | None:
        try:
            return self._target.read(path)
        except RejectedError:
            return None

    def _path_of(self, role: str) -> str:
        return f"clidata.box/{self.trusted.version_of(role)}.{role}.json"


def _online_keys(trusted: Trusted) -> tuple[list[str], list[str]]:
    return trusted.root.roles["timestamp"].keyids, trusted.root.roles["snapshot"].keyids


def _write_rank(path: str) -> int:
    if path in (ROOT, TIMESTAMP):
        return 6 if path == TIMESTAMP else 5
    role = path.partition("/")[2].removesuffix(".json").partition(".")[2]
    return _RANKS.get(role, 1 if "-" in role else 2)
