"""Several points of one site, as an administrator lives with them: added, filled, away, back, drained, removed."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from purveyor.lab.fleet import Fleet
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import points, settings
from purveyor.site_server.database import content_copies, schema
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.publish.older import TIMESTAMP
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import PackageId

CAP2, CAP3, DP2 = "http://branch.lab/cap", "http://other.lab/cap", "http://branch.lab/dp"


def down(boxes: MemoryBoxes) -> dict[str, bytes]:
    """What lies in the down boxes."""
    return {path: stored.content for path, stored in boxes.files.items() if is_down_path(path)}


def shorten_graces(fleet: Fleet) -> None:
    """What nothing names goes within hours."""
    for name, hours in (("timestamp_rhythm_seconds", 2), ("timestamp_lifetime_seconds", 4), ("unnamed_margin_seconds", 0)):
        fleet.admin.change(settings.change, name, hours * 3600)


def view(fleet: Fleet, name: str) -> points.PointView:
    """How a point stands."""
    return fleet.admin.ask(points.shown, name, fleet.clock.now())


def roll_out(fleet: Fleet, name: str) -> PackageId:
    """A package with content, advertised to everybody."""
    package = fleet.admin.add_package(name, {"setup": name.encode() * 1000})
    fleet.admin.advertise(fleet.admin.add_program(package, "install", f"./setup {name}"))
    return package


def test_every_point_comes_to_hold_the_same() -> None:
    with Fleet(2) as fleet:
        roll_out(fleet, "editor")
        fleet.settle()
        cap2, cap3 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.CAP, CAP3)
        fleet.settle()

        assert down(cap2) == down(cap3) == down(fleet.cap)
        assert (view(fleet, "cap2").behind, view(fleet, "cap2").problem) == (0, "")
        roll_out(fleet, "viewer")
        fleet.settle()
        assert down(cap2) == down(cap3) == down(fleet.cap)
        assert fleet.absent_requests() == []


def test_a_point_that_is_away_delays_nobody_and_catches_up_deletions_included() -> None:
    with Fleet(1) as fleet:
        cap2, cap3 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.CAP, CAP3)
        shorten_graces(fleet)
        deleted = roll_out(fleet, "editor")
        fleet.settle()
        served = down(cap2)
        cap2.is_cut_from_site = True

        roll_out(fleet, "viewer")
        fleet.admin.delete_package(deleted)
        fleet.advance(hours=16)

        assert not [path for path in cap3.files if deleted in path]
        assert down(cap2) == served
        away = view(fleet, "cap2")
        assert away.behind and away.behind > 3 and "cannot be reached" in away.problem
        cap2.mend()
        fleet.settle()
        assert set(down(fleet.cap)) <= set(down(cap2))
        assert [path for path in cap2.files if deleted in path], "its grace begins when the point has heard"
        fleet.advance(hours=9)
        assert down(cap2) == down(cap3) == down(fleet.cap)
        assert (view(fleet, "cap2").behind, view(fleet, "cap2").problem) == (0, "")
        assert fleet.absent_requests() == []


def test_a_package_is_purged_only_when_it_is_gone_from_every_point() -> None:
    with Fleet(1) as fleet:
        fleet.add_point(PointKind.CAP, CAP2)
        dp2 = fleet.add_point(PointKind.DP, DP2)
        shorten_graces(fleet)
        deleted = roll_out(fleet, "editor")
        fleet.settle()
        assert [path for path in dp2.files if path.startswith("files/")]
        dp2.is_cut_from_site = True
        fleet.admin.delete_package(deleted)
        fleet.advance(hours=16)
        assert fleet.admin.ask(_state, deleted) == "withdrawn"

        dp2.mend()
        fleet.advance(hours=3)

        assert fleet.admin.ask(_state, deleted) == "purged"
        assert [path for path in dp2.files if path != "site.json"] == []


def test_a_dead_point_that_drains_holds_up_no_purge() -> None:
    with Fleet(1) as fleet:
        cap2, dp2 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.DP, DP2)
        shorten_graces(fleet)
        deleted = roll_out(fleet, "editor")
        fleet.settle()
        cap2.is_cut_from_site = dp2.is_cut_from_site = True
        fleet.admin.change(points.drain, "cap2")
        fleet.admin.change(points.drain, "dp2")

        fleet.admin.delete_package(deleted)
        fleet.advance(hours=16)

        assert fleet.admin.ask(_state, deleted) == "purged"
        lost = [fleet.admin.change(points.remove, name, is_forced=True).left for name in ("cap2", "dp2")]
        assert ["whatever clients put there last" in " ".join(left) for left in lost] == [True, False], "a DP takes nothing"


def test_content_is_named_where_it_was_verified_and_nowhere_else() -> None:
    with Fleet(1) as fleet:
        dp2 = fleet.add_point(PointKind.DP, DP2)
        dp2.is_cut_from_site = True
        roll_out(fleet, "editor")
        fleet.settle()
        assert view(fleet, "dp2").behind == 1
        fleet.dp.cut()
        roll_out(fleet, "viewer")
        fleet.settle()
        assert fleet.ran(fleet.clients[0], "./setup viewer") == 0

        dp2.is_cut_from_site = False
        fleet.advance(hours=8)

        assert view(fleet, "dp2").behind == 0
        assert fleet.ran(fleet.clients[0], "./setup viewer") == 1
        assert fleet.absent_requests() == []


def mirror(fleet: Fleet, boxes: MemoryBoxes, *, lacking: str = "") -> None:
    """What `purveyor cap mirror` does at a DP: it comes to hold what the site's own one holds, but for one path."""
    home = fleet.dp.store.folder
    there = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    for path in boxes.files.keys() - there.keys():
        boxes.shelf().remove(path)
    for path, content in there.items():
        if path != lacking:
            boxes.shelf().write(path, content)


