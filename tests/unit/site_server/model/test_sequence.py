"""The numbering of upward items."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.model.sequence import REMEMBERED_ITEMS, Advance, Arrival, advance, arrival_of


def test_item_above_what_was_received_is_new() -> None:
    assert arrival_of(8, "a", received=7, remembered=None) is Arrival.NEW
    assert arrival_of(20, "a", received=7, remembered=None) is Arrival.NEW


def test_item_whose_digest_is_remembered_is_a_duplicate_or_a_fork() -> None:
    assert arrival_of(5, "a", received=7, remembered="a") is Arrival.DUPLICATE
    assert arrival_of(5, "b", received=7, remembered="a") is Arrival.FORK
    assert arrival_of(9, "b", received=7, remembered="a") is Arrival.FORK


def test_item_below_what_was_received_is_late_only_where_digests_are_still_remembered() -> None:
    received = REMEMBERED_ITEMS + 10
    assert arrival_of(11, "a", received=received, remembered=None) is Arrival.LATE
    assert arrival_of(10, "a", received=received, remembered=None) is Arrival.DUPLICATE


def test_gap_that_the_client_still_holds_is_waited_for() -> None:
    assert advance(3, oldest_kept=4, stored=[5, 6]) == Advance(3, 0, 0)
    assert advance(3, oldest_kept=1, stored=[4, 5, 7]) == Advance(5, 0, 0)


def test_gap_that_the_client_no_longer_holds_is_lost() -> None:
    assert advance(3, oldest_kept=8, stored=[4, 6, 8]) == Advance(8, 2, 5)
    assert advance(0, oldest_kept=2**53, stored=[2**53]) == Advance(2**53, 2**53 - 1, 1)


@given(st.integers(0, 50), st.integers(-5, 80), st.sets(st.integers(1, 80)))
def test_everything_up_to_received_is_stored_or_counted_as_lost(received: int, oldest_kept: int, stored: set[int]) -> None:
    moved = advance(received, oldest_kept=oldest_kept, stored=stored)
    between = set(range(received + 1, moved.received + 1))
    assert moved.received >= received
    assert len(between - stored) == moved.lost
    assert all(sequence < oldest_kept for sequence in between - stored)
    assert moved.received + 1 not in stored
    assert moved.first_lost == min(between - stored, default=0)


@given(st.lists(st.integers(1, 30), unique=True), st.data())
def test_order_of_arrival_does_not_matter_when_the_client_keeps_everything(items: list[int], data: st.DataObject) -> None:
    received, above = 0, set[int]()
    for sequence in data.draw(st.permutations(items)):
        above.add(sequence)
        received = advance(received, oldest_kept=1, stored=above).received
    assert received == advance(0, oldest_kept=1, stored=items).received
