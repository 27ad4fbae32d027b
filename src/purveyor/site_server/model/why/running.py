"""The last links: when the program is due, what holds its run back, how it ended, and what is there now. Pure.

From here on the client's own word is the best evidence: a job that has begun was due, and nothing held it back.
"""

from dataclasses import replace

from purveyor.site_server.model.requests import Outcome
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.why.facts import JobFacts, RequestFacts, Told, WhyFacts
from purveyor.site_server.model.why.link import Evidence, Found, Who, clock, missing, ok, unknown
from purveyor.site_server.model.why.reaching import BEGUN, points_of
from purveyor.site_server.model.why.waiting import WAITS, closed, waiting, word
from purveyor.wire.causes import Cause
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import AssignmentKind, RequestKind
from purveyor.wire.status_messages import StatusId

UNINSTALLED = (StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE, StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE)
_RESTARTS: dict[Cause | None, tuple[Who, str]] = {
    Cause.WINDOW: (Who.CLIENT, "it restarts by itself when the window opens"),
    Cause.NEVER_IN_A_WINDOW: (Who.ADMINISTRATOR, "give the collection a window that opens, or restart it"),
    Cause.POSTPONED: (Who.USER, "it restarts when the time is over for which a user put it off"),
    Cause.RESTART_FAILS: (Who.MACHINE, "restart it by hand: it does not do so when the agent tells it"),
}
"""Who acts where a program has succeeded and its restart waits in its turn; else the machine, by restarting."""


def audience(facts: WhyFacts) -> Found | None:
    """Whether it runs by itself, and in whose sessions."""
    if facts.offer is None:
        return None
    said, job = facts.offer.advertisement, facts.job
    targets = ", ".join((*said.users, *(f"group {group}" for group in said.groups)))
    evidence = [Evidence(text=f"for {targets} alone" if targets else "for the machine", source="advertisement")]
    has_begun = job is not None and (job.state in BEGUN or job.state is JobState.POSTPONED)
    if not said.assignments:
        evidence.append(Evidence(text="it has no assignment", source="advertisement"))
        if has_begun or job is not None:
            return ok("optional, and somebody asked for it", *evidence)
        who = f"one of {targets}" if targets else "a user"
        what_next = f"{who} starts it (purveyor client run-now), or give {said.id} an assignment"
        return missing(f"{said.id} is optional: it runs where somebody starts it", evidence, Who.USER, what_next)
    if targets and not has_begun:
        says = f"it is for {targets} alone, and no run of theirs is known; the site cannot know who is logged on"
        return unknown(says, evidence, Who.USER, f"{targets} logs on to this machine, or change whom {said.id} is for")
    return ok("mandatory" + (f", for {targets}" if targets else ""), *evidence)


def schedule(facts: WhyFacts) -> Found | None:
    """Whether its time has come on this client, by its own clock and share."""
    if facts.offer is None:
        return None
    said, times, zone = facts.offer.advertisement, facts.times, facts.client.facts.zone
    clock_name = zone if facts.client.zone is not None else f"{zone or 'no zone'}, which is not known here, so by UTC"
    evidence = [Evidence(text=f"by its clock ({clock_name})", source="client: discovery")]
    if times.last is not None:
        evidence.append(
            Evidence(text=f"{times.last.assignment} was due at {times.last.at_local}", source="assignment", at=times.last.at)
        )
    evidence += [
        Evidence(text=f"{one.assignment} is due at {one.at_local}", source="assignment", at=one.at) for one in times.following[:1]
    ]
    evidence += [Evidence(text=f"also at each {event}", source="assignment") for event in times.events]
    job = facts.job
    if job is not None and job.state in BEGUN:
        return ok("it has begun", *evidence, word(job))
    if not said.assignments:
        return ok("it has no time of its own", *evidence)
    if times.last is not None:
        return ok(f"due since {clock(times.last.at)}", *evidence)
    if times.following:
        first = times.following[0]
        says = f"it is not due before {first.at_local} ({clock(first.at)})"
        return missing(says, evidence, Who.CLIENT, "it goes on by itself when its time comes")
    if times.events:
        kinds = {one.kind for one in said.assignments}
        who = Who.MACHINE if kinds == {AssignmentKind.STARTUP} else Who.USER
        events = " or ".join(times.events)
        return unknown(
            f"it waits for the next {events}, of which the site hears nothing", evidence, who, f"the next {events} makes it due"
        )
    what_next = f"purveyor advertisement edit {said.id} with a later time"
    return missing("no time of it comes any more", evidence, Who.ADMINISTRATOR, what_next)


