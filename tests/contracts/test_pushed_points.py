"""Points over every kind of database: what administrators may say of them, and what a push finds lacking, wanting and leaving."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from purveyor.lab.clock import Clock
from purveyor.lab.transport import MemoryBoxes, MemoryShelf
from purveyor.site_server.admin import audit, packages, points, status
from purveyor.site_server.database import points as rows
from purveyor.site_server.database import publication, restoring, settings
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.points import PointKind, PointState
from purveyor.site_server.publish import pushing, turn
from purveyor.site_server.site import prepare_database
from purveyor.transport.interface import Listed
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.settings import Point
from purveyor.wire.status_messages import StatusId
from site_rows import ANNA, NOW, add_site
from small_site import SITE, URL, fixed_keys

CAP2, DP2 = "https://cap2.example/cap", "https://cap2.example/dp"
HOUR = timedelta(hours=1)


def told(tx: Connection, kind: PointKind) -> tuple[Point, ...]:
    """What agents are told."""
    return rows.told(tx, kind)


@pytest.fixture
def whole(tx: Connection) -> Connection:
    """A site whose own points have whole addresses."""
    add_site(tx)
    publication.store_role(tx, name="timestamp", version=1, content=b"", expires_at=NOW)
    points.edit(tx, "cap1", url="https://site.example/cap", by=ANNA, now=NOW)
    points.edit(tx, "dp1", url="https://site.example/dp", by=ANNA, now=NOW)
    return tx


def test_a_new_site_tells_of_its_own_points_as_places_beside_its_cap(tx: Connection) -> None:
    add_site(tx)
    assert told(tx, PointKind.CAP) == (Point(id="cap1", url="."),)
    assert told(tx, PointKind.DP) == (Point(id="dp1", url="../dp"),)


def test_clients_are_told_all_of_a_point_but_where_the_site_writes(whole: Connection) -> None:
    said = {"target": "s3://bucket/cap", "credentials": "/etc/secret", "networks": ["fd00:1::/48", "10.1.0.0/16"], "weight": 7}
    name = points.add(whole, PointKind.CAP, url=CAP2, by=ANNA, now=NOW, **said)
    networks = ("10.1.0.0/16", "fd00:1::/48")
    expected = Point(id="cap2", url=CAP2, networks=networks, weight=7, takes_items=False)
    rows.set_filled(whole, [name], NOW)
    assert told(whole, PointKind.CAP)[1] == expected
    points.drain(whole, name, by=ANNA, now=NOW)
    assert told(whole, PointKind.CAP)[1].is_draining
    points.resume(whole, name, by=ANNA, now=NOW)
    assert told(whole, PointKind.CAP)[1] == expected
    points.remove(whole, name, is_forced=True, by=ANNA, now=NOW)
    assert [one.id for one in told(whole, PointKind.CAP)] == ["cap1"]
    assert points.add(whole, PointKind.CAP, url=CAP2, by=ANNA, now=NOW) == "cap3", "an id is never given twice"


def test_every_change_is_in_the_audit_without_a_secret(whole: Connection) -> None:
    points.add(whole, PointKind.CAP, url=CAP2, target="smb://a/b", credentials="/etc/secret", by=ANNA, now=NOW)
    points.drain(whole, "cap2", by=ANNA, now=NOW)
    points.remove(whole, "cap2", is_forced=True, by=ANNA, now=NOW)
    actions = [entry.action for entry in audit.listed(whole, about="cap2")]
    assert actions == ["point.remove", "point.drain", "point.add"]


def test_a_bucket_is_not_enough_for_clients_to_report_to(whole: Connection) -> None:
    points.add(whole, PointKind.CAP, url=CAP2, target="s3://bucket/cap", credentials="/etc/secret", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="last CAP to which clients can report"):
        points.drain(whole, "cap1", by=ANNA, now=NOW)


def test_a_point_is_drained_one_heartbeat_and_two_polls_after_the_last_item(whole: Connection) -> None:
    points.add(whole, PointKind.CAP, url=CAP2, target="/srv/cap2", by=ANNA, now=NOW)
    points.drain(whole, "cap2", by=ANNA, now=NOW)
    row = rows.point_of(whole, "cap2")
    assert row is not None
    rows.note_items(whole, row, NOW + 5 * HOUR)
    grace = timedelta(days=1) + 2 * HOUR
    for after, is_drained in ((grace, False), (5 * HOUR + grace, True)):
        assert points.shown(whole, "cap2", NOW + after).is_drained is is_drained
    with pytest.raises(RefusedError, match="may still use it until 2026-12-02 16:00"):
        points.remove(whole, "cap2", by=ANNA, now=NOW + grace)
    assert points.remove(whole, "cap2", by=ANNA, now=NOW + 5 * HOUR + grace).left == ()
    assert points.shown(whole, "cap2", NOW).state is PointState.REMOVED


def test_a_draining_cap_that_cannot_be_reached_is_never_called_drained(whole: Connection) -> None:
    points.add(whole, PointKind.CAP, url=CAP2, target="/srv/cap2", by=ANNA, now=NOW)
    points.drain(whole, "cap2", by=ANNA, now=NOW)
    row = rows.point_of(whole, "cap2")
    assert row is not None
    rows.note_failure(whole, row, "no route to it", StatusId.POINT_FAILS, NOW)
    assert not points.shown(whole, "cap2", NOW + timedelta(days=9)).is_drained
    with pytest.raises(RefusedError, match="what clients put there last"):
        points.remove(whole, "cap2", by=ANNA, now=NOW + timedelta(days=9))
    assert "no route to it" in points.remove(whole, "cap2", is_forced=True, by=ANNA, now=NOW).left[0]


def test_of_what_kind_a_failure_is_is_told_once_until_it_is_over_or_of_another_kind(whole: Connection) -> None:
    points.add(whole, PointKind.CAP, url=CAP2, target="/srv/cap2", by=ANNA, now=NOW)

    def told_after(*troubles: StatusId | None) -> list[int]:
        for trouble in troubles:
            row = rows.point_of(whole, "cap2")
            assert row is not None
            if trouble is None:
                rows.note_success(whole, row, NOW)
            else:
                rows.note_failure(whole, row, "no\0 route", trouble, NOW)
        return [one.status for one in reversed(status.messages(whole, point="cap2"))]

    fails, full, back = StatusId.POINT_FAILS, StatusId.POINT_FULL, StatusId.POINT_BACK
    assert told_after(fails, None, fails, None) == []
    assert told_after(fails, fails, fails) == [fails]
    assert told_after(full, full) == [fails, full]
    assert told_after(None, None) == [fails, full, back]
    assert told_after(full) == [fails, full, back, full]
    assert status.messages(whole, point="cap2")[0].text == "no route"
    points.remove(whole, "cap2", is_forced=True, is_left=True, by=ANNA, now=NOW)
    row = rows.point_of(whole, "cap2")
    assert row is not None
    rows.note_failure(whole, row._replace(revision=row.revision - 1), "no route", fails, NOW)
    assert told_after() == [fails, full, back, full]
    with pytest.raises(RefusedError, match="no point 'cap9'"):
        status.messages(whole, point="cap9")


class World:
    """A site that publishes into one CAP and pushes to another."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.keys = database, Clock(), fixed_keys()
        self.home, self.away = MemoryBoxes(URL, self.clock.now), MemoryBoxes(CAP2, self.clock.now)
        prepare_database(database, code=SITE, keys=self.keys, bin_bits=1, now=self.clock.now())
        with database.write() as tx:
            points.edit(tx, "cap1", url="https://site.example/cap", by=ANNA, now=self.clock.now())
            points.edit(tx, "dp1", url="https://site.example/dp", by=ANNA, now=self.clock.now())
            points.add(tx, PointKind.CAP, url=CAP2, target="/srv/cap2", by=ANNA, now=self.clock.now())
            for name, value in (("timestamp_rhythm_seconds", 3600), ("timestamp_lifetime_seconds", 7200)):
                settings.change_setting(tx, name, value)

    def publish(self) -> None:
        """Turns of the site in its own folder."""
        for _ in range(3):
            turn.turn(database=self.database, cap=self.home.shelf(), keys=self.keys, now=self.clock.now())

    def push(self) -> pushing.Pushed:
        """One turn at the other CAP."""
        held, point = self._held()
        return pushing.push(database=self.database, point=point, shelf=self.away.shelf(), settings=held, now=self.clock.now())

    def audit(self) -> int:
        """Looks what lies at the other CAP."""
        return pushing.audit(database=self.database, point=self._held()[1], shelf=self.away.shelf(), now=self.clock.now())

    def add_package(self) -> None:
        """A package more."""
        with self.database.write() as tx:
            packages.add(tx, name=f"package of {self.clock.now()}", by=ANNA, now=self.clock.now())

    def _held(self) -> tuple[settings.SiteSettings, rows.PointRow]:
        with self.database.read() as tx:
            point = rows.point_of(tx, "cap2")
            assert point is not None
            return settings.read_settings(tx), point


