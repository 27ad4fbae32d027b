"""Tags and ranges in the heads of answers."""

import pytest

from purveyor.transport.http_answers import range_start, tag_headers, tag_in


@pytest.mark.parametrize("tag", ['"a"', 'W/"a"', '""', '"' + "x" * 200 + '"'])
def test_an_entity_tag_is_sent_back_as_it_came(tag: str) -> None:
    assert tag_headers(tag_in({"ETag": tag})) == {"If-None-Match": tag}


@pytest.mark.parametrize("tag", ["", "a", '"a', '"a\r\nX: y"', '"a"b"', '"' + "x" * 1000 + '"', '"é"', "*", '"a", "b"'])
def test_anything_else_is_no_tag(tag: str) -> None:
    assert tag_in({"ETag": tag}) == ""
    assert tag_headers(tag) == {}


def test_without_an_entity_tag_the_date_is_the_tag() -> None:
    tag = tag_in({"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    assert tag_headers(tag) == {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}


@pytest.mark.parametrize("date", ["", "x", "Thu, 01 Jan 2026\r\nX: y", "x" * 100])
def test_what_is_no_date_is_no_tag(date: str) -> None:
    assert tag_in({"Last-Modified": date}) == ""
    assert tag_headers(f"changed {date}") == {}


@pytest.mark.parametrize(
    ("content_range", "start"),
    [
        ("bytes 0-3/8", 0),
        ("bytes 4-7/*", 4),
        (" bytes 12-15/16 ", 12),
        ("", -1),
        ("bytes */8", -1),
        ("bytes 4-", -1),
        ("lines 4-7/8", -1),
    ],
)
def test_a_range_starts_where_it_says(content_range: str, start: int) -> None:
    assert range_start(content_range) == start
