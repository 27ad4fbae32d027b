"""How fast an address may put items."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.client_access_point.limits import AddressRates, network_of


def rates(*, address_limit: int = 10) -> AddressRates:
    return AddressRates(per_second=2.0, burst=3, address_limit=address_limit)


def test_an_address_may_put_a_burst_and_then_at_the_steady_rate() -> None:
    limits = rates()
    assert [limits.wait_seconds("192.0.2.1", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limits.wait_seconds("192.0.2.1", 0.5) == 0.0
    assert limits.wait_seconds("192.0.2.1", 0.5) == 0.5


def test_one_address_costs_another_nothing() -> None:
    limits = rates()
    for _ in range(5):
        limits.wait_seconds("192.0.2.1", 0.0)
    assert limits.wait_seconds("192.0.2.2", 0.0) == 0.0


def test_no_more_addresses_are_remembered_than_the_limit_and_the_newest_stay() -> None:
    limits = rates(address_limit=2)
    for address in ("a", "b", "c"):
        for _ in range(3):
            limits.wait_seconds(address, 0.0)
    assert limits.wait_seconds("c", 0.0) > 0.0
    assert limits.wait_seconds("b", 0.0) > 0.0
    assert limits.wait_seconds("a", 0.0) == 0.0


@given(st.lists(st.floats(min_value=0.0, max_value=3.0), max_size=60))
def test_in_any_span_of_time_no_more_passes_than_burst_and_rate_allow(pauses: list[float]) -> None:
    limits = rates()
    now, passed = 0.0, 0
    for pause in pauses:
        now += pause
        passed += limits.wait_seconds("192.0.2.1", now) == 0.0
    assert passed <= 3 + now * 2.0 + 1e-6


def test_a_network_of_64_bits_shares_one_bucket() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("not:an:address") == "not:an:address"
    assert network_of("") == ""
