"""`purveyor cap mirror`: a branch server's copy of a CAP and its DP. Calls its source and nobody else, and holds no key."""

import fcntl
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Tally, counted, size
from purveyor.client import share_credentials
from purveyor.client.trust import version_in
from purveyor.content.shelf_store import ShelfStore
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.memory import Pin, pin_of_code, pin_of_root, refuse_filled
from purveyor.mirror.metadata import ROOT_LIMIT_BYTES
from purveyor.mirror.pinning import Pinning
from purveyor.mirror.turn import Outcome, turn
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.transport.open_point import Points, no_credentials
from purveyor.transport.open_shelf import Doors, folder_in, is_bucket, no_bucket_credentials, shelf_at
from purveyor.transport.pace import Meter, Pace
from purveyor.transport.s3.credentials import read_credentials
from purveyor.transport.strays import ASIDES, BOXES_AND_ASIDES, Strays
from purveyor.wire import join_code
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.pins import pin_in

WHOLE, NOT_WHOLE = 0, 3


def mirror(call: Call) -> int:
    """Mirrors once, or until it is interrupted."""
    options = call.arguments
    begin = beginning(call)
    pinning = Pinning(given=tuple(map(pin_in, options.pin or ())), from_code=begin.key)
    points = _points_of(call, pinning)
    ends = ends_of(call, points, pinning, begin.root)
    strays = [(ends.target, Strays(BOXES_AND_ASIDES if options.up else ASIDES))]
    strays += [(ends.store.shelf, Strays(ASIDES))] if ends.store else []
    sources = [options.source, *(options.dp or ())[:1]]
    has_begun = False
    with _alone(folder_in(options.target)):
        while True:
            try:
                outcome = turn(replace(ends, pin=None) if has_begun else ends, datetime.now(UTC))
                if isinstance(ends.target, FolderShelf) and options.up:
                    ends.target.mark_full_boxes()
            except (RefusedError, UnavailableError) as error:
                if not has_begun:
                    raise
                call.output.say(f"purveyor: {error}")  # a disk that is not mounted any more: nothing is begun anew in its place
            else:
                has_begun |= outcome.timestamp > 0
                unnamed = {url: pins for url in sources if (pins := pinning.unnamed(url))}
                _tell(call, outcome, points.unpinned(), unnamed)
            if not options.every:
                return WHOLE if outcome.is_whole or _only_waits(outcome) else NOT_WHOLE
            call.output.stdout.flush()
            for shelf, kept in strays:
                _sweep(call, shelf, kept)
            time.sleep(options.every)


def _only_waits(outcome: Outcome) -> bool:
    """Whether a pass is not whole only because its budget allows nothing at this hour, and will at another."""
    held_back = outcome.held_back
    return held_back is not None and held_back.until is not None and not outcome.problems


def _sweep(call: Call, shelf: Shelf, strays: Strays) -> None:
    """Removes what broken writes have left; one that goes on for long sees what lies there unchanged."""
    try:
        problem = strays.sweep(shelf, time.monotonic()).problem
    except UnavailableError as error:
        problem = str(error)
    if problem:
        call.output.say(f"purveyor: {problem}")


class Beginning(NamedTuple):
    """What a copy begins from: the root that is believed, and the pin of an HTTPS server's key; each where one was given."""

    root: Pin | None
    key: str = ""


def ends_of(call: Call, points: Points, pinning: Pinning, root: Pin | None) -> Ends:
    """What is mirrored into what, as it was typed. Errors: UsageError, RefusedError, RejectedError."""
    options = call.arguments
    if options.up and is_bucket(options.target):
        raise RefusedError("a bucket has no up boxes: leave --up away, and let clients send their items to a site's own HTTP")
    doors = doors_of(call)
    target = shelf_at(options.target, doors)
    store = None
    if options.dp:
        source_dp, target_dp = options.dp
        shelf = shelf_at(target_dp, doors)
        store = Store(source=points.at(source_dp), shelf=shelf, place=ShelfStore(shelf, name=target_dp))
    with suppress(UnavailableError):  # what cannot be looked at now is tried at each pass, which looks again before it begins
        refuse_filled(target, store.shelf if store else None)
    if options.up:
        make_boxes(target)
    return Ends(
        source=points.at(options.source),
        target=target,
        store=store,
        pin=root,
        learn=pinning.learn,
        pace=Pace(Meter(parse_budget(options.limit), now=lambda: datetime.now(UTC)), tell=Tally(call.output).add),
        is_carrying=options.up,
    )


