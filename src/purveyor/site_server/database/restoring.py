"""What a restore changes in rows that were true when the backup was made, and may not be any more. Used by `recovery` alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from purveyor.site_server.database import counters, points, schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.slices import slices
from purveyor.site_server.database.wanted import Kind
from purveyor.site_server.model.advertising import Options
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import PackageInfo
from purveyor.wire.reports import Facts

WINDOWS_REASON = "as it was published before the restore"

# --- what is published ------------------------------------------------------------------------------------------------


def named_paths(tx: Connection) -> frozenset[str]:
    """The down files that were named, or about to be, when the backup was made."""
    return frozenset(tx.execute(select(schema.down_file.c.path).where(schema.down_file.c.unnamed_since.is_(None))).scalars())


def begin_anew(tx: Connection, *, incarnation: int, publication: int) -> None:
    """A new incarnation of the site: every down file is written again, every shard signed again, every word compiled again."""
    tx.execute(update(schema.site).values(incarnation=incarnation, publication=publication))
    tx.execute(update(schema.down_file).values(written_at=None))
    tx.execute(update(schema.shard).values(is_wanted=True, is_written=False))
    points.forget_pushes(tx)
    for table, kind in ((schema.package, Kind.PACKAGE), (schema.collection, Kind.OFFERS)):
        ids = list(tx.execute(select(table.c.id)).scalars())
        for part in slices(ids):
            tx.execute(delete(schema.wanted).where(schema.wanted.c.kind == kind, schema.wanted.c.key.in_(part)))
            tx.execute(insert(schema.wanted), [{"kind": kind, "key": key, "wanted": 1, "published": 0} for key in part])
    tx.execute(delete(schema.wanted).where(schema.wanted.c.kind == Kind.SETTINGS))
    tx.execute(insert(schema.wanted).values(kind=Kind.SETTINGS, key="all", wanted=1, published=0))


def shard_publications(tx: Connection, generation: int) -> dict[int, int]:
    """The publication that each shard of a generation stated when the backup was made, by number."""
    table = schema.shard
    rows = tx.execute(select(table.c.number, table.c.publication).where(table.c.generation == generation))
    return {row.number: row.publication for row in rows}


def close_signing_requests(tx: Connection, now: datetime) -> None:
    """What was exported to be signed elsewhere stands on versions that are gone."""
    table = schema.signing_request
    tx.execute(update(table).where(table.c.state.in_(("open", "signed"))).values(state="dropped", closed_at=now))


def distrust_copies(tx: Connection, now: datetime) -> None:
    """No content counts as lying on a point before it was read there again."""
    table = schema.content_copy
    tx.execute(update(table).where(table.c.state == "verified").values(state="waiting", since=now, failures=0, problem=""))


def highest_numbers(tx: Connection) -> dict[str, int]:
    """The highest number ever given, by kind."""
    return {row.kind: int(row.value) for row in tx.execute(select(schema.counter.c.kind, schema.counter.c.value))}


def raise_numbers_within(tx: Connection, *, programs: int, assignments: int, versions: int) -> None:
    """Leaves out so many numbers of programs within each package, assignments of each advertisement, and source versions."""
    if programs:
        tx.execute(update(schema.package).values(highest_program=schema.package.c.highest_program + programs))
    table = schema.advertisement
    tx.execute(update(table).values(highest_assignment=table.c.highest_assignment + assignments))
    for package, number in tx.execute(select(schema.package.c.id, schema.package.c.source_version)).all():
        counters.raise_to(tx, counters.source_of(PackageId(package)), number + versions)


# --- packages ---------------------------------------------------------------------------------------------------------


def package_states(tx: Connection) -> dict[PackageId, str]:
    """The state of every package."""
    return {PackageId(row.id): row.state for row in tx.execute(select(schema.package.c.id, schema.package.c.state))}


def take_package(tx: Connection, info: PackageInfo, now: datetime) -> None:
    """A package as it was published: new, or in the place of an older state of it. Its content is another matter."""
    values = {
        "name": info.name,
        "version": info.version,
        "publisher": info.publisher,
        "source_version": info.source_version,
        "manifest": info.manifest or None,
        "size_bytes": info.size_bytes,
        "highest_program": info.highest_program,
    }
    changed = tx.execute(update(schema.package).where(schema.package.c.id == info.id).values(values))
    if changed.rowcount == 0:
        tx.execute(insert(schema.package).values(id=info.id, source="", state="active", created_at=now, **values))
    version = schema.source_version
    is_there = exists().where(version.c.package == info.id, version.c.number == info.source_version)
    if not tx.execute(select(is_there)).scalar():
        row = {"package": info.id, "number": info.source_version, "manifest": info.manifest or None, "taken_in_at": now}
        tx.execute(insert(version).values(row))
    table = schema.program
    known = set(tx.execute(select(table.c.number).where(table.c.package == info.id)).scalars())
    for program in info.programs:
        values = {"name": program.name, "definition": to_bytes(program).decode(), "deleted_at": None}
        if program.number in known:
            tx.execute(update(table).where(table.c.package == info.id, table.c.number == program.number).values(values))
        else:
            tx.execute(insert(table).values(package=info.id, number=program.number, is_enabled=True, **values))
    gone = known - {program.number for program in info.programs}
    of_it = update(table).where(table.c.package == info.id, table.c.number.in_(sorted(gone)), table.c.deleted_at.is_(None))
    tx.execute(of_it.values(deleted_at=now))


def manifests_kept(tx: Connection) -> list[str]:
    """The content that the site has, by its hash."""
    table = schema.manifest
    return list(tx.execute(select(table.c.sha256).where(table.c.removed_at.is_(None)).order_by(table.c.sha256)).scalars())


def manifests_needed(tx: Connection) -> dict[str, list[PackageId]]:
    """The content that active packages consist of, by its hash."""
    table = schema.package
    rows = tx.execute(select(table.c.id, table.c.manifest).where(table.c.state == "active", table.c.manifest.is_not(None)))
    found: dict[str, list[PackageId]] = {}
    for row in rows:
        found.setdefault(row.manifest, []).append(PackageId(row.id))
    return found


# --- advertisements and collections -----------------------------------------------------------------------------------


def insert_collection(tx: Connection, collection: CollectionId, name: str, now: datetime) -> None:
    """A collection that was published and is not in the backup."""
    tx.execute(insert(schema.collection).values(id=collection, name=name, is_all_systems=False, is_named=True, created_at=now))


def advertisement_rows(tx: Connection) -> dict[AdvertisementId, dict[str, object]]:
    """Every advertisement, deleted or not."""
    return {AdvertisementId(row["id"]): dict(row) for row in tx.execute(select(schema.advertisement)).mappings()}


def take_advertisement(
    tx: Connection, said: Advertisement, collection: CollectionId, before: Mapping[str, object] | None, now: datetime
) -> None:
    """An advertisement as it was published, paused: new, or in the place of an older state of it."""
    options = Options() if before is None else from_bytes(str(before["options"]).encode(), Options)
    reason = (options.ignores_windows_because or WINDOWS_REASON) if said.ignores_windows else ""
    taken = Options(
        rerun=said.rerun,
        priority=said.priority,
        users=said.users,
        groups=said.groups,
        is_visible=said.is_visible,
        postpone_seconds=said.postpone_seconds,
        spread_seconds=said.spread_seconds,
        ignores_windows_because=reason,
        over_slow_link=said.over_slow_link,
    )
    highest = max((one.number for one in said.assignments), default=0)
    values = {
        "package": said.package,
        "program": said.program,
        "collection": collection,
        "available_from": said.available_from,
        "expires_at": said.expires_at,
        "is_paused": True,
        "each_version": said.each_version,
        "highest_assignment": max(highest, int(str(before["highest_assignment"])) if before else 0),
        "assignments": to_bytes(said.assignments).decode(),
        "options": to_bytes(taken).decode(),
    }
    table = schema.advertisement
    if before is not None:
        tx.execute(update(table).where(table.c.id == said.id).values(values))
        return
    name = f"{said.id}, made after the backup"
    tx.execute(insert(table).values(id=said.id, name=name, created_at=now, created_by="site restore", **values))


def pause_all(tx: Connection) -> list[tuple[AdvertisementId, str]]:
    """Pauses every standing advertisement. Shape: id and name of those that were not paused."""
    table = schema.advertisement
    stands = (table.c.deleted_at.is_(None), table.c.is_paused.is_(False))
    rows = tx.execute(select(table.c.id, table.c.name).where(*stands).order_by(table.c.id)).all()
    tx.execute(update(table).where(*stands).values(is_paused=True))
    return [(AdvertisementId(row.id), row.name) for row in rows]


# --- clients ----------------------------------------------------------------------------------------------------------


def client_states(tx: Connection, ids: Collection[ClientId]) -> dict[ClientId, tuple[int, str]]:
    """Number and state of those of these clients that the site has."""
    table = schema.client
    found: dict[ClientId, tuple[int, str]] = {}
    for part in slices(ids):
        rows = tx.execute(select(table.c.id, table.c.number, table.c.state).where(table.c.id.in_(part)))
        found.update((ClientId(row.id), (row.number, row.state)) for row in rows)
    return found


def insert_clients(tx: Connection, states: Iterable[tuple[ClientId, str, str]], now: datetime) -> None:
    """Clients of which only their shard is known: id, state, reason. They say themselves what they are called."""
    rows = []
    for client, state, reason in states:
        name = f"client {client[:8]}"
        facts = to_bytes(Facts(name=name, platform="")).decode()
        key = int(client[:8], 16)
        row = {"id": client, "shard_key": key, "public_key": "", "name": name, "state": state, "reason": reason}
        rows.append(row | {"facts": facts, "joined_at": now})
    if rows:
        tx.execute(insert(schema.client), rows)


def count_clients(tx: Connection) -> int:
    """How many clients the site has a row of."""
    return int(tx.execute(select(func.count()).select_from(schema.client)).scalar_one())


# --- what is listed for people ----------------------------------------------------------------------------------------


def newest_restore(tx: Connection) -> AnyRow | None:
    """The audit's row of the newest restore."""
    table = schema.audit
    statement = select(table).where(table.c.action == "site.restore").order_by(table.c.id.desc()).limit(1)
    return tx.execute(statement).one_or_none()


