"""The judgement of any TUF repository's metadata: bytes go in, and are either what its roles signed or are refused.

No I/O, no clock, and nothing of Purveyor: what this site's clients demand besides stands in `trust`, upon this. It is the only
place where signatures of metadata are judged. A delegated role is verified against the delegator that is held now, whenever
either changes, and for each delegator anew: that one delegator accepts a role says nothing of another.
Source: TUF specification 1.0, section 5.3 to 5.6 (client workflow).
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from securesystemslib.exceptions import Error as SigningError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, Key, Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from purveyor.wire.errors import RejectedError
from purveyor.wire.moments import utc_text

Content = TypeVar("Content", Root, Timestamp, Snapshot, Targets)
_UNREADABLE = (RepositoryError, SigningError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Judged:
    """The metadata of one repository that is trusted now. It only ever moves forward; what is refused changes nothing.

    Whether a piece has expired is asked apart, because one that has still shows what may not be undercut.
    """

    def __init__(self, root: bytes) -> None:
        self.contents: dict[str, bytes] = {}
        parsed = _parsed(root, Root)
        _verify(parsed.signed, "root", parsed)
        self.root = parsed.signed
        self.contents["root"] = root
        self.timestamp: Timestamp | None = None
        self.snapshot: Snapshot | None = None
        self._targets: dict[str, Targets] = {}
        self._delegators: dict[str, str] = {}

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
        new = parsed.signed
        self._demand("timestamp", new)
        if self.timestamp is not None:
            if new.version < self.timestamp.version:
                raise RejectedError(f"timestamp version {new.version} is older than {self.timestamp.version}, seen before")
            if new.snapshot_meta.version < self.timestamp.snapshot_meta.version:
                raise RejectedError("this timestamp names an older snapshot than the one before it")
            if new.version == self.timestamp.version:
                return False
        self.timestamp = new
        self.contents["timestamp"] = content
        return True

    def take_snapshot(self, content: bytes) -> None:
        """The snapshot that the timestamp names; no role may be missing from it or older in it. Errors: RejectedError."""
        named = self._timestamp().snapshot_meta
        _check_bytes("snapshot", named, content)
        parsed = self._verified_snapshot(content)
        if parsed.version != named.version:
            raise RejectedError(f"snapshot {parsed.version} is not {named.version}, which is named")
        for name, held in self.snapshot.meta.items() if self.snapshot else ():
            offered = parsed.meta.get(name)
            if offered is None or offered.version < held.version:
                raise RejectedError(f"the new snapshot has {name} not at all, or older than version {held.version}")
        self.snapshot = parsed
        self.contents["snapshot"] = content

    def take_held_snapshot(self, content: bytes) -> None:
        """A snapshot that was trusted before: which, it need not be, for it shows what the next one may not undercut.

        Errors: RejectedError.
        """
        self.snapshot = self._verified_snapshot(content)
        self.contents["snapshot"] = content

    def take_delegated(self, name: str, content: bytes, delegator: str) -> None:
        """A targets role at the version that the snapshot names, signed as this delegator demands. Errors: RejectedError."""
        named = self._named(name)
        parsed = _parsed(content, Targets)
        _verify(self._delegator(delegator), name, parsed)
        self._demand(name, parsed.signed)
        if parsed.signed.version != named.version:
            raise RejectedError(f"{name} version {parsed.signed.version} is not the {named.version} that the snapshot names")
        _check_bytes(name, named, content)
        self._targets[name] = parsed.signed
        self._delegators[name] = delegator
        self.contents[name] = content
        for delegated in [other for other, by in self._delegators.items() if by == name]:
            if not self._is_signed_for(delegated, parsed.signed):
                del self._targets[delegated], self._delegators[delegated], self.contents[delegated]

    def drop_online(self) -> None:
        """Forgets timestamp and snapshot after their keys were changed: what a thief signed binds nobody (TUF 5.3.11)."""
        self.timestamp = None
        self.snapshot = None
        self.contents.pop("timestamp", None)
        self.contents.pop("snapshot", None)

    # --- what the metadata says ---

    def version_of(self, name: str) -> int:
        """The version of a role that the snapshot names. Errors: RejectedError when it names none."""
        return self._named(name).version

    def length_of(self, name: str) -> int | None:
        """How many bytes the snapshot, or a role, is said to have, where that is said. Errors: RejectedError."""
        return (self._timestamp().snapshot_meta if name == "snapshot" else self._named(name)).length

    def is_current(self, name: str) -> bool:
        """Whether a targets role is held at the version that the held snapshot, which is the timestamp's, names."""
        if self.timestamp is None or self.snapshot is None or self.snapshot.version != self.timestamp.snapshot_meta.version:
            return False
        held = self._targets.get(name)
        return held is not None and held.version == self.version_of(name)

    def is_accepted(self, name: str, delegator: str) -> bool:
        """Whether a role is current and signed as this delegator, as it is held now, demands. Errors: RejectedError."""
        return self.is_current(name) and self._is_signed_for(name, self._delegator(delegator))

    def targets(self, name: str) -> Targets:
        """A targets role that is held at the current version. Errors: RejectedError when it is not."""
        if not self.is_current(name):
            raise RejectedError(f"{name} is not held at the version that the snapshot names")
        return self._targets[name]

    def check_unexpired(self, name: str, now: datetime) -> None:
        """Nothing for a held piece that has not expired. Errors: RejectedError."""
        match name:
            case "root":
                expires = self.root.expires
            case "timestamp":
                expires = self._timestamp().expires
            case "snapshot":
                expires = self._snapshot().expires
            case _:
                expires = self.targets(name).expires
        if now >= expires:
            raise RejectedError(f"{name} expired at {utc_text(expires)}")

    # --- what stands upon this ---

    def _demand(self, name: str, signed: Timestamp | Snapshot | Targets) -> None:
        """What else is demanded of a piece whose signatures hold: by the specification, nothing. Errors: RejectedError."""

    def _timestamp(self) -> Timestamp:
        if self.timestamp is None:
            raise RejectedError("no timestamp is held yet")
        return self.timestamp

    def _snapshot(self) -> Snapshot:
        if self.snapshot is None:
            raise RejectedError("no snapshot is held yet")
        return self.snapshot

    def _named(self, name: str) -> MetaFile:
        if self.snapshot is None or f"{name}.json" not in self.snapshot.meta:
            raise RejectedError(f"the snapshot does not name {name}")
        return self.snapshot.meta[f"{name}.json"]

    def _delegator(self, name: str) -> Root | Targets:
        return self.root if name == "root" else self.targets(name)

    def _verified_snapshot(self, content: bytes) -> Snapshot:
        parsed = _parsed(content, Snapshot)
        _verify(self.root, "snapshot", parsed)
        self._demand("snapshot", parsed.signed)
        return parsed.signed

    def _is_signed_for(self, name: str, delegator: Root | Targets) -> bool:
        try:
            _verify(delegator, name, _parsed(self.contents[name], Targets))
        except RejectedError:
            return False
        return True


