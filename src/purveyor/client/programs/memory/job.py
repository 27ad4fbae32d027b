"""A job: one run of one program on this machine, planned or done; and the one table of what may become of it.

Pure. The table is the whole truth about states: whoever changes a state names an event, and an event that the table does not
allow there is a bug. Read and written by the Advertised Programs Manager alone.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from purveyor.wire.accounts import account_name
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Priority
from purveyor.wire.package_info import Program, ProgramKey

_NAME_LIMIT = 80


class Kind(StrEnum):
    """What a job is for."""

    RUN = "run"
    UNINSTALL = "uninstall"


class Errand(NamedTuple):
    """What jobs are planned for: one program, and where each user has a run of their own, for which user.

    Shape: `user` as `user_name` writes it; empty: for the machine, or for whichever user comes first.
    """

    key: ProgramKey
    user: str = ""


class Event(StrEnum):
    """What happens to a job."""

    FETCH = "fetch"  # its content is being fetched
    CONTENT_HELD = "content-held"  # its content is here, whole and verified
    WAIT = "wait"  # its time, its content or its conditions changed: it is looked at afresh
    START = "start"  # its start is stored; it is launched next
    NOT_STARTED = "not-started"  # the launch failed for a reason that may pass
    SUCCEED = "succeed"
    FAIL = "fail"
    TIME_OUT = "time-out"
    INTERRUPT = "interrupt"  # nobody can tell how it ended
    RUN_AGAIN = "run-again"  # interrupted, and its program says that it may be run again
    NEED_RESTART = "need-restart"
    RESTARTED = "restarted"
    WITHDRAW = "withdraw"  # not offered now
    OFFER_AGAIN = "offer-again"
    REFUSE = "refuse"  # this machine is none of its platforms
    ALLOW = "allow"
    POSTPONE = "postpone"  # a user put it off
    CANCEL = "cancel"  # an administrator called it off before it began
    ALREADY_THERE = "already-there"  # what it installs was found right before its launch
    TRY_LATER = "try-later"  # its program said: not now
    SATISFY = "satisfy"  # what it was for has succeeded meanwhile
    FAIL_DEPENDENCY = "fail-dependency"
    REVOKE = "revoke"  # its package or program was deleted


_BEFORE_START: Mapping[Event, JobState] = {
    Event.WITHDRAW: JobState.NOT_OFFERED,
    Event.REFUSE: JobState.REFUSED,
    Event.SATISFY: JobState.SUCCEEDED,
    Event.FAIL_DEPENDENCY: JobState.FAILED,
    Event.REVOKE: JobState.REVOKED,
    Event.CANCEL: JobState.REVOKED,
}

TRANSITIONS: Mapping[JobState, Mapping[Event, JobState]] = {
    JobState.WAITING: {
        **_BEFORE_START,
        Event.FETCH: JobState.DOWNLOADING,
        Event.CONTENT_HELD: JobState.READY,
        Event.ALREADY_THERE: JobState.SUCCEEDED,
        Event.POSTPONE: JobState.POSTPONED,
        Event.WAIT: JobState.WAITING,
    },
    JobState.DOWNLOADING: {
        **_BEFORE_START,
        Event.FETCH: JobState.DOWNLOADING,
        Event.CONTENT_HELD: JobState.READY,
        Event.POSTPONE: JobState.POSTPONED,
        Event.WAIT: JobState.WAITING,
    },
    JobState.READY: {
        **_BEFORE_START,
        Event.START: JobState.RUNNING,
        Event.ALREADY_THERE: JobState.SUCCEEDED,
        Event.FETCH: JobState.DOWNLOADING,
        Event.CONTENT_HELD: JobState.READY,
        Event.POSTPONE: JobState.POSTPONED,
        Event.WAIT: JobState.WAITING,
    },
    JobState.RUNNING: {
        Event.NOT_STARTED: JobState.READY,
        Event.TRY_LATER: JobState.WAITING,
        Event.SUCCEED: JobState.SUCCEEDED,
        Event.FAIL: JobState.FAILED,
        Event.TIME_OUT: JobState.TIMED_OUT,
        Event.INTERRUPT: JobState.INTERRUPTED,
        Event.NEED_RESTART: JobState.RESTART_PENDING,
    },
    JobState.INTERRUPTED: {
        Event.SUCCEED: JobState.SUCCEEDED,
        Event.FAIL: JobState.FAILED,
        Event.NEED_RESTART: JobState.RESTART_PENDING,
        Event.RUN_AGAIN: JobState.WAITING,
    },
    JobState.RESTART_PENDING: {Event.RESTARTED: JobState.SUCCEEDED},
    JobState.NOT_OFFERED: {
        Event.OFFER_AGAIN: JobState.WAITING,
        Event.SATISFY: JobState.SUCCEEDED,
        Event.REVOKE: JobState.REVOKED,
        Event.CANCEL: JobState.REVOKED,
    },
    JobState.REFUSED: {
        Event.ALLOW: JobState.WAITING,
        Event.WITHDRAW: JobState.NOT_OFFERED,
        Event.SATISFY: JobState.SUCCEEDED,
        Event.REVOKE: JobState.REVOKED,
        Event.CANCEL: JobState.REVOKED,
    },
    JobState.POSTPONED: {
        **_BEFORE_START,
        Event.WAIT: JobState.WAITING,
    },
    JobState.SUCCEEDED: {},
    JobState.FAILED: {Event.RUN_AGAIN: JobState.WAITING},
    JobState.TIMED_OUT: {Event.RUN_AGAIN: JobState.WAITING},
    JobState.REVOKED: {},
}

NOT_STARTED = frozenset(
    {
        JobState.WAITING,
        JobState.DOWNLOADING,
        JobState.READY,
        JobState.NOT_OFFERED,
        JobState.POSTPONED,
        JobState.REFUSED,
    }
)
"""States in which nothing has been run yet, or will be run once more."""

OPEN = NOT_STARTED | {JobState.RUNNING, JobState.RESTART_PENDING}
"""States from which a job still goes on."""

_CAUSES: Mapping[Event, Cause] = {
    Event.POSTPONE: Cause.POSTPONED,
    Event.TRY_LATER: Cause.TRY_LATER,
    Event.NEED_RESTART: Cause.RESTART,
}
"""What a job waits for after an event that says so itself; after every other one for nothing, unless whoever names it says."""

RUNNABLE = frozenset({JobState.WAITING, JobState.DOWNLOADING, JobState.READY})
"""States from which a job may come to run in this pass."""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of one program, planned or done.

    Shape: `occurrence` names it with `key`, and is run at most once; `covers` are the occurrences of the same program that the
    run answers too; `program` is the program as it was when the run began, since a package may change meanwhile.
    """

    key: ProgramKey
    occurrence: str
    kind: Kind = Kind.RUN
    state: JobState = JobState.WAITING
    advertisement: AdvertisementId | None = None
    source_version: int = 0
    manifest: str = ""
    due_at: Instant | None = None
    parent: ProgramKey | None = None
    """The program that waits for this one; a job with a parent is run under the parent's occurrence."""
    attempts: int = 0
    """How many times it was started."""
    failures: int = 0
    """How many times in a row it could not be prepared."""
    next_try_at: Instant | None = None
    problem: str = ""
    """The reason last told, so that each is told once."""
    cause: Cause | None = None
    """What it waits for, as the site is told with everything that is told of it; None: for its time, or for nothing."""
    asked: tuple[str, ...] = ()
    """The points that held its content when that was asked for last, in vain."""
    asked_from: str = ""
    """Where this machine was then."""
    program: Program | None = None
    run: str = ""
    boot_id: str = ""
    started_at: Instant | None = None
    ended_at: Instant | None = None
    exit_code: int | None = None
    covers: tuple[str, ...] = ()
    is_start_told: bool = False
    is_by_result_file: bool = False
    text: str = ""
    user: str = ""
    """The user for whom it runs, as the machine names them; empty: for the machine."""
    is_per_user: bool = False
    """Each user has a run of their own; else `user` is only who happened to be there."""
    session_of: str = ""
    """The user in whose session alone it may run; empty: in anybody's, or in none, as the program says."""
    is_free: bool = False
    """It may run outside maintenance windows: an emergency, or a user asked for it."""
    priority: Priority = Priority.NORMAL
    postponed_until: Instant | None = None
    stop_request: int = 0
    """The number of the administrator's request that stops it."""
    stop_at: Instant | None = None
    """When it is ended by force, having been asked to end; None once that was done."""
    was_there: bool | None = None
    """What detection found right before its launch; None: there is no rule, or it could not tell."""
    asked_by: str = ""
    """The user who asked for the run."""
    is_by_hand: bool = False
    """An uninstall that a person at the machine asked for, not the site."""

    @property
    def errand(self) -> Errand:
        """What it is planned for."""
        return Errand(ProgramKey(*self.key), user_name(self.user) if self.is_per_user else "")

    @property
    def is_open(self) -> bool:
        """Whether something may still become of it."""
        return self.state in OPEN

    @property
    def is_root(self) -> bool:
        """Whether it runs for itself, not because another program depends on it."""
        return self.parent is None


@lru_cache(maxsize=4096)
def user_name(user: str) -> str:
    """A user as occurrences and errands name them: one account always the same, without an `@`, a long one by its hash."""
    try:
        account = account_name(user)
        name = f"{account.domain}\\{account.name}" if account.domain else account.name
    except RejectedError:
        name = user
    plain = name.replace("@", "\\").replace("#", "\\")
    return plain if len(plain) <= _NAME_LIMIT else f"{plain[:40]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def is_allowed(state: JobState, event: Event) -> bool:
    """Whether the table has this event in this state."""
    return event in TRANSITIONS[state]


def advanced(job: Job, event: Event, **changes: object) -> Job:
    """The job after an event, with other fields changed too.

    Errors: ValueError for a transition that the table does not have: a bug.
    """
    if not is_allowed(job.state, event):
        raise ValueError(f"{job.key} {job.occurrence}: {event} is not possible while {job.state}")
    return msgspec.structs.replace(job, state=TRANSITIONS[job.state][event], **({"cause": _CAUSES.get(event)} | changes))


def changed(job: Job, **changes: object) -> Job:
    """The job with some fields changed, in the same state."""
    return msgspec.structs.replace(job, **changes)
