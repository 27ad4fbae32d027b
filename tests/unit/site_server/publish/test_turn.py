"""Turns of publication: what is wanted is signed once, written in order, renewed in time, and removed when nothing names it."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from sqlalchemy import delete

from publishing_site import PublishingSite, Saved
from purveyor.lab.power import PowerCut
from purveyor.site_server.admin import advertisements
from purveyor.site_server.database import publication, schema
from purveyor.site_server.database.publication import Span
from purveyor.site_server.database.settings import read_settings
from purveyor.site_server.database.wanted import want_offers, want_package, want_settings
from purveyor.site_server.keys import Keys
from purveyor.site_server.publish.audit import strangers
from purveyor.site_server.publish.repository import OFFLINE
from purveyor.site_server.publish.turn import unnamed_grace, write_rank
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.errors import UnavailableError
from purveyor.wire.ids import AdvertisementId, collection_id
from small_client import SmallClient
from small_site import fixed_keys

DAY = timedelta(days=1)


@pytest.fixture
def site() -> PublishingSite:
    """A site whose first publication lies in its boxes."""
    made = PublishingSite()
    made.turn()
    return made


def busy_site() -> PublishingSite:
    """A site with clients, an advertisement, and changes that are not published yet. There is one of it at a time."""
    site, saved = made_busy()
    site.restore(saved)
    return site


@cache
def made_busy() -> tuple[PublishingSite, Saved]:
    """That site, made once."""
    site = PublishingSite()
    site.turn()
    one, _ = site.add_clients("one", "other")
    collection = site.add_collection("some", one)
    site.advertise(site.add_package(), collection)
    site.turn()
    site.advertise(site.add_package("another"), collection)
    site.add_clients("third")
    site.make_received(one, 5)
    site.set(poll_interval_seconds=60)
    return site, site.saved()


def test_a_new_site_publishes_all_roles_settings_and_its_shard(site: PublishingSite) -> None:
    files = site.files()
    assert {
        "clidata.box/timestamp.json",
        "clidata.box/root.json",
        "clidata.box/1.root.json",
        "offerinf.box/lookup/1/00000.lkp",
    } <= set(files)
    assert sum(path.endswith(".settings.json") and len(path) > 80 for path in files) == 1


def test_nothing_wanted_signs_nothing_and_writes_nothing(site: PublishingSite) -> None:
    before, effects = dict(site.boxes.files), site.power.effect_count
    done = site.turn()
    assert (done.files, done.shards, done.signatures) == (0, 0, 0)
    assert site.boxes.files == before
    assert site.power.effect_count - effects < 8


@pytest.mark.parametrize(
    "want",
    [
        want_settings,
        lambda tx: want_offers(tx, collection_id("S0110001")),
        lambda tx: want_package(tx, "S0100001"),
    ],
)
def test_a_want_that_changes_no_byte_signs_no_bin(site: PublishingSite, want: Callable[[object], None]) -> None:
    site.add_package()
    site.turn()
    site.do(lambda tx: want_offers(tx, collection_id("S0110001")))
    site.turn()
    site.do(want)
    before = site.files()
    assert site.turn().signatures == 0
    assert site.files() == before


def test_an_advertisement_writes_one_ofr_and_a_few_metadata_files(site: PublishingSite) -> None:
    clients = site.add_clients(*(f"c{number}" for number in range(10)))
    collection = site.add_collection("some", *clients)
    package = site.add_package()
    site.advertise(package, collection)
    site.turn()
    site.advertise(package, collection, 2)
    before = site.files()
    done = site.turn()
    written = {path for path, content in site.files().items() if before.get(path) != content}
    assert done.shards == 0
    assert sum(path.endswith(".ofr") for path in written) == 1
    assert len(written) == done.files == 4


def test_files_are_written_in_the_order_of_publication() -> None:
    site = busy_site()
    order: list[str] = []
    recorded = site.boxes.wrote
    site.boxes.wrote = lambda path, stored: (order.append(path), recorded(path, stored))[1]  # type: ignore[method-assign]
    site.turn()
    named = [path for path in order if not path.endswith(".lkp")]
    assert [write_rank(path) for path in named] == sorted(write_rank(path) for path in named)
    first_shard = next(place for place, path in enumerate(order) if path.endswith(".lkp"))
    assert order.index("clidata.box/timestamp.json") < first_shard


def test_two_sites_that_do_the_same_publish_the_same_bytes() -> None:
    made_busy.cache_clear()
    one = busy_site()
    made_busy.cache_clear()
    other = busy_site()
    assert one is not other
    one.turn()
    other.turn()
    assert one.files() == other.files()


# --- power cuts, full disks ---


def test_a_power_cut_at_any_effect_of_a_turn_ends_in_the_same_bytes() -> None:
    undisturbed = busy_site()
    undisturbed.power.fail_at(None)
    undisturbed.turn()
    effects = undisturbed.power.effect_count
    expected = undisturbed.files()
    assert effects > 10
    for effect in range(1, effects + 1):
        site = busy_site()
        site.power.fail_at(effect)
        with pytest.raises(PowerCut):
            site.turn()
        site.power_back()
        site.turn()
        site.audit()
        assert site.files() == expected, f"after a cut at effect {effect}"


def test_whoever_looks_during_a_power_cut_sees_only_what_is_whole() -> None:
    """At any moment the timestamp in the box leads to files that are there."""
    effect = 0
    while True:
        effect += 1
        site = busy_site()
        site.power.fail_at(effect)
        try:
            site.turn()
        except PowerCut:
            site.boxes.power_cut()
            assert_whole(site)
        else:
            break
    assert_whole(site)
    assert effect > 10


def test_a_timestamp_that_outlasts_a_power_cut_leads_to_what_outlasted_it_too() -> None:
    """A disk may keep the newest of its unsynced writes and lose those before it: so all is synced before the timestamp."""
    path = "clidata.box/timestamp.json"
    kept = 0
    for effect in range(1, 60):
        site = busy_site()
        before = site.boxes.files[path]
        site.power.fail_at(effect)
        try:
            site.turn()
        except PowerCut:
            newest = site.boxes.files[path]
            site.boxes.power_cut()
            site.boxes.files[path] = newest
            kept += newest != before
            assert_whole(site)
    assert kept


def assert_whole(site: PublishingSite) -> None:
    """Everything that the timestamp leads to lies in the boxes."""
    from small_site import SmallSite  # noqa: PLC0415

    stand_in = SmallSite(site.clock)
    stand_in.boxes = site.boxes
    client = SmallClient(stand_in)
    client.hold("S0100001", "S0100002")
    client.poll()
    assert site.boxes.absent_requests() == []


def test_a_full_disk_loses_nothing_and_is_tried_again() -> None:
    undisturbed = busy_site()
    undisturbed.turn()
    expected = undisturbed.files()
    site = busy_site()
    site.boxes.is_full = True
    with pytest.raises(UnavailableError, match="disk is full"):
        site.turn()
    site.boxes.is_full = False
    site.turn()
    assert site.files() == expected


def test_versions_are_signed_once_however_often_writing_fails() -> None:
    site = busy_site()
    site.boxes.is_full = True
    for _ in range(5):
        with pytest.raises(UnavailableError):
            site.turn()
    site.boxes.is_full = False
    site.turn()
    with site.database.read() as tx:
        assert publication.role_version(tx, "timestamp") == publication.role_version(tx, "snapshot")
    snapshots = sorted(int(path.split("/")[1].split(".")[0]) for path in site.files() if path.endswith(".snapshot.json"))
    assert snapshots == [1, 2, 3, 4], "one for the new site, one for its settings, one for each turn with changes"


# --- renewal ---


def test_the_timestamp_is_renewed_daily_and_nothing_else(site: PublishingSite) -> None:
    site.turn(after=DAY)
    before = site.files()
    done = site.turn(after=DAY)
    changed = {path for path, content in site.files().items() if before.get(path) != content}
    assert changed == {"clidata.box/timestamp.json"}
    assert done.files == 1


def test_nothing_ever_expires_on_a_site_that_turns_daily(site: PublishingSite) -> None:
    for _ in range(400):
        site.turn(after=DAY)
        with site.database.read() as tx:
            expired = publication.roles_expiring(tx, [Span(ALL_ROLES, site.clock.now(), publication.FOREVER)], limit=10)
        assert expired == []
    shard = shards.decode(site.files()[shards.path_of(1, 0)], lookup_keys(site))
    assert shard.expires_at > site.clock.now()


ALL_ROLES = ("root", "targets", "packages", "offers", "settings", "agent", "snapshot", "timestamp")


def lookup_keys(site: PublishingSite) -> tuple[str, ...]:
    """Who may sign shards."""
    return (site.keys.private("lookup").public_key().public_bytes_raw().hex(),)


def test_shards_are_renewed_at_half_of_their_life(site: PublishingSite) -> None:
    path = shards.path_of(1, 0)
    first = site.files()[path]
    site.turn(after=6 * DAY)
    site.turn()
    assert site.files()[path] == first
    site.turn(after=1.1 * DAY)
    site.turn()
    renewed = shards.decode(site.files()[path], lookup_keys(site))
    assert renewed.expires_at == site.clock.now() + 14 * DAY
    assert renewed.publication > shards.decode(first, lookup_keys(site)).publication


def test_without_the_keys_of_offline_roles_online_ones_go_on() -> None:
    whole = PublishingSite()
    whole.turn()
    online = {name: key for name, key in fixed_keys().signing.items() if name not in OFFLINE}
    whole.keys = whole.keys.__class__(signing=online, sealing=whole.keys.sealing)
    for _ in range(60):
        whole.turn(after=5 * DAY)
    with whole.database.read() as tx:
        online = Span(("offers", "settings", "snapshot", "timestamp"), whole.clock.now(), publication.FOREVER)
        expired = publication.roles_expiring(tx, [online], limit=10)
    assert expired == []


def test_without_the_key_of_packages_everything_else_is_published() -> None:
    site = PublishingSite()
    site.turn()
    package, collection = site.add_package(), site.add_collection()
    site.turn()
    whole = site.keys
    site.keys = Keys(signing={name: key for name, key in whole.signing.items() if name not in OFFLINE}, sealing=whole.sealing)
    waiting = site.add_package("waits for its signature")
    site.advertise(package, collection)
    site.turn()
    assert any(path.endswith(f".{collection}.ofr") for path in site.files())
    assert not any(path.endswith(f".{waiting}.pkg") for path in site.files())
    site.keys = whole
    site.turn()
    assert any(path.endswith(f".{waiting}.pkg") for path in site.files())
    assert_whole(site)


# --- what nothing names any more ---


def test_a_superseded_file_leaves_after_the_grace_and_not_before(site: PublishingSite) -> None:
    package = site.add_package()
    site.turn()
    [old] = [path for path in site.files() if path.endswith(f".{package}.pkg")]
    site.do(lambda tx: tx.execute(schema.package.update().values(name="another name")))
    site.do(lambda tx: want_package(tx, package))
    site.turn()
    assert sum(path.endswith(f".{package}.pkg") for path in site.files()) == 2
    with site.database.read() as tx:
        grace = unnamed_grace(read_settings(tx))
    site.turn(after=grace)
    assert old in site.files()
    site.turn(after=timedelta(seconds=1))
    assert old not in site.files()
    assert sum(path.endswith(f".{package}.pkg") for path in site.files()) == 1


def test_bytes_that_come_back_are_named_again_and_stay(site: PublishingSite) -> None:
    package = site.add_package()
    site.turn()
    first = {path for path in site.files() if path.endswith(f".{package}.pkg")}
    for name in ("another name", "a package"):
        site.do(lambda tx, name=name: tx.execute(schema.package.update().values(name=name)))
        site.do(lambda tx: want_package(tx, package))
        site.turn(after=DAY)
    site.turn(after=100 * DAY)
    site.turn()
    assert {path for path in site.files() if path.endswith(f".{package}.pkg")} == first


def test_settings_wanted_without_a_change_take_nothing_away(site: PublishingSite) -> None:
    """The file of the settings and the metadata of their role end alike: one is not to be taken for an older other."""
    site.do(want_settings)
    site.turn(after=DAY)
    site.turn(after=9 * DAY)
    assert_whole(site)
    with site.database.read() as tx:
        version = publication.role_version(tx, "settings")
    assert f"clidata.box/{version}.settings.json" in site.files()


def test_all_versions_of_the_root_stay_for_ever(site: PublishingSite) -> None:
    for _ in range(50):
        site.turn(after=10 * DAY)
    assert "clidata.box/1.root.json" in site.files()


def test_an_old_site_holds_no_more_files_than_a_new_one() -> None:
    site = PublishingSite()
    site.turn()
    for _ in range(250):
        site.turn(after=DAY)
    assert len(site.files()) < 60
    assert site.audit() == []


# --- keys that are elsewhere ---


def test_without_the_packages_key_offers_are_published_and_packages_wait_for_it(site: PublishingSite) -> None:
    package, collection = site.add_package(), site.add_collection()
    advertisement = site.advertise(package, collection)
    site.turn()
    whole = site.keys
    site.keys = Keys({role: key for role, key in whole.signing.items() if role != "packages"}, whole.sealing)
    site.do(lambda tx: advertisements.pause(tx, AdvertisementId(advertisement), by="somebody", now=site.clock.now()))
    site.do(lambda tx: want_package(tx, package))
    waiting = site.add_package("waiting")
    published = site.turn()
    assert published.keys_missing == ("packages",)
    assert any(b'"is_paused":true' in content for path, content in site.files().items() if path.endswith(".ofr"))
    assert not any(path.endswith(f".{waiting}.pkg") for path in site.files())
    site.keys = whole
    assert site.turn().keys_missing == ()
    assert any(path.endswith(f".{waiting}.pkg") for path in site.files())


# --- generations of shards ---


def test_a_larger_generation_is_complete_before_settings_announce_it(site: PublishingSite) -> None:
    clients = site.add_clients(*(f"c{number}" for number in range(40)))
    seen = []
    for _ in range(4):
        site.turn(after=timedelta(seconds=2))
        announced = announced_generation(site)
        paths = {path for path in site.files() if path.startswith(f"offerinf.box/lookup/{announced}/")}
        assert len(paths) == {1: 1, 2: 4}[announced]
        seen.append(announced)
    assert seen[-1] == 2
    for client in clients:
        path = shards.path_of(2, shards.shard_number(client, 2))
        assert client in shards.decode(site.files()[path], lookup_keys(site)).entries


def announced_generation(site: PublishingSite) -> int:
    """The generation that the newest settings name."""
    with site.database.read() as tx:
        return max(one.generation for one in publication.generations(tx) if one.announced_at is not None)


def test_the_generation_before_stays_for_its_grace_and_is_kept_up(site: PublishingSite) -> None:
    [client] = site.add_clients("first")
    site.add_clients(*(f"c{number}" for number in range(40)))
    for _ in range(3):
        site.turn()
    site.make_received(client, 9)
    site.turn()
    old = shards.decode(site.files()[shards.path_of(1, 0)], lookup_keys(site))
    assert old.entries[client].received == 9
    site.turn(after=20 * DAY)
    site.turn()
    assert {path.split("/")[2] for path in site.files() if path.endswith(".lkp")} == {"2"}
    assert site.audit() == []


def test_no_generation_waits_while_reports_keep_coming_in(site: PublishingSite) -> None:
    [client] = site.add_clients("first")
    site.add_clients(*(f"c{number}" for number in range(40)))
    for received in range(1, 7):
        site.make_received(client, received)
        site.turn()
    assert announced_generation(site) == 2
    newest = shards.decode(site.files()[shards.path_of(2, shards.shard_number(client, 2))], lookup_keys(site))
    assert newest.entries[client].received == 6


def test_shards_of_an_old_generation_are_removed_although_the_first_try_fails(
    site: PublishingSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add_clients(*(f"c{number}" for number in range(40)))
    for _ in range(3):
        site.turn()

    def refuse(path: str) -> None:
        raise UnavailableError(f"cannot remove {path}")

    with monkeypatch.context() as read_only:
        read_only.setattr(site.cap, "remove", refuse)
        with pytest.raises(UnavailableError, match="cannot remove"):
            site.turn(after=20 * DAY)
    site.turn()
    assert {path.split("/")[2] for path in site.files() if path.endswith(".lkp")} == {"2"}


# --- audit ---


def test_every_down_box_deleted_is_back_byte_for_byte_after_one_turn() -> None:
    site = busy_site()
    site.turn()
    before = site.files()
    for path in before:
        site.boxes.lose(path)
    healed = site.audit()
    site.turn()
    assert site.files() == before
    assert sorted(healed) == sorted(before)


def test_damage_is_healed_and_what_is_whole_is_left_alone() -> None:
    site = busy_site()
    site.turn()
    before = site.files()
    modified = {path: stored.modified for path, stored in site.boxes.files.items()}
    damaged = sorted(before)[::3]
    for path in damaged:
        site.boxes.files[path] = site.boxes.files[path]._replace(content=b"damaged")
    assert sorted(site.audit()) == damaged
    assert site.files() == before
    assert all(site.boxes.files[path].modified == modified[path] for path in before if path not in damaged)
    assert site.audit() == []


def test_a_healed_mutable_file_gets_a_new_tag() -> None:
    site = busy_site()
    site.turn()
    for path in ("clidata.box/timestamp.json", shards.path_of(1, 0)):
        whole = site.boxes.files[path]
        site.boxes.files[path] = whole._replace(content=bytes(len(whole.content)))
        site.audit()
        assert site.boxes.files[path].tag != whole.tag


def test_an_audit_runs_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    site = busy_site()
    site.turn()
    whole = site.files()
    site.boxes.files.clear()
    monkeypatch.setattr("purveyor.site_server.publish.audit.SLICE", 3)
    site.audit()
    assert site.files() == whole


def test_files_that_the_site_never_published_are_found() -> None:
    site = busy_site()
    site.turn()
    assert strangers(site.database, site.cap) == []
    site.cap.write("pkginfo.box/planted.pkg", b"x")
    assert strangers(site.database, site.cap) == ["pkginfo.box/planted.pkg"]


def test_what_was_never_written_is_not_called_damaged() -> None:
    site = busy_site()
    shelf: Shelf = site.cap
    assert site.audit() == []
    site.do(lambda tx: tx.execute(delete(schema.wanted)))
    assert shelf.read("clidata.box/timestamp.json") is not None
