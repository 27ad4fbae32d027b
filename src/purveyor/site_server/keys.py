"""The site's keys, one file a role. Private bytes are read here, used to sign and to open seals, and never leave.

A role's key may live elsewhere: what needs it is then refused by name, and everything else goes on.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from securesystemslib.signer import CryptoSigner

from purveyor.wire import envelope
from purveyor.wire.errors import RefusedError
from purveyor.wire.settings import SealingKey

SIGNING_ROLES = ("root", "targets", "packages", "agent", "offers", "settings", "snapshot", "timestamp", "lookup")
_SEALING = "sealing-"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are here. Shape: `signing` by role, `sealing` by key id, newest last."""

    signing: Mapping[str, Ed25519PrivateKey]
    sealing: Mapping[str, X25519PrivateKey]

    def private(self, role: str) -> Ed25519PrivateKey:
        """The signing key of a role. Errors: RefusedError when it is not on this machine."""
        key = self.signing.get(role)
        if key is None:
            raise RefusedError(f"the key of the role {role!r} is not on this site server; what needs it waits for its signature")
        return key

    def signer(self, role: str) -> CryptoSigner:
        """The signer of a role, as TUF metadata wants it. Errors: RefusedError."""
        return CryptoSigner(self.private(role))

    def sealing_keys(self) -> tuple[SealingKey, ...]:
        """The public halves for clients, the current one first."""
        return tuple(envelope.sealing_key(key) for key in reversed(list(self.sealing.values())))


def make_keys() -> Keys:
    """A new key for every role."""
    sealing = X25519PrivateKey.generate()
    return Keys(
        signing={role: Ed25519PrivateKey.generate() for role in SIGNING_ROLES},
        sealing={envelope.sealing_key(sealing).id: sealing},
    )


def save_keys(keys: Keys, folder: Path) -> None:
    """Writes each key into a file of its own that its owner alone can read."""
    folder.mkdir(mode=0o700)
    for role, key in keys.signing.items():
        _write(folder / f"{role}.key", key)
    for number, sealing in enumerate(keys.sealing.values(), start=1):
        _write(folder / f"{_SEALING}{number}.key", sealing)
    _sync_folder(folder)


def load_keys(folder: Path) -> Keys:
    """The keys in a folder.

    Errors: RefusedError when a file there cannot be read or is no key of the right kind.
    """
    signing: dict[str, Ed25519PrivateKey] = {}
    sealing: dict[str, X25519PrivateKey] = {}
    for path in sorted(folder.glob("*.key"), key=lambda path: (len(path.name), path.name)):
        match _read(path):
            case Ed25519PrivateKey() as key if path.stem in SIGNING_ROLES:
                signing[path.stem] = key
            case X25519PrivateKey() as key if path.stem.startswith(_SEALING):
                sealing[envelope.sealing_key(key).id] = key
            case _:
                raise RefusedError(f"{path} holds no key of the kind that its name says")
    if not sealing:
        raise RefusedError(f"{folder} holds no sealing key, so nothing that clients send could be opened")
    return Keys(signing, sealing)


def _read(path: Path) -> object:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise RefusedError(f"the key file {path} cannot be read: {type(error).__name__}") from error


def _write(path: Path, key: Ed25519PrivateKey | X25519PrivateKey) -> None:
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