def request(facts: WhyFacts) -> Found | None:
    """Whether an administrator called the run off, or asked for another."""
    if facts.offer is None:
        return None
    evidence = [_request_evidence(one) for one in facts.requests]
    job = facts.job
    advertised = facts.offer.advertisement.id
    again = f"purveyor job run-again {advertised} --client {facts.client.name}"
    cancelled = _effective(facts, RequestKind.CANCEL)
    if (job is not None and job.state is JobState.REVOKED) or (cancelled is not None and job is None):
        by = "an administrator" if cancelled is None else f"{cancelled.made_by} (request {cancelled.number})"
        return missing(f"{by} cancelled it before it began{_reason(cancelled)}", evidence, Who.ADMINISTRATOR, again)
    if job is not None and job.state is JobState.FAILED and _was_stopped(facts):
        stopped = _effective(facts, RequestKind.STOP)
        by = "an administrator" if stopped is None else f"{stopped.made_by} (request {stopped.number})"
        return missing(f"{by} stopped its run{_reason(stopped)}", [*evidence, word(job)], Who.ADMINISTRATOR, again)
    asked = next((one for one in facts.requests if one.kind is RequestKind.RUN_AGAIN), None)
    if asked is not None and asked.is_open and asked.outcome is None and (job is None or job.state is not JobState.SUCCEEDED):
        says = f"{asked.made_by} asked that it runs again (request {asked.number}), and the client has not answered yet"
        return missing(says, evidence, Who.CLIENT, "it answers with a coming poll")
    if asked is not None and asked.outcome in (Outcome.REFUSED, Outcome.TOO_LATE):
        return ok(f"the client refused to run it again: {asked.text}", *evidence)
    if asked is not None and asked.outcome is Outcome.DONE and job is not None and asked.answered_at is not None:
        return ok(f"{asked.made_by} asked that it runs again (request {asked.number}), and the client took that up", *evidence)
    return ok("no request stands in its way", *evidence)


def window(facts: WhyFacts) -> Found | None:
    """Whether a maintenance window that is long enough is open."""
    found = waiting(facts, "window")
    if found is not None:
        return found
    job, last = facts.job, facts.times.last
    if facts.offer is None:
        return None
    if not facts.times.windows:
        return ok("no maintenance window reaches this client")
    evidence = [Evidence(text=f"{facts.times.windows} reach this client", source="maintenance windows")]
    if facts.offer.advertisement.ignores_windows:
        return ok("it runs outside maintenance windows too", *evidence)
    if job is not None and job.state in BEGUN:
        return ok("it has begun", *evidence)
    times = last or next(iter(facts.times.following), None)
    if times is not None and times.starts_at is None:
        what_next = "give the collection a window that opens, and is long enough for the program"
        return missing("none of its maintenance windows is ever open long enough for it", evidence, Who.ADMINISTRATOR, what_next)
    if last is not None and last.starts_at is not None and last.starts_at > facts.now:
        name = f" ({last.window_name})" if last.window_name else ""
        evidence.append(
            Evidence(text=f"window {last.window}{name} opens at {last.starts_local}", source="window", at=last.starts_at)
        )
        says = f"no maintenance window is open: the next one that is long enough opens on {clock(last.starts_at)}{name}"
        return missing(says, evidence, Who.CLIENT, "it starts by itself when the window opens")
    return ok("a maintenance window is open, or its time has not come", *evidence)


def condition(facts: WhyFacts) -> Found | None:
    """Whether something on the machine, or a user, holds the run back, as the client said."""
    job = facts.job
    if job is not None and job.state is JobState.POSTPONED:
        wait = WAITS[Cause.POSTPONED]
        return missing(f"{wait.says}: {job.text or job.user}", [word(job)], wait.who, wait.next)
    return waiting(facts, "condition") or ok("the client told of nothing that holds it back")


