"""Ids: the site's code, a kind, and four base-36 digits; and the ids of clients.

A raw string becomes an id here and nowhere else. Ids are compared as numbers, read in any case, written in upper case.
Source: the protocol, section 1.
"""

import hashlib
import re
from typing import NewType

from purveyor.wire.errors import RejectedError

SiteCode = NewType("SiteCode", str)
PackageId = NewType("PackageId", str)
CollectionId = NewType("CollectionId", str)
AdvertisementId = NewType("AdvertisementId", str)
ClientId = NewType("ClientId", str)
ProgramNumber = NewType("ProgramNumber", int)

PACKAGE, COLLECTION, ADVERTISEMENT = "0", "1", "2"
LAST_NUMBER = 36**4 - 1

_SITE_CODE = re.compile(r"[A-Z0-9]{3}")
_OBJECT_ID = re.compile(r"[A-Z0-9]{3}[012][0-9A-Z]{4}")
_CLIENT_ID = re.compile(r"[0-9a-f]{32}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def site_code(text: str) -> SiteCode:
    """The site code in upper case.

    Errors: RejectedError when it is not three letters or digits.
    """
    code = text.strip().upper()
    if not _SITE_CODE.fullmatch(code):
        raise RejectedError(f"{text!r} is no site code: three letters or digits are expected, such as S01")
    return SiteCode(code)


def package_id(text: str) -> PackageId:
    """The package id in `text`. Errors: RejectedError."""
    return PackageId(_object_id(text, PACKAGE, "package", "S0100001"))


def collection_id(text: str) -> CollectionId:
    """The collection id in `text`. Errors: RejectedError."""
    return CollectionId(_object_id(text, COLLECTION, "collection", "S0110001"))


def advertisement_id(text: str) -> AdvertisementId:
    """The advertisement id in `text`. Errors: RejectedError."""
    return AdvertisementId(_object_id(text, ADVERTISEMENT, "advertisement", "S0120001"))


def client_id(text: str) -> ClientId:
    """The client id in `text`, in lower case. Errors: RejectedError."""
    lowered = text.strip().lower()
    if not _CLIENT_ID.fullmatch(lowered):
        raise RejectedError(f"{text[:80]!r} is no client id: 32 hexadecimal digits are expected")
    return ClientId(lowered)


def client_id_of(public_key: bytes) -> ClientId:
    """The id of the client that holds this key: the first half of the key's SHA-256."""
    return ClientId(hashlib.sha256(public_key).hexdigest()[:32])


def package_id_of(site: SiteCode, number: int) -> PackageId:
    """The package id with this number."""
    return PackageId(_numbered(site, PACKAGE, number))


def collection_id_of(site: SiteCode, number: int) -> CollectionId:
    """The collection id with this number."""
    return CollectionId(_numbered(site, COLLECTION, number))


def advertisement_id_of(site: SiteCode, number: int) -> AdvertisementId:
    """The advertisement id with this number."""
    return AdvertisementId(_numbered(site, ADVERTISEMENT, number))


def number_of(object_id: PackageId | CollectionId | AdvertisementId) -> int:
    """The number in an id, by which ids of one kind are ordered."""
    return int(object_id[4:], 36)


def site_of(object_id: PackageId | CollectionId | AdvertisementId) -> SiteCode:
    """The site that gave this id."""
    return SiteCode(object_id[:3])


def _object_id(text: str, kind: str, word: str, example: str) -> str:
    upper = text.strip().upper()
    if not _OBJECT_ID.fullmatch(upper) or upper[3] != kind or upper[4:] == "0000":
        raise RejectedError(f"{text[:80]!r} is no {word} id: one such as {example} is expected")
    return upper


def _numbered(site: SiteCode, kind: str, number: int) -> str:
    if not 1 <= number <= LAST_NUMBER:
        raise RejectedError(f"no id can have the number {number}: 1 to {LAST_NUMBER} are possible")
    digits = ""
    for _ in range(4):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{site}{kind}{digits}"
