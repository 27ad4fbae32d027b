"""What is known of one client and one program, for whoever asks why it is there or not. Read only, a few rows each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, and_, exists, func, literal, or_, select, tuple_

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.database.wanted import Kind
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.shards import ClientState
from purveyor.wire.status_messages import StatusId

TROUBLES = (StatusId.POINT_WITHHOLDS, StatusId.POINT_UNPINNED, StatusId.CLOCK_DIFFERS, StatusId.POLICY_PROBLEM)
"""What a client tells of its points and its clock, rather than of a program."""
_SNAPSHOT = ".snapshot.json"
_DOWN = "clidata.box/"


class Snapshots(NamedTuple):
    """The newest snapshot, and when those that are still kept were written. Shape: (version, time), the oldest first."""

    newest: int
    written: tuple[tuple[int, datetime], ...]


# --- the client ---


def refusal(tx: Connection, text: str) -> AnyRow | None:
    """The newest refusal of a machine with this id or name."""
    table = schema.refusal
    is_meant = or_(table.c.client_id == text.lower(), table.c.name == text)
    return tx.execute(select(table).where(is_meant).order_by(table.c.at.desc()).limit(1)).one_or_none()


def newest_named(tx: Connection, name: str) -> ClientId | None:
    """The client with this name that came last, whatever its state."""
    table = schema.client
    found = tx.execute(
        select(table.c.id).where(table.c.name == name).order_by(table.c.number.desc()).limit(1)
    ).scalar_one_or_none()
    return None if found is None else ClientId(found)


def arrivals(tx: Connection, client: int, limit: int) -> list[datetime]:
    """When the newest items of a client arrived, the newest first."""
    item = schema.upward_item
    statement = select(item.c.arrived_at).where(item.c.client == client).order_by(item.c.sequence.desc()).limit(limit)
    return list(tx.execute(statement).scalars())


def has_other_heard(tx: Connection, client: int, since: datetime) -> bool:
    """Whether any other client was heard of since then: the first that is found answers."""
    table = schema.client
    statement = select(table.c.number).where(table.c.last_seen_at >= since, table.c.number != client).limit(1)
    return tx.execute(statement).one_or_none() is not None


def has_other_member(tx: Connection, client: int, since: datetime) -> bool:
    """Whether there is another member of the site that had joined by then."""
    table = schema.client
    is_other = and_(table.c.state == ClientState.MEMBER.value, table.c.joined_at < since, table.c.number != client)
    return tx.execute(select(table.c.number).where(is_other).limit(1)).one_or_none() is not None


def jobs(tx: Connection, client: int, programs: Collection[ProgramKey]) -> dict[ProgramKey, AnyRow]:
    """Where these programs stand on a client, as far as it spoke of them."""
    job = schema.job_state
    statement = select(job).where(job.c.client == client, tuple_(job.c.package, job.c.program).in_(sorted(programs)))
    return {ProgramKey(PackageId(row.package), row.program): row for row in tx.execute(statement)}


def programs_spoken_of(tx: Connection, client: int, package: PackageId) -> list[int]:
    """The programs of a package that a client has spoken of."""
    job = schema.job_state
    return list(tx.execute(select(job.c.program).where(job.c.client == client, job.c.package == package)).scalars())


def messages(tx: Connection, client: int, program: ProgramKey, limit: int) -> Sequence[AnyRow]:
    """What a client told of a program, the newest first."""
    message = schema.status_message
    return tx.execute(
        select(message)
        .where(message.c.client == client, message.c.package == program.package, message.c.program == program.program)
        .order_by(message.c.sequence.desc(), message.c.position.desc())
        .limit(limit)
    ).all()


def troubles(tx: Connection, client: int, limit: int) -> Sequence[AnyRow]:
    """What a client told of its points and its clock, or the site of them, the newest first."""
    message = schema.status_message
    return tx.execute(
        select(message)
        .where(message.c.client == client, message.c.status.in_([int(one) for one in TROUBLES]))
        .order_by(message.c.sequence.desc(), message.c.position.desc())
        .limit(limit)
    ).all()


def heard_of(tx: Connection, client: int, advertisement: AdvertisementId) -> datetime | None:
    """When the newest word of a client about an advertisement arrived."""
    message = schema.status_message
    statement = select(func.max(message.c.arrived_at)).where(message.c.client == client, message.c.advertisement == advertisement)
    return tx.execute(statement).scalar_one_or_none()


def holding(tx: Connection, client: int, package: PackageId) -> AnyRow | None:
    """What a client that holds a deleted package has said of that."""
    holder = schema.holder
    return tx.execute(select(holder).where(holder.c.client == client, holder.c.package == package)).one_or_none()


# --- what was decided ---


def deeds(tx: Connection, about: Collection[str], limit: int) -> Sequence[AnyRow]:
    """What was done to these things, the newest first."""
    table = schema.audit
    return tx.execute(
        select(table.c.at, table.c.actor, table.c.action, table.c.object, table.c.detail)
        .where(table.c.object.in_(sorted(about)))
        .order_by(table.c.id.desc())
        .limit(limit)
    ).all()


def gone_advertisements(tx: Connection, program: ProgramKey, limit: int) -> Sequence[AnyRow]:
    """`id`, `name`, `collection_name` and `deleted_at` of the deleted advertisements of a program, the last one first."""
    table, collection = schema.advertisement, schema.collection
    return tx.execute(
        select(table.c.id, table.c.name, table.c.deleted_at, collection.c.name.label("collection_name"))
        .join(collection, collection.c.id == table.c.collection)
        .where(table.c.package == program.package, table.c.program == program.program, table.c.deleted_at.is_not(None))
        .order_by(table.c.deleted_at.desc())
        .limit(limit)
    ).all()


def rules(tx: Connection, collections: Collection[CollectionId], client: int) -> Sequence[AnyRow]:
    """The rules of these collections that name this client or another collection.

    Shape: `collection`, `kind`, `other`, `other_name`, and `holds`: it names the client, or a collection that has it.
    """
    rule, collection, member = schema.collection_rule, schema.collection, schema.member
    is_member = exists().where(member.c.collection == rule.c.other, member.c.client == client)
    return tx.execute(
        select(
            rule.c.collection,
            rule.c.kind,
            rule.c.other,
            collection.c.name.label("other_name"),
            or_(rule.c.client == client, and_(rule.c.other.is_not(None), is_member)).label("holds"),
        )
        .outerjoin(collection, collection.c.id == rule.c.other)
        .where(rule.c.collection.in_(sorted(collections)), or_(rule.c.client == client, rule.c.other.is_not(None)))
        .order_by(rule.c.collection, rule.c.id)
    ).all()


def requests(tx: Connection, advertisement: AdvertisementId, client: int, limit: int) -> Sequence[AnyRow]:
    """The requests about an advertisement, the newest first, with `outcome`, `text` and `answered_at` of this client."""
    table, answer = schema.request, schema.request_answer
    is_own = and_(answer.c.request == table.c.number, answer.c.client == client)
    return tx.execute(
        select(table, answer.c.outcome, answer.c.text, answer.c.arrived_at.label("answered_at"))
        .outerjoin(answer, is_own)
        .where(table.c.advertisement == advertisement)
        .order_by(table.c.number.desc())
        .limit(limit)
    ).all()


# --- content and publication ---


def copies(tx: Connection, manifests: Collection[str]) -> Sequence[AnyRow]:
    """The copies of these manifests, by manifest and point."""
    copy = schema.content_copy
    statement = select(copy).where(copy.c.manifest.in_(sorted(manifests)))
    return tx.execute(statement.order_by(copy.c.manifest, copy.c.point)).all()


def served_versions(tx: Connection, packages: Collection[PackageId]) -> dict[PackageId, int]:
    """The newest source version of each of these packages that clients can have: it lies on a point, or has no content."""
    version, copy = schema.source_version, schema.content_copy
    is_held = exists().where(copy.c.manifest == version.c.manifest, copy.c.state == "verified")
    statement = (
        select(version.c.package, func.max(version.c.number))
        .where(version.c.package.in_(sorted(packages)), or_(version.c.manifest.is_(None), is_held))
        .group_by(version.c.package)
    )
    return {PackageId(package): number for package, number in tx.execute(statement).all()}


def taken_in(tx: Connection, packages: Collection[PackageId]) -> dict[PackageId, datetime]:
    """When the newest source version of each of these packages was taken in."""
    version = schema.source_version
    statement = select(version.c.package, version.c.taken_in_at).where(version.c.package.in_(sorted(packages)))
    return {PackageId(row.package): row.taken_in_at for row in tx.execute(statement.order_by(version.c.number)).all()}


def unpublished(tx: Connection, packages: Collection[PackageId], collection: CollectionId) -> Sequence[AnyRow]:
    """What of these packages and of a collection is to be published anew: `kind`, `key`, `wanted`, `published`."""
    table = schema.wanted
    is_meant = or_(
        and_(table.c.kind == Kind.PACKAGE, table.c.key.in_(sorted(packages))),
        and_(table.c.kind.in_((Kind.OFFERS, Kind.NAMING)), table.c.key == collection),
    )
    return tx.execute(
        select(table).where(is_meant, table.c.wanted != table.c.published).order_by(table.c.kind, table.c.key)
    ).all()


def count_unwritten(tx: Connection) -> int:
    """How many signed files are not in the box yet."""
    table = schema.down_file
    return int(tx.execute(select(func.count()).select_from(table).where(table.c.written_at.is_(None))).scalar_one())


def written_at(tx: Connection, targets: Collection[str]) -> datetime | None:
    """When the newest of these targets was written as it is named now; None: none is."""
    table = schema.down_file
    found = []
    for target in targets:
        box, _, name = target.rpartition("/")
        statement = select(func.max(table.c.written_at)).where(
            table.c.path > f"{box}/", table.c.path < f"{box}0", table.c.path.endswith(f".{name}"), table.c.unnamed_since.is_(None)
        )
        found.append(tx.execute(statement).scalar_one_or_none())
    return max((at for at in found if at is not None), default=None)


def snapshots(tx: Connection) -> Snapshots:
    """The snapshots that are kept."""
    table = schema.down_file
    newest = int(tx.execute(select(schema.role.c.version).where(schema.role.c.name == "snapshot")).scalar_one_or_none() or 0)
    rows = tx.execute(
        select(table.c.path, table.c.written_at).where(
            table.c.path > _DOWN, table.c.path.endswith(_SNAPSHOT), table.c.written_at.is_not(None)
        )
    ).all()
    written = sorted((int(row.path.removeprefix(_DOWN).removesuffix(_SNAPSHOT)), row.written_at) for row in rows)
    return Snapshots(newest, tuple(written))


class ShardRow(NamedTuple):
    """A shard as it stands: `content` lies in the box where `is_written`, and another one is to follow where `is_wanted`."""

    content: bytes | None
    is_wanted: bool
    is_written: bool


def shard_of(tx: Connection, shard_key: int) -> ShardRow | None:
    """The shard of a client, in the generation that clients read."""
    generation, shard = schema.shard_generation, schema.shard
    newest = select(func.max(generation.c.generation)).where(generation.c.announced_at.is_not(None)).scalar_subquery()
    number = literal(shard_key, BigInteger).bitwise_rshift(literal(32, Integer) - generation.c.bits)
    row = tx.execute(
        select(shard.c.content, shard.c.is_wanted, shard.c.is_written)
        .join(generation, generation.c.generation == shard.c.generation)
        .where(shard.c.generation == newest, shard.c.number == number)
    ).one_or_none()
    return None if row is None else ShardRow(*row)
