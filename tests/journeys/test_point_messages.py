"""What a site tells of its points: status messages, once for each change and not once a turn, and requests for absent files."""

from collections.abc import Callable

import pytest

from purveyor.lab.fleet import Fleet
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import points, settings, status
from purveyor.site_server.model.points import PointKind
from purveyor.wire.status_messages import Severity, StatusId

CAP2, DP2 = "http://branch.lab/cap", "http://branch.lab/dp"


def told(fleet: Fleet, point: str) -> list[StatusId]:
    """What was told of a point, the oldest first."""
    return [StatusId(one.status) for one in reversed(fleet.admin.ask(status.messages, point=point))]


def be_cut(place: MemoryBoxes) -> None:
    """The site reaches it no more."""
    place.is_cut_from_site = True


def be_full(place: MemoryBoxes) -> None:
    """It takes nothing more."""
    place.is_full = True


@pytest.mark.parametrize("kind", PointKind)
@pytest.mark.parametrize(("fault", "number"), [(be_cut, StatusId.POINT_FAILS), (be_full, StatusId.POINT_FULL)])
def test_a_point_that_fails_is_told_once_and_once_when_it_is_back(
    kind: PointKind, fault: Callable[[MemoryBoxes], None], number: StatusId
) -> None:
    with Fleet(1) as fleet:
        place = fleet.add_point(kind, CAP2)
        fleet.settle()
        assert told(fleet, f"{kind}2") == []
        fault(place)
        package = fleet.admin.add_package("editor", {"setup": b"editor" * 1000})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "./setup"))
        fleet.advance(hours=5)
        assert told(fleet, f"{kind}2") == [number]
        place.mend()
        fleet.advance(hours=5)
        assert told(fleet, f"{kind}2") == [number, StatusId.POINT_BACK]
        newest, failed = fleet.admin.ask(status.messages, point=f"{kind}2")
        assert (newest.client, newest.client_name, newest.point, newest.severity) == (None, "", f"{kind}2", Severity.INFORMATION)
        assert failed.text
        assert {one.point for one in fleet.admin.ask(status.messages, limit=1000)} == {"", f"{kind}2"}


def test_boxes_of_another_site_at_a_point_are_told_of() -> None:
    with Fleet(1) as fleet:
        place = fleet.add_point(PointKind.CAP, CAP2)
        fleet.settle()
        mark = place.files["site.json"]
        place.files["site.json"] = mark._replace(content=mark.content.replace(b'"root":"', b'"root":"0'))
        fleet.admin.add_package("editor")
        fleet.advance(hours=3)
        assert told(fleet, "cap2") == [StatusId.POINT_FOREIGN]


def test_a_point_that_is_drained_and_then_emptied_is_told_of_with_what_else_lies_there() -> None:
    with Fleet(1) as fleet:
        for name, hours in (("timestamp_rhythm_seconds", 2), ("timestamp_lifetime_seconds", 4), ("unnamed_margin_seconds", 0)):
            fleet.admin.change(settings.change, name, hours * 3600)
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", 6 * 3600)
        place = fleet.add_point(PointKind.CAP, CAP2)
        fleet.settle()
        fleet.admin.change(points.drain, "cap2")
        fleet.advance(hours=2)
        assert told(fleet, "cap2") == []
        fleet.advance(hours=10)
        assert told(fleet, "cap2") == [StatusId.POINT_DRAINED]
        place.files["clidata.box/other.json"] = place.files["site.json"]
        fleet.admin.change(points.remove, "cap2")
        fleet.advance(hours=48)
        assert told(fleet, "cap2") == [StatusId.POINT_DRAINED, StatusId.POINT_EMPTIED]
        assert "clidata.box/other.json" in fleet.admin.ask(status.messages, point="cap2")[0].text


def test_requests_for_absent_files_are_told_of_the_point_that_lacks_them_and_of_no_other() -> None:
    with Fleet(4) as fleet:
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", 3600)
        place = fleet.add_point(PointKind.DP, DP2)
        fleet.settle()
        package = fleet.admin.add_package("editor", {"setup": b"editor" * 1000})
        program = fleet.admin.add_program(package, "install", "./setup")
        fleet.advance(hours=1)
        for path in [path for path in place.files if path.startswith("files/")]:
            place.lose(path)
        fleet.admin.advertise(program)
        fleet.advance(hours=4)

        asked = len(place.absent)
        assert asked > 0 and fleet.ran(fleet.clients[0], "./setup") == 1
        views = {view.id: view for view in fleet.admin.ask(points.listed, fleet.clock.now())}
        told = {name: view.absent_requests for name, view in views.items()}
        assert told == {"cap1": 0, "dp1": 0, "dp2": asked}
        in_all = fleet.admin.ask(points.absent_requests)
        assert (in_all.absent_requests, in_all.elsewhere, in_all.clients) == (asked, 0, 4)
