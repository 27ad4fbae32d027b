"""Bytes against their digest."""

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.content.verify import checked_digest, digest_of, verified
from purveyor.wire.errors import RejectedError

pieces_of_bytes = st.lists(st.binary(max_size=50), max_size=10)


@given(pieces_of_bytes)
def test_right_bytes_pass_unchanged(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert b"".join(verified(pieces, sha256=digest_of(pieces), limit_bytes=len(whole))) == whole


@given(pieces_of_bytes.filter(any), st.integers(min_value=0))
def test_wrong_bytes_never_come_to_their_end(pieces: list[bytes], place: int) -> None:
    whole = bytearray(b"".join(pieces))
    sha256 = hashlib.sha256(whole).hexdigest()
    whole[place % len(whole)] ^= 1
    given_out: list[bytes] = []
    with pytest.raises(RejectedError, match="digest"):
        given_out.extend(verified([bytes(whole[:7]), bytes(whole[7:])], sha256=sha256, limit_bytes=len(whole)))
    assert sum(len(piece) for piece in given_out) < len(whole)


def test_more_bytes_than_the_limit_are_rejected_before_all_are_read() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    with pytest.raises(RejectedError, match="larger than 1000"):
        list(verified(endless(), sha256="0" * 64, limit_bytes=1000))


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 63 + "\n", "a" * 64 + "\n", "a/" * 32]
)
def test_what_is_no_digest_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError, match="no SHA-256"):
        checked_digest(text)
