"""Upward items: whose they are, and what can be none."""

from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.wire import reports, signed
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import client_id_of
from purveyor.wire.reports import BOX_OF, Body, Item, Leaving, StatusMessage, StatusMessages
from purveyor.wire.status_messages import StatusId

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
PUBLIC = KEY.public_key().public_bytes_raw()
ITEM = Item(
    client=client_id_of(PUBLIC),
    public_key=PUBLIC.hex(),
    sequence=7,
    oldest_kept=3,
    incarnation=1,
    applied=4,
    made_at=NOW,
    body=Leaving(),
)


def signed_item(**changes: object) -> bytes:
    """An item with some of its fields changed, signed as it is."""
    return signed.sign("item", to_bytes(msgspec.structs.replace(ITEM, **changes)), KEY)


def test_an_item_is_known_by_the_digest_of_its_bytes() -> None:
    one, again, other = reports.encode(ITEM, KEY), reports.encode(ITEM, KEY), signed_item(sequence=8)
    assert reports.decode(one).digest == reports.decode(again).digest
    assert reports.decode(one).digest != reports.decode(other).digest


def test_an_item_signed_by_another_key_than_it_names_is_rejected() -> None:
    with pytest.raises(RejectedError, match="does not hold"):
        reports.decode(reports.encode(ITEM, OTHER))


def test_an_item_in_another_clients_name_is_rejected() -> None:
    other = client_id_of(OTHER.public_key().public_bytes_raw())
    with pytest.raises(RejectedError, match="belongs to another client"):
        reports.decode(signed_item(client=other))


@pytest.mark.parametrize(
    "public_key", ["", "zz", PUBLIC.hex().upper(), f"{PUBLIC.hex()[:10]} {PUBLIC.hex()[10:]}", PUBLIC.hex()[2:]]
)
def test_a_public_key_has_one_spelling(public_key: str) -> None:
    with pytest.raises(RejectedError):
        reports.decode(signed_item(public_key=public_key))


@pytest.mark.parametrize(("sequence", "oldest_kept"), [(0, 0), (-1, -1), (3, 4)])
def test_an_impossible_sequence_is_rejected(sequence: int, oldest_kept: int) -> None:
    with pytest.raises(RejectedError, match="impossible"):
        reports.decode(signed_item(sequence=sequence, oldest_kept=oldest_kept))


def test_an_item_larger_than_a_box_takes_is_neither_written_nor_read() -> None:
    text = "x" * reports.SIZE_LIMIT_BYTES
    body = StatusMessages(messages=(StatusMessage(id=StatusId.JOB_WAITING, at=NOW, text=text),))
    with pytest.raises(RejectedError, match="more than the"):
        reports.encode(msgspec.structs.replace(ITEM, body=body), KEY)
    with pytest.raises(RejectedError, match="too large"):
        reports.decode(signed_item(body=body))


def test_an_item_full_of_messages_fits_into_its_box() -> None:
    longest = StatusMessage(
        id=StatusId.FAILED_BY_EXIT_CODE,
        at=NOW,
        package="S0100001",
        program=2**31 - 1,
        advertisement="S0120001",
        occurrence="S0120001.1@2026-01-05T08:00:00.000000+00:00",
        source_version=2**31 - 1,
        exit_code=2**32 - 1,
        text="x" * reports.TEXT_LIMIT,
    )
    body = StatusMessages(messages=(longest,) * reports.MESSAGES_PER_ITEM)
    assert len(reports.encode(msgspec.structs.replace(ITEM, body=body), KEY)) < reports.SIZE_LIMIT_BYTES


def test_every_kind_of_item_has_its_box() -> None:
    up = {box.name for box in UP_BOXES}
    assert set(BOX_OF) == set(Body.__args__)
    assert set(BOX_OF.values()) <= up
