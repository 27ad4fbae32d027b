"""What the steps of one turn work with, and the few things that all of them do: tell, wait longer, look at the clock.

Holds no state of its own beyond one turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from purveyor.client.machine.interface import Machine
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Job, Kind
from purveyor.client.reports import tell
from purveyor.client.state.store import State
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import TEXT_LIMIT, StatusMessage
from purveyor.wire.status_messages import StatusId

JITTER = 0.25
"""By how much of itself a pause is lengthened at most, so that a fleet does not come back at one moment."""


def silent(_text: str) -> None:
    """Takes a line for the log and drops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long to wait and how much to remember. Units: seconds, as the names say."""

    retry_seconds: int = 600
    retry_limit_seconds: int = 6 * 3600
    history_limit: int = 50


@dataclass(slots=True, kw_only=True)
class Bench:
    """What the steps of one turn share."""

    state: State
    machine: Machine
    now: datetime
    limits: Limits = field(default_factory=Limits)
    note: Callable[[str], None] = silent
    """Takes one line for the log."""

    def tell_message(self, message: StatusMessage) -> None:
        """Tells something, in the open transaction, and notes it in the log."""
        about = f"{message.package}/{message.program}" if message.program is not None else f"{message.package}"
        state = "" if message.state is None else f" {message.state.value}"
        self.note(f"{message.id.value} {message.id.name} {about} {message.occurrence}{state}: {message.text}")
        tell(self.state, message)

    def tell(
        self, job: Job, status: StatusId, text: str, *, exit_code: int | None = None, request: int = 0, by: str = ""
    ) -> None:
        """Tells what happened to a job, in the open transaction; with it goes the state that its program is now in.

        A program that was uninstalled because nobody offers it any more is not offered, whatever its last run was.
        Where it waits, it says for what (`job.cause`).
        `request` is the number of the administrator's request that this answers; `by` the user whose doing it was, where that is
        not the one for whom the job runs.
        """
        self.tell_message(
            StatusMessage(
                id=status,
                at=self.now,
                package=job.key.package,
                program=job.key.program,
                advertisement=job.advertisement,
                occurrence=job.occurrence,
                source_version=job.source_version,
                state=_state_told(job),
                exit_code=exit_code,
                text=text[:TEXT_LIMIT],
                user=by or job.user,
                request=request,
                cause=job.cause if job.kind is Kind.RUN else None,
            ),
        )

    def save(self, job: Job, *, before: Job | None = None) -> Job:
        """Stores a job, and removes the oldest ended ones of its program."""
        records.save_job(self.state, job, before=before)
        if not job.is_open:
            records.prune_jobs(self.state, job.key, limit=self.limits.history_limit)
        return job

    def may_try(self, job: Job) -> bool:
        """Whether the pause of a job is over. One further away than any pause is what a wrong clock left."""
        return job.next_try_at is None or not self.now < job.next_try_at <= self.now + self.longest_pause

    @property
    def longest_pause(self) -> timedelta:
        """The longest pause between two tries."""
        return timedelta(seconds=max(1, self.limits.retry_seconds, self.limits.retry_limit_seconds))

    def next_try(self, failures: int) -> datetime:
        """When to try again after so many failures in a row: twice as long each time, within the limits, with jitter."""
        shortest, longest = max(1, self.limits.retry_seconds), self.longest_pause.total_seconds()
        pause = min(longest, shortest * 2 ** min(max(failures, 1) - 1, 30))
        share = int.from_bytes(self.machine.random_bytes(2), "big") / 0xFFFF
        return self.now + timedelta(seconds=min(longest, pause * (1 + JITTER * share)))


def _state_told(job: Job) -> JobState | None:
    if job.kind is Kind.RUN:
        return job.state
    return JobState.NOT_OFFERED if job.state is JobState.SUCCEEDED and not job.is_by_hand else None
