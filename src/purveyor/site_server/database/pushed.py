"""What lies on each CAP that the site pushes to, and what it lacks of what is published. Read and written by `publish` alone.

A point has caught up when every down file and shard of the database lies there. Nothing is a message that could be missed: what
is to be written and what is to be removed come of comparing two sets of rows, however long a point was away.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, delete, exists, func, insert, literal, or_, select, update

from purveyor.site_server.database import publication, schema
from purveyor.site_server.database.points import PointRow
from purveyor.site_server.database.slices import slices

TIMESTAMP, ROOT = "clidata.box/timestamp.json", "clidata.box/root.json"
MUTABLE = {TIMESTAMP: "timestamp", ROOT: "root"}
"""The down files that are replaced, and the roles that they are."""
STRANGE = -1
"""The revision of a file that the site found on a point and had not put there."""


class FileRow(NamedTuple):
    """A down file. `revision` is 0 for one that never changes; `is_named`: whether what is published names it."""

    path: str
    revision: int
    content: bytes
    is_named: bool = True


class ShardRow(NamedTuple):
    """A signed shard."""

    generation: int
    number: int
    publication: int
    content: bytes


def lacking_files(tx: Connection, point: str, limit: int) -> list[tuple[str, bool]]:
    """Down files that never change and do not lie on a point. Shape: path, and whether it is named; `limit` at most."""
    down, file = schema.down_file, schema.point_file
    lies_there = and_(file.c.point == point, file.c.path == down.c.path)
    statement = (
        select(down.c.path, down.c.unnamed_since.is_(None))
        .outerjoin(file, lies_there)
        .where(file.c.path.is_(None), down.c.path.not_in(list(MUTABLE)))
        .order_by(down.c.path)
        .limit(limit)
    )
    return [(row[0], bool(row[1])) for row in tx.execute(statement)]


def contents(tx: Connection, paths: Sequence[str]) -> dict[str, bytes]:
    """The bytes of down files."""
    down = schema.down_file
    return {
        row.path: bytes(row.content)
        for part in slices(list(paths))
        for row in tx.execute(select(down.c.path, down.c.content).where(down.c.path.in_(part)))
    }


def lacking_mutable(tx: Connection, point: str) -> list[FileRow]:
    """The root and the timestamp, in this order, as far as the point has others."""
    file = schema.point_file
    statement = select(file.c.path, file.c.revision).where(file.c.point == point, file.c.path.in_(list(MUTABLE)))
    held = {row.path: row.revision for row in tx.execute(statement)}
    found = []
    for path in (ROOT, TIMESTAMP):
        version = publication.role_version(tx, MUTABLE[path])
        if held.get(path) != version:
            found.append(FileRow(path, version, publication.read_role(tx, MUTABLE[path])))
    return found


def lacking_shards(tx: Connection, point: PointRow, limit: int, *, is_known: bool) -> list[ShardRow]:
    """Signed shards that do not lie on a point as they are: of generations that its settings know, or of later ones."""
    shard, held = schema.shard, schema.point_shard
    same = and_(held.c.point == point.id, held.c.generation == shard.c.generation, held.c.number == shard.c.number)
    of = shard.c.generation <= point.generation if is_known else shard.c.generation > point.generation
    differs = or_(held.c.publication.is_(None), held.c.publication != shard.c.publication)
    statement = (
        select(shard.c.generation, shard.c.number, shard.c.publication, shard.c.content)
        .outerjoin(held, same)
        .where(of, shard.c.content.is_not(None), differs)
        .order_by(shard.c.generation.desc(), shard.c.number)
        .limit(limit)
    )
    return [ShardRow(row[0], row[1], row[2], bytes(row[3])) for row in tx.execute(statement)]


def named_anew(tx: Connection, point: str) -> tuple[list[str], list[str]]:
    """Files on a point that nothing published names any more, and those that are named again, since it was last told."""
    down, file = schema.down_file, schema.point_file
    statement = select(file.c.path).outerjoin(down, down.c.path == file.c.path).where(file.c.point == point)
    is_gone = or_(down.c.path.is_(None), down.c.unnamed_since.is_not(None))
    leaving = tx.execute(statement.where(file.c.leaving_since.is_(None), is_gone)).scalars()
    back = tx.execute(statement.where(file.c.leaving_since.is_not(None), ~is_gone)).scalars()
    return list(leaving), list(back)


def set_lying(tx: Connection, point: str, files: Sequence[FileRow], shards: Sequence[ShardRow]) -> None:
    """These files and shards lie on a point."""
    file, shard = schema.point_file, schema.point_shard
    for part in slices([one.path for one in files]):
        tx.execute(delete(file).where(file.c.point == point, file.c.path.in_(part)))
    if files:
        rows = [{"point": point, "path": one.path, "revision": one.revision} for one in files]
        tx.execute(insert(file), rows)
    if shards:
        is_it = and_(shard.c.point == point, shard.c.generation == bindparam("of"), shard.c.number == bindparam("no"))
        tx.execute(delete(shard).where(is_it), [{"of": one.generation, "no": one.number} for one in shards])
        rows = [
            {"point": point, "generation": one.generation, "number": one.number, "publication": one.publication} for one in shards
        ]
        tx.execute(insert(shard), rows)


def set_leaving(tx: Connection, point: str, paths: Iterable[str], since: datetime | None) -> None:
    """Since when nothing that a point serves names these files; None: it names them."""
    file = schema.point_file
    for part in slices(list(paths)):
        tx.execute(update(file).where(file.c.point == point, file.c.path.in_(part)).values(leaving_since=since))


def set_brought(tx: Connection, point: PointRow, *, timestamp: int, generation: int, now: datetime) -> None:
    """A point serves this version of the timestamp, and settings that name this generation of shards."""
    table = schema.point
    since = case((table.c.generation == generation, table.c.generation_since), else_=literal(now, table.c.generation_since.type))
    tx.execute(
        update(table)
        .where(table.c.id == point.id, table.c.revision == point.revision)
        .values(publication=timestamp, generation=generation, generation_since=since)
    )


def removable_files(tx: Connection, point: str, before: datetime, limit: int) -> list[str]:
    """Files on a point that the site has removed at home, and that nothing there has named since before a time."""
    down, file = schema.down_file, schema.point_file
    is_published = exists().where(down.c.path == file.c.path)
    statement = select(file.c.path).where(file.c.point == point, file.c.leaving_since < before, ~is_published).limit(limit)
    return list(tx.execute(statement).scalars())


def put_there(tx: Connection, point: str, limit: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Files and shards on a point that the site itself put there, the timestamp and the root first; `limit` at most."""
    file = schema.point_file
    rank = case((file.c.path == TIMESTAMP, 0), (file.c.path == ROOT, 1), else_=2)
    statement = select(file.c.path).where(file.c.point == point, file.c.revision != STRANGE).order_by(rank, file.c.path)
    paths = list(tx.execute(statement.limit(limit)).scalars())
    return paths, shards_held(tx, point)[: limit - len(paths)]


