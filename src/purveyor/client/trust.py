"""The client's judgement of TUF metadata: bytes go in, and are either what the site signed or are refused.

No I/O: what to fetch is decided by `policy.walk`, which asks `Trusted` what the metadata leads to. A delegated role is
verified against the delegator that is held now, whenever either changes.
Source: TUF specification 1.0, section 5.3 to 5.6 (client workflow); the protocol, sections 5 and 6.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from purveyor.wire.errors import RejectedError

ROOT_LIMIT_BYTES = 512_000
TIMESTAMP_LIMIT_BYTES = 16_384
SNAPSHOT_LIMIT_BYTES = 2_000_000
TARGETS_LIMIT_BYTES = 5_000_000

VERSIONS_A_ROOT = 2**32
"""Online roles may have this many versions under each root: so whoever stole their keys cannot use the numbers up.

After a theft the next root names new keys, and versions go on above its limit, which nobody could reach before.
"""
USUAL_RHYTHM_SECONDS = 86_400
LONGEST_RHYTHM_SECONDS = 366 * 86_400

Content = TypeVar("Content", Root, Timestamp, Snapshot, Targets)


class Rhythm(NamedTuple):
    """What a timestamp says of itself."""

    issued_at: datetime | None
    rhythm_seconds: int


class Trusted:
    """The metadata that is trusted now. It only ever moves forward; what is refused changes nothing.

    `floors` are the lowest acceptable versions of root, timestamp and snapshot: what was seen once is never undercut, even
    when the metadata itself was lost.
    """

    def __init__(self, root: bytes, floors: Mapping[str, int]) -> None:
        self.contents: dict[str, bytes] = {}
        self._floors = floors
        parsed = _parsed(root, Root)
        _verify(parsed.signed, "root", parsed)
        self.root = parsed.signed
        self.contents["root"] = root
        self.timestamp: Timestamp | None = None
        self.snapshot: Snapshot | None = None
        self._targets: dict[str, Targets] = {}

    # --- taking metadata in, in the order of the workflow ---

    def take_root(self, content: bytes) -> None:
        """The next root: signed by the keys of the one held and by its own, and exactly one version newer.

        Errors: RejectedError.
        """
        parsed = _parsed(content, Root)
        if parsed.signed.version != self.root.version + 1:
            raise RejectedError(f"root version {parsed.signed.version} does not follow version {self.root.version}")
        _verify(self.root, "root", parsed)
        _verify(parsed.signed, "root", parsed)
        self.root = parsed.signed
        self.contents["root"] = content

    def take_timestamp(self, content: bytes) -> bool:
        """Whether this timestamp is newer than the one held. Errors: RejectedError, also when it is older than one seen."""
        parsed = _parsed(content, Timestamp)
        _verify(self.root, "timestamp", parsed)
        floor = max(self._floors.get("timestamp", 0), self.timestamp.version if self.timestamp else 0)
        new = parsed.signed
        self._check_within_root(new.version, new.snapshot_meta.version)
        if new.version < floor:
            raise RejectedError(f"timestamp version {new.version} is older than {floor}, which was seen before")
        if self.timestamp is not None:
            if new.snapshot_meta.version < self.timestamp.snapshot_meta.version:
                raise RejectedError("this timestamp names an older snapshot than the one before it")
            if new.version == self.timestamp.version:
                return False
        if new.snapshot_meta.version < self._floors.get("snapshot", 0):
            raise RejectedError(f"this timestamp names snapshot {new.snapshot_meta.version}, older than one seen before")
        self.timestamp = new
        self.contents["timestamp"] = content
        return True

    def take_snapshot(self, content: bytes) -> None:
        """The snapshot that the timestamp names; no role may be missing from it or older in it. Errors: RejectedError."""
        timestamp = self._timestamp()
        parsed = _parsed(content, Snapshot)
        _verify(self.root, "snapshot", parsed)
        if parsed.signed.version != timestamp.snapshot_meta.version:
            raise RejectedError(f"snapshot {parsed.signed.version} is not {timestamp.snapshot_meta.version}, which is named")
        self._check_within_root(*(meta.version for meta in parsed.signed.meta.values()))
        for name, held in self.snapshot.meta.items() if self.snapshot else ():
            offered = parsed.signed.meta.get(name)
            if offered is None or offered.version < held.version:
                raise RejectedError(f"the new snapshot has {name} not at all, or older than version {held.version}")
        self.snapshot = parsed.signed
        self.contents["snapshot"] = content

    def take_targets(self, name: str, content: bytes) -> None:
        """A targets role at the version that the snapshot names, signed as its delegator demands.

        It must name itself: bins of one role have one key, so a sibling that lacks an id could else stand in for the id's own
        bin, and prove a deletion that never was.
        Errors: RejectedError.
        """
        parsed = _parsed(content, Targets)
        delegator = delegator_of(name)
        if delegator == "root":
            _verify(self.root, name, parsed)
        else:
            _verify(self.targets(delegator), name, parsed)
        stated = parsed.signed.unrecognized_fields.get("role")
        if stated != name:
            raise RejectedError(f"this is the metadata of {stated!r}, served in the place of {name}")
        wanted = self.version_of(name)
        if parsed.signed.version != wanted:
            raise RejectedError(f"{name} version {parsed.signed.version} is not the {wanted} that the snapshot names")
        self._targets[name] = parsed.signed
        self.contents[name] = content
        for delegated in [other for other in self._targets if delegator_of(other) == name]:
            self._verify_again(delegated)

    # --- what the metadata says ---

    def version_of(self, name: str) -> int:
        """The version of a role that the snapshot names. Errors: RejectedError when it names none."""
        if self.snapshot is None or f"{name}.json" not in self.snapshot.meta:
            raise RejectedError(f"the snapshot does not name {name}")
        return self.snapshot.meta[f"{name}.json"].version

    def is_current(self, name: str) -> bool:
        """Whether a targets role is held at the version that the held snapshot, which is the timestamp's, names."""
        if self.timestamp is None or self.snapshot is None or self.snapshot.version != self.timestamp.snapshot_meta.version:
            return False
        held = self._targets.get(name)
        return held is not None and held.version == self.version_of(name)

    def targets(self, name: str) -> Targets:
        """A targets role that is held at the current version. Errors: RejectedError when it is not."""
        if not self.is_current(name):
            raise RejectedError(f"{name} is not held at the version that the snapshot names")
        return self._targets[name]

    def bin_of(self, role: str, path: str) -> str:
        """The bin of a hashed role that lists a path. Errors: RejectedError when the role is no hashed one."""
        delegations = self.targets(role).delegations
        if delegations is None or delegations.succinct_roles is None:
            raise RejectedError(f"{role} delegates to no bins")
        return str(delegations.succinct_roles.get_role_for_target(path))

    def target(self, role: str, path: str) -> TargetFile | None:
        """What a current role says of a path, or None: it lists no such path."""
        return self.targets(role).targets.get(path)

    def highest(self, role: str) -> int:
        """The highest number ever given, as a current hashed role states it."""
        stated = self.targets(role).unrecognized_fields.get(f"highest_{role}", 0)
        return stated if isinstance(stated, int) else 0

    def rhythm(self) -> Rhythm:
        """When the held timestamp was signed, and how often the site signs a new one."""
        stated = self._timestamp().unrecognized_fields
        try:
            issued_at = datetime.fromisoformat(str(stated["issued_at"])).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            issued_at = None
        rhythm = stated.get("rhythm_seconds")
        if not isinstance(rhythm, int) or not 0 < rhythm <= LONGEST_RHYTHM_SECONDS:
            rhythm = USUAL_RHYTHM_SECONDS
        return Rhythm(issued_at, rhythm)

    def expires_at(self) -> datetime:
        """When the first piece of the current metadata expires. Errors: RejectedError when none is held yet."""
        if self.snapshot is None:
            raise RejectedError("no snapshot is held yet")
        current = (targets.expires for name, targets in self._targets.items() if self.is_current(name))
        return min(self.root.expires, self._timestamp().expires, self.snapshot.expires, *current)

    def current_contents(self) -> dict[str, bytes]:
        """The signed bytes of all metadata that is current."""
        top = {name: content for name, content in self.contents.items() if name in ("root", "timestamp", "snapshot")}
        return top | {name: self.contents[name] for name in self._targets if self.is_current(name)}

    def drop_online(self) -> None:
        """Forgets timestamp and snapshot after their keys were changed: what a thief signed binds nobody (TUF 5.3.11)."""
        self.timestamp = None
        self.snapshot = None
        self.contents.pop("timestamp", None)
        self.contents.pop("snapshot", None)

    def _check_within_root(self, *versions: int) -> None:
        limit = self.root.version * VERSIONS_A_ROOT
        if max(versions, default=0) > limit:
            raise RejectedError(f"no version above {limit} can be signed under root {self.root.version}")

    def _timestamp(self) -> Timestamp:
        if self.timestamp is None:
            raise RejectedError("no timestamp is held yet")
        return self.timestamp

    def _verify_again(self, name: str) -> None:
        """Drops a delegated role that its new delegator would not accept."""
        try:
            parsed = _parsed(self.contents[name], Targets)
            _verify(self._targets[delegator_of(name)], name, parsed)
        except RejectedError:
            del self._targets[name], self.contents[name]


def delegator_of(name: str) -> str:
    """The role that delegates to another: bins belong to their hashed role, that to `targets`, which belongs to the root."""
    if name == "targets":
        return "root"
    hashed, dash, _ = name.partition("-")
    return hashed if dash else "targets"


def _parsed(content: bytes, kind: type[Content]) -> Metadata[Content]:
    try:
        metadata: Metadata[Content] = Metadata.from_bytes(content)
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RejectedError(f"not readable as {kind.__name__.lower()} metadata: {str(error)[:200]}") from error
    if not isinstance(metadata.signed, kind):
        raise RejectedError(f"this is {metadata.signed.type} metadata, not {kind.__name__.lower()}")
    return metadata


def _verify(delegator: Root | Targets, name: str, metadata: Metadata[Content]) -> None:
    try:
        delegator.verify_delegate(name, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise RejectedError(f"the signatures of {name} do not hold: {error}") from error
