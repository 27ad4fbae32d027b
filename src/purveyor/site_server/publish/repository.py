"""The site's TUF repository as values: from the roles that stand and what changed to the roles that are signed next.

Pure but for signing: no database, no box. Upstream is `turn`, which reads and stores; downstream are the clients' `trust`.

    root → timestamp → snapshot → targets → packages → packages-00 … (hashed bins, by path)
                                          → offers   → offers-00 …
                                          → settings, agent
Source: TUF specification 1.0; the protocol, sections 2 and 3. Each version of a role is signed once.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
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

from purveyor.site_server.keys import OFFLINE, Keys
from purveyor.wire import settings as settings_file
from purveyor.wire.errors import RejectedError

Signed = TypeVar("Signed", Root, Timestamp, Snapshot, Targets)

Read = Callable[[str], bytes]
"""Gives the signed bytes of a role as it stands."""

HASHED = ("packages", "offers")
TOP = ("root", "targets", "snapshot", "timestamp")
VERSIONS_A_ROOT = 2**32
"""How many versions clients take of an online role under each root."""
_PATHS = {
    "packages": "pkginfo.box/*",
    "offers": "offerinf.box/*",
    "settings": settings_file.PATH,
    "agent": "clicomp.box/*",
}
SERIALIZER = JSONSerializer(compact=True)


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
    new_keys: Mapping[str, str] = {}
    """Raw public halves of keys that count from this publication on, in hexadecimal, by role."""
    floor: int = 0
    """No role but the root gets a version below this: after a restore, above all that was ever published."""


class Draft(NamedTuple):
    """A role's next metadata, which nobody has signed yet."""

    name: str
    signed: Root | Targets


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
    read: Read,
    changes: Changes,
    *,
    keys: Keys,
    lifetimes: Lifetimes,
    now: datetime,
    given: Mapping[str, bytes] | None = None,
    root_before: Ed25519PrivateKey | None = None,
) -> list[SignedRole]:
    """The roles to sign anew, in the order of publication; empty when nothing is to change.

    `read` gives the signed bytes of a role as it stands; `given` are roles that were signed elsewhere, whose bytes are taken as
    they are. `keys` are those that count from now on; where that is a new root key, `root_before` signs the root as well.
    Errors: RefusedError when the key of a role that must be signed is not here.
    """
    given = given or {}
    signed = [given_role(name, content) for name, content in given.items()]
    before = [CryptoSigner(root_before)] if root_before is not None else []
    signed += [
        _signed_draft(draft, keys, before if draft.name == "root" else ())
        for draft in drafts(read, changes, lifetimes=lifetimes, now=now)
        if draft.name not in given
    ]
    signed.sort(key=lambda role: _place(role.name))
    is_snapshot_new = any(role.name != "root" for role in signed) or bool(
        {"snapshot"} & (changes.renew | changes.new_keys.keys())
    )
    if not is_snapshot_new and "timestamp" not in changes.renew | changes.new_keys.keys():
        return signed
    snapshot = Metadata[Snapshot].from_bytes(read("snapshot")).signed
    floor = max(_lowest_version(read, changes), changes.floor)
    if is_snapshot_new or floor:
        for role in signed:
            if role.name != "root":
                snapshot.meta[f"{role.name}.json"] = MetaFile(role.version)
        snapshot.version = max(snapshot.version + 1, floor)
        signed.append(_signed(snapshot, "snapshot", keys, lifetimes, now))
    timestamp = _timestamp(snapshot.version, lifetimes, now)
    timestamp.version = max(Metadata[Timestamp].from_bytes(read("timestamp")).signed.version + 1, floor)
    signed.append(_signed(timestamp, "timestamp", keys, lifetimes, now))
    return signed


def drafts(read: Read, changes: Changes, *, lifetimes: Lifetimes, now: datetime) -> list[Draft]:
    """The next root and targets roles, unsigned: those that these changes ask for, root first, bins before their delegators."""
    found: list[Draft] = []
    top = {role: public for role, public in changes.new_keys.items() if role in TOP}
    if "root" in changes.renew or top:
        root = Metadata[Root].from_bytes(read("root")).signed
        for role, public in top.items():
            for old in list(root.roles[role].keyids):
                root.revoke_key(old, role)
            root.add_key(key_of(public), role)
        root.version += 1
        found.append(Draft("root", _dated(root, "root", lifetimes, now)))
    found += [Draft(name, _dated(signed, name, lifetimes, now)) for name, signed in _changed_targets(read, changes)]
    return found


def given_role(name: str, content: bytes) -> SignedRole:
    """A role that was signed elsewhere."""
    signed = Metadata.from_bytes(content).signed
    return SignedRole(name, signed.version, content, signed.expires)


