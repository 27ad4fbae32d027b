"""What keys that are elsewhere have to sign: drafted into a request, and published once the answer has come.

A request states the versions on which it stands. Where one of them has moved, nothing of it is published. What is signed here is
signed when the answer is published: bins and delegators of online roles, the snapshot and the timestamp.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Signature
from sqlalchemy import Connection
from tuf.api.metadata import Metadata, Targets

from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.publication import Span, Want
from purveyor.site_server.database.site_keys import KeyState, RequestState, StoredRequest
from purveyor.site_server.database.wanted import Kind
from purveyor.site_server.keys import OFFLINE, KeyName, KeySource
from purveyor.site_server.publish import key_change, repository
from purveyor.site_server.publish.key_change import Standing
from purveyor.site_server.publish.packages import compile_package
from purveyor.site_server.publish.repository import Changes, Draft, Lifetimes
from purveyor.wire import package_info, signing
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import PackageId
from purveyor.wire.signing import RoleToSign, SigningRequest

UNCHANGED_A_TURN = 50
MOST_WANTS = 1000
"""Packages in one request: whoever signs is to read what changes."""


class Waiting(NamedTuple):
    """What waits for keys that are elsewhere. Shape: `expiring` are roles whose metadata is past half of its life."""

    wants: list[Want]
    expiring: frozenset[str]
    new_keys: Mapping[str, str]


class Answered(NamedTuple):
    """A request whose signatures are all there, ready to be published."""

    request: StoredRequest
    given: Mapping[str, bytes]
    new_keys: Mapping[str, str]
    targets: Mapping[str, bytes | None]


def waiting(tx: Connection, source: KeySource, stand: Standing, lifetimes: Lifetimes, now: datetime) -> Waiting:
    """What waits now."""
    away = [role for role in OFFLINE if role in stand.current and role not in stand.keys.signing]
    wants = []
    if "packages" in away:
        wants = [want for want in publication.unmet(tx, MOST_WANTS) if want.kind is Kind.PACKAGE]
    halfway = now + lifetimes.of("packages") / 2
    expired = Span(tuple(away), halfway, publication.FOREVER)
    expiring = publication.roles_expiring(tx, [expired], limit=10_000) if away else []
    later = stand.following.keys() - key_change.possible_here(stand, source)
    return Waiting(wants, frozenset(expiring), {role: stand.following[role].public for role in sorted(later)})


def unchanged(tx: Connection, wants: Sequence[Want]) -> list[Want]:
    """Those of these packages whose published words are right already: they need no signature. Looks at some at a time."""
    if not wants:
        return []
    read = _reader(tx)
    bin_bits = repository.bin_bits_of(read("packages"))
    found = []
    for want in [want for want in wants if want.kind is Kind.PACKAGE][:UNCHANGED_A_TURN]:
        said = compile_package(tx, PackageId(want.key))
        path = package_info.path_of(PackageId(want.key))
        listed = Metadata[Targets].from_bytes(read(repository.role_of_target(path, bin_bits))).signed.targets.get(path)
        digest = None if said is None else repository.digest_in(repository.path_of_target(path, package_info.encode(said)))
        if digest == (None if listed is None else listed.hashes["sha256"]) and digest is not None:
            found.append(want)
    return found


def request_of(
    tx: Connection, source: KeySource, what: Waiting, *, number: int, lifetimes: Lifetimes, now: datetime
) -> SigningRequest:
    """A request for what waits, without its summary."""
    stand = key_change.standing(tx, source)
    targets = _compiled(tx, what.wants)
    highest = {"packages": publication.highest_numbers(tx)["packages"]} if what.wants else {}
    changes = Changes(targets=targets, highest=highest, renew=what.expiring, new_keys=what.new_keys)
    read = _reader(tx)
    roles = []
    for draft in repository.drafts(read, changes, lifetimes=lifetimes, now=now):
        signers = _signers(draft.name, stand, what.new_keys)
        if any(_private(source, draft.name, public) is None for public in signers):
            standing_text = read(draft.name).decode()
            roles.append(RoleToSign(name=draft.name, standing=standing_text, draft=_text_of(draft), signers=signers))
    return SigningRequest(
        kind="signing request",
        site=publication.site_code_of(tx),
        number=number,
        made_at=now,
        summary=(),
        roles=tuple(roles),
        new_keys=dict(what.new_keys),
        files=_files(tx, read, targets, roles),
    )


def missing_signatures(
    request: SigningRequest, signatures: Mapping[str, Mapping[str, str]], source: KeySource
) -> list[tuple[str, str]]:
    """Which signatures have not come and cannot be made here. Shape: role and public half."""
    return [
        (role.name, public)
        for role in request.roles
        for public in role.signers
        if public not in signatures.get(role.name, {}) and _private(source, role.name, public) is None
    ]


def moved(tx: Connection, stored: StoredRequest, request: SigningRequest) -> str:
    """Why a request does not fit what stands now, in words; empty when it does."""
    versions = site_keys.versions_of(tx, [role.name for role in request.roles])
    for role in request.roles:
        stood = Metadata.from_bytes(role.standing.encode()).signed.version
        if versions.get(role.name) != stood:
            return f"it stands on version {stood} of {role.name}, and version {versions.get(role.name)} is published"
    following = site_keys.keys_in(tx, KeyState.NEXT)
    for name, public in request.new_keys.items():
        if name not in following or following[name].public != public:
            return f"the key that it brings in for {name} is not the one that is to follow now"
    drafted = _targets_in(request)
    for want in stored.wants:
        path = package_info.path_of(PackageId(want.key))
        if path in drafted and (compile_package(tx, PackageId(want.key)) is None) is not (drafted[path] is None):
            return f"{want.key} was {'deleted' if drafted[path] is not None else 'added'} since"
    return ""


def answered(tx: Connection, source: KeySource) -> Answered | None:
    """The request that is wholly signed and waits to be published, or None.

    Errors: RejectedError when it does not fit what stands any more.
    """
    stored = site_keys.request_in(tx, RequestState.SIGNED)
    if stored is None:
        return None
    request = signing.decode_request(stored.content)
    why = moved(tx, stored, request)
    if why:
        raise RejectedError(why)
    given = {role.name: _assembled(role, stored.signatures.get(role.name, {}), source) for role in request.roles}
    return Answered(stored, given, request.new_keys, _targets_in(request))


def _assembled(role: RoleToSign, signatures: Mapping[str, str], source: KeySource) -> bytes:
    """The metadata with the signatures that came, and those that are made here."""
    metadata = repository.unsigned(repository.signed_part(role.draft))
    for public in role.signers:
        key = repository.key_of(public)
        private = _private(source, role.name, public)
        if public in signatures:
            metadata.signatures[key.keyid] = Signature(key.keyid, signatures[public])
        elif private is not None:
            metadata.sign(CryptoSigner(private), append=True)
    return metadata.to_bytes(repository.SERIALIZER)


def _targets_in(request: SigningRequest) -> dict[str, bytes | None]:
    """The target files that a request changes, as they are to be; None for one that is to be no longer there."""
    found: dict[str, bytes | None] = {}
    for role in request.roles:
        draft = repository.signed_part(role.draft)
        if not isinstance(draft, Targets):
            continue
        before = Metadata[Targets].from_bytes(role.standing.encode()).signed
        for path in draft.targets.keys() | before.targets.keys():
            if draft.targets.get(path) != before.targets.get(path):
                listed = draft.targets.get(path)
                found[path] = None if listed is None else request.files[listed.hashes["sha256"]].encode()
    return found


def _compiled(tx: Connection, wants: list[Want]) -> dict[str, bytes | None]:
    compiled = {PackageId(want.key): compile_package(tx, PackageId(want.key)) for want in wants}
    return {
        package_info.path_of(package): None if said is None else package_info.encode(said) for package, said in compiled.items()
    }


def _files(tx: Connection, read: repository.Read, targets: Mapping[str, bytes | None], roles: list[RoleToSign]) -> dict[str, str]:
    """The files of which the request speaks: those that are to be, and those in whose places they come."""
    bin_bits = repository.bin_bits_of(read("packages"))
    named = {role.name for role in roles}
    found: dict[str, str] = {}
    for path, content in targets.items():
        name = repository.role_of_target(path, bin_bits)
        if name not in named:
            continue
        if content is not None:
            found[repository.digest_in(repository.path_of_target(path, content))] = content.decode()
        before = Metadata[Targets].from_bytes(read(name)).signed.targets.get(path)
        if before is not None:
            digest = before.hashes["sha256"]
            folder, _, last = path.rpartition("/")
            stored = publication.down_file(tx, f"{folder}/{digest}.{last}")
            if stored is not None:
                found[digest] = stored.decode()
    return found


def _signers(name: str, stand: Standing, new_keys: Mapping[str, str]) -> tuple[str, ...]:
    """The public halves of the keys that are to sign a role."""
    role = name.partition("-")[0]
    after = new_keys.get(role, stand.current[role].public)
    return tuple(dict.fromkeys((stand.current[role].public, after))) if role == "root" else (after,)


def _private(source: KeySource, name: str, public: str) -> Ed25519PrivateKey | None:
    return source.find(KeyName(name.partition("-")[0], key_change.key_id(public)))


def _text_of(draft: Draft) -> str:
    return to_bytes(repository.unsigned(draft.signed).to_dict()["signed"]).decode()


def _reader(tx: Connection) -> repository.Read:
    return lambda name: publication.read_role(tx, name)
