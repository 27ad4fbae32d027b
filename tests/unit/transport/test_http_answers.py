"""Tags and ranges in the heads of answers."""

import pytest

from purveyor.transport.http.answers import LONGEST_WAIT_SECONDS, range_start, tag_headers, tag_in, wait_seconds


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
    ("said", "seconds"),
    [
        ("", 0),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999", LONGEST_WAIT_SECONDS),
        ("9" * 50, 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("²", 0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", LONGEST_WAIT_SECONDS),
        ("Thu, 99 Jan 2026 00:02:00 GMT", 0),
    ],
)
def test_a_server_is_left_alone_as_long_as_it_asks_for_within_bounds(said: str, seconds: int) -> None:
    assert wait_seconds({"Retry-After": said, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}) == seconds


def test_a_date_counts_by_the_clock_of_the_server_alone() -> None:
    assert wait_seconds({"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT"}) == 0
    assert wait_seconds({"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT", "Date": "now"}) == 0


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
