"""The pure rules of what a client may conclude: forget exactly what is proven deleted, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.policy import conclude
from purveyor.client.policy.conclude import Freshness
from purveyor.client.state.published import HeldEntry
from purveyor.client.trust import Trusted
from purveyor.lab.clock import Clock
from purveyor.site_server.publish import repository
from purveyor.wire import package_info
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import PackageId, SiteCode, collection_id, package_id_of
from purveyor.wire.package_info import PackageInfo
from purveyor.wire.shards import ClientState, Entry, Shard
from small_site import BIN_BITS, Repository, package
from wire_values import instants

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
SITE = SiteCode("S01")
numbers = st.integers(1, 40)


def held(
    *, state: ClientState = ClientState.MEMBER, is_stated: bool = True, snapshot: int = 5, expires_at: datetime | None = None
) -> HeldEntry:
    """An accepted entry."""
    entry = Entry(state=state, collections=(collection_id("S0110001"),))
    return HeldEntry(
        entry=entry, is_stated=is_stated, publication=9, snapshot=snapshot, expires_at=expires_at or NOW + timedelta(days=1)
    )


# --- deletion ---


def published(listed: set[int], highest: int) -> Repository:
    """A site with packages of these numbers, of which so many were ever given."""
    site = Repository(Clock())
    infos = [package(package_id_of(SITE, number), 1) for number in listed]
    site.publish({package_info.path_of(info.id): package_info.encode(info) for info in infos}, highest={"packages": highest})
    return site


def trusted_of(site: Repository, bins: set[str]) -> Trusted:
    """A client that holds the metadata down to some of the bins."""
    trusted = Trusted(site.read("root"), {})
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_snapshot(site.read("snapshot"))
    for role in ("targets", "packages", *sorted(bins)):
        trusted.take_targets(role, site.read(role))
    return trusted


@given(st.sets(numbers), numbers, st.sets(st.integers(0, 2**BIN_BITS - 1)), st.lists(numbers, min_size=1))
def test_exactly_what_was_given_and_is_gone_is_proven_deleted(
    listed: set[int], highest: int, bins: set[int], asked: list[int]
) -> None:
    highest = max([highest, *listed])
    site = published(listed, highest)
    names = {f"packages-{number}" for number in bins}
    trusted = trusted_of(site, names)
    for number in asked:
        package_id = package_id_of(SITE, number)
        is_bin_held = repository.role_of_target(package_info.path_of(package_id), BIN_BITS) in names
        is_gone = number <= highest and number not in listed
        assert conclude.is_proven_deleted(trusted, package_id) == (is_bin_held and is_gone)


@given(st.sets(numbers, min_size=1))
def test_nothing_is_proven_by_metadata_that_is_not_all_of_one_publication(listed: set[int]) -> None:
    site = published(listed, 40)
    trusted = trusted_of(site, {f"packages-{number}" for number in range(2**BIN_BITS)})
    gone = [package_id_of(SITE, number) for number in range(1, 41) if number not in listed]
    site.publish(renew="timestamp snapshot")
    trusted.take_timestamp(site.read("timestamp"))
    for package_id in gone:
        with pytest.raises(RejectedError):
            conclude.is_proven_deleted(trusted, package_id)


def test_an_id_above_the_highest_was_never_given() -> None:
    assert conclude.was_given(PackageId("S0100009"), 9)
    assert not conclude.was_given(PackageId("S010000A"), 9)


@given(st.sets(st.integers(1, 20), max_size=10), st.integers(0, 20))
def test_deleted_programs_are_the_gaps_up_to_the_highest(present: set[int], highest: int) -> None:
    info: PackageInfo = package("S0100001", *present, highest=highest or 1)
    deleted = {key.program for key in conclude.programs_deleted(info)}
    assert deleted == set(range(1, (highest or 1) + 1)) - present
    assert all(key.package == "S0100001" for key in conclude.programs_deleted(info))


def test_a_package_without_a_highest_program_deletes_none() -> None:
    assert conclude.programs_deleted(PackageInfo(id=PackageId("S0100001"), name="n", source_version=1)) == frozenset()


# --- offering ---


def test_all_conditions_together_make_the_offering_complete() -> None:
    assert conclude.is_offering_complete(held(), snapshot=5, is_everything_read=True, is_fresh=True, now=NOW)


@pytest.mark.parametrize(
    ("entry", "facts"),
    [
        (None, {}),
        (HeldEntry(entry=None, is_stated=False, publication=9, snapshot=5, expires_at=NOW + timedelta(days=1)), {}),
        (held(is_stated=False), {}),
        (held(state=ClientState.WAITING), {}),
        (held(state=ClientState.BLOCKED), {}),
        (held(state=ClientState.REFUSED), {}),
        (held(state=ClientState.REJOIN), {}),
        (held(expires_at=NOW), {}),
        (held(snapshot=6), {}),
        (held(), {"is_everything_read": False}),
        (held(), {"is_fresh": False}),
    ],
)
def test_any_one_condition_missing_makes_it_incomplete(entry: HeldEntry | None, facts: dict[str, bool]) -> None:
    given_facts = {"is_everything_read": True, "is_fresh": True} | facts
    assert not conclude.is_offering_complete(entry, snapshot=5, now=NOW, **given_facts)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(-5, 5))
def test_a_shard_is_accepted_when_it_is_not_older_than_any_seen_and_not_expired(publication: int, newest: int, days: int) -> None:
    shard = Shard(
        generation=1,
        number=0,
        publication=publication,
        snapshot=1,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=days),
        entries={},
    )
    accepted = conclude.is_shard_acceptable(shard, newest_publication=newest, now=NOW)
    assert accepted == (publication >= newest and days > 0)


# --- time ---


@given(st.none() | instants, st.integers(0, 90 * 86_400), instants)
def test_freshness_ends_with_the_first_expiry_and_running_with_the_grace(
    expires_at: datetime | None, grace: int, now: datetime
) -> None:
    found = conclude.freshness(expires_at=expires_at, stale_grace_seconds=grace, now=now)
    if expires_at is None:
        assert found == Freshness(False, False)
    else:
        assert found.is_fresh == (now < expires_at)
        assert found.may_run_accepted == (now < expires_at + timedelta(seconds=grace))
        assert found.may_run_accepted or not found.is_fresh


@pytest.mark.parametrize(("hours", "is_withheld"), [(0, False), (47, False), (48, False), (49, True)])
def test_a_timestamp_older_than_two_rhythms_counts_as_withheld(hours: int, is_withheld: bool) -> None:
    assert conclude.is_withheld(NOW - timedelta(hours=hours), 86_400, NOW) is is_withheld
    assert not conclude.is_withheld(None, 86_400, NOW)
