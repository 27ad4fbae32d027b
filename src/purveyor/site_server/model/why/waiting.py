"""What a client says that it waits for: which link of the chain that is, who acts next, and what is to be done. Pure.

It is known by the cause that the agent gave (`wire.causes`); its words are shown as evidence and never read.
"""

from typing import NamedTuple

from purveyor.site_server.model.why.facts import JobFacts, WhyFacts
from purveyor.site_server.model.why.link import Evidence, Found, Who, clock, missing
from purveyor.site_server.model.why.reaching import BEGUN, gives_nothing
from purveyor.wire.causes import Cause
from purveyor.wire.status_messages import StatusId


class Wait(NamedTuple):
    """The link that a cause is about, who acts next, what is to be done or will happen, and how the client's words are told."""

    link: str
    who: Who
    next: str
    says: str = "the client says"


_NO_CONTENT = "it cannot fetch the content"
WAITS: dict[Cause, Wait] = {
    Cause.WINDOW: Wait("window", Who.CLIENT, "it starts by itself when the window opens"),
    Cause.NEVER_IN_A_WINDOW: Wait(
        "window", Who.ADMINISTRATOR, "give the collection a window that opens, and is long enough for the program"
    ),
    Cause.NO_USER: Wait("condition", Who.USER, "a user for whom it is logs on"),
    Cause.SOME_USER: Wait("condition", Who.USER, "whoever is logged on logs off"),
    Cause.SESSIONS_UNKNOWN: Wait("condition", Who.MACHINE, "see why the machine cannot tell who is logged on"),
    Cause.ACCOUNT_UNKNOWN: Wait("condition", Who.MACHINE, "see that the machine reaches the directory of its accounts"),
    Cause.MAINS: Wait("condition", Who.MACHINE, "plug it in"),
    Cause.METERED: Wait("condition", Who.MACHINE, "bring it to a network that does not cost by volume"),
    Cause.SPACE: Wait("condition", Who.MACHINE, "make room on its disk"),
    Cause.GOING_DOWN: Wait("condition", Who.MACHINE, "it goes on when the machine has started again"),
    Cause.RESTART: Wait("condition", Who.MACHINE, "restart it: nothing else starts before"),
    Cause.RESTART_FAILS: Wait("condition", Who.MACHINE, "restart it by hand: it does not do so when the agent tells it"),
    Cause.POSTPONED: Wait("condition", Who.USER, "it runs when that time is over", "a user put it off"),
    Cause.DEPENDENCY_DISABLED: Wait("dependency", Who.ADMINISTRATOR, "enable it"),
    Cause.DEPENDENCY_UNSUPPORTED: Wait("dependency", Who.ADMINISTRATOR, "widen its platforms, or let nothing here depend on it"),
    Cause.DEPENDENCY_BROKEN: Wait("dependency", Who.ADMINISTRATOR, "mend what it depends on"),
    Cause.SLOW_LINK: Wait("download", Who.POINT, "bring it nearer to a distribution point that has the content"),
    Cause.BANDWIDTH: Wait("download", Who.CLIENT, "it goes on by itself when the hour allows more, or raise the budget"),
    Cause.NO_POINT: Wait("download", Who.CLIENT, "it reads with a coming poll where its content is", _NO_CONTENT),
    Cause.POINTS_FAIL: Wait("download", Who.POINT, "mend these points, or the way there; it tries again by itself", _NO_CONTENT),
    Cause.POINTS_BUSY: Wait(
        "download", Who.POINT, "it goes on by itself as soon as one gives it, and says no more before all of it is there"
    ),
    Cause.CONTENT_UNREADABLE: Wait(
        "download", Who.ADMINISTRATOR, "purveyor package update, with content that clients can hold", _NO_CONTENT
    ),
    Cause.CONTENT_SPACE: Wait(
        "download", Who.MACHINE, "make room; it tries again by itself", "there is not enough room on its disk"
    ),
    Cause.NOT_PREPARED: Wait(
        "run",
        Who.ADMINISTRATOR,
        "mend it: the package lacks something, or its command is wrong; it is tried again by itself",
        "its run could not be prepared",
    ),
    Cause.NOT_STARTED: Wait("run", Who.ADMINISTRATOR, "mend its command; it is tried again by itself", "it could not be started"),
    Cause.TRY_LATER: Wait("run", Who.CLIENT, "it is started again later", "its program said: not now"),
}
"""What every cause is about."""
UNTOLD = Wait("condition", Who.CLIENT, "read what it says; it goes on when that is over")
"""Of a job that waits, where the agent is too old to say for what in a word, or so new that the word is not known here."""
_BY_NUMBER = {
    StatusId.DOWNLOAD_WAITING: Cause.POINTS_FAIL,
    StatusId.NOT_ENOUGH_SPACE: Cause.CONTENT_SPACE,
    StatusId.PREPARATION_FAILED: Cause.NOT_PREPARED,
    StatusId.START_FAILED: Cause.NOT_STARTED,
    StatusId.RETRY_LATER: Cause.TRY_LATER,
}
"""Numbers of messages that have one cause: what an older agent says by them."""


