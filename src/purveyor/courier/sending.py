"""What a site publishes, put on a stick: its down boxes whole, content as far as the receiver lacks it, and a signed list, last.

A bundle is a mirror on a stick: what stands in it was verified as any mirror's content is, and read back before it was signed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from purveyor.content.place import ContentPlace
from purveyor.content.shelf_store import ShelfStore
from purveyor.courier import sticks
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Copying, Ends
from purveyor.mirror.memory import MEMORY, PIN, Pin
from purveyor.mirror.naming import Named
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Point
from purveyor.transport.pace import Pace
from purveyor.wire.bundle import LIST, Bundle, Piece, Receipt, Scope
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import SiteCode
from purveyor.wire.manifest import distinct_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The site that sends: its CAP, its content by two ways, its newest root, and who signs for it."""

    site: SiteCode
    cap: Point
    dp: Point
    content: ContentPlace
    pin: Pin
    sign: Callable[[Bundle], bytes]
    tell: Callable[[int], None] = lambda _: None
    """Told of bytes as they are read."""


def send(sender: Sender, folder: Path, *, scope: Scope, since: bytes | None, now: datetime) -> Bundle:
    """Fills a stick. Shape: the bundle that it is.

    Errors: RefusedError: the folder is not empty, or the receipt is another site's; UnavailableError, RejectedError: nothing
    that could be imported is left.
    """
    receipt = _receipt(since, sender.site)
    held = frozenset(receipt.paths) if receipt else frozenset()
    stick = sticks.new_stick(folder)
    cap, dp = FolderShelf(sticks.cap_on(folder, sender.site)), FolderShelf(sticks.dp_on(folder, sender.site))
    store = Store(source=sender.dp, shelf=dp, place=ShelfStore(dp, name=str(dp.folder)))
    ends = Ends(
        source=sender.cap,
        target=cap,
        store=store,
        pin=sender.pin,
        elsewhere=held.__contains__,
        chosen=lambda named: _chosen(named, scope, sender.content),
        is_standing=False,
        pace=Pace(tell=sender.tell),
    )
    copying = Copying(ends, now)
    copying.run()
    if copying.problems:
        raise RejectedError(f"the site's boxes are not whole: {sticks.in_words(copying.problems)}")
    for left in (PIN, MEMORY):
        cap.remove(left)
    pieces = [*sticks.pieces_in(folder), *_left_out(copying, sender, scope, held)]
    bundle = Bundle(
        site=sender.site,
        made_at=now,
        root=copying.metadata.trusted.root.version,
        timestamp=copying.metadata.served_timestamp,
        snapshot=copying.served_snapshot,
        scope=scope,
        base=hashlib.sha256(since).hexdigest() if since else "",
        base_timestamp=receipt.timestamp if receipt else 0,
        pieces=tuple(pieces),
    )
    stick.write(LIST, sender.sign(bundle))
    stick.sync()
    return bundle


def _receipt(content: bytes | None, site: SiteCode) -> Receipt | None:
    if content is None:
        return None
    receipt = from_bytes(content, Receipt)
    if receipt.site != site:
        raise RefusedError(f"this receipt is of a copy of site {receipt.site}, and this site is {site}")
    return receipt


def _chosen(named: Named, scope: Scope, content: ContentPlace) -> frozenset[str]:
    if scope is Scope.NEEDED:
        return named.offered
    return named.offered | {sha256 for sha256 in named.packages if content.has_manifest(sha256)}


def _left_out(copying: Copying, sender: Sender, scope: Scope, held: frozenset[str]) -> list[Piece]:
    """The files of this state that the receiver has: it must have them still."""
    cap, dp = sticks.cap_on(Path(), sender.site), sticks.dp_on(Path(), sender.site)
    left = {
        target.path: Piece(path=(cap / target.path).as_posix(), sha256=target.sha256, size_bytes=target.size_bytes, is_here=False)
        for target in copying.metadata.targets()
        if target.path in held
    }
    for sha256 in sorted(_chosen(copying.named, scope, sender.content)):
        for stored in distinct_files(sender.content.read_manifest(sha256)):
            if stored.path in held:
                left[stored.path] = Piece(
                    path=(dp / stored.path).as_posix(), sha256=stored.sha256, size_bytes=stored.size_bytes, is_here=False
                )
    return [left[path] for path in sorted(left)]
