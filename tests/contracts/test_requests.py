"""What administrators ask of single runs and what clients answer, over every database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from purveyor.site_server.admin import advertisements, audit, collections, packages, programs, requests
from purveyor.site_server.admin.requests import Outcome, RequestState, RequestView
from purveyor.site_server.database import requests as stored
from purveyor.site_server.database import schema, settings
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish.offers import compile_offers
from purveyor.site_server.receive import ageing
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.reports import StatusMessage, StatusMessages
from purveyor.wire.status_messages import StatusId
from site_rows import ANNA, NOW, add_clients, add_site, client_id_at, meet_all_wants, number_of, report, wants
from upward_items import Machine, Receiving

LATER = NOW + timedelta(hours=1)


def _advertise(tx: Connection, members: list[str]) -> AdvertisementId:
    package = packages.add(tx, name="Tool", by=ANNA, now=NOW)
    programs.add(tx, package, name="install", command="x", by=ANNA, now=NOW)
    pilot = collections.add(tx, name="Pilot", members=members, by=ANNA, now=NOW)
    one = ProgramNumber(1)
    return advertisements.add(tx, package=package, program=one, collection=pilot, assignments=["asap"], by=ANNA, now=NOW)


@pytest.fixture
def advertisement(tx: Connection) -> AdvertisementId:
    """An advertisement to pc-1, pc-2 and pc-3 of a site with four clients."""
    add_site(tx)
    add_clients(tx, 4)
    made = _advertise(tx, ["pc-1", "pc-2", "pc-3"])
    meet_all_wants(tx)
    return made


def _ask(tx: Connection, kind: RequestKind, advertisement: AdvertisementId, **given: object) -> RequestView:
    ask: Callable[..., RequestView] = requests.ask
    return ask(tx, kind, advertisement, by=ANNA, now=NOW, **given)


def _told(tx: Connection, advertisement: AdvertisementId) -> list[int]:
    collection = advertisements.shown(tx, advertisement).collection
    return [one.number for one in compile_offers(tx, collection).requests]


# --- asking -----------------------------------------------------------------------------------------------------------


def test_a_request_stands_in_the_offers_of_the_collection_with_all_that_clients_need(
    tx: Connection, advertisement: AdvertisementId
) -> None:
    view = _ask(tx, RequestKind.STOP, advertisement, clients=["pc-1", client_id_at(2), "PC-1"], reason="it hangs")
    assert wants(tx) == {("offers", view.collection)}
    (told,) = compile_offers(tx, view.collection).requests
    assert (told.number, told.kind, told.advertisement, told.made_at) == (1, RequestKind.STOP, advertisement, NOW)
    assert told.clients == view.clients == tuple(sorted([client_id_at(1), client_id_at(2)]))
    assert told.key == (view.package, view.program)
    assert (view.counts.silent, view.state, view.expires_at) == (2, RequestState.OPEN, NOW + timedelta(days=30))
    kept = audit.listed(tx, about=advertisement)[0]
    assert (kept.action, kept.detail["reason"], kept.detail["reach"]) == ("job.stop", "it hangs", 2)


def test_numbers_of_requests_are_never_given_again(tx: Connection, advertisement: AdvertisementId) -> None:
    first = _ask(tx, RequestKind.STOP, advertisement)
    requests.withdraw(tx, first.number, by=ANNA, now=NOW)
    assert stored.drop_old(tx, before=LATER, limit=10) == 1
    with pytest.raises(RefusedError, match="there is no request 1"):
        requests.shown(tx, 1, now=NOW)
    assert _ask(tx, RequestKind.STOP, advertisement).number == 2


def test_what_reaches_many_wants_confirming_and_what_names_few_does_not(tx: Connection, advertisement: AdvertisementId) -> None:
    settings.change_setting(tx, "confirm_above", 1)
    with pytest.raises(ConfirmationNeededError, match="to run again install to Pilot reaches 3 clients"):
        _ask(tx, RequestKind.RUN_AGAIN, advertisement)
    _ask(tx, RequestKind.RUN_AGAIN, advertisement, clients=["pc-1"])
    package = advertisements.shown(tx, advertisement).package
    report(tx, client_id_at(1), package, 1, JobState.FAILED)
    assert _ask(tx, RequestKind.RUN_AGAIN, advertisement, only_failed=True).counts.silent == 1
    requests.withdraw(tx, 2, by=ANNA, now=NOW)
    report(tx, client_id_at(2), package, 1, JobState.TIMED_OUT)
    with pytest.raises(ConfirmationNeededError, match="2 clients"):
        _ask(tx, RequestKind.RUN_AGAIN, advertisement, only_failed=True)
    assert _ask(tx, RequestKind.CANCEL, advertisement, is_confirmed=True).counts.silent == 3


def test_what_nobody_could_answer_is_refused(tx: Connection, advertisement: AdvertisementId) -> None:
    for given, why in (
        ({"clients": ["pc-4"]}, "pc-4: no member of Pilot"),
        ({"clients": ["pc-9"]}, "there is no resource"),
        ({"only_failed": True}, "only run-again"),
        ({"expires_at": NOW}, "within the next year"),
        ({"reason": "a\nb"}, "control characters"),
    ):
        with pytest.raises(RefusedError, match=why):
            _ask(tx, RequestKind.CANCEL, advertisement, **given)
    advertisements.pause(tx, advertisement, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="resume it first"):
        _ask(tx, RequestKind.RUN_AGAIN, advertisement)
    assert _ask(tx, RequestKind.CANCEL, advertisement).number == 1
    advertisements.delete(tx, advertisement, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="was deleted"):
        _ask(tx, RequestKind.STOP, advertisement)


def test_what_can_run_nowhere_is_not_run_again(tx: Connection, advertisement: AdvertisementId) -> None:
    view = advertisements.shown(tx, advertisement)
    advertisements.edit(tx, advertisement, expires_at=LATER, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="has expired"):
        requests.ask(tx, RequestKind.RUN_AGAIN, advertisement, by=ANNA, now=LATER)
    programs.disable(tx, programs.find(tx, view.package, "1"), by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="is disabled"):
        _ask(tx, RequestKind.RUN_AGAIN, advertisement)


def test_the_same_is_not_asked_twice_before_anybody_has_answered(tx: Connection, advertisement: AdvertisementId) -> None:
    _ask(tx, RequestKind.RUN_AGAIN, advertisement)
    with pytest.raises(RefusedError, match="request 1 asks exactly this"):
        _ask(tx, RequestKind.RUN_AGAIN, advertisement)
    stored.store_answers(tx, [_row(tx, 1, 1)])
    assert _ask(tx, RequestKind.RUN_AGAIN, advertisement).number == 2


def test_open_requests_of_a_collection_are_limited(
    tx: Connection, advertisement: AdvertisementId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purveyor.site_server.model.requests.OPEN_LIMIT", 1)
    _ask(tx, RequestKind.CANCEL, advertisement)
    with pytest.raises(RefusedError, match="1 requests stand open for Pilot"):
        _ask(tx, RequestKind.STOP, advertisement)


# --- the end of a request ---------------------------------------------------------------------------------------------


def test_an_expired_request_leaves_the_offers_and_is_shown_as_such(tx: Connection, advertisement: AdvertisementId) -> None:
    view = _ask(tx, RequestKind.CANCEL, advertisement, expires_at=LATER)
    meet_all_wants(tx)
    assert stored.close_expired(tx, LATER - timedelta(seconds=1)) == 0
    assert (wants(tx), stored.close_expired(tx, LATER), wants(tx)) == (set(), 1, {("offers", view.collection)})
    assert _told(tx, advertisement) == []
    assert requests.shown(tx, 1, now=LATER).state is RequestState.EXPIRED
    assert requests.listed(tx, is_open=True, now=LATER) == ()


def test_a_request_goes_with_its_advertisement(tx: Connection, advertisement: AdvertisementId) -> None:
    view = _ask(tx, RequestKind.CANCEL, advertisement)
    advertisements.delete(tx, advertisement, by=ANNA, now=NOW)
    assert compile_offers(tx, view.collection).requests == ()
    assert requests.shown(tx, 1, now=NOW).state is RequestState.WITHDRAWN
    assert stored.close_expired(tx, NOW) == 1


def test_a_request_is_taken_back_once(tx: Connection, advertisement: AdvertisementId) -> None:
    _ask(tx, RequestKind.STOP, advertisement)
    assert requests.withdraw(tx, 1, by=ANNA, now=LATER).state is RequestState.WITHDRAWN
    assert _told(tx, advertisement) == []
    with pytest.raises(RefusedError, match="is withdrawn already"):
        requests.withdraw(tx, 1, by=ANNA, now=LATER)


def test_requests_are_listed_newest_first_a_page_at_a_time(tx: Connection, advertisement: AdvertisementId) -> None:
    for kind in RequestKind:
        _ask(tx, kind, advertisement)
    assert [one.number for one in requests.listed(tx, now=NOW, limit=2)] == [3, 2]
    assert [one.number for one in requests.listed(tx, now=NOW, before=2)] == [1]
    assert requests.listed(tx, now=NOW, advertisement=AdvertisementId("S0120099")) == ()


# --- answers ----------------------------------------------------------------------------------------------------------


def _row(
    tx: Connection, request: int, position: int, *, order: int = 1000, outcome: str = "done", text: str = ""
) -> dict[str, object]:
    times: dict[str, datetime] = {"at": NOW, "arrived_at": NOW}
    client = number_of(tx, client_id_at(position))
    return {"request": request, "client": client, "outcome": outcome, "text": text, "order": order, **times}


def test_the_newest_answer_of_a_client_counts_in_whatever_order_they_come(tx: Connection, advertisement: AdvertisementId) -> None:
    _ask(tx, RequestKind.STOP, advertisement)
    stored.store_answers(tx, [_row(tx, 1, 1, order=2000, outcome="too-late"), _row(tx, 1, 1)])
    stored.store_answers(tx, [_row(tx, 1, 1, order=1500, outcome="refused"), _row(tx, 1, 2, outcome="refused")])
    counts = requests.shown(tx, 1, now=NOW).counts
    assert (counts.done, counts.too_late, counts.refused, counts.silent) == (0, 1, 1, 1)


def test_an_answer_to_nothing_or_of_somebody_else_is_passed_over(tx: Connection, advertisement: AdvertisementId) -> None:
    _ask(tx, RequestKind.STOP, advertisement, clients=["pc-2"])
    stored.store_answers(tx, [_row(tx, 7, 1), _row(tx, 1, 1)])
    assert requests.shown(tx, 1, now=NOW).counts.done == 0
    stored.store_answers(tx, [_row(tx, 1, 2)])
    assert requests.shown(tx, 1, now=NOW).counts.done == 1


def test_answers_are_shown_client_by_client_and_who_is_silent_too(tx: Connection, advertisement: AdvertisementId) -> None:
    _ask(tx, RequestKind.CANCEL, advertisement)
    stored.store_answers(tx, [_row(tx, 1, 2, text="it was called off")])
    tx.execute(update(schema.client).where(schema.client.c.name == "pc-1").values(last_seen_at=NOW))
    shown = {one.client_name: one for one in requests.answers(tx, 1)}
    assert set(shown) == {"pc-1", "pc-2", "pc-3"}
    assert (shown["pc-2"].outcome, shown["pc-2"].text) == (Outcome.DONE, "it was called off")
    assert (shown["pc-1"].outcome, shown["pc-1"].text) == (None, "no answer yet, silent since 2026-12-01 09:00Z")
    assert [one.client_name for one in requests.answers(tx, 1, outcome="done")] == ["pc-2"]
    assert {one.client_name for one in requests.answers(tx, 1, outcome=requests.SILENT)} == {"pc-1", "pc-3"}
    first = requests.answers(tx, 1, limit=1)[0].client
    assert len(requests.answers(tx, 1, after=first)) == 2
    with pytest.raises(RefusedError, match="is no answer"):
        requests.answers(tx, 1, outcome="perhaps")


def test_who_answered_stays_in_the_count_after_leaving_the_collection(tx: Connection, advertisement: AdvertisementId) -> None:
    view = _ask(tx, RequestKind.CANCEL, advertisement)
    stored.store_answers(tx, [_row(tx, 1, 1)])
    collections.edit(tx, view.collection, remove_members=["pc-1", "pc-2"], by=ANNA, now=NOW)
    counts = requests.shown(tx, 1, now=NOW).counts
    assert (counts.done, counts.silent) == (1, 1)


def _site(database: Database, folder: Path) -> tuple[Receiving, Machine, CollectionId]:
    site = Receiving(database, folder)
    machine = site.joined("pc-1")
    with database.write() as tx:
        advertisement = _advertise(tx, ["pc-1"])
        _ask(tx, RequestKind.RUN_AGAIN, advertisement)
        collection = advertisements.shown(tx, advertisement).collection
    return site, machine, collection


def _answer(status: StatusId, request: int, user: str = "") -> StatusMessages:
    return StatusMessages(messages=(StatusMessage(id=status, at=NOW, text="so", user=user, request=request),))


def test_a_message_that_answers_a_request_is_kept_with_it_and_others_are_not(database: Database, tmp_path: Path) -> None:
    site, machine, _ = _site(database, tmp_path)
    for body in (
        _answer(StatusId.PROGRAM_STARTED, 1),
        _answer(StatusId.CANCELLED, -1),
        _answer(StatusId.CANCELLED, 2**80),
        _answer(StatusId.RUN_AGAIN_ACCEPTED, 1, user=r"CORP\alice"),
    ):
        site.send(machine, body)
    assert site.turn().stored == 4
    (kept,) = site.rows(schema.request_answer)
    assert (kept.request, kept.outcome, kept.text, kept.arrived_at) == (1, "done", "so", site.now)
    assert [row.user for row in site.rows(schema.status_message)] == ["", "", "", r"CORP\alice"]


def test_requests_that_are_over_are_forgotten_with_their_answers_when_messages_are(database: Database, tmp_path: Path) -> None:
    site, machine, _ = _site(database, tmp_path)
    site.send(machine, _answer(StatusId.REQUEST_REFUSED, 1))
    site.turn()
    keeping = timedelta(seconds=SiteSettings().status_history_seconds)
    with database.write() as tx:
        requests.withdraw(tx, 1, by=ANNA, now=LATER)
    for now, left in ((LATER + keeping, 1), (LATER + keeping + timedelta(seconds=1), 0)):
        ageing.turn(database=database, settings=SiteSettings(), now=now)
        assert (len(site.rows(schema.request)), len(site.rows(schema.request_answer))) == (left, left)