def removable_shards(tx: Connection, point: PointRow, before: datetime, limit: int) -> list[tuple[int, int]]:
    """Shards on a point whose generation stands no more, once its settings have named a later one since before a time."""
    if point.generation_since is None or point.generation_since >= before:
        return []
    held, generation = schema.point_shard, schema.shard_generation
    stands = exists().where(generation.c.generation == held.c.generation)
    statement = select(held.c.generation, held.c.number).where(
        held.c.point == point.id, held.c.generation < point.generation, ~stands
    )
    return [(row[0], row[1]) for row in tx.execute(statement.limit(limit))]


def set_gone(tx: Connection, point: str, paths: Sequence[str], shards: Sequence[tuple[int, int]]) -> None:
    """These files and shards do not lie on a point any more."""
    file, shard = schema.point_file, schema.point_shard
    for part in slices(list(paths)):
        tx.execute(delete(file).where(file.c.point == point, file.c.path.in_(part)))
    if shards:
        is_it = and_(shard.c.point == point, shard.c.generation == bindparam("of"), shard.c.number == bindparam("no"))
        tx.execute(delete(shard).where(is_it), [{"of": generation, "no": number} for generation, number in shards])


def set_strange(tx: Connection, point: str, paths: Sequence[str], now: datetime) -> int:
    """Files that were found on a point and that nobody knows of: they leave as whatever is not named. Shape: how many."""
    known = schema.down_file.c.path
    strange = set(paths)
    for part in slices(list(paths)):
        strange -= set(tx.execute(select(known).where(known.in_(part))).scalars())
    set_lying(tx, point, [FileRow(path, STRANGE, b"") for path in sorted(strange)], ())
    set_leaving(tx, point, sorted(strange), now)
    return len(strange)


def keep_strange(tx: Connection, point: str, paths: AbstractSet[str], now: datetime) -> None:
    """Knows these strange files on a point and no others, each since it was found first."""
    file = schema.point_file
    held = set(tx.execute(select(file.c.path).where(file.c.point == point, file.c.revision == STRANGE)).scalars())
    set_gone(tx, point, sorted(held - paths), ())
    set_strange(tx, point, sorted(paths - held), now)


def expected_sizes(tx: Connection, point: str, folder: str) -> dict[str, int]:
    """What is known to lie in a box of a point. Shape: path to size; -1 where it is not published any more. Units: bytes."""
    down, file = schema.down_file, schema.point_file
    statement = (
        select(file.c.path, func.coalesce(func.length(down.c.content), -1))
        .outerjoin(down, down.c.path == file.c.path)
        .where(file.c.point == point, file.c.path.like(f"{folder}/%"))
    )
    return {row[0]: int(row[1]) for row in tx.execute(statement)}


def shards_held(tx: Connection, point: str) -> list[tuple[int, int]]:
    """The shards that are to lie on a point. Shape: generation and number."""
    held = schema.point_shard
    return [(row[0], row[1]) for row in tx.execute(select(held.c.generation, held.c.number).where(held.c.point == point))]
