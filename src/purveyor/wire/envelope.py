"""Sealing: what a client sends can be read by the site alone, whoever serves the box.

Outside the seal stand only the client id (for budgets per client) and which sealing key is meant.
Source: RFC 9180 (HPKE, base mode), X25519 + HKDF-SHA256 + ChaCha20-Poly1305.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import ClientId, client_id
from purveyor.wire.settings import SealingKey
from purveyor.wire.signed import key_id_of

SIZE_LIMIT_BYTES = 300 * 1024

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
_HEADER_LIMIT = 120


class Envelope(NamedTuple):
    """A sealed item in its parts."""

    client: ClientId
    key_id: str
    sealed: bytes


def seal(content: bytes, *, client: ClientId, box: str, key: SealingKey) -> bytes:
    """The sealed bytes to put into `box`."""
    public = X25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
    sealed = _SUITE.encrypt(content, public, info=_bound_to(client, box))
    return f"purveyor sealed 1 {client} {key.id}\n".encode() + sealed


def split(content: bytes) -> Envelope:
    """The parts of a sealed item, nothing of it believed yet.

    Errors: RejectedError when this is no sealed item.
    """
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"{len(content)} bytes are more than a sealed item may have")
    header, newline, sealed = content.partition(b"\n")
    words = header[:_HEADER_LIMIT].split(b" ")
    if not newline or len(header) > _HEADER_LIMIT or words[:3] != [b"purveyor", b"sealed", b"1"] or len(words) != 5:
        raise RejectedError("this is no sealed item: its first line is not that of one")
    try:
        return Envelope(client_id(words[3].decode("ascii")), words[4].decode("ascii"), sealed)
    except UnicodeDecodeError as error:
        raise RejectedError("this is no sealed item: its first line cannot be read") from error


def opened(envelope: Envelope, *, box: str, keys: Mapping[str, X25519PrivateKey]) -> bytes:
    """What was sealed for this box.

    Errors: RejectedError when the key is unknown, or the seal is broken or was made for another box or client.
    """
    key = keys.get(envelope.key_id)
    if key is None:
        raise RejectedError(f"sealed to the key {envelope.key_id!r}, which this site does not have")
    try:
        return _SUITE.decrypt(envelope.sealed, key, info=_bound_to(envelope.client, box))
    except (InvalidTag, ValueError) as error:
        raise RejectedError("the seal is broken, or was made for another box or client") from error


def sealing_key(private: X25519PrivateKey) -> SealingKey:
    """The public half, as the settings name it."""
    public = private.public_key().public_bytes_raw()
    return SealingKey(id=key_id_of(public), public=public.hex())


def _bound_to(client: ClientId, box: str) -> bytes:
    return b"purveyor item 1 " + box.encode() + b" " + client.encode()
