"""The headers of an RPM package: tables of tagged values, read with a limit on everything. Nothing behind them is looked at.

Source: RPM package format version 3 and 4 (rpm.org, "Package Format"; LSB 5.0 Core, chapter 22).
"""

import struct
from typing import BinaryIO

from purveyor.package_formats.bounded import exactly
from purveyor.wire.errors import RejectedError

LEAD_MAGIC = b"\xed\xab\xee\xdb"
LEAD_BYTES = 96
ENTRY_LIMIT = 65_535
STORE_LIMIT = 32 * 2**20
STRING_LIMIT = 2**16
COUNT_LIMIT = 20_000

_MAGIC = b"\x8e\xad\xe8\x01"
_INTRODUCTION = struct.Struct(">4s4xII")
_INDEX = struct.Struct(">IIII")
_INT32, _STRING, _STRINGS, _TRANSLATED = 4, 6, 8, 9


class Header:
    """One header: its values by tag.

    Errors: every question raises RejectedError when the value lies outside of the header, or is of another type.
    """

    def __init__(self, index: dict[int, tuple[int, int, int]], store: bytes) -> None:
        """Shape: `index` holds type, offset and count by tag."""
        self._index, self._store = index, store

    def has(self, tag: int) -> bool:
        """Whether there is such a value."""
        return tag in self._index

    def text(self, tag: int) -> str:
        """A text, in the language of programmers where it is translated; empty when there is none."""
        if tag not in self._index:
            return ""
        kind, offset, _ = self._index[tag]
        if kind not in (_STRING, _STRINGS, _TRANSLATED):
            raise RejectedError(f"its header has something else than a text at {tag}")
        return self._string(offset)[0]

    def texts(self, tag: int) -> list[str]:
        """A list of texts; empty when there is none."""
        if tag not in self._index:
            return []
        kind, offset, count = self._index[tag]
        if kind != _STRINGS or count > COUNT_LIMIT:
            raise RejectedError(f"its header has no list of texts at {tag}, or one that is too long")
        found = []
        for _ in range(count):
            text, offset = self._string(offset)
            found.append(text)
        return found

    def numbers(self, tag: int) -> list[int]:
        """A list of numbers; empty when there is none."""
        if tag not in self._index:
            return []
        kind, offset, count = self._index[tag]
        if kind != _INT32 or count > COUNT_LIMIT or offset + 4 * count > len(self._store):
            raise RejectedError(f"its header has no list of numbers at {tag}, or one that is too long")
        return list(struct.unpack_from(f">{count}I", self._store, offset))

    def _string(self, offset: int) -> tuple[str, int]:
        end = self._store.find(b"\0", offset, offset + STRING_LIMIT)
        if offset >= len(self._store) or end < 0:
            raise RejectedError("its header has a text that does not end")
        return self._store[offset:end].decode("utf-8", errors="replace"), end + 1


def main_header(file: BinaryIO) -> Header:
    """The header that says what the package is, behind the lead and the signature.

    Errors: RejectedError: no RPM package, a source package, or a header that cannot be believed.
    """
    lead = exactly(file, LEAD_BYTES, "its lead")
    if not lead.startswith(LEAD_MAGIC):
        raise RejectedError("this is no RPM package")
    if lead[4] not in (3, 4):
        raise RejectedError(f"this is an RPM package of format {lead[4]}: 3 and 4 are read")
    if lead[6:8] == b"\0\1":
        raise RejectedError("this is a source package: build it first, and import what is built")
    _, signature_bytes = _header(file, "its signature")
    exactly(file, -signature_bytes % 8, "its signature")
    return _header(file, "its header")[0]


def _header(file: BinaryIO, what: str) -> tuple[Header, int]:
    magic, count, size = _INTRODUCTION.unpack(exactly(file, _INTRODUCTION.size, what))
    if magic != _MAGIC:
        raise RejectedError(f"this is no RPM package: {what} does not begin as one")
    if count > ENTRY_LIMIT or size > STORE_LIMIT:
        raise RejectedError(f"{what} has {count} entries and {size} bytes: {ENTRY_LIMIT} and {STORE_LIMIT} are read at most")
    table = exactly(file, count * _INDEX.size, what)
    store = exactly(file, size, what)
    index: dict[int, tuple[int, int, int]] = {}
    for tag, kind, offset, values in _INDEX.iter_unpack(table):
        index.setdefault(tag, (kind, offset, values))
    return Header(index, store), count * _INDEX.size + size
