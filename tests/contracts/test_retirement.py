"""Content comes to the points and leaves them, and a deleted package ends with a proof, over every kind of database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from purveyor.content.store import ContentStore
from purveyor.site_server.database import content_copies, holders, packages, retirement, schema
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.settings import change_setting
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish import content as content_turn
from purveyor.site_server.publish import leftovers
from purveyor.site_server.publish import retirement as retirement_turn
from purveyor.site_server.publish.content import ContentOutcome
from purveyor.site_server.publish.retirement import RetirementOutcome, Step
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire.errors import UnavailableError
from purveyor.wire.ids import ClientId, CollectionId, PackageId, collection_id_of, package_id_of
from purveyor.wire.manifest import File, Manifest, distinct_files, encode, file_path, hash_of
from site_rows import NOW, SITE, add_clients, add_site, number_of

ONE, TWO = package_id_of(SITE, 1), package_id_of(SITE, 2)
SETTINGS = SiteSettings()
DAY = timedelta(days=1)


class Ending:
    """A site with a store and two points on disk, and packages that come and go."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.now = NOW
        self.store = ContentStore(folder / "content")
        self.points = {name: ContentStore(folder / name) for name in ("dp1", "dp2")}
        self.cap = FolderShelf(folder / "CAP_S01")
        with database.write() as tx:
            self.all_systems = add_site(tx)
            self.clients = add_clients(tx, 3)

    def upload(self, *contents: bytes) -> str:
        """Content in the store; the hash of its manifest."""
        for content in contents:
            self.store.add_file(hash_of(content), [content], len(content))
        files = tuple(File(path=f"file{n}", sha256=hash_of(c), size_bytes=len(c)) for n, c in enumerate(contents))
        bytes_ = encode(Manifest(files=files))
        manifest = self.store.add_manifest(bytes_)
        with self.database.write() as tx:
            content_copies.record_manifest(tx, hash_of(bytes_), manifest.size_bytes, distinct_files(manifest), self.now)
        return hash_of(bytes_)

    def add_package(self, package: PackageId, manifest: str | None) -> None:
        with self.database.write() as tx:
            packages.insert_package(
                tx, package, name="p", version="", publisher="", source="", manifest=manifest, size_bytes=0, now=self.now
            )

    def update_package(self, package: PackageId, manifest: str, number: int) -> None:
        with self.database.write() as tx:
            packages.set_source(tx, package, source_version=number, source="", manifest=manifest, size_bytes=0, now=self.now)

    def advertise(self, package: PackageId, collection: CollectionId | None = None) -> None:
        with self.database.write() as tx:
            tx.execute(
                insert(schema.advertisement).values(
                    id=f"S012000{package[-1]}",
                    name="",
                    package=package,
                    program=1,
                    collection=collection or self.all_systems,
                    available_from=self.now,
                    is_paused=False,
                    each_version=False,
                    highest_assignment=0,
                    assignments="[]",
                    created_at=self.now,
                    created_by="anna",
                )
            )

    def delete(self, package: PackageId, *held_by: ClientId, state: str = "retiring") -> None:
        """Deletes as `admin` does, with these holders."""
        with self.database.write() as tx:
            packages.mark_deleted(tx, package, state=state, running_choice="finish", replaced_by=None, by="anna", now=self.now)
            holders.add_holders(tx, {(package, number_of(tx, client)) for client in held_by})

    def published(self, package: PackageId, snapshot: int = 5) -> None:
        """A publication has said that the package is to be removed, or is gone."""
        with self.database.write() as tx:
            column = "removing_snapshot" if self.state(package, tx) == "removing" else "retired_snapshot"
            tx.execute(schema.package.update().where(schema.package.c.id == package).values({column: snapshot}))

    def acknowledge(self, package: PackageId, *clients: ClientId) -> None:
        with self.database.write() as tx:
            holders.mark_acknowledged(tx, [(package, number_of(tx, client)) for client in clients], self.now)

    def state(self, package: PackageId, tx: Connection | None = None) -> str:
        statement = select(schema.package.c.state).where(schema.package.c.id == package)
        if tx is not None:
            return str(tx.execute(statement).scalar_one())
        with self.database.read() as reading:
            return str(reading.execute(statement).scalar_one())

    def progress(self, package: PackageId) -> retirement.RetirementProgress:
        with self.database.read() as tx:
            found = retirement.progress(tx, package, self.now)
        assert found is not None
        return found

    def content(self) -> ContentOutcome:
        return content_turn.turn(database=self.database, store=self.store, points=self.points, now=self.now)

    def retire(self) -> RetirementOutcome:
        return retirement_turn.turn(database=self.database, store=self.store, points=self.points, cap=self.cap, now=self.now)

    def change_settings(self, **values: int) -> None:
        with self.database.write() as tx:
            for name, value in values.items():
                change_setting(tx, name, value)

    def named(self) -> list[tuple[str, str]]:
        """What clients are told: (point, manifest)."""
        copy = schema.content_copy
        with self.database.read() as tx:
            rows = tx.execute(
                select(copy.c.point, copy.c.manifest).where(copy.c.state == "verified").order_by(copy.c.point)
            ).all()
        return [(row.point, row.manifest) for row in rows]

    def wanted(self) -> set[str]:
        """What is to be published anew; forgets it."""
        with self.database.write() as tx:
            keys = set(tx.execute(select(schema.wanted.c.key)).scalars())
            tx.execute(schema.wanted.delete())
        return keys

    def on_disk(self) -> list[str]:
        """Every file of content anywhere, from outside."""
        places = (self.folder / name for name in ("content", "dp1", "dp2"))
        return sorted(str(path.relative_to(self.folder)) for place in places for path in place.rglob("*") if path.is_file())

    def problem_of(self, point: str) -> str:
        with self.database.read() as tx:
            return str(tx.execute(select(schema.content_copy.c.problem).where(schema.content_copy.c.point == point)).scalar_one())


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Ending:
    return Ending(database, tmp_path)