@pytest.fixture
def world(database: Database) -> World:
    """A site that has published."""
    made = World(database)
    made.publish()
    return made


def down(boxes: MemoryBoxes) -> dict[str, bytes]:
    """What lies in the down boxes."""
    return {path: stored.content for path, stored in boxes.files.items() if is_down_path(path)}


def test_a_push_brings_everything_once_and_then_only_what_is_new(world: World) -> None:
    assert world.push().written == len(down(world.home))
    assert down(world.away) == down(world.home)
    assert world.push() == pushing.Pushed(0, 0, is_more=False)
    world.add_package()
    world.publish()
    assert 0 < world.push().written < len(down(world.home)) / 2


def test_clients_are_told_of_a_cap_from_its_first_whole_push_on_however_it_fails_after_that(world: World) -> None:
    def seen() -> tuple[list[str], bool, int | None]:
        with world.database.read() as tx:
            shown = points.shown(tx, "cap2", world.clock.now())
            return [one.id for one in told(tx, PointKind.CAP)], shown.is_told, shown.behind

    _stop_after(world.away, 3)
    with pytest.raises(UnavailableError):
        world.push()
    assert seen() == (["cap1"], False, None)
    with world.database.write() as tx, pytest.raises(RefusedError, match="no client is told of cap2"):
        points.drain(tx, "cap1", by=ANNA, now=world.clock.now())
    world.away.is_full = False
    _stop_after(world.away, 10_000)
    assert world.push().is_more, "the settings that tell of it are to be published"
    world.publish()
    assert seen() == (["cap1", "cap2"], True, 1)
    assert not world.push().is_more

    with world.database.write() as tx:
        points.drain(tx, "cap1", by=ANNA, now=world.clock.now())
        row = rows.point_of(tx, "cap2")
        assert row is not None
        rows.note_failure(tx, row, "no route to it", StatusId.POINT_FAILS, world.clock.now())
        rows.forget_pushes(tx)
    assert seen() == (["cap1", "cap2"], True, None), "a restore un-tells nothing, and a number less none is no count"
    with world.database.write() as tx:
        points.edit(tx, "cap2", target="/srv/elsewhere", by=ANNA, now=world.clock.now())
    assert seen() == (["cap1"], False, None), "another place was never filled"


