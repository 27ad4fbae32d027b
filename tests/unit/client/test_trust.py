"""The client's judgement of metadata: every attack that has a name, and that what is refused changes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from purveyor.client.policy.conclude import is_proven_deleted
from purveyor.client.trust import VERSIONS_A_ROOT, Trusted, delegator_of
from purveyor.lab.clock import Clock
from purveyor.site_server.publish import repository
from purveyor.site_server.publish.repository import SignedRole
from purveyor.wire import package_info
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import package_id
from small_site import BIN_BITS, LIFETIMES, Repository, fixed_keys, package, replaced_keys

PACKAGE = package_id("S0100001")
PATH = package_info.path_of(PACKAGE)
INFO = package_info.encode(package("S0100001", 1))
BIN = repository.role_of_target(PATH, BIN_BITS)
DELEGATORS = ("targets", "settings", "packages", "offers")


@pytest.fixture
def site() -> Repository:
    """A site with one package."""
    made = Repository(Clock())
    made.publish({PATH: INFO}, highest={"packages": 1})
    return made


def client_of(site: Repository, floors: dict[str, int] | None = None, *, bins: tuple[str, ...] = (BIN,)) -> Trusted:
    """A client that trusts what the site publishes now."""
    trusted = Trusted(site.versions["root", 1], floors or {})
    while trusted.root.version < site.roles["root"].version:
        trusted.take_root(site.versions["root", trusted.root.version + 1])
    bring_up_to_date(trusted, site, bins=bins)
    return trusted


def bring_up_to_date(trusted: Trusted, site: Repository, *, bins: tuple[str, ...] = (BIN,)) -> None:
    """Takes everything that stands, in its order."""
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_snapshot(site.read("snapshot"))
    for role in (*DELEGATORS, *bins):
        trusted.take_targets(role, site.read(role))


def assert_refused(trusted: Trusted, take: Callable[[], object], reason: str) -> None:
    """What is taken is refused, and nothing that was trusted before has changed."""
    before = (trusted.current_contents(), dict(trusted.contents), trusted.root.version)
    with pytest.raises(RejectedError, match=reason):
        take()
    assert (trusted.current_contents(), trusted.contents, trusted.root.version) == before


# --- the ordinary way ---


def test_what_the_site_signed_is_trusted(site: Repository) -> None:
    trusted = client_of(site)
    assert trusted.target(BIN, PATH) is not None
    assert trusted.bin_of("packages", PATH) == BIN
    assert trusted.highest("packages") == 1
    assert trusted.highest("offers") == 0


def test_the_same_timestamp_is_nothing_new(site: Repository) -> None:
    trusted = client_of(site)
    assert trusted.take_timestamp(site.read("timestamp")) is False
    site.publish(renew="timestamp")
    assert trusted.take_timestamp(site.read("timestamp")) is True


def test_a_new_publication_is_current_only_when_all_of_it_is_held(site: Repository) -> None:
    trusted = client_of(site)
    site.publish({PATH: None})
    trusted.take_timestamp(site.read("timestamp"))
    assert not any(trusted.is_current(role) for role in (*DELEGATORS, BIN))
    trusted.take_snapshot(site.read("snapshot"))
    assert not trusted.is_current(BIN)
    with pytest.raises(RejectedError, match="not held at the version"):
        trusted.target(BIN, PATH)
    trusted.take_targets(BIN, site.read(BIN))
    assert trusted.target(BIN, PATH) is None


def test_a_timestamp_says_when_it_was_signed_and_how_often_there_is_a_new_one(site: Repository) -> None:
    said = client_of(site).rhythm()
    assert (said.issued_at, said.rhythm_seconds) == (site.clock.now(), 86_400)


UNREADABLE: list[dict[str, object]] = [
    {},
    {"issued_at": "yesterday", "rhythm_seconds": "x"},
    {"issued_at": 5, "rhythm_seconds": None},
    {"issued_at": "0001-01-01T00:00:00+23:00", "rhythm_seconds": 10**30},
]


@pytest.mark.parametrize("stated", UNREADABLE)
def test_a_timestamp_that_says_nothing_readable_has_the_usual_rhythm(site: Repository, stated: dict[str, object]) -> None:
    trusted = client_of(site)

    def change(signed: Timestamp) -> None:
        signed.version += 1
        signed.unrecognized_fields.clear()
        signed.unrecognized_fields.update(stated)

    trusted.take_timestamp(site.signed_by_hand("timestamp", change).content)
    assert trusted.rhythm() == (None, 86_400)


def test_the_first_piece_to_expire_decides(site: Repository) -> None:
    trusted = client_of(site)
    assert trusted.expires_at() == (site.clock.now() + timedelta(seconds=LIFETIMES.timestamp_seconds)).replace(microsecond=0)


def test_without_a_snapshot_nothing_is_known_of_expiry(site: Repository) -> None:
    with pytest.raises(RejectedError, match="no snapshot"):
        Trusted(site.read("root"), {}).expires_at()


# --- rollback ---


def test_rollback_of_the_timestamp_is_refused(site: Repository) -> None:
    old = site.read("timestamp")
    site.publish(renew="timestamp")
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_timestamp(old), "older than")


def test_rollback_of_the_timestamp_is_refused_after_the_metadata_was_lost(site: Repository) -> None:
    old = site.read("timestamp")
    site.publish(renew="timestamp")
    floors = {"root": 1, "timestamp": site.roles["timestamp"].version, "snapshot": site.roles["snapshot"].version}
    trusted = Trusted(site.read("root"), floors)
    assert_refused(trusted, lambda: trusted.take_timestamp(old), "seen before")
    assert trusted.take_timestamp(site.read("timestamp"))


def test_rollback_of_the_snapshot_by_a_newer_timestamp_is_refused(site: Repository) -> None:
    trusted = client_of(site)

    def name_older_snapshot(signed: Timestamp) -> None:
        signed.version += 1
        signed.snapshot_meta = MetaFile(1)

    forged = site.signed_by_hand("timestamp", name_older_snapshot)
    assert_refused(trusted, lambda: trusted.take_timestamp(forged.content), "older snapshot")


def test_rollback_of_the_snapshot_is_refused_after_the_metadata_was_lost(site: Repository) -> None:
    trusted = Trusted(site.read("root"), {"snapshot": site.roles["snapshot"].version + 1})
    assert_refused(trusted, lambda: trusted.take_timestamp(site.read("timestamp")), "older than one seen before")


def test_rollback_of_a_role_in_a_newer_snapshot_is_refused(site: Repository) -> None:
    trusted = client_of(site)

    def name_older_bin(signed: Snapshot) -> None:
        signed.version += 1
        signed.meta[f"{BIN}.json"] = MetaFile(1)

    take_forged_snapshot(trusted, site, name_older_bin, "older than version")


def test_a_role_that_is_missing_from_a_newer_snapshot_is_refused(site: Repository) -> None:
    trusted = client_of(site)

    def leave_bin_out(signed: Snapshot) -> None:
        signed.version += 1
        del signed.meta[f"{BIN}.json"]

    take_forged_snapshot(trusted, site, leave_bin_out, "not at all")


def take_forged_snapshot(trusted: Trusted, site: Repository, change: Callable[[Snapshot], None], reason: str) -> None:
    """Offers a snapshot that was signed with the stolen online keys."""
    forged = site.signed_by_hand("snapshot", change)

    def name_it(signed: Timestamp) -> None:
        signed.version += 1
        signed.snapshot_meta = MetaFile(forged.version)

    trusted.take_timestamp(site.signed_by_hand("timestamp", name_it).content)
    assert_refused(trusted, lambda: trusted.take_snapshot(forged.content), reason)
    assert not trusted.is_current(BIN)


def test_rollback_of_a_bin_is_refused(site: Repository) -> None:
    old = site.read(BIN)
    site.publish({PATH: None})
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_targets(BIN, old), "is not the")


def test_rollback_of_the_root_is_refused(site: Repository) -> None:
    old = site.read("root")
    site.rotate_root(fixed_keys(), "timestamp")
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_root(old), "does not follow")


def test_a_snapshot_that_was_held_still_counts_when_its_successor_never_came(site: Repository) -> None:
    """A client stopped between a new timestamp and its snapshot: what the older snapshot named is not undercut afterwards."""
    held = client_of(site).contents
    site.publish(renew="timestamp snapshot")
    trusted = Trusted(site.read("root"), {})
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_held_snapshot(held["snapshot"])
    assert not trusted.is_current("targets")

    def name_older_bin(signed: Snapshot) -> None:
        signed.version += 1
        signed.meta[f"{BIN}.json"] = MetaFile(1)

    take_forged_snapshot(trusted, site, name_older_bin, "older than version")


# --- mix and match ---


def test_a_snapshot_that_the_timestamp_does_not_name_is_refused(site: Repository) -> None:
    trusted = client_of(site)
    before = site.read("snapshot")
    site.publish({PATH: None})
    newer = site.read("snapshot")
    assert_refused(trusted, lambda: trusted.take_snapshot(newer), "which is named")
    trusted.take_timestamp(site.read("timestamp"))
    assert_refused(trusted, lambda: trusted.take_snapshot(before), "which is named")


def test_a_bin_of_another_publication_is_refused(site: Repository) -> None:
    trusted = client_of(site)
    site.publish({PATH: None})
    assert_refused(trusted, lambda: trusted.take_targets(BIN, site.read(BIN)), "is not the")


def test_a_bin_that_is_passed_off_as_another_is_refused(site: Repository) -> None:
    """All bins of a role have one key, and could have one version: only the name that each states tells them apart."""
    other = "packages-0" if BIN != "packages-0" else "packages-1"
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_targets(other, site.read(BIN)), "in the place of")


def test_an_empty_sibling_bin_proves_no_deletion(site: Repository) -> None:
    """Two bins at one version, signed by one key: the sibling that lacks the package is served in the place of its own bin."""
    sibling = "packages-0" if BIN != "packages-0" else "packages-1"
    site.publish(renew=sibling)
    assert site.roles[sibling].version == site.roles[BIN].version
    trusted = client_of(site, bins=())
    assert_refused(trusted, lambda: trusted.take_targets(BIN, site.read(sibling)), "in the place of")
    assert not is_proven_deleted(trusted, PACKAGE)
    assert not is_proven_deleted(client_of(site), PACKAGE)


@pytest.mark.parametrize("kind", ["root", "timestamp", "snapshot", "targets"])
def test_metadata_of_one_kind_never_serves_for_another(site: Repository, kind: str) -> None:
    trusted = client_of(site)
    takes = {
        "root": trusted.take_root,
        "timestamp": trusted.take_timestamp,
        "snapshot": trusted.take_snapshot,
        "targets": lambda content: trusted.take_targets("targets", content),
    }
    for other in takes.keys() - {kind}:
        assert_refused(trusted, lambda other=other: takes[other](site.read(kind)), f"this is {kind} metadata")  # type: ignore[misc]


# --- wrong keys ---


@pytest.mark.parametrize("role", ["timestamp", "snapshot", *DELEGATORS, BIN])
def test_metadata_signed_with_a_strangers_key_is_refused(site: Repository, role: str) -> None:
    trusted = client_of(site)
    forged = site.signed_by_hand(role, lambda signed: None, keys=fixed_keys("stranger")).content
    takes = {"timestamp": trusted.take_timestamp, "snapshot": trusted.take_snapshot}
    take = takes.get(role, lambda content: trusted.take_targets(role, content))
    assert_refused(trusted, lambda: take(forged), "signatures of .* do not hold")


@pytest.mark.parametrize("thief", ["timestamp", "snapshot", "offers", "settings", "lookup"])
@pytest.mark.parametrize("role", ["targets", "packages", BIN])
def test_a_stolen_online_key_signs_no_packages(site: Repository, role: str, thief: str) -> None:
    trusted = client_of(site)
    forged = site.signed_by_hand(role, lambda signed: None, by=thief)
    assert_refused(trusted, lambda: trusted.take_targets(role, forged.content), "do not hold")


def test_metadata_without_signatures_is_refused(site: Repository) -> None:
    trusted = client_of(site)
    bare = site.read("timestamp").replace(b'"signatures":[{', b'"signatures":[],"ignored":[{')
    assert_refused(trusted, lambda: trusted.take_timestamp(bare), "do not hold")


def test_a_changed_byte_is_refused(site: Repository) -> None:
    trusted = client_of(site)
    changed = site.read(BIN).replace(b'"length":', b'"length":1')
    assert_refused(trusted, lambda: trusted.take_targets(BIN, changed), "do not hold")


# --- the chain of roots ---


def test_a_root_that_the_old_root_signed_brings_new_keys(site: Repository) -> None:
    trusted = client_of(site)
    new = replaced_keys("timestamp")
    old_timestamp = site.read("timestamp")
    trusted.take_root(site.rotate_root(new, "timestamp").content)
    assert_refused(trusted, lambda: trusted.take_timestamp(old_timestamp), "do not hold")
    site.keys = new
    site.publish(renew="timestamp")
    assert trusted.take_timestamp(site.read("timestamp"))


def test_a_root_must_be_signed_by_the_one_before_it(site: Repository) -> None:
    trusted = client_of(site)
    new = replaced_keys("root timestamp")
    rotated = site.rotate_root(new, "root", "timestamp", signers=(new,))
    assert_refused(trusted, lambda: trusted.take_root(rotated.content), "do not hold")


def test_a_root_must_be_signed_by_its_own_keys(site: Repository) -> None:
    trusted = client_of(site)
    rotated = site.rotate_root(replaced_keys("root"), "root", signers=(site.keys,))
    assert_refused(trusted, lambda: trusted.take_root(rotated.content), "do not hold")


def test_no_root_is_passed_over(site: Repository) -> None:
    trusted = client_of(site)
    site.rotate_root(fixed_keys(), "timestamp")
    third = site.rotate_root(fixed_keys(), "snapshot").content
    assert_refused(trusted, lambda: trusted.take_root(third), "does not follow")


def test_a_client_that_was_away_goes_through_every_root(site: Repository) -> None:
    trusted = client_of(site)
    for name in ("second", "third", "fourth"):
        new = replaced_keys("root timestamp snapshot", name)
        site.rotate_root(new, "root", "timestamp", "snapshot", signers=(site.keys, new))
        site.keys = new
    for version in (2, 3, 4):
        trusted.take_root(site.versions["root", version])
    trusted.drop_online()
    site.publish(renew="snapshot timestamp")
    bring_up_to_date(trusted, site)
    assert trusted.target(BIN, PATH) is not None


def test_a_self_made_root_is_no_beginning_of_trust(site: Repository) -> None:
    unsigned = site.read("root").replace(b'"sig":"', b'"sig":"00')
    with pytest.raises(RejectedError):
        Trusted(unsigned, {})


def test_a_thief_of_the_online_keys_cannot_use_up_the_numbers(site: Repository) -> None:
    """Fast-forward: versions that nothing honest could follow are refused, and the next root goes on above the thief's."""
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_timestamp(timestamp_at(site, VERSIONS_A_ROOT + 1).content), "no version above")
    trusted.take_timestamp(timestamp_at(site, VERSIONS_A_ROOT).content)
    new = replaced_keys("timestamp")
    trusted.take_root(site.rotate_root(new, "timestamp").content)
    trusted.drop_online()
    site.keys = new
    assert trusted.take_timestamp(timestamp_at(site, VERSIONS_A_ROOT + 1).content)


