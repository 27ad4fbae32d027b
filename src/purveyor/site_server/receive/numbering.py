"""One client's items of one turn against what is stored of it: which count, which were here before, which prove a clone. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from purveyor.site_server.model.sequence import Advance, Arrival, advance, arrival_of, oldest_forgotten
from purveyor.site_server.receive.opening import Letter
from purveyor.wire.reports import digest_after


class Fork(NamedTuple):
    """An item whose number was used before for another one: several machines use one identity, or one went back."""

    letter: Letter
    stored_digest: str


class Numbered(NamedTuple):
    """Items of one client, judged. Shape: `accepted` in order of sequence. `lost` of the advance nets out what came late."""

    accepted: list[Letter]
    duplicates: list[Letter]
    forks: list[Fork]
    advance: Advance
    digest: str
    """Of all items up to where the advance went, one after the other."""
    told_by: int
    """The sequence of the item that told of the loss, if there was one."""


def number(
    letters: Sequence[Letter], *, received: int, digest: str, remembered: Mapping[int, str], above: Mapping[int, str]
) -> Numbered:
    """Judges a client's items. `remembered`: stored digests by sequence; `above`: those above `received`, all of them.

    `digest` is that of all items up to `received`.
    """
    digests = dict(remembered)
    accepted: list[Letter] = []
    duplicates: list[Letter] = []
    forks: list[Fork] = []
    late = 0
    for letter in sorted(letters, key=lambda letter: letter.item.sequence):
        sequence = letter.item.sequence
        stored = digests.get(sequence)
        match arrival_of(sequence, letter.digest, received=received, remembered=stored):
            case Arrival.DUPLICATE:
                duplicates.append(letter)
            case Arrival.FORK:
                forks.append(Fork(letter, stored or ""))
            case arrival:
                late += arrival is Arrival.LATE
                digests[sequence] = letter.digest
                accepted.append(letter)
    newest = max((letter.item for letter in accepted), key=lambda item: (item.oldest_kept, item.sequence), default=None)
    stored_now = {**above, **{letter.item.sequence: letter.digest for letter in accepted}}
    moved = advance(received, oldest_kept=newest.oldest_kept if newest else 0, stored=stored_now)
    moved = moved._replace(lost=moved.lost - late)
    passed = (stored_now[sequence] for sequence in sorted(stored_now) if received < sequence <= moved.received)
    return Numbered(accepted, duplicates, forks, moved, digest_after(digest, passed), newest.sequence if newest else 0)


def forgettable(before: int, after: int) -> int | None:
    """The sequence up to which digests may be forgotten when `received` went from one to the other; None: not worth it yet."""
    return oldest_forgotten(after) if after // 64 > before // 64 and oldest_forgotten(after) > 0 else None
