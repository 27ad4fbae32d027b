"""A client's items of one turn."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.receive.numbering import Numbered, forgettable, number
from purveyor.site_server.receive.opening import Letter
from purveyor.wire.ids import ClientId
from purveyor.wire.reports import Item, Leaving, digest_after

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def letter(sequence: int, digest: str = "", oldest_kept: int = 1) -> Letter:
    item = Item(
        client=ClientId("0" * 32),
        public_key="",
        sequence=sequence,
        oldest_kept=oldest_kept,
        incarnation=1,
        applied=1,
        made_at=NOW,
        body=Leaving(),
    )
    return Letter(f"ddr.box/{sequence}", item, digest or f"digest {sequence}")


def numbered(
    *letters: Letter, received: int = 0, remembered: dict[int, str] | None = None, above: tuple[int, ...] = ()
) -> Numbered:
    stored = {sequence: f"digest {sequence}" for sequence in above}
    return number(letters, received=received, digest="before", remembered=remembered or {}, above=stored)


def test_items_are_accepted_in_order_of_their_numbers() -> None:
    judged = numbered(letter(3), letter(1), letter(2))
    assert [one.item.sequence for one in judged.accepted] == [1, 2, 3]
    assert judged.advance.received == 3


def test_same_number_twice_in_one_turn_is_a_duplicate_or_a_fork() -> None:
    judged = numbered(letter(1, "a"), letter(1, "a"), letter(1, "b"))
    assert (len(judged.accepted), len(judged.duplicates), len(judged.forks)) == (1, 1, 1)
    assert judged.forks[0].stored_digest == judged.accepted[0].digest


def test_nothing_accepted_moves_nothing() -> None:
    judged = numbered(letter(2, "a", oldest_kept=2), received=5, remembered={2: "a"})
    assert (judged.accepted, judged.advance.received, judged.advance.lost) == ([], 5, 0)


def test_late_item_takes_back_a_loss() -> None:
    judged = numbered(letter(2), received=5, remembered={})
    assert (len(judged.accepted), judged.advance.lost, judged.advance.received) == (1, -1, 5)


def test_stored_items_above_a_gap_count_once_it_is_filled() -> None:
    assert numbered(letter(2), received=1, above=(3, 4, 6)).advance.received == 4


def test_the_digest_of_what_was_received_is_of_all_items_in_their_order_and_of_none_above_a_gap() -> None:
    expected = digest_after("before", ["digest 2", "digest 3", "digest 4"])
    assert numbered(letter(2), received=1, above=(3, 4, 6)).digest == expected
    assert numbered(letter(4), letter(2), letter(3), received=1).digest == expected
    assert numbered(letter(2, "another's"), received=1, above=(3, 4)).digest != expected
    assert numbered(letter(3), received=1).digest == "before"
    assert numbered(letter(9, oldest_kept=9), received=1).digest == digest_after("before", ["digest 9"])


@given(st.integers(0, 2000), st.integers(0, 500))
def test_no_digest_is_forgotten_that_could_still_prove_a_fork(before: int, step: int) -> None:
    up_to = forgettable(before, before + step)
    assert up_to is None or 0 < up_to <= before + step - 256