def doors_of(call: Call) -> Doors:
    """As whom shares and buckets are used. A file is read at each connection, so that a changed password is taken up."""
    options = call.arguments
    share, bucket = options.credentials, options.bucket_credentials
    return Doors(
        share_credentials=(lambda: share_credentials.given_in(Path(share))) if share else no_credentials,
        bucket_credentials=(lambda: read_credentials(Path(bucket))) if bucket else no_bucket_credentials,
        endpoint=options.endpoint,
        region=options.region,
    )


def _points_of(call: Call, pinning: Pinning) -> Points:
    """The points of the source: with a file of CAs these decide alone, else pins as far as they are known.

    Errors: UsageError, UnavailableError.
    """
    options, credentials = call.arguments, doors_of(call).share_credentials
    if not options.ca:
        return Points(credentials, pinning.pins_of)
    if options.pin:
        raise UsageError("--pin and --ca both say how the source is known: give one of them")
    try:
        return Points(credentials, tls=ssl.create_default_context(cafile=options.ca))
    except OSError as error:
        raise UnavailableError(f"{options.ca} cannot be read as certificates: {error.strerror}") from error


def beginning(call: Call) -> Beginning:
    """What to begin from. Errors: UsageError, RejectedError, UnavailableError."""
    options = call.arguments
    if options.code and options.root:
        raise UsageError("--code and --root both name the root to begin from: give one of them")
    if options.code:
        text = call.output.stdin.readline() if options.code == "-" else options.code
        code = join_code.read(text)
        return Beginning(pin_of_code(code), code.pin)
    if not options.root:
        return Beginning(None)
    try:
        with Path(options.root).open("rb") as file:
            content = file.read(ROOT_LIMIT_BYTES)
    except OSError as error:
        raise UnavailableError(f"the root {options.root} cannot be read: {error.strerror}") from error
    return Beginning(pin_of_root(content, version_in(content)))


def make_boxes(target: Shelf) -> None:
    """Up boxes are there only where somebody empties them: what a client puts anywhere else would wait for ever."""
    make = getattr(target, "make_boxes", None)
    if make is not None:
        make()


def _tell(call: Call, outcome: Outcome, unpinned: Mapping[str, str], unnamed: Mapping[str, Sequence[str]]) -> None:
    output, held_back = call.output, outcome.held_back
    if output.is_json:
        told = {"waits": str(held_back or ""), "waits_until": held_back and held_back.until and held_back.until.isoformat()}
        known = {"unpinned": dict(unpinned), "unnamed_pins": dict(unnamed)}
        output.give_json(answer_of(outcome) | told | known)
        return
    for url, pins in sorted(unnamed.items()):
        output.say(
            f"{', '.join(pins)} is no key that the site's signed settings name for {url}: its server is known by those that they "
            "name; leave --pin away, or mend it"
        )
    for url, pin in sorted(unpinned.items()):
        output.say(
            f"{url} shows the key {pin}, which is not known: it is read, as what it serves is signed, and nothing is sent there; "
            "--pin PIN or --ca FILE make it known"
        )
    for problem in outcome.problems + outcome.carried.problems:
        output.say(f"purveyor: {problem}")
    serving = f"timestamp {outcome.timestamp}" if outcome.timestamp else "nothing yet"
    state = "whole" if outcome.is_whole else f"waits, {held_back}" if held_back else "as before"
    parts = [
        f"{counted(outcome.files + outcome.shards, 'file')} and {counted(outcome.content_files, 'file')} of content came",
        f"{size(outcome.read_bytes)} read",
        f"{counted(outcome.left.files, 'file')} left",
    ]
    if outcome.carried.items or outcome.carried.refused:
        parts.append(f"{counted(outcome.carried.items, 'item')} went up, {outcome.carried.refused} were refused for good")
    output.say(f"{state}, serving {serving}: {', '.join(parts)}")


def answer_of(outcome: Outcome) -> dict[str, object]:
    """An outcome for programs to read."""
    return {
        "whole": outcome.is_whole,
        "timestamp": outcome.timestamp,
        "snapshot": outcome.snapshot,
        "files": outcome.files,
        "shards": outcome.shards,
        "content_files": outcome.content_files,
        "to_come": outcome.to_come,
        "read_bytes": outcome.read_bytes,
        "left_files": outcome.left.files,
        "freed_bytes": outcome.left.freed_bytes,
        "carried": outcome.carried.items,
        "refused": outcome.carried.refused,
        "problems": [*outcome.problems, *outcome.carried.problems],
    }


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    place = folder / "_mirror" / "lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(f"another mirror works on {folder} now") from error
        yield


def _alone(folder: str) -> AbstractContextManager[None]:
    """Holds a folder of this machine for one mirror. Errors: RefusedError when another one works there."""
    return _held(Path(folder)) if folder else nullcontext()
