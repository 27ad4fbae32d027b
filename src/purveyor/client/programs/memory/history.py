"""What is remembered of one program on this machine: whether it ever succeeded, for whom, what was started, its last runs.

Pure. Keyed by package and program (Q229018), bounded, and it outlives everything but the deletion of its package (Q318779):
not being offered, being disabled or changing never shortens it, nor does a user's absence (Q321168). At most one entry an
advertisement (Q271696).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec

from purveyor.client.programs.memory.job import user_name
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey

T = TypeVar("T")

ADVERTISEMENT_LIMIT = 1000
"""Advertisements of one program that are remembered; far more than a program ever has."""
ASSIGNMENT_LIMIT = 10_000
"""Assignments of one program of which it is remembered what was started; those not started for the longest time go first."""
EXACT_LIMIT = 128
"""Occurrences of one assignment that are remembered one by one, beside all those up to the newest."""
USER_LIMIT = 1000
"""Users of one program whose runs are remembered."""
_NO_RUNS = msgspec.Raw(b"[]")
SUCCESSES = (JobState.SUCCEEDED, JobState.RESTART_PENDING)


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that ended. `user`: in whose session it ran, or for whom; empty: for the machine."""

    run: str
    occurrence: str
    state: JobState
    source_version: int
    started_at: Instant | None
    ended_at: Instant
    advertisement: AdvertisementId | None = None
    exit_code: int | None = None
    user: str = ""


class Started(NamedTuple):
    """Which occurrences of one assignment were started: none of them is started again.

    Shape: all up to `nominal`, and those in `exact`, which are named one by one: their time lies further ahead than the site's
    own clock can be, or they have no order. Nominal times of one assignment are compared as texts.
    """

    nominal: str
    version: int
    exact: tuple[str, ...] = ()

    def has(self, other: "Started") -> bool:
        """Whether all that another one names was started, in this source version or a newer one."""
        is_below = other.nominal <= self.nominal
        return is_below and other.version <= self.version and all(one <= self.nominal or one in self.exact for one in other.exact)


class UserRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one program and one user."""

    ran_at: Instant
    success_started_at: Instant | None = None
    """When the newest successful run was started."""
    succeeded_version: int = 0


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of one program.

    Shape: `started` by `ADVERTISEMENT.ASSIGNMENT`, with `!USER` where each user has runs of their own, the
    newest last; `by_user` by `job.user_name`.
    """

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
    by_user: dict[str, UserRecord] = {}
    term: int = 0
    """How often what it installed was removed because nobody offered it any more: what asks for it later asks anew."""
    kept_runs: msgspec.Raw = msgspec.field(default=_NO_RUNS, name="runs")
    """The runs as they are stored: a pass reads many histories, and few of their runs."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """The newest runs that ended, oldest first."""
        return _runs(bytes(self.kept_runs))

    @property
    def has_succeeded(self) -> bool:
        """Whether the program ever succeeded here."""
        return self.first_succeeded_at is not None

    def has_run(self, user: str = "") -> bool:
        """Whether the program was ever run here, or for this user (`job.user_name`), however it ended."""
        return user in self.by_user if user else self.kept_runs != _NO_RUNS or self.has_succeeded

    def success_of(self, user: str = "") -> "Success | None":
        """The newest success here, or for this user; None: there is none."""
        if not user:
            return Success(self.last_success_started_at, self.succeeded_version) if self.has_succeeded else None
        record = self.by_user.get(user)
        has_succeeded = record is not None and record.success_started_at is not None
        return Success(record.success_started_at, record.succeeded_version) if record is not None and has_succeeded else None

    @property
    def last_run(self) -> Run | None:
        """The run that ended last."""
        return self.runs[-1] if self.runs else None


class Success(NamedTuple):
    """When the newest successful run was started, and the newest source version that ever succeeded."""

    started_at: datetime | None
    version: int


def with_received(history: History, advertisement: AdvertisementId) -> History:
    """The history once an advertisement was told as received; telling it again changes nothing."""
    if advertisement in history.received:
        return history
    return msgspec.structs.replace(history, received=(*history.received, advertisement)[-ADVERTISEMENT_LIMIT:])


def with_started(history: History, assignment: str, started: Started) -> History:
    """The history once an occurrence of an assignment was started; what was started stays started."""
    before = history.started.get(assignment, Started("", 0))
    nominal = max(before.nominal, started.nominal)
    exact = tuple(dict.fromkeys(one for one in (*before.exact, *started.exact) if one > nominal))[-EXACT_LIMIT:]
    others = {name: one for name, one in history.started.items() if name != assignment}
    after = {**others, assignment: Started(nominal, max(before.version, started.version), exact)}
    return msgspec.structs.replace(history, started=_newest(after, ASSIGNMENT_LIMIT))


def with_run(history: History, run: Run, *, limit: int) -> History:
    """The history once a run ended: the newest `limit` runs are kept in detail, a success is kept for good."""
    runs = msgspec.Raw(to_bytes((*history.runs, run)[-max(1, limit) :]))
    by_user = _with_user_run(history.by_user, run) if run.user else history.by_user
    if run.state not in SUCCESSES:
        return msgspec.structs.replace(history, kept_runs=runs, by_user=by_user)
    return msgspec.structs.replace(
        history,
        kept_runs=runs,
        by_user=by_user,
        first_succeeded_at=history.first_succeeded_at or run.ended_at,
        last_succeeded_at=run.ended_at,
        last_success_started_at=run.started_at or run.ended_at,
        succeeded_version=max(history.succeeded_version, run.source_version),
        succeeded_advertisement=run.advertisement,
    )


def with_restarted(history: History, run: str) -> History:
    """The history once the restart came that a run was waiting for."""
    runs = [msgspec.structs.replace(one, state=JobState.SUCCEEDED) if one.run == run else one for one in history.runs]
    return msgspec.structs.replace(history, kept_runs=msgspec.Raw(to_bytes(tuple(runs))))


def with_removed(history: History) -> History:
    """The history once what the program installed was removed because it was not offered any more, or was replaced.

    Its runs stay; but offered again, it is asked for anew: no earlier success answers, and no earlier start uses a time up.
    """
    return History(key=history.key, received=history.received, term=history.term + 1, kept_runs=history.kept_runs)


@lru_cache(maxsize=256)
def _runs(content: bytes) -> tuple[Run, ...]:
    return from_bytes(content, tuple[Run, ...])


def _with_user_run(by_user: Mapping[str, UserRecord], run: Run) -> dict[str, UserRecord]:
    user = user_name(run.user)
    before = by_user.get(user)
    record = UserRecord(
        ran_at=run.ended_at,
        success_started_at=None if before is None else before.success_started_at,
        succeeded_version=0 if before is None else before.succeeded_version,
    )
    if run.state in SUCCESSES:
        version = max(record.succeeded_version, run.source_version)
        record = UserRecord(ran_at=run.ended_at, success_started_at=run.started_at or run.ended_at, succeeded_version=version)
    others = {name: one for name, one in by_user.items() if name != user}
    return _newest({**others, user: record}, USER_LIMIT)


def _newest(entries: dict[str, T], limit: int) -> dict[str, T]:
    """The entries that were put in last."""
    return entries if len(entries) <= limit else dict(list(entries.items())[-limit:])
