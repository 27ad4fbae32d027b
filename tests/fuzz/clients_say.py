"""What clients say to the site."""

from collections.abc import Mapping

from fuzz import seeds
from fuzz.parser import Parser
from purveyor.site_server.receive.opening import unsealed
from purveyor.wire import (
    envelope,
    reports,
    signed,
)
from purveyor.wire.form import to_bytes
from upward_items import SEALED_TO, SEALING


def opened(content: bytes, box: str) -> object:
    """A sealed item as the site opens it."""
    return unsealed(box, envelope.split(content), {SEALED_TO.id: SEALING})[0].item


def sealed_for(box: str, payload: bytes) -> bytes:
    """A payload signed and sealed by the client whose it is."""
    item = signed.sign("item", payload, seeds.MACHINE.key)
    return envelope.seal(item, client=seeds.MACHINE.id, box=box, key=SEALED_TO)


def of_items(place: int) -> Parser:
    """One kind of upward item."""
    box = reports.BOX_OF[type(seeds.BODIES[place])]
    return Parser(
        read=lambda content: opened(content, box),
        seeds=[seeds.ITEMS[place]],
        seal=lambda payload: sealed_for(box, payload),
        write=lambda item: sealed_for(box, to_bytes(item)),
        reads=(
            "site_server/receive/opening.py:unsealed",
            "wire/envelope.py:split",
            "wire/envelope.py:opened",
            "wire/reports.py:decode",
        ),
    )


FROM_CLIENTS: Mapping[str, Parser] = {
    f"{type(body).__name__.lower()} item": of_items(place) for place, body in enumerate(seeds.BODIES)
}
