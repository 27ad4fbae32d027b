"""Lookup shards: the only words of the site to one client.

They lie at `offerinf.box/lookup/<generation>/<shard>.lkp`.
At most some sixteen clients a shard; a shard is chosen by the leading bits of the client id. No entry means nothing.
Source: the protocol, section 4.
"""

from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.wire import signed
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import ClientId, CollectionId
from purveyor.wire.starts import Start

CLIENTS_PER_SHARD = 16
SIZE_LIMIT_BYTES = 512 * 1024
NUMBER_LIMIT = 2**53


class ClientState(StrEnum):
    """What the site thinks of a client."""

    WAITING = "waiting"
    MEMBER = "member"
    REFUSED = "refused"
    BLOCKED = "blocked"
    REJOIN = "rejoin"


NOBODY = "nobody"
"""Who keeps an identity of which no machine can prove that it is its own."""


class Entry(Wire):
    """What the site says to one client. `received`: all its items up to this sequence are stored.

    `digest`: of these items one after the other, see `reports.digest_after`. Where it is not that of the client's own items, the
    site has others under some of these numbers, and the client tells again what it holds.
    `keeper`: the machine id of the machine that keeps this identity, where several used it, or NOBODY; any other joins again.
    `starts`: where there is a keeper, what the last two that spoke in turn said of themselves: each machine finds one there that
    was never its own, and need not believe the site.
    """

    state: ClientState
    reason: str = ""
    received: int = 0
    digest: str = ""
    collections: tuple[CollectionId, ...] = ()
    keeper: str = ""
    starts: tuple[Start, ...] = ()


class Shard(Wire):
    """One shard. `snapshot` is the version of the TUF snapshot that it was compiled against."""

    generation: int
    number: int
    publication: int
    snapshot: int
    issued_at: Instant
    expires_at: Instant
    entries: dict[ClientId, Entry]


def shard_number(client: ClientId, bits: int) -> int:
    """The shard of a client among 2**bits."""
    return int(client[:8], 16) >> (32 - bits)


def bits_for(client_count: int) -> int:
    """How many leading bits make shards of at most some sixteen clients."""
    shards_wanted = max(1, -(-client_count // CLIENTS_PER_SHARD))
    return (shards_wanted - 1).bit_length()


def path_of(generation: int, number: int) -> str:
    """The path of a shard on a CAP."""
    return f"offerinf.box/lookup/{generation}/{number:05x}.lkp"


def encode(shard: Shard, key: Ed25519PrivateKey) -> bytes:
    """The signed bytes of a shard."""
    return signed.sign("shard", to_bytes(shard), key)


def decode(content: bytes, keys: tuple[str, ...]) -> Shard:
    """The shard in these bytes, once one of `keys` is seen to have signed it.

    Errors: RejectedError.
    """
    parts = signed.split("shard", content)
    for key in keys:
        public = bytes.fromhex(key)
        if signed.key_id_of(public) == parts.key_id:
            shard = from_bytes(signed.verified("shard", parts, public), Shard)
            if not 0 <= shard.publication <= NUMBER_LIMIT or not 0 <= shard.snapshot <= NUMBER_LIMIT:
                raise RejectedError("the numbers of this shard are impossible")
            return shard
    raise RejectedError("this shard is signed by a key that the settings do not name")
