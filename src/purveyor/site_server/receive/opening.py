"""From the bytes of an item to a letter that is known to come from the client that it names. Pure.

Whether the site knows that client, and what to believe, is judged afterwards.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from purveyor.site_server.receive.reading import Taken
from purveyor.wire import envelope, reports
from purveyor.wire.errors import RejectedError
from purveyor.wire.reports import BOX_OF, MESSAGES_PER_ITEM, Item, StatusMessages

HIGHEST_NUMBER = 2**53
"""Above this no sequence or version is believed: both databases can hold it, and so can any reader of JSON."""


class Letter(NamedTuple):
    """An item whose seal and signature hold. `path` is where it lies."""

    path: str
    item: Item
    digest: str


class Rejection(NamedTuple):
    """An item that is set aside, and why."""

    taken: Taken
    reason: str


def opened(taken: Taken, keys: Mapping[str, X25519PrivateKey]) -> Letter:
    """The letter in an item.

    Errors: RejectedError, with the reason for people.
    """
    if taken.parts is None:
        raise RejectedError(taken.problem)
    content = envelope.opened(taken.parts, box=taken.box.name, keys=keys)
    item, digest = reports.decode(content)
    if item.client != taken.parts.client:
        raise RejectedError(f"the envelope says {taken.parts.client}, the item in it {item.client}")
    belongs = BOX_OF[type(item.body)]
    if belongs != taken.box.name:
        raise RejectedError(f"an item of this kind belongs into {belongs}, not into {taken.box.name}")
    if item.sequence > HIGHEST_NUMBER or not 0 <= item.applied <= HIGHEST_NUMBER:
        raise RejectedError(f"the sequence {item.sequence} or the version {item.applied} of this item is impossible")
    if isinstance(item.body, StatusMessages) and len(item.body.messages) > MESSAGES_PER_ITEM:
        raise RejectedError(f"{len(item.body.messages)} status messages are more than the {MESSAGES_PER_ITEM} of one item")
    return Letter(taken.path, item, digest)
