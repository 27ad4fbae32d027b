"""The promise, as a comparison of what happened with what was ordered. Pure; every finding is a sentence for an administrator.

No client asked for a file that nothing newest names. No client forgot anything that was not deleted. No occurrence ran twice.
Every run was reported, once. And now that the faults are over and two polls have gone by, the site and its clients agree.

What may run again, and nothing else: a run of which nobody knows how it ended, where its program says so; a run that said "not
now"; a run that an administrator asked to have again; what a machine had run since a snapshot that it went back to. What may be
missing at the site: what it was told between a backup and its loss. Machines with copies of one disk tell of each run once with
each identity that they had.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.memory.job import NOT_STARTED, Job, Kind
from purveyor.lab.stories.evidence import Evidence, Message, OfClient
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.witness import Ran
from purveyor.lab.transit import AbsentRequest
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import IfInterrupted, ProgramKey
from purveyor.wire.shards import ClientState
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

Occasion = tuple[ProgramKey, Kind, str]
"""A program, what was done with it, and the occurrence for which."""


class Account(NamedTuple):
    """What was run by whom, against which it is held what the site was told.

    Shape: so many runs of each occasion have to be told `least`, and may be told `most`; `going` are not over yet. `spare` may be
    told too many of each: a power cut right before a launch makes a run of which is told, and which never began.
    """

    name: str
    least: Counter[Occasion]
    most: Counter[Occasion]
    going: Counter[Occasion]
    spare: int


def broken(evidence: Evidence) -> Iterator[str]:
    """What of the promise was broken; nothing when it was kept."""
    yield from _asked_in_vain(evidence.absent)
    yield from _forgotten(evidence)
    yield from evidence.unknown_launches
    yield from evidence.broken
    for client in evidence.clients:
        yield from _ran_twice(evidence, client)
        if not client.is_kin:
            account = _account(evidence, client)
            yield from _untold(evidence, account, client.messages)
            yield from _told_too_often(evidence, account, client.messages)
            yield from _heard_twice(evidence, client)
        if client.standing == ClientState.MEMBER:
            yield from _disagreeing(evidence, client)
        else:
            yield f"{client.name} is lost: to the site it is {client.standing or 'nobody that it knows'}"
    yield from _misreported_by_kin(evidence)
    yield from _not_forgotten(evidence)
    yield from (f"when all faults were over, something was still wrong: {problem}" for problem in evidence.problems)


def broken_already(stage: Stage) -> Iterator[str]:
    """What of the promise is broken while faults may still go on: what nobody asks for, forgets or runs at any time."""
    witness, ordered = stage.witness, stage.ordered
    yield from _asked_in_vain(stage.absent_requests())
    yield from witness.unknown
    yield from ordered.broken
    for client, key in witness.forgotten:
        if key.package not in ordered.may_be_forgotten and key not in ordered.deleted_programs:
            yield f"{client} has forgotten what it ran of {key}, which nobody deleted"
    yield from (f"{ran.client} ran {ran.key} again at {ran.at:%m-%d %H:%M}" for ran in witness.runs if ran.repeats_success)


def _asked_in_vain(absent: Iterable[AbsentRequest]) -> Iterator[str]:
    for request in absent:
        yield f"{request.client} asked for {request.path} at {request.at:%m-%d %H:%M}, which nothing newest named"


def _forgotten(evidence: Evidence) -> Iterator[str]:
    for client, key in evidence.forgotten:
        if key.package not in evidence.may_be_forgotten and key not in evidence.deleted_programs:
            yield f"{client} has forgotten what it ran of {_named(evidence, key)}, which nobody deleted"


def _ran_twice(evidence: Evidence, client: OfClient) -> Iterator[str]:
    runs: dict[tuple[ProgramKey, Kind, str], list[Ran]] = {}
    for ran in client.remembered:
        runs.setdefault((ran.key, ran.kind, ran.occurrence), []).append(ran)
    for (key, kind, occurrence), launches in runs.items():
        for earlier in launches[:-1]:
            if kind is Kind.RUN and not may_run_again(earlier, client.endings[earlier.run]):
                yield (
                    f"{client.name} ran {_named(evidence, key)} twice for the occurrence {occurrence}: "
                    + " and ".join(f"{one.at:%m-%d %H:%M}" for one in launches)
                )
    for ran in client.launched:
        if ran.kind is Kind.RUN and ran.repeats_success:
            yield f"{client.name} ran {_named(evidence, ran.key)} again at {ran.at:%m-%d %H:%M}, though it had succeeded there"


def may_run_again(ran: Ran, ending: RunReport) -> bool:
    """Whether another run of the same occurrence may follow one that ended so."""
    if ending.state is RunState.UNKNOWN:
        return ran.program.if_interrupted is IfInterrupted.RUN_AGAIN
    return ending.exit_code in ran.program.retry_codes


def _account(evidence: Evidence, client: OfClient) -> Account:
    """What this machine ran: it has to tell of what it remembers, and may have told of what it ran before it went back."""
    own = (run for run in client.remembered if run.client == client.name)
    since = evidence.told_since
    return Account(
        name=client.name,
        least=Counter(_occasion(run) for run in own if since is None or run.at >= since),
        most=Counter(_occasion(run) for run in client.launched),
        going=Counter((ProgramKey(*job.key), job.kind, job.occurrence) for job in client.jobs if job.state is JobState.RUNNING),
        spare=client.interruptions,
    )


def _occasion(run: Ran) -> Occasion:
    return (run.key, run.kind, run.occurrence)


def _untold(evidence: Evidence, account: Account, messages: Sequence[Message]) -> Iterator[str]:
    """Which runs, and which ends of runs, the site was never told of."""
    starts, ends = _starts(messages), Counter(_ends(messages))
    for about, count in account.least.items():
        key, kind, occurrence = about
        program, over = _named(evidence, key), count - account.going[about]
        if starts[about] < count:
            yield f"{account.name} started {program} {count} times for {occurrence}, and told the site of {starts[about]}"
        if kind is Kind.RUN and ends[about] < over:
            yield f"{account.name} has ended {program} {over} times for {occurrence}, and told the site of {ends[about]}"


def _told_too_often(evidence: Evidence, account: Account, messages: Sequence[Message]) -> Iterator[str]:
    """Of which runs, and ends of runs, the site was told that never were."""
    for told, what in ((_starts(messages), "started"), (Counter(_ends(messages)), "ended")):
        for about, count in told.items():
            key, _, occurrence = about
            most = account.most[about] - (account.going[about] if what == "ended" else 0)
            if count > most + account.spare:
                yield f"{account.name} {what} {_named(evidence, key)} {most} times for {occurrence}, and told the site of {count}"


def _heard_twice(evidence: Evidence, client: OfClient) -> Iterator[str]:
    """What the site was told twice of one moment of one run."""
    said = Counter(one for one in client.messages if one.key is not None and (one.status in STARTS or one.status in ENDS))
    for message, count in said.items():
        if count > 1 and message.key is not None:
            what = f"{message.status.name} of {_named(evidence, message.key)} at {message.at}"
            yield f"{client.name} told the site {count} times of one thing: {what}"


def _misreported_by_kin(evidence: Evidence) -> Iterator[str]:
    """What machines with copies of each other's disks told, all together; and with no identity more than all of them did."""
    kin = [_account(evidence, client) for client in evidence.clients if client.is_kin]
    if not kin:
        return
    together = Account(
        name=" and ".join(account.name for account in kin),
        least=_sum(account.least for account in kin),
        most=_sum(account.most for account in kin),
        going=_sum(account.going for account in kin),
        spare=sum(account.spare for account in kin),
    )
    yield from _untold(evidence, together, [message for told in evidence.told_of_kin for message in told])
    for told in evidence.told_of_kin:
        yield from _told_too_often(evidence, together, told)


