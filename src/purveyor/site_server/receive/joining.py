"""Requests to join: who is taken in, who waits for approval, who is told why not.

A code is looked up by the digest of its secret; its use is counted in the transaction that takes the client in. A client that is
here already uses no code. One that left, or was removed, is taken back by a code that holds; a blocked one stays blocked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import clones, publication, refusals, upward
from purveyor.site_server.database.clients import REMOVED
from purveyor.site_server.database.clones import Origin
from purveyor.site_server.database.membership import evaluate_client
from purveyor.site_server.database.refusals import Refused
from purveyor.site_server.database.upward import JoinCodeRow, KnownClient, NewClient
from purveyor.site_server.model.clones import MARK_LIMIT
from purveyor.site_server.receive.discovery import machine_of
from purveyor.site_server.receive.opening import Letter
from purveyor.site_server.receive.status import plain
from purveyor.wire.ids import ClientId
from purveyor.wire.join_code import secret_digest
from purveyor.wire.moments import utc_text
from purveyor.wire.reports import Joining, is_proven
from purveyor.wire.shards import ClientState

NOT_TOLD = "the identity with which this machine came is not known to be shared with another one: joining needs a join code"
NOT_PROVEN = "this request names a client whose key it does not hold: joining needs a join code"
GONE_CODE = "the join code with which this machine's image had joined is not there any more: joining needs another one"
ORIGIN_GONE = "the client with whose identity this machine came was removed or blocked: joining needs a join code"
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
    origins = clones.origins(tx, {request.joining.was for request in requests if request.joining.was is not None})
    digests = {digest_of(request.joining) for request in requests if request.joining.was is None}
    by_id = {origin.join_code for origin in origins.values() if origin.join_code is not None}
    is_restored = publication.incarnation_of(tx) != 1
    judged = judge(requests, Admission(upward.join_codes(tx, digests, by_id), origins, is_restored=is_restored), now)
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


class Admission:
    """By what requests are judged: the join codes that they name, and the clients with whose identity machines came.

    A site that was restored may have lost what proved that an identity is shared. It takes the word of whoever has the key of
    that identity: with the key anybody could prove it once more.
    """

    def __init__(self, codes: Sequence[JoinCodeRow], origins: Mapping[ClientId, Origin], *, is_restored: bool = False) -> None:
        self._by_digest = {code.digest: code for code in codes}
        self._by_id = {code.id: code for code in codes}
        self.origins = origins
        self._is_restored = is_restored

    def code_for(self, joining: Joining) -> JoinCodeRow | None:
        """The code that a request names; that of the client that it was, where it names none."""
        if joining.was is None:
            return self._by_digest.get(digest_of(joining))
        origin = self.origins.get(joining.was)
        return self._by_id.get(origin.join_code) if origin is not None and origin.join_code is not None else None

    def reason_against_clone(self, joining: Joining, client: ClientId, code: JoinCodeRow | None) -> str:
        """Why a machine that names the client that it was may not come in by that client's code; empty when it may."""
        if joining.was is None:
            return ""
        if not is_proven(joining, client):
            return NOT_PROVEN
        origin = self.origins.get(joining.was)
        is_lost = self._is_restored and origin is not None and not origin.keeper
        if origin is None or (origin.keeper in ("", joining.facts.machine_id) and not is_lost):
            return NOT_TOLD
        if origin.state in (ClientState.BLOCKED.value, REMOVED):
            return ORIGIN_GONE
        return "" if code is not None else GONE_CODE


def judge(requests: Sequence[Request], admission: Admission, now: datetime) -> Judged:
    """Who may come in, in the order of the requests: the last use of a code goes to the first of them. Pure."""
    judged = Judged([], [], {})
    for request in requests:
        code = admission.code_for(request.joining)
        item = request.letter.item
        machine = machine_of(request.joining.facts)
        reason = admission.reason_against_clone(request.joining, item.client, code)
        reason = reason or reason_against(code, judged.uses.get(code.id, 0) if code else 0, now)
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
                machine=plain(request.joining.facts.machine_id, MARK_LIMIT),
                was=request.joining.was or "",
            )
        )
    return judged


def reason_against(code: JoinCodeRow | None, uses: int, now: datetime) -> str:
    """Why a join code that was just used so many times does not hold, for the person who typed it; empty when it does."""
    if code is None:
        return UNKNOWN_CODE
    if code.expires_at is not None and now >= code.expires_at:
        return f"the join code expired at {utc_text(code.expires_at)}"
    if code.uses_left is not None and code.uses_left <= uses:
        return USED_UP_CODE
    return ""


def digest_of(joining: Joining) -> str:
    """What the site stores of the secret in a request."""
    return secret_digest(joining.secret[:_SECRET_LIMIT])
