"""Backups on disk: the same rows from and to every database, and nothing that was damaged, or made by others, is taken in."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from purveyor.content.store import ContentStore
from purveyor.lab.fleet import Fleet
from purveyor.recovery import backup as backups
from purveyor.recovery import restore
from purveyor.recovery.form import MANIFEST, PARTIAL
from purveyor.recovery.place import laid_out
from purveyor.site_server.admin import settings
from purveyor.site_server.database import counters, row_files
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.site import UNFINISHED, create_site, open_site
from purveyor.wire.errors import RefusedError, UnavailableError
from site_rows import NOW


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a backup of a site that has clients, content and reports."""
    to = tmp_path_factory.mktemp("backups")
    with Fleet(2) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Größe", {"a.exe": b"a"}), "install", "a.exe")
        fleet.admin.advertise(program)
        fleet.settle()
        make(fleet, to)
        yield to


def make(fleet: Fleet, to: Path, *, keep: int = 0, with_keys: bool = True) -> backups.Made:
    """A backup, made in silence."""
    return backups.make(fleet.site, to, keep=keep, with_keys=with_keys, by="a test", note=lambda _: None)


def only(to: Path) -> Path:
    """The one backup in a folder."""
    (found,) = backups.complete_in(to)
    return found


@pytest.fixture
def copied(lived: Path, tmp_path: Path) -> Path:
    """A backup of its own, to be damaged."""
    backup = tmp_path / only(lived).name
    for path in sorted(only(lived).rglob("*")):
        if path.is_file():
            target = backup / path.relative_to(only(lived))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return backup


def test_rows_go_into_every_database_and_come_out_of_it_the_same(lived: Path, database: Database, tmp_path: Path) -> None:
    backup = only(lived)
    for _ in range(2):  # over a site that is there as well
        restore.load_rows(backup, database, lambda *_: None)
    (tmp_path / row_files.FOLDER).mkdir()
    with database.read() as tx:
        counts, _ = row_files.dump(tx, tmp_path, lambda *_: None)
    assert counts == backups.manifest_of(backup).rows
    for table in counts:
        before, after = (folder / row_files.FOLDER / f"{table}.gz" for folder in (backup, tmp_path))
        lines = [sorted(gzip.decompress(path.read_bytes()).splitlines()) for path in (before, after)]
        assert lines[0] == lines[1], table
    with database.write() as tx:
        assert counters.next_number(tx, counters.PACKAGE) == 2


def test_a_backup_that_is_whole_has_no_problems(lived: Path) -> None:
    assert list(backups.problems_of(only(lived))) == []


