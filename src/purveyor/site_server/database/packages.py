"""Packages and their source versions, as stored. What follows after deletion is in `retirement`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    distinct,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    union,
    update,
)

from purveyor.site_server.database import clients, schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.wire.ids import CollectionId, PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.shards import ClientState

PENDING = (JobState.WAITING, JobState.DOWNLOADING, JobState.READY, JobState.POSTPONED)
UNDER_WAY = (JobState.RUNNING, JobState.RESTART_PENDING)


def insert_package(
    tx: Connection,
    package: PackageId,
    *,
    name: str,
    version: str,
    publisher: str,
    source: str,
    manifest: str | None,
    size_bytes: int,
    now: datetime,
) -> None:
    """A new package at source version 1."""
    tx.execute(
        insert(schema.package).values(
            id=package,
            name=name,
            version=version,
            publisher=publisher,
            source=source,
            state="active",
            source_version=1,
            manifest=manifest,
            size_bytes=size_bytes,
            highest_program=0,
            created_at=now,
        )
    )
    _insert_source_version(tx, package, 1, manifest, now)


def set_source(
    tx: Connection, package: PackageId, *, source_version: int, source: str, manifest: str | None, size_bytes: int, now: datetime
) -> None:
    """Gives a package its next source version."""
    tx.execute(
        update(schema.package)
        .where(schema.package.c.id == package)
        .values(source_version=source_version, source=source, manifest=manifest, size_bytes=size_bytes)
    )
    _insert_source_version(tx, package, source_version, manifest, now)


def set_names(tx: Connection, package: PackageId, *, name: str, version: str, publisher: str) -> None:
    """Sets what a package is called."""
    tx.execute(
        update(schema.package).where(schema.package.c.id == package).values(name=name, version=version, publisher=publisher)
    )


def row_of(tx: Connection, package: PackageId) -> AnyRow | None:
    """The row of a package in whatever state, with `programs` and `advertisements`, how many stand."""
    return tx.execute(_with_counts().where(schema.package.c.id == package)).one_or_none()


def listed(tx: Connection, *, states: Collection[str]) -> Sequence[AnyRow]:
    """Packages in these states with the same counts, by id."""
    return tx.execute(_with_counts().where(schema.package.c.state.in_(states)).order_by(schema.package.c.id)).all()


def source_versions(tx: Connection, package: PackageId) -> Sequence[AnyRow]:
    """The source versions of a package, newest first, with `size_bytes` and `file_count` of the content."""
    version, manifest = schema.source_version, schema.manifest
    return tx.execute(
        select(version.c.number, version.c.manifest, version.c.taken_in_at, manifest.c.size_bytes, manifest.c.file_count)
        .outerjoin(manifest, manifest.c.sha256 == version.c.manifest)
        .where(version.c.package == package)
        .order_by(version.c.number.desc())
    ).all()


def stored_manifest(tx: Connection, sha256: str) -> AnyRow | None:
    """The row of a manifest whose content the site has."""
    table = schema.manifest
    return tx.execute(select(table).where(table.c.sha256 == sha256, table.c.removed_at.is_(None))).one_or_none()


def keep_manifest(tx: Connection, sha256: str) -> None:
    """A package needs this manifest now."""
    tx.execute(update(schema.manifest).where(schema.manifest.c.sha256 == sha256).values(superseded_at=None))


def supersede_manifest(tx: Connection, sha256: str, now: datetime) -> None:
    """A package no longer needs this manifest; it counts as superseded when no other active package does."""
    package = schema.package
    is_current = exists().where(package.c.manifest == sha256, package.c.state == "active")
    tx.execute(update(schema.manifest).where(schema.manifest.c.sha256 == sha256, ~is_current).values(superseded_at=now))


def mark_deleted(
    tx: Connection, package: PackageId, *, state: str, running_choice: str, replaced_by: PackageId | None, by: str, now: datetime
) -> None:
    """Takes a package from active to removing or retiring."""
    tx.execute(
        update(schema.package)
        .where(schema.package.c.id == package)
        .values(
            state=state,
            running_choice=running_choice,
            replaced_by=replaced_by,
            deleted_at=now,
            deleted_by=by[:100],
            retired_at=now if state == "retiring" else None,
        )
    )


def freeze_holders(tx: Connection, package: PackageId, offering: Collection[CollectionId]) -> int:
    """Writes down who holds a package: members of the collections that offer it, and whoever met it before.

    Shape: how many they are.
    """
    holder = schema.holder
    chosen = holders_to_be(package, offering).subquery("holders")
    is_known = exists().where(holder.c.package == package, holder.c.client == chosen.c.client)
    rows = select(literal(str(package)), chosen.c.client, null(), null()).where(~is_known).order_by(chosen.c.client)
    columns = ["package", "client", "removed_at", "acknowledged_at"]
    holding = insert(holder).from_select(columns, rows).execution_options(preserve_rowcount=True)
    return int(tx.execute(holding).rowcount)


def count_holders_to_be(tx: Connection, package: PackageId, offering: Collection[CollectionId]) -> int:
    """How many clients would be written down as holders."""
    chosen = holders_to_be(package, offering).subquery("holders")
    return int(tx.execute(select(func.count()).select_from(chosen)).scalar_one())


def holders_to_be(package: PackageId, offering: Collection[CollectionId]) -> Select[int]:
    """The clients that may hold a package: offered it now or before, or with a job of it. Who is gone holds nothing."""
    member, before, job, client = schema.member, schema.offered_before, schema.job_state, schema.client
    chosen = union(
        select(member.c.client).where(member.c.collection.in_(sorted(offering))),
        select(before.c.client).where(before.c.package == package),
        select(job.c.client).where(job.c.package == package),
    ).subquery("chosen")
    return (
        select(client.c.number.label("client"))
        .join(chosen, chosen.c.client == client.c.number)
        .where(client.c.state.not_in((clients.REMOVED, ClientState.REJOIN.value)))
        .order_by(client.c.number)
    )


def count_clients_with_jobs(tx: Connection, package: PackageId, states: Collection[JobState]) -> int:
    """How many clients have a job of this package in one of these states."""
    job = schema.job_state
    return int(
        tx.execute(
            select(func.count(distinct(job.c.client))).where(
                job.c.package == package, job.c.state.in_(sorted(states)), clients.is_not_removed(job.c.client)
            )
        ).scalar_one()
    )


def _insert_source_version(tx: Connection, package: PackageId, number: int, manifest: str | None, now: datetime) -> None:
    tx.execute(insert(schema.source_version).values(package=package, number=number, manifest=manifest, taken_in_at=now))


def _with_counts() -> Select[*tuple[Any, ...]]:
    package, program, advertisement = schema.package, schema.program, schema.advertisement
    programs = (
        select(func.count())
        .where(program.c.package == package.c.id, program.c.deleted_at.is_(None))
        .scalar_subquery()
        .label("programs")
    )
    advertisements = (
        select(func.count())
        .where(advertisement.c.package == package.c.id, advertisement.c.deleted_at.is_(None))
        .scalar_subquery()
        .label("advertisements")
    )
    return select(package, programs, advertisements)
