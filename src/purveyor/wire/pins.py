"""Pins: by which key of an HTTPS server it is known, whoever made its certificate.

A pin is the SHA-256 of the DER of a certificate's SubjectPublicKeyInfo, in base64. Nothing else is read from a certificate;
whether it is well made in all else is not asked, since the pin alone decides.
Source: RFC 7469 2.4 (what is hashed), RFC 5280 4.1 (where it lies), X.690 8.1 (lengths).
"""

import base64
import binascii
import hashlib
import re

from purveyor.wire.errors import RejectedError

LIMIT = 8
"""Pins of one point: the key in use, the next one, and some to spare."""
_WRITTEN = re.compile(r"""(?:(?:sha256//?|pin-sha256=)?(["']?)([A-Za-z0-9+/]{43}=)\1)""")
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_BEFORE_KEY = (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
"""What stands before the key: serial number, signature algorithm, issuer, validity, subject."""


def pin_of_key(public_key_info: bytes) -> str:
    """The pin of a SubjectPublicKeyInfo in DER."""
    return base64.b64encode(hashlib.sha256(public_key_info).digest()).decode()


def pin_of_certificate(der: bytes) -> str:
    """The pin of a certificate's key. Errors: RejectedError for what is no certificate."""
    _, start, end = _element(der, 0, len(der), _SEQUENCE)
    _, at, end = _element(der, start, end, _SEQUENCE)
    if at < end and der[at] == _VERSION:
        _, _, at = _element(der, at, end, _VERSION)
    for tag in _BEFORE_KEY:
        _, _, at = _element(der, at, end, tag)
    begun, _, ended = _element(der, at, end, _SEQUENCE)
    return pin_of_key(der[begun:ended])


def pin_in(text: str) -> str:
    """A pin as a person writes it, with or without `sha256/` or `pin-sha256=` before it. Errors: RejectedError."""
    found = _WRITTEN.fullmatch(text.strip())
    if not found or not is_pin(found[2]):
        raise RejectedError(f"{text[:80]!r} is no pin: the SHA-256 of a public key in base64, 44 signs, is expected")
    return found[2]


def is_pin(text: str) -> bool:
    """Whether this is a pin in the one form in which it is kept."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(digest) == hashlib.sha256().digest_size and base64.b64encode(digest).decode() == text


def _element(der: bytes, at: int, end: int, tag: int) -> tuple[int, int, int]:
    """An element of DER at a place. Shape: where it begins, where its content begins, where both end. Errors: RejectedError."""
    if at + 2 > end or der[at] != tag:
        raise RejectedError("this is no certificate: another part was expected")
    size, start = der[at + 1], at + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or start + count > end:
            raise RejectedError("this is no certificate: a length in it cannot be")
        size, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + size > end:
        raise RejectedError("this is no certificate: a part of it is missing")
    return at, start, start + size
