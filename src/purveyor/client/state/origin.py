"""On which machine this state lies, and what of it is another machine's: a copy of a disk brings the state of its original along.

What was told up to then is the original's to tell; what comes after is this machine's own. That a state lies on another machine
proves no clone: a disk may move, and a machine id may be made anew. Only the site can tell, see `wire.shards.Entry.keeper`.
"""

import hashlib

import msgspec

from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Wire, from_bytes, to_bytes

_MACHINE = "machine"
_KNOWN = "machine as last known"
"""Apart from what it is now: a start in which the machine has no id yet leaves no doubt about what it was before."""
_STARTS = "starts"
_IMAGE = "image"
_BOOT_CHARACTERS = 16
REMEMBERED_STARTS = 64


class Image(Wire):
    """What came with the image of another machine. Shape: messages up to this id, items below this number."""

    machine: str
    message: int
    sequence: int


class Began(Wire):
    """A start of the machine on which this state lay: `first` is the number of the first item that it could give."""

    boot: str
    first: int


def notice_machine(state: State, *, machine: str, boot: str) -> bool:
    """Remembers on which machine this state lies, and in which start of it. True when it came here from another one."""
    before = state.fact(_KNOWN)
    came = bool(before and machine and before != machine)
    with state.transaction():
        if came:
            message = int(state.connection.execute("select coalesce(max(id), 0) from message").fetchone()[0])
            image = Image(machine=before, message=message, sequence=_next_number(state))
            state.remember(_IMAGE, to_bytes(image).decode())
        if machine and before != machine:
            state.remember(_KNOWN, machine)
        if state.fact(_MACHINE) != machine:
            state.remember(_MACHINE, machine)
        short = hashlib.sha256(boot.encode()).hexdigest()[:_BOOT_CHARACTERS]
        if boot_of(state) != short:
            _remember_starts(state, (*starts_of(state), Began(boot=short, first=_next_number(state))))
    return came


def machine_of(state: State) -> str:
    """The machine id of the machine on which this state lies; empty where it has none, or before it was noticed."""
    return state.fact(_MACHINE)


def boot_of(state: State) -> str:
    """What tells this start of the machine from others."""
    starts = starts_of(state)
    return starts[-1].boot if starts else ""


def starts_of(state: State) -> tuple[Began, ...]:
    """The last starts of this machine, oldest first; none where they cannot be read, which proves nothing of anybody."""
    stored = state.fact(_STARTS)
    try:
        return from_bytes(stored.encode(), tuple[Began, ...]) if stored else ()
    except RejectedError:
        return ()


def giver_of(state: State, sequence: int) -> str | None:
    """Which start of this machine gave a number, or would have; None where it is older than all that are remembered."""
    return next((began.boot for began in reversed(starts_of(state)) if began.first <= sequence), None)


def begin_numbers(state: State) -> None:
    """Numbers of items begin anew, in this start: those of another identity are nobody's any more."""
    _remember_starts(state, tuple(msgspec.structs.replace(began, first=1) for began in starts_of(state)[-1:]))


def image_of(state: State) -> Image | None:
    """What came with the image of another machine; None where this state was always here, or cannot say."""
    stored = state.fact(_IMAGE)
    try:
        return from_bytes(stored.encode(), Image) if stored else None
    except RejectedError:
        return None


def forget_image(state: State) -> None:
    """From now on all that is here is this machine's own."""
    state.remember(_IMAGE, "")


def _remember_starts(state: State, starts: tuple[Began, ...]) -> None:
    state.remember(_STARTS, to_bytes(starts[-REMEMBERED_STARTS:]).decode())


def _next_number(state: State) -> int:
    row = state.connection.execute("select next_sequence from identity").fetchone()
    return int(row[0]) if row else 1