def timestamp_at(site: Repository, version: int) -> SignedRole:
    """A timestamp that jumps to a version."""

    def jump(signed: Timestamp) -> None:
        signed.version = version

    return site.signed_by_hand("timestamp", jump)


@pytest.mark.parametrize("named", [2**32 + 1, 2**63, 10**30])
def test_a_snapshot_that_uses_up_the_numbers_of_others_is_refused(site: Repository, named: int) -> None:
    trusted = client_of(site)

    def use_up(signed: Snapshot) -> None:
        signed.version += 1
        signed.meta["offers.json"] = MetaFile(named)

    take_forged_snapshot(trusted, site, use_up, "no version above")


@pytest.mark.parametrize("highest", ["many", None, [1], -5])
def test_a_highest_number_that_is_none_proves_nothing(site: Repository, highest: object) -> None:
    site.publish({PATH: None})

    def state(signed: Targets) -> None:
        signed.unrecognized_fields["highest_packages"] = highest

    site.keep([site.signed_by_hand("packages", state)])
    assert not is_proven_deleted(client_of(site), PACKAGE)


# --- delegations ---


def test_a_bin_is_verified_again_when_its_delegator_changes_keys(site: Repository) -> None:
    trusted = client_of(site)
    new = replaced_keys("packages")
    exchange_packages_key(site, new)
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_snapshot(site.read("snapshot"))
    trusted.take_targets("targets", site.read("targets"))
    assert not trusted.is_current("packages")
    assert "packages" not in trusted.contents
    trusted.take_targets("packages", site.read("packages"))
    assert not trusted.is_current(BIN)
    assert BIN not in trusted.contents
    assert_refused(trusted, lambda: trusted.take_targets(BIN, site.versions[BIN, 2]), "do not hold")


