"""Which content the site has, which of it is still needed, and on which distribution points it lies.

Written by the content API (a manifest whose files are all here) and by `publish.content`; read by whoever names points.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, select, update

from purveyor.site_server.database import retirement, schema, wanted
from purveyor.site_server.model.retirement import Need, PackageState, Use, need_of
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.manifest import Stored


class CopyState(StrEnum):
    """Where one manifest stands on one point."""

    WAITING = "waiting"  # not there yet; the site tries
    VERIFIED = "verified"  # named to clients
    UNNAMED = "unnamed"  # not named any more, to be removed


class Copy(NamedTuple):
    """One manifest on one distribution point."""

    point: str
    manifest: str
    state: CopyState
    since: datetime
    checked_at: datetime | None
    failures: int


class Held(NamedTuple):
    """A manifest in the store, how much it is needed, and its copies by point."""

    sha256: str
    size_bytes: int
    superseded_at: datetime | None
    need: Need
    packages: tuple[PackageId, ...]
    copies: dict[str, Copy]


# --- taking in --------------------------------------------------------------------------------------------------------


def record_manifest(tx: Connection, sha256: str, size_bytes: int, files: Iterable[Stored], now: datetime) -> None:
    """Records that the store has this manifest and all its files. Again changes nothing; one that was removed is back.

    Called in a transaction in which the caller has seen that no file is missing: removals wait for it, or come before.
    """
    table = schema.manifest
    back = update(table).where(table.c.sha256 == sha256, table.c.removed_at.is_not(None))
    if tx.execute(back.values(removed_at=None, superseded_at=None, taken_in_at=now)).rowcount:
        return
    if tx.execute(select(exists().where(table.c.sha256 == sha256))).scalar():
        return
    listed = {file.sha256: file.size_bytes for file in files}
    tx.execute(insert(table).values(sha256=sha256, size_bytes=size_bytes, file_count=len(listed), taken_in_at=now))
    rows = [{"manifest": sha256, "sha256": digest, "size_bytes": size} for digest, size in sorted(listed.items())]
    if rows:
        tx.execute(insert(schema.manifest_file), rows)


# --- what stands ------------------------------------------------------------------------------------------------------

_MANIFESTS = (
    select(schema.manifest.c.sha256, schema.manifest.c.size_bytes, schema.manifest.c.superseded_at)
    .where(schema.manifest.c.removed_at.is_(None))
    .order_by(schema.manifest.c.sha256)
)
_MANIFEST = _MANIFESTS.where(schema.manifest.c.sha256 == bindparam("only"))
_COPIES = select(
    schema.content_copy.c.point,
    schema.content_copy.c.manifest,
    schema.content_copy.c.state,
    schema.content_copy.c.since,
    schema.content_copy.c.checked_at,
    schema.content_copy.c.failures,
).order_by(schema.content_copy.c.manifest, schema.content_copy.c.point)
_VERSIONS = (
    select(
        schema.source_version.c.package,
        schema.source_version.c.number,
        schema.source_version.c.manifest,
        schema.package.c.state,
        schema.package.c.source_version,
    )
    .join(schema.package, schema.package.c.id == schema.source_version.c.package)
    .order_by(schema.source_version.c.package, schema.source_version.c.number.desc())
)


def held(tx: Connection, *, only: str | None = None) -> list[Held]:
    """All manifests in the store, or one of them, in order of their hashes.

    Of a package whose newest content lies on no point yet, the newest that does counts as current: clients are told of that one.
    """
    rows = tx.execute(_MANIFEST, {"only": only}).all() if only else tx.execute(_MANIFESTS).all()
    if not rows:
        return []
    copies: dict[str, dict[str, Copy]] = {}
    for row in tx.execute(_COPIES).all():
        found = Copy(row[0], row[1], CopyState(row[2]), row[3], row[4], row[5])
        copies.setdefault(found.manifest, {})[found.point] = found
    on_points = {name for name, places in copies.items() if any(one.state is CopyState.VERIFIED for one in places.values())}
    uses = _uses(tx, on_points)
    return [
        Held(
            sha256=row[0],
            size_bytes=row[1],
            superseded_at=row[2],
            need=need_of(use for _, use in uses.get(row[0], ())),
            packages=tuple(sorted({package for package, _ in uses.get(row[0], ())})),
            copies=copies.get(row[0], {}),
        )
        for row in rows
    ]


def unnamed_on(tx: Connection, point: str) -> list[tuple[str, datetime]]:
    """Manifests that are to be removed from a point, and since when no client is told of them there."""
    table = schema.content_copy
    statement = select(table.c.manifest, table.c.since).where(table.c.point == point, table.c.state == CopyState.UNNAMED.value)
    return [(row[0], row[1]) for row in tx.execute(statement.order_by(table.c.manifest))]


def is_downloaded(tx: Connection, sha256: str, *, since: datetime) -> bool:
    """Whether a client said since then that it is downloading a source version that consists of this manifest."""
    job, version = schema.job_state, schema.source_version
    statement = exists().where(
        version.c.manifest == sha256,
        job.c.package == version.c.package,
        job.c.source_version == version.c.number,
        job.c.state == JobState.DOWNLOADING.value,
        job.c.at >= since,
    )
    return bool(tx.execute(select(statement)).scalar())


# --- copies -----------------------------------------------------------------------------------------------------------


def set_verified(tx: Connection, point: str, manifest: str, packages: Iterable[PackageId], now: datetime) -> None:
    """A copy was read on its point and found whole: it is named to clients from now on."""
    before = _state(tx, point, manifest)
    since = {} if before is CopyState.VERIFIED else {"since": now}
    values = {"state": CopyState.VERIFIED.value, "checked_at": now, "failures": 0, "problem": ""}
    _set(tx, point, manifest, values | since, now)
    if before is not CopyState.VERIFIED:
        _want_all(tx, packages)


def set_failed(tx: Connection, copy: tuple[str, str], packages: Iterable[PackageId], problem: str, now: datetime) -> None:
    """A copy (point, manifest) could not be made, or is damaged: it is not named, and is tried again."""
    point, manifest = copy
    before = _state(tx, point, manifest)
    table = schema.content_copy
    values = {"state": CopyState.WAITING.value, "since": now, "failures": table.c.failures + 1, "problem": problem[:1000]}
    _set(tx, point, manifest, values if before is not None else values | {"failures": 1}, now)
    if before is CopyState.VERIFIED:
        _want_all(tx, packages)


def set_unnamed(tx: Connection, manifest: str, packages: Iterable[PackageId], now: datetime) -> None:
    """No copy of a manifest is named to clients any more; each is removed one grace time later."""
    table = schema.content_copy
    tx.execute(
        update(table)
        .where(table.c.manifest == manifest, table.c.state != CopyState.UNNAMED.value)
        .values(state=CopyState.UNNAMED.value, since=now, failures=0, problem="")
    )
    _want_all(tx, packages)


def set_looked_for(tx: Connection, point: str, manifest: str, now: datetime) -> None:
    """A copy that a mirror is to take away was looked for, and is there still."""
    table = schema.content_copy
    tx.execute(update(table).where(table.c.point == point, table.c.manifest == manifest).values(checked_at=now))


def set_unremoved(tx: Connection, point: str, manifest: str, problem: str) -> None:
    """A copy could not be removed; why is kept, and it is tried again."""
    table = schema.content_copy
    tx.execute(
        update(table)
        .where(table.c.point == point, table.c.manifest == manifest)
        .values(failures=table.c.failures + 1, problem=problem[:1000])
    )


def drop_copy(tx: Connection, point: str, manifest: str) -> None:
    """A copy is gone."""
    table = schema.content_copy
    tx.execute(delete(table).where(table.c.point == point, table.c.manifest == manifest))


def want_all_of(tx: Connection, manifests: Sequence[str]) -> None:
    """What names these manifests is to be published anew: they lie on one point less."""
    for manifest in manifests:
        for one in held(tx, only=manifest):
            _want_all(tx, one.packages)


def lacking_on(tx: Connection, point: str) -> int:
    """How many manifests that are needed are not verified on a point."""
    return sum(
        one.need is Need.CURRENT and (point not in one.copies or one.copies[point].state is not CopyState.VERIFIED)
        for one in held(tx)
    )


# --- the end of content -----------------------------------------------------------------------------------------------


def set_superseded(tx: Connection, manifests: Iterable[str], since: datetime | None) -> None:
    """Records since when no package needs these manifests; None: they are needed."""
    for manifest in manifests:
        tx.execute(update(schema.manifest).where(schema.manifest.c.sha256 == manifest).values(superseded_at=since))


def set_removed(tx: Connection, manifest: str, now: datetime) -> None:
    """The last copy of a manifest, that of the store, was seen to be gone."""
    tx.execute(update(schema.manifest).where(schema.manifest.c.sha256 == manifest).values(removed_at=now))


def files_of(tx: Connection, manifests: Sequence[str]) -> dict[str, int]:
    """The files of these manifests. Shape: digest to size in bytes."""
    file = schema.manifest_file
    rows = tx.execute(select(file.c.sha256, file.c.size_bytes).where(file.c.manifest.in_(manifests))).all()
    return {row.sha256: row.size_bytes for row in rows}


def files_kept(tx: Connection, manifests: Sequence[str], *, point: str | None) -> frozenset[str]:
    """Files of these manifests that other manifests need on a point, or in the store where none is given."""
    file, other = schema.manifest_file, schema.manifest_file.alias()
    is_another = and_(other.c.sha256 == file.c.sha256, other.c.manifest.not_in(manifests))
    shared = select(file.c.sha256).distinct().join(other, is_another)
    if point is None:
        standing = schema.manifest
        shared = shared.join(standing, and_(standing.c.sha256 == other.c.manifest, standing.c.removed_at.is_(None)))
    else:
        copy = schema.content_copy
        shared = shared.join(copy, and_(copy.c.manifest == other.c.manifest, copy.c.point == point))
    return frozenset(tx.execute(shared.where(file.c.manifest.in_(manifests))).scalars())


def known_content(tx: Connection, digests: Sequence[str], *, point: str | None) -> frozenset[str]:
    """Those of these digests that are manifests, or files of them, on a point, or in the store where none is given."""
    manifest, file, copy = schema.manifest, schema.manifest_file, schema.content_copy
    if point is None:
        here = select(manifest.c.sha256).where(manifest.c.removed_at.is_(None))
    else:
        here = select(copy.c.manifest).where(copy.c.point == point)
    manifests = here.where((manifest.c.sha256 if point is None else copy.c.manifest).in_(digests))
    files = select(file.c.sha256).where(file.c.sha256.in_(digests), file.c.manifest.in_(here))
    return frozenset((*tx.execute(manifests).scalars(), *tx.execute(files).scalars()))


def add_freed(tx: Connection, manifest: str, freed_bytes: int) -> None:
    """Counts bytes as freed for the deleted packages that consisted of this manifest."""
    package, version = schema.package, schema.source_version
    of_it = select(version.c.package).where(version.c.manifest == manifest)
    tx.execute(
        update(package)
        .where(package.c.id.in_(of_it), package.c.state == PackageState.WITHDRAWN.value)
        .values(freed_bytes=func.coalesce(package.c.freed_bytes, 0) + freed_bytes)
    )


def _uses(tx: Connection, on_points: set[str]) -> dict[str, list[tuple[PackageId, Use]]]:
    uses: dict[str, list[tuple[PackageId, Use]]] = {}
    told: set[str] = set()
    """Packages whose newest version that clients can be told of was met."""
    for name, number, manifest, state, newest in tx.execute(_VERSIONS).all():
        is_told = name not in told and (manifest is None or manifest in on_points)
        if is_told:
            told.add(name)
        if manifest is not None:
            uses.setdefault(manifest, []).append((PackageId(name), Use(PackageState(state), number == newest or is_told)))
    return uses


def _want_all(tx: Connection, packages: Iterable[PackageId]) -> None:
    """What names this content is to be published anew: the packages, and the offers that name its places."""
    concerned = list(packages)
    for package in concerned:
        wanted.want_package(tx, package)
        retirement.want_offers_that_named(tx, package)
    if concerned:
        wanted.want_offers_of_all_that_advertise(tx)


def _state(tx: Connection, point: str, manifest: str) -> CopyState | None:
    table = schema.content_copy
    found = tx.execute(select(table.c.state).where(table.c.point == point, table.c.manifest == manifest)).scalar_one_or_none()
    return None if found is None else CopyState(found)


def _set(tx: Connection, point: str, manifest: str, values: dict[str, object], now: datetime) -> None:
    table = schema.content_copy
    changed = tx.execute(update(table).where(table.c.point == point, table.c.manifest == manifest).values(values))
    if changed.rowcount == 0:
        tx.execute(insert(table).values({"point": point, "manifest": manifest, "since": now} | values))
