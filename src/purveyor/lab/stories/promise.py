"""The promise, as a comparison of what happened with what was ordered. Pure; every finding is a sentence for an administrator.

No client asked for a file that nothing newest names. No client forgot anything that was not deleted. No occurrence ran twice.
Every run was reported, once. And now that the faults are over and two polls have gone by, the site and its clients agree.

What may run again, and nothing else: a run of which nobody knows how it ended, where its program says so; a run that said "not
now"; a run that an administrator asked to have again; what a machine had run since a snapshot that it went back to.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.memory.job import NOT_STARTED, Kind
from purveyor.lab.stories.evidence import Evidence, OfClient
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.witness import Ran
from purveyor.lab.transport import AbsentRequest
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import IfInterrupted, ProgramKey
from purveyor.wire.status_messages import StatusId

STARTS = {StatusId.PROGRAM_STARTED: Kind.RUN, StatusId.UNINSTALL_STARTED: Kind.UNINSTALL}
ENDS = frozenset(
    {
        StatusId.FAILED_BY_EXIT_CODE,
        StatusId.FAILED_BY_RESULT_FILE,
        StatusId.SUCCEEDED_BY_EXIT_CODE,
        StatusId.SUCCEEDED_BY_RESULT_FILE,
        StatusId.TIMED_OUT,
        StatusId.INTERRUPTED,
        StatusId.STOPPED,
        StatusId.STOPPED_BY_RETIREMENT,
        StatusId.RETRY_LATER,
        StatusId.RESTART_PENDING,
    }
)
"""What is told of a run once it is over."""
SUCCESSES = frozenset({StatusId.SUCCEEDED_BY_EXIT_CODE, StatusId.SUCCEEDED_BY_RESULT_FILE})


def broken(evidence: Evidence) -> Iterator[str]:
    """What of the promise was broken; nothing when it was kept."""
    yield from _asked_in_vain(evidence.absent)
    yield from _forgotten(evidence)
    yield from evidence.unknown_launches
    for client in evidence.clients:
        if not client.went_back:
            yield from _ran_twice(evidence, client)
            yield from _misreported(evidence, client)
        yield from _disagreeing(evidence, client)
    yield from _not_forgotten(evidence)
    yield from (f"when all faults were over, something was still wrong: {problem}" for problem in evidence.problems)


def broken_already(stage: Stage) -> Iterator[str]:
    """What of the promise is broken while faults may still go on: what nobody asks for, forgets or runs at any time."""
    witness, ordered = stage.witness, stage.ordered
    yield from _asked_in_vain(stage.absent_requests())
    yield from witness.unknown
    for client, key in witness.forgotten:
        if key.package not in ordered.deleted_packages and key not in ordered.deleted_programs:
            yield f"{client} has forgotten what it ran of {key}, which nobody deleted"
    yield from (f"{ran.client} ran {ran.key} again at {ran.at:%m-%d %H:%M}" for ran in witness.runs if ran.repeats_success)


def _asked_in_vain(absent: Iterable[AbsentRequest]) -> Iterator[str]:
    for request in absent:
        yield f"{request.client} asked for {request.path} at {request.at:%m-%d %H:%M}, which nothing newest named"


def _forgotten(evidence: Evidence) -> Iterator[str]:
    for client, key in evidence.forgotten:
        if key.package not in evidence.deleted_packages and key not in evidence.deleted_programs:
            yield f"{client} has forgotten what it ran of {_named(evidence, key)}, which nobody deleted"


def _ran_twice(evidence: Evidence, client: OfClient) -> Iterator[str]:
    runs: dict[tuple[ProgramKey, Kind, str], list[Ran]] = {}
    for ran in client.runs:
        runs.setdefault((ran.key, ran.kind, ran.occurrence), []).append(ran)
    for (key, kind, occurrence), launches in runs.items():
        for earlier in launches[:-1]:
            if kind is Kind.RUN and not may_run_again(earlier, client.endings[earlier.run]):
                yield (
                    f"{client.name} ran {_named(evidence, key)} twice for the occurrence {occurrence}: "
                    + " and ".join(f"{one.at:%m-%d %H:%M}" for one in launches)
                )
    for ran in client.runs:
        if ran.kind is Kind.RUN and ran.repeats_success:
            yield f"{client.name} ran {_named(evidence, ran.key)} again at {ran.at:%m-%d %H:%M}, though it had succeeded there"


def may_run_again(ran: Ran, ending: RunReport) -> bool:
    """Whether another run of the same occurrence may follow one that ended so."""
    if ending.state is RunState.UNKNOWN:
        return ran.program.if_interrupted is IfInterrupted.RUN_AGAIN
    return ending.exit_code in ran.program.retry_codes


def _misreported(evidence: Evidence, client: OfClient) -> Iterator[str]:
    """A power cut right before a launch makes a run of which is told, and which never began: so many may be told too many."""
    begun = Counter((ran.key, ran.kind, ran.occurrence) for ran in client.runs)
    going = Counter((ProgramKey(*job.key), job.kind, job.occurrence) for job in client.jobs if job.state is JobState.RUNNING)
    starts = Counter((one.key, STARTS[one.status], one.occurrence) for one in client.messages if one.key and one.status in STARTS)
    ends = Counter((key, Kind.RUN, occurrence) for key, occurrence in _ends(client))
    spare = client.interruptions
    for (key, kind, occurrence), count in begun.items():
        told = starts[key, kind, occurrence]
        if told != count and not count < told <= count + spare:
            yield f"{client.name} started {_named(evidence, key)} {count} times for {occurrence}, and told the site of {told}"
        told, over = ends[key, kind, occurrence], count - going[key, kind, occurrence]
        if kind is Kind.RUN and told != over and not over < told <= over + spare:
            yield f"{client.name} has ended {_named(evidence, key)} {over} times for {occurrence}, and told the site of {told}"
    for key, kind, occurrence in (starts.keys() - begun.keys()) if not spare else ():
        yield f"{client.name} told of a run of {_named(evidence, key)} for {occurrence} that never was ({kind})"


def _ends(client: OfClient) -> Iterator[tuple[ProgramKey, str]]:
    """Of which runs it was told that they are over. That the restart came which one waited for is told besides."""
    waiting: set[tuple[ProgramKey, str]] = set()
    for message in client.messages:
        if message.key is None or message.status not in ENDS:
            continue
        about = (message.key, message.occurrence)
        if message.status in SUCCESSES and about in waiting:
            waiting.remove(about)
            continue
        if message.status is StatusId.RESTART_PENDING:
            waiting.add(about)
        yield about


def _disagreeing(evidence: Evidence, client: OfClient) -> Iterator[str]:
    if client.told != client.made or client.untold:
        yield f"{client.name} has said {client.made} things and keeps {client.untold} more, of which the site has {client.told}"
    if client.members != client.believed:
        yield (
            f"{client.name} believes that it is in {sorted(client.believed)}, and the site that it is in {sorted(client.members)}"
        )
    for key, history in client.histories.items():
        site = client.site_jobs.get(key)
        last = history.last_run
        if last is not None and site is None:
            yield f"the site knows nothing of {_named(evidence, key)} on {client.name}, where it was {last.state}"
        waits_for_restart = last is not None and last.state is JobState.RESTART_PENDING
        if (
            site is not None
            and history.has_succeeded
            and not waits_for_restart
            and (site.succeeded_version or 0) < history.succeeded_version
        ):
            yield f"the site does not know that {_named(evidence, key)} has succeeded on {client.name}"
    for job in client.jobs:
        site = client.site_jobs.get(ProgramKey(*job.key))
        if (
            site is not None
            and job.kind is Kind.RUN
            and site.occurrence == job.occurrence
            and not _is_same(site.state, job.state)
        ):
            yield f"{_named(evidence, ProgramKey(*job.key))} is {job.state} on {client.name}, and the site believes {site.state}"


def _is_same(said: JobState, held: JobState) -> bool:
    """Whether the site is right. Of what has not started it is told what it waits for, not each step of it."""
    return said is held or (said in NOT_STARTED and held in NOT_STARTED)


def _not_forgotten(evidence: Evidence) -> Iterator[str]:
    """A machine that owes a restart removes nothing before it."""
    owing = {client.name for client in evidence.clients if any(job.state is JobState.RESTART_PENDING for job in client.jobs)}
    for client in evidence.clients:
        for package, held in client.holds.items():
            if held and client.name not in owing:
                yield f"{client.name} still holds something of {_package(evidence, package)}, now deleted: {', '.join(held)}"
    for package, waited_for in evidence.unacknowledged.items():
        names = [name for name in waited_for if name not in owing]
        if names:
            yield f"the site still waits for {', '.join(names)} to forget {_package(evidence, package)}"


def _named(evidence: Evidence, key: ProgramKey) -> str:
    return f"{_package(evidence, key.package)} ({key})"


def _package(evidence: Evidence, package: str) -> str:
    return next((name for one, name in evidence.names.items() if one == package), package)
