"""The site's clock is set wrong, and set right again; or the site was off. Nothing that clients may need ends early."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from purveyor.lab.fleet import Fleet
from purveyor.site_server.admin import points, requests, settings, status
from purveyor.site_server.database import schema
from purveyor.site_server.executive import Executive
from purveyor.site_server.model.points import PointKind
from purveyor.wire.offers import RequestKind

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = 6 * HOUR


def _two_versions(fleet: Fleet) -> None:
    """A package whose first content was superseded and is still in its grace time."""
    fleet.admin.change(settings.change, "content_grace_seconds", int(GRACE.total_seconds()))
    package = fleet.admin.add_package("Editor", {"setup.sh": b"old"})
    advertisement = fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.sh /q"))
    fleet.admin.change(requests.ask, RequestKind.RUN_AGAIN, advertisement, only_failed=True, is_confirmed=True)
    fleet.settle()
    fleet.admin.update_package(package, {"setup.sh": b"new"})
    fleet.settle()


def _content(fleet: Fleet) -> set[str]:
    return {path.name for place in fleet.site.points.values() for path in place.folder.rglob("*") if path.is_file()}


def _kept(fleet: Fleet) -> tuple[set[str], set[str], int, int]:
    """All that ends with time: files of the access point and of the point of content, what clients told, open requests."""
    asked = fleet.admin.ask(requests.listed, is_open=True, now=fleet.clock.now())
    return set(fleet.cap.files), _content(fleet), len(fleet.admin.ask(status.messages)), len(asked)


@pytest.mark.parametrize("ahead", [9 * HOUR, 400 * DAY], ids=str)
def test_a_clock_that_is_ahead_for_a_while_ends_nothing(ahead: timedelta) -> None:
    with Fleet(1) as fleet:
        _two_versions(fleet)
        before = _kept(fleet)
        fleet.site_clock.skew = ahead
        fleet.advance(hours=1)
        fleet.executive = Executive(fleet.site)  # whoever sees it starts the site again
        fleet.advance(hours=1)
        during = _kept(fleet)
        fleet.calm()
        fleet.settle()
        after = _kept(fleet)
        fleet.advance(hours=8)
        assert len(_content(fleet)) < len(before[1]), "in the end the old content goes"
        assert fleet.absent_requests() == []
    for now in (during, after):
        assert before[0] <= now[0] and before[1] <= now[1]
        assert now[2] >= before[2] and now[3] == before[3]


def test_nothing_stays_signed_for_a_time_that_has_not_come() -> None:
    with Fleet(1) as fleet:
        fleet.site_clock.skew = 400 * DAY
        fleet.advance(hours=3)
        assert all(at > fleet.clock.now() + 400 * DAY for name, at in _ends(fleet).items() if name in ("timestamp", "shard"))
        fleet.calm()
        fleet.advance(hours=3)
        lifetimes = {"timestamp": 7 * DAY, "snapshot": 30 * DAY, "settings": 30 * DAY, "offers-0": 30 * DAY, "shard": 14 * DAY}
        ends = _ends(fleet)
        assert {name for name, lifetime in lifetimes.items() if ends[name] > fleet.clock.now() + lifetime} == set()
        assert max(ends.values()) <= fleet.clock.now() + 365 * DAY
        signed_at = fleet.clients[0].machine.state.time("newest_signed")
        assert signed_at is not None and signed_at <= fleet.clock.now()


def _ends(fleet: Fleet) -> dict[str, datetime]:
    """When each role ends, and the shard that ends last."""
    with fleet.site.database.read() as tx:
        roles = {row.name: row.expires_at for row in tx.execute(select(schema.role))}
        return roles | {"shard": max(tx.scalars(select(schema.shard.c.expires_at)))}


def test_a_site_that_was_off_ends_grace_times_by_itself_once_it_has_run_for_long_enough() -> None:
    with Fleet(0) as fleet:
        _two_versions(fleet)
        before = _content(fleet)
        fleet.site_away(12 * HOUR)
        fleet.executive = Executive(fleet.site)
        fleet.advance(hours=14)
        assert _content(fleet) == before
        fleet.advance(hours=14)
        assert len(_content(fleet)) < len(before)


def test_a_point_that_failed_while_the_clock_was_ahead_is_tried_again_when_it_is_set_right() -> None:
    with Fleet(0) as fleet:
        places = [fleet.add_point(PointKind.CAP, "http://second.lab/cap"), fleet.add_point(PointKind.DP, "http://second.lab/dp")]
        fleet.advance(hours=1)
        fleet.site_clock.skew = 400 * DAY
        for place in places:
            place.is_cut_from_site = True
        fleet.admin.add_package("Editor", {"setup.sh": b"new"})
        fleet.advance(hours=3)
        assert all(one.failures for one in fleet.admin.ask(points.listed, fleet.clock.now()) if one.target)
        fleet.calm()
        fleet.advance(hours=2)
        for one in fleet.admin.ask(points.listed, fleet.clock.now()):
            assert (one.failures, one.behind, one.problem) == (0, 0, ""), one.id