def download(facts: WhyFacts) -> Found | None:
    """Whether the client has the content; else the points that have it, with what the site knows to be wrong there."""
    job = facts.job
    if job is None:
        return None
    if job.state in BEGUN or job.state is JobState.READY or not any(one.manifest for one in facts.contents):
        return ok("it has what it needs")
    found = waiting(facts, "download")
    if job.cause is Cause.POINTS_BUSY or (found is None and job.state is JobState.DOWNLOADING):
        found = closed(facts) or found
    if found is not None:
        return replace(found, evidence=(*found.evidence, *points_of(facts, is_cap=False)))
    if job.state is JobState.DOWNLOADING:
        return missing(f"it fetches the content since {clock(job.at)}", [word(job)], Who.CLIENT, "it goes on by itself")
    return ok("nothing to fetch before its time", word(job))


def run(facts: WhyFacts) -> Found | None:
    """How far the run is, and how it ended, as the client told."""
    job = facts.job
    if job is None:
        says = "the client has said nothing of a run"
        return unknown(says, (), Who.CLIENT, "its word is awaited; it speaks when it begins")
    evidence = [word(job), *_notable(facts)]
    advertised = facts.offer.advertisement.id if facts.offer else "ADVERTISEMENT"
    again = f"mend it, then purveyor job run-again {advertised} --client {facts.client.name}"
    code = "" if job.exit_code is None else f" (exit code {job.exit_code})"
    if job.state is JobState.SUCCEEDED:
        return _succeeded(facts, job, evidence)
    if job.told_by in UNINSTALLED:
        return ok("its run had succeeded, and it was uninstalled since", *evidence)
    match job.state:
        case JobState.RUNNING:
            return missing(f"it runs since {clock(job.at)}", evidence, Who.MACHINE, "the program ends, or its time is over")
        case JobState.RESTART_PENDING:
            who, what_next = _RESTARTS.get(job.cause, (Who.MACHINE, "the machine restarts"))
            return missing(f"it waits for a restart of the machine: {job.text}", evidence, who, what_next)
        case JobState.FAILED:
            return missing(f"its run failed{code}: {job.text}", evidence, Who.ADMINISTRATOR, again)
        case JobState.TIMED_OUT:
            return missing(f"its run did not end in its time: {job.text}", evidence, Who.ADMINISTRATOR, again)
        case JobState.INTERRUPTED:
            return missing(f"nobody knows how its run ended: {job.text}", evidence, Who.ADMINISTRATOR, again)
        case JobState.NOT_OFFERED:
            says = f"the client holds it, as it was not offered when it looked last: {job.text}"
            return missing(says, evidence, Who.CLIENT, "it goes on with the poll in which it sees that it is offered")
        case JobState.REVOKED | JobState.REFUSED:
            return missing(f"the client does not run it: {job.text}", evidence, Who.ADMINISTRATOR, again)
        case _:
            found = waiting(facts, "run")
            return _not_begun(job, evidence) if found is None else replace(found, evidence=tuple(evidence))


def _not_begun(job: JobFacts, evidence: list[Evidence]) -> Found:
    """A run that is planned, of which the client said nothing that would keep it."""
    if job.succeeded_version is not None:
        says = f"version {job.succeeded_version} succeeded; the next run is {job.state.value}"
        return missing(says, evidence, Who.CLIENT, "it goes on by itself")
    return missing(f"its run is planned ({job.state.value}) and has not begun", evidence, Who.CLIENT, "it begins by itself")


def _succeeded(facts: WhyFacts, job: JobFacts, evidence: list[Evidence]) -> Found:
    served = [one.served_version for one in facts.contents if one.package == facts.package.id and one.served_version is not None]
    newest, ran = max(served, default=facts.package.source_version), job.succeeded_version or job.source_version
    if facts.offer is not None and facts.offer.advertisement.each_version and ran < newest:
        says = f"version {ran} ran, and version {newest} is to run too"
        return missing(says, evidence, Who.CLIENT, "it runs it when it has read of it")
    older = (
        f"; the package is at version {newest}, which runs by `--each-version` or another advertisement" if ran < newest else ""
    )
    return ok(f"version {ran} succeeded on {clock(job.at)}{older}", *evidence)