def test_content_of_a_point_that_a_mirror_fills_is_named_when_the_site_has_read_it_there() -> None:
    with Fleet(1) as fleet:
        branch = fleet.add_point(PointKind.DP, DP2, target="")
        shorten_graces(fleet)
        package = roll_out(fleet, "editor")
        fleet.settle()
        file = next(str(path.relative_to(fleet.dp.store.folder)) for path in (fleet.dp.store.folder / "files").rglob("*/*"))
        mirror(fleet, branch, lacking=file)
        fleet.advance(hours=2)
        assert (view(fleet, "dp2").behind, fleet.admin.ask(holding, package)) == (1, ["dp1"])

        mirror(fleet, branch)
        fleet.advance(hours=2)
        assert (view(fleet, "dp2").behind, fleet.admin.ask(holding, package)) == (0, ["dp1", "dp2"])
        read = len(branch.requests)
        fleet.advance(hours=12)
        assert len(branch.requests) == read, "what was read once is not read at every turn"
        branch.corrupt(file)
        fleet.advance(days=2)
        assert fleet.admin.ask(holding, package) == ["dp1"], "it is looked at again, and named no more"
        branch.mend()
        fleet.advance(hours=3)
        assert fleet.admin.ask(holding, package) == ["dp1", "dp2"]

        fleet.admin.delete_package(package)
        fleet.advance(hours=16)
        assert (fleet.admin.ask(holding, package), fleet.admin.ask(_state, package)) == ([], "withdrawn"), "it lies there still"
        mirror(fleet, branch)
        fleet.advance(hours=3)
        assert fleet.admin.ask(_state, package) == "purged"
        assert [one for one in fleet.absent_requests() if one.client != "the site"] == []


def test_a_mirrored_point_that_cannot_be_reached_is_told_of_and_names_what_was_read_before() -> None:
    with Fleet(1) as fleet:
        branch = fleet.add_point(PointKind.DP, DP2, target="")
        package = roll_out(fleet, "editor")
        fleet.settle()
        mirror(fleet, branch)
        fleet.advance(hours=2)
        branch.cut()
        other = roll_out(fleet, "viewer")
        fleet.advance(hours=2)
        assert "cannot be reached" in view(fleet, "dp2").problem
        assert (fleet.admin.ask(holding, package), fleet.admin.ask(holding, other)) == (["dp1", "dp2"], ["dp1"])


