"""Signing away from the server, as administrators handle it: one open request at a time, exported, answered, published.

What a request says is drafted by `publish.offsite`; what it changes is found by `judging`, as on the machine that signs. An
answer that is whole is published by the next turn, which looks at its base once more.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.custody import judging
from purveyor.site_server.database import audit, counters, site_keys
from purveyor.site_server.database.settings import read_settings
from purveyor.site_server.database.site_keys import RequestState, StoredRequest
from purveyor.site_server.keys import KeySource
from purveyor.site_server.publish import key_change, offsite
from purveyor.site_server.publish.turn import lifetimes_of
from purveyor.wire import signing
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.moments import utc_text
from purveyor.wire.signed import key_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A signing request. `file` is its text, empty where only its state is asked; `waits_for` are keys that have not signed."""

    number: int
    state: RequestState
    made_at: datetime
    made_by: str
    summary: tuple[str, ...]
    stands_on: tuple[str, ...]
    waits_for: tuple[str, ...]
    file: str = ""


def export(tx: Connection, source: KeySource, *, is_anew: bool = False, by: str, now: datetime) -> RequestView:
    """A new request for all that waits. `is_anew`: in the place of the one that is open, whose answer is then worth nothing.

    Errors: RefusedError when nothing waits, or another request is open.
    """
    standing = site_keys.request_in(tx, RequestState.OPEN, RequestState.SIGNED)
    if standing is not None and not is_anew:
        raise RefusedError(
            f"request {standing.number} is open since {utc_text(standing.made_at)}: import its answer, or say --anew to "
            "have another one in its place"
        )
    lifetimes = lifetimes_of(read_settings(tx))
    stand = key_change.standing(tx, source)
    what = offsite.waiting(tx, source, stand, lifetimes, now)
    number = counters.next_number(tx, counters.SIGNING)
    request = offsite.request_of(tx, source, what, number=number, lifetimes=lifetimes, now=now)
    if not request.roles:
        raise RefusedError("nothing waits for a signature of a key that is elsewhere")
    if standing is not None:
        site_keys.close_request(tx, standing.number, RequestState.DROPPED, now)
    request = msgspec.structs.replace(request, summary=judging.changes_in(request))
    content = msgspec.json.format(msgspec.json.encode(request), indent=1)
    site_keys.insert_request(tx, number, content=content, wants=what.wants, by=by, now=now)
    detail = {"summary": list(request.summary), "in_place_of": standing.number if standing else None}
    audit.record(tx, by=by, now=now, action="keys.export", about=f"request {number}", detail=detail)
    stored = site_keys.request_numbered(tx, number)
    assert stored is not None
    return _view(stored, source, with_file=True)


def shown(tx: Connection, source: KeySource) -> RequestView | None:
    """The open request with its file, or None."""
    stored = site_keys.request_in(tx, RequestState.OPEN, RequestState.SIGNED)
    return None if stored is None else _view(stored, source, with_file=True)


def import_answer(tx: Connection, source: KeySource, content: bytes, *, by: str, now: datetime) -> RequestView:
    """Takes signatures in; when all are there the request is published.

    Errors: RejectedError when a signature does not hold, more was signed than asked, or it answers another request;
    RefusedError when no request is open, or what it stands on has moved.
    """
    answer = signing.decode_answer(content)
    stored = site_keys.request_in(tx, RequestState.OPEN)
    if stored is None:
        raise RefusedError(f"no request is open{_what_became_of(tx, answer.number)}: export one with purveyor site keys export")
    if stored.number != answer.number:
        raise RefusedError(
            f"request {stored.number} is open, and this answers request {answer.number}{_what_became_of(tx, answer.number)}"
        )
    request = signing.decode_request(stored.content)
    judging.check_answer(request, answer)
    why = offsite.moved(tx, stored, request)
    if why:
        raise RefusedError(f"request {stored.number} does not fit any more: {why}; export it --anew and have that signed")
    signatures = {name: dict(made) for name, made in stored.signatures.items()}
    for name, made in answer.signatures.items():
        signatures.setdefault(name, {}).update(made)
    missing = offsite.missing_signatures(request, signatures, source)
    site_keys.store_signatures(tx, stored.number, signatures, is_whole=not missing)
    detail = {"signed_by": sorted({key_id_of(bytes.fromhex(key)) for made in answer.signatures.values() for key in made})}
    audit.record(tx, by=by, now=now, action="keys.import", about=f"request {stored.number}", detail=detail)
    after = site_keys.request_numbered(tx, stored.number)
    assert after is not None
    return _view(after, source, with_file=False)


def drop(tx: Connection, *, by: str, now: datetime) -> None:
    """Gives the open request up. Errors: RefusedError when there is none."""
    stored = site_keys.request_in(tx, RequestState.OPEN, RequestState.SIGNED)
    if stored is None:
        raise RefusedError("no signing request is open")
    site_keys.close_request(tx, stored.number, RequestState.DROPPED, now)
    audit.record(tx, by=by, now=now, action="keys.drop", about=f"request {stored.number}")


def _what_became_of(tx: Connection, number: int) -> str:
    stored = site_keys.request_numbered(tx, number) if number > 0 else None
    return "" if stored is None else f" (request {number} was {stored.state})"


def _view(stored: StoredRequest, source: KeySource, *, with_file: bool) -> RequestView:
    request = signing.decode_request(stored.content)
    try:
        stands_on = judging.footing_of(request)
    except RejectedError:
        stands_on = ()
    missing = offsite.missing_signatures(request, stored.signatures, source)
    keys = dict.fromkeys(f"{name.partition('-')[0]} {key_id_of(bytes.fromhex(public))}" for name, public in missing)
    return RequestView(
        number=stored.number,
        state=stored.state,
        made_at=stored.made_at,
        made_by=stored.made_by,
        summary=request.summary,
        stands_on=stands_on,
        waits_for=tuple(sorted(keys)),
        file=stored.content.decode() if with_file else "",
    )