def result(facts: WhyFacts) -> Found:
    """What is there now: installed, found again, gone."""
    job = facts.job
    gone = _last(facts, UNINSTALLED)
    if gone is not None and job is not None and _is_gone(job, gone):
        return _uninstalled(facts, gone)
    if job is None or job.state is not JobState.SUCCEEDED:
        if gone is not None:
            return unknown(f"it was uninstalled on {clock(gone.at)}", [_message(gone)], Who.CLIENT, "a run brings it back")
        what_next = "the result comes with the end of a run"
        return unknown("no run has succeeded that would say what is there", (), Who.CLIENT, what_next)
    evidence = [word(job)]
    found = _last(facts, (StatusId.DETECTED, StatusId.NOT_DETECTED, StatusId.DRIFTED))
    if found is not None and found.order >= job.order and found.status != StatusId.DETECTED:
        return missing(
            f"it succeeded, but {found.text}",
            [*evidence, _message(found)],
            Who.ADMINISTRATOR,
            "see what its detection rule looks for",
        )
    if found is None:
        return ok(
            "it succeeded, by its own word" if job.told_by is not StatusId.ALREADY_THERE else "it was there already", *evidence
        )
    evidence.append(_message(found))
    if found.status == StatusId.DETECTED:
        return ok("it succeeded, and was found there" if found.order >= job.order else "it succeeded", *evidence)
    return ok("it succeeded", *evidence)


def _is_gone(job: JobFacts, gone: Told) -> bool:
    """Whether the uninstallation is the last word: the state says so itself, or it came after the success."""
    return job.told_by in UNINSTALLED or (job.state is JobState.SUCCEEDED and gone.order > job.order)


def _uninstalled(facts: WhyFacts, gone: Told) -> Found:
    """What was uninstalled, why, and how it comes back."""
    why = _last(facts, (StatusId.NOT_OFFERED_ANY_MORE,))
    started = _last(facts, (StatusId.PROGRAM_STARTED,))
    says, evidence = f"it was uninstalled on {clock(gone.at)}", [_message(gone)]
    if why is not None and (started is None or why.order > started.order):
        says += ", because no advertisement of it reached this client any more"
        what_next = "it is offered again, so it comes with a coming poll"
        return missing(says, [_message(why), *evidence], Who.CLIENT, what_next)
    if facts.package.state is not PackageState.ACTIVE:
        return missing(f"{says}, because its package was being removed", evidence, Who.NOBODY, "it was removed as intended")
    says += ", as somebody at the machine asked, or another program replaces it"
    return missing(says, evidence, Who.ADMINISTRATOR, "run it again, where it is wanted")


def _last(facts: WhyFacts, statuses: tuple[StatusId, ...]) -> Told | None:
    return next((message for message in facts.messages if message.status in statuses), None)


def _notable(facts: WhyFacts) -> list[Evidence]:
    """The last few things that the client told of the program, the newest first."""
    return [_message(one) for one in facts.messages[:3]]


def _message(one: Told) -> Evidence:
    try:
        name = StatusId(one.status).name.lower().replace("_", " ")
    except ValueError:
        name = str(one.status)
    return Evidence(text=f"{name}: {one.text}" if one.text else name, source=f"status message {one.status}", at=one.at)


def _effective(facts: WhyFacts, kind: RequestKind) -> RequestFacts | None:
    """The newest request of a kind that the client carried out."""
    return next((one for one in facts.requests if one.kind is kind and one.outcome is Outcome.DONE), None)


def _was_stopped(facts: WhyFacts) -> bool:
    """Whether the run that began last was stopped by a request."""
    stopped, started = _last(facts, (StatusId.STOPPED,)), _last(facts, (StatusId.PROGRAM_STARTED,))
    return stopped is not None and (started is None or stopped.order > started.order)


def _reason(one: RequestFacts | None) -> str:
    return f": {one.reason}" if one is not None and one.reason else ""


def _request_evidence(one: RequestFacts) -> Evidence:
    answer = "no answer yet" if one.outcome is None else f"{one.outcome.value}: {one.text}"
    return Evidence(text=f"request {one.number}, {one.kind.value} by {one.made_by}; {answer}", source="request", at=one.made_at)
