"""Ranges, tags and paths in requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.transport.http.serving import header_in, matches_tag, path_in, range_in


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=0-", (0, 10)),
        (b"bytes=3-5", (3, 3)),
        (b"bytes=3-500", (3, 7)),
        (b"bytes=-4", (6, 4)),
        (b"bytes=-400", (0, 10)),
        (b"BYTES=1-1", (1, 1)),
        (b"bytes = 1 - 1", (1, 1)),
        (b"bytes=10-", (10, 0)),
        (b"bytes=99-100", (99, 0)),
        (b"bytes=-0", (10, 0)),
        (b"bytes=0-1,3-4", None),
        (b"bytes=5-4", None),
        (b"bytes=-", None),
        (b"bytes=", None),
        (b"bytes=a-b", None),
        (b"bytes=1--2", None),
        (b"bytes=\xb2-3", None),
        (b"lines=1-2", None),
        (b"", None),
        (b"bytes=" + b"9" * 5000 + b"-", None),
    ],
)
def test_one_range_of_ten_bytes(asked: bytes, found: tuple[int, int] | None) -> None:
    assert range_in(asked, 10) == found


@given(st.binary(max_size=30), st.integers(min_value=0, max_value=100))
def test_no_range_leaves_the_file(rest: bytes, size_bytes: int) -> None:
    found = range_in(b"bytes=" + rest, size_bytes)
    if found is not None:
        offset, count = found
        assert count >= 0
        assert count == 0 or offset + count <= size_bytes


@pytest.mark.parametrize("presented", [b'"a"', b'W/"a"', b'"b", "a"', b'"b","a"', b"*", b' W/"b" , W/"a" '])
def test_a_tag_is_found_among_those_presented(presented: bytes) -> None:
    assert matches_tag(presented, b'"a"')


@pytest.mark.parametrize("presented", [b"", b'"b"', b"a", b'"aa"', b'"a', b'W/"b"'])
def test_a_tag_that_is_not_presented_does_not_match(presented: bytes) -> None:
    assert not matches_tag(presented, b'"a"')


def test_the_path_is_what_lies_below_the_place_of_mounting() -> None:
    assert path_in({"path": "/clidata.box/x"}) == "clidata.box/x"
    assert path_in({"path": "/cap/clidata.box/x", "root_path": "/cap"}) == "clidata.box/x"
    assert path_in({"path": "/clidata.box/x", "root_path": "/cap"}) == "clidata.box/x"
    assert path_in({"path": ""}) == ""


def test_the_first_header_of_a_name_counts() -> None:
    scope = {"headers": [(b"range", b"1"), (b"range", b"2")]}
    assert header_in(scope, b"range") == b"1"
    assert header_in(scope, b"if-range") == b""
