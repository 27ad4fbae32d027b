"""The strings and the table Property of a Windows Installer package, as bytes."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.package_formats.msi_tables import STRING_COUNT_LIMIT, properties, real_name, string_places, table_of_pairs
from purveyor.wire.errors import RejectedError


def pool(*lengths: int, code_page: int = 1252, flags: int = 0) -> bytes:
    return struct.pack("<HH", code_page, flags) + b"".join(struct.pack("<HH", length, 1) for length in lengths)


def test_names_of_streams_are_packed_two_letters_in_one() -> None:
    assert real_name("\u4840\u3f3f\u4577\u446c\u3e6a\u44b2\u482f") == "!_StringPool"
    assert real_name("\u0005SummaryInformation") == "\u0005SummaryInformation"


def test_a_table_of_pairs_holds_its_columns_one_after_the_other() -> None:
    table = struct.pack("<4H", 1, 3, 2, 4)
    assert table_of_pairs(pool(1, 2, 1, 3), b"abbcd\xe4d", table) == {"a": "bb", "c": "däd"}


def test_many_strings_have_references_of_three_bytes() -> None:
    table = bytes([1, 0, 0, 2, 0, 0])
    assert table_of_pairs(pool(1, 2, flags=0x8000), b"abb", table) == {"a": "bb"}


def test_utf_8_and_unknown_code_pages_are_read() -> None:
    table = struct.pack("<2H", 1, 2)
    assert table_of_pairs(pool(1, 2, code_page=65001), "aä".encode(), table) == {"a": "ä"}
    assert table_of_pairs(pool(1, 1, code_page=12345), b"a\xe4", table) == {"a": "ä"}


def test_a_string_of_more_than_65535_bytes_takes_two_entries() -> None:
    long = struct.pack("<HHHH", 0, 1, 10, 1)
    assert string_places(struct.pack("<HH", 3, 1) + long + struct.pack("<HH", 2, 1), 70_000) == [
        (0, 0),
        (0, 3),
        (3, 3 + 65_546),
        (65_549, 65_551),
    ]


@pytest.mark.parametrize(
    ("strings", "text", "table", "reason"),
    [
        (b"", b"", b"", "is empty"),
        (pool(5), b"abc", b"", "beyond their text"),
        (pool(1), b"a", b"\1\0\1", "is damaged"),
        (pool(1), b"a", b"\1\0\2\0", "not there"),
        (pool(1), b"a", b"\0" * 100_000, "too long"),
        (pool() + b"\0" * 4 * (STRING_COUNT_LIMIT + 1), b"", b"", "more than"),
    ],
)
def test_damaged_tables_are_rejected_with_the_reason(strings: bytes, text: bytes, table: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        table_of_pairs(strings, text, table)


@given(st.binary(max_size=200), st.binary(max_size=50), st.binary(max_size=40))
def test_any_tables_give_pairs_or_are_rejected(strings: bytes, text: bytes, table: bytes) -> None:
    try:
        assert isinstance(table_of_pairs(strings, text, table), dict)
    except RejectedError:
        return


@given(st.binary(max_size=3000))
def test_any_compound_file_gives_properties_or_is_rejected(behind: bytes) -> None:
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\0\3\0\xfe\xff\x09\0\x06\0" + behind)
    if len(header) > 60:
        header[56:60] = b"\0\x10\0\0"
    try:
        assert isinstance(properties(io.BytesIO(bytes(header))), dict)
    except RejectedError:
        return
