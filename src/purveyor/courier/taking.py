"""A stick taken in at the other end: judged whole before anything of it is applied, then mirrored into the copy there.

    signed by this site → not older than what is here → every file there and undamaged → every file of its base here → mirrored

An import that is stopped goes on when it is begun again: until its last step, what was served before is served.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from purveyor.client.trust import version_in
from purveyor.content.place import ContentPlace
from purveyor.content.verify import digest_of
from purveyor.courier import sticks
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import TIMESTAMP, Pin, pinned
from purveyor.mirror.metadata import ROOT_LIMIT_BYTES, ROOTS_A_PASS, Metadata
from purveyor.mirror.turn import Outcome, turn
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.interface import Shelf
from purveyor.transport.pace import Pace
from purveyor.wire import bundle as lists
from purveyor.wire.boxes import DOWN_BOXES
from purveyor.wire.bundle import LIST, RECEIPT, Bundle, Piece, Receipt
from purveyor.wire.errors import PurveyorError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import to_bytes
from purveyor.wire.manifest import manifest_path

RECEIPT_PATH = f"_mirror/{RECEIPT}"
_LISTING_LIMIT = 1_000_000
_WITH_DIGEST = re.compile(r"[0-9a-f]{64}\..+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a bundle goes: the copy of a CAP, and of a DP where there is one."""

    target: Shelf
    shelf: Shelf | None
    place: ContentPlace | None
    pin: Pin | None
    tell: Callable[[int], None] = lambda _: None
    """Told of bytes as they are read: all of the stick to judge it, then what is taken in."""


class Taken(NamedTuple):
    """What an import did. `is_older`: the copy is newer, and nothing was changed."""

    bundle: Bundle
    is_older: bool
    outcome: Outcome | None


def take(folder: Path, receiver: Receiver, now: datetime) -> Taken:
    """Imports a bundle.

    Errors: RejectedError: it is not this site's, or files of it are missing or damaged; RefusedError: it stands on another base;
    UnavailableError. Nothing has changed then of what is served.
    """
    content = sticks.read_list(folder, LIST)
    said = lists.unverified(content)
    pin = pinned(receiver.target, receiver.pin)
    if pin.site and pin.site != said.site:
        raise RefusedError(f"this is a bundle of site {said.site}, for a copy of site {pin.site}")
    cap = FolderPoint(sticks.cap_on(folder, said.site))
    served = _served(receiver.target)
    if said.timestamp < served:
        return Taken(said, is_older=True, outcome=None)
    bundle = lists.verified(content, _keys_at(said.root, receiver.target, cap, pin))
    _check_stick(folder, bundle, receiver.tell)
    _check_left_out(bundle, receiver, served)
    outcome = turn(_ends(folder, bundle, receiver, cap), now)
    if outcome.is_whole:
        receiver.target.replace(RECEIPT_PATH, to_bytes(receipt_of(receiver, bundle.site)))
        receiver.target.sync()
    return Taken(bundle, is_older=False, outcome=outcome)


def receipt_of(receiver: Receiver, site: str) -> Receipt:
    """What a receiver holds of files that never change. Errors: UnavailableError."""
    paths = [
        f"{box.name}/{item.name}"
        for box in DOWN_BOXES
        for item in receiver.target.listed(box.name, limit=_LISTING_LIMIT)
        if _WITH_DIGEST.fullmatch(item.name)
    ]
    if receiver.place is not None:
        lying = receiver.place.walk()
        paths += [stored.path for stored in lying if stored.size_bytes or stored.path != manifest_path(stored.sha256)]
    return Receipt(site=site, timestamp=_served(receiver.target), paths=tuple(sorted(paths)))


def _served(target: Shelf) -> int:
    content = target.read(TIMESTAMP)
    try:
        return 0 if content is None else version_in(content)
    except RejectedError:
        return 0


def _keys_at(version: int, target: Shelf, cap: FolderPoint, pin: Pin) -> tuple[str, ...]:
    """The public keys that sign bundles under the root of a version, reached from the pinned one.

    Errors: RejectedError, UnavailableError.
    """
    trusted = Metadata(target, Intake(cap, Pace()), pin).trusted
    if trusted.root.version > version:
        raise RejectedError(f"this bundle was made under root {version}, and root {trusted.root.version} has followed it")
    for number in range(trusted.root.version + 1, min(version, trusted.root.version + ROOTS_A_PASS) + 1):
        answer = cap.read(f"clidata.box/{number}.root.json", limit_bytes=ROOT_LIMIT_BYTES)
        trusted.take_root(answer.content if answer else b"")
    root = trusted.root
    return tuple(str(root.keys[name].keyval["public"]) for name in root.roles["snapshot"].keyids)


def _check_stick(folder: Path, bundle: Bundle, tell: Callable[[int], None]) -> None:
    def told() -> Iterator[Piece]:
        for piece in bundle.pieces:
            if piece.is_here:
                yield piece
                tell(piece.size_bytes)

    problems = sticks.wrong(folder, told())
    if problems:
        raise RejectedError(
            f"the stick is not whole, so nothing was changed: {sticks.in_words(problems)}; export the bundle again"
        )


def _check_left_out(bundle: Bundle, receiver: Receiver, served: int) -> None:
    """Nothing when all that the stick leaves out lies here. Errors: RefusedError, UnavailableError."""
    lacking = [piece.path for piece in bundle.pieces if not piece.is_here and not _lies_here(piece, bundle, receiver)]
    if lacking:
        raise RefusedError(
            f"this bundle stands on a copy at timestamp {bundle.base_timestamp}, and this one is at {served or 'none yet'}: "
            f"{sticks.in_words(lacking)} {'is' if len(lacking) == 1 else 'are'} neither here nor on the stick. "
            f"Bring one made with --since and the receipt of this copy ({RECEIPT_PATH}), or a complete one; nothing was changed"
        )


def _lies_here(piece: Piece, bundle: Bundle, receiver: Receiver) -> bool:
    path = piece.path
    for folder, shelf in (
        (sticks.cap_on(Path(), bundle.site), receiver.target),
        (sticks.dp_on(Path(), bundle.site), receiver.shelf),
    ):
        prefix = f"{folder.as_posix()}/"
        if path.startswith(prefix):
            return shelf is None or _is_sound(shelf, path.removeprefix(prefix), piece)
    return False


def _is_sound(shelf: Shelf, path: str, piece: Piece) -> bool:
    try:
        return shelf.size_of(path) == piece.size_bytes and digest_of(shelf.pieces(path)) == piece.sha256
    except UnavailableError:
        raise
    except PurveyorError:
        return False


def _ends(folder: Path, bundle: Bundle, receiver: Receiver, cap: FolderPoint) -> Ends:
    store = None
    if receiver.shelf is not None and receiver.place is not None:
        store = Store(source=FolderPoint(sticks.dp_on(folder, bundle.site)), shelf=receiver.shelf, place=receiver.place)
    prefix = (sticks.dp_on(Path(), bundle.site) / "manifests").as_posix() + "/"
    brought = frozenset(piece.path.removeprefix(prefix) for piece in bundle.pieces if piece.path.startswith(prefix))
    return Ends(
        source=cap,
        target=receiver.target,
        store=store,
        pin=receiver.pin,
        pace=Pace(tell=receiver.tell),
        chosen=lambda named: named.offered | (brought & named.packages.keys()),
    )