def exchange_packages_key(site: Repository, new) -> None:  # noqa: ANN001 - Keys
    """Delegates packages to another key. The bins stay as they are signed: by the old one."""

    def to_new_key(signed: Targets) -> None:
        signed.version += 1
        fresh = Targets(delegations=repository._delegations(new))
        signed.delegations = fresh.delegations

    def bins_to_new_key(signed: Targets) -> None:
        signed.version += 1
        signed.delegations = repository._bin_delegations(new, "packages", BIN_BITS)

    changed = [site.signed_by_hand("targets", to_new_key), site.signed_by_hand("packages", bins_to_new_key, keys=new)]
    site.keep(changed)

    def name_them(signed: Snapshot) -> None:
        signed.version += 1
        signed.meta.update({f"{role.name}.json": MetaFile(role.version) for role in changed})

    site.keep([site.signed_by_hand("snapshot", name_them)])

    def name_snapshot(signed: Timestamp) -> None:
        signed.version += 1
        signed.snapshot_meta = MetaFile(site.roles["snapshot"].version)

    site.keep([site.signed_by_hand("timestamp", name_snapshot)])


@pytest.mark.parametrize(
    ("role", "delegator"),
    [("targets", "root"), ("packages", "targets"), ("settings", "targets"), (BIN, "packages"), ("offers-3", "offers")],
)
def test_each_role_has_one_delegator(role: str, delegator: str) -> None:
    assert delegator_of(role) == delegator


