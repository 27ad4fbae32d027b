"""Resources: the machines that the site knows, and what an administrator decides about them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import audit, clients, clones, collections, membership, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.settings import clock_doubt
from purveyor.site_server.model.names import line_of
from purveyor.site_server.model.pages import page_size
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import ClientId, CollectionId
from purveyor.wire.moments import utc_text
from purveyor.wire.reports import Facts
from purveyor.wire.shards import ClientState

_ID = re.compile(r"[0-9a-fA-F]{32}")
_SHOWN = 10
SHORTEST_SILENCE_SECONDS = 3600
USUAL_SILENCE_SECONDS = 2 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A collection that a client is a member of."""

    id: CollectionId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A client as the site knows it. Shape: `collections` is empty in a list.

    `received`: all its items up to this number are stored. `fork`: what proves that several machines use this identity, `keeper`:
    the machine id of the one that keeps it, or `nobody`. `was`: the client with whose identity this one came; `clones`: how many
    came with that of this one, where one client is shown.
    """

    id: ClientId
    name: str
    state: str
    reason: str
    platform: str
    architecture: str
    system: str
    addresses: tuple[str, ...]
    machine_id: str
    zone: str
    agent_version: str
    joined_at: datetime
    last_seen_at: datetime | None
    received: int
    last_sequence: int
    applied: int
    absent_requests: int
    lost_items: int
    is_forked: bool
    fork: dict[str, object] | None
    keeper: str
    was: ClientId | None
    clones: int = 0
    collections: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedClones:
    """What became of the clones of a client. Shape: `names` are some of theirs, in words."""

    id: ClientId
    count: int
    names: str


def find(tx: Connection, text: str) -> ClientId:
    """The client with this id, or with this name where no other one has it. Errors: RefusedError."""
    text = text.strip()
    if _ID.fullmatch(text):
        return _check_known(tx, ClientId(text.lower()))
    named = clients.ids_named(tx, text, _SHOWN + 1)
    if not named:
        raise RefusedError(f"there is no resource {text[:200]!r}: `purveyor resource list` shows those there are")
    if len(named) > 1:
        more = " …" if len(named) > _SHOWN else ""
        raise RefusedError(f"more than one resource is called {text!r}: give the id of one: {', '.join(named[:_SHOWN])}{more}")
    return named[0]


def find_numbers(tx: Connection, texts: Iterable[str]) -> frozenset[int]:
    """The database's numbers of clients given by id or name, a hundred thousand of them too. Errors: RefusedError."""
    given = {text.strip() for text in texts}
    ids = {ClientId(text.lower()) for text in given if _ID.fullmatch(text)}
    names = {text for text in given if not _ID.fullmatch(text)}
    by_name = clients.ids_by_name(tx, names)
    ids |= {by_name[name][0] if len(by_name.get(name, ())) == 1 else find(tx, name) for name in names}
    numbers = clients.numbers_by_id(tx, ids)
    unknown = sorted(ids - numbers.keys())
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise RefusedError(f"there is no resource {', '.join(unknown[:_SHOWN])}{more}")
    return frozenset(numbers.values())


def listed(
    tx: Connection, *, state: str | None = None, containing: str = "", after: str = "", limit: int = 1000
) -> tuple[ResourceView, ...]:
    """Clients by id: those in a state, those whose name contains a text; `after` is the last id of the page before.

    Removed clients are listed only where `state` is `removed`. Errors: RefusedError.
    """
    rows = clients.listed(tx, state=state, containing=containing, after=after, limit=page_size(limit))
    return tuple(_view(row, ()) for row in rows)


def counts(tx: Connection) -> dict[str, int]:
    """How many clients are in each state."""
    return clients.counts_by_state(tx)


def shown(tx: Connection, client: ClientId) -> ResourceView:
    """A client with its collections. Errors: RefusedError when the site does not know it."""
    row = _row(tx, client)
    found = clients.collections_of(tx, row.number)
    members = tuple(Membership(id=CollectionId(one.id), name=one.name) for one in found)
    return _view(row, members, clones=clones.count_from(tx, client))


def approve(tx: Connection, client: ClientId, *, by: str, now: datetime) -> ResourceView:
    """Makes a waiting client a member of the site. Errors: RefusedError when it does not wait."""
    row = _row(tx, client)
    if row.state != ClientState.WAITING:
        raise RefusedError(f"{row.name} ({client}) does not wait for approval: its state is {row.state}")
    return _decide(tx, row, ClientState.MEMBER, "", action="resource.approve", by=by, now=now)


def block(tx: Connection, client: ClientId, *, reason: str = "", by: str, now: datetime) -> ResourceView:
    """Takes a client out of all collections until it is unblocked; what it runs now goes on.

    Errors: RefusedError when it is blocked or removed.
    """
    row = _row(tx, client)
    if row.state in (ClientState.BLOCKED, clients.REMOVED):
        raise RefusedError(f"{row.name} ({client}) cannot be blocked: its state is {row.state}")
    said = line_of(reason, "the reason", 500) or f"blocked by {by}"
    return _decide(tx, row, ClientState.BLOCKED, said, action="resource.block", by=by, now=now)


