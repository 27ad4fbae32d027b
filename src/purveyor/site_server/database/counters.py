"""Numbers that are given once and never again. Raised in the transaction that uses them."""

import re

from sqlalchemy import Connection, bindparam, insert, select, update

from purveyor.site_server.database import schema
from purveyor.wire.ids import PackageId, number_of

PACKAGE, COLLECTION, ADVERTISEMENT, WINDOW, REQUEST = "package", "collection", "advertisement", "window", "request"
SIGNING = "signing"
KINDS = (PACKAGE, COLLECTION, ADVERTISEMENT, WINDOW, REQUEST, SIGNING)
CAP, DP = "cap", "dp"
_WITH_IDS = (PACKAGE, COLLECTION, ADVERTISEMENT)
_RAISE = (
    update(schema.counter)
    .where(schema.counter.c.kind == bindparam("of"))
    .values(value=schema.counter.c.value + 1)
    .returning(schema.counter.c.value)
)
_NOUNS = {**{kind: kind for kind in (*_WITH_IDS, WINDOW)}, CAP: "point", DP: "point"}


def source_of(package: PackageId) -> str:
    """The kind of the source versions of a package, where some are left out after a restore."""
    return f"source {package}"


def next_number(tx: Connection, kind: str) -> int:
    """The next number of a kind, 1 the first time. A counter that was lost goes on above all that was ever given (Q227021)."""
    value = tx.execute(_RAISE, {"of": kind}).scalar_one_or_none()
    if value is not None:
        return int(value)
    first = _highest_found(tx, kind) + 1
    tx.execute(insert(schema.counter).values(kind=kind, value=first))
    return first


def _highest_found(tx: Connection, kind: str) -> int:
    """The highest number of a kind that is found anywhere: among what there is, and in the audit, which forgets nothing."""
    if kind in _NOUNS:
        action = f"{_NOUNS[kind]}.add"
        made = tx.scalars(select(schema.audit.c.object).where(schema.audit.c.action == action)).all()
        there = tx.scalars(select(schema.metadata.tables[kind].c.id)).all() if kind in _WITH_IDS else []
        return max((_number_in(kind, one) for one in (*made, *there)), default=0)
    tables = {REQUEST: schema.request.c.number, SIGNING: schema.signing_request.c.number}
    return max(tx.scalars(select(tables[kind])), default=0) if kind in tables else 0


def _number_in(kind: str, name: str) -> int:
    """The number in an id, in `window 3`, or in `cap1`; 0 in the name of another kind."""
    if kind in _WITH_IDS:
        return number_of(PackageId(name))
    found = re.fullmatch(rf"{kind} ?([0-9]+)", name)
    return int(found[1]) if found else 0


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
