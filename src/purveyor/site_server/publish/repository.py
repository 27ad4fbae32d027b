"""The site's TUF repository as values: from the roles that stand and what changed to the roles that are signed next.

Pure but for signing: no database, no box. Upstream is `turn`, which reads and stores; downstream are the clients' `trust`.

    root → timestamp → snapshot → targets → packages → packages-00 … (hashed bins, by path)
                                          → offers   → offers-00 …
                                          → settings, agent
Source: TUF specification 1.0; the protocol, sections 2 and 3. Each version of a role is signed once.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import msgspec
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from purveyor.site_server.keys import Keys
from purveyor.wire import settings as settings_file

Signed = TypeVar("Signed", Root, Timestamp, Snapshot, Targets)

HASHED = ("packages", "offers")
OFFLINE = ("root", "targets", "packages", "agent")
_PATHS = {
    "packages": "pkginfo.box/*",
    "offers": "offerinf.box/*",
    "settings": settings_file.PATH,
    "agent": "clicomp.box/*",
}
_SERIALIZER = JSONSerializer(compact=True)


class Lifetimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long signatures hold. Units: seconds."""

    timestamp_seconds: int
    online_seconds: int
    offline_seconds: int
    rhythm_seconds: int

    def of(self, role: str) -> timedelta:
        """The lifetime of a role's metadata; a bin's is that of the role whose key signs it."""
        if role == "timestamp":
            return timedelta(seconds=self.timestamp_seconds)
        is_offline = role in OFFLINE or role.startswith("packages-")
        return timedelta(seconds=self.offline_seconds if is_offline else self.online_seconds)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be true of the next publication.

    Shape: `targets` maps a target path to its new bytes, or None for "no longer there"; `renew` names roles that would expire.
    """

    targets: Mapping[str, bytes | None] = {}
    highest: Mapping[str, int] = {}
    """For a hashed role, the highest number ever given to its kind of id."""
    renew: frozenset[str] = frozenset()


class SignedRole(NamedTuple):
    """A role's new signed bytes."""

    name: str
    version: int
    content: bytes
    expires_at: datetime


def first_roles(keys: Keys, *, bin_bits: int, lifetimes: Lifetimes, now: datetime) -> list[SignedRole]:
    """All roles of a new site, in the order of publication."""
    bins = [name for role in HASHED for name in _succinct(keys, role, bin_bits).get_roles()]
    targets = Targets(delegations=_delegations(keys))
    signed: list[SignedRole] = [_signed(_first_root(keys), "root", keys, lifetimes, now)]
    signed += [_signed(Targets(), name, keys, lifetimes, now) for name in bins]
    for role in HASHED:
        delegator = Targets(delegations=_bin_delegations(keys, role, bin_bits), unrecognized_fields={f"highest_{role}": 0})
        signed.append(_signed(delegator, role, keys, lifetimes, now))
    signed += [_signed(Targets(), role, keys, lifetimes, now) for role in ("settings", "agent")]
    signed.append(_signed(targets, "targets", keys, lifetimes, now))
    snapshot = Snapshot(meta={f"{role.name}.json": MetaFile(role.version) for role in signed if role.name != "root"})
    signed.append(_signed(snapshot, "snapshot", keys, lifetimes, now))
    signed.append(_signed(_timestamp(1, lifetimes, now), "timestamp", keys, lifetimes, now))
    return signed


def next_roles(
    read: Callable[[str], bytes], changes: Changes, *, keys: Keys, lifetimes: Lifetimes, now: datetime
) -> list[SignedRole]:
    """The roles to sign anew, in the order of publication; empty when nothing is to change.

    `read` gives the signed bytes of a role as it stands.
    Errors: RefusedError when the key of a role that must be signed is not here.
    """
    root = [_renewed_root(read("root"), keys, lifetimes, now)] if "root" in changes.renew else []
    signed = [*_changed_targets(read, changes, keys, lifetimes, now)]
    is_snapshot_new = bool(signed) or "snapshot" in changes.renew
    if not is_snapshot_new and "timestamp" not in changes.renew:
        return root
    snapshot = Metadata[Snapshot].from_bytes(read("snapshot")).signed
    if is_snapshot_new:
        for role in signed:
            snapshot.meta[f"{role.name}.json"] = MetaFile(role.version)
        snapshot.version += 1
        signed.append(_signed(snapshot, "snapshot", keys, lifetimes, now))
    timestamp = _timestamp(snapshot.version, lifetimes, now)
    timestamp.version = Metadata[Timestamp].from_bytes(read("timestamp")).signed.version + 1
    signed.append(_signed(timestamp, "timestamp", keys, lifetimes, now))
    return root + signed


def role_of_target(path: str, bin_bits: int) -> str:
    """The role that lists a target: a bin chosen by the path's hash, `settings` or `agent`."""
    box = path.partition("/")[0]
    if path == settings_file.PATH:
        return "settings"
    if box == "clicomp.box":
        return "agent"
    prefix = "packages" if box == "pkginfo.box" else "offers"
    return SuccinctRoles([], 1, bin_bits, prefix).get_role_for_target(path)


