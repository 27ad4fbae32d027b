"""What went wrong with the database and its backups in the field: folders that were deleted, limits, commits that never came."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from field.words import told
from publishing_site import PublishingSite
from purveyor.lab.fleet import Fleet
from purveyor.lab.power import PowerCut
from purveyor.recovery import backup, restore
from purveyor.recovery.backup import Made
from purveyor.recovery.decisions import Kind
from purveyor.site_server import executive, storage
from purveyor.site_server.admin import advertisements, collections, packages, status
from purveyor.site_server.database import row_files, schema
from purveyor.site_server.database.engine import open_database
from purveyor.site_server.publish.older import TIMESTAMP
from purveyor.site_server.site import create_site, open_site, opened_site
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import advertisement_id
from purveyor.wire.jobs import JobState
from purveyor.wire.status_messages import StatusId
from upward_items import Receiving
from upward_items import status as said

POLL = timedelta(minutes=15)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """A fleet with a package that has run everywhere."""
    with Fleet(1, poll_interval=POLL) as made:
        package = made.admin.add_package("Editor", {"setup.exe": b"setup"})
        made.admin.advertise(made.admin.add_program(package, "install", "setup.exe"))
        made.settle()
        yield made


def back_up(fleet: Fleet, to: Path, *, keep: int = 1) -> Made:
    """A backup of the fleet's site, of which so many stay."""
    return backup.make(fleet.site, to, keep=keep, with_keys=True, by="anna", note=lambda _: None)


