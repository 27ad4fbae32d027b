"""The states of a job, as client and site both name them; what may become of each stands in `client/programs/memory/job.py`."""

from enum import StrEnum


class JobState(StrEnum):
    """Where one run of one program on one client stands; the comment says who acts next."""

    WAITING = "waiting"  # the client, when the time or the dependency comes
    DOWNLOADING = "downloading"  # the client, as points allow
    READY = "ready"  # the client, at its next pass
    RUNNING = "running"  # the program
    SUCCEEDED = "succeeded"  # nobody
    FAILED = "failed"  # the administrator
    TIMED_OUT = "timed-out"  # the administrator
    INTERRUPTED = "interrupted"  # the administrator
    RESTART_PENDING = "restart-pending"  # the machine, by restarting
    NOT_OFFERED = "not-offered"  # the administrator; held, same identity
    POSTPONED = "postponed"  # the user, until the time named
    REFUSED = "refused"  # the administrator: platform, space
    REVOKED = "revoked"  # nobody: its package or program was deleted, or it was cancelled
