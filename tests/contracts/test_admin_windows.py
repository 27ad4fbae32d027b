"""Maintenance windows as an administrator handles them, over every database."""

import pytest
from sqlalchemy import Connection, select

from purveyor.site_server.admin import collections, windows
from purveyor.site_server.database import schema
from purveyor.site_server.model.windows import LIMIT
from purveyor.site_server.publish.offers import compile_offers
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import CollectionId
from site_rows import ANNA, NOW, add_clients, add_site, meet_all_wants, wants

ALL = CollectionId("S0110001")
EACH_SATURDAY = "FREQ=WEEKLY;BYDAY=SA"
HOURS = 3600


@pytest.fixture(autouse=True)
def five_clients(tx: Connection) -> None:
    """Every test has a site with five clients, `pc-1` to `pc-5`."""
    add_site(tx)
    add_clients(tx, 5)


def _pilot(tx: Connection) -> CollectionId:
    return collections.add(tx, name="Pilot", members=["pc-1"], by=ANNA, now=NOW)


def _saturdays(tx: Connection, collection: CollectionId) -> int:
    return windows.add(tx, collection, start="2026-12-05T22:00", rule=EACH_SATURDAY, duration_seconds=6 * HOURS, by=ANNA, now=NOW)


def test_a_window_is_published_in_the_offers_of_its_collection_which_shards_name_from_then_on(tx: Connection) -> None:
    pilot = _pilot(tx)
    meet_all_wants(tx)
    number = windows.add(
        tx,
        pilot,
        name=" Saturdays ",
        start="2026-12-05T22:00Z",
        rule="byday=sa;freq=weekly",
        duration_seconds=6 * HOURS,
        spread_seconds=600,
        catch_up=True,
        by=ANNA,
        now=NOW,
    )
    assert wants(tx) == {("offers", pilot), ("naming", pilot)}
    (said,) = compile_offers(tx, pilot).windows
    assert (said.number, said.name, said.rule, said.zone.value) == (number, "Saturdays", EACH_SATURDAY, "utc")
    assert (said.duration_seconds, said.spread_seconds, said.catch_up) == (6 * HOURS, 600, True)
    assert compile_offers(tx, ALL).windows == ()


def test_a_window_is_listed_with_when_it_opens_next(tx: Connection) -> None:
    pilot = _pilot(tx)
    first, second = _saturdays(tx, pilot), windows.add(tx, pilot, rule="FREQ=DAILY", duration_seconds=60, by=ANNA, now=NOW)
    listed = windows.listed(tx, NOW, collection=pilot)
    assert [(one.number, one.start, one.next_opens) for one in listed] == [
        (first, "2026-12-05T22:00", "2026-12-05T22:00"),
        (second, "2026-12-01T00:00", "2026-12-02T00:00"),
    ]
    assert windows.listed(tx, NOW, collection=ALL) == ()
    assert windows.listed(tx, NOW) == listed


def test_an_edited_window_keeps_its_number_and_what_is_not_given(tx: Connection) -> None:
    pilot = _pilot(tx)
    number = _saturdays(tx, pilot)
    meet_all_wants(tx)
    changed = windows.edit(tx, number, duration_seconds=HOURS, catch_up=True, by=ANNA, now=NOW)
    assert (changed.number, changed.rule, changed.duration_seconds, changed.catch_up) == (number, EACH_SATURDAY, HOURS, True)
    assert wants(tx) == {("offers", pilot)}
    once = windows.edit(tx, number, rule="", start="2026-12-24T20:00", by=ANNA, now=NOW)
    assert (once.rule, once.start, once.catch_up) == ("", "2026-12-24T20:00", True)
    with pytest.raises(RefusedError, match="nothing changed"):
        windows.edit(tx, number, rule="", by=ANNA, now=NOW)


