"""Who speaks with one identity: one machine, one that went back to an older copy of itself, or several that are copies. Pure.

Every item says which machine signed it, and in which start of that machine. Two machines show when one speaks after the other one
did, or by a fork (one number, an item of each). The machine that joined with an identity keeps it. Where copies cannot be told
apart, because the machine id was copied too, two starts of "one" machine that take turns show that they are two; nobody keeps it
then. A machine that went back has a start that is over, and never speaks again with it.
Source: the protocol, section 10; ADR 0010.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

import msgspec

from purveyor.wire.form import Instant, Wire
from purveyor.wire.shards import NOBODY
from purveyor.wire.starts import Start

REMEMBERED_VOICES = 4
"""As many as two starts that take turns need: the first, the second, the first again, the second again."""
MARK_LIMIT = 64


class Voice(Wire):
    """One start of one machine that spoke with an identity.

    `since`: when the first item was made, by its own clock, or when it arrived, where that clock is ahead; `first`: the number
    from which on items are its own; `said`: what it said of itself then, kept of the last two.
    """

    machine: str
    boot: str
    since: Instant
    first: int = 0
    said: Start | None = None


def with_voice(voices: Sequence[Voice], new: Voice) -> tuple[Voice, ...]:
    """The voices in the order in which they spoke, with one that spoke now; an item that was only late changes nothing."""
    if not new.machine:
        return tuple(voices)
    if voices:
        last = voices[-1]
        if (last.machine, last.boot) == (new.machine, new.boot) or new.since <= last.since or new.first < last.first:
            return tuple(voices)
    silent = (msgspec.structs.replace(voice, said=None) for voice in voices[:-1])
    return (*silent, *voices[-1:], new)[-REMEMBERED_VOICES:]


def said_by(voices: Sequence[Voice]) -> tuple[Start, ...]:
    """What those said of themselves of which it is kept, at most two: proof for machines that share an identity."""
    return tuple(voice.said for voice in voices if voice.said is not None)


def keeper_of(voices: Sequence[Voice], *, owner: str, forked_by: Collection[str] = ()) -> str | None:
    """Which machine keeps an identity that several are proved to use, or NOBODY; None while nothing is proved.

    `owner` is the machine that joined with it, `forked_by` are those whose items had numbers that another machine had used.
    """
    machines = [voice.machine for voice in voices]
    named = {*machines, *forked_by, *([owner] if owner else [])} - {""}
    if len(named) > 1 and ({*forked_by} - {""} or _has_spoken_again(machines, owner)):
        return owner or NOBODY
    return NOBODY if len(named) == 1 and _take_turns(voices) else None


def speaker_of(voices: Sequence[Voice], number: int) -> str:
    """The machine that gave a number, as far as is remembered: what is older is taken for the first remembered one's."""
    return next((voice.machine for voice in reversed(voices) if voice.first <= number), voices[0].machine if voices else "")


def _has_spoken_again(machines: Sequence[str], owner: str) -> bool:
    """Whether a machine spoke, then another one, and then the first again. The owner spoke before all that is remembered."""
    turns = [owner, *machines] if owner and [owner] != machines[:1] else list(machines)
    changes = [after for before, after in pairwise(turns) if before != after]
    return len([turns[0], *changes]) > len({turns[0], *changes})


def _take_turns(voices: Sequence[Voice]) -> bool:
    """Whether two starts of one machine are both alive."""
    boots = [voice.boot for voice in voices]
    return len(boots) == REMEMBERED_VOICES and boots[0] == boots[2] != boots[1] == boots[3]
