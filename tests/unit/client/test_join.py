"""Joining a site, being told what it thinks, and leaving it."""

import hashlib
from collections.abc import Mapping

import pytest

from purveyor.client import join
from purveyor.client.policy import pinning
from purveyor.client.state import published
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import PowerCut
from purveyor.transport.interface import Point
from purveyor.wire import envelope, join_code
from purveyor.wire import reports as wire_reports
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import ClientId, SiteCode
from purveyor.wire.join_code import JoinCode
from purveyor.wire.pins import pin_of_key
from purveyor.wire.reports import Body, Joining, Leaving
from purveyor.wire.settings import Point as ToldPoint
from purveyor.wire.shards import ClientState, Entry
from small_client import SmallClient
from small_site import SITE, URL, Repository, SmallSite, fixed_keys, identity_of, member

PIN = pin_of_key(b"the site's")


class Newcomer:
    """A machine that is to join."""

    def __init__(self, site: SmallSite) -> None:
        self.site = site
        self.machine = SimulatedMachine("m1", site.clock)

    def point_for(self, url: str) -> Point:
        """The CAP at a URL."""
        assert url == URL
        return self.site.boxes.point("m1")

    def request(self, code: str) -> ClientId:
        """Asks to join."""
        return join.request(self.machine.state, self.machine, access_point=URL, code_text=code, point_for=self.point_for).client

    def standing(self) -> join.Standing:
        """Asks what the site says."""
        return join.standing(self.machine.state, self.machine, point_for=self.point_for)


@pytest.fixture
def newcomer() -> Newcomer:
    """A machine that has not joined yet."""
    site = SmallSite()
    site.say({})
    return Newcomer(site)


def code_of(repository: Repository, *, site: str = SITE, version: int = 1, pin: str = "") -> str:
    """A join code of the site."""
    digest = hashlib.sha256(repository.versions["root", 1]).digest()
    return join_code.write(JoinCode(SiteCode(site), version, digest, join_code.secret_of(bytes(10)), pin))


def bodies(site: SmallSite) -> Mapping[str, list[Body]]:
    """What arrived in the up boxes, by box."""
    found: dict[str, list[Body]] = {}
    for path, stored in sorted(site.boxes.files.items(), key=lambda file: file[1].modified):
        box = path.partition("/")[0]
        if box in ("ccr.box", "ddr.box"):
            opened = envelope.opened(envelope.split(stored.content), box=box, keys=fixed_keys().sealing)
            found.setdefault(box, []).append(wire_reports.decode(opened).item.body)
    return found


@pytest.mark.parametrize(("unpinned", "expected"), [((), (PIN,)), ((URL,), ())])
def test_a_server_with_another_key_than_the_code_names_is_left_to_cas_where_settings_do_not_name_it(
    unpinned: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    site = SmallSite()
    site.set_settings(access_points=(ToldPoint(id="cap1", url="https://site.example/cap", pins=(PIN,)),))
    site.say({})
    machine, code = SimulatedMachine("m1", site.clock), code_of(site.repository, pin=PIN)
    join.request(
        machine.state,
        machine,
        access_point=URL,
        code_text=code,
        point_for=lambda _: site.boxes.point("m1"),
        unpinned=lambda: unpinned,
    )
    assert pinning.pins_of(machine.state, "https://branch.example/cap") == expected


def test_a_request_to_join_carries_the_secret_and_what_the_machine_is(newcomer: Newcomer) -> None:
    client = newcomer.request(code_of(newcomer.site.repository))
    [asked] = bodies(newcomer.site)["ccr.box"]
    assert isinstance(asked, Joining)
    assert (asked.secret, asked.facts.name) == (join_code.secret_of(bytes(10)), "m1")
    assert read_identity(newcomer.machine.state).client == client


def test_joining_follows_the_roots_since_the_code_was_made(newcomer: Newcomer) -> None:
    code = code_of(newcomer.site.repository)
    repository = newcomer.site.repository
    newcomer.site.write_role(repository.rotate_root(fixed_keys(), "timestamp"))
    newcomer.request(code)
    assert newcomer.machine.state.mark("root") == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ClientState.MEMBER, "is a member of site S01"),
        (ClientState.WAITING, "an administrator must approve it"),
        (ClientState.BLOCKED, "has blocked this client: because"),
        (ClientState.REJOIN, "asks this client to join again: because"),
        (ClientState.REFUSED, "refused: because"),
    ],
)
def test_what_the_site_says_is_said_in_words(newcomer: Newcomer, state: ClientState, words: str) -> None:
    client = newcomer.request(code_of(newcomer.site.repository))
    assert newcomer.standing().in_words("S01") == "the request was sent; site S01 has not answered yet"
    newcomer.site.say({client: Entry(state=state, reason="because", received=1)})
    said = newcomer.standing()
    assert said.state is state
    assert words in said.in_words("S01")


def test_a_refused_request_leaves_nothing_behind(newcomer: Newcomer) -> None:
    code = code_of(newcomer.site.repository)
    client = newcomer.request(code)
    newcomer.site.say({client: Entry(state=ClientState.REFUSED, reason="the code is used up", received=1)})
    assert "the code is used up" in newcomer.standing().in_words("S01")
    assert not has_identity(newcomer.machine.state)
    assert newcomer.request(code) != client