# --- content comes ----------------------------------------------------------------------------------------------------


def test_content_of_a_package_is_on_every_point_before_any_is_named(site: Ending) -> None:
    manifest = site.upload(b"one", b"two")
    site.add_package(ONE, manifest)
    site.advertise(ONE)
    assert site.named() == []
    outcome = site.content()
    assert (outcome.verified, outcome.problems) == (2, ())
    assert site.named() == [("dp1", manifest), ("dp2", manifest)]
    assert {ONE, site.all_systems} <= site.wanted()
    assert site.content().verified == 0
    assert site.wanted() == set()


def test_point_that_cannot_take_content_does_not_keep_it_from_another(site: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = site.upload(b"one")
    site.add_package(ONE, manifest)
    with monkeypatch.context() as patched:
        patched.setattr(site.points["dp1"], "add_manifest", _full)
        outcome = site.content()
        assert outcome.verified == 1
        assert "disk full" in outcome.problems[0]
        assert site.named() == [("dp2", manifest)]
        assert "disk full" in site.problem_of("dp1")
        assert site.content().problems == ()
        site.now += timedelta(seconds=10)
        assert len(site.content().problems) == 1
        site.now += timedelta(seconds=10)
        assert site.content().problems == ()
    site.now += timedelta(seconds=10)
    assert site.content().verified == 1
    assert (site.named(), site.problem_of("dp1")) == ([("dp1", manifest), ("dp2", manifest)], "")


def test_damaged_copy_is_found_named_no_more_and_mended(site: Ending) -> None:
    manifest = site.upload(b"one", b"two")
    site.add_package(ONE, manifest)
    site.content()
    site.wanted()
    damaged = site.folder / "dp1" / file_path(hash_of(b"two"))
    damaged.unlink()
    damaged.write_bytes(b"owt")
    site.now += DAY
    assert (site.content().checked, site.named()) == (1, [("dp2", manifest)])
    assert ONE in site.wanted()
    site.now += timedelta(seconds=10)
    site.content()
    assert site.named() == [("dp1", manifest), ("dp2", manifest)]
    assert damaged.read_bytes() == b"two"


def test_file_of_the_right_size_and_wrong_bytes_that_lay_there_before_is_not_believed(site: Ending) -> None:
    manifest = site.upload(b"one")
    site.add_package(ONE, manifest)
    before = site.folder / "dp1" / file_path(hash_of(b"one"))
    before.parent.mkdir(parents=True, exist_ok=True)
    before.write_bytes(b"eno")
    assert "damaged" in site.content().problems[0]
    site.now += timedelta(seconds=10)
    site.content()
    assert site.named() == [("dp1", manifest), ("dp2", manifest)]


# --- superseded content -----------------------------------------------------------------------------------------------


def test_superseded_content_stays_named_for_its_grace_time_then_is_unnamed_then_removed(site: Ending) -> None:
    old, new = site.upload(b"shared", b"old"), site.upload(b"shared", b"new")
    site.add_package(ONE, old)
    site.content()
    site.update_package(ONE, new, 2)
    site.content()
    assert sorted(site.named()) == sorted((point, manifest) for point in ("dp1", "dp2") for manifest in (old, new))
    site.content()
    site.now += timedelta(seconds=SETTINGS.content_grace_seconds)
    assert (site.content().unnamed, site.named()) == (2, [("dp1", new), ("dp2", new)])
    assert f"dp1/manifests/{old}" in site.on_disk()
    site.now += timedelta(seconds=SETTINGS.point_grace_seconds)
    assert site.content().removed == 3
    kept = {file_path(hash_of(b"shared")), file_path(hash_of(b"new")), f"manifests/{new}"}
    assert set(site.on_disk()) == {f"{place}/{path}" for place in ("content", "dp1", "dp2") for path in kept}


def test_old_version_stays_named_while_the_new_one_is_on_no_point(site: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    site.change_settings(content_grace_seconds=0, point_grace_seconds=0)
    old, new = site.upload(b"old"), site.upload(b"new")
    site.add_package(ONE, old)
    site.content()
    site.update_package(ONE, new, 2)
    with monkeypatch.context() as patched:
        for point in site.points.values():
            patched.setattr(point, "add_manifest", _full)
        for _ in range(3):
            site.now += timedelta(days=1)
            site.content()
        assert site.named() == [("dp1", old), ("dp2", old)]
    site.now += timedelta(days=1)
    site.content()
    site.content()
    site.content()
    assert site.named() == [("dp1", new), ("dp2", new)]


def test_superseded_content_stays_while_a_client_downloads_it(site: Ending) -> None:
    old, new = site.upload(b"old"), site.upload(b"new")
    site.add_package(ONE, old)
    site.content()
    site.update_package(ONE, new, 2)
    site.content()
    site.content()
    with site.database.write() as tx:
        tx.execute(insert(schema.job_state).values(_job(number_of(tx, site.clients[0]), "downloading", site.now)))
    site.now += timedelta(seconds=SETTINGS.content_grace_seconds)
    assert site.content().unnamed == 0
    with site.database.write() as tx:
        tx.execute(schema.job_state.update().values(state="ready"))
    assert site.content().unnamed == 2


def test_content_that_is_needed_again_before_it_is_removed_is_named_again(site: Ending) -> None:
    old, new = site.upload(b"old"), site.upload(b"new")
    site.add_package(ONE, old)
    site.content()
    site.update_package(ONE, new, 2)
    site.content()
    site.content()
    site.now += timedelta(seconds=SETTINGS.content_grace_seconds)
    site.content()
    site.update_package(ONE, old, 3)
    site.content()
    assert ("dp1", old) in site.named()
    site.now += timedelta(seconds=SETTINGS.point_grace_seconds)
    site.content()
    assert f"dp1/manifests/{old}" in site.on_disk()


def test_upload_that_no_package_ever_named_leaves_after_the_grace_time_and_may_come_back(site: Ending) -> None:
    site.upload(b"one")
    site.content()
    site.now += timedelta(seconds=SETTINGS.content_grace_seconds)
    site.content()
    assert site.on_disk() == []
    site.add_package(ONE, site.upload(b"one"))
    assert site.content().verified == 2


# --- retirement -------------------------------------------------------------------------------------------------------


def test_package_is_withdrawn_when_every_holder_has_acknowledged(site: Ending) -> None:
    site.add_package(ONE, None)
    site.advertise(ONE)
    site.delete(ONE, *site.clients)
    assert site.retire().steps == ()
    site.published(ONE)
    site.acknowledge(ONE, *site.clients[:2])
    assert site.retire().steps == ()
    seen = site.progress(ONE)
    assert (seen.held, seen.acknowledged, seen.silent_count) == (3, 2, 1)
    assert [silent.name for silent in seen.silent] == ["pc-3"]
    assert seen.waits_for == "1 client to forget it"
    site.acknowledge(ONE, site.clients[2])
    assert site.retire().steps == (Step(ONE, PackageState.WITHDRAWN),)
    assert {ONE, site.all_systems} <= site.wanted()
    assert (site.progress(ONE).silent_count, site.progress(ONE).silent) == (0, ())


def test_package_without_holders_waits_for_the_publication_all_the_same(site: Ending) -> None:
    site.add_package(ONE, None)
    site.delete(ONE)
    assert site.retire().steps == ()
    assert "next publication" in site.progress(ONE).waits_for
    site.published(ONE)
    assert site.retire().steps == (Step(ONE, PackageState.WITHDRAWN),)


def test_silent_holder_is_waited_for_until_the_age_limit(site: Ending) -> None:
    site.add_package(ONE, None)
    site.delete(ONE, *site.clients)
    site.published(ONE)
    site.now += timedelta(seconds=SETTINGS.holder_age_limit_seconds - 1)
    assert site.retire().steps == ()
    site.now += timedelta(seconds=1)
    assert site.retire().steps == (Step(ONE, PackageState.WITHDRAWN),)
    assert site.progress(ONE).silent_count == 3


def test_package_to_be_uninstalled_retires_when_every_holder_has_removed_it(site: Ending) -> None:
    site.add_package(ONE, None)
    site.advertise(ONE)
    site.delete(ONE, *site.clients, state="removing")
    site.published(ONE, 4)
    assert site.retire().steps == ()
    assert site.progress(ONE).waits_for == "3 clients to uninstall it"
    with site.database.write() as tx:
        holders.mark_removed(tx, [(ONE, number_of(tx, client)) for client in site.clients], site.now)
    assert site.retire().steps == (Step(ONE, PackageState.RETIRING),)
    assert {ONE, site.all_systems} <= site.wanted()
    seen = site.progress(ONE)
    assert (seen.removed, seen.acknowledged, seen.retired_at) == (3, 0, site.now)


def test_withdrawn_package_is_purged_when_nothing_of_it_is_left_on_any_disk(site: Ending) -> None:
    shared = site.upload(b"shared", b"two")
    site.add_package(ONE, site.upload(b"shared", b"one", b"more"))
    site.add_package(TWO, shared)
    site.content()
    others = [path for path in site.on_disk() if hash_of(b"one") not in path]
    site.delete(ONE)
    site.published(ONE)
    site.retire()
    assert site.state(ONE) == "withdrawn"
    assert site.retire().steps == ()
    assert site.progress(ONE).copies_left == 2
    site.content()
    assert [point for point, manifest in site.named() if manifest != shared] == []
    assert len(site.on_disk()) > len(others)
    assert site.retire().steps == ()
    site.now += timedelta(seconds=SETTINGS.point_grace_seconds)
    site.content()
    assert site.retire().steps == (Step(ONE, PackageState.PURGED),)
    kept = {file_path(hash_of(b"shared")), file_path(hash_of(b"two")), f"manifests/{shared}"}
    assert set(site.on_disk()) == {f"{place}/{path}" for place in ("content", "dp1", "dp2") for path in kept}
    assert site.progress(ONE).freed_bytes == 3 * len(b"one" + b"more")
    site.now += timedelta(seconds=SETTINGS.archive_after_seconds)
    assert site.retire().steps == (Step(ONE, PackageState.ARCHIVED),)
    assert site.retire().steps == ()


def test_content_that_two_packages_share_stays_until_the_last_of_them_is_withdrawn(site: Ending) -> None:
    manifest = site.upload(b"one")
    for package in (ONE, TWO):
        site.add_package(package, manifest)
    site.content()
    site.change_settings(point_grace_seconds=0)
    for package in (ONE, TWO):
        site.delete(package)
        site.published(package)
        site.retire()
        site.content()
        site.content()
        assert (site.retire().steps, site.on_disk() == []) == ((Step(package, PackageState.PURGED),), package == TWO)


def test_package_is_not_purged_while_its_file_is_on_the_access_point(site: Ending) -> None:
    site.add_package(ONE, None)
    site.delete(ONE)
    site.published(ONE)
    path = f"pkginfo.box/{'a' * 64}.{ONE}.pkg"
    with site.database.write() as tx:
        tx.execute(insert(schema.down_file).values(path=path, content=b"x", written_at=NOW, unnamed_since=NOW))
    site.cap.write(path, b"x")
    site.retire()
    assert site.retire().steps == ()
    assert site.progress(ONE).down_files_left == 1
    with site.database.write() as tx:
        tx.execute(schema.down_file.delete())
    outcome = site.retire()
    assert (outcome.steps, "still on the access point" in outcome.problems[0]) == ((), True)
    site.cap.remove(path)
    assert site.retire().steps == (Step(ONE, PackageState.PURGED),)


def test_what_turns_up_on_a_disk_after_it_was_recorded_as_gone_is_removed_before_the_purge(site: Ending) -> None:
    manifest = site.upload(b"one")
    site.add_package(ONE, manifest)
    site.content()
    site.change_settings(point_grace_seconds=0)
    site.delete(ONE)
    site.published(ONE)
    site.retire()
    site.content()
    site.content()
    back = site.folder / "dp2" / file_path(hash_of(b"one"))
    back.write_bytes(b"one")
    assert site.retire().steps == (Step(ONE, PackageState.PURGED),)
    assert site.on_disk() == []


def test_point_that_cannot_remove_keeps_the_purge_waiting_and_says_why(site: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_package(ONE, site.upload(b"one"))
    site.content()
    site.change_settings(point_grace_seconds=0)
    site.delete(ONE)
    site.published(ONE)
    site.retire()
    site.content()
    with monkeypatch.context() as patched:
        patched.setattr(site.points["dp1"], "remove_manifest", _full)
        assert "disk full" in site.content().problems[0]
        assert site.retire().steps == ()
        assert (site.progress(ONE).copies_left, "disk full" in site.problem_of("dp1")) == (1, True)
    site.content()
    assert site.retire().steps == (Step(ONE, PackageState.PURGED),)
    assert site.on_disk() == []


def test_power_cut_between_removing_and_recording_ends_the_same(site: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_package(ONE, site.upload(b"one", b"two"))
    site.content()
    site.change_settings(point_grace_seconds=0)
    site.delete(ONE)
    site.published(ONE)
    site.retire()
    site.content()

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    for function in ("drop_copy", "set_removed", "add_freed"):
        with monkeypatch.context() as patched:
            patched.setattr(content_copies, function, killed)
            with pytest.raises(Killed):
                site.content()
    site.content()
    assert site.retire().steps == (Step(ONE, PackageState.PURGED),)
    assert (site.on_disk(), site.progress(ONE).freed_bytes) == ([], 3 * 6)


def test_offers_of_a_deleted_collection_are_not_asked_for(site: Ending) -> None:
    gone = collection_id_of(SITE, 9)
    with site.database.write() as tx:
        tx.execute(
            insert(schema.collection).values(
                id=gone, name="gone", is_all_systems=False, is_named=False, created_at=NOW, deleted_at=NOW
            )
        )
    site.add_package(ONE, None)
    site.advertise(ONE, gone)
    site.delete(ONE)
    site.published(ONE)
    with site.database.write() as tx:
        tx.execute(schema.advertisement.update().values(deleted_at=NOW))
    site.retire()
    wanted = site.wanted()
    assert ONE in wanted
    assert gone not in wanted


def _full(*_: object) -> None:
    raise UnavailableError("disk full")


def _job(client: int, state: str, now: datetime) -> dict[str, object]:
    return {
        "client": client,
        "package": ONE,
        "program": 1,
        "state": state,
        "occurrence": "",
        "source_version": 1,
        "text": "",
        "at": now,
        "order": 1,
    }


# --- leftovers --------------------------------------------------------------------------------------------------------


def test_content_that_no_manifest_names_is_removed_after_a_week_and_all_else_stays(site: Ending) -> None:
    site.add_package(ONE, site.upload(b"needed"))
    site.content()
    given_up = hash_of(b"an upload that was given up")
    for place in (site.store, site.points["dp1"]):
        place.add_file(given_up, [b"an upload that was given up"], 100)
    site.store.add_manifest(encode(Manifest(folders=("only",))))
    before = {name: len(list(place.walk())) for name, place in (("store", site.store), *site.points.items())}
    swept_at = datetime.now(UTC)
    assert leftovers.sweep(database=site.database, store=site.store, points=site.points, now=swept_at) == 0
    freed = leftovers.sweep(database=site.database, store=site.store, points=site.points, now=swept_at + 8 * DAY)
    assert freed > 0
    assert before == {"store": 4, "dp1": 3, "dp2": 2}
    assert {name: len(list(place.walk())) for name, place in (("store", site.store), *site.points.items())} == dict.fromkeys(
        before, 2
    )
