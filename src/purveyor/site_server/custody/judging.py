"""What a signing request changes, found from its metadata and its files alone, and signing it. Needs no site and no database.

The summary of a request is only compared: a server that somebody took over can write there what it likes. Whatever differs from
what stands in a way that a site never asks for is refused, so that every line that is shown is all that is signed.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, TargetFile

from purveyor.site_server.publish.repository import key_of, payload_of
from purveyor.wire import package_info
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.package_info import PackageInfo, Program
from purveyor.wire.signed import key_id_of
from purveyor.wire.signing import RoleToSign, SigningAnswer, SigningRequest, digest_of

LONGEST_LIFETIME = timedelta(days=10 * 366)
_ROLE = re.compile(r"root|targets|packages|agent|packages-[0-9a-f]{1,8}")
_TOP = ("root", "targets", "snapshot", "timestamp")

Fields = dict[str, Any]


def changes_in(request: SigningRequest) -> tuple[str, ...]:
    """What signing a request would change, a line each: keys first, then packages, then what is only signed anew.

    Errors: RejectedError when anything in it changes in a way that no site asks for.
    """
    keys: list[str] = []
    packages: list[str] = []
    others: list[str] = []
    expiries: list[str] = []
    for role in request.roles:
        if not _ROLE.fullmatch(role.name):
            raise RejectedError(f"{role.name[:40]!r} is no role whose keys live away from a server")
        before, after = _fields(role.standing, "signed"), _fields(role.draft)
        expected = _as_usual(before, after, request)
        if role.name == "root":
            keys += _set_root_keys(expected, request.new_keys)
        elif role.name in ("targets", "packages"):
            keys += _set_delegated_keys(expected, role.name, request.new_keys)
        packages += _set_targets(expected, before, after, role.name, request.files)
        highest = f"highest_{role.name}"
        if isinstance(after.get(highest), int) and after[highest] > before.get(highest, 0):
            others.append(f"raises the highest number of {role.name} from {before.get(highest, 0)} to {after[highest]}")
            expected[highest] = after[highest]
        if expected != after:
            different = sorted(name for name in expected.keys() | after.keys() if expected.get(name) != after.get(name))
            raise RejectedError(f"{role.name} would change in a way that no site asks for: {', '.join(different)[:200]}")
        expiries.append(str(after["expires"]))
    known = set(_names_of(request.new_keys)) - {line.split()[4] for line in keys if line.startswith("changes the key of")}
    others += [f"brings in the key {key_id_of(bytes.fromhex(request.new_keys[name]))} for {name}" for name in sorted(known)]
    if expiries:
        others.append(f"holds until {min(expiries)}: {_counted(request.roles)}")
    return (*keys, *sorted(packages, key=lambda line: line.split()[1]), *others)


def footing_of(request: SigningRequest) -> tuple[str, ...]:
    """The versions on which a request stands, such as `packages 3`."""
    return tuple(f"{role.name} {_fields(role.standing, 'signed').get('version')}" for role in request.roles)


def answer_to(request: SigningRequest, keys: Iterable[Ed25519PrivateKey]) -> SigningAnswer:
    """The signatures of these keys over all that they are asked for.

    Errors: RejectedError when the request is not what it says; RefusedError when a key is asked for nothing in it.
    """
    if tuple(request.summary) != changes_in(request):
        raise RejectedError("the summary of this request is not what it would change: it was altered, sign nothing of it")
    signatures: dict[str, dict[str, str]] = {}
    for key in keys:
        public = key.public_key().public_bytes_raw().hex()
        roles = [role for role in request.roles if public in role.signers]
        if not roles:
            raise RefusedError(f"the key {key_id_of(bytes.fromhex(public))} is asked for nothing: {_asked_for(request)}")
        for role in roles:
            if public not in request.new_keys.values():
                _check_signed_by(role, public)
            signatures.setdefault(role.name, {})[public] = key.sign(payload_of(role.draft)).hex()
    return SigningAnswer(
        kind="signing answer", site=request.site, number=request.number, digest=digest_of(request), signatures=signatures
    )


def check_answer(request: SigningRequest, answer: SigningAnswer) -> None:
    """Nothing for an answer to exactly this request whose signatures all hold and were all asked for. Errors: RejectedError."""
    if (answer.site, answer.number) != (request.site, request.number) or answer.digest != digest_of(request):
        raise RejectedError(
            f"this is the answer to another request than number {request.number} of {request.site}, which is open"
        )
    asked = {role.name: role for role in request.roles}
    if not any(answer.signatures.values()):
        raise RejectedError("this answer has no signature in it")
    for name, signatures in answer.signatures.items():
        for public, signature in signatures.items():
            if name not in asked or public not in asked[name].signers:
                raise RejectedError(f"more was signed than was asked: {name[:40]!r} by the key {public[:16]!r}")
            try:
                Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
                    bytes.fromhex(signature), payload_of(asked[name].draft)
                )
            except (InvalidSignature, ValueError) as error:
                raise RejectedError(f"the signature of {name} does not hold") from error


def _fields(text: str, part: str = "") -> Fields:
    try:
        fields = json.loads(text)
        return dict(fields[part] if part else fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RejectedError("metadata in this request cannot be read") from error


def _as_usual(before: Fields, after: Fields, request: SigningRequest) -> Fields:
    """What stands, as the next version of it, with the new expiry. Errors: RejectedError when that is out of all bounds."""
    try:
        expires = datetime.fromisoformat(str(after["expires"]))
        is_sound = request.made_at < expires < request.made_at + LONGEST_LIFETIME
        version = int(before["version"]) + 1
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise RejectedError("metadata in this request has no version, or no expiry") from error
    if not is_sound:
        raise RejectedError(f"metadata in this request would hold until {str(after['expires'])[:40]}: no site asks for that")
    return deepcopy(before) | {"version": version, "expires": after["expires"]}


def _set_root_keys(expected: Fields, new_keys: Mapping[str, str]) -> list[str]:
    """Puts new keys of top roles into a root; what changes by it."""
    lines = []
    try:
        for role in [role for role in _TOP if role in new_keys]:
            key = key_of(new_keys[role])
            old = expected["roles"][role]["keyids"]
            lines.append(_change_of_key(role, [expected["keys"][one]["keyval"]["public"] for one in old], new_keys[role]))
            expected["roles"][role]["keyids"] = [key.keyid]
            expected["keys"][key.keyid] = key.to_dict()
        used = {one for role in expected["roles"].values() for one in role["keyids"]}
        expected["keys"] = {name: key for name, key in expected["keys"].items() if name in used}
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedError("the root in this request cannot be understood") from error
    return lines


def _set_delegated_keys(expected: Fields, name: str, new_keys: Mapping[str, str]) -> list[str]:
    """Puts new keys of delegated roles where a delegator names them; what changes by it."""
    lines = []
    try:
        delegations = expected["delegations"]
        if name == "packages" and name in new_keys:
            key = key_of(new_keys[name])
            delegations["keys"] = {key.keyid: key.to_dict()}
            delegations["succinct_roles"]["keyids"] = [key.keyid]
        for role in delegations.get("roles", []) if name == "targets" else []:
            if role["name"] in new_keys:
                key = key_of(new_keys[role["name"]])
                old = [delegations["keys"][one]["keyval"]["public"] for one in role["keyids"]]
                lines.append(_change_of_key(role["name"], old, new_keys[role["name"]]))
                role["keyids"] = [key.keyid]
                delegations["keys"][key.keyid] = key.to_dict()
        if name == "targets":
            used = {one for role in delegations["roles"] for one in role["keyids"]}
            delegations["keys"] = {one: key for one, key in delegations["keys"].items() if one in used}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RejectedError(f"the delegations of {name} in this request cannot be understood") from error
    return lines


def _set_targets(expected: Fields, before: Fields, after: Fields, name: str, files: Mapping[str, str]) -> list[str]:
    """Puts the changed target files of a bin in their places, each seen to be what is listed; what changes by it."""
    old, new = before.get("targets", {}), after.get("targets", {})
    if not name.startswith("packages-") or old == new:
        return []
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        package = path.removeprefix("pkginfo.box/").removesuffix(".pkg")
        held = _package(path, old[path], files, is_needed=False) if path in old else None
        if path not in new:
            lines.append(f"deletes {package}" + (f" {_title(held)}" if held else ""))
            continue
        said = _package(path, new[path], files, is_needed=True)
        assert said is not None
        lines += _changes_of_package(held, said, is_known=path in old)
    expected["targets"] = new
    return lines


def _package(path: str, listed: Fields, files: Mapping[str, str], *, is_needed: bool) -> PackageInfo | None:
    """The package in a listed file. Errors: RejectedError when it is needed and not there, or not the one that is listed."""
    digest = str(listed.get("hashes", {}).get("sha256"))
    if digest not in files:
        if is_needed:
            raise RejectedError(f"the request does not bring {path[:60]}, which it lists")
        return None
    content = files[digest].encode()
    if hashlib.sha256(content).hexdigest() != digest or TargetFile.from_data(path, content, ["sha256"]).to_dict() != listed:
        raise RejectedError(f"{path[:60]} in this request is not the file that is listed")
    said = package_info.decode(content)
    if package_info.path_of(said.id) != path:
        raise RejectedError(f"{path[:60]} in this request speaks of {said.id}")
    return said


def _changes_of_package(held: PackageInfo | None, said: PackageInfo, *, is_known: bool) -> list[str]:
    if not is_known or held is None:
        verb = "changes" if is_known else "adds"
        first = f"{verb} {said.id} {_title(said)} (source version {said.source_version})"
    elif (held.source_version, held.manifest) != (said.source_version, said.manifest):
        first = f"changes {said.id} {_title(said)} (source version {held.source_version} to {said.source_version})"
    else:
        first = f"changes {said.id} {_title(said)} (same source version {said.source_version})"
    before = {program.number: program for program in held.programs} if held else {}
    changed = [program for program in said.programs if before.get(program.number) != program]
    gone = sorted(before.keys() - {program.number for program in said.programs})
    return [
        first,
        *(
            f"{first.split(' ', 1)[0]} {said.id} program {program.number} {_line(program.name)}: {_command(program)}"
            for program in changed
        ),
        *(f"changes {said.id} program {number}: is deleted" for number in gone),
    ]


def _command(program: Program) -> str:
    command = program.command
    words = command.shell_line or " ".join(command.argv)
    removing = program.uninstall.command if program.uninstall else None
    removal = f"; uninstalls with: {removing.shell_line or ' '.join(removing.argv)}" if removing else ""
    return _line(f"{words}{removal}")


def _title(said: PackageInfo) -> str:
    return _line(f"{said.name} {said.version}".strip())


def _line(text: str) -> str:
    """The text in one line, so that none can look like another change."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def _change_of_key(role: str, before: Iterable[str], after: str) -> str:
    olds = " and ".join(key_id_of(bytes.fromhex(one)) for one in before)
    return f"changes the key of {role} from {olds} to {key_id_of(bytes.fromhex(after))}"


