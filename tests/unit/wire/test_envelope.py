"""Sealing: read by the site alone, bound to its box and its client."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import envelope
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import client_id_of

PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = envelope.sealing_key(PRIVATE)
KEYS = {KEY.id: PRIVATE}
CLIENT = client_id_of(b"one")
SEALED = envelope.seal(b"a message", client=CLIENT, box="statmsgs.box", key=KEY)


@given(st.binary(max_size=500))
def test_what_was_sealed_is_opened(content: bytes) -> None:
    sealed = envelope.seal(content, client=CLIENT, box="ddr.box", key=KEY)
    parts = envelope.split(sealed)
    assert parts.client == CLIENT
    assert envelope.opened(parts, box="ddr.box", keys=KEYS) == content


def test_what_is_inside_is_not_seen_from_outside() -> None:
    assert b"message" not in SEALED
    assert envelope.seal(b"a message", client=CLIENT, box="statmsgs.box", key=KEY) != SEALED


def test_an_item_put_into_another_box_is_rejected() -> None:
    with pytest.raises(RejectedError, match="another box or client"):
        envelope.opened(envelope.split(SEALED), box="ddr.box", keys=KEYS)


def test_an_item_passed_off_as_another_clients_is_rejected() -> None:
    taken_over = SEALED.replace(CLIENT.encode(), client_id_of(b"other").encode(), 1)
    with pytest.raises(RejectedError, match="another box or client"):
        envelope.opened(envelope.split(taken_over), box="statmsgs.box", keys=KEYS)


def test_an_item_sealed_to_an_unknown_key_is_rejected() -> None:
    with pytest.raises(RejectedError, match="which this site does not have"):
        envelope.opened(envelope.split(SEALED), box="statmsgs.box", keys={})


def test_an_item_sealed_to_an_older_key_is_opened_while_the_site_keeps_it() -> None:
    newer = X25519PrivateKey.from_private_bytes(bytes(reversed(range(32))))
    kept = {**KEYS, envelope.sealing_key(newer).id: newer}
    assert envelope.opened(envelope.split(SEALED), box="statmsgs.box", keys=kept) == b"a message"


@given(st.data())
def test_one_changed_bit_is_rejected(data: st.DataObject) -> None:
    content = bytearray(SEALED)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RejectedError):
        read_back(bytes(content))


def read_back(content: bytes) -> None:
    """Opens an item as the site does. One whose client id differs only by case is the same item."""
    parts = envelope.split(content)
    opened = envelope.opened(parts, box="statmsgs.box", keys=KEYS)
    if (parts.client, opened) == (CLIENT, b"a message"):
        raise RejectedError("only the case of a letter was changed")


@given(st.binary(max_size=300))
def test_any_bytes_are_rejected(content: bytes) -> None:
    header = f"purveyor sealed 1 {CLIENT} {KEY.id}\n".encode()
    for hostile in (content, header + content, header[:-1] + content):
        with pytest.raises(RejectedError):
            read_back(hostile)


def test_an_oversized_item_is_rejected_unread() -> None:
    with pytest.raises(RejectedError, match="more than a sealed item may have"):
        envelope.split(SEALED + bytes(envelope.SIZE_LIMIT_BYTES))
