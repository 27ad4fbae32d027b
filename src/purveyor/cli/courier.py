"""`purveyor courier …`: what a site publishes, and what clients say, on a stick where no line goes."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata, Root

from purveyor.cli.call import Call, site_folder_of
from purveyor.cli.mirror import answer_of, beginning, doors_of, make_boxes
from purveyor.cli.output import Tally, counted, size
from purveyor.client import share_credentials
from purveyor.content.shelf_store import ShelfStore
from purveyor.courier import packed, reports
from purveyor.courier.sending import Sender
from purveyor.courier.sending import send as fill
from purveyor.courier.taking import RECEIPT_PATH, Receiver
from purveyor.courier.taking import take as take_in
from purveyor.mirror.memory import pin_of_root
from purveyor.mirror.metadata import ROOT
from purveyor.site_server.keys import KeyName
from purveyor.site_server.site import Site, opened_site
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.open_point import Points, no_credentials
from purveyor.transport.open_shelf import is_bucket, shelf_at
from purveyor.wire import bundle as lists
from purveyor.wire.boxes import cap_folder
from purveyor.wire.bundle import LIST_LIMIT_BYTES, Scope
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.signed import key_id_of

DONE, NOT_ALL, LATER = 0, 1, 3


def send(call: Call) -> int:
    """Fills a stick from a site's own folder."""
    options = call.arguments
    site_folder = site_folder_of(call)
    with opened_site(site_folder) as site, _to_fill(Path(options.bundle)) as folder:
        bundle = fill(
            replace(_sender(site, site_folder), tell=Tally(call.output).add),
            folder,
            scope=Scope(options.content),
            since=_read(Path(options.since)) if options.since else None,
            now=datetime.now(UTC),
        )
    here = [piece for piece in bundle.pieces if piece.is_here]
    size_bytes = sum(piece.size_bytes for piece in here)
    kind = f"for a copy at timestamp {bundle.base_timestamp}" if bundle.base else "complete"
    answer = {
        "site": bundle.site,
        "timestamp": bundle.timestamp,
        "base_timestamp": bundle.base_timestamp if bundle.base else None,
        "files": len(here),
        "left_out": len(bundle.pieces) - len(here),
        "bytes": size_bytes,
    }
    call.output.done(
        answer, f"{options.bundle} is {kind}: timestamp {bundle.timestamp}, {counted(len(here), 'file')}, {size(size_bytes)}"
    )
    return DONE


def take(call: Call) -> int:
    """Takes a bundle in."""
    options = call.arguments
    doors = doors_of(call)
    if options.up and is_bucket(options.target):
        raise RefusedError("a bucket has no up boxes: leave --up away")
    shelf = shelf_at(options.dp, doors) if options.dp else None
    receiver = Receiver(
        target=shelf_at(options.target, doors),
        shelf=shelf,
        place=ShelfStore(shelf, name=options.dp) if shelf is not None else None,
        pin=beginning(call).root,
        tell=Tally(call.output).add,
    )
    with _to_read(Path(options.bundle)) as folder:
        taken = take_in(folder, receiver, datetime.now(UTC))
    if taken.outcome is None:
        call.output.done({"older": True}, "nothing was changed: what is there is newer than this bundle")
        return DONE
    if not taken.outcome.is_whole:
        raise UnavailableError("; ".join(taken.outcome.problems))
    if options.up:
        make_boxes(receiver.target)
    receipt = receiver.target.read(RECEIPT_PATH)
    if options.receipt and receipt is not None:
        Path(options.receipt).write_bytes(receipt)
    came = counted(taken.outcome.files + taken.outcome.content_files, "file")
    text = f"timestamp {taken.outcome.timestamp} of site {taken.bundle.site}: {came} came"
    call.output.done({"older": False, **answer_of(taken.outcome)}, text)
    return DONE


def collect(call: Call) -> int:
    """Moves items onto a stick."""
    options = call.arguments
    shelf = shelf_at(options.target, doors_of(call))
    if shelf.read(ROOT) is None:
        raise RefusedError(f"{options.target} is no copy of a CAP: it has no {ROOT}")
    count = reports.collect(shelf, Path(options.bundle))
    call.output.done({"items": count}, f"{counted(count, 'item')} moved onto {options.bundle}")
    return DONE


def deliver(call: Call) -> int:
    """Puts items of a stick into a site's up boxes."""
    options = call.arguments
    share = options.credentials
    points = Points((lambda: share_credentials.given_in(Path(share))) if share else no_credentials)
    arrived = reports.deliver(Path(options.bundle), points.at(options.source))
    answer = {"items": arrived.items, "damaged": list(arrived.damaged), "waiting": arrived.waiting}
    for problem in arrived.damaged:
        call.output.say(f"purveyor: {problem}")
    rest = f"; the rest later: {arrived.waiting}" if arrived.waiting else ""
    call.output.done(answer, f"{counted(arrived.items, 'item')} put{rest}")
    return LATER if arrived.waiting else NOT_ALL if arrived.damaged else DONE


def _to_fill(place: Path) -> AbstractContextManager[Path]:
    return packed.packing(place) if place.suffix == packed.ENDING else nullcontext(place)


def _to_read(place: Path) -> AbstractContextManager[Path]:
    return packed.unpacked(place) if place.is_file() else nullcontext(place)


def _sender(site: Site, folder: Path) -> Sender:
    """The site as one that sends. Errors: RefusedError when its key is not here; UnavailableError when it never published."""
    content = site.cap.read(ROOT)
    if content is None:
        raise UnavailableError(f"{folder} has published nothing yet: run the site once")
    root = Metadata[Root].from_bytes(content).signed
    return Sender(
        site=site.code,
        cap=FolderPoint(folder / cap_folder(site.code)),
        dp=FolderPoint(site.store.folder),  # its own DP may be drained or removed
        content=site.store,
        pin=pin_of_root(content, root.version),
        sign=partial(lists.sign, key=_key(site, root)),
    )


def _key(site: Site, root: Root) -> Ed25519PrivateKey:
    """The key with which bundles are signed: that of the snapshot, which the root names. Errors: RefusedError."""
    for name in root.roles["snapshot"].keyids:
        key = site.keys.find(KeyName("snapshot", key_id_of(bytes.fromhex(root.keys[name].keyval["public"]))))
        if key is not None:
            return key
    raise RefusedError("the snapshot key that the newest root names is not on this site server, so no bundle can be signed")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LIST_LIMIT_BYTES + 1)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LIST_LIMIT_BYTES:
        raise RejectedError(f"{path} is too large to be a receipt")
    return content