def waiting(facts: WhyFacts, link: str) -> Found | None:
    """The link as missing, where the client said that it waits for what this link is about."""
    job = facts.job
    if job is None or job.state in BEGUN:
        return None
    wait = wait_of(job)
    if wait is None or wait.link != link:
        return None
    return missing(_says(job, wait), [word(job)], wait.who, wait.next)


def closed(facts: WhyFacts) -> Found | None:
    """That every point that holds some content which is needed gives nothing at this hour, by its budget; None: one does."""
    points = {point.id: point for point in facts.points}
    for one in facts.contents:
        holding = [points[copy.point] for copy in one.copies if copy.state == "verified" and copy.point in points]
        if not one.manifest or not holding or not all(point.is_closed for point in holding):
            continue
        first = min(holding, key=lambda point: (point.opens_at is None, point.opens_at or facts.now))
        evidence = [] if facts.job is None else [word(facts.job)]
        raising = f"raise its budget (purveyor point edit {first.id} --bandwidth BUDGET)"
        if first.opens_at is None:
            return missing(f"{first.id} {gives_nothing(first)}", evidence, Who.ADMINISTRATOR, raising)
        return missing(f"{first.id} {gives_nothing(first)}", evidence, Who.NOBODY, f"it goes on by itself then, or {raising}")
    return None


def wait_of(job: JobFacts) -> Wait | None:
    """What a job waits for; None: for nothing that its client spoke of."""
    cause = job.cause or (None if job.told_by is None else _BY_NUMBER.get(job.told_by))
    if cause is not None:
        return WAITS.get(cause, UNTOLD)
    return UNTOLD if job.told_by is StatusId.JOB_WAITING else None


def word(job: JobFacts) -> Evidence:
    """What the client said last of the program."""
    text = f"{job.state.value}: {job.text}" if job.text else job.state.value
    details = [f"version {job.source_version}"] if job.source_version else []
    details += [f"occurrence {job.occurrence}"] if job.occurrence else []
    details += [f"user {job.user}"] if job.user else []
    details += [f"cause {job.cause}"] if job.cause is not None else []
    return Evidence(text=f"{text} ({', '.join(details)})" if details else text, source="client: job", at=job.at)


def _says(job: JobFacts, wait: Wait) -> str:
    if wait.link == "download":  # told once: the way may be free again, and the content be coming
        return f"{wait.says}: {job.text} (its last word, of {clock(job.at)})"
    if wait is not UNTOLD:
        return f"{wait.says}: {job.text}"
    if job.cause is None:
        return f"the client says that it waits, and its agent is too old to give the cause in a word: {job.text}"
    return f"the client waits for {job.cause.value!r}, which this release does not know: {job.text}"
