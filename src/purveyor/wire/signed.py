"""Bytes with a signature in front of them: the form of shards, of upward items and of joining receipts.

One header line, `purveyor <what> 1 <key id> <signature>`, then the payload exactly as it was signed. What is signed
covers the word for what it is, so that a signature over one kind can never serve for another.
"""

import hashlib
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from purveyor.wire.errors import RejectedError

_HEADER_LIMIT = 300


class Split(NamedTuple):
    """A signed file in its parts, not yet verified."""

    key_id: str
    signature: bytes
    payload: bytes


def key_id_of(public_key: bytes) -> str:
    """A short name of a raw ed25519 public key: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def sign(what: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The payload with its signed header; `what` is one word, such as `shard`."""
    public = key.public_key().public_bytes_raw()
    return f"purveyor {what} 1 {key_id_of(public)} {signature_of(what, payload, key).hex()}\n".encode() + payload


def signature_of(what: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The raw signature alone, for what carries its payload in another form. Shape: 64 bytes."""
    return key.sign(_covered(what, payload))


def split(what: str, content: bytes) -> Split:
    """The parts of a signed file.

    Errors: RejectedError when the header is not that of this kind.
    """
    header, newline, payload = content.partition(b"\n")
    words = header[:_HEADER_LIMIT].split(b" ")
    if not newline or len(header) > _HEADER_LIMIT or words[:3] != [b"purveyor", what.encode(), b"1"] or len(words) != 5:
        raise RejectedError(f"this is no signed {what}: its first line is not that of one")
    try:
        parts = Split(words[3].decode("ascii"), bytes.fromhex(words[4].decode("ascii")), payload)
    except ValueError as error:
        raise RejectedError(f"this is no signed {what}: its signature cannot be read") from error
    if parts.signature.hex().encode() != words[4]:
        raise RejectedError(f"this is no signed {what}: its signature is not written as signatures are")
    return parts


def verified(what: str, parts: Split, public_key: bytes) -> bytes:
    """The payload, once the signature over it holds.

    Errors: RejectedError when it does not.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(parts.signature, _covered(what, parts.payload))
    except (InvalidSignature, ValueError) as error:
        raise RejectedError(f"the signature of this {what} does not hold") from error
    return parts.payload


def _covered(what: str, payload: bytes) -> bytes:
    return b"purveyor " + what.encode() + b" 1\n" + payload
