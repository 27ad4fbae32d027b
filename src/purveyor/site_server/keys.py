"""The site's private keys, one file each. Their bytes are read here, used to sign and to open seals, and never leave.

Which key of a role counts is said by the database and by what is published, never by a file's name: so a new key may lie here
before it counts, and an old one a moment longer. A key may live elsewhere: what needs it waits, and everything else goes on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from purveyor.transport.durable import make_durable, write_new
from purveyor.wire import envelope
from purveyor.wire.errors import RefusedError
from purveyor.wire.settings import SealingKey
from purveyor.wire.signed import key_id_of

SIGNING_ROLES = ("root", "targets", "packages", "agent", "offers", "settings", "snapshot", "timestamp", "lookup")
SEALING = "sealing"
ROLES = (*SIGNING_ROLES, SEALING)
OFFLINE = ("root", "targets", "packages", "agent")
"""Roles that sign rarely: their keys may live away from the server."""
_FILE_LIMIT_BYTES = 20_000

PrivateKey = Ed25519PrivateKey | X25519PrivateKey


class KeyName(NamedTuple):
    """Which key is meant: its role, and the short name of its public half."""

    role: str
    id: str


class KeySource(Protocol):
    """Where private keys are found."""

    @property
    def sealing(self) -> Mapping[str, X25519PrivateKey]:
        """All keys with which seals can be opened, by id."""

    def find(self, name: KeyName) -> Ed25519PrivateKey | None:
        """A signing key, or None: it is not here."""


@dataclass(frozen=True, slots=True)
class Keys:
    """One signing key a role, those that are here. Shape: `signing` by role, `sealing` by key id, newest last."""

    signing: Mapping[str, Ed25519PrivateKey]
    sealing: Mapping[str, X25519PrivateKey]

    def private(self, role: str) -> Ed25519PrivateKey:
        """The signing key of a role. Errors: RefusedError when it is not on this machine."""
        key = self.signing.get(role)
        if key is None:
            raise RefusedError(f"the key of the role {role!r} is not on this site server; what needs it waits for its signature")
        return key

    def find(self, name: KeyName) -> Ed25519PrivateKey | None:
        """The signing key of this name, or None: it is not among these."""
        key = self.signing.get(name.role)
        return key if key is not None and id_of(key) == name.id else None

    def signer(self, role: str) -> CryptoSigner:
        """The signer of a role, as TUF metadata wants it. Errors: RefusedError."""
        return CryptoSigner(self.private(role))

    def sealing_keys(self) -> tuple[SealingKey, ...]:
        """The public halves for clients, the current one first."""
        return tuple(envelope.sealing_key(key) for key in reversed(list(self.sealing.values())))


class Keyring:
    """The private keys that are here, in a folder or, for the lab, in memory. Changed by one thread at a time."""

    def __init__(self, keys: Iterable[tuple[str, PrivateKey]] = (), *, folder: Path | None = None) -> None:
        self._folder = folder
        self._keys: dict[KeyName, PrivateKey] = {KeyName(role, id_of(key)): key for role, key in keys}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(f'{role} {key_id}' for role, key_id in sorted(self.names()))})"

    @property
    def sealing(self) -> Mapping[str, X25519PrivateKey]:
        """All keys with which seals can be opened, by id."""
        return {name.id: key for name, key in self._keys.items() if isinstance(key, X25519PrivateKey)}

    def names(self) -> frozenset[KeyName]:
        """Which keys are here."""
        return frozenset(self._keys)

    def find(self, name: KeyName) -> Ed25519PrivateKey | None:
        """A signing key, or None: it is not here."""
        key = self._keys.get(name)
        return key if isinstance(key, Ed25519PrivateKey) else None

    def make(self, role: str) -> bytes:
        """A new key of a role, kept from now on. Shape: its raw public half."""
        key: PrivateKey = X25519PrivateKey.generate() if role == SEALING else Ed25519PrivateKey.generate()
        name = KeyName(role, id_of(key))
        if self._folder is not None:
            write_key(path_in(self._folder, name), key)
        self._keys = {**self._keys, name: key}
        return key.public_key().public_bytes_raw()

    def forget(self, names: Iterable[KeyName]) -> None:
        """Destroys these keys; one that is not here is none to destroy."""
        gone = set(names) & self._keys.keys()
        if not gone:
            return
        self._keys = {name: key for name, key in self._keys.items() if name not in gone}
        if self._folder is not None:
            paths = [path for path, role, key in _files_in(self._folder) if KeyName(role, id_of(key)) in gone]
            for path in paths:
                path.unlink(missing_ok=True)
            make_durable(str(self._folder), map(str, paths))

    def save_to(self, folder: Path) -> None:
        """Writes those keys into a folder that do not lie there yet, each readable by its owner alone. Errors: RefusedError."""
        for name, key in sorted(self._keys.items()):
            if not path_in(folder, name).exists():
                write_key(path_in(folder, name), key)

    def reload(self) -> None:
        """Takes in what lies in the folder now. Errors: RefusedError when a file there is no key."""
        if self._folder is not None:
            self._keys = {KeyName(role, id_of(key)): key for _, role, key in _files_in(self._folder)}


def id_of(key: PrivateKey) -> str:
    """The short name of a key, from its public half."""
    return key_id_of(key.public_key().public_bytes_raw())


def make_keys() -> Keys:
    """A new key for every role."""
    sealing = X25519PrivateKey.generate()
    return Keys(
        signing={role: Ed25519PrivateKey.generate() for role in SIGNING_ROLES},
        sealing={envelope.sealing_key(sealing).id: sealing},
    )


def keyring_of(keys: Keys) -> Keyring:
    """These keys, in memory."""
    return Keyring([*keys.signing.items(), *((SEALING, key) for key in keys.sealing.values())])


def save_keys(keys: Keys, folder: Path) -> None:
    """Writes each key into a file of its own that its owner alone can read."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for role, key in keys.signing.items():
        write_key(path_in(folder, KeyName(role, id_of(key))), key)
    for sealing in keys.sealing.values():
        write_key(path_in(folder, KeyName(SEALING, id_of(sealing))), sealing)


