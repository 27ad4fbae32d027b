"""Lookup shards: from the database's clients and members to signed shards in the box, a slice at a time.

A new generation is complete before the settings announce it; the one before stays for its grace time (protocol, section 4).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.publication import Generation, ShardClient, StoredShard
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.keys import KeyName, KeySource
from purveyor.site_server.model.clones import Voice, said_by
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.site_clock import TOLERANCE
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.errors import RefusedError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import ClientId, CollectionId

SLICE = 1024
_KEY_BITS = 32
_TELLABLE = frozenset(state.value for state in shards.ClientState)


def sign_shards(database: Database, *, keys: KeySource, settings: SiteSettings, now: datetime) -> int:
    """Signs one slice of the wanted shards of every generation, and stores them. Shape: how many; 0 when none is wanted.

    The newest comes first, and each has a slice of its own: reports that keep coming in would else hold up all but one.
    """
    with database.read() as tx:
        standing = publication.generations(tx)
    return sum(_sign_slice(database, one, keys, settings, now) for one in reversed(standing))


def _sign_slice(database: Database, generation: Generation, keys: KeySource, settings: SiteSettings, now: datetime) -> int:
    """Signs and stores one slice of the wanted shards of one generation. Shape: how many."""
    with database.write() as tx:
        numbers = publication.wanted_shards(tx, generation.generation, SLICE)
        if not numbers:
            return 0
        entries = _entries(
            numbers,
            generation.bits,
            clients=publication.clients_between(tx, spans := ranges_of(numbers, generation.bits)),
            named=publication.named_collections_between(tx, spans),
            refusals=publication.refusals_between(tx, spans),
        )
        key = _key_of(tx, generation, keys)
        number_of_publication = publication.next_publication(tx)
        snapshot = publication.role_version(tx, "snapshot")
        signed = []
        for number in numbers:
            expires_at = now + timedelta(seconds=settings.shard_lifetime_seconds)
            shard = shards.Shard(
                generation=generation.generation,
                number=number,
                publication=number_of_publication,
                snapshot=snapshot,
                issued_at=now,
                expires_at=expires_at,
                entries=entries.get(number, {}),
            )
            content = shards.encode(shard, key)
            signed.append(StoredShard(generation.generation, number, content, number_of_publication, expires_at))
        publication.store_shards(tx, signed)
        return len(signed)


def _key_of(tx: Connection, generation: Generation, keys: KeySource) -> Ed25519PrivateKey:
    """The key that signs a generation. Errors: RefusedError when it is not here."""
    current = next(one for one in publication.generations(tx) if one.generation == generation.generation).lookup_key
    key = keys.find(KeyName("lookup", current or site_keys.keys_in(tx, KeyState.CURRENT)["lookup"].id))
    if key is None:
        raise RefusedError("the key of the role 'lookup' is not on this site server: what clients are told waits for it")
    return key


def write_shards(database: Database, cap: Shelf) -> int:
    """Puts signed shards into the box until none is left. Shape: how many were written."""
    written = 0
    while True:
        with database.read() as tx:
            slice_ = publication.unwritten_shards(tx, SLICE)
        if not slice_:
            return written
        for generation, number, content in slice_:
            cap.replace(shards.path_of(generation, number), content)
        cap.sync()
        with database.write() as tx:
            publication.set_shards_written(tx, [(generation, number) for generation, number, _ in slice_])
        written += len(slice_)


def renew_shards(tx: Connection, *, settings: SiteSettings, now: datetime) -> int:
    """Asks anew for shards in the second half of their life, or signed by a clock that was ahead. Shape: how many.

    A slice at a time, so that they spread.
    """
    lifetime = timedelta(seconds=settings.shard_lifetime_seconds)
    return publication.want_expiring_shards(tx, before=now + lifetime / 2, after=now + lifetime + TOLERANCE, limit=SLICE)


def grow_generation(standing: Sequence[Generation], client_count: int) -> Generation | None:
    """The generation to build when the announced one has become too small and none is being built yet, else None."""
    newest = standing[-1]
    bits = shards.bits_for(client_count)
    if newest.announced_at is None or bits <= newest.bits:
        return None
    return Generation(newest.generation + 1, bits, None, None, "")


def ranges_of(numbers: Sequence[int], bits: int) -> list[tuple[int, int]]:
    """The half-open ranges of shard keys that belong to these shards, neighbours joined."""
    width = 1 << (_KEY_BITS - bits)
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        low, high = number * width, (number + 1) * width
        if ranges and ranges[-1][1] == low:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    return ranges


def entry_of(client: ShardClient, collections: Sequence[CollectionId]) -> shards.Entry:
    """What the site says to one client. One that was removed is told to join again."""
    state = shards.ClientState(client.state) if client.state in _TELLABLE else shards.ClientState.REJOIN
    is_member = state is shards.ClientState.MEMBER
    return shards.Entry(
        state=state,
        reason=client.reason,
        received=client.received,
        digest=client.received_digest,
        collections=tuple(collections) if is_member else (),
        keeper=client.keeper,
        starts=said_by(from_bytes(client.voices.encode(), tuple[Voice, ...])) if client.keeper else (),
    )


def _entries(
    numbers: Sequence[int],
    bits: int,
    *,
    clients: Sequence[ShardClient],
    named: Sequence[tuple[int, CollectionId]],
    refusals: Sequence[tuple[int, ClientId, str, int]],
) -> Mapping[int, dict[ClientId, shards.Entry]]:
    collections: dict[int, list[CollectionId]] = {}
    for client_number, collection in named:
        collections.setdefault(client_number, []).append(collection)
    entries: dict[int, dict[ClientId, shards.Entry]] = {number: {} for number in numbers}
    for shard_key, client_id, reason, sequence in refusals:
        refused = shards.Entry(state=shards.ClientState.REFUSED, reason=reason, received=sequence)
        entries[shard_key >> (_KEY_BITS - bits)][client_id] = refused
    for client in clients:
        entries[client.shard_key >> (_KEY_BITS - bits)][client.id] = entry_of(client, collections.get(client.number, ()))
    return entries
