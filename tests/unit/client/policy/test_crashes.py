"""A power cut at every commit of a poll: the next poll ends where an undisturbed one would have."""

from datetime import timedelta

import pytest

from purveyor.client.policy_view import Policy
from purveyor.lab.power import PowerCut
from purveyor.wire.ids import collection_id, package_id
from small_client import SmallClient
from small_site import SmallSite, key_of, member, package

COLLECTION = collection_id("S0110001")
HOUR = timedelta(hours=1)


def client_before_changes(*, has_polled: bool) -> SmallClient:
    """A client of a site on which much has changed since it polled, or which never polled."""
    site = SmallSite()
    site.add_packages(package("S0100001", 1), package("S0100002", 1))
    site.offer(key_of("S0100001"), key_of("S0100002"), collection=COLLECTION)
    client = SmallClient(site)
    site.say({client.identity.client: member(COLLECTION)})
    if has_polled:
        client.poll()
        client.hold("S0100001", "S0100002")
    site.add_packages(package("S0100003", 1))
    site.offer(key_of("S0100002"), key_of("S0100003"), collection=COLLECTION)
    site.delete_package(package_id("S0100001"))
    site.set_settings(poll_interval_seconds=60)
    site.say({client.identity.client: member(COLLECTION, received=7)})
    return client


def without_problems(policy: Policy) -> dict[str, object]:
    """What a policy says, apart from what went wrong on the way."""
    return {name: getattr(policy, name) for name in policy.__struct_fields__ if name != "problems"}


@pytest.mark.parametrize("has_polled", [True, False])
def test_a_power_cut_at_any_commit_of_a_poll_changes_nothing_in_the_end(has_polled: bool) -> None:
    undisturbed = client_before_changes(has_polled=has_polled)
    undisturbed.power.fail_at(None)
    expected = undisturbed.poll(after=HOUR).policy
    effects = undisturbed.power.effect_count
    assert effects > 5
    for effect in range(1, effects + 1):
        client = client_before_changes(has_polled=has_polled)
        client.power.fail_at(effect)
        with pytest.raises(PowerCut):
            client.poll(after=HOUR)
        client.restart()
        policy = client.poll().policy
        assert without_problems(policy) == without_problems(expected), f"after a cut at effect {effect}"
        assert client.contents()["deleted"] == undisturbed.contents()["deleted"]
        assert client.contents()["mark"] == undisturbed.contents()["mark"]
        assert client.site.boxes.absent_requests() == []


def test_what_was_seen_is_never_undercut_after_a_power_cut() -> None:
    """Once a newer timestamp was used for anything, an older one is refused, wherever the power failed."""
    effect = 0
    while True:
        effect += 1
        client = client_before_changes(has_polled=True)
        site = client.site
        site.boxes.keep_moment("older")
        site.publish(renew="timestamp")
        site.say({client.identity.client: member(COLLECTION, received=8)})
        client.power.fail_at(effect)
        try:
            client.poll(after=HOUR)
        except PowerCut:
            client.restart()
        else:
            break
        seen = client.state.mark("timestamp")
        site.boxes.serve_moment("older")
        client.poll(after=HOUR)
        assert client.state.mark("timestamp") >= seen
    assert effect > 5


def test_lost_metadata_keeps_what_was_seen() -> None:
    client = client_before_changes(has_polled=True)
    site = client.site
    site.boxes.keep_moment("older")
    site.publish(renew="timestamp")
    site.say({client.identity.client: member(COLLECTION, received=8)})
    client.poll(after=HOUR)
    with client.state.transaction() as tx:
        tx.execute("delete from trusted where name != 'root'")
        tx.execute("delete from tag")
    site.boxes.serve_moment("older")
    polled = client.poll(after=HOUR)
    assert polled.access_point is None
    assert any("lags" in problem.reason or "seen before" in problem.reason for problem in polled.policy.problems)
    site.boxes.mend()
    assert client.poll(after=HOUR).policy.is_complete
