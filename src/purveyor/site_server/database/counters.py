"""Numbers that are given once and never again. Raised in the transaction that uses them."""

from sqlalchemy import Connection, insert, select, update

from purveyor.site_server.database import schema
from purveyor.wire.ids import PackageId

PACKAGE, COLLECTION, ADVERTISEMENT, WINDOW, REQUEST = "package", "collection", "advertisement", "window", "request"
SIGNING = "signing"
KINDS = (PACKAGE, COLLECTION, ADVERTISEMENT, WINDOW, REQUEST, SIGNING)
CAP, DP = "cap", "dp"


def source_of(package: PackageId) -> str:
    """The kind of the source versions of a package, where some are left out after a restore."""
    return f"source {package}"


def next_number(tx: Connection, kind: str) -> int:
    """The next number of a kind, 1 the first time."""
    counter = schema.counter
    raised = tx.execute(
        update(counter).where(counter.c.kind == kind).values(value=counter.c.value + 1).returning(counter.c.value)
    )
    value = raised.scalar_one_or_none()
    if value is not None:
        return int(value)
    tx.execute(insert(counter).values(kind=kind, value=1))
    return 1


def highest_number(tx: Connection, kind: str) -> int:
    """The highest number ever given of a kind; 0 when there is none."""
    value = tx.execute(select(schema.counter.c.value).where(schema.counter.c.kind == kind)).scalar_one_or_none()
    return int(value or 0)


def raise_to(tx: Connection, kind: str, value: int) -> None:
    """Makes sure that no number up to `value` is given any more. A counter is never lowered."""
    counter = schema.counter
    found = tx.execute(select(counter.c.value).where(counter.c.kind == kind)).scalar_one_or_none()
    if found is None:
        tx.execute(insert(counter).values(kind=kind, value=value))
    elif found < value:
        tx.execute(update(counter).where(counter.c.kind == kind).values(value=value))
