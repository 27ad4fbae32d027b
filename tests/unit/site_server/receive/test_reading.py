"""How a turn is shared out among boxes."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.receive.reading import JOINING_BOX, shares_of
from purveyor.wire.boxes import UP_BOXES

WAITING = st.fixed_dictionaries({box.name: st.integers(0, 300) for box in UP_BOXES})


@given(WAITING, st.integers(1, 500))
def test_no_box_gives_more_than_it_has_and_nothing_of_a_turn_is_wasted(waiting: dict[str, int], limit: int) -> None:
    shares = shares_of(waiting, limit=limit)
    assert all(0 <= shares[name] <= waiting[name] for name in waiting)
    assert sum(shares.values()) == min(limit, sum(waiting.values()))


@given(WAITING, st.integers(8, 500))
def test_no_box_waits_while_another_takes_more(waiting: dict[str, int], limit: int) -> None:
    shares = shares_of(waiting, limit=limit)
    others = [name for name in waiting if name != JOINING_BOX]
    starved = [shares[name] for name in others if shares[name] < waiting[name]]
    assert all(shares[name] <= least + 1 for least in starved for name in others)


def test_requests_to_join_have_a_quarter_when_all_boxes_are_full() -> None:
    shares = shares_of(dict.fromkeys((box.name for box in UP_BOXES), 1000), limit=100)
    assert shares[JOINING_BOX] == 25


def test_missing_boxes_are_no_trouble() -> None:
    assert shares_of({}, limit=10) == {JOINING_BOX: 0}
