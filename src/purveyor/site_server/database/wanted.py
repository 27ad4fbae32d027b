"""What must be published anew: raised in the transaction that makes it so, met by `publish`.

Whoever changes what determines a down file calls this in the same transaction. Nothing else tells `publish` anything.
Source: the protocol, 3.3.
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import Connection, Integer, Select, bindparam, insert, literal, select, update

from purveyor.site_server.database import schema, statements
from purveyor.wire.ids import ClientId, CollectionId, PackageId

_SHARD_KEYS = select(schema.client.c.shard_key).where(schema.client.c.number.in_(bindparam("numbers", expanding=True)))
_BITS = select(schema.shard_generation.c.generation, schema.shard_generation.c.bits)
_RAISE = (
    update(schema.wanted)
    .where(schema.wanted.c.kind == bindparam("of_kind"), schema.wanted.c.key == bindparam("of_key"))
    .values(wanted=schema.wanted.c.wanted + 1)
)


class Kind(StrEnum):
    """What is compiled from the database: kinds of down file, and a collection's name in the shards of its members."""

    PACKAGE = "package"
    OFFERS = "offers"
    SETTINGS = "settings"
    NAMING = "naming"


def want_package(tx: Connection, package: PackageId) -> None:
    """The `.pkg` of a package, or its absence, is to be published anew."""
    _raise(tx, Kind.PACKAGE, package)


def want_offers(tx: Connection, collection: CollectionId) -> None:
    """The `.ofr` of a collection is to be published anew."""
    _raise(tx, Kind.OFFERS, collection)


def want_offers_of_all_that_advertise(tx: Connection) -> None:
    """The `.ofr` of every collection that advertises anything is to be published anew: a package that they may name has changed.

    Which of them name it, through dependencies too, is decided when the offers are compiled; an unchanged `.ofr` is not
    published again.
    """
    standing = schema.advertisement.c.deleted_at.is_(None)
    for (collection,) in tx.execute(select(schema.advertisement.c.collection).distinct().where(standing)).all():
        _raise(tx, Kind.OFFERS, collection)


def want_settings(tx: Connection) -> None:
    """The agents' settings are to be published anew."""
    _raise(tx, Kind.SETTINGS, "all")


def want_naming(tx: Connection, collection: CollectionId) -> None:
    """The shards of all members are to name a collection that says something for the first time.

    Which shards these are is found by `publish` after the timestamp: it takes long where there are a million members.
    """
    _raise(tx, Kind.NAMING, collection)


def want_shards_of_clients(tx: Connection, client_numbers: Iterable[int]) -> None:
    """The shards of these clients are to be published anew."""
    numbers = list(client_numbers)
    keys: list[int] = []
    for start in range(0, len(numbers), 5000):
        keys.extend(tx.execute(_SHARD_KEYS, {"numbers": numbers[start : start + 5000]}).scalars())
    _want_shards(tx, keys)


def want_shard_of(tx: Connection, client: ClientId) -> None:
    """The shard of a client id is to be published anew, whether or not the site knows the client."""
    _want_shards(tx, [int(client[:8], 16)])


def want_shards_of_members(tx: Connection, collection: CollectionId) -> None:
    """The shards of all members of a collection are to be published anew."""
    want_shards_of_clients_in(tx, select(schema.member.c.client).where(schema.member.c.collection == collection))


def want_shards_of_clients_in(tx: Connection, client_numbers: Select[int]) -> None:
    """The shards of the clients that a query gives are to be published anew: in the database alone, however many they are."""
    chosen = client_numbers.subquery("chosen")
    keys = select(schema.client.c.shard_key).join(chosen, chosen.c.client == schema.client.c.number).subquery("keys")
    for generation, bits in tx.execute(_BITS).all():
        numbers = select(keys.c.shard_key.bitwise_rshift(literal(32 - bits, Integer))).distinct()
        tx.execute(
            update(schema.shard)
            .where(schema.shard.c.generation == generation, schema.shard.c.number.in_(numbers))
            .values(is_wanted=True)
        )


def _want_shards(tx: Connection, shard_keys: Iterable[int]) -> None:
    """Marks the shards of these keys in every generation that stands or is being built."""
    keys = set(shard_keys)
    if not keys:
        return
    for generation, bits in tx.execute(_BITS).all():
        numbers = {key >> (32 - bits) for key in keys}
        rows = [{"of": generation, "no": number, "is_wanted": True} for number in sorted(numbers)]
        tx.execute(statements.SET_SHARD, rows)


def _raise(tx: Connection, kind: Kind, key: str) -> None:
    if tx.execute(_RAISE, {"of_kind": kind, "of_key": key}).rowcount == 0:
        tx.execute(insert(schema.wanted), {"kind": kind, "key": key, "wanted": 1, "published": 0})
