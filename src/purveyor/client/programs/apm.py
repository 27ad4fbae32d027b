"""The Advertised Programs Manager: decides, fetches and runs what the site advertises to this machine, forgets what it deleted.

One turn: look at what runs, forget what was deleted, remove what is to be removed, take in what is offered, run what is due. Each
step reads, decides, and stores with its status messages in one transaction; the doing follows. A turn may be cut off anywhere:
the next one goes on. Upstream: `policy`; downstream: `content`, the machine, `reports`. Asks no CAP, knows no clock of its own.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from purveyor.client.content.held import ContentCache
from purveyor.client.machine.interface import Machine, RunState
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench, Limits, silent
from purveyor.client.programs.ending import restart
from purveyor.client.programs.ending.settling import goes_on, settle, sweep
from purveyor.client.programs.launch import opening, removal
from purveyor.client.programs.launch.families import Runs
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import RUNNABLE, Job, Kind
from purveyor.client.programs.removing import leaving
from purveyor.client.programs.removing.deletion import forget_deleted
from purveyor.client.programs.wanted import notices
from purveyor.client.programs.wanted.intake import take_in
from purveyor.client.state.store import State
from purveyor.transport.interface import Point
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.settings import AgentSettings

SHORTEST_PAUSE = timedelta(seconds=1)
"""No turn asks for the next one sooner: nothing spins (Q240921, Q302535)."""
LOOK_AGAIN = "look again"
"""The fact that a pass went on for so long that the assignments are to be read again."""
_SWEPT = "swept since start"
LOOK_SECONDS = 60
"""A run is looked at after this long, then after ever longer times; its end is noticed by the sentinel before."""


def turn(
    policy: Policy,
    *,
    state: State,
    machine: Machine,
    content: ContentCache,
    point_for: Callable[[str], Point],
    now: datetime,
    note: Callable[[str], None] = silent,
) -> datetime | None:
    """Does what is due, and says when something is due next; None: nothing but what a later policy brings.

    Shape:  `note` takes lines for the agent's log.
    Errors: none that are expected; whatever cannot be done now is stored as the state of a job and told.
    """
    bench = Bench(state=state, machine=machine, now=now, limits=_limits(policy.settings), note=note)
    site = policy.settings.site
    settle(bench, site=site)
    sweep(bench)
    forget_deleted(bench, policy, content)
    removal.plan_removals(bench, policy)
    leaving.plan_leaving(bench, policy)
    standings = take_in(bench, policy)
    runs = Runs(bench=bench, policy=policy, content=content, point_for=point_for, standings=standings)
    runs.drop_orphans()
    has_ended = _run_due(runs, site)
    if has_ended:
        forget_deleted(bench, policy, content)
    runs.prefetch()
    if has_ended or runs.fetching.has_fetched or _is_first_turn_since_start(state, machine):
        _evict(runs)
        state.remember(_SWEPT, machine.boot_id())
    restart_at = restart.turn(bench, policy.settings, runs.gate.closed_for)
    return _next_due(runs, restart_at, notices.tell_users(bench, policy))


def jobs(state: State) -> list[Job]:
    """All jobs of this machine, planned and done, in the order in which they came."""
    return records.jobs(state)


def is_running(state: State) -> bool:
    """Whether a program was started and is not yet settled."""
    return any(job.state is JobState.RUNNING for job in records.open_jobs(state))


def is_to_look_again(state: State, *, since: datetime, now: datetime) -> bool:
    """Whether the site is to be asked before what is next: a job has come to its time since the last poll, or a pass was long."""
    jobs = records.open_jobs(state)
    is_begun = any(job.is_root and job.kind is Kind.RUN and job.state in RUNNABLE and _is_within(job, since, now) for job in jobs)
    return is_begun or bool(state.fact(LOOK_AGAIN))


def _is_within(job: Job, since: datetime, now: datetime) -> bool:
    return job.due_at is not None and since < job.due_at <= now


def has_ended_run(state: State, machine: Machine) -> bool:
    """Whether a run is over that is not yet settled: a turn would settle it."""
    running = [job for job in records.open_jobs(state) if job.state is JobState.RUNNING]
    return any(machine.programs.look(job.run).state is not RunState.RUNNING and not goes_on(machine, job) for job in running)


def holding(state: State, policy: Policy) -> tuple[PackageId, ...]:
    """Packages that the site deletes or removes, and of which something still runs or is still installed here.

    Shape:  sorted; deleted ones until all is forgotten (a run may go on), removed ones while it runs or can be uninstalled.
    """
    if not policy.deleted_packages and not policy.removals:
        return ()
    running = {job.key.package for job in records.open_jobs(state) if job.state is JobState.RUNNING}
    installed = {receipt.key.package for receipt in records.receipts(state) if receipt.uninstall is not None}
    return tuple(sorted((records.packages_known(state) & policy.deleted_packages) | ((running | installed) & policy.removals)))


def uninstall(
    package: PackageId,
    *,
    state: State,
    machine: Machine,
    now: Callable[[], datetime],
    wait: Callable[[], None],
    note: Callable[[str], None] = silent,
) -> list[Job]:
    """Uninstalls all programs of a package from their receipts, the newest first, and gives the jobs as they ended.

    Needs no site, and works long after the package is gone. `wait` is called between looks at what runs.
    Errors: RefusedError when this machine has no receipt with an uninstall command.
    """
    bench = Bench(state=state, machine=machine, now=now(), note=note)
    receipts = [receipt for receipt in records.receipts(state, package) if receipt.uninstall is not None]
    if not receipts:
        if package in records.packages_uninstalled(state):
            raise RefusedError(f"{package} is already uninstalled from this machine")
        raise RefusedError(f"nothing of {package} that can be uninstalled was installed on this machine")
    planned = [removal.plan_uninstall(bench, receipt) for receipt in receipts]
    while True:
        bench.now = now()
        settle(bench, site=receipts[0].site)
        current = [records.job_of(state, job.key, job.occurrence) or job for job in planned]
        tried = {job.key for job in current if job.next_try_at is not None or job.problem}
        if all(not job.is_open or job.state is JobState.RESTART_PENDING or job.key in tried for job in current):
            return current
        if is_running(state) or not removal.launch_next_uninstall(bench):
            wait()


def _is_first_turn_since_start(state: State, machine: Machine) -> bool:
    """Whether the machine was started since the cache was last swept: a power cut may have brought back what was removed."""
    return state.fact(_SWEPT) != machine.boot_id()


def _limits(settings: AgentSettings) -> Limits:
    return Limits(
        retry_seconds=settings.retry_seconds,
        retry_limit_seconds=settings.retry_limit_seconds,
        history_limit=settings.history_limit,
    )


def _evict(runs: Runs) -> None:
    try:
        runs.content.evict(runs.policy.settings, runs.fetching.kept_manifests())
    except UnavailableError as error:
        runs.bench.note(f"the cache cannot be tidied now: {error}")


def _run_due(runs: Runs, site: str) -> bool:
    """Runs what is due, as far as one pass can: what is ready starts before what has to be fetched. True when a run ended."""
    has_ended = False
    while True:
        was_launched = _start_one(runs)
        is_settled = was_launched and settle(runs.bench, site=site)
        has_ended = has_ended or is_settled
        if not (is_settled or runs.has_answered):
            return has_ended
        runs.has_answered = False
        runs.standings = take_in(runs.bench, runs.policy)
        if was_launched and not is_settled:
            return has_ended


def _start_one(runs: Runs) -> bool:
    """Fetches what is due and launches one program, if nothing runs. True when one was launched."""
    runs.look_again()
    runs.gate.begin_round()
    if _may_uninstall(runs) and removal.launch_next_uninstall(runs.bench):
        return True
    if not runs.policy.may_run_accepted:
        return False
    was_launched = False
    for is_fetching in (False, True):
        for found in runs.roots_due():
            root = runs.looked_for(found)
            if root is None:
                continue
            members = runs.family(root)
            if members and (is_fetching or all(runs.fetching.is_here(member) for member in members)):
                members = runs.fetch(root, members, runs.answers(root))
                was_launched = runs.launch(members[-1], members) or was_launched
    return was_launched


def _may_uninstall(runs: Runs) -> bool:
    """Whether what the site removes may be removed now: nothing runs, the machine stays up, a window is open if there are any."""
    return not runs.is_busy() and not runs.gate.is_going_down() and runs.gate.closed() is None


def _next_due(runs: Runs, *others: datetime | None) -> datetime | None:
    bench, policy = runs.bench, runs.policy
    open_jobs = records.open_jobs(bench.state)
    running = [job for job in open_jobs if job.state is JobState.RUNNING]
    times: list[datetime] = [_next_look(job, bench) for job in running]
    if runs.is_late:
        bench.state.remember(LOOK_AGAIN, "yes")
        times.append(bench.now)
    if not any(job.state in (JobState.RUNNING, JobState.RESTART_PENDING) for job in open_jobs):
        times += [time for time in (_next_uninstall(runs),) if time is not None]
    if policy.may_run_accepted:
        times += _starts(runs, open_jobs)
    times += [time for time in (*others, opening.next_look(runs.gate.windows, bench.now)) if time is not None]
    earliest = min(times, default=None)
    return None if earliest is None else max(earliest, bench.now + SHORTEST_PAUSE)


def _next_uninstall(runs: Runs) -> datetime | None:
    due_at = removal.next_due(runs.bench, runs.policy)
    if due_at is None or _may_uninstall(runs):
        return due_at
    found = runs.gate.closed()
    looks_at = runs.gate.interval.next_look if found is None else found.look_at
    return None if looks_at is None else max(due_at, looks_at)


def _starts(runs: Runs, open_jobs: list[Job]) -> list[datetime]:
    """When jobs that have not begun come to their time, are tried again, or are looked at again since they wait for something."""
    now = runs.bench.now
    times = list(runs.gate.looks)
    for job in open_jobs:
        if job.kind is not Kind.RUN:
            continue
        standing = runs.standings.get(job.errand)
        if job.state is JobState.POSTPONED and job.postponed_until is not None:
            times.append(job.postponed_until)
            times += [one.due_at for one in standing.asking if one.due_at > now][:1] if standing is not None else []
        if job.state not in RUNNABLE:
            continue
        if job.next_try_at is not None and not runs.bench.may_try(job):
            times.append(job.next_try_at)
        elif (busy_until := runs.fetching.busy_until(job)) is not None and not runs.fetching.is_here(job):
            times.append(busy_until)
        elif job.is_root and standing is not None:
            later = [one.due_at for one in standing.asking if one.due_at > now]
            prefetch_at = runs.prefetch_at(job)
            times += later[:1] if prefetch_at is None or prefetch_at <= now else [*later[:1], prefetch_at]
    return times


def _next_look(job: Job, bench: Bench) -> datetime:
    now = bench.now
    elapsed = timedelta(0) if goes_on(bench.machine, job) else now - (job.started_at or now)
    look_at = now + max(timedelta(seconds=LOOK_SECONDS), elapsed)
    return look_at if job.stop_at is None else min(look_at, job.stop_at)
