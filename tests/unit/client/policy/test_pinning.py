"""By which keys a client knows the HTTPS servers of its site: the settings say so, and before them the join code."""

import pytest

from purveyor.client.policy import pinning
from purveyor.client.state.store import State
from purveyor.lab.state import memory_connection
from purveyor.wire.pins import pin_of_key
from purveyor.wire.settings import Point
from small_client import SmallClient
from small_site import SmallSite, member

HOME, BRANCH, NEXT, OF_CODE = (pin_of_key(name.encode()) for name in ("home", "branch", "next", "code"))
SITE = "https://site.example:8470"


def client_told_of(*caps: Point, dps: tuple[Point, ...] = (), code_pin: str = "") -> State:
    """A client that read settings with these points, and began with a join code."""
    site = SmallSite()
    client = SmallClient(site)
    pinning.begin(client.state, code_pin)
    site.set_settings(access_points=caps, distribution_points=dps)
    site.say({client.identity.client: member()})
    client.poll()
    return client.state


def test_before_settings_the_join_code_says_what_counts_and_without_a_pin_in_it_the_cas_do() -> None:
    state = State(memory_connection())
    pinning.begin(state, OF_CODE)
    assert pinning.pins_of(state, f"{SITE}/cap") == (OF_CODE,)
    assert pinning.pins_of(state, "http://site.example/cap") == ()
    pinning.begin(state, "")
    assert pinning.pins_of(state, f"{SITE}/cap") == ()


def test_once_there_are_settings_the_pin_of_the_join_code_counts_no_more() -> None:
    state = client_told_of(Point(id="cap1", url=f"{SITE}/cap", pins=(HOME, NEXT)), code_pin=OF_CODE)
    assert pinning.pins_of(state, f"{SITE}/cap") == (HOME, NEXT)
    state = client_told_of(Point(id="cap1", url=f"{SITE}/cap"), code_pin=OF_CODE)
    assert pinning.pins_of(state, f"{SITE}/cap") == (), "the site says that CAs decide there"


def test_pins_belong_to_a_server_whatever_the_path_and_however_its_name_is_written() -> None:
    state = client_told_of(
        Point(id="cap1", url=f"{SITE}/cap", pins=(HOME,)),
        Point(id="cap2", url="https://branch.example/cap", pins=(BRANCH,)),
        dps=(Point(id="dp1", url=f"{SITE}/dp", pins=(HOME, NEXT)),),
    )
    assert pinning.pins_of(state, "https://SITE.example:8470/dp/") == (HOME, NEXT)
    assert pinning.pins_of(state, "https://branch.example:443/elsewhere") == (BRANCH,)
    assert pinning.pins_of(state, "https://site.example/cap") == (), "another port is another server"


def test_a_point_beside_the_cap_that_is_asked_is_at_its_server() -> None:
    state = client_told_of(Point(id="cap1", url=".", pins=(HOME,)), dps=(Point(id="dp1", url="../dp", pins=(NEXT,)),))
    state.remember("access_point", f"{SITE}/cap")
    assert pinning.pins_of(state, f"{SITE}/dp") == (HOME, NEXT)


@pytest.mark.parametrize(("code_pin", "expected"), [(OF_CODE, {HOME, BRANCH, NEXT}), ("", set())])
def test_a_server_that_settings_do_not_name_is_known_by_any_pin_of_the_site_where_no_ca_knew_it(
    code_pin: str, expected: set[str]
) -> None:
    """As the one that was joined at, once the points were given other names: a name that was mistyped loses nobody."""
    state = client_told_of(
        Point(id="cap1", url="https://mistyped.example/cap", pins=(HOME, NEXT)),
        Point(id="cap2", url="https://branch.example/cap", pins=(BRANCH,)),
        code_pin=code_pin,
    )
    assert set(pinning.pins_of(state, "https://10.1.0.5:8470/cap")) == expected


def test_what_is_no_pin_is_passed_over() -> None:
    state = client_told_of(Point(id="cap1", url=f"{SITE}/cap", pins=("sha1/other", HOME)))
    assert pinning.pins_of(state, f"{SITE}/cap") == (HOME,)
