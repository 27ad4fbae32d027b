"""What clients tell the site: upward items, before they are sealed.

An item is numbered without gaps by its client, signed with the client's key, and known by its digest.
Source: the protocol, section 10.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.wire import signed
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, PackageId, ProgramNumber, client_id_of
from purveyor.wire.jobs import JobState
from purveyor.wire.status_messages import StatusId

SIZE_LIMIT_BYTES = 256 * 1024
MESSAGES_PER_ITEM = 100
TEXT_LIMIT = 2000
PROGRAMS_PER_SUMMARY = 50
REMEMBERED_ITEMS = 256
"""Digests that the site remembers at least, below the number up to which it has everything."""
_DIGEST_CHARACTERS = 16


class Facts(Wire):
    """What a machine is. Shape: `platform` is `linux/debian/12` or the like, `addresses` at most 16."""

    name: str
    platform: str
    architecture: str = ""
    system: str = ""
    addresses: tuple[str, ...] = ()
    machine_id: str = ""
    zone: str = "UTC"
    agent_version: str = ""


class Joining(Wire, tag="joining", tag_field="kind"):
    """A request to join: the secret part of a join code, and what the machine is.

    A machine that was told to join again, because another one keeps the identity that it came with, names that client in place
    of a code; `proof` is that client's signature over the new id, see `proof_of`.
    """

    secret: str
    facts: Facts
    was: ClientId | None = None
    was_key: str = ""
    """The raw public key of `was`, in hexadecimal."""
    proof: str = ""


class Discovery(Wire, tag="discovery", tag_field="kind"):
    """A discovery record (heartbeat): what the machine is, what it holds, what it noticed of its points."""

    facts: Facts
    packages: tuple[PackageId, ...] = ()
    """Packages of which a job, record, cached file or receipt is held."""
    absent_requests: int = 0
    """Requests, since the client joined, that a point answered with "no such file". To stay zero."""
    absent_by_point: dict[str, int] = {}
    """How many of these at each point that it asked, by the id that settings give it, also where it is none.

    The site looks only at points that it has; the rest of the count was at addresses that settings do not name.
    """


class StatusMessage(Wire):
    """One thing that happened on a client. Attributes that have no meaning for it stay empty."""

    id: StatusId
    at: Instant
    package: PackageId | None = None
    program: ProgramNumber | None = None
    advertisement: AdvertisementId | None = None
    occurrence: str = ""
    source_version: int = 0
    state: JobState | None = None
    """The state that the job of this program is now in, where the message changes it."""
    exit_code: int | None = None
    text: str = ""
    user: str = ""
    """The account in whose session it happened, where it matters."""
    request: int = 0
    """The number of the administrator's request that this answers."""
    cause: Cause | None = None
    """What the job waits for; None: for nothing, for its time, or an older agent that does not say."""


class StatusMessages(Wire, tag="status", tag_field="kind"):
    """Status messages, oldest first; at most MESSAGES_PER_ITEM."""

    messages: tuple[StatusMessage, ...]


class Leaving(Wire, tag="leaving", tag_field="kind"):
    """The client leaves the site for good."""


class Returning(Wire, tag="returning", tag_field="kind"):
    """Of a client that its site, restored from a backup, does not know: its joining receipt (`wire.receipts`)."""

    receipt: bytes
    facts: Facts


class ProgramState(Wire):
    """How a program stands on a client: its newest run, planned or ended, and the newest source version that ever succeeded."""

    package: PackageId
    program: ProgramNumber
    state: JobState
    at: Instant
    advertisement: AdvertisementId | None = None
    occurrence: str = ""
    source_version: int = 0
    exit_code: int | None = None
    user: str = ""
    succeeded_version: int = 0
    """0: none ever did."""
    cause: Cause | None = None
    """What it waits for, as in `StatusMessage`."""


class Summary(Wire, tag="summary", tag_field="kind"):
    """How programs stand, told to a site that was restored; at most PROGRAMS_PER_SUMMARY."""

    programs: tuple[ProgramState, ...]


class Unread(Wire, tag="unread", tag_field="kind"):
    """What stands in the place of a body that cannot be read here: a newer agent may say what this release does not know."""

    reason: str = ""


Body = Joining | Discovery | StatusMessages | Leaving | Returning | Summary

