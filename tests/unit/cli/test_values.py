"""Values as people write them on the command line."""

import argparse
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.cli.arguments.values import (
    assignment,
    count,
    duration_seconds,
    exit_codes,
    instant_of,
    listen_address,
    moment,
)

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("1H", 3600)]
)
def test_durations_have_units(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["7", "2026", "0", "7x", "", "d"])
def test_a_number_alone_is_no_duration_and_may_have_meant_days(text: str) -> None:
    for read in (duration_seconds, lambda text: instant_of(text, now=NOW)):
        with pytest.raises(argparse.ArgumentTypeError):
            read(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1y", "h", "1.5h", "1h30m", "\uff19h", "999999999w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration_seconds(text)


def test_an_instant_needs_a_clock() -> None:
    assert instant_of("2026-12-01T10:00+01:00", now=NOW) == NOW
    with pytest.raises(argparse.ArgumentTypeError, match="whose clock"):
        instant_of("2026-12-01T10:00", now=NOW)


def test_instants_may_be_now_or_a_duration_from_now() -> None:
    assert instant_of("now", now=NOW) == NOW
    assert instant_of("2h", now=NOW) == NOW + timedelta(hours=2)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01T00:00Z", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        moment(text)


def test_an_assignment_is_a_word_a_time_on_any_clock_or_a_rule() -> None:
    assert assignment("ASAP") == "asap"
    assert assignment("2026-12-01T22:00") == "2026-12-01T22:00"
    assert assignment("Logoff") == "logoff"
    assert assignment("2026-12-01T22:00 FREQ=DAILY") == "2026-12-01T22:00 FREQ=DAILY"
    assert assignment("FREQ=DAILY") == "FREQ=DAILY"
    with pytest.raises(argparse.ArgumentTypeError):
        assignment("soon FREQ=DAILY")
    with pytest.raises(argparse.ArgumentTypeError, match="asap"):
        assignment("soon")


def test_exit_codes_are_separated_by_commas() -> None:
    assert exit_codes("0, 1641,3010") == [0, 1641, 3010]
    assert exit_codes("-1") == [-1]
    assert exit_codes("") == []
    for text in ("0;1", "x", "99999999999"):
        with pytest.raises(argparse.ArgumentTypeError):
            exit_codes(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_counts_are_one_or_more(number: int) -> None:
    assert count(str(number)) == number


@pytest.mark.parametrize("text", ["0", "-1", "x", "1e3", "99999999999999999999"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8470", ("127.0.0.1", 8470)),
        ("[::1]:0", ("::1", 0)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
        ("cap.example:443", ("cap.example", 443)),
    ],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:x", "h:70000", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        listen_address(text)
