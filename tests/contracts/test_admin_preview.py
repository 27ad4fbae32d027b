"""Looking ahead for advertisements as an administrator does, over every database."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from purveyor.site_server.admin import advertisements, collections, packages, preview, programs, windows
from purveyor.site_server.admin.preview import Asked, PreviewView
from purveyor.site_server.database import schema
from purveyor.wire.errors import RefusedError
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Facts
from site_rows import ANNA, NOW, add_clients, add_site, client_id_at, report, wants

ALL = CollectionId("S0110001")
TOOL = PackageId("S0100001")
ONE = ProgramNumber(1)
WEEKLY = "2026-12-08T22:30 FREQ=WEEKLY"


@pytest.fixture(autouse=True)
def five_clients(tx: Connection) -> None:
    """Every test has a site with five clients, `pc-1` to `pc-5`, and a program that takes an hour."""
    add_site(tx)
    add_clients(tx, 5)
    packages.add(tx, name="Tool", by=ANNA, now=NOW)
    programs.add(tx, TOOL, name="install", command="x", max_run_seconds=3600, platforms=["linux"], by=ANNA, now=NOW)


def _is(tx: Connection, name: str, **facts: str) -> None:
    told = {"platform": "linux/debian/12", **facts}
    content = to_bytes(Facts(name=name, **told)).decode()
    tx.execute(update(schema.client).where(schema.client.c.name == name).values(facts=content))


def _looked_ahead(tx: Connection, collection: CollectionId, asked: Asked | None = None, **given: object) -> PreviewView:
    wanted = {"assignments": [WEEKLY], **given}
    asked = asked or Asked()
    return preview.of_new(tx, asked, package=TOOL, program=ONE, collection=collection, now=NOW, **wanted)  # type: ignore[arg-type]


def test_reach_is_counted_by_platform_and_by_clock(tx: Connection) -> None:
    _is(tx, "pc-1", zone="Europe/Berlin")
    _is(tx, "pc-2", zone="Europe/Berlin")
    _is(tx, "pc-3", platform="windows/11", architecture="x86_64")
    _is(tx, "pc-4", zone="../../etc/passwd")
    seen = _looked_ahead(tx, ALL)
    assert (seen.advertisement, seen.members, seen.reached, seen.needs_confirmation) == (None, 5, 4, True)
    assert [(one.platform, one.members, one.is_reached) for one in seen.platforms] == [
        ("linux/debian/12", 4, True),
        ("windows/11@x86_64", 1, False),
    ]
    assert [(one.zone, one.members, one.is_known) for one in seen.zones] == [
        ("Europe/Berlin", 2, True),
        ("UTC", 2, True),
        ("../../etc/passwd", 1, False),
    ]
    assert [one.at_local for one in seen.zones[0].following[:1]] == ["2026-12-08T22:30:00+01:00"]


def test_each_client_is_told_with_its_times_its_windows_and_what_it_said_last(tx: Connection) -> None:
    pilot = collections.add(tx, name="Pilot", members=["pc-1", "pc-2"], by=ANNA, now=NOW)
    other = collections.add(tx, name="Other", members=["pc-2"], by=ANNA, now=NOW)
    number = windows.add(tx, other, name="Nights", rule="FREQ=DAILY;BYHOUR=2", duration_seconds=7200, by=ANNA, now=NOW)
    advertisement = advertisements.add(
        tx, package=TOOL, program=ONE, collection=pilot, assignments=[WEEKLY], is_confirmed=True, by=ANNA, now=NOW
    )
    report(tx, client_id_at(2), TOOL, 1, JobState.SUCCEEDED)
    first, second = preview.of_standing(tx, advertisement, Asked(firings=1), NOW).clients
    assert (first.name, first.state, first.windows, second.state, second.windows) == ("pc-1", None, 0, JobState.SUCCEEDED, 1)
    (due,) = first.following
    assert (due.at_local, due.starts_at, due.window) == ("2026-12-08T22:30:00+00:00", due.at, None)
    (held,) = second.following
    assert (held.starts_local, held.window, held.window_name) == ("2026-12-09T02:00:00+00:00", number, "Nights")


def test_what_is_previewed_is_what_then_stands(tx: Connection) -> None:
    pilot = collections.add(tx, name="Pilot", members=["pc-1", "pc-2", "pc-3"], by=ANNA, now=NOW)
    before = _looked_ahead(tx, pilot, spread_seconds=7200)
    advertisement = advertisements.add(
        tx, package=TOOL, program=ONE, collection=pilot, assignments=[WEEKLY], spread_seconds=7200, by=ANNA, now=NOW
    )
    after = preview.of_standing(tx, advertisement, Asked(), NOW)
    assert after.advertisement == advertisement
    assert (after.clients, after.notes, after.assignments) == (before.clients, before.notes, before.assignments)
    assert len({one.following[0].at for one in after.clients}) == 3


def test_looking_ahead_changes_nothing(tx: Connection) -> None:
    pilot = collections.add(tx, name="Pilot", members=["pc-1"], by=ANNA, now=NOW)

    def state() -> tuple[object, ...]:
        counts = [tx.execute(select(func.count()).select_from(table)).scalar_one() for table in schema.metadata.sorted_tables]
        return (counts, wants(tx), tx.execute(select(schema.counter)).all())

    before = state()
    _looked_ahead(tx, pilot)
    assert state() == before


def test_only_some_clients_are_looked_at_one_by_one_and_all_are_counted(tx: Connection) -> None:
    add_clients(tx, 1500, first=6)
    seen = _looked_ahead(tx, ALL, Asked(clients=2, firings=1))
    assert (seen.members, [one.name for one in seen.clients]) == (1505, ["pc-1", "pc-10"])
    found = _looked_ahead(tx, ALL, Asked(containing="PC-77", firings=1))
    assert [one.name for one in found.clients] == ["pc-77", *(f"pc-77{digit}" for digit in range(10))]
    (one,) = _looked_ahead(tx, ALL, Asked(containing=client_id_at(7), firings=1)).clients
    assert one.name == "pc-7"
    assert len(_looked_ahead(tx, ALL, Asked(clients=10**6, firings=1)).clients) == preview.LARGEST_LIMIT


def test_what_could_not_be_made_is_not_previewed(tx: Connection) -> None:
    for given, said in (
        ({"assignments": ["FREQ=SECONDLY"]}, "too often"),
        ({"expires_at": NOW - timedelta(days=1)}, "before it is available"),
        ({"users": ["alice"]}, "does not need a user"),
    ):
        with pytest.raises(RefusedError, match=said):
            _looked_ahead(tx, ALL, **given)
    collections.add(tx, name="Pilot", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="there is no collection"):
        _looked_ahead(tx, CollectionId("S0110077"))


def test_facts_that_cannot_be_read_are_of_no_platform(tx: Connection) -> None:
    tx.execute(update(schema.client).where(schema.client.c.name == "pc-1").values(facts="not JSON"))
    seen = _looked_ahead(tx, ALL)
    assert (seen.members, seen.reached) == (5, 4)
    assert not seen.clients[0].is_reached
