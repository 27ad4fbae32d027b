"""What a client of Purveyor demands of its site's metadata: narrower and stricter than TUF, and judged upon `judgement`.

No I/O: what to fetch is decided by `policy.walk`, which asks `Trusted` what the metadata leads to. Each role has one place in one
tree and names itself; only hashed bins stand below named roles; versions stay within what the root allows, and above what was
seen before. Signatures are judged in `judgement` alone.
Source: TUF specification 1.0, section 5.3 to 5.6 (client workflow); the protocol, sections 5 and 6.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from tuf.api.metadata import Snapshot, TargetFile, Targets, Timestamp

from purveyor.client.judgement import Judged
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


class Rhythm(NamedTuple):
    """What a timestamp says of itself."""

    issued_at: datetime | None
    rhythm_seconds: int


class Trusted(Judged):
    """The metadata of a site that is trusted now.

    `floors` are the lowest acceptable versions of root, timestamp and snapshot: what was seen once is never undercut, even
    when the metadata itself was lost.
    """

    def __init__(self, root: bytes, floors: Mapping[str, int]) -> None:
        super().__init__(root)
        self._floors = floors

    def take_targets(self, name: str, content: bytes) -> None:
        """A targets role of the site's one tree, at the version that the snapshot names. Errors: RejectedError."""
        self.take_delegated(name, content, delegator_of(name))

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
        snapshot = self._snapshot()
        current = (targets.expires for name, targets in self._targets.items() if self.is_current(name))
        return min(self.root.expires, self._timestamp().expires, snapshot.expires, *current)

    def current_contents(self) -> dict[str, bytes]:
        """The signed bytes of all metadata that is current."""
        top = {name: content for name, content in self.contents.items() if name in ("root", "timestamp", "snapshot")}
        return top | {name: self.contents[name] for name in self._targets if self.is_current(name)}

    def _demand(self, name: str, signed: Timestamp | Snapshot | Targets) -> None:
        match signed:
            case Timestamp():
                self._check_within_root(signed.version, signed.snapshot_meta.version)
                self._check_floor("timestamp", signed.version)
                self._check_floor("snapshot", signed.snapshot_meta.version)
            case Snapshot():
                self._check_within_root(*(meta.version for meta in signed.meta.values()))
            case Targets():
                _check_names_itself(name, signed)

    def _check_within_root(self, *versions: int) -> None:
        limit = self.root.version * VERSIONS_A_ROOT
        if max(versions, default=0) > limit:
            raise RejectedError(f"no version above {limit} can be signed under root {self.root.version}")

    def _check_floor(self, name: str, version: int) -> None:
        floor = self._floors.get(name, 0)
        if version < floor:
            raise RejectedError(f"{name} version {version} is older than one seen before, {floor}")


def _check_names_itself(name: str, signed: Targets) -> None:
    """Nothing for a role that states its own name.

    Bins of one role have one key, so a sibling that lacks an id could else stand in for the id's own bin, and prove a deletion
    that never was. Errors: RejectedError.
    """
    stated = signed.unrecognized_fields.get("role")
    if stated != name:
        raise RejectedError(f"this is the metadata of {stated!r}, served in the place of {name}")


def delegator_of(name: str) -> str:
    """The role that delegates to another: bins belong to their hashed role, that to `targets`, which belongs to the root."""
    if name == "targets":
        return "root"
    hashed, dash, _ = name.partition("-")
    return hashed if dash else "targets"


def depth_of(name: str) -> tuple[int, str]:
    """By what targets roles are sorted so that each comes after its delegator."""
    return (0 if name == "targets" else 2 if "-" in name else 1, name)


def version_in(content: bytes) -> int:
    """The version that unverified metadata shows: only how far to read, never what to believe. Errors: RejectedError."""
    try:
        version = json.loads(content)["signed"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RejectedError("this metadata cannot be read") from error
    if not isinstance(version, int):
        raise RejectedError("this metadata shows no version")
    return version
