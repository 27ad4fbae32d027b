"""What administrators ask of single runs: called off before they begin, stopped, run again; and what each client answered.

A request stands in the offers of its advertisement's collection until it expires, is taken back, or the advertisement is deleted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.admin import resources, standing
from purveyor.site_server.database import audit, counters, requests, settings, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import requests as rules
from purveyor.site_server.model.confirmation import Reach, confirm_reach
from purveyor.site_server.model.names import line_of
from purveyor.site_server.model.pages import page_size
from purveyor.site_server.model.schedules import checked_instant
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.offers import Request, RequestKind

Outcome = rules.Outcome
RequestState = rules.RequestState

SILENT = "silent"
"""What is given for an outcome to ask for clients that have not answered."""
_HIGHEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """How many clients gave which answer. Silent: those that it is for, and that have not answered yet."""

    done: int
    too_late: int
    refused: int
    silent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A request and how far it has come. `clients`: those that it names; none: all members of the collection."""

    number: int
    kind: RequestKind
    state: RequestState
    advertisement: AdvertisementId
    advertisement_name: str
    package: PackageId
    program: ProgramNumber
    collection: CollectionId
    clients: tuple[ClientId, ...]
    only_failed: bool
    reason: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    counts: RequestCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """What one client answered. `outcome` is None where it is silent; `at` is by its clock, `arrived_at` by the site's."""

    client: ClientId
    client_name: str
    outcome: Outcome | None
    text: str
    at: datetime | None
    arrived_at: datetime | None
    last_seen_at: datetime | None


def ask(
    tx: Connection,
    kind: RequestKind,
    advertisement: AdvertisementId,
    *,
    clients: Iterable[str] = (),
    only_failed: bool = False,
    reason: str = "",
    expires_at: datetime | None = None,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
) -> RequestView:
    """A new request to these clients, by id or name, or to all members of the advertisement's collection.

    Errors: RefusedError: it cannot be answered, or is asked already. ConfirmationNeededError: it reaches many clients, or all.
    """
    row = standing.standing_advertisement(tx, advertisement)
    named = _members_named(tx, row, clients)
    ends_at = now + rules.LIFETIME if expires_at is None else checked_instant(expires_at)
    rules.check_request(kind, named_count=len(named), only_failed=only_failed, made_at=now, expires_at=ends_at)
    if kind is RequestKind.RUN_AGAIN:
        _check_offered(row, now)
    _check_open(tx, row, kind, named, only_failed=only_failed)
    said = line_of(reason, "the reason", rules.REASON_LIMIT)
    reach = _reach(tx, row, named, only_failed=only_failed)
    limit = settings.read_settings(tx).confirm_above
    confirm_reach(f"to {_WORDS[kind]} {row.name}", reach, confirm_above=limit, is_confirmed=is_confirmed)
    request = Request(
        number=counters.next_number(tx, counters.REQUEST),
        kind=kind,
        advertisement=advertisement,
        package=PackageId(row.package),
        program=ProgramNumber(row.program),
        made_at=now,
        expires_at=ends_at,
        clients=named,
        only_failed=only_failed,
    )
    requests.insert_request(tx, request, reason=said, by=by)
    wanted.want_offers(tx, CollectionId(row.collection))
    detail = {
        "request": request.number,
        "clients": named,
        "only_failed": only_failed,
        "reason": said,
        "expires_at": ends_at,
        "reach": reach.client_count,
    }
    audit.record(tx, by=by, now=now, action=f"job.{kind}", about=advertisement, detail=detail)
    return shown(tx, request.number, now=now)


def withdraw(tx: Connection, number: int, *, by: str, now: datetime) -> RequestView:
    """Takes a request back: clients that have not heard of it yet never will. Errors: RefusedError: it is over already."""
    row = _known(tx, number)
    state = rules.state_of(row.closed_at, row.expires_at, now)
    if state is not RequestState.OPEN:
        raise RefusedError(f"request {number} is {state} already: clients are not told of it any more")
    requests.close(tx, number, now)
    wanted.want_offers(tx, CollectionId(row.collection))
    audit.record(tx, by=by, now=now, action="job.withdraw", about=row.advertisement, detail={"request": number})
    return shown(tx, number, now=now)


def listed(
    tx: Connection,
    *,
    advertisement: AdvertisementId | None = None,
    is_open: bool = False,
    before: int | None = None,
    limit: int = 100,
    now: datetime,
) -> tuple[RequestView, ...]:
    """Requests, newest first: all, those about an advertisement, or those that are open. `before` gives the next page.

    Errors: RefusedError when the page is too large.
    """
    below = _HIGHEST if before is None else before
    rows = requests.listed(tx, advertisement=advertisement, is_open=is_open, before=below, limit=page_size(limit))
    return tuple(_view(tx, row, now) for row in rows)


def shown(tx: Connection, number: int, *, now: datetime) -> RequestView:
    """A request. Errors: RefusedError when there is none."""
    return _view(tx, _known(tx, number), now)