def paths_of(role: SignedRole) -> tuple[str, ...]:
    """The paths on a CAP at which a signed role is found."""
    match role.name:
        case "timestamp":
            return ("clidata.box/timestamp.json",)
        case "root":
            return (f"clidata.box/{role.version}.root.json", "clidata.box/root.json")
        case _:
            return (f"clidata.box/{role.version}.{role.name}.json",)


def path_of_target(path: str, content: bytes) -> str:
    """The path on a CAP of a target with these bytes (a consistent snapshot puts the digest in front of the name)."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/{TargetFile.from_data(path, content, ['sha256']).hashes['sha256']}.{name}"


def bin_bits_of(packages: bytes) -> int:
    """How many bits choose a bin, from the signed bytes of a hashed role."""
    delegations = Metadata[Targets].from_bytes(packages).signed.delegations
    assert delegations is not None and delegations.succinct_roles is not None
    return delegations.succinct_roles.bit_length


def _changed_targets(
    read: Callable[[str], bytes], changes: Changes, keys: Keys, lifetimes: Lifetimes, now: datetime
) -> Iterable[SignedRole]:
    """Bins and delegators with something new, bins first; a target whose bytes are unchanged is nothing new."""
    bin_bits = bin_bits_of(read("packages"))
    by_role: dict[str, dict[str, bytes | None]] = {role: {} for role in changes.renew - {"root", "snapshot", "timestamp"}}
    for path, content in changes.targets.items():
        by_role.setdefault(role_of_target(path, bin_bits), {})[path] = content
    for role in changes.highest:
        by_role.setdefault(role, {})
    for name in sorted(by_role, key=lambda name: ("-" not in name, name)):
        signed = Metadata[Targets].from_bytes(read(name)).signed
        is_changed = _set_targets(signed, by_role[name]) | _raise_highest(signed, name, changes.highest)
        if is_changed or name in changes.renew:
            signed.version += 1
            yield _signed(signed, name, keys, lifetimes, now)


def _set_targets(signed: Targets, contents: Mapping[str, bytes | None]) -> bool:
    is_changed = False
    for path, content in contents.items():
        if content is None:
            is_changed |= signed.targets.pop(path, None) is not None
            continue
        target = TargetFile.from_data(path, content, ["sha256"])
        if signed.targets.get(path) != target:
            signed.targets[path] = target
            is_changed = True
    return is_changed


def _raise_highest(signed: Targets, name: str, highest: Mapping[str, int]) -> bool:
    field = f"highest_{name}"
    if highest.get(name, 0) <= signed.unrecognized_fields.get(field, 0):
        return False
    signed.unrecognized_fields[field] = highest[name]
    return True


def _renewed_root(content: bytes, keys: Keys, lifetimes: Lifetimes, now: datetime) -> SignedRole:
    """The next root: the same keys, a later expiry."""
    root = Metadata[Root].from_bytes(content).signed
    root.version += 1
    return _signed(root, "root", keys, lifetimes, now)


def _first_root(keys: Keys) -> Root:
    """The first root: one key for each top-level role."""
    root = Root(consistent_snapshot=True)
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(_public(keys, role), role)
    return root


def _delegations(keys: Keys) -> Delegations:
    roles = {
        role: DelegatedRole(role, [_public(keys, role).keyid], 1, terminating=True, paths=[pattern])
        for role, pattern in _PATHS.items()
    }
    return Delegations(keys={_public(keys, role).keyid: _public(keys, role) for role in _PATHS}, roles=roles)


def _bin_delegations(keys: Keys, role: str, bin_bits: int) -> Delegations:
    public = _public(keys, role)
    return Delegations(keys={public.keyid: public}, succinct_roles=_succinct(keys, role, bin_bits))


def _succinct(keys: Keys, role: str, bin_bits: int) -> SuccinctRoles:
    return SuccinctRoles([_public(keys, role).keyid], 1, bin_bits, role)


def _public(keys: Keys, role: str) -> SSlibKey:
    return SSlibKey.from_crypto(keys.private(role).public_key())


def _timestamp(snapshot_version: int, lifetimes: Lifetimes, now: datetime) -> Timestamp:
    stated = {"issued_at": now.isoformat(timespec="seconds"), "rhythm_seconds": lifetimes.rhythm_seconds}
    return Timestamp(snapshot_meta=MetaFile(snapshot_version), unrecognized_fields=stated)


def _signed(signed: Signed, name: str, keys: Keys, lifetimes: Lifetimes, now: datetime) -> SignedRole:
    signed.expires = (now + lifetimes.of(name)).replace(microsecond=0)
    if isinstance(signed, Targets):
        signed.unrecognized_fields["role"] = name  # bins have one key and one form: only this tells one from its sibling
    metadata = Metadata(signed)
    metadata.sign(keys.signer(name.partition("-")[0]))
    return SignedRole(name, signed.version, metadata.to_bytes(_SERIALIZER), signed.expires)