def test_every_damaged_file_of_a_backup_is_named_and_none_is_restored(copied: Path) -> None:
    for path in (copied / "rows" / "client.gz", next((copied / "keys").glob("*.key"))):
        content = path.read_bytes()
        for damaged in (content[:-1], bytes([content[0] ^ 1]) + content[1:], None):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            (problem,) = backups.problems_of(copied, with_content=False)
            assert path.name in problem
            with open_database("sqlite://") as database, pytest.raises(RefusedError, match="damaged"):
                restore.load_rows(copied, database, lambda *_: None)
        path.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../../etc/passwd": {"size_bytes": 1, "sha256": "00"}}},
        {"files": {"/etc/passwd": {"size_bytes": 1, "sha256": "00"}}},
        {"files": {"other/file": {"size_bytes": 1, "sha256": "00"}}},
        {"contents": ["../keys"]},
        {"format": 2},
        {"rows": "many"},
    ],
)
def test_a_manifest_that_leads_out_of_its_backup_is_refused(copied: Path, change: dict[str, object]) -> None:
    manifest = json.loads((copied / MANIFEST).read_text())
    (copied / MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(RefusedError):
        backups.manifest_of(copied)


def test_pipes_and_links_in_a_backup_are_not_read(copied: Path) -> None:
    for path, make_other in ((copied / "rows" / "client.gz", os.mkfifo), (copied / "rows" / "audit.gz", linked_to_zeros)):
        path.unlink()
        make_other(path)
    assert set(backups.problems_of(copied, with_content=False)) == {
        "rows/audit.gz is missing",
        "rows/client.gz is missing",
    }
    (copied / MANIFEST).unlink()
    os.mkfifo(copied / MANIFEST)
    with pytest.raises(RefusedError, match="no plain file"):
        backups.manifest_of(copied)


def linked_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def test_a_manifest_that_is_none_is_refused(copied: Path) -> None:
    for content in (b"", b"{", b"[" * 100_000, b"\xff\x00", b'{"format": 1}'):
        (copied / MANIFEST).write_bytes(content)
        with pytest.raises(RefusedError):
            backups.manifest_of(copied)


def test_damaged_content_is_found(lived: Path, tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        fleet.admin.add_package("One", {"a.exe": b"abc"})
        made = make(fleet, tmp_path)
        (file,) = [path for path in (tmp_path / "content" / "files").rglob("*") if path.is_file()]
        file.unlink()
        file.write_bytes(b"abd")
        assert [problem for problem in backups.problems_of(made.folder) if file.name in problem]


def test_content_that_cannot_be_brought_is_said_with_the_places_that_were_asked(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        fleet.admin.add_package("One", {"a.exe": b"abc"})
        made = make(fleet, tmp_path)
        (file,) = [path for path in (tmp_path / "content" / "files").rglob("*") if path.is_file()]
        file.unlink()
        file.write_bytes(b"abd")
        notes: list[str] = []
        store, point = (ContentStore(tmp_path / name) for name in ("new", "point"))
        assert restore.bring_content(made.folder, store, [point], notes.append) == 0
        assert "is damaged in the backup" in notes[0]
        assert all(str(folder) in notes[1] for folder in (tmp_path / "content", store.folder, point.folder))
        assert restore.bring_content(made.folder, fleet.site.store, [], notes.append) == 1  # it outlived the site
        assert set(notes[2:]) == {"content: tree 1 of 1"}


@pytest.mark.parametrize(("count", "told"), [(0, []), (1, [1]), (2, [1, 2]), (9, [3, 5, 7, 9])])
def test_of_content_that_takes_long_each_quarter_is_told(count: int, told: list[int]) -> None:
    notes: list[str] = []
    trees = [str(number) for number in range(count)]
    assert list(backups.by_quarters(trees, notes.append)) == trees
    assert notes == [f"content: tree {number} of {count}" for number in told]


def test_a_folder_that_cannot_be_made_is_named(lost: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="file/new cannot be made: Not a directory"):
        lay_out(lost, tmp_path / "file" / "new", keys=lost / "keys")


def test_a_folder_of_backups_is_made_and_none_above_it(tmp_path: Path) -> None:
    with Fleet(0) as fleet:
        with pytest.raises(RefusedError, match="is a disk not mounted"):
            make(fleet, tmp_path / "disk" / "backups")
        assert not (tmp_path / "disk").exists()
        (tmp_path / "disk").mkdir()
        assert make(fleet, tmp_path / "disk" / "backups").folder.is_dir()


def test_only_the_newest_are_kept_and_content_that_they_need(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        admin = fleet.admin
        package = admin.add_package("One", {"a.exe": b"first"})
        made = [make(fleet, tmp_path)]
        (tmp_path / f"S01-20250101T000000Z{PARTIAL}").mkdir()
        admin.update_package(package, {"a.exe": b"second"})
        admin.change(settings.change, "content_grace_seconds", 0)
        admin.change(settings.change, "point_grace_seconds", 0)
        fleet.advance(hours=3)
        made += [make(fleet, tmp_path, keep=2, with_keys=False), make(fleet, tmp_path, keep=2)]
        assert [path.name for path in backups.complete_in(tmp_path)] == [one.folder.name for one in made[1:]]
        assert made[2].dropped == (made[0].folder.name,)
        assert not (tmp_path / f"S01-20250101T000000Z{PARTIAL}").exists()
        assert not list((made[1].folder / "keys").iterdir())
        kept = {path.read_bytes() for path in (tmp_path / "content" / "files").rglob("*") if path.is_file()}
        assert kept == {b"second"}
        assert list(backups.problems_of(made[2].folder)) == []


def test_a_backup_that_was_just_made_stays_whatever_the_clock_has_left_beside_it(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        future = tmp_path / "S01-20990101T000000Z"
        make(fleet, tmp_path).folder.rename(future)
        made = [make(fleet, tmp_path, keep=1).folder for _ in range(2)]
        assert backups.complete_in(tmp_path) == [made[-1]] != [made[0]]


def test_backups_of_one_second_are_ordered_as_they_were_made(tmp_path: Path) -> None:
    names = ["S01-20260105T080000Z", *(f"S01-20260105T080000Z-{number}" for number in range(1, 12))]
    for name in sorted(names):
        (tmp_path / name).mkdir()
    assert [path.name for path in backups.complete_in(tmp_path)] == names


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """The folder of a site S01, with a backup of it without keys in `backups` beside it."""
    folder = tmp_path / "lost"
    create_site(folder, code="S01", now=NOW)
    site = open_site(folder, clock=lambda: NOW)
    backups.make(site, tmp_path / "backups", keep=0, with_keys=False, by="a test", note=lambda _: None)
    site.database.dispose()
    return folder


def lay_out(lost: Path, folder: Path, *, keys: Path, is_replacing: bool = False) -> None:
    """The first part of a restore, from the backup beside a lost site."""
    with laid_out(
        only(lost.parent / "backups"),
        folder,
        database_url="",
        keys_from=keys,
        is_replacing=is_replacing,
        now=NOW,
        note=lambda _: None,
    ):
        pass


def test_over_another_site_nothing_is_restored(lost: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    create_site(other, code="S02", now=NOW)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    with pytest.raises(RefusedError, match="S02"):
        lay_out(lost, other, keys=lost / "keys", is_replacing=True)
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_with_the_keys_that_outlived_a_site_comes_its_token(lost: Path, tmp_path: Path) -> None:
    lay_out(lost, tmp_path / "new", keys=lost / "keys")
    token = tmp_path / "new" / "admin.token"
    assert token.read_bytes() == (lost / "admin.token").read_bytes()
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_folder_without_keys_is_refused_before_anything_is_written(lost: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="holds no keys"):
        lay_out(lost, tmp_path / "new", keys=tmp_path)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("damaged", [f"{row_files.FOLDER}/audit.gz", f"{row_files.FOLDER}/client.gz"])
def test_a_damaged_backup_is_refused_before_the_site_that_stands_is_touched(lost: Path, damaged: str) -> None:
    path = only(lost.parent / "backups") / damaged
    path.write_bytes(path.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in lost.rglob("*") if path.is_file()}
    with pytest.raises(RefusedError, match="damaged"):
        lay_out(lost, lost, keys=lost / "keys", is_replacing=True)
    assert {path: path.read_bytes() for path in lost.rglob("*") if path.is_file()} == before


def test_a_key_that_a_broken_off_restore_copied_in_part_is_copied_anew(lost: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    (folder / "keys").mkdir(parents=True)
    (folder / UNFINISHED).touch()
    key = next((lost / "keys").glob("*.key"))
    (folder / "keys" / f"{key.name}.partial").write_bytes(key.read_bytes()[:5])
    lay_out(lost, folder, keys=lost / "keys")
    files = [{path.name: path.read_bytes() for path in (place / "keys").iterdir()} for place in (lost, folder)]
    assert files[0] == files[1]
