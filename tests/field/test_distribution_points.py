"""What went wrong at distribution points in the field: files in use, points that came and went, content that somebody touched."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from field.points import add_branch, files_of
from purveyor.content.store import ContentStore
from purveyor.lab.fleet import Fleet
from purveyor.lab.power import PowerCut
from purveyor.site_server.admin import points, settings
from purveyor.site_server.database import content_copies
from purveyor.site_server.database import points as point_rows
from purveyor.site_server.model.points import PointKind, PointState
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import PackageId
from purveyor.wire.manifest import Manifest, Stored, file_path, hash_of

POLL = timedelta(minutes=15)
SELDOM = timedelta(hours=12)
SETUP = b"the bytes of the setup"


def file_at(store: ContentStore, content: bytes) -> Path:
    """Where a file of this content lies on a point."""
    return store.folder / file_path(hash_of(content))


def replace_by_hand(store: ContentStore, content: bytes, other: bytes) -> None:
    """Somebody puts another file in the place of one."""
    place = file_at(store, content)
    aside = place.with_name("aside")
    aside.write_bytes(other)
    aside.replace(place)


def advertised(fleet: Fleet) -> PackageId:
    """A package with its setup, advertised to all."""
    package = fleet.admin.add_package("Editor", {"setup.exe": SETUP, "read me.txt": b"read me"})
    fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
    return package


def launched_with(fleet: Fleet) -> list[bytes]:
    """The setups that clients started, one for each start."""
    return [launch.files["setup.exe"] for client in fleet.clients for launch in client.machine.programs.launches]


def test_q202063_a_file_that_is_in_use_at_a_point_holds_up_no_update_and_its_reader_reads_it_to_its_end() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"version 1" * 50_000})
        program = fleet.admin.add_program(package, "install", "setup.exe")
        fleet.site_turn()
        with file_at(fleet.dp.store, b"version 1" * 50_000).open("rb") as used:
            begun = used.read(9)
            fleet.admin.update_package(package, {"setup.exe": b"version 2"})
            fleet.site_turn()
            fleet.admin.advertise(program)
            fleet.settle()
            assert launched_with(fleet) == [b"version 2"] * 2
            assert begun + used.read() == b"version 1" * 50_000
        assert fleet.problems() == []


def test_q235157_a_new_point_gets_its_copy_and_nothing_moves_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Path] = []
    copy_to = ContentStore.copy_to

    def counted(self: ContentStore, other: ContentStore, manifest: Manifest) -> int:
        copies.append(other.folder)
        return copy_to(self, other, manifest)

    with Fleet(1, poll_interval=POLL) as fleet:
        package = advertised(fleet)
        fleet.settle()
        before = {path: (fleet.dp.store.folder / path).stat().st_ino for path in files_of(fleet.dp.store)}
        info = [content for path, content in fleet.cap.files.items() if package in path]
        monkeypatch.setattr(ContentStore, "copy_to", counted)
        branch = add_branch(fleet)
        fleet.advance(hours=2)
        assert copies == [branch.folder]
        assert {path: (fleet.dp.store.folder / path).stat().st_ino for path in files_of(fleet.dp.store)} == before
        assert files_of(branch) == set(before)
        assert [content for path, content in fleet.cap.files.items() if package in path] == info
        assert launched_with(fleet) == [SETUP], "nothing ran again"


# --- of the same kind, and not in the list ---


def test_what_somebody_did_to_files_at_a_point_reaches_no_program_and_is_mended_within_two_days() -> None:
    with Fleet(1, poll_interval=SELDOM) as fleet:
        other = SETUP.upper()
        programs = []
        for name, content in (("Editor", SETUP), ("Viewer", other)):
            package = fleet.admin.add_package(name, {"setup.exe": content})
            programs.append(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.site_turn()
        replace_by_hand(fleet.dp.store, SETUP, SETUP[::-1])
        file_at(fleet.dp.store, other).unlink()
        for program in programs:
            fleet.admin.advertise(program)
        fleet.advance(days=3)
        assert sorted(launched_with(fleet)) == sorted([SETUP, other])
        assert [file_at(fleet.dp.store, content).read_bytes() for content in (SETUP, other)] == [SETUP, other]


@pytest.mark.parametrize("is_whole_elsewhere", [True, False])
def test_a_file_that_was_changed_in_place_in_the_store_too_is_never_run_and_comes_back_from_whoever_has_it(
    is_whole_elsewhere: bool,
) -> None:
    with Fleet(1, poll_interval=SELDOM) as fleet:
        branch = add_branch(fleet)
        package = fleet.admin.add_package("Editor", {"setup.exe": SETUP})
        program = fleet.admin.add_program(package, "install", "setup.exe")
        fleet.advance(hours=2)
        if is_whole_elsewhere:
            replace_by_hand(branch, SETUP, SETUP)
        with file_at(fleet.site.store, SETUP).open("r+b") as file:
            file.write(b"XXXX")
        assert file_at(fleet.dp.store, SETUP).read_bytes().startswith(b"XXXX"), "one file under two names"
        fleet.advance(days=2)
        if not is_whole_elsewhere:
            fleet.admin.advertise(program)
            fleet.advance(days=1)
            assert launched_with(fleet) == []
            assert not fleet.site.store.has(hash_of(SETUP)), "nobody could send it again"
            with pytest.raises(RefusedError, match="the content is the same"):
                fleet.admin.update_package(package, {"setup.exe": SETUP})
            fleet.advance(days=2)
            assert launched_with(fleet) == [SETUP]
        for store in (fleet.site.store, fleet.dp.store, branch):
            assert file_at(store, SETUP).read_bytes() == SETUP


@pytest.mark.parametrize("copied", [0, 1, 2])
def test_a_copy_that_a_power_cut_ends_is_finished_afterwards_and_no_client_hears_of_it_before(
    copied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, add_manifest = ContentStore._share, ContentStore.add_manifest
    shared: list[str] = []

    def cut_short(self: ContentStore, other: ContentStore, stored: Stored) -> bool:
        if len(shared) == copied and not fleet.site_crashes:
            raise PowerCut("in the middle of a copy")
        shared.append(stored.sha256)
        return share(self, other, stored)

    def cut_at_the_end(self: ContentStore, content: bytes) -> Manifest:
        if self.folder == fleet.dp.store.folder and len(shared) == copied and not fleet.site_crashes:
            raise PowerCut("before the manifest")
        return add_manifest(self, content)

    with Fleet(1, poll_interval=POLL) as fleet:
        monkeypatch.setattr(ContentStore, "_share", cut_short)
        monkeypatch.setattr(ContentStore, "add_manifest", cut_at_the_end)
        package = fleet.admin.add_package("Editor", {"setup.exe": SETUP, "other.bin": b"other"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        fleet.site_turn()
        assert fleet.site_crashes == 1
        assert not any(path.startswith("manifests/") for path in files_of(fleet.dp.store))
        fleet.settle()
        assert launched_with(fleet) == [SETUP]
        assert fleet.absent_requests() == []


def test_what_other_programs_leave_among_the_content_keeps_nothing_from_being_cleared_away_and_stays() -> None:
    with Fleet(1, poll_interval=SELDOM) as fleet:
        advertised(fleet)
        fleet.settle()
        for store in (fleet.site.store, fleet.dp.store):
            beside = file_at(store, SETUP).parent
            strange = [store.folder / "files" / ".DS_Store", beside / "Thumbs.db", store.folder / "manifests" / "read me.txt"]
            left = beside / ("0" * 64)
            for place in (*strange, left):
                place.write_bytes(b"left")
                os.utime(place, (0, 0))
            (beside / "New Folder").mkdir()
        fleet.advance(days=3)
        assert fleet.problems() == []
        for store in (fleet.site.store, fleet.dp.store):
            found = {path.rpartition("/")[2] for path in files_of(store)}
            assert {".DS_Store", "Thumbs.db", "read me.txt", hash_of(SETUP)} <= found
            assert "0" * 64 not in found


def test_a_file_of_another_name_and_case_beside_the_content_is_no_content(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    store.add_file(hash_of(SETUP), [SETUP], len(SETUP))
    place = file_at(store, SETUP)
    os.rename(place, place.with_name(place.name.upper()))
    assert not store.has(hash_of(SETUP))


# --- points that come and go ---


def test_q309381_a_point_that_was_removed_and_added_again_is_listed_and_used_as_one_that_never_went() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": SETUP})
        program = fleet.admin.add_program(package, "install", "setup.exe")
        url = "http://branch.lab/dp"
        place = fleet.add_point(PointKind.DP, url)
        fleet.advance(hours=1)
        for _ in range(2):
            (name,) = (view.id for view in listed(fleet) if view.url == url)
            assert "dp1" in named_for(fleet, package) and name in named_for(fleet, package)
            fleet.admin.change(points.remove, name, is_forced=True, is_left=True)
            fleet.advance(hours=1)
            assert named_for(fleet, package) == {"dp1"}
            fleet.admin.change(points.add, PointKind.DP, url=url, target="/elsewhere/1")
            fleet.advance(hours=1)
        (again,) = (view for view in listed(fleet) if view.url == url)
        assert (again.manifests, again.behind, again.problem) == (1, 0, "")
        fleet.dp.cut()
        fleet.admin.advertise(program)
        fleet.advance(hours=2)
        assert launched_with(fleet) == [SETUP] and place.requests
        assert fleet.absent_requests() == []


def test_q215051_a_point_that_is_removed_loses_all_that_the_site_put_there_nothing_else_and_says_what_is_left() -> None:
    with Fleet(1) as fleet:
        shorten_graces(fleet)
        cap2, dp2 = fleet.add_point(PointKind.CAP, "http://branch.lab/cap"), fleet.add_point(PointKind.DP, "http://branch.lab/dp")
        advertised(fleet)
        fleet.advance(hours=2)
        theirs = {"notes.txt": b"whose?", "pkginfo.box/report.pkg": b"theirs", "clidata.box/other.json": b"theirs"}
        for path, content in theirs.items():
            cap2.shelf().write(path, content)
            dp2.shelf().write(path.replace("pkginfo.box", "manifests"), content)
        fleet.executive.rounds.forget()
        fleet.advance(hours=1)
        for name in ("cap2", "dp2"):
            fleet.admin.change(points.remove, name, is_forced=True)
        fleet.advance(hours=1)
        assert cap2.files.keys() > theirs.keys(), "whoever has not heard yet is not met by an empty folder"
        cap2.is_cut_from_site = dp2.is_cut_from_site = True
        fleet.advance(hours=12)
        for name in ("cap2", "dp2"):
            waits = shown(fleet, name)
            assert (waits.state, "cannot be reached" in waits.problem, waits.waits_for != "") == ("emptying", True, True)

        cap2.mend()
        dp2.mend()
        fleet.advance(hours=2)

        assert {path: stored.content for path, stored in cap2.files.items()} == theirs
        assert sorted(dp2.files) == ["clidata.box/other.json", "manifests/report.pkg", "notes.txt"]
        assert shown(fleet, "cap2").problem == "2 files that the site did not put there, clidata.box/other.json for one"
        assert shown(fleet, "dp2").problem == "1 files that the site did not put there, manifests/report.pkg for one"
        assert {shown(fleet, name).state for name in ("cap2", "dp2")} == {PointState.REMOVED}
        assert fleet.absent_requests() == []


@pytest.mark.parametrize("kind", PointKind)
def test_an_emptying_that_the_power_ends_goes_on_and_ends_with_nothing_there(kind: PointKind) -> None:
    with Fleet(1) as fleet:
        shorten_graces(fleet)
        place = fleet.add_point(kind, "http://branch.lab/point")
        advertised(fleet)
        fleet.advance(hours=1)
        fleet.admin.change(points.remove, f"{kind}2", is_forced=True)
        wrote, count = type(place).wrote, 0

        def cut(path: str, stored: object) -> None:
            nonlocal count
            count += stored is None
            if count in (1, 3, 8) and stored is None:
                raise PowerCut("in the middle of an emptying")
            wrote(place, path, stored)  # type: ignore[arg-type]

        place.wrote = cut  # type: ignore[method-assign]
        fleet.advance(hours=16)
        assert place.files == {} and count > 3
        assert shown(fleet, f"{kind}2").state is PointState.REMOVED


def test_a_point_that_is_being_emptied_is_left_as_it_is_when_somebody_says_so() -> None:
    with Fleet(1) as fleet:
        shorten_graces(fleet)
        place = fleet.add_point(PointKind.DP, "http://branch.lab/dp")
        package = advertised(fleet)
        fleet.advance(hours=1)
        fleet.admin.change(points.remove, "dp2", is_forced=True)
        for refused in (points.drain, points.resume, points.remove):
            with pytest.raises(RefusedError, match="being emptied"):
                fleet.admin.change(refused, "dp2")
        with pytest.raises(RefusedError, match="is the address of dp2"):
            fleet.admin.change(points.add, PointKind.DP, url="http://branch.lab/dp")
        fleet.admin.change(points.edit, "dp2", weight=3)
        fleet.admin.change(points.remove, "dp2", is_left=True)
        before = dict(place.files)
        fleet.admin.delete_package(package)
        fleet.advance(hours=12)
        assert place.files == before
        assert shown(fleet, "dp2").state is PointState.REMOVED


def shorten_graces(fleet: Fleet) -> None:
    """What nothing names goes within hours."""
    for name, hours in (("timestamp_rhythm_seconds", 2), ("timestamp_lifetime_seconds", 4), ("unnamed_margin_seconds", 0)):
        fleet.admin.change(settings.change, name, hours * 3600)
    fleet.admin.change(settings.change, "point_grace_seconds", 4 * 3600)


def shown(fleet: Fleet, name: str) -> points.PointView:
    """A point as administrators are shown it."""
    return fleet.admin.ask(points.shown, name, fleet.clock.now())


def listed(fleet: Fleet) -> tuple[points.PointView, ...]:
    """The distribution points that administrators are shown."""
    return tuple(view for view in fleet.admin.ask(points.listed, fleet.clock.now()) if view.kind is PointKind.DP)


def named_for(fleet: Fleet, package: PackageId) -> set[str]:
    """The points at which a package's content is verified, as the site says; and clients are told of no others."""
    told = {point.id for point in fleet.admin.ask(point_rows.told, PointKind.DP)}
    held = [one for one in fleet.admin.ask(content_copies.held) if package in one.packages]
    found = {point for one in held for point, copy in one.copies.items() if copy.state is content_copies.CopyState.VERIFIED}
    assert found <= told
    return found
