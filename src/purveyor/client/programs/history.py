"""What is remembered of one program on this machine: whether it ever succeeded, what was started, its last runs.

Pure. Keyed by package and program (Q229018), bounded, and it outlives everything but the deletion of its package (Q318779):
not being offered, being disabled or changing never shortens it. At most one entry an advertisement (Q271696).
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from purveyor.wire.form import Instant
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey

ADVERTISEMENT_LIMIT = 1000
"""Advertisements of one program that are remembered; far more than a program ever has."""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that ended."""

    run: str
    occurrence: str
    state: JobState
    source_version: int
    started_at: Instant | None
    ended_at: Instant
    advertisement: AdvertisementId | None = None
    exit_code: int | None = None


class Started(NamedTuple):
    """The newest occurrence of one assignment that was ever started: nothing up to it is started again."""

    nominal: str
    version: int


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one program. Shape: `runs` oldest first; `started` by `ADVERTISEMENT.ASSIGNMENT`."""

    key: ProgramKey
    received: tuple[AdvertisementId, ...] = ()
    """Advertisements that were told to the site as received, newest last."""
    started: dict[str, Started] = {}
    first_succeeded_at: Instant | None = None
    last_success_started_at: Instant | None = None
    """When the newest successful run was started."""
    last_succeeded_at: Instant | None = None
    succeeded_version: int = 0
    """The newest source version that ever succeeded."""
    succeeded_advertisement: AdvertisementId | None = None
    runs: tuple[Run, ...] = ()

    @property
    def has_succeeded(self) -> bool:
        """Whether the program ever succeeded here."""
        return self.first_succeeded_at is not None


def with_received(history: History, advertisement: AdvertisementId) -> History:
    """The history once an advertisement was told as received; telling it again changes nothing."""
    if advertisement in history.received:
        return history
    return msgspec.structs.replace(history, received=(*history.received, advertisement)[-ADVERTISEMENT_LIMIT:])


def with_started(history: History, assignment: str, started: Started) -> History:
    """The history once an occurrence of an assignment was started; what was started stays started."""
    before = history.started.get(assignment)
    if before is not None:
        started = Started(max(before.nominal, started.nominal), max(before.version, started.version))
    return msgspec.structs.replace(history, started={**history.started, assignment: started})


def with_run(history: History, run: Run, *, limit: int) -> History:
    """The history once a run ended: the newest `limit` runs are kept in detail, a success is kept for good."""
    runs = (*history.runs, run)[-max(1, limit) :]
    if run.state not in (JobState.SUCCEEDED, JobState.RESTART_PENDING):
        return msgspec.structs.replace(history, runs=runs)
    started_at = run.started_at or run.ended_at
    return msgspec.structs.replace(
        history,
        runs=runs,
        first_succeeded_at=history.first_succeeded_at or run.ended_at,
        last_succeeded_at=_later(history.last_succeeded_at, run.ended_at),
        last_success_started_at=_later(history.last_success_started_at, started_at),
        succeeded_version=max(history.succeeded_version, run.source_version),
        succeeded_advertisement=run.advertisement,
    )


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