def _names_of(new_keys: Mapping[str, str]) -> list[str]:
    return [name for name in new_keys if re.fullmatch(r"[a-z]{4,9}", name)]


def _counted(roles: Iterable[RoleToSign]) -> str:
    """The names of these roles, bins counted."""
    names = [role.name for role in roles]
    bins = sum("-" in name for name in names)
    whole = [name for name in names if "-" not in name]
    return ", ".join([*whole, *([f"{bins} {'bin' if bins == 1 else 'bins'} of packages"] if bins else [])])


def _asked_for(request: SigningRequest) -> str:
    wanted = sorted(
        {(role.name.partition("-")[0], key_id_of(bytes.fromhex(one))) for role in request.roles for one in role.signers}
    )
    return "the request asks for " + ", ".join(f"{role} {key}" for role, key in wanted)


def _check_signed_by(role: RoleToSign, public: str) -> None:
    """Nothing where this key signed what stands: so a difference is one from what its holder signed. Errors: RejectedError."""
    try:
        metadata = Metadata.from_bytes(role.standing.encode())
        signature = bytes.fromhex(metadata.signatures[key_of(public).keyid].signature)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, metadata.signed_bytes)
    except (RepositoryError, KeyError, ValueError, InvalidSignature) as error:
        raise RejectedError(f"what the request says to stand as {role.name} was not signed by this key") from error
