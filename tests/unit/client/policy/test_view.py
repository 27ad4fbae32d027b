"""The policy that follows from what is held, and the addresses of points."""

import pytest

from purveyor.client.points.addresses import resolved
from purveyor.wire.ids import collection_id, package_id
from purveyor.wire.offers import ContentPlace, RetirementNote, RunningChoice
from small_client import SmallClient
from small_site import SITE, SmallSite, key_of, member, package

COLLECTION = collection_id("S0110001")


@pytest.mark.parametrize(
    ("url", "access_point", "whole"),
    [
        ("http://elsewhere/dp", "http://cap.test/cap", "http://elsewhere/dp"),
        (".", "http://cap.test/cap", "http://cap.test/cap"),
        (".", "http://cap.test:8080/cap/", "http://cap.test:8080/cap"),
        ("../dp", "http://cap.test/cap", "http://cap.test/dp"),
        ("../dp", "https://cap.test/a/cap/", "https://cap.test/a/dp"),
        ("../dp", "/srv/site/CAP_S01", "/srv/site/DP_S01"),
        ("../dp", "/srv/site/CAP_S01/", "/srv/site/DP_S01"),
        (".", "/srv/site/CAP_S01/", "/srv/site/CAP_S01"),
        ("../dp", "/mnt/stick", "/mnt/stick/DP_S01"),
        ("../dp", "/mnt/MY-CAP_S01", "/mnt/MY-CAP_S01/DP_S01"),
        ("../dp", "smb://server/CAP_S01", "smb://server/DP_S01"),
        ("../dp", "smb://server/cap_s01", "smb://server/DP_S01"),
        ("../dp", "smb://server:4450/boxes/CAP_S01", "smb://server:4450/boxes/DP_S01"),
        ("../dp", "smb://server/boxes", "smb://server/boxes/DP_S01"),
        (".", "smb://server/boxes/CAP_S01", "smb://server/boxes/CAP_S01"),
        ("smb://Server/DP_S01", "http://cap.test/cap", "smb://server/DP_S01"),
        (r"\\server\DP_S01", "http://cap.test/cap", "smb://server/DP_S01"),
        (r"\\server", "http://cap.test/cap", r"\\server"),
    ],
)
def test_a_relative_point_is_found_beside_the_cap_that_is_asked(url: str, access_point: str, whole: str) -> None:
    assert resolved(url, access_point, SITE) == whole


def test_what_offers_say_reaches_the_policy() -> None:
    site = SmallSite()
    site.add_packages(package("S0100001", 1, 2))
    client = SmallClient(site)
    site.offer(
        key_of("S0100001"),
        collection=COLLECTION,
        disabled=(key_of("S0100001", 2),),
        removals=(package_id("S0100005"),),
        retirements=(RetirementNote(package=package_id("S0100006"), running=RunningChoice.STOP),),
        places=(ContentPlace(manifest="ab" * 32, points=("dp1", "unknown")),),
    )
    site.say({client.identity.client: member(COLLECTION)})
    policy = client.policy()
    assert [(offer.collection, offer.advertisement.key) for offer in policy.offers] == [(COLLECTION, key_of("S0100001"))]
    assert policy.disabled == {key_of("S0100001", 2)}
    assert policy.removals == {"S0100005"}
    assert policy.running_choices == {"S0100006": RunningChoice.STOP}
    assert policy.points == {"ab" * 32: ("http://cap.test/dp",)}
    assert policy.settings == site.settings


def test_one_program_offered_through_two_collections_is_offered_twice() -> None:
    site = SmallSite()
    site.add_packages(package("S0100001", 1))
    client = SmallClient(site)
    other = collection_id("S0110002")
    site.offer(key_of("S0100001"), collection=COLLECTION)
    site.offer(key_of("S0100001"), collection=other)
    site.say({client.identity.client: member(COLLECTION, other)})
    assert {offer.collection for offer in client.policy().offers} == {COLLECTION, other}


def test_what_nothing_needs_any_more_is_let_go_and_no_record_with_it() -> None:
    site = SmallSite()
    site.add_packages(package("S0100001", 1))
    client = SmallClient(site)
    site.offer(key_of("S0100001"), collection=COLLECTION)
    site.say({client.identity.client: member(COLLECTION)})
    client.poll()
    assert len(client.contents()["target"]) == 3
    site.say({client.identity.client: member()})
    client.hold("S0100001")
    client.poll()
    held = {row[0] for row in client.contents()["target"]}
    assert held == {"clidata.box/settings.json", "pkginfo.box/S0100001.pkg"}
    assert client.connection.execute("select package from history").fetchall() == [("S0100001",)]
