"""Clients of a site with three CAPs and three DPs: one dies, lags, lies, drains, takes no items, and machines move about."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from purveyor.client.points import memory
from purveyor.client.points.memory import PointUse
from purveyor.client.policy import points as client_points
from purveyor.client.state.identity import read_identity
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import CAP_URL, DP_URL, Fleet
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import points, settings
from purveyor.site_server.admin import status as messages
from purveyor.site_server.admin.status_views import MessageView
from purveyor.site_server.model.points import PointKind
from purveyor.wire.ids import PackageId
from purveyor.wire.status_messages import StatusId

CLIENTS = 4
CAPS = (CAP_URL, "http://two.lab/cap", "http://three.lab/cap")
DPS = (DP_URL, "http://two.lab/dp", "http://three.lab/dp")


class Site:
    """A fleet of which every client has settled at a CAP of its own."""

    def __init__(self) -> None:
        self.fleet = fleet = Fleet(0)
        self.caps = dict(zip(CAPS, [fleet.cap, *(fleet.add_point(PointKind.CAP, url) for url in CAPS[1:])], strict=True))
        self.dps = dict(zip(DPS, [fleet.dp, *(fleet.add_point(PointKind.DP, url) for url in DPS[1:])], strict=True))
        fleet.settle()
        fleet.add_clients(CLIENTS)
        fleet.settle()
        self.packages: list[str] = []

    def roll_out(self, name: str) -> PackageId:
        """A package with content, advertised to everybody."""
        package = self.fleet.admin.add_package(name, {"setup": name.encode() * 40_000})
        self.fleet.admin.advertise(self.fleet.admin.add_program(package, "install", f"./setup {name}"))
        self.packages.append(name)
        return package

    def name_of(self, url: str) -> str:
        """What the site calls a point."""
        return next(view.id for view in self.fleet.admin.ask(points.listed, self.fleet.clock.now()) if view.url == url)

    def used(self, use: PointUse = PointUse.POLICY) -> dict[str, str]:
        """Which point served each client last."""
        return {client.name: memory.last_answer(client.machine.state, use)[0] for client in self.fleet.clients}

    def requests_of(self, boxes: MemoryBoxes, client: LabClient | None = None) -> int:
        """How often a point was asked."""
        return sum(client is None or request.client == client.name for request in boxes.requests)

    def told(self, status: StatusId) -> list[str]:
        """The texts of the messages of this kind that clients told."""
        return [message.text for message in self.messages(status)]

    def messages(self, status: StatusId) -> list[MessageView]:
        """The messages of this kind that the site has."""
        return [message for message in self.fleet.admin.ask(messages.messages, limit=1000) if message.status == status]

    def all_is_well(self) -> None:
        """Everything ran once everywhere, and nobody ever asked for what was not there."""
        for name in self.packages:
            assert [self.fleet.ran(client, f"./setup {name}") for client in self.fleet.clients] == [1] * CLIENTS, name
        assert self.fleet.absent_requests() == []
        assert self.fleet.problems() == []


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with three CAPs and three DPs."""
    made = Site()
    with made.fleet:
        yield made


def test_clients_are_spread_and_only_those_of_a_dead_cap_move_and_leave_it_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "STAY", timedelta(hours=8))
    before = site.used()
    assert len(set(before.values())) > 1
    dead = Counter(before.values()).most_common(1)[0][0]
    site.caps[dead].cut()
    asked = site.requests_of(site.caps[dead])
    site.roll_out("editor")
    site.fleet.advance(hours=7)

    after = site.used()
    assert dead not in after.values()
    assert {name: cap for name, cap in after.items() if before[name] != dead} == {
        name: cap for name, cap in before.items() if cap != dead
    }
    moved = sum(cap == dead for cap in before.values())
    assert site.requests_of(site.caps[dead]) - asked <= 3 * moved, "a dead one is left alone for long, once another one serves"
    site.caps[dead].mend()
    site.fleet.advance(hours=12)
    assert site.used() == before, "in the end everybody is at home again"
    site.all_is_well()


def test_a_cap_that_lags_for_long_costs_nothing_and_is_told_of_once(site: Site) -> None:
    """It shows a publication of long ago: what was deleted since stays deleted, nothing runs again."""
    for name, hours in (("timestamp_rhythm_seconds", 2), ("timestamp_lifetime_seconds", 6)):
        site.fleet.admin.change(settings.change, name, hours * 3600)
    boxes = site.caps[CAPS[1]]
    deleted = site.roll_out("editor")
    site.fleet.settle()
    boxes.keep_moment("long ago")
    site.fleet.admin.delete_package(deleted)
    boxes.cut()
    site.fleet.settle()
    assert all(site.fleet.holds_anything_of(client, deleted) == [] for client in site.fleet.clients)
    boxes.mend()
    boxes.serve_moment("long ago")
    for client in site.fleet.clients:
        client.machine.own_addresses = ("10.1.0.1",)
    site.fleet.admin.change(points.edit, site.name_of(CAPS[1]), networks=["10.1.0.0/16"])
    site.fleet.advance(hours=12)

    assert all(site.fleet.holds_anything_of(client, deleted) == [] for client in site.fleet.clients)
    assert all(client.last_pass is not None and client.last_pass.access_point != CAPS[1] for client in site.fleet.clients)
    assert len([text for text in site.told(StatusId.POINT_WITHHOLDS) if "lags behind" in text]) == CLIENTS
    assert not [text for text in site.told(StatusId.POLICY_PROBLEM) if "lags behind" in text]
    boxes.mend()
    site.roll_out("viewer")
    site.fleet.advance(hours=7)
    assert set(site.used().values()) == {CAPS[1]}
    site.all_is_well()


