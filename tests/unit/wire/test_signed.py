"""Signed bytes: a signature holds for these bytes, this kind and this key alone."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import signed
from purveyor.wire.errors import RejectedError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")


@given(st.binary(max_size=200))
def test_what_was_signed_reads_back(payload: bytes) -> None:
    parts = signed.split("shard", signed.sign("shard", payload, KEY))
    assert parts.key_id == signed.key_id_of(PUBLIC)
    assert signed.verified("shard", parts, PUBLIC) == payload


@given(st.binary(max_size=60), st.data())
def test_one_changed_bit_is_rejected(payload: bytes, data: st.DataObject) -> None:
    content = bytearray(signed.sign("shard", payload, KEY))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RejectedError):
        believed(bytes(content))


def believed(content: bytes) -> bytes:
    """The payload, as a reader who knows one key believes it."""
    parts = signed.split("shard", content)
    if parts.key_id != signed.key_id_of(PUBLIC):
        raise RejectedError("signed by a key that is not known")
    return signed.verified("shard", parts, PUBLIC)


def test_a_signature_over_one_kind_never_serves_for_another() -> None:
    content = signed.sign("item", b"text", KEY)
    with pytest.raises(RejectedError, match="no signed shard"):
        signed.split("shard", content)
    parts = signed.split("shard", content.replace(b"item", b"shard", 1))
    with pytest.raises(RejectedError, match="does not hold"):
        signed.verified("shard", parts, PUBLIC)


def test_another_key_does_not_verify() -> None:
    parts = signed.split("shard", signed.sign("shard", b"text", OTHER))
    with pytest.raises(RejectedError, match="does not hold"):
        signed.verified("shard", parts, PUBLIC)


@pytest.mark.parametrize(
    "spelled", [str.upper, lambda text: text[:4] + "\t" + text[4:], lambda text: text[:-1], lambda text: text + " "]
)
def test_a_signature_has_one_spelling(spelled: Callable[[str], str]) -> None:
    header, _, payload = signed.sign("item", b"text", KEY).partition(b"\n")
    words = header.decode().split(" ")
    respelled = " ".join([*words[:4], spelled(words[4])]).encode() + b"\n" + payload
    with pytest.raises(RejectedError):
        signed.verified("item", signed.split("item", respelled), PUBLIC)


@given(st.binary(max_size=400))
def test_any_bytes_are_split_or_rejected(content: bytes) -> None:
    for hostile in (content, b"purveyor shard 1 " + content, b"purveyor shard 1 ab " + content):
        try:
            parts = signed.split("shard", hostile)
        except RejectedError:
            continue
        with pytest.raises(RejectedError):
            signed.verified("shard", parts, PUBLIC)


def test_a_header_without_end_is_rejected_without_reading_on() -> None:
    with pytest.raises(RejectedError, match="no signed shard"):
        signed.split("shard", b"purveyor shard 1 " + b"a" * 10_000_000 + b"\n")


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33)])
def test_what_is_no_key_verifies_nothing(public: bytes) -> None:
    parts = signed.split("shard", signed.sign("shard", b"text", KEY))
    with pytest.raises(RejectedError, match="does not hold"):
        signed.verified("shard", parts, public)
