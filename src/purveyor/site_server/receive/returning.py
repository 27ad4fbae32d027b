"""Clients that a restored site does not know: taken back on the receipt that the site itself once signed.

Only a site that was restored takes anybody back so. A receipt that is signed with a key that counts makes its client a member
again; with one that is out of use, which may have been stolen, it waits for an administrator. Every one is in the audit.
Source: the protocol, section 11.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.database import audit, collections, publication, refusals, site_keys, upward
from purveyor.site_server.database.membership import evaluate_client
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.database.upward import KnownClient, NewClient
from purveyor.site_server.database.wanted import want_shard_of
from purveyor.site_server.model.clones import MARK_LIMIT
from purveyor.site_server.receive.discovery import machine_of
from purveyor.site_server.receive.opening import Letter
from purveyor.site_server.receive.status import plain
from purveyor.wire import receipts
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import ClientId, CollectionId
from purveyor.wire.reports import Returning
from purveyor.wire.shards import ClientState, Entry

WAITS_AFTER_RESTORE = "its receipt is signed with a key that is out of use: it waits for the approval of an administrator"
_COUNTING = (KeyState.CURRENT, KeyState.FORMER)


def take_back(tx: Connection, unknown: Mapping[ClientId, Sequence[Letter]], now: datetime) -> dict[ClientId, KnownClient]:
    """Takes in those of these machines that show a receipt which holds. Shape: as they are now known."""
    shown = {client: letter for client, letters in unknown.items() if (letter := _returning(letters)) is not None}
    if not shown or publication.incarnation_of(tx) == 1:
        return {}
    lookup = [key for key in site_keys.all_keys(tx) if key.role == "lookup" and key.state is not KeyState.NEXT]
    counting = tuple(key.public for key in lookup if key.state in _COUNTING)
    every = tuple(key.public for key in lookup)
    taken: dict[ClientId, Entry] = {}
    rows: list[NewClient] = []
    for client, letter in shown.items():
        assert isinstance(letter.item.body, Returning)
        state = ClientState.MEMBER
        try:
            _, entry = receipts.membership_in(letter.item.body.receipt, client, counting)
        except RejectedError:
            state = ClientState.WAITING
            try:
                _, entry = receipts.membership_in(letter.item.body.receipt, client, every)
            except RejectedError:
                continue
        taken[client] = entry
        rows.append(_row(client, letter, state))
    known = upward.insert_clients(tx, rows, now)
    refusals.take_back(tx, list(known))
    for client in sorted(known):
        _place(tx, known[client], taken[client], now)
    return known


def _place(tx: Connection, client: KnownClient, said: Entry, now: datetime) -> None:
    """Puts a client back into the collections that the site last named to it, as far as they stand."""
    for collection in said.collections:
        row = collections.row_of(tx, CollectionId(collection))
        if row is not None and row.deleted_at is None and not row.is_all_systems:
            collections.add_direct(tx, CollectionId(collection), [client.number])
    evaluate_client(tx, client.number, now)
    want_shard_of(tx, client.id)
    audit.record(tx, by="site", now=now, action="client.return", about=client.id, detail={"state": client.state})


def _returning(letters: Sequence[Letter]) -> Letter | None:
    found = [letter for letter in letters if isinstance(letter.item.body, Returning)]
    return max(found, key=lambda letter: letter.item.sequence) if found else None


def _row(client: ClientId, letter: Letter, state: ClientState) -> NewClient:
    assert isinstance(letter.item.body, Returning)
    machine = machine_of(letter.item.body.facts)
    return NewClient(
        id=client,
        public_key=letter.item.public_key.lower(),
        name=machine.name,
        state=state.value,
        reason="" if state is ClientState.MEMBER else WAITS_AFTER_RESTORE,
        facts=machine.facts,
        join_code=None,
        received=max(0, letter.item.oldest_kept - 1),
        sequence=letter.item.sequence,
        machine=plain(letter.item.body.facts.machine_id, MARK_LIMIT),
    )