def answers(
    tx: Connection, number: int, *, outcome: str | None = None, after: str = "", limit: int = 1000
) -> tuple[AnswerView, ...]:
    """The clients that a request is for, by id: all, those with an outcome, or the `silent`. Errors: RefusedError."""
    row = _known(tx, number)
    if outcome is not None and outcome != SILENT and outcome not in {one.value for one in Outcome}:
        raise RefusedError(f"{outcome[:80]!r} is no answer: there are {', '.join(Outcome)} and {SILENT}")
    rows = requests.answers(
        tx,
        row,
        outcome=None if outcome in (None, SILENT) else Outcome(outcome),
        is_silent=outcome == SILENT,
        after=after,
        limit=page_size(limit),
    )
    return tuple(_answer(one) for one in rows)


_WORDS = {RequestKind.CANCEL: "cancel", RequestKind.STOP: "stop", RequestKind.RUN_AGAIN: "run again"}


def _known(tx: Connection, number: int) -> AnyRow:
    row = requests.row_of(tx, number) if 0 < number < _HIGHEST else None
    if row is None:
        raise RefusedError(f"there is no request {number}, or not any more")
    return row


def _members_named(tx: Connection, row: AnyRow, texts: Iterable[str]) -> tuple[ClientId, ...]:
    """The clients named, each once. Errors: RefusedError: there is none such, or it is no member and would never hear of it."""
    named: dict[ClientId, str] = {}
    for text in texts:
        named.setdefault(resources.find(tx, text), text)
        if len(named) > rules.CLIENT_LIMIT:
            raise RefusedError(f"more than {rules.CLIENT_LIMIT} clients are too many to name: ask all members instead")
    members = requests.members_among(tx, CollectionId(row.collection), named)
    strangers = [text for client, text in named.items() if client not in members]
    if strangers:
        shown_names = ", ".join(strangers[:10])
        raise RefusedError(
            f"{shown_names}: no member of {row.collection_name}, to which {row.id} is, so it would never hear of it"
        )
    return tuple(sorted(named))


def _check_offered(row: AnyRow, now: datetime) -> None:
    """Nothing when an advertisement could make a program run now. Errors: RefusedError."""
    if row.is_paused:
        raise RefusedError(f"{row.id} ({row.name}) is paused, so nothing of it runs: resume it first")
    if not row.is_enabled:
        raise RefusedError(f"{row.program_name} is disabled, so it runs nowhere: enable it first")
    if row.expires_at is not None and row.expires_at <= now:
        raise RefusedError(f"{row.id} ({row.name}) has expired, so nothing of it runs: give it a later end first")


def _check_open(tx: Connection, row: AnyRow, kind: RequestKind, named: tuple[ClientId, ...], *, only_failed: bool) -> None:
    """Nothing when there is room for one more, and nobody has just asked the very same. Errors: RefusedError."""
    standing_open = requests.open_requests(tx, CollectionId(row.collection))
    if len(standing_open) >= rules.OPEN_LIMIT:
        raise RefusedError(
            f"{len(standing_open)} requests stand open for {row.collection_name}: take some back with `purveyor job withdraw`"
        )
    for one in standing_open:
        is_same = (one.kind, one.advertisement, one.clients, one.only_failed) == (kind, row.id, named, only_failed)
        if is_same and not requests.count_answers(tx, one.number):
            raise RefusedError(f"nothing changed: request {one.number} asks exactly this, and no client has answered it yet")


def _reach(tx: Connection, row: AnyRow, named: tuple[ClientId, ...], *, only_failed: bool) -> Reach:
    if named:
        return Reach(len(named))
    if only_failed:
        return Reach(requests.count_failed(tx, CollectionId(row.collection), PackageId(row.package), row.program))
    return Reach(row.members, row.is_all_systems)


def _view(tx: Connection, row: AnyRow, now: datetime) -> RequestView:
    counted = requests.counts(tx, row)
    return RequestView(
        number=row.number,
        kind=RequestKind(row.kind),
        state=rules.state_of(row.closed_at or row.advertisement_deleted_at, row.expires_at, now),
        advertisement=AdvertisementId(row.advertisement),
        advertisement_name=row.advertisement_name,
        package=PackageId(row.package),
        program=ProgramNumber(row.program),
        collection=CollectionId(row.collection),
        clients=requests.clients_of(row),
        only_failed=row.only_failed,
        reason=row.reason,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        counts=RequestCounts(
            done=counted.get(Outcome.DONE, 0),
            too_late=counted.get(Outcome.TOO_LATE, 0),
            refused=counted.get(Outcome.REFUSED, 0),
            silent=counted.get(None, 0),
        ),
    )


def _answer(row: AnyRow) -> AnswerView:
    return AnswerView(
        client=ClientId(row.id),
        client_name=row.name,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        text=rules.silence_text(row.last_seen_at) if row.outcome is None else row.text,
        at=row.at,
        arrived_at=row.arrived_at,
        last_seen_at=row.last_seen_at,
    )
