"""The certificate with which a site serves HTTPS, and the keys of now and of next: `https/` in the site's folder.

One file, `https.json`, says what counts; it is replaced whole. Keys are files of their own, mode 0600. A certificate of the
site's own is signed by its own key: clients know it by the pins of both keys in their signed settings, so no CA is needed, and
the next key is known to everybody before it is used. What an administrator gave instead stays where it lies, and is read anew
when it changes.
"""

import ipaddress
import re
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from purveyor.transport.durable import give_as, replace_whole
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.moments import utc_text
from purveyor.wire.pins import pin_of_certificate, pin_of_key

FOLDER, STATE = "https", "https.json"
LIFETIME = timedelta(days=397)
RENEWED_BEFORE = timedelta(days=132)
"""A third of its life: one that was restored from a backup, or a site that was off for months, is still in time."""
ANNOUNCED_FOR = timedelta(days=30)
"""After so long a next key may come into use though some clients have not been heard of since it was announced."""
_BACK = timedelta(days=1)
"""How long before it was made a certificate is good: clocks differ."""
_ALWAYS = ("localhost", "127.0.0.1", "::1")
_MADE_HERE = re.compile(r"[A-Za-z0-9_-]{43}\.(?:key|pem)(?:\.partial)?")
"""The files of the site's own: whatever else lies in the folder is its owner's."""
_FILE_LIMIT_BYTES = 200_000


class Held(Wire):
    """What counts.

    Shape: `certificate` and `key` are paths, beside this file or whole; `names` are those of a certificate of the site's own,
    none for one that was given; `announced_snapshot` is a snapshot in which clients were told of all pins, 0: of none yet.
    """

    certificate: str
    key: str
    pin: str
    next_pin: str = ""
    names: tuple[str, ...] = ()
    is_pinned: bool = True
    """Whether clients are told of the pins; if not, their CAs decide."""
    announced_snapshot: int = 0
    announced_at: Instant | None = None

    @property
    def is_own(self) -> bool:
        """Whether the site made it."""
        return bool(self.names)

    @property
    def pins(self) -> tuple[str, ...]:
        """What clients are to be told, the key in use first."""
        return tuple(filter(None, (self.pin, self.next_pin))) if self.is_pinned else ()


class Chain(NamedTuple):
    """The files with which a server proves who it is."""

    certificate: Path
    key: Path


def held(folder: Path) -> Held | None:
    """What counts in a site's folder; None: the site serves HTTP. Errors: RefusedError when that cannot be read."""
    path = folder / FOLDER / STATE
    try:
        return from_bytes(path.read_bytes()[:_FILE_LIMIT_BYTES], Held)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
    except RejectedError as error:
        raise RefusedError(
            f"{path} is damaged: remove the folder {path.parent} and make a certificate anew; clients follow"
        ) from error


def chain_of(folder: Path, of: Held) -> Chain:
    """The files of what counts."""
    return Chain(folder / FOLDER / of.certificate, folder / FOLDER / of.key)


def make(folder: Path, names: Iterable[str], now: datetime) -> Held:
    """A certificate of the site's own for these names, beside those of the machine itself; its key stays, where it has one.

    Errors: RefusedError when a name is none, or a certificate that was given is in use.
    """
    before = held(folder)
    if before is not None and not before.is_own:
        raise RefusedError("a certificate that was given is in use: `purveyor site certificate use` puts another in its place")
    whole = tuple(dict.fromkeys((*_ALWAYS, *(before.names if before else ()), *names)))
    _alternatives(whole)
    place = _place(folder)
    made = msgspec.structs.replace(before, names=whole) if before else _first(place, whole)
    _sign(place, made, now)
    _write(place, made)
    return made


def use(folder: Path, certificate: Path, key: Path, *, next_pin: str, is_pinned: bool, now: datetime) -> Held:
    """Uses a certificate from elsewhere; its files stay where they are. Whether clients know the key, the caller has looked.

    Errors: RefusedError when the two cannot be used together, or the certificate is good no more.
    """
    chain = Chain(certificate.absolute(), key.absolute())  # links as they are: a renewal lets them lead elsewhere
    check(chain)
    pin, ends_at = pin_at(chain.certificate), ends(chain.certificate)
    if ends_at <= now:
        raise RefusedError(f"{certificate} expired at {utc_text(ends_at)}")
    before = held(folder)
    same = before is not None and (before.next_pin, before.is_pinned) == (next_pin, is_pinned)
    place = _place(folder)
    given = Held(
        certificate=str(chain.certificate),
        key=str(chain.key),
        pin=pin,
        next_pin=next_pin,
        is_pinned=is_pinned,
        announced_snapshot=before.announced_snapshot if before and same else 0,
        announced_at=before.announced_at if before and same else None,
    )
    _write(place, given)
    _drop_keys(place, given)
    return given


