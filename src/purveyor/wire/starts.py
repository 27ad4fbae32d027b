"""What one start of a machine says of itself with its client's key: that it gave a number to an upward item.

Each item carries it. Where several machines turn out to use one identity, the site shows them what two of them said last: a
machine that reads of a number in a start that was never its own knows that another one has its key. Nobody else can make that.
Source: ADR 0010.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.wire import signed
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Wire, to_bytes

SIGNATURE_BYTES = 64


class Start(Wire):
    """A start of a machine, and a number that it gave. Shape: `boot` as in an item, `signature` is the raw one of its client."""

    boot: str
    sequence: int
    signature: bytes


def signature_of(boot: str, sequence: int, key: Ed25519PrivateKey) -> bytes:
    """The signature by which a start says that it gave this number. Shape: SIGNATURE_BYTES."""
    return signed.signature_of("start", to_bytes([boot, sequence]), key)


def is_said_with(start: Start, public_key: bytes) -> bool:
    """Whether whoever holds the private half of this raw key said that."""
    parts = signed.Split(signed.key_id_of(public_key), start.signature, to_bytes([start.boot, start.sequence]))
    try:
        signed.verified("start", parts, public_key)
    except RejectedError:
        return False
    return True