class _Parsed(NamedTuple, Generic[Content]):
    """Metadata that nobody has verified: what it says, over which bytes its signatures are, and these."""

    signed: Content
    payload: bytes
    signatures: dict[str, Signature]


def _parsed(content: bytes, kind: type[Content]) -> _Parsed[Content]:
    """Metadata of one kind. Its payload is made from what came, not from what was understood. Errors: RejectedError."""
    try:
        document = json.loads(content.decode())
        payload = (encode_canonical(document["signed"]) or "").encode()
        _leave_out_unknown_keys(document["signed"])
        metadata: Metadata[Any] = Metadata.from_dict(document)
    except _UNREADABLE as error:
        said = str(error)[:200].encode("ascii", "backslashreplace").decode()  # half a surrogate pair can be stored nowhere
        raise RejectedError(f"not readable as {kind.__name__.lower()} metadata: {said}") from error
    if not isinstance(metadata.signed, kind):
        raise RejectedError(f"this is {metadata.signed.type} metadata, not {kind.__name__.lower()}")
    return _Parsed(metadata.signed, payload, metadata.signatures)


def _leave_out_unknown_keys(signed: dict[str, Any]) -> None:
    """Takes keys of a kind that is not known here out of what is understood: they count for no threshold, and harm no other."""
    for holder in (signed, signed.get("delegations") or {}):
        keys = holder.get("keys") or {}
        for name in [
            name for name, key in keys.items() if (key.get("keytype"), key.get("scheme")) not in KEY_FOR_TYPE_AND_SCHEME
        ]:
            del keys[name]


def _verify(delegator: Root | Targets, name: str, parsed: _Parsed[Content]) -> None:
    """Nothing when a threshold of the delegator's keys signed this. Errors: RejectedError."""
    try:
        result = delegator.get_verification_result(name, parsed.payload, parsed.signatures)
    except _UNREADABLE as error:
        raise RejectedError(f"the signatures of {name} do not hold: {error}") from error
    signers = _distinct(result.signed.values())
    if signers < result.threshold:
        raise RejectedError(f"the signatures of {name} do not hold: {signers} of {result.threshold} keys have signed it")


def _distinct(keys: Iterable[Key]) -> int:
    """How many keys these are: one that goes by two ids is one."""
    return len({json.dumps(key.keyval, sort_keys=True) for key in keys})


def _check_bytes(name: str, named: MetaFile, content: bytes) -> None:
    try:
        named.verify_length_and_hashes(content)
    except RepositoryError as error:
        raise RejectedError(f"{name} is not the file that is named: {error}") from error
