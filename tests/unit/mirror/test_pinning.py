"""By which keys a mirror knows the HTTPS servers of its source."""

from purveyor.mirror.pinning import Pinning
from purveyor.wire.ids import site_code
from purveyor.wire.pins import pin_of_key
from purveyor.wire.settings import AgentSettings, Point, Shards

CAP, DP, ELSEWHERE = "https://site.example/cap", "https://site.example/dp", "https://other.example:8443/cap"
TYPED, CODED, NAMED, NEXT = (pin_of_key(key) for key in (b"typed", b"coded", b"named", b"next"))


def settings(*points: Point) -> AgentSettings:
    """What a site says to its agents."""
    shards = Shards(generation=1, bits=0, keys=())
    return AgentSettings(site=site_code("S01"), incarnation=1, shards=shards, sealing_keys=(), access_points=points)


def test_before_there_are_settings_what_was_typed_counts_and_else_the_join_code() -> None:
    assert Pinning(given=(TYPED,), from_code=CODED).pins_of(CAP) == (TYPED,)
    assert Pinning(from_code=CODED).pins_of(CAP) == (CODED,)
    assert Pinning().pins_of(CAP) == ()


def test_what_signed_settings_name_counts_more_than_what_was_typed_and_a_join_code_counts_no_more() -> None:
    pinning = Pinning(given=(TYPED,), from_code=CODED)
    pinning.learn(settings(Point(id="cap1", url=".", pins=(NAMED, NEXT))), CAP)
    assert pinning.pins_of(CAP) == pinning.pins_of(DP) == (NAMED, NEXT), "pins belong to a server"
    assert pinning.pins_of(ELSEWHERE) == (TYPED,), "a server that the site does not know is known by what was typed"
    assert (pinning.unnamed(CAP), pinning.unnamed(ELSEWHERE)) == ((TYPED,), ()), "what was typed is not that server's"
    assert Pinning(given=(TYPED,)).unnamed(CAP) == ()
    from_code = Pinning(from_code=CODED)
    from_code.learn(settings(Point(id="cap1", url=CAP)), CAP)
    assert from_code.pins_of(CAP) == (), "the site relies on CAs, so does its mirror"