def test_asking_twice_makes_one_client(newcomer: Newcomer) -> None:
    code = code_of(newcomer.site.repository)
    assert newcomer.request(code) == newcomer.request(code)


def test_a_request_that_a_cap_discarded_is_sent_again(newcomer: Newcomer) -> None:
    newcomer.site.boxes.discard()
    newcomer.request(code_of(newcomer.site.repository))
    assert bodies(newcomer.site) == {}
    newcomer.site.boxes.mend()
    newcomer.site.clock.advance(join.reports.LONGEST_RESEND)
    newcomer.standing()
    assert len(bodies(newcomer.site)["ccr.box"]) == 1


def test_a_member_does_not_join_again_by_accident(newcomer: Newcomer) -> None:
    code = code_of(newcomer.site.repository)
    client = newcomer.request(code)
    newcomer.site.say({client: member()})
    newcomer.standing()
    with pytest.raises(RefusedError, match="already a member of site S01"):
        newcomer.request(code)


def test_a_code_of_another_site_is_refused_before_anything_is_sent(newcomer: Newcomer) -> None:
    stranger = Repository(newcomer.site.clock, fixed_keys("stranger"))
    refuses(newcomer, code_of(stranger), "its root of trust is another one")


def test_a_code_that_names_another_site_code_is_refused(newcomer: Newcomer) -> None:
    refuses(newcomer, code_of(newcomer.site.repository, site="S02"), "the join code is for site S02")


@pytest.mark.parametrize("typed", [URL, f"{URL}/"])
def test_at_a_bucket_nobody_joins_and_the_caps_that_take_requests_are_named(newcomer: Newcomer, typed: str) -> None:
    site, machine = newcomer.site, newcomer.machine
    named = [ToldPoint(id="cap1", url="https://site.example/cap"), ToldPoint(id="cap2", url=URL, takes_items=False)]
    site.set_settings(access_points=tuple(named))
    site.say({})
    code = code_of(site.repository)
    with pytest.raises(RefusedError, match=r"nobody joins there: join at https://site\.example/cap$"):
        join.request(machine.state, machine, access_point=typed, code_text=code, point_for=lambda _: site.boxes.point("m1"))
    assert not has_identity(machine.state)


def test_a_folder_that_is_no_cap_is_refused(newcomer: Newcomer) -> None:
    refuses(newcomer, code_of(newcomer.site.repository, version=7), "has no clidata.box/7.root.json")


def test_what_a_hostile_cap_serves_behind_the_right_root_is_refused(newcomer: Newcomer) -> None:
    newcomer.site.shelf.replace("clidata.box/timestamp.json", b"{}")
    refuses(newcomer, code_of(newcomer.site.repository), "cannot be believed")


def refuses(newcomer: Newcomer, code: str, reason: str) -> None:
    """Joining is refused with this reason; nothing was sent, and no identity is left."""
    with pytest.raises(RefusedError, match=reason):
        newcomer.request(code)
    assert bodies(newcomer.site) == {}
    assert not has_identity(newcomer.machine.state)


def test_an_unreachable_cap_is_no_refusal(newcomer: Newcomer) -> None:
    newcomer.site.boxes.cut()
    with pytest.raises(UnavailableError):
        newcomer.request(code_of(newcomer.site.repository))


def test_a_power_cut_anywhere_in_joining_ends_as_one_client() -> None:
    effect = 0
    while True:
        effect += 1
        site = SmallSite()
        site.say({})
        newcomer = Newcomer(site)
        code = code_of(site.repository)
        newcomer.machine.power.fail_at(effect)
        try:
            newcomer.request(code)
        except PowerCut:
            newcomer.machine.power_cut()
            newcomer.machine.start()
        else:
            break
        client = newcomer.request(code)
        newcomer.standing()
        site.clock.advance(join.reports.LONGEST_RESEND)
        newcomer.standing()
        found = [envelope.split(stored.content).client for path, stored in site.boxes.files.items() if path.startswith("ccr.box")]
        assert set(found) == {client}
    assert effect > 5


def test_leaving_tells_the_site_and_forgets_it() -> None:
    site = SmallSite()
    client = SmallClient(site)
    site.say({client.identity.client: member()})
    client.poll()
    client.hold("S0100001")
    machine = SimulatedMachine("c1", site.clock)
    join.leave(client.state, machine, point_for=client.point_for)
    assert bodies(site)["ddr.box"] == [Leaving()]
    assert not has_identity(client.state)
    assert published.held_package_ids(client.state) == {"S0100001"}, "what was installed is remembered"


def test_leaving_a_site_that_cannot_be_told_changes_nothing() -> None:
    site = SmallSite()
    client = SmallClient(site)
    site.say({client.identity.client: member()})
    client.poll()
    machine = SimulatedMachine("c1", site.clock)
    site.boxes.cut()
    with pytest.raises(UnavailableError):
        join.leave(client.state, machine, point_for=client.point_for)
    assert read_identity(client.state).client == identity_of("c1").client
    site.boxes.mend()
    join.leave(client.state, machine, point_for=client.point_for)
    assert not has_identity(client.state)
