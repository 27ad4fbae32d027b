"""One pass of a mirror, from outside: what came of it, whatever went wrong on the way."""

from datetime import datetime
from typing import NamedTuple

from purveyor.mirror.carrying import Carried, carry
from purveyor.mirror.copying import Copying, Ends
from purveyor.mirror.leaving import Left
from purveyor.wire.errors import HeldBackError, RejectedError, UnavailableError


class Outcome(NamedTuple):
    """What a pass did. `is_whole`: the target serves all that the source shows. `problems`: what is not, in words.

    `to_come`: how many contents clients are told of that did not come.

    `held_back`: that the pass waits for another hour of its budget, which is no problem; None: for nothing.
    """

    is_whole: bool
    timestamp: int
    snapshot: int
    files: int
    shards: int
    content_files: int
    left: Left
    carried: Carried
    read_bytes: int
    problems: tuple[str, ...]
    held_back: HeldBackError | None = None
    to_come: int = 0


def turn(ends: Ends, now: datetime) -> Outcome:
    """One pass. Errors: RefusedError when it may not begin at all; all else that goes wrong is in the outcome."""
    began_bytes = ends.pace.read_bytes
    carried = Carried(0, 0, ())
    problems: list[str] = []
    copying: Copying | None = None
    try:
        copying = Copying(ends, now)
        copying.run()
    except (UnavailableError, RejectedError) as error:
        problems.append(str(error))
    if ends.is_carrying:
        carried = carry(ends.target, ends.source)
    if copying is None:
        return Outcome(False, 0, 0, 0, 0, 0, Left(), carried, ends.pace.read_bytes - began_bytes, tuple(problems))
    problems += copying.problems
    bringing = copying.bringing
    held_back = bringing.held_back if bringing else None
    return Outcome(
        is_whole=not problems and held_back is None,
        timestamp=copying.metadata.served_timestamp,
        snapshot=copying.served_snapshot,
        files=copying.files,
        shards=copying.shards,
        content_files=bringing.file_count if bringing else 0,
        left=copying.left,
        carried=carried,
        read_bytes=ends.pace.read_bytes - began_bytes,
        problems=tuple(problems),
        held_back=held_back,
        to_come=len(bringing.lacking) if bringing else 0,
    )
