"""On which machine this state lies, and what of it is another machine's: a copy of a disk brings the state of its original along.

What was told up to then is the original's to tell; what comes after is this machine's own. That a state lies on another machine
proves no clone: a disk may move, and a machine id may be made anew. Only the site can tell, see `wire.shards.Entry.keeper`.
"""

import hashlib

from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Wire, from_bytes, to_bytes

_MACHINE = "machine"
_KNOWN = "machine as last known"
"""Apart from what it is now: a start in which the machine has no id yet leaves no doubt about what it was before."""
_BOOT = "boot"
_IMAGE = "image"
_SHARED = "numbers are shared"
_BOOT_CHARACTERS = 16


class Image(Wire):
    """What came with the image of another machine. Shape: messages up to this id, items below this number."""

    machine: str
    message: int
    sequence: int


def notice_machine(state: State, *, machine: str, boot: str) -> bool:
    """Remembers on which machine this state lies, and in which start of it. True when it came here from another one."""
    before = state.fact(_KNOWN)
    came = bool(before and machine and before != machine)
    with state.transaction():
        if came:
            message = int(state.connection.execute("select coalesce(max(id), 0) from message").fetchone()[0])
            row = state.connection.execute("select next_sequence from identity").fetchone()
            image = Image(machine=before, message=message, sequence=int(row[0]) if row else 0)
            state.remember(_IMAGE, to_bytes(image).decode())
        if machine and before != machine:
            state.remember(_KNOWN, machine)
        if state.fact(_MACHINE) != machine:
            state.remember(_MACHINE, machine)
        short = hashlib.sha256(boot.encode()).hexdigest()[:_BOOT_CHARACTERS]
        if state.fact(_BOOT) != short:
            state.remember(_BOOT, short)
    return came


def machine_of(state: State) -> str:
    """The machine id of the machine on which this state lies; empty where it has none, or before it was noticed."""
    return state.fact(_MACHINE)


def boot_of(state: State) -> str:
    """What tells this start of the machine from others."""
    return state.fact(_BOOT)


def image_of(state: State) -> Image | None:
    """What came with the image of another machine; None where this state was always here, or cannot say."""
    stored = state.fact(_IMAGE)
    try:
        return from_bytes(stored.encode(), Image) if stored else None
    except RejectedError:
        return None


def note_shared(state: State) -> None:
    """Remembers that the site had numbers that this state never gave: it went back, or another machine uses its identity."""
    state.remember(_SHARED, "yes")


def is_shared(state: State) -> bool:
    """Whether the site ever had numbers of items that this state never gave."""
    return bool(state.fact(_SHARED))


def forget_image(state: State) -> None:
    """From now on all that is here is this machine's own."""
    with state.transaction():
        state.remember(_IMAGE, "")
        state.remember(_SHARED, "")
