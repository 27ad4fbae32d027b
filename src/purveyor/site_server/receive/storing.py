"""One batch of letters into the database: looked up, judged and written in one transaction, a few statements for all of it.

Only when that is committed are the items taken from their boxes. A crash in between shows them again; they are duplicates then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import audit, holders, points, publication, refusals, requests, upward, wanted
from purveyor.site_server.database.membership import evaluate_client
from purveyor.site_server.database.refusals import Refused
from purveyor.site_server.database.settings import patient_settings
from purveyor.site_server.database.upward import KnownClient
from purveyor.site_server.receive import clones, discovery, joining, returning, status
from purveyor.site_server.receive.effects import GONE, Effects, acknowledged
from purveyor.site_server.receive.joining import Request
from purveyor.site_server.receive.numbering import Fork, Numbered, forgettable, number
from purveyor.site_server.receive.opening import HIGHEST_NUMBER, Letter
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import ClientId
from purveyor.wire.reports import Joining

NOT_KNOWN = "this site does not know this client: it has to join again"
LEFT = "has left the site"
UNKNOWN_A_TURN = 200
"""Strangers that are answered in one turn; the others are passed over, and answered when they come again."""
FORGOTTEN_A_TURN = 1000
"""Refusals forgotten at once: more than one batch can add, so that a flood does not outgrow what is kept."""


@dataclass(slots=True)
class Stored:
    """What became of a batch. `set_aside`: letters that are rejected after all, with the reason."""

    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    """Items of machines that are not clients of this site, or no longer: not stored, and sent again once they are."""
    joined: int = 0
    set_aside: list[tuple[Letter, str]] = field(default_factory=list)


class Context(NamedTuple):
    """What is stored that a batch is judged against."""

    known: dict[ClientId, KnownClient]
    digests: dict[tuple[int, int], str]
    told_again: set[tuple[int, str]]


def store(tx: Connection, letters: Sequence[Letter], now: datetime) -> Stored:
    """Stores all of a batch. Shape: letters of any clients, in any order."""
    by_client: dict[ClientId, list[Letter]] = {}
    for letter in letters:
        by_client.setdefault(letter.item.client, []).append(letter)
    context = _context(tx, by_client)
    taken_in = joining.take_in(tx, _requests(by_client, context), context.known, now)
    known = context.known | taken_in.clients
    known |= returning.take_back(tx, {client: letters for client, letters in by_client.items() if client not in known}, now)
    outcome = Stored(joined=len(taken_in.clients))
    strangers = _refuse_strangers(tx, by_client, known, taken_in.refused, now)
    outcome.refused = sum(len(by_client[client]) for client in strangers)
    effects = Effects(publication.incarnation_of(tx))
    above = upward.stored_above(tx, [client.number for client in known.values()])
    forgotten: dict[int, int] = {}
    forks: list[tuple[KnownClient, Fork]] = []
    identities: list[clones.Judged] = []
    for client_id, client in known.items():
        spoken = _heard(client, by_client[client_id])
        outcome.refused += len(by_client[client_id]) - len(spoken)
        numbered = number(
            spoken,
            received=client.received,
            digest=client.received_digest,
            remembered=_remembered(client, spoken, context.digests),
            above=above.get(client.number, {}),
        )
        told_before = clones.told_before(numbered.accepted, client, context.digests, context.told_again)
        effects.add(client, numbered, now, told_before=told_before)
        identities.append(clones.judged(client, numbered, now))
        forks += [(client, fork) for fork in numbered.forks]
        _count(outcome, numbered)
        up_to = forgettable(client.received, numbered.advance.received)
        if up_to is not None:
            forgotten[client.number] = up_to
    _write(tx, effects, now)
    upward.forget_items(tx, forgotten)
    _record_forks(tx, forks, now)
    clones.record(tx, [one for one in identities if one.is_changed], now)
    return outcome


def drop_old_refusals(tx: Connection, now: datetime) -> int:
    """Forgets what machines were told longer ago than the settings say; in bulk, now and then. Shape: how many."""
    lifetime = timedelta(seconds=patient_settings(tx, now).refusal_lifetime_seconds)
    return refusals.drop_old(tx, before=now - lifetime, limit=FORGOTTEN_A_TURN)


def _context(tx: Connection, by_client: Mapping[ClientId, Sequence[Letter]]) -> Context:
    known = upward.known_clients(tx, by_client.keys())
    places = {(known[client].number, number) for client in known for letter in by_client[client] for number in _numbers(letter)}
    again = {
        (known[client].number, one.digest) for client in known for letter in by_client[client] if (one := letter.item.retold)
    }
    return Context(known, upward.remembered_digests(tx, places), upward.told_first(tx, again))


def _numbers(letter: Letter) -> tuple[int, ...]:
    """The numbers whose stored digests say what this item is: its own, and the one under which it was told before."""
    retold = letter.item.retold
    return (letter.item.sequence,) if retold is None else (letter.item.sequence, min(retold.sequence, HIGHEST_NUMBER))


def _requests(by_client: Mapping[ClientId, Sequence[Letter]], context: Context) -> list[Request]:
    """The newest request to join of each client that needs a code: one that is not here, or no longer."""
    requests: list[Request] = []
    for client_id, letters in by_client.items():
        known = context.known.get(client_id)
        if known is not None and known.state not in GONE:
            continue
        found = [
            Request(letter, letter.item.body)
            for letter in letters
            if isinstance(letter.item.body, Joining) and (known is None or letter.item.sequence > known.last_sequence)
        ]
        if found:
            requests.append(max(found, key=lambda request: request.letter.item.sequence))
    return requests


def _refuse_strangers(
    tx: Connection,
    by_client: Mapping[ClientId, Sequence[Letter]],
    known: Mapping[ClientId, KnownClient],
    refused: Sequence[Refused],
    now: datetime,
) -> list[ClientId]:
    """Tells machines that are not clients why. Shape: those whose items are not stored."""
    strangers = [client for client in by_client if client not in known]
    told = {one.id for one in refused}
    unknown = [Refused(client, NOT_KNOWN, "", 0) for client in strangers if client not in told]
    refusals.store(tx, [*(one for one in refused if one.id not in known), *unknown[:UNKNOWN_A_TURN]], now)
    upward.set_reasons(tx, {known[one.id].number: one.reason for one in refused if one.id in known})
    return strangers


def _heard(client: KnownClient, letters: Sequence[Letter]) -> list[Letter]:
    """The letters that count: all of a client that is here; of one that is gone, what it sent before that, and requests to join.

    The rest of such a client is passed over: it keeps it, and sends it again once it is taken back. So is what comes from a
    machine that does not keep this identity: it tells that again as the client that it becomes.
    """
    letters = [letter for letter in letters if not clones.is_of_another(client, letter)]
    if client.state not in GONE:
        return list(letters)
    return [letter for letter in letters if letter.item.sequence <= client.last_sequence or isinstance(letter.item.body, Joining)]


def _remembered(client: KnownClient, letters: Sequence[Letter], digests: Mapping[tuple[int, int], str]) -> dict[int, str]:
    places = ((client.number, letter.item.sequence) for letter in letters)
    return {place[1]: digests[place] for place in places if place in digests}


def _count(outcome: Stored, numbered: Numbered) -> None:
    outcome.stored += len(numbered.accepted)
    outcome.duplicates += len(numbered.duplicates)
    outcome.set_aside += [(fork.letter, _fork_reason(fork)) for fork in numbered.forks]


def _fork_reason(fork: Fork) -> str:
    return f"{fork.letter.item.client} used a number twice: several machines use its identity, or it went back to an older copy"


def _write(tx: Connection, effects: Effects, now: datetime) -> None:
    upward.insert_items(tx, effects.items, now)
    upward.insert_messages(tx, effects.messages)
    upward.store_job_states(tx, status.newest_jobs(effects.jobs))
    requests.store_answers(tx, effects.answers)
    upward.set_progress(tx, effects.progressed, now)
    upward.set_discovered(tx, list(effects.discovered.values()))
    told = [one for one in effects.discovered.values() if one.absent_requests is not None]
    upward.set_asked(tx, discovery.asked(told, points.names(tx)) if told else [])
    _note_holders(tx, effects, now)
    upward.set_left(tx, effects.left, LEFT)
    for client in sorted(effects.left):
        evaluate_client(tx, client, now)
    holders.mark_gone_clients(tx, sorted(effects.left), now)
    wanted.want_shards_of_clients(tx, sorted({*effects.advanced, *effects.left}))


def _note_holders(tx: Connection, effects: Effects, now: datetime) -> None:
    """Who names a package on its way out becomes its holder; who says that it is gone has acknowledged that."""
    if effects.named:
        packages = {package for package, _ in effects.named}
        leaving, active = holders.leaving_among(tx, packages), holders.active_among(tx, packages)
        holders.add_holders(tx, {place for place in effects.named if place[0] in leaving})
        holders.add_offered_before(tx, {place for place in effects.named if place[0] in active})
    open_holdings = holders.open_holdings(tx, {one.client for one in effects.spoken})
    over = acknowledged(effects.spoken, open_holdings)
    holders.mark_removed(tx, over.removed, now)
    holders.mark_acknowledged(tx, over.forgotten, now)


def _record_forks(tx: Connection, forks: Sequence[tuple[KnownClient, Fork]], now: datetime) -> None:
    """Keeps the first proof of each clone, and says so once in the audit."""
    proofs: dict[int, str] = {}
    for client, fork in forks:
        if client.is_forked or client.number in proofs or clones.machine_of(fork.letter):
            continue  # what machines that say who they are prove is judged by all that they said
        proof = {
            "sequence": fork.letter.item.sequence,
            "digests": [fork.stored_digest, fork.letter.digest],
            "at": now.isoformat(),
        }
        proofs[client.number] = to_bytes(proof).decode()
        audit.record(tx, by="site", now=now, action="client.fork", about=client.id, detail=proof)
    upward.set_forks(tx, proofs)
