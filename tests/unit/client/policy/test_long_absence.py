"""Polls after a clock that jumped, after a long time away, in newer words than the agent's, and after another site."""

from datetime import timedelta

import msgspec
import pytest
from tuf.api.metadata import Timestamp

from purveyor.client.state import published
from purveyor.lab.transport import MemoryBoxes
from purveyor.wire import offers, shards
from purveyor.wire.ids import collection_id, package_id
from purveyor.wire.settings import Point
from purveyor.wire.status_messages import StatusId
from small_client import SmallClient
from small_site import DAY, URL, SmallSite, key_of, member, package

COLLECTION, OTHER = collection_id("S0110001"), collection_id("S0110002")
PACKAGE, SECOND_PACKAGE = package_id("S0100001"), package_id("S0100002")
ELSEWHERE = package_id("S0200001")
SECOND = "http://second.test/cap"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
YEAR = 365 * DAY


@pytest.fixture
def site() -> SmallSite:
    """A site that offers one program of one package to one collection."""
    made = SmallSite()
    made.add_packages(package(PACKAGE, 1), package(SECOND_PACKAGE, 1))
    made.offer(key_of(PACKAGE), collection=COLLECTION)
    return made


@pytest.fixture
def client(site: SmallSite) -> SmallClient:
    """A member of the collection, who has polled once."""
    made = SmallClient(site)
    site.say({made.identity.client: member(COLLECTION)})
    made.poll()
    return made


def set_back(site: SmallSite) -> None:
    """The clock, which was a year ahead, is right again."""
    site.clock._now -= YEAR


# --- clocks ---


def test_a_cap_that_failed_while_the_clock_was_ahead_is_asked_again(site: SmallSite, client: SmallClient) -> None:
    site.boxes.cut()
    client.poll(after=YEAR)
    site.boxes.mend()
    set_back(site)
    assert client.poll(after=HOUR).access_point == URL


def test_the_root_is_read_again_after_the_clock_was_ahead(site: SmallSite, client: SmallClient) -> None:
    client.poll(after=YEAR)
    set_back(site)
    mark = len(site.boxes.requests)
    client.poll(after=HOUR)
    assert "clidata.box/root.json" in site.requests_since(mark)


def test_a_deletion_seen_while_the_clock_was_ahead_counts_as_read_only_once_it_was_judged(
    site: SmallSite, client: SmallClient
) -> None:
    client.hold(PACKAGE)
    site.delete_package(PACKAGE)
    ahead = client.policy(after=YEAR)
    assert not ahead.is_fresh
    assert client.state.mark("read_snapshot") < client.state.mark("snapshot")
    set_back(site)
    policy = client.policy(after=MINUTE)
    assert policy.is_fresh
    assert client.state.mark("read_snapshot") == client.state.mark("snapshot")
    assert policy.deleted_packages == {PACKAGE}


def test_a_site_whose_clock_was_ahead_for_an_hour_is_understood_again(site: SmallSite, client: SmallClient) -> None:
    role = site.repository.roles["timestamp"]

    def put_ahead(signed: Timestamp) -> None:
        signed.version = role.version + 1
        signed.unrecognized_fields |= {"issued_at": (site.clock.now() + 10 * YEAR).isoformat()}

    site.repository.keep([site.repository.signed_by_hand("timestamp", put_ahead)])
    site.write_role(site.repository.roles["timestamp"])
    assert not client.policy().is_fresh
    site.publish(renew="timestamp")
    assert client.policy(after=HOUR).is_fresh


# --- away for long ---


def test_a_client_away_while_its_generation_of_shards_was_removed_finds_the_new_one(site: SmallSite, client: SmallClient) -> None:
    site.set_settings(shards=msgspec.structs.replace(site.settings.shards, generation=2))
    site.offer(key_of(SECOND_PACKAGE), collection=OTHER)
    shard = site.shard_of({client.identity.client: member(COLLECTION, OTHER)}, generation=2)
    site.shelf.replace(shards.path_of(2, 0), shards.encode(shard, site.repository.keys.private("lookup")))
    site.shelf.remove(shards.path_of(1, 0))
    policy = client.policy(after=2 * DAY)
    assert {offer.advertisement.package for offer in policy.offers} == {PACKAGE, SECOND_PACKAGE}
    assert site.boxes.absent_requests() == []


# --- newer words ---


def test_offers_in_words_that_this_agent_does_not_know_stop_no_others(site: SmallSite, client: SmallClient) -> None:
    site.offer(key_of(SECOND_PACKAGE), collection=OTHER)
    said = msgspec.json.decode(offers.encode(offers.CollectionOffers(collection=COLLECTION)))
    said["advertisements"] = [{"id": "S0120001", "moon": "full"}]
    site.publish({offers.path_of(COLLECTION): msgspec.json.encode(said)})
    site.say({client.identity.client: member(COLLECTION, OTHER)})
    policy = client.policy()
    assert [offer.advertisement.package for offer in policy.offers] == [SECOND_PACKAGE]
    assert not policy.is_complete
    assert [problem.about for problem in policy.problems] == [offers.path_of(COLLECTION)]


# --- another site before ---


def test_packages_of_a_site_left_before_are_not_judged_by_this_one(site: SmallSite, client: SmallClient) -> None:
    client.hold(ELSEWHERE, PACKAGE)
    site.delete_package(PACKAGE)
    assert client.policy(after=DAY).deleted_packages == {PACKAGE}
    assert ELSEWHERE in published.held_package_ids(client.state)


# --- several CAPs ---


@pytest.fixture
def mirror(site: SmallSite) -> MemoryBoxes:
    """Another CAP, which has what the first has, named in the settings."""
    site.set_settings(access_points=(Point(id="cap1", url=URL, weight=1000), Point(id="cap2", url=SECOND, weight=1)))
    return MemoryBoxes(SECOND, site.clock.now)


@pytest.fixture
def roaming(site: SmallSite, mirror: MemoryBoxes) -> SmallClient:
    """A client that knows both CAPs."""
    made = SmallClient(site, others={SECOND: mirror})
    site.say({made.identity.client: member(COLLECTION)})
    made.poll()
    mirror.files = dict(site.boxes.files)
    return made


def test_where_one_cap_keeps_newer_timestamps_back_another_is_asked(
    site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient
) -> None:
    held_back = dict(site.boxes.files)
    site.clock.advance(3 * DAY)
    site.publish(renew="timestamp")
    mirror.files = dict(site.boxes.files)
    site.boxes.files = held_back
    polled = roaming.poll()
    assert polled.access_point == SECOND
    assert [(one.about, one.status) for one in polled.policy.problems] == [(URL, StatusId.POINT_WITHHOLDS)]
    assert roaming.poll(after=HOUR).policy.problems == ()


def test_where_all_caps_keep_newer_timestamps_back_the_first_serves(mirror: MemoryBoxes, roaming: SmallClient) -> None:
    polled = roaming.poll(after=3 * DAY)
    assert polled.access_point == URL
    assert {one.about for one in polled.policy.problems} == {URL, SECOND}
    assert mirror.requests


def test_the_trouble_of_caps_lasts_until_they_are_asked_again(site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient) -> None:
    site.boxes.cut()
    mirror.cut()
    first = roaming.poll(after=HOUR)
    mark = len(mirror.requests)
    again = roaming.poll(after=timedelta(seconds=30))
    assert len(mirror.requests) == mark
    assert first.policy.problems == again.policy.problems
    assert {problem.about for problem in first.policy.problems} == {URL, SECOND}