def open_keyring(folder: Path) -> Keyring:
    """The keys in a folder.

    Errors: RefusedError when a file there cannot be read or is no key of the right kind, or no seal could be opened.
    """
    keyring = Keyring(folder=folder)
    keyring.reload()
    if not keyring.sealing:
        raise RefusedError(f"{folder} holds no sealing key, so nothing that clients send could be opened")
    return keyring


def path_in(folder: Path, name: KeyName) -> Path:
    """The file of a key in a folder of keys."""
    return folder / f"{name.role}-{name.id}.key"


def read_key(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """The key in a file. Errors: RefusedError, which never says what stands in it."""
    try:
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(_FILE_LIMIT_BYTES), password=passphrase)
    except OSError as error:
        raise RefusedError(f"the key file {path} cannot be read: {error.strerror}") from error
    except TypeError as error:
        wrong = "is not protected by a passphrase" if passphrase is not None else "is protected: give its --passphrase-file"
        raise RefusedError(f"the key file {path} {wrong}") from error
    except ValueError as error:
        reason = "its passphrase is another one, or it is damaged" if passphrase is not None else "it holds no private key in PEM"
        raise RefusedError(f"the key file {path} cannot be read: {reason}") from error
    if not isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
        raise RefusedError(f"{path} holds a key of another kind than this site uses")
    return key


def write_key(path: Path, key: PrivateKey, passphrase: bytes | None = None) -> None:
    """A new file with a key, which its owner alone can read. Errors: RefusedError when something is there already."""
    protection: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    try:
        write_new(path, content)
    except OSError as error:
        raise RefusedError(f"the key cannot be written to {path}: {error.strerror}") from error


def _files_in(folder: Path) -> list[tuple[Path, str, PrivateKey]]:
    """The key files of a folder. Shape: path, role, key. Errors: RefusedError."""
    found: list[tuple[Path, str, PrivateKey]] = []
    for path in sorted(folder.glob("*.key")):
        role = path.stem.partition("-")[0]
        key = read_key(path)
        if role not in ROLES or isinstance(key, X25519PrivateKey) is not (role == SEALING):
            raise RefusedError(f"{path} holds no key of the kind that its name says")
        found.append((path, role, key))
    return found