def rotate(folder: Path, now: datetime) -> Held:
    """The next key comes into use, another one is made to follow it, and the old one is destroyed.

    Errors: RefusedError where the site has no certificate of its own.
    """
    before = held(folder)
    if before is None or not before.is_own:
        raise RefusedError("the site has no certificate of its own; `purveyor site certificate use` changes one that was given")
    place = folder / FOLDER
    after = msgspec.structs.replace(
        before,
        certificate=_file_of(before.next_pin, ".pem"),
        key=_file_of(before.next_pin, ".key"),
        pin=before.next_pin,
        next_pin=_new_key(place),
        announced_snapshot=0,
        announced_at=None,
    )
    _sign(place, after, now)
    _write(place, after)  # a break-off before this leaves the old pair in use, after it the new one
    _drop_keys(place, after)
    return after


def renew(folder: Path, now: datetime) -> bool:
    """Signs a certificate of the site's own anew, with the same key, when its time has come. Shape: whether it did."""
    of = held(folder)
    if of is None or not of.is_own:
        return False
    place = folder / FOLDER
    try:
        shown = x509.load_pem_x509_certificate((place / of.certificate).read_bytes())
        is_due = not shown.not_valid_before_utc <= now < shown.not_valid_after_utc - RENEWED_BEFORE
    except (OSError, ValueError):
        is_due = True
    if is_due:
        _sign(place, of, now)
    return is_due


def is_name(text: str) -> bool:
    """Whether a certificate can be made for this name or address of a machine."""
    try:
        return bool(_alternatives([text]))
    except RefusedError:
        return False


def note_announced(folder: Path, of: Held, snapshot: int, now: datetime) -> None:
    """Records in which snapshot clients were told of the next key, unless something else counts by now."""
    if held(folder) == of:
        _write(folder / FOLDER, msgspec.structs.replace(of, announced_snapshot=snapshot, announced_at=now))


def check(chain: Chain) -> None:
    """Refuses a certificate and a key that cannot be used together. Errors: RefusedError."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*chain, password=lambda: "")
    except (OSError, ValueError) as error:
        words = f"{chain.certificate} and {chain.key} cannot be used as a certificate and its key without a passphrase: {error}"
        raise RefusedError(words) from error


def pin_at(certificate: Path) -> str:
    """The pin of the first certificate in a file. Errors: RefusedError."""
    try:
        return pin_of_certificate(_leaf(certificate).public_bytes(Encoding.DER))
    except RejectedError as error:
        raise RefusedError(f"{certificate}: {error}") from error


def ends(certificate: Path) -> datetime:
    """Until when the first certificate in a file is good. Errors: RefusedError."""
    return _leaf(certificate).not_valid_after_utc


def _leaf(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()[:_FILE_LIMIT_BYTES])
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise RefusedError(f"{path} cannot be read as a certificate in PEM") from error


def _place(folder: Path) -> Path:
    """The folder of keys in a site's folder, which belongs to whoever that belongs to."""
    place = folder / FOLDER
    if not place.is_dir():
        place.mkdir(mode=0o700)
        give_as(folder, place)
    return place


def _first(place: Path, names: tuple[str, ...]) -> Held:
    pin = _new_key(place)
    certificate, key = _file_of(pin, ".pem"), _file_of(pin, ".key")
    return Held(certificate=certificate, key=key, pin=pin, next_pin=_new_key(place), names=names)


def _new_key(place: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    pin = pin_of_key(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_whole(place / _file_of(pin, ".key"), content, owned_as=place)
    return pin


def _file_of(pin: str, ending: str) -> str:
    return pin.translate(str.maketrans("+/", "-_", "=")) + ending


def _sign(place: Path, of: Held, now: datetime) -> None:
    """Writes a certificate of the key in use, for its names."""
    try:
        key = load_pem_private_key((place / of.key).read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RefusedError(
            f"the key {place / of.key} is lost or damaged: remove the folder {place} and make a certificate anew; clients follow"
        ) from error
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # made here
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Purveyor site")])
    begins = (now - _BACK).replace(microsecond=0)
    number = x509.random_serial_number()
    built = x509.CertificateBuilder(subject, subject, key.public_key(), number, begins, begins + LIFETIME)
    for extension, is_critical in (
        (x509.SubjectAlternativeName(_alternatives(of.names)), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ):
        built = built.add_extension(extension, is_critical)
    content = built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    replace_whole(place / of.certificate, content, mode=0o644, owned_as=place)


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    """The names of a certificate: addresses as such, all others as names of machines. Errors: RefusedError."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            parts = name.removeprefix("*.").split(".")
            if not all(part.replace("-", "").replace("_", "").isalnum() and len(part) < 64 for part in parts):
                raise RefusedError(f"{name[:80]!r} is no name or address of a machine") from None
            try:
                found.append(x509.DNSName(name))
            except ValueError as error:
                raise RefusedError(f"{name[:80]!r} is no name or address of a machine: {error}") from error
    return found


def _drop_keys(place: Path, of: Held) -> None:
    """Destroys the keys and certificates that the site made and that count no more. What others put there stays."""
    kept = {(place / name).resolve() for name in (of.certificate, of.key, _file_of(of.next_pin, ".key"))}
    for path in place.iterdir():
        if _MADE_HERE.fullmatch(path.name) and path.resolve() not in kept:
            path.unlink()


def _write(place: Path, of: Held) -> None:
    replace_whole(place / STATE, to_bytes(of), owned_as=place)
