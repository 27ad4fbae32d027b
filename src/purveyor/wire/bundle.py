"""What lies on a courier's stick: the signed list of a bundle, the receipt of who holds what, and the list of reports.

    bundle.list        what a site sent: each file with its digest, and which of them the receiver has already; signed
    receipt.json       what a receiver holds, so that the next bundle can leave it out
    reports.list       items of clients on their way up; each is signed and sealed in itself, so the list is not

The list is signed with the site's snapshot key, which the root names: whoever pinned a root can tell a whole stick from another.
"""

from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.wire import signed
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import SiteCode

LIST = "bundle.list"
RECEIPT = "receipt.json"
REPORTS = "reports.list"
LIST_LIMIT_BYTES = 256 * 2**20


class Scope(StrEnum):
    """Which content a bundle has: of every package, or only what is offered to somebody."""

    ALL = "all"
    NEEDED = "needed"


class Piece(Wire):
    """One file that belongs to the state of a bundle. `is_here`: it lies on the stick; else its receiver has it."""

    path: str
    sha256: str
    size_bytes: int
    is_here: bool = True


class Bundle(Wire):
    """What a bundle brings. `root`, `timestamp` and `snapshot` are versions; `base` is the digest of the receipt it stands on."""

    site: SiteCode
    made_at: Instant
    root: int
    timestamp: int
    snapshot: int
    scope: Scope
    base: str = ""
    base_timestamp: int = 0
    pieces: tuple[Piece, ...] = ()


class Receipt(Wire):
    """What a receiver holds: paths of files that never change, on its CAP and its DP."""

    site: str
    timestamp: int
    paths: tuple[str, ...]


class Reports(Wire):
    """Items on a stick, by their paths in the up boxes."""

    pieces: tuple[Piece, ...]


def sign(bundle: Bundle, key: Ed25519PrivateKey) -> bytes:
    """The signed list."""
    return signed.sign("bundle", to_bytes(bundle), key)


def unverified(content: bytes) -> Bundle:
    """What a list says of itself, before anybody believes it. Errors: RejectedError."""
    return from_bytes(signed.split("bundle", content).payload, Bundle)


def verified(content: bytes, keys: tuple[str, ...]) -> Bundle:
    """The bundle in a list, once one of these raw public keys is seen to have signed it. Errors: RejectedError."""
    parts = signed.split("bundle", content)
    for key in keys:
        public = bytes.fromhex(key)
        if signed.key_id_of(public) == parts.key_id:
            return from_bytes(signed.verified("bundle", parts, public), Bundle)
    raise RejectedError("this bundle is not signed by the site whose root was pinned")