def files_in(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- backups ---


def test_q256586_q275612_a_backup_takes_away_only_earlier_ones_of_its_own_site(fleet: Fleet, tmp_path: Path) -> None:
    strangers = (
        "photos.partial/two.jpg",
        "S01-of-last-year/notes.txt",
        "S01",
        "photos/one.jpg",
        "S01-20200101T000000Z.txt",
    )
    for name in strangers:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    first = back_up(fleet, tmp_path)
    fleet.advance(hours=1)
    second = back_up(fleet, tmp_path)
    assert second.dropped == (first.folder.name,) and not first.folder.exists()
    assert list(backup.problems_of(second.folder)) == []
    assert {name: (tmp_path / name).read_bytes() for name in strangers} == {name: name.encode() for name in strangers}


@pytest.mark.parametrize("target", ["", "/", "site", "site/content", "site/deep/er", "site/../site", "."])
def test_q256586_a_folder_that_is_none_or_the_sites_own_is_no_folder_for_backups(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site" / "content").mkdir(parents=True)
    (tmp_path / "site" / "content" / "precious").write_bytes(b"precious")
    site = replace(fleet.site, folder=tmp_path / "site")
    with pytest.raises(RefusedError, match="folder"):
        backup.make(site, Path(target), keep=1, with_keys=True, by="anna", note=lambda _: None)
    assert files_in(tmp_path) == {"site/content/precious": b"precious"}


def test_a_folder_whose_content_no_backup_made_is_left_as_it_is(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "content" / "files" / "ab").mkdir(parents=True)
    (tmp_path / "content" / "files" / "ab" / "precious").write_bytes(b"precious")
    with pytest.raises(RefusedError, match="no backup made it"):
        back_up(fleet, tmp_path)
    assert files_in(tmp_path) == {"content/files/ab/precious": b"precious"}


def test_q261184_q310720_q277729_a_backup_that_fails_says_so_stops_nothing_and_the_next_one_clears_up(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(row_files, "dump", failing)
        with pytest.raises(UnavailableError, match="No space left"):
            back_up(fleet, tmp_path)
    assert backup.complete_in(tmp_path) == []
    fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Viewer"), "install", "view.exe"))
    fleet.settle()
    assert fleet.ran(fleet.clients[0], "view.exe") == 1
    made = back_up(fleet, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(["content", made.folder.name])


# --- limits ---


def test_q210364_q230640_a_disk_that_fills_up_is_told_once_before_it_is_full(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert storage.low_room([tmp_path], room_of=lambda _: storage.LOW_BYTES) == []
    (text,) = storage.low_room([tmp_path, tmp_path], room_of=lambda _: 300 * 2**20)
    assert "300 MiB are left" in text and str(tmp_path) in text
    monkeypatch.setattr(executive, "low_room", lambda folders: storage.low_room(folders, room_of=lambda _: 5 * 2**20))
    with caplog.at_level("WARNING"):
        fleet.advance(hours=5)
    assert len([record for record in caplog.records if "5 MiB are left" in record.message]) == 1


def test_q210364_at_the_limit_the_work_waits_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'site.db'}") as database:
        database.migrate()
        site = Receiving(database, tmp_path)
        machine = site.joined("pc-1")
        with database.write() as tx:
            pages = tx.exec_driver_sql("pragma page_count").scalar_one()
        for number in range(40):
            site.send(machine, said(*[JobState.RUNNING] * 20, JobState.SUCCEEDED, text="x" * 1000 + str(number)))
        with pytest.raises(UnavailableError, match="full"):
            limited(site, pages + 4)
        assert len(list(site.boxes())) == 40
        site.turn()
        assert list(site.boxes()) == [] and len(site.rows(schema.status_message)) == 40 * 21


def limited(site: Receiving, pages: int) -> None:
    """A turn while the database may have only so many pages."""
    write = site.database.write

    class Limited:
        """The database as it stands on a disk that is nearly full."""

        def __enter__(self) -> object:
            self.open = write()
            tx = self.open.__enter__()
            tx.exec_driver_sql(f"pragma max_page_count = {pages}")
            self.tx = tx
            return tx

        def __exit__(self, *error: object) -> object:
            return self.open.__exit__(*error)  # type: ignore[arg-type]

    try:
        site.database.write = Limited  # type: ignore[method-assign]
        site.turn()
    finally:
        del site.database.write  # type: ignore[method-assign]
        with site.database.write() as tx:
            tx.exec_driver_sql("pragma max_page_count = 1000000")


# --- changes ---


@pytest.mark.parametrize("effect", [1, 2, 3, 5, 8, 13, 21, 34])
def test_q226851_what_was_accepted_before_the_first_publication_is_published_wherever_the_power_fails_in_it(effect: int) -> None:
    site = PublishingSite()
    (client,) = site.add_clients("pc1")
    collection = site.add_collection("Pilot", client)
    package = site.add_package()
    advertised = site.advertise(package, collection)
    site.set(poll_interval_seconds=900)
    site.power.fail_at(effect)
    try:
        site.turn()
    except PowerCut:
        site.power_back()
    while site.turn().is_more:
        pass
    files = site.files()
    assert [path for path in files if path.endswith(f"{package}.pkg")]
    assert any(advertised.encode() in content for path, content in files.items() if path.endswith(f"{collection}.ofr"))
    assert any(b'"poll_interval_seconds":900' in content for path, content in files.items() if path.endswith("settings.json"))
    assert site.audit() == []


def test_a_change_in_the_middle_of_which_the_site_stops_was_never_made_and_can_be_made_again(fleet: Fleet) -> None:
    before = fleet.admin.ask(packages.listed)
    fleet.power.fail_at(1)
    with pytest.raises(PowerCut):
        fleet.admin.add_package("Viewer")
    fleet.power.restore()
    assert fleet.admin.ask(packages.listed) == before
    program = fleet.admin.add_program(fleet.admin.add_package("Viewer"), "install", "view.exe")
    fleet.admin.advertise(program)
    fleet.settle()
    assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 1}


@pytest.mark.parametrize("way", ["lost", "emptied", "damaged"])
def test_a_database_that_is_lost_or_damaged_is_said_so_and_the_site_is_never_begun_anew(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "site"
    create_site(folder, code="S01", now=datetime.now(UTC))
    database = folder / "site.db"
    for beside in folder.glob("site.db-*"):
        beside.unlink()
    if way == "lost":
        database.unlink()
    else:
        database.write_bytes(b"" if way == "emptied" else b"\0" * 20_000)
    with pytest.raises((RefusedError, UnavailableError), match="backup"):
        open_site(folder)
    assert way != "lost" or not database.exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_site_that_could_not_be_made_leaves_its_folder_as_it_was(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "site"
    if is_there:
        folder.mkdir()
    with pytest.raises(UnavailableError):
        create_site(folder, code="S01", database_url="postgresql://nobody@127.0.0.1:1/purveyor", now=datetime.now(UTC))
    assert [path.name for path in tmp_path.rglob("*")] == ["site"] * is_there
    create_site(folder, code="S01", now=datetime.now(UTC))
    with pytest.raises(RefusedError, match="is not empty"):
        create_site(folder, code="S01", now=datetime.now(UTC))
    assert (folder / "site.toml").exists()


def test_settings_of_a_site_that_another_editor_wrote_are_read_and_those_that_cannot_be_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    create_site(folder, code="S01", now=datetime.now(UTC))
    settings = folder / "site.toml"
    settings.write_bytes(b"\xef\xbb\xbf" + settings.read_bytes().replace(b"\n", b"\r\n"))
    with opened_site(folder) as site:
        assert site.code == "S01"
    settings.write_text("code = S01")
    with pytest.raises(RefusedError, match=r"site\.toml cannot be read"):
        open_site(folder)


def test_an_older_copy_of_the_database_put_back_by_hand_publishes_nothing_and_is_a_backup_to_restore_from(fleet: Fleet) -> None:
    copy = fleet.backup()
    viewer = fleet.admin.add_package("Viewer")
    fleet.admin.advertise(fleet.admin.add_program(viewer, "install", "view.exe"))
    fleet.settle()
    boxes = {path: content for path, content in fleet.cap.files.items() if is_down_path(path)}
    restore.load_rows(copy.folder, fleet.site.database, lambda _: None)
    fleet.advance(hours=6)
    assert "older copy" in fleet.executive.health["publish"].error
    assert {path: content for path, content in fleet.cap.files.items() if is_down_path(path)} == boxes
    with pytest.raises(RefusedError, match="older copy"):
        fleet.admin.add_package("Player")
    restored = fleet.restore(fleet.backup(), with_cap=True)
    for advertised in (one.about for one in restored.decisions if one.kind is Kind.ADVERTISEMENT):
        fleet.admin.change(advertisements.resume, advertisement_id(advertised))
    fleet.settle()
    assert fleet.admin.ask(packages.shown, viewer).name == "Viewer"
    assert fleet.ran(fleet.clients[0], "view.exe") == 1
    assert fleet.admin.add_package("Player") > viewer, "an id was given twice"


def test_whoever_writes_a_later_timestamp_into_a_box_stops_no_site(fleet: Fleet) -> None:
    forged = json.loads(fleet.cap.files[TIMESTAMP].content)
    forged["signed"]["version"] += 1000
    fleet.cap.files[TIMESTAMP] = fleet.cap.files[TIMESTAMP]._replace(content=json.dumps(forged).encode())
    fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Viewer"), "install", "view.exe"))
    fleet.settle()
    assert fleet.ran(fleet.clients[0], "view.exe") == 1


def test_a_database_that_is_busy_or_full_for_hours_delays_all_and_loses_nothing(fleet: Fleet) -> None:
    program = fleet.admin.add_program(fleet.admin.add_package("Viewer"), "install", "view.exe")
    fleet.admin.advertise(program)
    fleet.database.is_full = True
    fleet.advance(hours=3)
    with pytest.raises(UnavailableError, match="full"):
        fleet.admin.add_collection("Pilot")
    fleet.database.calm()
    fleet.database.fail(times=20)
    fleet.advance(hours=3)
    fleet.database.calm()
    fleet.settle()
    assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 1}
    assert "Pilot" not in [one.name for one in fleet.admin.ask(collections.listed)]
    assert told(fleet, StatusId.REPORTS_LOST) == []


def test_q213279_a_site_whose_clock_was_years_ahead_goes_on_within_an_hour_of_its_being_set_right(fleet: Fleet) -> None:
    years = timedelta(days=4000)
    package = fleet.admin.add_package("Viewer")
    fleet.admin.advertise(fleet.admin.add_program(package, "install", "view.exe"))
    fleet.settle()
    fleet.clock._now += years
    fleet.site_turn()
    fleet.clock._now -= years
    (path,) = (path for path in fleet.cap.files if path.endswith(f"{package}.pkg"))
    fleet.cap.lose(path)
    for _ in range(5):
        fleet.clock.advance(timedelta(minutes=15))
        fleet.site_turn()
    assert path in fleet.cap.files, "the audit waits for a time that is years away"
    assert fleet.problems() == []