BOX_OF: dict[type, str] = {
    Joining: "ccr.box",
    Discovery: "ddr.box",
    StatusMessages: "statmsgs.box",
    Leaving: "ddr.box",
    Returning: "ccr.box",
    Summary: "ddr.box",
}


class Retold(Wire):
    """The number and digest under which an item was first signed; its number had been used by another one."""

    sequence: int
    digest: str


class Item(Wire):
    """One upward item. `applied`: the snapshot version whose effects are committed on the client.

    `machine` is the machine id of `Facts`, `boot` tells its starts apart: so two machines with one identity are told apart too.
    `start` is the signature over `boot` and `sequence` alone, which the site may show to others; see `wire.starts`.
    """

    client: ClientId
    public_key: str
    sequence: int
    oldest_kept: int
    """The lowest sequence that the client still holds unacknowledged; what lies below and is missing is lost for good."""
    incarnation: int
    applied: int
    made_at: Instant
    body: Body | Unread
    holding: tuple[PackageId, ...] = ()
    """Packages being removed or retired that still run or are still installed here."""
    machine: str = ""
    boot: str = ""
    start: bytes = b""
    retold: Retold | None = None


class _Head(Wire):
    """What of an item is never to change: by this it is known, numbered and answered."""

    client: ClientId
    public_key: str
    sequence: int
    oldest_kept: int
    incarnation: int
    applied: int
    made_at: Instant


class ReadItem(NamedTuple):
    """An item whose signature holds, with the digest by which it is known."""

    item: Item
    digest: str


def digest_after(before: str, digests: Iterable[str]) -> str:
    """What tells a run of items from every other: that of the items before it, and then the digests of items, in order."""
    for digest in digests:
        before = hashlib.sha256(f"{before} {digest}".encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return before


def proof_of(was: Ed25519PrivateKey, client: ClientId) -> str:
    """What proves that whoever asks to join as `client` holds the key of the client that it was before. Shape: hexadecimal."""
    return signed.sign("rejoining", client.encode(), was).hex()


def is_proven(joining: Joining, client: ClientId) -> bool:
    """Whether a request to join again comes from a machine that holds the key of the client that it names."""
    try:
        public = bytes.fromhex(joining.was_key)
        parts = signed.split("rejoining", bytes.fromhex(joining.proof))
        return signed.verified("rejoining", parts, public) == client.encode() and client_id_of(public) == joining.was
    except (RejectedError, ValueError):
        return False


def encode(item: Item, key: Ed25519PrivateKey) -> bytes:
    """The signed bytes of an item. Errors: RejectedError when it is larger than a box takes."""
    content = signed.sign("item", to_bytes(item), key)
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"an item of {len(content)} bytes is more than the {SIZE_LIMIT_BYTES} that a box takes")
    return content


def item_in(payload: bytes) -> Item:
    """The item in signed bytes. Where its head alone can be read, its body is `Unread`. Errors: RejectedError."""
    try:
        return from_bytes(payload, Item)
    except RejectedError as error:
        try:
            head = from_bytes(payload, _Head)
        except RejectedError:
            raise error from error.__cause__
        return Item(**msgspec.structs.asdict(head), body=Unread(reason=str(error)[:TEXT_LIMIT]))


def decode(content: bytes) -> ReadItem:
    """The item in these bytes, once its own key is seen to have signed it.

    That the key is that of a client which the site knows is not judged here: a client id is the hash of its key.
    Errors: RejectedError.
    """
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"an item of {len(content)} bytes is too large")
    parts = signed.split("item", content)
    item = item_in(parts.payload)
    try:
        public = bytes.fromhex(item.public_key)
    except ValueError as error:
        raise RejectedError("the public key of this item cannot be read") from error
    if public.hex() != item.public_key:
        raise RejectedError("the public key of this item is not written as public keys are")
    signed.verified("item", parts, public)
    if client_id_of(public) != item.client:
        raise RejectedError(f"this item says it is from {item.client}, but its key belongs to another client")
    if item.sequence < 1 or item.oldest_kept > item.sequence:
        raise RejectedError(f"the sequence {item.sequence} of this item is impossible")
    return ReadItem(item, hashlib.sha256(content).hexdigest())
