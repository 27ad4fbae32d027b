"""What went wrong with packages in the field: names, sources that change, points that were away, deletions at a bad moment."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from field.points import add_branch, away, files_of
from purveyor.content.store import ContentStore
from purveyor.content.take_in import Progress, take_in
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, packages, programs, status
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.site import create_site
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.manifest import Manifest, decode, hash_of
from purveyor.wire.package_info import Command, Uninstall
from running_site import RunningSite

POLL = timedelta(minutes=15)
SELDOM = timedelta(hours=12)
"""Where a story takes months."""
ENDING = timedelta(days=120)


def purge(fleet: Fleet, package: PackageId) -> None:
    """Lets time go by until a deleted package has left every disk."""
    end = fleet.clock.now() + ENDING
    while fleet.admin.ask(packages.shown, package).state is not PackageState.PURGED:
        fleet.advance(days=1)
        assert fleet.clock.now() < end, fleet.admin.ask(packages.retirement, package, fleet.clock.now())


def test_q199199_renaming_a_program_keeps_its_advertisements_its_history_and_its_status() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor", {"setup.exe": b"setup"}), "install", "setup.exe")
        advertised = fleet.admin.advertise(program)
        fleet.settle()
        fleet.admin.change(programs.edit, program, name="set up, quietly")
        late = fleet.add_clients(1)[0]
        fleet.settle()
        assert fleet.admin.ask(advertisements.shown, advertised).program_name == "set up, quietly"
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [1, 1, 1]
        assert late.machine.programs.launches[0].environment["PURVEYOR_PROGRAM"] == "set up, quietly"
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 3}


def test_q218474_spaces_quotes_and_letters_of_any_language_arrive_unchanged() -> None:
    files = {
        "Mein Ordner/Prögramm 'eins'.exe": b"one",
        'Mein Ordner/"two" & more.txt': b"two",
        "読んで/最初に.txt": b"three",
    }
    command = ("./Mein Ordner/Prögramm 'eins'.exe", '/log="C:\\A B\\ü.log"', "50% $$", "", "読む")
    with Fleet(1, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package('Büro "2000" & Co', files)
        fleet.admin.advertise(fleet.admin.add_program(package, "Einrichten, ganz 'leise'", command))
        fleet.settle()
        launch = fleet.clients[0].machine.programs.launches[0]
        assert launch.files == files
        assert launch.command == " ".join((*command[:2], "50% $", *command[3:]))


def test_q235774_a_point_that_was_away_loses_what_was_deleted_meanwhile() -> None:
    with Fleet(1, poll_interval=SELDOM) as fleet:
        branch = add_branch(fleet)
        package = fleet.admin.add_package("Editor", {"setup.exe": b"the bytes of the setup"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        kept = fleet.admin.add_package("Viewer", {"view.exe": b"the bytes of the viewer"})
        fleet.settle()
        with away(branch):
            fleet.admin.delete_package(package)
            fleet.advance(days=16)
            assert fleet.admin.ask(packages.shown, package).state is PackageState.WITHDRAWN, "it is not gone from the branch"
        assert any(hash_of(b"the bytes of the setup") in path for path in files_of(branch))
        purge(fleet, package)
        assert not any(hash_of(b"the bytes of the setup") in path for path in files_of(branch))
        assert any(hash_of(b"the bytes of the viewer") in path for path in files_of(branch))
        assert fleet.admin.ask(packages.shown, kept).state is PackageState.ACTIVE


def test_q235788_q258424_updates_that_overtake_each_other_leave_the_newest_version_everywhere() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        branch = add_branch(fleet)
        package = fleet.admin.add_package("Editor", {"setup.exe": b"version 1"})
        program = fleet.admin.add_program(package, "install", "setup.exe")
        with away(branch):
            fleet.admin.update_package(package, {"setup.exe": b"version 2"})
            fleet.site_turn()
            fleet.admin.update_package(package, {"setup.exe": b"version 3"})
            fleet.admin.update_package(package, {"setup.exe": b"version 4"})
        fleet.advance(hours=2)
        fleet.admin.advertise(program)
        fleet.settle()
        for client in fleet.clients:
            assert [launch.files["setup.exe"] for launch in client.machine.programs.launches] == [b"version 4"]
        newest = f"files/{hash_of(b'version 4')[:2]}/{hash_of(b'version 4')}"
        assert newest in files_of(branch) and newest in files_of(fleet.dp.store)


def test_q244405_nothing_of_a_deleted_package_stays_on_the_site_server_or_a_point() -> None:
    with Fleet(2, poll_interval=SELDOM) as fleet:
        stores = (fleet.site.store, fleet.dp.store, add_branch(fleet))
        package = fleet.admin.add_package("Editor", {"setup.exe": b"version 1", "same.bin": b"the same"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.settle()
        fleet.admin.update_package(package, {"setup.exe": b"version 2", "same.bin": b"the same"})
        fleet.settle()
        assert all(files_of(store) for store in stores)
        fleet.admin.delete_package(package)
        purge(fleet, package)
        assert [files_of(store) for store in stores] == [set(), set(), set()]
        assert fleet.admin.ask(packages.retirement, package, fleet.clock.now()).freed_bytes > 0


def test_q245579_an_advertisement_waits_for_its_content_and_delays_no_other_package() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        with away(fleet.dp.store):
            heavy = fleet.admin.add_package("Heavy", {"heavy.exe": b"many bytes"})
            fleet.admin.advertise(fleet.admin.add_program(heavy, "install", "heavy.exe"))
            light = fleet.admin.add_package("Light")
            fleet.admin.advertise(fleet.admin.add_program(light, "settings", "light.exe"))
            fleet.settle()
            assert [(fleet.ran(one, "light.exe"), fleet.ran(one, "heavy.exe")) for one in fleet.clients] == [(1, 0), (1, 0)]
        fleet.advance(hours=2)
        assert [(fleet.ran(one, "light.exe"), fleet.ran(one, "heavy.exe")) for one in fleet.clients] == [(1, 1), (1, 1)]
        assert fleet.absent_requests() == []


def test_q256013_a_deletion_in_the_middle_of_an_update_wins() -> None:
    with Fleet(2, poll_interval=SELDOM) as fleet:
        branch = add_branch(fleet)
        package = fleet.admin.add_package("Editor", {"setup.exe": b"version 1"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.settle()
        with away(branch):
            fleet.admin.update_package(package, {"setup.exe": b"version 2"})
            fleet.site_turn()
            fleet.admin.delete_package(package)
            fleet.settle()
        purge(fleet, package)
        assert [files_of(store) for store in (fleet.site.store, fleet.dp.store, branch)] == [set(), set(), set()]
        assert fleet.admin.ask(advertisements.listed) == ()
        assert [path for path in fleet.cap.files if package in path] == []
        assert fleet.absent_requests() == []
        with pytest.raises(RefusedError, match="deleted"):
            fleet.admin.update_package(package, {"setup.exe": b"version 3"})


def test_q319207_a_point_that_is_tried_again_gives_no_work_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Path] = []
    copy_to = ContentStore.copy_to

    def counted(self: ContentStore, other: ContentStore, manifest: Manifest) -> int:
        copies.append(other.folder)
        return copy_to(self, other, manifest)

    monkeypatch.setattr(ContentStore, "copy_to", counted)
    with Fleet(1, poll_interval=POLL) as fleet:
        branch = add_branch(fleet)
        with away(branch):
            fleet.admin.add_package("Editor", {"setup.exe": b"the bytes of the setup"})
            fleet.advance(hours=3)
        fleet.advance(hours=2)
        assert copies.count(fleet.dp.store.folder) == 1
        assert copies.count(branch.folder) > 2, "and the other was tried until it could be had"
        assert {path for path in files_of(branch) if "files/" in path} == {
            path for path in files_of(fleet.dp.store) if "files/" in path
        }


def test_q207416_a_file_that_is_being_written_is_named_and_nothing_half_is_taken_in(tmp_path: Path) -> None:
    log = tmp_path / "busy.log"
    log.write_bytes(b"line\n")
    (tmp_path / "setup.exe").write_bytes(b"setup")
    pauses: list[float] = []

    def written_to(_: Progress) -> None:
        with log.open("ab") as file:
            file.write(b"another line\n")

    with pytest.raises(RefusedError, match=r"busy\.log"):
        take_in(tmp_path, on_progress=written_to, pause=pauses.append)
    assert 1 <= len(pauses) <= 5, "it is tried again, but not for ever"
    assert take_in(tmp_path).manifest.files[0].path == "busy.log"


def test_q235184_updating_and_removing_touch_only_what_the_package_itself_placed() -> None:
    with Fleet(1, poll_interval=SELDOM) as fleet:
        shared, own = b"a runtime that both have", b"of the editor alone"
        editor = fleet.admin.add_package("Editor", {"runtime.dll": shared, "editor.exe": own})
        viewer = fleet.admin.add_package("Viewer", {"lib/runtime.dll": shared, "viewer.exe": b"of the viewer"})
        fleet.settle()
        by_hand = fleet.dp.store.folder / "read me.txt"
        by_hand.write_bytes(b"placed here by somebody else")
        fleet.admin.update_package(editor, {"editor.exe": b"another editor"})
        fleet.settle()
        fleet.admin.delete_package(editor)
        purge(fleet, editor)
        left = files_of(fleet.dp.store)
        assert not any(hash_of(own) in path for path in left)
        assert any(hash_of(shared) in path for path in left)
        assert by_hand.read_bytes() == b"placed here by somebody else"
        fleet.admin.advertise(fleet.admin.add_program(viewer, "install", "viewer.exe"))
        fleet.settle()
        assert fleet.clients[0].machine.programs.launches[0].files == {"lib/runtime.dll": shared, "viewer.exe": b"of the viewer"}


def test_q267977_q316316_empty_files_and_very_long_names_come_out_as_they_went_in(tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    long_name = "a very long name " * 14 + ".txt"
    (source / "empty folder's place").mkdir(parents=True)
    (source / "empty folder's place" / long_name).write_bytes(b"")
    (source / "empty.bin").write_bytes(b"")
    (source / "tool").write_bytes(b"#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    os.setxattr(source / "tool", "user.comment", b"a stream beside the bytes")
    before = take_in(source)
    back.mkdir()
    store = ContentStore(tmp_path / "store")
    for file in before.manifest.files:
        store.add_file(file.sha256, before.open(file), file.size_bytes)
    store.add_manifest(before.content)
    for file in decode(before.content).files:
        (back / file.path).parent.mkdir(parents=True, exist_ok=True)
        (back / file.path).write_bytes(b"".join(store.pieces(file.sha256)))
        (back / file.path).chmod(0o755 if file.is_executable else 0o644)
    assert take_in(back).sha256 == before.sha256


def test_q319427_neither_time_nor_zone_of_a_file_changes_what_is_distributed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, zone, at in (("here", "America/New_York", 946_684_800), ("there", "Asia/Tokyo", 1_720_000_000)):
        monkeypatch.setenv("TZ", zone)
        (tmp_path / name).mkdir()
        (tmp_path / name / "setup.exe").write_bytes(b"setup")
        os.utime(tmp_path / name / "setup.exe", (at, at))
    assert take_in(tmp_path / "here").sha256 == take_in(tmp_path / "there").sha256


def test_a_package_that_was_deleted_while_its_uninstall_was_prepared_leaves_the_receipt_and_nothing_else() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.script("setup.exe", Script(installs=("editor=1",)))
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup", "remove.exe": b"remove"})
        removal = Uninstall(command=Command(argv=("remove.exe",)), files=("remove.exe",))
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe", uninstall=removal))
        fleet.settle()
        fleet.admin.delete_package(package)
        fleet.settle()
        assert fleet.holds_anything_of(client, package) == []
        assert [key.package for key in client.receipts()] == [package]
        assert client.machine.installed == {"editor": "1"}


def test_new_content_without_a_file_that_an_uninstallation_needs_is_refused_before_any_client_fails_at_it(
    running_site: RunningSite, tmp_path: Path
) -> None:
    for name in ("install.sh", "remove.sh"):
        (tmp_path / "old" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "old" / name).write_text(name)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "setup.sh").write_text("setup")
    package = running_site.purveyor("package", "add", str(tmp_path / "old"), "--name", "Editor").line
    removal = ("--uninstall-command", "sh remove.sh", "--uninstall-file", "remove.sh")
    running_site.purveyor("program", "add", package, "install", "--command", "sh install.sh", *removal)
    update = ("package", "update", package, str(tmp_path / "new"))
    said = running_site.purveyor(*update)
    assert said.code == 1 and "remove.sh" in said.err and f"{package}/1" in said.err
    assert running_site.purveyor("package", "show", package, "--json").json["source_version"] == 1
    assert running_site.purveyor("program", "disable", package, "install").code == 0
    assert running_site.purveyor(*update).line == "2"


def test_a_source_in_which_the_folder_of_a_site_lies_is_refused_and_none_of_its_keys_sent(
    running_site: RunningSite, tmp_path: Path
) -> None:
    source = tmp_path / "srv"
    create_site(source / "purveyor", code="S02", now=datetime.now(UTC))
    said = running_site.purveyor("package", "add", str(source), "--name", "All of it")
    assert said.code == 1 and "secret" in said.err
    assert list(running_site.site.store.walk()) == []
    (source / "purveyor" / "admin.token").unlink()
    assert "keys/" in running_site.purveyor("package", "add", str(source), "--name", "All of it").err
