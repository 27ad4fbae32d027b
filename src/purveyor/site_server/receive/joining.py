"""Requests to join: who is taken in, who waits for approval, who is told why not.

A code is looked up by the digest of its secret; its use is counted in the transaction that takes the client in. A client that is
here already uses no code. One that left, or was removed, is taken back by a code that holds; a blocked one stays blocked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import refusals, upward
from purveyor.site_server.database.membership import evaluate_client
from purveyor.site_server.database.refusals import Refused
from purveyor.site_server.database.upward import JoinCodeRow, KnownClient, NewClient
from purveyor.site_server.receive.discovery import machine_of
from purveyor.site_server.receive.opening import Letter
from purveyor.wire.ids import ClientId
from purveyor.wire.join_code import secret_digest
from purveyor.wire.reports import Joining
from purveyor.wire.shards import ClientState

UNKNOWN_CODE = "the join code is not known to this site"
USED_UP_CODE = "the join code was used up"
WAITS_FOR_APPROVAL = "waits for the approval of an administrator"
_SECRET_LIMIT = 200


class Request(NamedTuple):
    """A request to join that a code must answer for."""

    letter: Letter
    joining: Joining


class Judged(NamedTuple):
    """What became of requests to join."""

    accepted: list[NewClient]
    refused: list[Refused]
    uses: dict[int, int]
    """How often each join code was used, by its id."""


class TakenIn(NamedTuple):
    """The clients that came in, as they are now known, and those that were refused."""

    clients: dict[ClientId, KnownClient]
    refused: list[Refused]


def take_in(tx: Connection, requests: Sequence[Request], known: Mapping[ClientId, KnownClient], now: datetime) -> TakenIn:
    """Takes in, or back, those whose code holds. Shape: one request for each client."""
    if not requests:
        return TakenIn({}, [])
    codes = upward.join_codes(tx, {digest_of(request.joining) for request in requests})
    judged = judge(requests, codes, now)
    new = [client for client in judged.accepted if client.id not in known]
    back = {known[client.id].number: client for client in judged.accepted if client.id in known}
    upward.insert_clients(tx, new, now)
    upward.take_back_clients(tx, back, now)
    upward.use_join_codes(tx, judged.uses)
    ids = [client.id for client in judged.accepted]
    refusals.take_back(tx, ids)
    clients = upward.known_clients(tx, ids)
    for client in clients.values():
        evaluate_client(tx, client.number, now)
    return TakenIn(clients, judged.refused)


def judge(requests: Sequence[Request], codes: Mapping[str, JoinCodeRow], now: datetime) -> Judged:
    """Who may come in, in the order of the requests: the last use of a code goes to the first of them. Pure."""
    judged = Judged([], [], {})
    for request in requests:
        code = codes.get(digest_of(request.joining))
        item = request.letter.item
        machine = machine_of(request.joining.facts)
        reason = reason_against(code, judged.uses.get(code.id, 0) if code else 0, now)
        if reason or code is None:
            judged.refused.append(Refused(item.client, reason, machine.name, item.sequence))
            continue
        if code.uses_left is not None:
            judged.uses[code.id] = judged.uses.get(code.id, 0) + 1
        judged.accepted.append(
            NewClient(
                id=item.client,
                public_key=item.public_key.lower(),
                name=machine.name,
                state=(ClientState.WAITING if code.needs_approval else ClientState.MEMBER).value,
                reason=WAITS_FOR_APPROVAL if code.needs_approval else "",
                facts=machine.facts,
                join_code=code.id,
                received=max(0, item.oldest_kept - 1),
                sequence=item.sequence,
            )
        )
    return judged


def reason_against(code: JoinCodeRow | None, uses: int, now: datetime) -> str:
    """Why a join code that was just used so many times does not hold, for the person who typed it; empty when it does."""
    if code is None:
        return UNKNOWN_CODE
    if code.expires_at is not None and now >= code.expires_at:
        return f"the join code expired on {code.expires_at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
    if code.uses_left is not None and code.uses_left <= uses:
        return USED_UP_CODE
    return ""


def digest_of(joining: Joining) -> str:
    """What the site stores of the secret in a request."""
    return secret_digest(joining.secret[:_SECRET_LIMIT])
