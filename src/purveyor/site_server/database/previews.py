"""Whom an advertisement reaches, and what decides when it runs there. Read only."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, and_, func, or_, select

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.slices import slices
from purveyor.site_server.database.windows import window_in
from purveyor.wire.ids import CollectionId
from purveyor.wire.offers import Window
from purveyor.wire.package_info import ProgramKey

_IN_ONE_PIECE = 10_000


def facts_of_members(tx: Connection, collection: CollectionId) -> Iterator[str]:
    """What each member is, as JSON of `wire.reports.Facts`: a piece at a time, however many there are."""
    client, member = schema.client, schema.member
    statement = select(client.c.facts).join(member, member.c.client == client.c.number).where(member.c.collection == collection)
    yield from tx.execute(statement.execution_options(yield_per=_IN_ONE_PIECE)).scalars()


def members(tx: Connection, collection: CollectionId, key: ProgramKey, *, containing: str = "", limit: int) -> Sequence[AnyRow]:
    """Members by name, with `job_state` and `job_at` of one program where they told of it; those with a part in their name."""
    client, member, job = schema.client, schema.member, schema.job_state
    joined = and_(job.c.client == client.c.number, job.c.package == key.package, job.c.program == key.program)
    statement = (
        select(
            client.c.number,
            client.c.id,
            client.c.name,
            client.c.facts,
            client.c.last_seen_at,
            job.c.state.label("job_state"),
            job.c.at.label("job_at"),
        )
        .join(member, member.c.client == client.c.number)
        .outerjoin(job, joined)
        .where(member.c.collection == collection)
        .order_by(client.c.name, client.c.id)
        .limit(limit)
    )
    if containing:
        is_like = func.lower(client.c.name).contains(containing.lower(), autoescape=True)
        statement = statement.where(or_(is_like, client.c.id == containing.lower()))
    return tx.execute(statement).all()


def windows_by_client(tx: Connection, clients: Collection[int]) -> dict[int, tuple[Window, ...]]:
    """The maintenance windows that reach each of these clients, by whichever of its collections."""
    member, window = schema.member, schema.maintenance_window
    found: dict[int, tuple[Window, ...]] = {}
    for part in slices(sorted(clients)):
        statement = (
            select(member.c.client, window.c.definition)
            .join(window, window.c.collection == member.c.collection)
            .where(member.c.client.in_(part), window.c.deleted_at.is_(None))
            .order_by(member.c.client, window.c.number)
        )
        for row in tx.execute(statement):
            found[row.client] = (*found.get(row.client, ()), window_in(row))
    return found
