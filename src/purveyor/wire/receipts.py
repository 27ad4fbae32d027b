"""A joining receipt: the newest shard in which its site named a client a member, as it was signed.

The client keeps it, and shows it to a site that was restored from a backup and does not know this client. So every member has
one from its first poll on, and it is as new as the last shard that it read. Pure.
Source: the protocol, section 11.
"""

import zlib

from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import ClientId
from purveyor.wire.shards import SIZE_LIMIT_BYTES, ClientState, Entry, Shard, decode

PACKED_LIMIT_BYTES = 9000
"""What an item of the box for joining has room for. Sixteen clients that belong to hundreds of collections each fit."""


def pack(shard: bytes) -> bytes | None:
    """The receipt as it is sent, from the signed bytes of a shard; None where it is larger than an item may be."""
    packed = zlib.compress(shard, 9)
    return packed if len(packed) <= PACKED_LIMIT_BYTES else None


def membership_in(packed: bytes, client: ClientId, keys: tuple[str, ...]) -> tuple[Shard, Entry]:
    """What a receipt says of this client, once one of `keys` is seen to have signed it.

    Errors: RejectedError: it is damaged, signed by another key, or does not name this client a member.
    """
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, SIZE_LIMIT_BYTES)
    except zlib.error as error:
        raise RejectedError("this receipt cannot be read") from error
    if not unpacker.eof:
        raise RejectedError(f"this receipt is larger than {SIZE_LIMIT_BYTES} bytes, or a part of one")
    shard = decode(content, keys)
    entry = shard.entries.get(client)
    if entry is None or entry.state is not ClientState.MEMBER:
        raise RejectedError(f"this receipt does not say that {client} is a member")
    return shard, entry