def test_clients_are_told_of_a_cap_that_a_mirror_fills_once_the_site_has_seen_a_whole_pass_there() -> None:
    with Fleet(0) as fleet, Fleet(0) as strange:
        branch = fleet.add_point(PointKind.CAP, CAP2, target="")
        fleet.advance(hours=2)
        assert (view(fleet, "cap2").is_told, "no mirror has brought" in view(fleet, "cap2").problem) == (False, True)
        with pytest.raises(RefusedError, match="no client is told of cap2"):
            fleet.admin.change(points.drain, "cap1")
        branch.shelf().replace(TIMESTAMP, strange.cap.files[TIMESTAMP].content)
        fleet.advance(hours=2)
        assert (view(fleet, "cap2").is_told, "none of this site's keys" in view(fleet, "cap2").problem) == (False, True)

        for path, content in down(fleet.cap).items():
            branch.shelf().replace(path, content)
        fleet.advance(hours=2)
        assert (view(fleet, "cap2").is_told, view(fleet, "cap2").problem) == (True, "")
        read = len(branch.requests)
        branch.cut()
        fleet.advance(hours=12)
        assert (view(fleet, "cap2").is_told, len(branch.requests)) == (True, read), "the mirror's own is the mirror's to watch"

        fleet.admin.change(points.edit, "cap2", url=CAP3)
        assert not view(fleet, "cap2").is_told, "another place may be empty"


def test_where_the_site_has_no_way_to_a_mirror_s_cap_somebody_says_that_it_is_filled() -> None:
    with Fleet(0) as fleet:
        branch = fleet.add_point(PointKind.CAP, CAP2, target="")
        branch.cut()
        fleet.advance(hours=2)
        assert "purveyor point edit cap2 --filled" in view(fleet, "cap2").problem
        assert fleet.admin.ask(points.counted)["unavailable"] == 1
        fleet.admin.change(points.edit, "cap2", is_filled=True)
        assert (view(fleet, "cap2").is_told, view(fleet, "cap2").problem) == (True, "")
        fleet.advance(hours=2)
        assert fleet.admin.ask(points.counted)["unavailable"] == 0
        with pytest.raises(RefusedError, match="nothing changed"):
            fleet.admin.change(points.edit, "cap2", is_filled=True)
        with pytest.raises(RefusedError, match="knows when it is full"):
            fleet.admin.change(points.edit, "cap1", is_filled=True)
        with pytest.raises(RefusedError, match="once the site has read it"):
            fleet.admin.change(points.edit, "dp1", is_filled=True)
        added = fleet.admin.change(points.add, PointKind.CAP, url=CAP3, is_filled=True)
        assert view(fleet, added).is_told


def test_what_clients_put_at_any_point_arrives_once() -> None:
    with Fleet(2) as fleet:
        cap2 = fleet.add_point(PointKind.CAP, CAP2)
        fleet.settle()
        fleet.cap.cut()
        roll_out(fleet, "editor")
        fleet.advance(hours=12)

        assert cap2.put_count > 0
        assert [path for path in cap2.files if path.startswith("statmsgs.box/")] == []
        assert all(fleet.ran(client, "./setup editor") == 1 for client in fleet.clients)
        assert view(fleet, "cap2").quiet_since is not None


def test_a_point_is_drained_while_clients_work_and_removed_when_it_was_quiet() -> None:
    with Fleet(2) as fleet:
        fleet.add_point(PointKind.CAP, CAP2)
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", 6 * 3600)
        fleet.settle()
        with pytest.raises(RefusedError, match="drain cap2"):
            fleet.admin.change(points.remove, "cap2")
        fleet.admin.change(points.drain, "cap2")
        roll_out(fleet, "editor")
        fleet.settle()
        with pytest.raises(RefusedError, match="clients may still use it"):
            fleet.admin.change(points.remove, "cap2")

        fleet.advance(hours=9)
        assert view(fleet, "cap2").is_drained
        removed = fleet.admin.change(points.remove, "cap2", is_left=True)

        assert "files of boxes in /elsewhere/1" in removed.left[0]
        before = dict(fleet.elsewhere["/elsewhere/1"].files)
        roll_out(fleet, "viewer")
        fleet.settle()
        assert fleet.elsewhere["/elsewhere/1"].files == before, "nothing is written there any more"
        assert all(fleet.ran(client, "./setup viewer") == 1 for client in fleet.clients)


def test_the_last_point_of_a_kind_stays_unless_somebody_insists() -> None:
    with Fleet(1) as fleet:
        for name in ("cap1", "dp1"):
            with pytest.raises(RefusedError, match="the last"):
                fleet.admin.change(points.drain, name)
            with pytest.raises(RefusedError, match="the last"):
                fleet.admin.change(points.remove, name)
        assert fleet.admin.change(points.remove, "cap1", is_forced=True).left