def test_a_cap_that_lies_or_lacks_files_delays_nobody(site: Site) -> None:
    site.caps[CAPS[1]].corrupt_all(lambda path: ".ofr" in path or ".pkg" in path)
    site.caps[CAPS[2]].hide(lambda path: ".ofr" in path or ".pkg" in path)
    site.roll_out("editor")
    site.fleet.advance(hours=3)
    site.all_is_well()


def test_clients_leave_a_draining_cap_and_go_on_where_it_is_removed(site: Site) -> None:
    gone = Counter(site.used().values()).most_common(1)[0][0]
    name = site.name_of(gone)
    site.fleet.admin.change(points.drain, name)
    site.fleet.settle()
    asked, put = site.requests_of(site.caps[gone]), site.caps[gone].put_count
    site.roll_out("editor")
    site.fleet.advance(hours=12)
    assert site.requests_of(site.caps[gone]) == asked and site.caps[gone].put_count == put
    site.fleet.admin.change(points.remove, name, is_forced=True)
    site.fleet.settle()
    assert gone not in site.used().values()
    site.all_is_well()


def test_a_machine_that_moves_asks_the_points_of_where_it_is(site: Site) -> None:
    for url, network in ((CAPS[1], "10.1.0.0/16"), (CAPS[2], "10.2.0.0/16"), (DPS[1], "10.1.0.0/16"), (DPS[2], "10.2.0.0/16")):
        site.fleet.admin.change(points.edit, site.name_of(url), networks=[network])
    site.fleet.settle()
    site.fleet.settle()
    assert set(site.used().values()) == {CAP_URL}, "who is in neither network has the one for all"
    roamer, places = site.fleet.clients[0], []
    for number, address in enumerate(("10.1.0.5", "10.2.0.5", "192.168.0.5")):
        roamer.machine.own_addresses = (address,)
        site.roll_out(f"tool {number}")
        site.fleet.settle()
        places.append((site.used()[roamer.name], site.used(PointUse.CONTENT)[roamer.name]))
    assert places == [(CAPS[1], DPS[1]), (CAPS[2], DPS[2]), (CAP_URL, DP_URL)]
    assert set(site.used().values()) == {CAP_URL}
    site.all_is_well()


def test_when_all_are_dead_clients_keep_their_pace_and_are_back_within_an_interval(site: Site) -> None:
    for boxes in (*site.caps.values(), *site.dps.values()):
        boxes.cut()
    site.fleet.advance(hours=3)
    asked = {url: site.requests_of(boxes) for url, boxes in site.caps.items()}
    site.fleet.advance(hours=6)
    for url, boxes in site.caps.items():
        assert site.requests_of(boxes) - asked[url] <= CLIENTS * 6 * 3, "a few times an hour, as with one CAP"
    for boxes in (*site.caps.values(), *site.dps.values()):
        boxes.mend()
    site.roll_out("editor")
    site.fleet.advance(hours=2)
    site.all_is_well()


def test_the_address_of_the_join_code_is_the_last_resort(site: Site) -> None:
    """The settings name CAPs that are gone, and the one that was joined at no more; it serves all the same."""
    site.fleet.admin.change(points.drain, "cap1")
    site.fleet.settle()
    site.fleet.admin.change(points.remove, "cap1", is_forced=True)
    site.fleet.settle()
    asked = site.requests_of(site.fleet.cap)
    site.fleet.settle()
    assert site.requests_of(site.fleet.cap) == asked
    for url in CAPS[1:]:
        site.caps[url].cut()
    site.fleet.advance(hours=3)
    assert set(site.used().values()) == {CAP_URL}


def test_items_go_where_they_are_taken_and_what_one_discards_arrives_by_another(site: Site) -> None:
    site.caps[CAPS[1]].discard()
    for boxes in site.caps.values():
        boxes.put_count = 0
    site.roll_out("editor")
    site.fleet.advance(hours=8)
    arrived = {message.client for message in site.messages(StatusId.SUCCEEDED_BY_EXIT_CODE)}
    assert len(arrived) == CLIENTS, "also of those that put theirs where they are thrown away"
    site.all_is_well()


def test_content_is_gone_on_with_at_another_point_and_what_is_damaged_is_told(site: Site) -> None:
    damaged, away, whole = DPS
    site.dps[damaged].corrupt_all(lambda path: path.startswith("files/"))
    site.dps[away].cut()
    site.roll_out("editor")
    site.fleet.advance(hours=3)
    site.all_is_well()
    told = [text for text in site.told(StatusId.DOWNLOAD_WAITING) if "taken from another distribution point" in text]
    assert told and all(damaged in text and "damaged" in text for text in told)
    asked = site.requests_of(site.dps[away])
    site.dps[damaged].mend()
    site.roll_out("viewer")
    site.fleet.advance(minutes=70)
    assert site.requests_of(site.dps[away]) - asked <= CLIENTS
    site.all_is_well()
    assert whole in site.used(PointUse.CONTENT).values()


def test_a_slow_cap_is_left_for_a_faster_one(site: Site) -> None:
    slow = Counter(site.used().values()).most_common(1)[0][0]
    clock = site.fleet.clock
    site.caps[slow].slow_down(200, clock.advance, answer=timedelta(seconds=4))
    site.roll_out("editor")
    site.fleet.advance(hours=4)
    assert slow not in site.used().values()
    site.all_is_well()


def test_the_order_and_its_reasons_can_be_seen(site: Site) -> None:
    client = site.fleet.clients[0]
    state = client.machine.state
    places = client_points.places(state, read_identity(state), client.machine.now())
    assert sorted(place.url for place in places) == sorted(CAPS)
    assert places[0].url == site.used()[client.name]
