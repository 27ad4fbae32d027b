"""From the bytes of an item to a letter that is known to come from the client that it names. Pure.

Whether the site knows that client, and what to believe, is judged afterwards. Opening seals and verifying signatures is most of
the work of receiving, and Python does it in one thread at a time; so a batch may be opened in another process, which sees nothing
but the items and the sealing keys.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from functools import partial
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from purveyor.site_server.receive.reading import Taken
from purveyor.wire import envelope, reports, signed
from purveyor.wire.errors import RejectedError
from purveyor.wire.reports import BOX_OF, MESSAGES_PER_ITEM, Item, ReadItem, StatusMessages

HIGHEST_NUMBER = 2**53
"""Above this no sequence or version is believed: both databases can hold it, and so can any reader of JSON."""

UNACKNOWLEDGED_LIMIT = 20_000
"""Numbers that a client may hold unacknowledged at once. Its own spool ends far below; nobody fills the database with gaps."""


class Letter(NamedTuple):
    """An item whose seal and signature hold. `path` is where it lies."""

    path: str
    item: Item
    digest: str


class Rejection(NamedTuple):
    """An item that is set aside, and why."""

    taken: Taken
    reason: str


class Opened(NamedTuple):
    """A batch, opened: letters, and what cannot be one."""

    letters: list[Letter]
    rejections: list[Rejection]


class Sealed(NamedTuple):
    """An item as another process is given it."""

    box: str
    content: bytes


def open_all(taken: Sequence[Taken], keys: Mapping[str, X25519PrivateKey]) -> Opened:
    """The letters in these items, and what is to be set aside. One bad item is one rejection."""
    batch = Opened([], [])
    for item in taken:
        try:
            if item.parts is None:
                raise RejectedError(item.problem)
            read = unsealed(item.box.name, item.parts, keys)[0]
            batch.letters.append(Letter(item.path, read.item, read.digest))
        except RejectedError as error:
            batch.rejections.append(Rejection(item, str(error)))
    return batch


def open_elsewhere(taken: Sequence[Taken], keys: Mapping[str, X25519PrivateKey], openers: Executor) -> Callable[[], Opened]:
    """Begins to open a batch in another process; the result is what `open_all` gives. Shape: a function that waits for it.

    Where that process was ended by somebody, the batch is opened here.
    """
    whole = [item for item in taken if item.parts is not None]
    sealed = [Sealed(item.box.name, item.content) for item in whole]
    try:
        begun = openers.submit(contents_of, sealed, {name: key.private_bytes_raw() for name, key in keys.items()})
    except BrokenExecutor:
        return partial(open_all, taken, keys)

    def result() -> Opened:
        try:
            contents = begun.result()
        except BrokenExecutor:
            return open_all(taken, keys)
        batch = Opened([], [Rejection(item, item.problem) for item in taken if item.parts is None])
        for item, content in zip(whole, contents, strict=True):
            if isinstance(content, str):
                batch.rejections.append(Rejection(item, content))
            else:
                letter = Letter(item.path, _item_in(content), hashlib.sha256(content).hexdigest())
                batch.letters.append(letter)
        return batch

    return result


def contents_of(sealed: Sequence[Sealed], keys: Mapping[str, bytes]) -> list[bytes | str]:
    """The signed bytes of every item whose seal and signature hold, the reason against every other. For a process of its own."""
    private = {name: X25519PrivateKey.from_private_bytes(key) for name, key in keys.items()}
    contents: list[bytes | str] = []
    for one in sealed:
        try:
            contents.append(unsealed(one.box, envelope.split(one.content), private)[1])
        except RejectedError as error:
            contents.append(str(error))
    return contents


def unsealed(box: str, parts: envelope.Envelope, keys: Mapping[str, X25519PrivateKey]) -> tuple[ReadItem, bytes]:
    """The item in an envelope, and its signed bytes.

    Errors: RejectedError, with the reason for people.
    """
    content = envelope.opened(parts, box=box, keys=keys)
    read = reports.decode(content)
    item = read.item
    if item.client != parts.client:
        raise RejectedError(f"the envelope says {parts.client}, the item in it {item.client}")
    belongs = BOX_OF.get(type(item.body), box)
    if belongs != box:
        raise RejectedError(f"an item of this kind belongs into {belongs}, not into {box}")
    if item.sequence > HIGHEST_NUMBER or not 0 <= item.applied <= HIGHEST_NUMBER:
        raise RejectedError(f"the sequence {item.sequence} or the version {item.applied} of this item is impossible")
    if item.sequence - item.oldest_kept > UNACKNOWLEDGED_LIMIT:
        raise RejectedError(f"an item says that more than {UNACKNOWLEDGED_LIMIT} numbers of its client are unacknowledged")
    if isinstance(item.body, StatusMessages) and len(item.body.messages) > MESSAGES_PER_ITEM:
        raise RejectedError(f"{len(item.body.messages)} status messages are more than the {MESSAGES_PER_ITEM} of one item")
    return read, content


def _item_in(content: bytes) -> Item:
    """The item in signed bytes that were verified."""
    return reports.item_in(signed.split("item", content).payload)