def unblock(tx: Connection, client: ClientId, *, by: str, now: datetime) -> ResourceView:
    """Makes a blocked client a member again; what was proved of a clone counts as settled.

    Errors: RefusedError when it is not blocked.
    """
    row = _row(tx, client)
    if row.state != ClientState.BLOCKED:
        raise RefusedError(f"{row.name} ({client}) is not blocked: its state is {row.state}")
    clients.forget_fork(tx, row.number)
    return _decide(tx, row, ClientState.MEMBER, "", action="resource.unblock", by=by, now=now)


def remove(tx: Connection, client: ClientId, *, by: str, now: datetime) -> None:
    """Takes a client out of the site: it is told to join again, its name is free, its history stays.

    Errors: RefusedError when it was removed already.
    """
    row = _row(tx, client)
    if row.state == clients.REMOVED:
        raise RefusedError(f"{row.name} ({client}) was removed already: {row.reason}")
    collections.forget_client(tx, row.number)
    reason = f"removed by {by} at {utc_text(now)}"
    _decide(tx, row, clients.REMOVED, reason, action="resource.remove", by=by, now=now)
    clients.drop_open_holdings(tx, row.number)


def remove_clones(
    tx: Connection,
    origin: ClientId,
    *,
    silent_seconds: int = USUAL_SILENCE_SECONDS,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
) -> RemovedClones:
    """Removes the clones of a client whose place other clones of it took: a machine that goes back each night to an image.

    Silence alone removes nobody: each that goes was followed by one of the same name, or on the same machine, which spoke later.
    One that speaks again all the same is told to join again. Its history stays.
    Errors: RefusedError: the time is too short, or there is no such client. ConfirmationNeededError: always, with whom it means.
    """
    if silent_seconds < SHORTEST_SILENCE_SECONDS:
        raise RefusedError("clones that spoke within the last hour are left alone: give a longer time")
    _check_known(tx, origin)
    silent_since = now - clock_doubt(tx, now) - timedelta(seconds=silent_seconds)
    rows = clients.outlived_clones(tx, origin, silent_since=silent_since)
    names = ", ".join(sorted({row.name for row in rows})[:_SHOWN])
    if rows and not is_confirmed:
        raise ConfirmationNeededError(
            f"{len(rows)} of {clones.count_from(tx, origin)} clones of {origin} would be removed, silent since"
            f" {utc_text(silent_since)}, with others in their place: {names}"
        )
    reason = f"a clone in whose place others came; removed by {by} at {utc_text(now)}"
    for row in rows:
        collections.forget_client(tx, row.number)
        clients.set_state(tx, row.number, clients.REMOVED, reason)
        membership.evaluate_client(tx, row.number, now)
        wanted.want_shard_of(tx, ClientId(row.id))
        clients.drop_open_holdings(tx, row.number)
    if rows:
        detail = {"count": len(rows), "silent_since": silent_since, "first": rows[0].id, "last": rows[-1].id}
        audit.record(tx, by=by, now=now, action="resource.remove_clones", about=origin, detail=detail)
    return RemovedClones(id=origin, count=len(rows), names=names)


def _decide(tx: Connection, row: AnyRow, state: str, reason: str, *, action: str, by: str, now: datetime) -> ResourceView:
    client = ClientId(row.id)
    clients.set_state(tx, row.number, state, reason)
    membership.evaluate_client(tx, row.number, now)
    wanted.want_shard_of(tx, client)
    audit.record(
        tx, by=by, now=now, action=action, about=client, detail={"name": row.name, "before": row.state, "reason": reason}
    )
    return shown(tx, client)


def _row(tx: Connection, client: ClientId) -> AnyRow:
    row = clients.row_of(tx, client)
    if row is None:
        raise RefusedError(f"there is no resource {client}")
    return row


def _check_known(tx: Connection, client: ClientId) -> ClientId:
    _row(tx, client)
    return client


def _view(row: AnyRow, found: tuple[Membership, ...], *, clones: int = 0) -> ResourceView:
    facts = from_bytes(row.facts.encode(), Facts)
    fork = None if row.fork is None else msgspec.json.decode(row.fork, type=dict[str, object])
    return ResourceView(
        id=ClientId(row.id),
        name=row.name,
        state=row.state,
        reason=row.reason,
        platform=facts.platform,
        architecture=facts.architecture,
        system=facts.system,
        addresses=facts.addresses,
        machine_id=facts.machine_id,
        zone=facts.zone,
        agent_version=facts.agent_version,
        joined_at=row.joined_at,
        last_seen_at=row.last_seen_at,
        received=row.received,
        last_sequence=row.last_sequence,
        applied=row.applied,
        absent_requests=row.absent_requests,
        lost_items=row.lost_items,
        is_forked=fork is not None,
        fork=fork,
        keeper=row.keeper,
        was=ClientId(row.was) if row.was else None,
        clones=clones,
        collections=found,
    )
