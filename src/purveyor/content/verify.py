"""Bytes against the digest that they go by. Pure: never opens anything; used by the source, the store and the client."""

import hashlib
import re
from collections.abc import Iterable, Iterator

from purveyor.wire.errors import RejectedError

PIECE_BYTES = 2**20

_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_digest(text: str) -> str:
    """The digest itself, once it is seen to be one; so it can be part of a path.

    Errors: RejectedError.
    """
    if not is_digest(text):
        raise RejectedError(f"{text[:80]!r} is no SHA-256: 64 hexadecimal digits in lower case are expected")
    return text


def is_digest(text: str) -> bool:
    """Whether a text is a SHA-256, written as content is named."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(pieces: Iterable[bytes]) -> str:
    """The SHA-256 of all pieces together, in hexadecimal."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def verified(pieces: Iterable[bytes], *, sha256: str, limit_bytes: int) -> Iterator[bytes]:
    """The same pieces; the last one comes only once the whole is seen to be what it is called.

    So whoever passes them on never completes what is wrong.
    Errors: RejectedError: other bytes than `sha256` promises, or more than `limit_bytes`.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    held = b""
    for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise RejectedError(f"{sha256} is larger than {limit_bytes} bytes")
        digest.update(piece)
        if piece:
            if held:
                yield held
            held = piece
    if digest.hexdigest() != sha256:
        raise RejectedError(f"the {size_bytes} bytes have the digest {digest.hexdigest()}, not {sha256}")
    if held:
        yield held
