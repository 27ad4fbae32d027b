"""What a mirror remembers, beside the boxes that it fills: which root it began from, and what leaves when.

    _mirror/pin.json        from which root of which site: written once, never changed
    _mirror/memory.json     entity tags, what nothing names any more and since when; lost, it only makes some work again

Both lie on the target, outside every box, so that any machine can go on with a mirror. No server shows them.
"""

import hashlib
from datetime import datetime

from msgspec import Struct

from purveyor.transport.interface import Shelf
from purveyor.wire.boxes import BOXES, OF_A_DISK
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.join_code import JoinCode

PIN = "_mirror/pin.json"
MEMORY = "_mirror/memory.json"
TIMESTAMP = "clidata.box/timestamp.json"
_OWN = "_mirror"
_CONTENT = frozenset({_OWN, "manifests", "files"})
"""What lies in a DP once a mirror has begun there."""
_NAMES_LIMIT = 1000


class Pin(Wire):
    """The root of trust that a mirror began from: its site, version, and the SHA-256 of its bytes."""

    site: str
    """Its code; empty where only a root was given."""
    root_version: int
    root_sha256: str


class Since(Wire):
    """Since when nothing names a file: by the clock here, and by the newest time that the site had signed."""

    here: Instant
    signed: Instant


class Memory(Struct, kw_only=True):
    """What is remembered from pass to pass; filled in place.

    Shape: `tags` and `unnamed` by path; `generations` are those of shards that lie here; `packages` those that
    each manifest was of; `checked` when each manifest on the DP was last read back; `full` when a disk was found full while
    that content came.
    """

    tags: dict[str, str] = {}
    unnamed: dict[str, Since] = {}
    generations: tuple[int, ...] = ()
    packages: dict[str, tuple[str, ...]] = {}
    checked: dict[str, Instant] = {}
    full: dict[str, Instant] = {}


def pin_of_code(code: JoinCode) -> Pin:
    """The root that a join code names. Its secret is not kept."""
    return Pin(site=code.site, root_version=code.root_version, root_sha256=code.root_sha256.hex())


def pin_of_root(content: bytes, version: int) -> Pin:
    """The root in a file that an administrator brought."""
    return Pin(site="", root_version=version, root_sha256=hashlib.sha256(content).hexdigest())


def pinned(target: Shelf, given: Pin | None) -> Pin:
    """The root that the mirror in `target` began from; a given one begins it.

    Errors: RefusedError: nothing is pinned and nothing was given, or another root is, or what lies there is not a mirror's;
    UnavailableError.
    """
    content = target.read(PIN)
    if content is None:
        if given is None:
            raise RefusedError(
                "nothing is mirrored here yet: begin with --code and a join code of the site, or --root and its root"
            )
        refuse_filled(target)
        target.replace(PIN, to_bytes(given))
        target.sync()
        return given
    pin = _readable_pin(content)
    if given is not None and given.site and pin.site and given.site != pin.site:
        raise RefusedError(f"this is a mirror of site {pin.site}, not of site {given.site}")
    return pin


def refuse_filled(target: Shelf, content: Shelf | None = None) -> None:
    """Refuses to begin a mirror of boxes, and of content, where files of others lie; one that was begun goes on.

    Errors: RefusedError, UnavailableError.
    """
    if target.read(PIN) is None:
        if target.read(TIMESTAMP) is not None:
            raise RefusedError("there are boxes here that no mirror filled: a mirror needs a folder of its own")
        _refuse_others(target, OF_A_DISK.union([_OWN], (box.name for box in BOXES)))
    if content is not None and not _CONTENT.intersection(content.names(limit=_NAMES_LIMIT)):
        _refuse_others(content, OF_A_DISK)


def recalled(target: Shelf) -> Memory:
    """What is remembered; nothing where that is lost or damaged. Errors: UnavailableError."""
    content = target.read(MEMORY)
    if content is None:
        return _nothing()
    try:
        return from_bytes(content, Memory)
    except RejectedError:
        return _nothing()


def keep(target: Shelf, memory: Memory) -> None:
    """Writes down what is remembered, where it has changed. Errors: UnavailableError."""
    content = to_bytes(memory)
    if target.read(MEMORY) != content:
        target.replace(MEMORY, content)


def is_over(since: Since, *, grace_seconds: float, now: datetime, signed: datetime) -> bool:
    """Whether a grace time has passed by both clocks: one that jumps lets nothing leave early."""
    return min((now - since.here).total_seconds(), (signed - since.signed).total_seconds()) >= grace_seconds


def not_ahead(since: Since, *, now: datetime, signed: datetime) -> Since:
    """The same, where a clock that was ahead then is set back to what it says now."""
    return Since(here=min(since.here, now), signed=min(since.signed, signed))


def _refuse_others(shelf: Shelf, usual: frozenset[str]) -> None:
    others = [name for name in shelf.names(limit=len(usual) + 1) if name not in usual]
    if others:
        raise RefusedError(
            f"{others[0][:80]!r} lies there, and no mirror put it there: give an empty folder, or that of a mirror"
        )


def _nothing() -> Memory:
    return Memory(tags={}, unnamed={}, generations=(), packages={}, checked={}, full={})


def _readable_pin(content: bytes) -> Pin:
    try:
        return from_bytes(content, Pin)
    except RejectedError as error:
        raise RefusedError(f"{PIN} is damaged: remove it and the boxes beside it, and begin again with --code") from error
