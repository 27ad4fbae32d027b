"""Times and states as people say them, for the agent's page and its commands. Pure."""

from datetime import datetime, timedelta, tzinfo

from purveyor.client.page.shown import ShownProgram, ShownRestart, ShownRun
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import clock_text

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))
_ENDED: dict[JobState, str] = {
    JobState.SUCCEEDED: "Succeeded",
    JobState.FAILED: "Failed",
    JobState.TIMED_OUT: "Took too long and was ended",
    JobState.INTERRUPTED: "Was interrupted",
    JobState.RESTART_PENDING: "Succeeded; the machine has to be restarted",
    JobState.REVOKED: "Was withdrawn",
}


def day_and_time(at: datetime, zone: tzinfo) -> str:
    """A moment on the machine's clock, such as `Tuesday 1 Dec 2026, 09:00+01:00`."""
    local = at.astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}, {clock_text(at, zone)}"


def distance(at: datetime, now: datetime) -> str:
    """How far a moment is away, such as `in 3 hours` or `2 days ago`."""
    seconds = abs((at - now).total_seconds())
    if seconds < 60:
        return "now"
    words = span(seconds)
    return f"in {words}" if at > now else f"{words} ago"


def span(seconds: float) -> str:
    """A length of time in its largest unit; what is shorter than a minute counts as none."""
    for unit, length in _UNITS:
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def state_of(program: ShownProgram, now: datetime) -> str:
    """How a program stands, in a few words."""
    match program.state:
        case None:
            never = "Can be started" if program.may_run_now else "Not planned"
            return never if program.last_run is None else ended(program.last_run)
        case JobState.WAITING | JobState.READY:
            is_ahead = program.due_at is not None and program.due_at > now
            return "Planned" if is_ahead else "Waiting to run"
        case JobState.DOWNLOADING:
            return "Being downloaded"
        case JobState.RUNNING:
            return "Running now"
        case JobState.POSTPONED:
            return "Put off"
        case JobState.NOT_OFFERED:
            return "Not offered at the moment"
        case JobState.REFUSED:
            return "Not possible on this machine"
        case _:
            return _ENDED[program.state]


def ended(run: ShownRun) -> str:
    """How a run ended."""
    return _ENDED.get(run.state, run.state.value)


def restart_sentence(restart: ShownRestart, now: datetime, zone: tzinfo | None) -> str:
    """What a user is told of a restart that is near, on the clock of a zone or of this machine."""
    if not restart.is_by_agent:
        return f"{restart.name} needs a restart. Please restart this machine soon: nothing else is installed before."
    if restart.at is None:
        return f"{restart.name} needs a restart. This machine restarts in its next maintenance window."
    left = max(timedelta(0), restart.at - now).total_seconds()
    return f"{restart.name} needs a restart. This machine restarts in {span(left)}, at {clock_text(restart.at, zone)}."
