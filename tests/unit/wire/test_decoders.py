"""Every decoder: what an honest side wrote is read back; any other bytes are read or rejected, and nothing else happens."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

import wire_values
from purveyor.wire import manifest, offers, package_info, reports, settings, shards, signed
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import client_id_of
from purveyor.wire.reports import Item

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
items = st.builds(
    Item,
    client=st.just(client_id_of(bytes.fromhex(PUBLIC))),
    public_key=st.just(PUBLIC),
    sequence=st.integers(5, 2**53),
    oldest_kept=st.integers(0, 5),
    incarnation=wire_values.counts,
    applied=wire_values.counts,
    made_at=wire_values.instants,
    body=wire_values.bodies,
    holding=st.lists(wire_values.packages, max_size=2).map(tuple),
)


class Decoder(NamedTuple):
    """One kind of bytes: how it is written and read, and values of it."""

    values: st.SearchStrategy[object]
    encode: Callable[..., bytes]
    decode: Callable[[bytes], object]
    seal: Callable[[bytes], bytes] = bytes
    """Makes a payload one that passes the signature, so that what lies behind it is tried too."""


DECODERS = {
    "package": Decoder(wire_values.package_infos, package_info.encode, package_info.decode),
    "offers": Decoder(wire_values.collection_offers, offers.encode, offers.decode),
    "settings": Decoder(wire_values.agent_settings, settings.encode, settings.decode),
    "manifest": Decoder(wire_values.manifests, manifest.encode, manifest.decode),
    "shard": Decoder(
        wire_values.shards,
        lambda shard: shards.encode(shard, KEY),
        lambda content: shards.decode(content, (PUBLIC,)),
        lambda payload: signed.sign("shard", payload, KEY),
    ),
    "item": Decoder(
        items,
        lambda item: reports.encode(item, KEY),
        lambda content: reports.decode(content).item,
        lambda payload: signed.sign("item", payload, KEY),
    ),
}
each_decoder = pytest.mark.parametrize("kind", DECODERS)


@each_decoder
@given(data=st.data())
def test_what_was_written_is_read_back(kind: str, data: st.DataObject) -> None:
    decoder = DECODERS[kind]
    value = data.draw(decoder.values)
    assert decoder.decode(decoder.encode(value)) == value


@each_decoder
@given(data=st.data())
def test_equal_values_are_equal_bytes(kind: str, data: st.DataObject) -> None:
    decoder = DECODERS[kind]
    value = data.draw(decoder.values)
    assert decoder.encode(decoder.decode(decoder.encode(value))) == decoder.encode(value)


@each_decoder
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected(kind: str, content: bytes) -> None:
    decoder = DECODERS[kind]
    for hostile in (content, decoder.seal(content)):
        assert_read_or_rejected(decoder, hostile)


@each_decoder
@given(data=st.data())
def test_spoiled_values_are_read_or_rejected(kind: str, data: st.DataObject) -> None:
    decoder = DECODERS[kind]
    payload = bytearray(to_bytes(data.draw(decoder.values)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4) | st.sampled_from(TOKENS))
        if not payload:
            break
    assert_read_or_rejected(decoder, decoder.seal(bytes(payload)))


TOKENS = [
    b"null",
    b"-1",
    b"99999999999999999999999",
    b"1e300",
    b'""',
    b"[]",
    b"{}",
    b"true",
    b'"\\u0000"',
    b'"\\ud800"',
    b"[" * 2000,
]


def assert_read_or_rejected(decoder: Decoder, content: bytes) -> None:
    """Reads hostile bytes: whatever is accepted can be written again."""
    try:
        value = decoder.decode(content)
    except RejectedError:
        return
    assert decoder.encode(value)