def decisions_since(tx: Connection, row: int) -> list[tuple[str, str, str]]:
    """What the newest restore left to people, and which clients came back since. Shape: kind, about, detail as JSON."""
    table = schema.audit
    is_meant = or_(table.c.action.like("restore.%"), table.c.action == "client.return")
    statement = select(table.c.action, table.c.object, table.c.detail).where(table.c.id > row, is_meant)
    return [(one.action, one.object, one.detail) for one in tx.execute(statement.order_by(table.c.id))]


def acts_since(tx: Connection, row: int, beginning: Collection[str]) -> Sequence[AnyRow]:
    """What was done after a row of the audit, oldest first: actions that begin with one of these words."""
    table = schema.audit
    is_meant = or_(*(table.c.action.like(f"{word}%") for word in beginning))
    return tx.execute(select(table).where(table.c.id > row, is_meant).order_by(table.c.id)).all()


def paused_among(tx: Connection, ids: Collection[str]) -> frozenset[str]:
    """Those of these advertisements that stand and are paused."""
    table = schema.advertisement
    found: set[str] = set()
    for part in slices(ids):
        stands = (table.c.id.in_(part), table.c.deleted_at.is_(None), table.c.is_paused)
        found.update(tx.execute(select(table.c.id).where(*stands)).scalars())
    return frozenset(found)