def test_a_role_is_not_taken_before_its_delegator(site: Repository) -> None:
    trusted = Trusted(site.read("root"), {})
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_snapshot(site.read("snapshot"))
    assert_refused(trusted, lambda: trusted.take_targets(BIN, site.read(BIN)), "packages is not held")


def test_a_role_that_nobody_delegates_to_is_refused(site: Repository) -> None:
    trusted = client_of(site)
    assert_refused(trusted, lambda: trusted.take_targets("strangers", site.read(BIN)), "do not hold|does not name")


def test_only_hashed_roles_have_bins(site: Repository) -> None:
    with pytest.raises(RejectedError, match="delegates to no bins"):
        client_of(site).bin_of("settings", PATH)


# --- hostile bytes ---


@given(
    st.binary(max_size=200)
    | st.sampled_from(
        [b"", b"{}", b"[]", b"null", b'{"signed":{}}', b'{"signatures":[],"signed":{"_type":"root"}}', b"[" * 50_000]
    )
)
def test_any_bytes_are_refused(content: bytes) -> None:
    trusted = TRUSTED
    for take in (
        trusted.take_root,
        trusted.take_timestamp,
        trusted.take_snapshot,
        lambda given: trusted.take_targets("targets", given),
    ):
        with pytest.raises(RejectedError):
            take(content)
    with pytest.raises(RejectedError):
        Trusted(content, {})


