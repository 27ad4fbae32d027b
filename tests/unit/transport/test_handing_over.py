"""Pieces made in one thread and taken in another."""

import threading
from collections.abc import Iterator

import pytest

from purveyor.transport.handing_over import hand_over
from purveyor.wire.errors import RejectedError, UnavailableError


def test_every_piece_is_taken_in_order_in_another_thread() -> None:
    taken: list[bytes] = []
    threads: set[int] = set()

    def take(pieces: Iterator[bytes]) -> None:
        threads.add(threading.get_ident())
        taken.extend(pieces)

    hand_over((b"%d" % number for number in range(100)), take)
    assert taken == [b"%d" % number for number in range(100)]
    assert threading.get_ident() not in threads


def test_a_taker_that_fails_is_heard_and_nothing_more_is_made() -> None:
    made = 0

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1
            yield b"x"

    def take(arriving: Iterator[bytes]) -> None:
        next(arriving)
        raise UnavailableError("no room")

    with pytest.raises(UnavailableError, match="no room"):
        hand_over(pieces(), take)
    assert made < 10


def test_a_maker_that_fails_is_heard_and_the_taker_never_believes_it_has_all() -> None:
    ended: list[str] = []

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise RejectedError("the sender has gone")

    def take(arriving: Iterator[bytes]) -> None:
        try:
            list(arriving)
        except UnavailableError:
            ended.append("broken off")
            raise
        ended.append("whole")

    with pytest.raises(RejectedError, match="the sender has gone"):
        hand_over(pieces(), take)
    assert ended == ["broken off"]


def test_nothing_at_all_can_be_handed_over() -> None:
    taken: list[bytes] = []
    hand_over([], taken.extend)
    assert taken == []


def test_an_interruption_ends_the_taker_too() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise KeyboardInterrupt

    def take(arriving: Iterator[bytes]) -> None:
        list(arriving)

    with pytest.raises(KeyboardInterrupt):
        hand_over(pieces(), take)
