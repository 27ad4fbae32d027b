"""Lookup shards: which one is a client's, and who may have signed it."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import shards
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import ClientId
from purveyor.wire.shards import Shard, bits_for, shard_number
from wire_values import clients

NOW = datetime(2026, 1, 5, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
SHARD = Shard(generation=1, number=0, publication=1, snapshot=1, issued_at=NOW, expires_at=NOW, entries={})


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half as settings name it."""
    return key.public_key().public_bytes_raw().hex()


@given(clients, st.integers(0, 24))
def test_a_larger_generation_splits_shards_and_mixes_none(client: ClientId, bits: int) -> None:
    assert 0 <= shard_number(client, bits) < 2**bits
    assert shard_number(client, bits + 1) >> 1 == shard_number(client, bits)


def test_the_leading_bits_choose_the_shard() -> None:
    assert shard_number(ClientId("f" * 32), 0) == 0
    assert shard_number(ClientId("8" + "0" * 31), 1) == 1
    assert shard_number(ClientId("0123" + "0" * 28), 12) == 0x012


@given(st.integers(0, 2_000_000))
def test_a_shard_has_at_most_some_sixteen_clients(client_count: int) -> None:
    bits = bits_for(client_count)
    assert client_count <= 16 * 2**bits
    assert bits == 0 or client_count > 16 * 2 ** (bits - 1)


@pytest.mark.parametrize(
    ("generation", "number", "path"), [(1, 0, "1/00000"), (12, 0xABCDE, "12/abcde"), (2, 0xFFFFFF, "2/ffffff")]
)
def test_a_shard_lies_under_its_generation(generation: int, number: int, path: str) -> None:
    assert shards.path_of(generation, number) == f"offerinf.box/lookup/{path}.lkp"


def test_any_key_that_settings_name_may_have_signed() -> None:
    named = (public_of(KEY), public_of(OTHER))
    assert shards.decode(shards.encode(SHARD, KEY), named) == SHARD
    assert shards.decode(shards.encode(SHARD, OTHER), named) == SHARD


@pytest.mark.parametrize("named", [(), (public_of(OTHER),)])
def test_a_shard_signed_by_a_key_that_settings_do_not_name_is_rejected(named: tuple[str, ...]) -> None:
    with pytest.raises(RejectedError, match="do not name"):
        shards.decode(shards.encode(SHARD, KEY), named)


def test_a_shard_that_only_names_a_known_key_is_rejected() -> None:
    forged = shards.encode(SHARD, OTHER).replace(
        shards.signed.key_id_of(bytes.fromhex(public_of(OTHER))).encode(),
        shards.signed.key_id_of(bytes.fromhex(public_of(KEY))).encode(),
    )
    with pytest.raises(RejectedError, match="does not hold"):
        shards.decode(forged, (public_of(KEY),))


def test_a_full_shard_fits_well_into_its_limit() -> None:
    entry = shards.Entry(
        state=shards.ClientState.MEMBER, received=2**53, collections=tuple(f"S0110{number:03d}" for number in range(200))
    )
    full = Shard(
        generation=1,
        number=0,
        publication=1,
        snapshot=1,
        issued_at=NOW,
        expires_at=NOW,
        entries={ClientId(f"{n:032x}"): entry for n in range(64)},
    )
    assert len(shards.encode(full, KEY)) < shards.SIZE_LIMIT_BYTES