@pytest.mark.parametrize(
    "content",
    [
        b'{"signed": {"_type": "timestamp", "note": "\\ud800"}, "signatures": []}',
        b'{"signed": {"_type": "\\ud800"}, "signatures": []}',
        b'{"signed": {}, "signatures": [{"keyid": "\\ud800", "sig": "00"}, {"keyid": "\\ud800", "sig": "00"}]}',
    ],
)
def test_half_a_surrogate_pair_is_refused_in_words_that_can_be_stored(content: bytes) -> None:
    for take in (TRUSTED.take_root, TRUSTED.take_timestamp, TRUSTED.take_snapshot):
        with pytest.raises(RejectedError) as refused:
            take(content)
        assert str(refused.value).isascii()


@given(st.data())
def test_spoiled_metadata_is_refused(data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(["timestamp", "snapshot", "targets", "root"]))
    content = bytearray(STANDING.read(role))
    place = data.draw(st.integers(0, len(content) - 1))
    before = bytes(content)
    content[place : place + data.draw(st.integers(1, 5))] = data.draw(
        st.binary(max_size=5) | st.sampled_from([b"null", b"-1", b"[]", b"1e999"])
    )
    takes = {
        "root": lambda given: Trusted(given, {}),
        "timestamp": TRUSTED.take_timestamp,
        "snapshot": TRUSTED.take_snapshot,
        "targets": lambda given: TRUSTED.take_targets("targets", given),
    }
    try:
        takes[role](bytes(content))
    except RejectedError:
        return
    assert same_signed_part(bytes(content), before)


def same_signed_part(one: bytes, other: bytes) -> bool:
    """Whether two pieces of metadata say the same: what stands outside the signed part may differ, and how a time is written."""
    return bool(Metadata.from_bytes(one).signed == Metadata.from_bytes(other).signed)


STANDING = Repository(Clock(datetime(2026, 1, 5, tzinfo=UTC)))
TRUSTED = client_of(STANDING, bins=())