def _sum(counters: Iterable[Counter[Occasion]]) -> Counter[Occasion]:
    return sum(counters, Counter[Occasion]())


def _starts(messages: Iterable[Message]) -> Counter[Occasion]:
    return Counter((one.key, STARTS[one.status], one.occurrence) for one in messages if one.key and one.status in STARTS)


def _ends(messages: Iterable[Message]) -> Iterator[Occasion]:
    """Of which runs it was told that they are over. That the restart came which one waited for is told besides."""
    waiting: set[Occasion] = set()
    for message in messages:
        if message.key is None or message.status not in ENDS:
            continue
        about = (message.key, Kind.RUN, message.occurrence)
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
            and not _ran_at_kin(evidence, client, job)
        ):
            yield f"{_named(evidence, ProgramKey(*job.key))} is {job.state} on {client.name}, and the site believes {site.state}"


def _ran_at_kin(evidence: Evidence, client: OfClient, job: Job) -> bool:
    """Whether a machine that may have spoken with this identity knows of the same run: what that told stays with the identity."""
    kin = [other for other in evidence.clients if client.is_kin and other.is_kin and other.name != client.name]
    known = (run for other in kin for run in (*other.launched, *other.remembered))
    return any((run.key, run.occurrence) == (ProgramKey(*job.key), job.occurrence) for run in known)


def _is_same(said: JobState, held: JobState) -> bool:
    """Whether the site is right. Of what has not started it is told what it waits for, not each step of it."""
    return said is held or (said in NOT_STARTED and held in NOT_STARTED)


def _not_forgotten(evidence: Evidence) -> Iterator[str]:
    """A machine that owes a restart removes nothing before it; what is uninstalled everywhere first waits for all who are to."""
    owing = {client.name for client in evidence.clients if any(job.state is JobState.RESTART_PENDING for job in client.jobs)}
    waiting = {package for package in evidence.uninstalled if owing & set(evidence.unacknowledged.get(package, ()))}
    for client in evidence.clients:
        for package, held in client.holds.items():
            if held and client.name not in owing and package not in waiting:
                yield f"{client.name} still holds something of {_package(evidence, package)}, now deleted: {', '.join(held)}"
    for package, waited_for in evidence.unacknowledged.items():
        names = [name for name in waited_for if name not in owing]
        if names and package not in waiting:
            yield f"the site still waits for {', '.join(names)} to forget {_package(evidence, package)}"


def _named(evidence: Evidence, key: ProgramKey) -> str:
    return f"{_package(evidence, key.package)} ({key})"


def _package(evidence: Evidence, package: str) -> str:
    return next((name for one, name in evidence.names.items() if one == package), package)