def test_a_deleted_window_is_published_no_more_and_its_number_is_not_given_again(tx: Connection) -> None:
    pilot = _pilot(tx)
    number = _saturdays(tx, pilot)
    windows.delete(tx, number, by=ANNA, now=NOW)
    assert compile_offers(tx, pilot).windows == ()
    assert windows.listed(tx, NOW) == ()
    for act in (windows.delete, windows.edit):
        with pytest.raises(RefusedError, match="was deleted at 2026-12-01 09:00"):
            act(tx, number, by=ANNA, now=NOW)
    assert _saturdays(tx, pilot) == number + 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"duration_seconds": HOURS}, "when does it open"),
        ({"start": "2026-12-05T22:00"}, "how long"),
        ({"start": "tomorrow", "duration_seconds": HOURS}, "is no time"),
        ({"start": "2026-12-05T22:00", "duration_seconds": 1}, "open for 60 seconds to 7 days"),
        ({"start": "2026-12-05T22:00", "duration_seconds": 8 * 86400}, "open for 60 seconds to 7 days"),
        ({"start": "2026-12-05T22:00", "duration_seconds": HOURS, "spread_seconds": HOURS}, "spread is shorter"),
        ({"start": "2026-11-05T22:00", "duration_seconds": HOURS}, "never opens any more"),
        ({"start": "2026-11-05T22:00", "rule": "FREQ=DAILY;COUNT=3", "duration_seconds": HOURS}, "never opens any more"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "duration_seconds": HOURS}, "never fires"),
        ({"rule": "FREQ=SECONDLY", "duration_seconds": HOURS}, "too often"),
        ({"rule": "FREQ=DAILY", "duration_seconds": HOURS, "name": "a\nb"}, "control characters"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_what_to_change(tx: Connection, given: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        windows.add(tx, _pilot(tx), by=ANNA, now=NOW, **given)  # type: ignore[arg-type]


def test_the_same_window_is_not_added_twice_and_no_collection_has_endlessly_many(tx: Connection) -> None:
    pilot = _pilot(tx)
    _saturdays(tx, pilot)
    with pytest.raises(RefusedError, match="open at these times already"):
        _saturdays(tx, pilot)
    for hour in range(1, LIMIT):
        start = f"2026-12-{hour // 24 + 2:02}T{hour % 24:02}:00"
        windows.add(tx, pilot, start=start, duration_seconds=60, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match=f"{LIMIT} are possible"):
        windows.add(tx, pilot, rule="FREQ=DAILY", duration_seconds=60, by=ANNA, now=NOW)


def test_a_window_that_reaches_far_wants_confirming_when_it_comes_changes_or_goes(tx: Connection) -> None:
    def added(*, is_confirmed: bool) -> int:
        return windows.add(tx, ALL, rule="FREQ=DAILY", duration_seconds=60, is_confirmed=is_confirmed, by=ANNA, now=NOW)

    with pytest.raises(ConfirmationNeededError, match="All Systems, 5 clients now"):
        added(is_confirmed=False)
    number = added(is_confirmed=True)
    with pytest.raises(ConfirmationNeededError, match="this change"):
        windows.edit(tx, number, duration_seconds=120, by=ANNA, now=NOW)
    with pytest.raises(ConfirmationNeededError, match="deleting the only window"):
        windows.delete(tx, number, by=ANNA, now=NOW)
    assert windows.shown(tx, number, NOW).duration_seconds == 60


def test_the_windows_of_a_collection_go_with_it_once_that_is_confirmed(tx: Connection) -> None:
    pilot = _pilot(tx)
    number = _saturdays(tx, pilot)
    with pytest.raises(ConfirmationNeededError, match="1 maintenance windows"):
        collections.delete(tx, pilot, by=ANNA, now=NOW)
    collections.delete(tx, pilot, is_confirmed=True, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="was deleted"):
        windows.shown(tx, number, NOW)
    assert compile_offers(tx, pilot).windows == ()


def test_what_is_done_to_windows_stands_in_the_audit(tx: Connection) -> None:
    number = _saturdays(tx, _pilot(tx))
    windows.edit(tx, number, name="Nights", by=ANNA, now=NOW)
    windows.delete(tx, number, by="bert", now=NOW)
    rows = tx.execute(select(schema.audit).where(schema.audit.c.object == f"window {number}").order_by(schema.audit.c.id)).all()
    assert [(row.action, row.actor) for row in rows] == [("window.add", ANNA), ("window.edit", ANNA), ("window.delete", "bert")]
    assert "Nights" in rows[1].detail


def test_a_window_that_has_opened_for_the_last_time_is_shown_as_such(tx: Connection) -> None:
    pilot = _pilot(tx)
    number = windows.add(tx, pilot, start="2026-12-05T22:00", duration_seconds=60, by=ANNA, now=NOW)
    later = NOW.replace(year=2027)
    assert windows.shown(tx, number, later).next_opens is None
    renamed = windows.edit(tx, number, name="old", by=ANNA, now=later)
    assert renamed.name == "old"