def test_the_sites_own_points_drain_like_others() -> None:
    with Fleet(1) as fleet:
        cap2, dp2 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.DP, DP2)
        fleet.settle()
        for name in ("cap1", "dp1"):
            fleet.admin.change(points.drain, name)
        fleet.settle()
        for name in ("cap1", "dp1"):
            fleet.admin.change(points.remove, name, is_forced=True)
        fleet.settle()
        fleet.cap.cut()
        fleet.dp.cut()

        roll_out(fleet, "editor")
        fleet.advance(hours=12)

        assert fleet.ran(fleet.clients[0], "./setup editor") == 1
        assert (cap2.put_count > 0, bool(dp2.requests)) == (True, True)
        assert fleet.absent_requests() == []


def test_a_folder_of_another_site_is_never_touched() -> None:
    with Fleet(1) as fleet, Fleet(1, seed=7) as other:
        cap2, dp2 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.DP, DP2)
        for boxes, theirs in ((cap2, other.cap), (dp2, other.cap)):
            boxes.files.clear()
            boxes.files.update(theirs.files)
        dp2.files["manifests/" + "ab" * 32] = next(iter(other.cap.files.values()))
        before = dict(cap2.files), dict(dp2.files)

        fleet.settle()

        assert "another site" in view(fleet, "cap2").problem
        assert "did not put there" in view(fleet, "dp2").problem
        assert (cap2.files, dp2.files) == before


@pytest.mark.parametrize("kind", list(PointKind))
def test_a_folder_with_other_things_in_it_is_left_alone_until_they_are_gone(kind: PointKind) -> None:
    with Fleet(1) as fleet:
        place = fleet.add_point(kind, CAP2)
        place.files["lost+found/1"] = place.files["source/setup.exe"] = next(iter(fleet.cap.files.values()))
        before = dict(place.files)
        roll_out(fleet, "editor")
        fleet.settle()
        assert "'source' lies there" in view(fleet, f"{kind}2").problem
        assert place.files == before

        del place.files["source/setup.exe"]
        fleet.settle()
        place.files["later.txt"] = before["source/setup.exe"]
        roll_out(fleet, "viewer")
        fleet.settle()
        assert (view(fleet, f"{kind}2").behind, view(fleet, f"{kind}2").problem) == (0, "")
        assert "later.txt" in place.files and "site.json" in place.files


def test_of_two_sites_that_are_given_one_place_one_fills_it_and_the_other_says_whose_it_is() -> None:
    with Fleet(1) as fleet, Fleet(1, seed=7) as other:
        place = fleet.add_point(PointKind.CAP, CAP2)
        roll_out(fleet, "editor")
        fleet.settle()
        theirs = other.add_point(PointKind.CAP, CAP2)
        theirs.files = place.files
        roll_out(other, "editor of the other site")
        before = dict(place.files)
        other.advance(hours=2)
        assert place.files == before
        assert "belongs to another site" in view(other, "cap2").problem
        fleet.advance(hours=2)
        assert view(fleet, "cap2").problem == ""


def test_a_point_whose_folder_was_emptied_is_filled_only_when_somebody_says_so() -> None:
    with Fleet(1) as fleet:
        cap2 = fleet.add_point(PointKind.CAP, CAP2)
        fleet.settle()
        cap2.files.clear()
        fleet.advance(hours=2)
        fleet.executive.rounds.forget()
        fleet.advance(hours=2)
        assert "mark is gone" in view(fleet, "cap2").problem
        assert cap2.files == {} or down(cap2) != {}

        fleet.admin.change(points.edit, "cap2", is_refilled=True)
        fleet.settle()

        assert down(cap2).keys() == down(fleet.cap).keys()


