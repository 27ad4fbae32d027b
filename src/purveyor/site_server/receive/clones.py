"""Which machines spoke with each identity in a batch, what that proves, and what of it was told before.

A fork of the machine that keeps the identity is no clone: that machine went back to an older copy of itself, and gave numbers
anew that the site had. It sees so by the digest in its shard, and tells those items again under numbers that are free.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import audit, clients, clones, upward, wanted
from purveyor.site_server.database.clones import Cloned, Voiced
from purveyor.site_server.database.membership import evaluate_client
from purveyor.site_server.database.upward import KnownClient
from purveyor.site_server.model.clones import MARK_LIMIT, Voice, keeper_of, speaker_of, with_voice
from purveyor.site_server.receive import status
from purveyor.site_server.receive.effects import GONE
from purveyor.site_server.receive.numbering import Fork, Numbered
from purveyor.site_server.receive.opening import Letter
from purveyor.wire.form import to_bytes
from purveyor.wire.shards import NOBODY
from purveyor.wire.starts import SIGNATURE_BYTES, Start


class Judged(NamedTuple):
    """What a batch says of one client's identity. `keeper` is empty while nothing is proved, or when that was known."""

    client: KnownClient
    voiced: Voiced
    keeper: str
    forks: Sequence[Fork]
    told_by: int
    """The sequence of the newest item, beside which the site's own word about it stands."""

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.keeper) or self.client.voices != self.voiced.voices


def judged(client: KnownClient, numbered: Numbered, now: datetime) -> Judged:
    """What these items of a client say of who uses its identity."""
    accepted, forked = numbered.accepted, [fork.letter for fork in numbered.forks]
    newest = max((letter.item.sequence for letter in [*accepted, *forked]), default=client.last_sequence)
    free = max(newest, client.last_sequence) + 1
    first_of = [(letter, letter.item.sequence) for letter in accepted] + [(letter, free) for letter in forked]
    voices = client.voices
    for letter, first in sorted(first_of, key=lambda one: (one[0].item.made_at, one[0].item.sequence)):
        voices = with_voice(voices, _voice(letter, first, now))
    forked_by = {machine_of(letter) for letter in forked if speaker_of(voices, letter.item.sequence) != machine_of(letter)}
    proved = keeper_of(voices, owner=client.machine, forked_by=forked_by) or ""
    is_known = client.keeper == NOBODY or (client.keeper and proved != NOBODY)  # its keeper may turn out to be several, too
    keeper = "" if is_known else proved
    return Judged(client, Voiced(client.number, voices), keeper, numbered.forks, newest)


def is_of_another(client: KnownClient, letter: Letter) -> bool:
    """Whether an item comes from a machine that was told to join again, because another one keeps this identity."""
    return client.keeper not in ("", NOBODY) and machine_of(letter) not in ("", client.keeper)


def told_before(
    letters: Sequence[Letter],
    client: KnownClient,
    digests: Mapping[tuple[int, int], str],
    told_again: Collection[tuple[int, str]],
) -> frozenset[int]:
    """The sequences of items that were told under another number already, here or before: nothing of them is believed twice.

    Shape: `digests` by (client, sequence); `told_again` are (client, digest under which it was told first).
    """
    here, found = {letter.digest for letter in letters}, set[int]()
    for letter in letters:
        first = letter.item.retold
        if first is None:
            continue
        is_stored = digests.get((client.number, first.sequence)) == first.digest
        if first.digest in here or is_stored or (client.number, first.digest) in told_again:
            found.add(letter.item.sequence)
        here.add(first.digest)
    return frozenset(found)


def record(tx: Connection, found: Sequence[Judged], now: datetime) -> None:
    """Stores what was found. A proof is told once for each client, whatever number of machines gave it."""
    clones.set_voices(tx, [one.voiced for one in found])
    proved = [one for one in found if one.keeper]
    clones.set_cloned(tx, [Cloned(one.client.number, one.keeper, to_bytes(proof_in(one, now)).decode()) for one in proved])
    upward.insert_messages(
        tx,
        [status.clone_row(one.keeper == NOBODY, client=one.client.number, told_by=one.told_by, now=now) for one in proved],
    )
    for one in proved:
        detail = proof_in(one, now) | {"keeper": one.keeper}
        audit.record(tx, by="site", now=now, action="client.cloned", about=one.client.id, detail=detail)
        if one.keeper == NOBODY and one.client.state not in GONE:
            evaluate_client(tx, one.client.number, now)
            clients.drop_open_holdings(tx, one.client.number)  # what its machines hold they tell as those that they become
    wanted.want_shards_of_clients(tx, sorted(one.client.number for one in proved))


def proof_in(one: Judged, now: datetime) -> dict[str, object]:
    """What proves that several machines use an identity, for people."""
    if one.forks:
        fork = one.forks[0]
        return {
            "sequence": fork.letter.item.sequence,
            "digests": [fork.stored_digest, fork.letter.digest],
            "at": now.isoformat(),
        }
    return {"machines": [f"{voice.machine}, start {voice.boot}" for voice in one.voiced.voices], "at": now.isoformat()}


def machine_of(letter: Letter) -> str:
    """The machine id in an item, cut to a length that no honest one has; empty from agents that give none."""
    return status.plain(letter.item.machine, MARK_LIMIT)


def _voice(letter: Letter, first: int, now: datetime) -> Voice:
    item, boot = letter.item, status.plain(letter.item.boot, MARK_LIMIT)
    is_whole = len(item.start) == SIGNATURE_BYTES  # the machines that read it verify it; what they do not believe changes nothing
    said = Start(boot=boot, sequence=item.sequence, signature=item.start) if is_whole else None
    return Voice(machine=machine_of(letter), boot=boot, since=min(item.made_at, now), first=first, said=said)