def key_of(public: str) -> SSlibKey:
    """A key as TUF metadata names it, from its raw public half in hexadecimal."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))


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


def digest_in(path: str) -> str:
    """The digest in the path of a target on a CAP."""
    return path.rpartition("/")[2].partition(".")[0]


def bin_bits_of(packages: bytes) -> int:
    """How many bits choose a bin, from the signed bytes of a hashed role."""
    delegations = Metadata[Targets].from_bytes(packages).signed.delegations
    assert delegations is not None and delegations.succinct_roles is not None
    return delegations.succinct_roles.bit_length


def _changed_targets(read: Read, changes: Changes) -> Iterable[tuple[str, Targets]]:
    """Bins and delegators with something new, bins first; a target whose bytes are unchanged is nothing new."""
    bin_bits = bin_bits_of(read("packages"))
    renewed = (changes.renew | _signed_anew(changes.new_keys, bin_bits)) - {"root", "snapshot", "timestamp"}
    by_role: dict[str, dict[str, bytes | None]] = {role: {} for role in renewed}
    for path, content in changes.targets.items():
        by_role.setdefault(role_of_target(path, bin_bits), {})[path] = content
    for role in changes.highest:
        by_role.setdefault(role, {})
    for name in sorted(by_role, key=_place):
        signed = Metadata[Targets].from_bytes(read(name)).signed
        is_changed = _set_targets(signed, by_role[name]) | _raise_highest(signed, name, changes.highest)
        if is_changed or name in renewed:
            _set_keys(signed, name, changes.new_keys)
            signed.version = max(signed.version + 1, changes.floor)
            yield name, signed


def _signed_anew(new_keys: Mapping[str, str], bin_bits: int) -> set[str]:
    """The targets roles that new keys are to sign, or that name new keys."""
    names = {role for role in new_keys if role in _PATHS or role == "targets"}
    names |= {"targets"} if names else set()
    for role in HASHED:
        names |= set(SuccinctRoles([], 1, bin_bits, role).get_roles()) if role in new_keys else set()
    return names


def _set_keys(signed: Targets, name: str, new_keys: Mapping[str, str]) -> None:
    """Puts new keys in the place of those by which a delegator knows the roles below it."""
    delegations = signed.delegations
    if delegations is None:
        return
    if name in new_keys and delegations.succinct_roles is not None:
        key = key_of(new_keys[name])
        delegations.keys = {key.keyid: key}
        delegations.succinct_roles.keyids = [key.keyid]
    for role, public in new_keys.items() if name == "targets" else ():
        if role in _PATHS:
            for old in list((delegations.roles or {})[role].keyids):
                signed.revoke_key(old, role)
            signed.add_key(key_of(public), role)


def _lowest_version(read: Read, changes: Changes) -> int:
    """Above what a thief of the keys that are replaced could have used up; 0 where none of these is.

    Clients take no version of an online role above so many for each root, and remember the highest that they saw.
    """
    if not {"snapshot", "timestamp"} & changes.new_keys.keys():
        return 0
    return Metadata[Root].from_bytes(read("root")).signed.version * VERSIONS_A_ROOT + 1


def _place(name: str) -> tuple[int, str]:
    """Bins come before what delegates to them, that before `targets`, and the root before all."""
    return ({"root": 0, "targets": 3}.get(name, 1 if "-" in name else 2), name)


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


def _dated(signed: Signed, name: str, lifetimes: Lifetimes, now: datetime) -> Signed:
    """The same, with its expiry, and its name where it needs one."""
    signed.expires = (now + lifetimes.of(name)).replace(microsecond=0)
    if isinstance(signed, Targets):
        signed.unrecognized_fields["role"] = name  # bins have one key and one form: only this tells one from its sibling
    return signed


def signed_part(draft: str) -> Root | Targets:
    """A draft, read from its JSON. Errors: RejectedError when it is no metadata of a root or of targets."""
    try:
        signed = Metadata.from_dict({"signatures": [], "signed": json.loads(draft)}).signed
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RejectedError(f"this is no metadata that could be signed: {str(error)[:200]}") from error
    if not isinstance(signed, Root | Targets):
        raise RejectedError(f"{signed.type} metadata is never signed away from the server")
    return signed


def payload_of(draft: str) -> bytes:
    """The bytes over which a draft is signed. Errors: RejectedError."""
    return unsigned(signed_part(draft)).signed_bytes


def unsigned(signed: Root | Targets) -> Metadata[Root] | Metadata[Targets]:
    """Metadata that nobody has signed yet."""
    match signed:
        case Root():
            return Metadata(signed)
        case Targets():
            return Metadata(signed)


def _signed_draft(draft: Draft, keys: Keys, also: Iterable[CryptoSigner]) -> SignedRole:
    metadata = unsigned(draft.signed)
    for signer in (*also, keys.signer(draft.name.partition("-")[0])):
        metadata.sign(signer, append=True)
    return SignedRole(draft.name, draft.signed.version, metadata.to_bytes(SERIALIZER), draft.signed.expires)


def _signed(signed: Signed, name: str, keys: Keys, lifetimes: Lifetimes, now: datetime) -> SignedRole:
    metadata = Metadata(_dated(signed, name, lifetimes, now))
    metadata.sign(keys.signer(name.partition("-")[0]))
    return SignedRole(name, signed.version, metadata.to_bytes(SERIALIZER), signed.expires)
