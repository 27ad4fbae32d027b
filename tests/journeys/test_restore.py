"""A site is lost and restored from a backup: whatever happened since, nothing runs again, nothing deleted comes back, no id is
given twice, and no client is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, select

from purveyor.client import returning
from purveyor.client.programs.memory import records
from purveyor.lab.backup import Backup
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.power import PowerCut
from purveyor.lab.transport import MemoryBoxes
from purveyor.recovery import adopting, form, restore
from purveyor.recovery.decisions import Kind
from purveyor.recovery.restore import Restored
from purveyor.site_server.admin import (
    advertisements,
    collections,
    packages,
    points,
    programs,
    resources,
    restoration,
    settings,
    windows,
)
from purveyor.site_server.custody import keys as custody
from purveyor.site_server.database import restoring, schema, site_keys
from purveyor.site_server.model.points import PointKind
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, OsPackageRule, ProgramKey, Uninstall
from purveyor.wire.shards import ClientState

POLL = timedelta(minutes=15)
PUBLICATIONS = 8
"""After the backup: more than a restored site makes before clients ask it."""
OLD, GONE, CHANGED, NEW, LATE = "old.exe", "gone.exe", "changed.exe", "new.exe", "late.exe"


@dataclass(slots=True)
class Life:
    """A fleet that lives on: what was made in it, and every id that anything ever had."""

    fleet: Fleet
    programs: dict[str, ProgramKey] = field(default_factory=dict)
    offers: dict[str, AdvertisementId] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def offer(self, command: str) -> ProgramKey:
        """A package of a program that every client is to run."""
        admin = self.fleet.admin
        package = admin.add_package(command, {command: command.encode()})
        key = admin.add_program(package, "install", command)
        self.programs[command] = key
        self.offers[command] = admin.advertise(key)
        assert not {package, self.offers[command]} & self.ids, "an id was given twice"
        self.ids |= {package, self.offers[command]}
        return key

    def collection(self, name: str, *members: str) -> CollectionId:
        """A collection that never was before."""
        made = self.fleet.admin.add_collection(name, members)
        assert made not in self.ids
        self.ids.add(made)
        return made

    def polls(self, count: float = 2.2) -> None:
        """Lets clients poll, and the site take turns."""
        self.fleet.advance_polls(count)


def lives() -> tuple[Fleet, Life]:
    """Three clients that ran what is old and what will be gone."""
    fleet = Fleet(3, poll_interval=POLL)
    life = Life(fleet)
    for command in (OLD, GONE, CHANGED):
        life.offer(command)
    life.polls()
    return fleet, life


def a_lot_happens(life: Life) -> None:
    """A package is made and one deleted, an advertisement is edited, clients come, a collection changes."""
    fleet, admin = life.fleet, life.fleet.admin
    life.offer(NEW)
    admin.delete_package(life.programs[GONE].package)
    admin.change(
        advertisements.edit, life.offers[CHANGED], assignments=("2026-01-05T20:00",), each_version=False, is_confirmed=True
    )
    life.collection("Made since", "pc1")
    for number in range(PUBLICATIONS):
        admin.change(packages.edit, life.programs[NEW].package, name=f"name {number}")
        fleet.site_turn()
    fleet.add_clients(1)
    life.polls()


def promise_is_kept(life: Life) -> None:
    """Nothing ran twice, nobody is lost or asked for what is not there, what is deleted is forgotten; new ids are new."""
    fleet = life.fleet
    life.polls(3)
    for client in fleet.clients:
        assert client.standing() is ClientState.MEMBER, client.name
        runs = {command: fleet.ran(client, command) for command in life.programs}
        assert all(count <= 1 for count in runs.values()), (client.name, runs)
        assert runs[OLD] == 1
        assert records.history_of(client.machine.state, life.programs[OLD]).has_succeeded
    assert fleet.absent_requests() == []
    assert fleet.problems() == []
    life.offer(f"after-{len(life.ids)}.exe")
    life.polls()
    for client in fleet.clients:
        assert fleet.ran(client, list(life.programs)[-1]) == 1, "what is new does not reach a client any more"
    assert fleet.absent_requests() == []


def gone_is_forgotten(life: Life) -> None:
    """Nobody holds anything of the deleted package, and the site does not offer it."""
    package = life.programs[GONE].package
    assert package not in {one.id for one in life.fleet.admin.ask(packages.listed)}
    for client in life.fleet.clients:
        assert life.fleet.holds_anything_of(client, package) == [], client.name


def paused(life: Life) -> set[AdvertisementId]:
    """What waits for a person to release it."""
    return {one.id for one in life.fleet.admin.ask(advertisements.listed) if one.is_paused}


def said_of(restored: Restored, kind: Kind) -> set[str]:
    """What a person is to look at, of one kind."""
    return {decision.about for decision in restored.decisions if decision.kind is kind}


def job_states(fleet: Fleet, client: LabClient) -> dict[ProgramKey, JobState]:
    """How programs stand on a client, as the site knows it."""
    table = schema.job_state
    with fleet.site.database.read() as tx:
        rows = tx.execute(
            select(table.c.package, table.c.program, table.c.state)
            .join(schema.client, schema.client.c.number == table.c.client)
            .where(schema.client.c.id == client.id)
        ).all()
    return {ProgramKey(PackageId(row.package), row.program): JobState(row.state) for row in rows}


# --- from any older backup --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_cap", [True, False], ids=["with the CAP", "without"])
@pytest.mark.parametrize("age", [0, 1, 2], ids=["of now", "of before", "of long before"])
def test_after_a_restore_from_any_backup_the_promise_is_kept(age: int, *, with_cap: bool) -> None:
    fleet, life = lives()
    with fleet:
        backups = [fleet.backup()]
        a_lot_happens(life)
        backups.append(fleet.backup())
        life.offer(LATE)
        life.polls()
        backups.append(fleet.backup())
        fleet.restore(backups[-1 - age], with_cap=with_cap)
        promise_is_kept(life)
        if with_cap or age < 2:
            gone_is_forgotten(life)


def test_with_the_cap_what_was_published_after_the_backup_is_taken_from_there() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        a_lot_happens(life)
        before = {client.name: job_states(fleet, client) for client in fleet.clients}
        restored = fleet.restore(backup, with_cap=True)
        assert paused(life) == {life.offers[NEW], life.offers[CHANGED]} == said_of(restored, Kind.ADVERTISEMENT)
        assert said_of(restored, Kind.PACKAGE) == {life.programs[NEW].package, life.programs[GONE].package}
        assert "joined" in said_of(restored, Kind.CLIENT)
        assert restored.clients == len(fleet.clients)
        promise_is_kept(life)
        gone_is_forgotten(life)
        for client in fleet.clients:
            assert records.history_of(client.machine.state, life.programs[NEW]).has_succeeded, "a disk that failed is no deletion"
            told = {key: state for key, state in job_states(fleet, client).items() if key in before[client.name]}
            assert {key: told.get(key) for key in (life.programs[OLD], life.programs[NEW])} == dict.fromkeys(
                (life.programs[OLD], life.programs[NEW]), JobState.SUCCEEDED
            )
        assert {one.name for one in fleet.admin.ask(resources.listed)} == {client.name for client in fleet.clients}


def test_what_a_person_releases_goes_on_where_it_was() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        a_lot_happens(life)
        fleet.restore(backup, with_cap=True)
        for one in sorted(paused(life)):
            fleet.admin.change(advertisements.resume, one)
        promise_is_kept(life)
        newcomer = fleet.add_clients(1)[0]
        life.polls()
        assert {command: fleet.ran(newcomer, command) for command in (OLD, GONE, NEW)} == {OLD: 1, GONE: 0, NEW: 1}


def test_without_a_cap_everything_is_paused_and_clients_come_back_with_their_receipts() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        a_lot_happens(life)
        restored = fleet.restore(backup, with_cap=False)
        assert restored.read == ""
        assert restored.clients == len(fleet.clients) - 1
        assert paused(life) == {life.offers[command] for command in (OLD, GONE, CHANGED)}
        promise_is_kept(life)
        assert {one.name for one in fleet.admin.ask(resources.listed)} == {client.name for client in fleet.clients}


def test_without_a_cap_those_that_the_backup_names_elsewhere_are_said_and_one_that_was_read_is_not() -> None:
    with Fleet(1) as fleet:
        add = partial(fleet.admin.change, points.add, PointKind.CAP)
        fleet.admin.change(points.edit, "cap1", url="http://site.lab/cap")
        fleet.admin.change(points.edit, "dp1", url="http://site.lab/dp")
        added = [
            add(url="http://branch.lab/cap", target="/srv/a branch/cap"),
            add(url="https://bucket.lab/cap", target="s3://bucket/cap", credentials="/etc/s3"),
            add(url="smb://files.lab/CAP_S01", target="smb://files.lab/CAP_S01", credentials="/etc/share"),
        ]
        read = add(url="http://mirror.lab/cap")
        backup = fleet.backup()
        mirror, empty = (MemoryBoxes(url, fleet.clock.now) for url in ("http://mirror.lab/cap", "smb://files.lab/CAP_S01"))
        mirror.files = dict(fleet.cap.files)
        restored = fleet.restore(backup, with_cap=False, mirrors=[one.point("the site itself") for one in (mirror, empty)])
        said = {one.about: one.text for one in restored.decisions if one.kind is Kind.NUMBERS}
        assert "`--replace --cap '/srv/a branch/cap'`" in said[added[0]]
        assert "`--replace --cap https://bucket.lab/cap`" in said[added[1]]
        assert "`--replace --cap smb://files.lab/CAP_S01 --credentials /etc/share`" in said[added[2]], "it could not be read"
        assert read not in said and "cap1" not in said


# --- one thing at a time ----------------------------------------------------------------------------------------------


def test_a_client_that_was_removed_or_blocked_after_the_backup_stays_so() -> None:
    fleet, life = lives()
    with fleet:
        removed, blocked = fleet.clients[0], fleet.clients[1]
        gone = life.programs[GONE].package
        for client in (removed, blocked):
            fleet.cap.cut(client.name)
        fleet.admin.delete_package(gone)
        life.polls()
        backup = fleet.backup()
        fleet.admin.change(resources.remove, removed.id)
        fleet.admin.change(resources.block, blocked.id, reason="stolen")
        life.polls()
        restored = fleet.restore(backup, with_cap=True)
        assert said_of(restored, Kind.CLIENT) >= {removed.id, blocked.id}
        assert fleet.admin.ask(_awaited) == {blocked.id}, "a deletion waits for a machine that was removed"
        fleet.cap.mend()
        life.offer(LATE)
        life.polls(3)
        assert [fleet.ran(client, LATE) for client in fleet.clients] == [0, 0, 1]
        assert removed.standing() is ClientState.REJOIN
        assert blocked.standing() is ClientState.BLOCKED


def _awaited(tx: Connection) -> set[str]:
    """Of whom it is awaited that they say that they have forgotten something."""
    client, holder = schema.client, schema.holder
    joined = select(client.c.id).join(holder, holder.c.client == client.c.number)
    return set(tx.scalars(joined.where(holder.c.acknowledged_at.is_(None))))


@pytest.mark.parametrize("role", ["offers", "timestamp", "lookup", "sealing", "packages"])
def test_a_key_that_was_replaced_after_the_backup_does_not_come_back(role: str) -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        old = {name for name in fleet.site.keys.names() if name.role == role}
        fleet.admin.change(custody.rotate, fleet.site.keys, (role,))
        life.polls()
        restored = fleet.restore(backup, with_cap=True)
        assert role in said_of(restored, Kind.KEY)
        if role in ("packages", "agent", "targets"):  # kept by people: theirs to bring
            return
        promise_is_kept(life)
        with fleet.site.database.read() as tx:
            current = {row.id for row in site_keys.all_keys(tx) if row.role == role and row.state == "current"}
        assert current and not current & {name.id for name in old}


def test_a_program_that_was_disabled_or_deleted_after_the_backup_is_not_run_by_newcomers() -> None:
    fleet, life = lives()
    with fleet:
        admin = fleet.admin
        second = admin.add_program(life.programs[OLD].package, "second", "second.exe")
        admin.advertise(second)
        life.polls()
        backup = fleet.backup()
        admin.change(programs.disable, life.programs[OLD])
        admin.change(programs.delete, second, is_confirmed=True)
        life.polls()
        fleet.restore(backup, with_cap=True)
        for one in sorted(paused(life)):
            admin.change(advertisements.resume, one)
        newcomer = fleet.add_clients(1)[0]
        life.polls()
        assert [fleet.ran(newcomer, command) for command in (OLD, "second.exe", CHANGED)] == [0, 0, 1]
        third = admin.add_program(life.programs[OLD].package, "third", "third.exe")
        assert third.program > second.program


def test_windows_made_after_the_backup_hold_back_what_may_not_run_now() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        servers = life.collection("Servers", "pc1", "pc2", "pc3")
        fleet.admin.change(windows.add, servers, start="2026-01-05T20:00", duration_seconds=3600, is_confirmed=True)
        life.polls()
        fleet.restore(backup, with_cap=True)
        life.offer(LATE)
        life.polls(3)
        assert [fleet.ran(client, LATE) for client in fleet.clients] == [0, 0, 0]
        fleet.advance(hours=13)
        assert [fleet.ran(client, LATE) for client in fleet.clients] == [1, 1, 1]


def test_nothing_is_uninstalled_because_a_restored_site_does_not_know_its_offer() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        pilot = life.collection("Pilot", "pc1", "pc2", "pc3")
        package = fleet.admin.add_package("Leaves", {"leaves.exe": b"leaves"})
        uninstall = Uninstall(command=Command(argv=("remove.exe",)), when_not_offered=True)
        key = fleet.admin.add_program(
            package, "install", "leaves.exe", uninstall=uninstall, detection=OsPackageRule(name="leaves")
        )
        fleet.admin.advertise(key, pilot)
        life.polls()
        fleet.restore(backup, with_cap=True)
        life.polls(6)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [0, 0, 0]
        assert fleet.admin.ask(collections.shown, pilot).members == len(fleet.clients)


def test_a_package_that_was_being_uninstalled_goes_on_being_uninstalled() -> None:
    fleet, life = lives()
    with fleet:
        package = fleet.admin.add_package("Leaves", {"leaves.exe": b"leaves"})
        uninstall = Uninstall(command=Command(argv=("remove.exe",)))
        key = fleet.admin.add_program(package, "install", "leaves.exe", uninstall=uninstall)
        fleet.admin.advertise(key)
        life.polls()
        backup = fleet.backup()
        away = fleet.clients[0]
        fleet.cap.cut(away.name)
        fleet.admin.delete_package(package, with_uninstall=True)
        life.polls()
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [0, 1, 1]
        fleet.restore(backup, with_cap=True)
        fleet.cap.mend()
        life.polls(4)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [1, 1, 1]
        assert fleet.absent_requests() == []


def _listed(fleet: Fleet) -> tuple[restoration.DecisionView, ...]:
    newest = fleet.admin.ask(restoration.newest)
    assert newest is not None
    return newest.decisions


def test_settings_and_points_that_were_changed_after_the_backup_are_named_with_the_command_that_says_them_again() -> None:
    fleet, life = lives()
    with fleet:
        admin = fleet.admin
        before = [admin.change(points.add, PointKind.DP, url=f"http://branch{number}.lab/dp") for number in range(3)]
        life.polls()
        backup = fleet.backup()
        admin.change(settings.change, "retry_seconds", 700)
        admin.change(settings.change, "may_restart", True)
        admin.change(settings.change, "confirm_above", 7)  # of which clients are not told
        admin.change(points.edit, before[0], url="http://moved.lab/dp", networks=["10.1.0.0/16"], weight=7)
        admin.change(points.drain, before[1])
        admin.change(points.remove, before[2], is_forced=True)
        added = admin.change(points.add, PointKind.DP, url="http://new.lab/dp", networks=["10.2.0.0/16"])
        life.polls()
        restored = fleet.restore(backup, with_cap=True)
        said = {one.about: one.text for one in restored.decisions if one.kind in (Kind.SETTING, Kind.POINT)}
        assert said.keys() == {"retry_seconds", "may_restart", *before, added}
        assert "was 700 when last published, is 600 now: `purveyor settings set retry_seconds 700`" in said["retry_seconds"]
        assert "`purveyor settings set may_restart yes`" in said["may_restart"]
        edited = f"`purveyor point edit {before[0]} --url http://moved.lab/dp --network 10.1.0.0/16 --weight 7`"
        assert edited in said[before[0]]
        assert f"`purveyor point drain {before[1]}`" in said[before[1]]
        assert "is told again" in said[before[2]]
        assert "`purveyor point add dp http://new.lab/dp --network 10.2.0.0/16`" in said[added]
        assert {one.seen_to for one in _listed(fleet)} == {""}
        admin.change(settings.change, "retry_seconds", 800)
        admin.change(points.drain, before[1])
        again = admin.change(points.add, PointKind.DP, url="http://new.lab/dp")
        assert again not in {added, *before}, "an id was given twice"
        listed = _listed(fleet)
        assert {one.about: one.seen_to.partition(" by ")[0] for one in listed if one.seen_to} == {
            "retry_seconds": "setting.change",
            before[1]: "point.drain",
            added: "point.add",
        }
        assert [bool(one.seen_to) for one in listed[-3:]] == [True] * 3, "what is still to be looked at comes first"


# --- more than once, and while others are away ------------------------------------------------------------------------


@pytest.mark.parametrize("with_cap", [True, False], ids=["with the CAP", "without"])
def test_a_site_that_was_restored_can_be_restored_again_from_a_still_older_backup(*, with_cap: bool) -> None:
    fleet, life = lives()
    with fleet:
        oldest = fleet.backup()
        a_lot_happens(life)
        older = fleet.backup()
        life.offer(LATE)
        life.polls()
        fleet.restore(older, with_cap=with_cap)
        life.polls()
        fleet.restore(oldest, with_cap=with_cap)
        promise_is_kept(life)
        fleet.restore(older, with_cap=not with_cap)
        promise_is_kept(life)


@pytest.mark.parametrize("with_cap", [True, False], ids=["with the CAP", "without"])
def test_a_client_that_was_away_for_longer_than_a_timestamp_lives_finds_the_restored_site(*, with_cap: bool) -> None:
    fleet, life = lives()
    with fleet:
        for name, hours in (("timestamp_rhythm_seconds", 8), ("timestamp_lifetime_seconds", 24)):
            fleet.admin.change(settings.change, name, hours * 3600)
        backup = fleet.backup()
        a_lot_happens(life)
        away = fleet.clients[-1]
        away.wake_at = fleet.clock.now() + timedelta(hours=30)
        fleet.restore(backup, with_cap=with_cap)
        fleet.admin.change(settings.change, "poll_interval_seconds", int(timedelta(hours=12).total_seconds()))
        fleet.advance(hours=30)
        promise_is_kept(life)
        assert away.id in {one.id for one in fleet.admin.ask(resources.listed)}


def test_reports_that_no_shard_covered_are_sent_to_the_restored_site() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        fleet.site_away(timedelta(days=1))
        life.offers.pop(GONE)
        fleet.cap.discard()
        life.polls(2)
        fleet.cap.mend()
        sent = fleet.cap.put_count
        fleet.restore(backup, with_cap=True)
        fleet.calm()
        life.polls(2)
        assert fleet.cap.put_count > sent
        for client in fleet.clients:
            assert job_states(fleet, client)[life.programs[OLD]] is JobState.SUCCEEDED


@pytest.mark.parametrize("with_cap", [True, False], ids=["with the CAP that was saved first", "without"])
def test_no_number_is_given_twice_by_two_restores_that_know_nothing_of_each_other(*, with_cap: bool) -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        saved = dict(fleet.cap.files)
        heard, given = [], []
        for number in range(2):
            fleet.cap.files = dict(saved)
            heard.append(fleet.restore(backup, with_cap=with_cap).incarnation)
            (backup.folder.parent / form.NUMBERS).unlink()
            second = fleet.admin.add_program(life.programs[OLD].package, f"second {number}", "second.exe")
            key = life.offer(f"since-{number}.exe")
            fleet.admin.update_package(life.programs[OLD].package, {OLD: b"%d" % number})
            fleet.admin.change(
                advertisements.edit, life.offers[OLD], assignments=("2026-01-09T20:00",), each_version=False, is_confirmed=True
            )
            with fleet.site.database.read() as tx:
                numbers = {one["id"]: one["highest_assignment"] for one in restoring.advertisement_rows(tx).values()}
            version = next(one.source_version for one in fleet.admin.ask(packages.listed) if one.id == second.package)
            given.append((second, key, version, numbers[life.offers[OLD]]))
            fleet.advance(minutes=20)
        assert heard[0] < heard[1]
        assert all(before < after for before, after in zip(*given, strict=True)), given
        promise_is_kept(life)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_mirror_that_shows_old_shards_lets_nobody_in_who_was_blocked_before_the_backup() -> None:
    fleet, life = lives()
    with fleet:
        shards = {path: stored for path, stored in fleet.cap.files.items() if "/lookup/" in path}
        blocked = fleet.clients[0]
        fleet.admin.change(resources.block, blocked.id, reason="stolen")
        life.polls()
        backup = fleet.backup()
        fleet.cap.files.update(shards)
        restored = fleet.restore(backup, with_cap=True)
        assert restored.read != ""
        life.offer(LATE)
        life.polls(3)
        assert blocked.standing() is ClientState.BLOCKED
        assert [fleet.ran(client, LATE) for client in fleet.clients] == [0, 1, 1]


def mirrored(fleet: Fleet) -> MemoryBoxes:
    """A mirror of the access point as it is now, which hears of nothing more."""
    mirror = MemoryBoxes("http://mirror.lab/cap", fleet.clock.now)
    mirror.files = dict(fleet.cap.files)
    return mirror


def test_what_a_mirror_shows_is_taken_over_and_all_is_paused() -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        life.offer(NEW)
        life.polls()
        mirror = mirrored(fleet)
        fleet.admin.delete_package(life.programs[GONE].package)
        life.polls()
        restored = fleet.restore(backup, with_cap=False, mirrors=[mirror.point("the site itself")])
        assert restored.read == mirror.url
        assert paused(life) == set(life.offers.values()) == said_of(restored, Kind.ADVERTISEMENT)
        promise_is_kept(life)
        newcomer = fleet.add_clients(1)[0]
        life.polls()
        assert fleet.ran(newcomer, GONE) == 0, "what was deleted came back"


@pytest.mark.parametrize("with_cap", [True, False], ids=["with the CAP", "without"])
def test_a_power_cut_at_any_moment_of_a_restore_is_mended_by_restoring_again(*, with_cap: bool) -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        a_lot_happens(life)
        cuts = 0
        for effect in (1, 2, 4, 9, 33):
            fleet.power.fail_at(effect)
            try:
                fleet.restore(backup, with_cap=with_cap)
            except PowerCut:
                cuts += 1
                fleet.cap.power_cut()
            fleet.power.restore()
        assert cuts >= 3
        fleet.restore(backup, with_cap=with_cap)
        promise_is_kept(life)


def test_a_cap_that_is_older_than_the_backup_is_no_witness() -> None:
    fleet, life = lives()
    with fleet:
        fleet.cap.keep_moment("old")
        life.offer(NEW)
        life.polls()
        backup = fleet.backup()
        life.offer(LATE)
        life.polls()
        fleet.cap.serve_moment("old", client="the site itself")
        restored = fleet.restore(backup, with_cap=True)
        assert restored.read == ""
        promise_is_kept(life)


@pytest.mark.parametrize("path", ["timestamp.json", ".packages-", ".settings.json"])
def test_a_cap_that_lies_is_not_believed(path: str) -> None:
    fleet, life = lives()
    with fleet:
        backup = fleet.backup()
        life.offer(NEW)
        life.polls()
        fleet.cap.corrupt_all(lambda one: path in one)
        restored = fleet.restore(backup, with_cap=True)
        assert restored.read == ""
        fleet.cap.mend()
        promise_is_kept(life)


# --- the stories above bite -------------------------------------------------------------------------------------------


def _without_receipts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returning, "owed", lambda *_, **__: [])


def _versions_from_the_backup(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore, "_floor", lambda *_: 0)


def _numbers_from_the_backup(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore, "_leave_numbers_out", lambda *_, **__: None)


def _what_was_deleted_is_offered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(adopting, "_retire", lambda *_: None)


def _nothing_is_paused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restoring, "pause_all", lambda *_: [])


@pytest.mark.parametrize(
    ("mutant", "story"),
    [
        (_without_receipts, test_without_a_cap_everything_is_paused_and_clients_come_back_with_their_receipts),
        (_versions_from_the_backup, test_without_a_cap_everything_is_paused_and_clients_come_back_with_their_receipts),
        (_numbers_from_the_backup, test_without_a_cap_everything_is_paused_and_clients_come_back_with_their_receipts),
        (_nothing_is_paused, test_without_a_cap_everything_is_paused_and_clients_come_back_with_their_receipts),
        (_what_was_deleted_is_offered, test_with_the_cap_what_was_published_after_the_backup_is_taken_from_there),
    ],
)
def test_a_restore_that_breaks_one_rule_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], story: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        story()


def test_backups_share_their_content_and_only_the_newest_are_kept() -> None:
    fleet, life = lives()
    with fleet:
        first = fleet.backup()
        fleet.advance(hours=1)
        life.offer(LATE)
        second: Backup = fleet.backup()
        files = [path for path in (first.folder.parent / "content" / "files").rglob("*") if path.is_file()]
        assert len(files) == len(life.programs)
        assert second.folder != first.folder