@pytest.mark.parametrize(("kind", "found"), [(PointKind.CAP, "nothing"), (PointKind.DP, "another site's")])
def test_a_place_that_is_taken_away_from_a_running_site_is_not_written_to_and_goes_on_when_it_is_back(
    kind: PointKind, found: str
) -> None:
    with Fleet(1) as fleet:
        place = fleet.add_point(kind, CAP2)
        roll_out(fleet, "editor")
        fleet.settle()
        before, mark = dict(place.files), place.files["site.json"]
        place.files.clear()
        if found != "nothing":
            place.files["site.json"] = mark._replace(content=mark.content.replace(b'"root":"', b'"root":"0'))
        there = dict(place.files)
        roll_out(fleet, "viewer")
        fleet.advance(hours=3)
        assert place.files == there
        assert ("mark is gone" if found == "nothing" else "another site") in view(fleet, f"{kind}2").problem

        place.files.clear()
        place.files.update(before)
        fleet.settle()
        assert before.keys() <= place.files.keys() and len(place.files) > len(before)
        assert (view(fleet, f"{kind}2").behind, view(fleet, f"{kind}2").problem) == (0, "")


def test_a_file_that_a_point_lost_is_written_again() -> None:
    with Fleet(1) as fleet:
        cap2 = fleet.add_point(PointKind.CAP, CAP2)
        roll_out(fleet, "editor")
        fleet.settle()
        lost = [next(path for path in cap2.files if path.endswith(end)) for end in (".pkg", ".lkp", "timestamp.json")]
        for path in lost:
            cap2.lose(path)

        fleet.advance(hours=3)

        assert down(cap2) == down(fleet.cap)


def test_a_dp_that_fills_up_is_named_nowhere_delays_nobody_and_is_filled_when_there_is_room() -> None:
    with Fleet(1) as fleet:
        dp2 = fleet.add_point(PointKind.DP, DP2)
        fleet.settle()
        dp2.is_full = True
        package = roll_out(fleet, "editor")
        fleet.settle()
        assert (fleet.ran(fleet.clients[0], "./setup editor"), fleet.admin.ask(holding, package)) == (1, ["dp1"])
        assert (view(fleet, "dp2").behind, "full" in view(fleet, "dp2").problem) == (1, True)

        dp2.is_full = False
        fleet.advance(hours=2)
        assert (view(fleet, "dp2").behind, view(fleet, "dp2").problem) == (0, "")
        assert fleet.admin.ask(holding, package) == ["dp1", "dp2"]
        assert fleet.absent_requests() == []


def test_leftovers_of_broken_writes_leave_a_point_in_their_time_and_what_is_not_the_site_s_form_stays() -> None:
    with Fleet(1, poll_interval=timedelta(hours=8)) as fleet:
        cap2, dp2 = fleet.add_point(PointKind.CAP, CAP2), fleet.add_point(PointKind.DP, DP2)
        roll_out(fleet, "editor")
        fleet.settle()
        before = set(dp2.files)
        half, others = f"files/ab/{'ab' * 32}", "files/ab/readme.txt"
        asides = [(cap2, ".aside/9-1"), (cap2, f"statmsgs.box/.{'cd' * 16}"), (dp2, ".aside/9-1")]
        for boxes, path in (*asides, (dp2, half), (dp2, others)):
            boxes.files[path] = boxes.files["site.json"]

        fleet.advance(hours=8)
        assert [path for boxes, path in asides if path in boxes.files] == []
        fleet.advance(days=3)
        fleet.executive.rounds.forget()
        fleet.advance(days=3)
        assert half in dp2.files, "the week is not over, and a start of the site makes it no longer"
        fleet.advance(days=2)
        assert half not in dp2.files and others in dp2.files
        assert before <= set(dp2.files)
        assert fleet.absent_requests() == []


def test_the_grace_after_draining_begins_anew_with_every_item() -> None:
    with Fleet(1) as fleet:
        fleet.add_point(PointKind.CAP, CAP2)
        fleet.settle()
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", 3 * 3600)
        fleet.cap.cut()
        fleet.admin.change(points.drain, "cap2")
        fleet.advance(hours=14)

        assert not view(fleet, "cap2").is_drained, "the only client has no other way, and uses it"
        fleet.cap.mend()
        assert view(fleet, "cap2").quiet_since > fleet.clock.now() - timedelta(hours=5)


def holding(tx: Connection, package: PackageId) -> list[str]:
    """The points where clients are told that a package's content lies."""
    copies = [copy for held in content_copies.held(tx) if package in held.packages for copy in held.copies.values()]
    return sorted(copy.point for copy in copies if copy.state is content_copies.CopyState.VERIFIED)


def _state(tx: Connection, package: PackageId) -> str:
    return str(tx.execute(select(schema.package.c.state).where(schema.package.c.id == package)).scalar_one())