def test_whatever_stops_a_push_no_timestamp_leads_to_a_file_that_is_not_there(world: World) -> None:
    world.push()
    before = down(world.away)
    world.add_package()
    world.publish()
    shelf_writes = len(down(world.home).keys() - before.keys())
    for allowed in range(shelf_writes):
        world.away.files = {path: world.away.files[path] for path in before}
        world.away.is_full = False
        _stop_after(world.away, allowed)
        with pytest.raises(UnavailableError):
            world.push()
        assert world.away.files["clidata.box/timestamp.json"].content == before["clidata.box/timestamp.json"]
        assert before.keys() <= world.away.files.keys()
    world.away.is_full = False
    _stop_after(world.away, 10_000)
    world.push()
    assert down(world.away) == down(world.home)


def test_what_nothing_names_leaves_a_point_a_grace_time_after_the_point_has_heard(world: World) -> None:
    world.push()
    with world.database.read() as tx:
        named = restoring.named_paths(tx)
    world.clock.advance(timedelta(days=3))
    world.add_package()
    world.publish()
    world.clock.advance(timedelta(days=3))
    world.publish()
    gone = named - down(world.home).keys()
    assert gone
    world.push()
    assert gone <= down(world.away).keys()
    world.clock.advance(timedelta(days=3))
    world.publish()
    world.push()
    assert not gone & down(world.away).keys()


def test_what_a_point_lost_or_has_too_much_is_found_by_name_and_size(world: World) -> None:
    world.push()
    whole = down(world.away)
    lost = [
        next(path for path in whole if path.endswith(end)) for end in ("1.targets.json", ".lkp", "root.json", "timestamp.json")
    ]
    for path in lost[:3]:
        world.away.files.pop(path)
    world.away.files[lost[3]] = world.away.files[lost[3]]._replace(content=b"short")
    world.away.files["pkginfo.box/stranger.pkg"] = world.away.files[lost[3]]
    assert world.audit() == len(lost)
    world.push()
    assert {path for path in down(world.away) if path not in whole} == {"pkginfo.box/stranger.pkg"}
    assert {path: content for path, content in down(world.away).items() if path in whole} == whole
    world.clock.advance(timedelta(days=9))
    world.push()
    assert down(world.away) == whole


def test_a_share_that_shows_names_in_other_letters_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = MemoryShelf.listed

    def in_capitals(self: MemoryShelf, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        return [one._replace(name=one.name.upper()) for one in listed(self, folder, limit=limit, until=until)]

    world.push()
    whole = down(world.away)
    monkeypatch.setattr(MemoryShelf, "listed", in_capitals)
    assert world.audit() == 0
    world.clock.advance(timedelta(days=9))
    assert world.push().removed == 0
    assert down(world.away) == whole


def test_a_point_that_was_changed_meanwhile_is_left_alone(world: World) -> None:
    held, before = world._held()
    with world.database.write() as tx:
        points.edit(tx, "cap2", target="/srv/other", by=ANNA, now=world.clock.now())
    pushed = pushing.push(database=world.database, point=before, shelf=world.away.shelf(), settings=held, now=world.clock.now())
    assert (pushed.written, world.away.files) == (0, {})


def test_a_grown_generation_of_shards_is_whole_at_a_point_before_its_settings_name_it(world: World) -> None:
    world.push()
    with world.database.write() as tx:
        publication.insert_generation(tx, generation=2, bits=2, announced_at=None)
    world.publish()
    assert world.push().written
    assert len([path for path in world.away.files if path.startswith("offerinf.box/lookup/2/")]) == 4
    assert down(world.away) == down(world.home)


def _stop_after(boxes: MemoryBoxes, writes: int) -> None:
    left = writes
    wrote = MemoryBoxes.wrote

    def counted(path: str, stored: object) -> None:
        nonlocal left
        if left == 0:
            boxes.is_full = True
            raise UnavailableError("the disk is full")
        left -= 1
        wrote(boxes, path, stored)  # type: ignore[arg-type]

    boxes.wrote = counted  # type: ignore[method-assign]
