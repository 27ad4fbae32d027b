"""In which order a client asks points: nearest, not slow, the last one, by weight; the same whenever it is asked."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.points.order import Known, in_words, ordered
from purveyor.wire.settings import WEIGHT_LIMIT, Point

NETWORKS = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "192.168.0.0/16",
    "fd00:1::/48",
    "fd00:1:0:2::/64",
    "nonsense",
    "300.1.1.1/8",
]
ADDRESSES = ["10.1.2.3", "10.9.9.9", "192.168.5.5", "fd00:1:0:2::7", "fe80::1%eth0", "::ffff:10.1.2.3", "what?", "172.16.0.1"]

names = st.integers(0, 30).map(lambda number: f"cap{number}")
points = st.lists(
    st.builds(
        Point,
        id=names,
        url=st.just(""),
        networks=st.lists(st.sampled_from(NETWORKS), max_size=3).map(tuple),
        weight=st.sampled_from([0, 1, 100, WEIGHT_LIMIT]),
        is_draining=st.booleans(),
    ).map(lambda point: msgspec.structs.replace(point, url=f"http://{point.id}")),
    max_size=8,
    unique_by=lambda point: point.id,
)
known = st.builds(
    Known,
    client=st.text("0123456789abcdef", min_size=4, max_size=8),
    addresses=st.lists(st.sampled_from(ADDRESSES), max_size=3),
    rates=st.dictionaries(names.map("http://{}".format), st.floats(0, 1e9), max_size=5),
    last=names.map("http://{}".format) | st.just(""),
    slow_bytes_per_second=st.sampled_from([0, 5000]),
)


def order_of(some: list[Point] | tuple[Point, ...], seen: Known) -> list[str]:
    """Ids in order."""
    return [place.id for place in ordered(some, seen)]


def point(name: str, *networks: str, **said: object) -> Point:
    """A point of this name."""
    return Point(id=name, url=f"http://{name}", networks=networks, **said)  # type: ignore[arg-type]


def fleet(size: int = 3000) -> list[Known]:
    """Clients that know nothing but themselves."""
    return [Known(client=f"client {number}") for number in range(size)]


@given(points, known, st.randoms(use_true_random=False))
def test_the_order_is_whole_and_the_same_however_points_are_listed(some: list[Point], seen: Known, chance: object) -> None:
    mixed = some[:]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert order_of(some, seen) == order_of(mixed, seen)
    assert sorted(order_of(some, seen)) == sorted(one.id for one in some)
    assert all(in_words(place) for place in ordered(some, seen))


@given(points, known)
def test_a_point_that_goes_changes_the_order_of_no_others(some: list[Point], seen: Known) -> None:
    still = without_rates(seen)
    for gone in some:
        left = [one for one in some if one is not gone]
        assert order_of(left, still) == [name for name in order_of(some, still) if name != gone.id]


@given(points, known)
def test_what_drains_comes_last_and_what_weighs_nothing_before_it(some: list[Point], seen: Known) -> None:
    places = ordered(some, seen)
    ranks = [(place.is_draining, place.is_reserve, place.distance) for place in places]
    assert ranks == sorted(ranks)


def without_rates(seen: Known) -> Known:
    """The same without rates: how slow a point is depends on the fastest of the others."""
    return seen._replace(rates={})


def test_a_fleet_is_spread_by_weight() -> None:
    some = [point("cap1", weight=100), point("cap2", weight=100), point("cap3", weight=200)]
    count = Counter(order_of(some, seen)[0] for seen in fleet())
    assert count["cap1"] == pytest.approx(750, rel=0.12)
    assert count["cap2"] == pytest.approx(750, rel=0.12)
    assert count["cap3"] == pytest.approx(1500, rel=0.08)


def test_the_clients_of_a_point_that_goes_are_spread_over_the_others_and_nobody_else_moves() -> None:
    some = [point(f"cap{number}") for number in range(4)]
    before = {seen.client: order_of(some, seen)[0] for seen in fleet()}
    after = {seen.client: order_of(some[1:], seen)[0] for seen in fleet()}
    moved = [client for client in before if before[client] != after[client]]
    assert moved == [client for client in before if before[client] == "cap0"]
    assert min(Counter(after[client] for client in moved).values()) > len(moved) / 5


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["10.1.2.3"], ["room", "house", "world", "abroad"]),
        (["10.9.9.9"], ["house", "world", "abroad", "room"]),
        (["fd00:1:0:2::7"], ["abroad", "world", "house", "room"]),
        (["172.16.0.1"], ["world", "abroad", "house", "room"]),
        (["::ffff:10.1.2.3"], ["room", "house", "world", "abroad"]),
        ([], ["world", "abroad", "house", "room"]),
        (["what?", "fe80::1%eth0"], ["world", "abroad", "house", "room"]),
    ],
)
def test_the_narrowest_network_that_holds_an_own_address_is_nearest(addresses: list[str], expected: list[str]) -> None:
    some = [
        point("world"),
        point("house", "nonsense", "10.0.0.0/8"),
        point("room", "10.1.2.0/24"),
        point("abroad", "fd00:1::/48"),
    ]
    near = expected.index("world")
    found = order_of(some, Known(client="c", addresses=addresses))
    assert found[: near + 1] == expected[: near + 1]
    assert set(found) == set(expected)


def test_a_slow_point_comes_after_one_that_is_not_but_never_before_a_nearer_one() -> None:
    some = [point("cap1"), point("cap2"), point("near", "10.0.0.0/8")]
    seen = Known(
        client="c",
        addresses=["10.0.0.1"],
        rates={"http://cap1": 1e6, "http://cap2": 1e4, "http://near": 10},
        slow_bytes_per_second=5000,
    )
    assert order_of(some, seen) == ["near", "cap1", "cap2"]
    assert order_of(some, seen._replace(rates={"http://cap1": 1e4, "http://cap2": 1e6})) == ["near", "cap2", "cap1"]
    assert order_of(some[:2], seen._replace(rates={"http://cap1": 100})) == ["cap2", "cap1"], "who is not measured may be faster"


def test_what_answered_last_is_kept_among_equals_and_small_differences_are_none() -> None:
    some = [point("cap1"), point("cap2")]
    for last in ("cap1", "cap2"):
        seen = Known(client="c", last=f"http://{last}")
        assert order_of(some, seen)[0] == last
        other = "cap2" if last == "cap1" else "cap1"
        assert order_of(some, seen._replace(rates={f"http://{last}": 1e5, f"http://{other}": 7e5}))[0] == last
        assert order_of(some, seen._replace(rates={f"http://{last}": 1e5, f"http://{other}": 1e6}))[0] == other
