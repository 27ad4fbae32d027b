"""The holders of packages on their way out: who they are, and what they have said to be removed and forgotten.

Written by `receive`, from what clients send; who holds a package when it is deleted is written down by `packages`.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.slices import slices
from purveyor.site_server.model.retirement import LEAVING, PackageState
from purveyor.wire.ids import PackageId


class OpenHolding(NamedTuple):
    """A client that holds a package on its way out and has not yet said that it forgot it."""

    package: PackageId
    client: int
    state: PackageState
    removing_snapshot: int | None
    retired_snapshot: int | None
    is_removed: bool


def open_holdings(tx: Connection, clients: Collection[int]) -> list[OpenHolding]:
    """What these clients hold of packages on their way out and have not yet said to be forgotten."""
    holder, package = schema.holder, schema.package
    columns = (
        holder.c.package,
        holder.c.client,
        package.c.state,
        package.c.removing_snapshot,
        package.c.retired_snapshot,
        holder.c.removed_at.is_not(None),
    )
    found: list[OpenHolding] = []
    for part in slices(clients):
        statement = (
            select(*columns)
            .join(package, package.c.id == holder.c.package)
            .where(holder.c.client.in_(part), holder.c.acknowledged_at.is_(None), package.c.state.in_(LEAVING))
        )
        found += [
            OpenHolding(PackageId(row[0]), row[1], PackageState(row[2]), row[3], row[4], bool(row[5]))
            for row in tx.execute(statement).all()
        ]
    return found


def mark_removed(tx: Connection, holdings: Iterable[tuple[PackageId, int]], now: datetime) -> None:
    """Records that these clients (package, client) have uninstalled what is being removed."""
    _mark(tx, "removed_at", holdings, now)


def mark_acknowledged(tx: Connection, holdings: Iterable[tuple[PackageId, int]], now: datetime) -> None:
    """Records that these clients (package, client) have forgotten the package."""
    _mark(tx, "acknowledged_at", holdings, now)


def mark_gone_clients(tx: Connection, clients: Sequence[int], now: datetime) -> None:
    """Records of clients that left for good that nothing more is awaited of them."""
    holder = schema.holder
    for column in (holder.c.removed_at, holder.c.acknowledged_at):
        statement = update(holder).where(holder.c.client == bindparam("of"), column.is_(None)).values({column: now})
        if clients:
            tx.execute(statement, [{"of": client} for client in clients])


def leaving_among(tx: Connection, packages: Collection[PackageId]) -> frozenset[PackageId]:
    """Those of these packages that are on their way out, so that whoever names them is a holder."""
    return _in_states(tx, packages, LEAVING)


def active_among(tx: Connection, packages: Collection[PackageId]) -> frozenset[PackageId]:
    """Those of these packages that are active."""
    return _in_states(tx, packages, frozenset({PackageState.ACTIVE}))


def add_holders(tx: Connection, holdings: Collection[tuple[PackageId, int]]) -> int:
    """Makes these clients (package, client) holders where they are not yet. Shape: how many became one."""
    holder = schema.holder
    clients = sorted({client for _, client in holdings})
    known: set[tuple[str, int]] = set()
    for part in slices(clients):
        rows = tx.execute(select(holder.c.package, holder.c.client).where(holder.c.client.in_(part))).all()
        known.update((package, client) for package, client in rows)
    new = sorted(set(holdings) - known)
    if new:
        tx.execute(insert(holder), [{"package": package, "client": client} for package, client in new])
    return len(new)


def add_offered_before(tx: Connection, holdings: Collection[tuple[PackageId, int]]) -> None:
    """Remembers that these clients (package, client) know an active package of which no job is known here.

    So they count as its holders when it is deleted, even if every report about it was lost.
    """
    known: set[tuple[str, int]] = set()
    for part in slices(sorted({client for _, client in holdings})):
        for table in (schema.job_state, schema.offered_before):
            rows = tx.execute(select(table.c.package, table.c.client).where(table.c.client.in_(part)).distinct()).all()
            known.update((package, client) for package, client in rows)
    new = sorted(set(holdings) - known)
    if new:
        tx.execute(insert(schema.offered_before), [{"package": package, "client": client} for package, client in new])


def _mark(tx: Connection, column: str, holdings: Iterable[tuple[PackageId, int]], now: datetime) -> None:
    holder = schema.holder
    is_this = and_(holder.c.package == bindparam("of_package"), holder.c.client == bindparam("of_client"))
    rows = [{"of_package": package, "of_client": client} for package, client in holdings]
    if rows:
        tx.execute(update(holder).where(is_this, holder.c[column].is_(None)).values({column: now}), rows)


def _in_states(tx: Connection, packages: Collection[PackageId], states: frozenset[PackageState]) -> frozenset[PackageId]:
    found: set[PackageId] = set()
    for part in slices(packages):
        statement = select(schema.package.c.id).where(schema.package.c.id.in_(part), schema.package.c.state.in_(states))
        found.update(PackageId(name) for name in tx.execute(statement).scalars())
    return frozenset(found)
