"""Shares: always the same, even over a fleet, another one under another name."""

from statistics import mean

from hypothesis import given
from hypothesis import strategies as some

from purveyor.wire.spread import share_of


@given(some.text(max_size=40), some.text(max_size=40))
def test_a_share_is_always_the_same_and_below_one(client: str, name: str) -> None:
    assert share_of(client, name) == share_of(client, name)
    assert 0 <= share_of(client, name) < 1


def test_a_share_is_kept_by_every_release() -> None:
    assert share_of("0123456789abcdef0123456789abcdef", "window 1") == 0.17101129915819158


def test_shares_are_even_over_a_fleet() -> None:
    shares = [share_of(f"client {number}", "window 1") for number in range(10_000)]
    tenths = [sum(1 for share in shares if tenth <= share * 10 < tenth + 1) for tenth in range(10)]
    assert min(tenths) > 880
    assert max(tenths) < 1120
    assert 0.49 < mean(shares) < 0.51


def test_who_comes_first_under_one_name_need_not_under_another() -> None:
    fleet = [f"client {number}" for number in range(100)]
    orders = [sorted(fleet, key=lambda client, name=name: share_of(client, name)) for name in ("window 1", "window 2")]
    assert orders[0] != orders[1]
