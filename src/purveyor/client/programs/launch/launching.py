"""Starts one job: prepares it, stores that it is started, launches it, tells so. In this order, so that nothing runs twice.

Stored before launch: if the power goes in between, the run counts as interrupted, never as not begun.
"""

from collections.abc import Callable, Sequence

from purveyor.client.machine.interface import Account, RunState, Session
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch import environment
from purveyor.client.programs.launch.preparing import Obstacle, folder_of, prepared
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import Started, with_started
from purveyor.client.programs.memory.job import Event, Job, Kind, advanced, changed
from purveyor.client.programs.wanted.due import Occurrence
from purveyor.wire.causes import Cause
from purveyor.wire.errors import UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Program, RunAs
from purveyor.wire.status_messages import StatusId

_STEADY = frozenset(
    {
        Cause.NOT_PREPARED,
        Cause.NOT_STARTED,
        Cause.DEPENDENCY_DISABLED,
        Cause.DEPENDENCY_UNSUPPORTED,
        Cause.DEPENDENCY_BROKEN,
    }
)
"""Causes whose reasons stay as they are until somebody acts: each other reason is told too."""


def launch(
    bench: Bench,
    job: Job,
    program: Program,
    *,
    site: str,
    lay_out: Callable[[str], None],
    answers: Sequence[Occurrence],
    session: Session | None = None,
) -> Job:
    """The job after its launch, or after what kept it from being launched.

    Shape:  `answers` are the occurrences that this run is for; `session` is the one in which it runs, where it is for a user.
    """
    account = _account(bench, program, session)
    if isinstance(account, Obstacle):
        status = StatusId.PREPARATION_FAILED if account.cause is Cause.NOT_PREPARED else StatusId.JOB_WAITING
        return delayed(bench, job, Event.WAIT, status, account.reason, account.cause)
    user = job.user if session is None or job.is_per_user else session.user
    run = bench.machine.random_bytes(8).hex()
    order = prepared(bench.machine.disk, job, program, run=run, site=site, lay_out=lay_out, user=user, account=account)
    if isinstance(order, Obstacle):
        bench.machine.disk.remove(folder_of(run))
        return delayed(bench, job, Event.WAIT, StatusId.PREPARATION_FAILED, order.reason, Cause.NOT_PREPARED)
    started = advanced(
        job,
        Event.START,
        run=run,
        program=program,
        user=user,
        boot_id=bench.machine.boot_id(),
        started_at=bench.now,
        ended_at=None,
        exit_code=None,
        attempts=job.attempts + 1,
        covers=tuple(occurrence.identity for occurrence in answers),
        is_start_told=False,
        is_by_result_file=False,
        text="",
    )
    with bench.state.transaction():
        bench.save(started)
        if job.kind is Kind.RUN:
            _remember_started(bench, started, answers)
    try:
        bench.machine.programs.start(order)
    except UnavailableError as error:
        return not_started(bench, started, str(error))
    report = bench.machine.programs.look(run)
    if report.state is RunState.ENDED and report.start_error:
        return started
    with bench.state.transaction():
        return tell_started(bench, started)


def looked_for(bench: Bench, program: Program) -> bool | None:
    """Whether what a program installs is there now; None: it has no rule for that, or nobody can tell."""
    if program.detection is None:
        return None
    try:
        rule = environment.expanded_rule(program.detection, state=bench.machine.disk.absolute(""))
        return bench.machine.is_detected(rule)
    except (UnavailableError, environment.UndefinedVariableError) as error:
        bench.note(f"whether {program.name} is there cannot be found out: {error}")
        return None


def already_there(bench: Bench, job: Job, answers: Sequence[Occurrence]) -> Job:
    """The job once what it is for was found to be there: its occurrences are answered without a run."""
    text = "what it installs is there already, so it is not run"
    waiting = job if job.state in (JobState.READY, JobState.WAITING) else advanced(job, Event.WAIT)
    covers = tuple(occurrence.identity for occurrence in answers)
    after = advanced(
        waiting, Event.ALREADY_THERE, was_there=True, covers=covers, ended_at=bench.now, next_try_at=None, problem="", text=text
    )
    with bench.state.transaction():
        bench.save(after)
        _remember_started(bench, after, answers)
        bench.tell(after, StatusId.ALREADY_THERE, text)
    return after


def drifted(bench: Bench, job: Job) -> Job:
    """The job once what it is for was found not to be there; that it had succeeded before is told, once."""
    if job.was_there is False:
        return job
    with bench.state.transaction():
        after = bench.save(changed(job, was_there=False))
        if records.history_of(bench.state, job.key).has_succeeded:
            bench.tell(after, StatusId.DRIFTED, "it had succeeded, and what it installs is not there any more")
    return after


def tell_started(bench: Bench, job: Job) -> Job:
    """Tells, once, that a job was started; in the open transaction."""
    if job.is_start_told:
        return job
    told = bench.save(changed(job, is_start_told=True, problem="", failures=0))
    bench.tell(told, StatusId.PROGRAM_STARTED if job.kind is Kind.RUN else StatusId.UNINSTALL_STARTED, _start_text(job))
    return told


def _start_text(job: Job) -> str:
    name = "" if job.program is None else job.program.name
    told = f"{name} was started" if job.kind is Kind.RUN else f"the uninstallation of {name} was started"
    if job.user:
        told += f" for {job.user}"
    if job.was_there is not None:
        told += "; what it installs was there already" if job.was_there else "; what it installs was not there before"
    return told


def not_started(bench: Bench, job: Job, reason: str) -> Job:
    """The job after a launch that failed for a reason that may pass: nothing ran, so it is tried again."""
    bench.machine.programs.forget(job.run)
    bench.machine.disk.remove(folder_of(job.run))
    again = changed(job, attempts=max(0, job.attempts - 1))
    return delayed(bench, again, Event.NOT_STARTED, StatusId.START_FAILED, reason, Cause.NOT_STARTED)


def problem_of(status: StatusId, cause: Cause, reason: str) -> str:
    """By what a job knows that it has told what it waits for: the cause, or the reason where that is the same at every look."""
    return f"{status.name}: {reason if cause in _STEADY else cause}"


def delayed(bench: Bench, job: Job, event: Event, status: StatusId, reason: str, cause: Cause) -> Job:
    """The job after a failure that may pass: tried again after a pause that grows. Told once while it waits for the same."""
    problem = problem_of(status, cause, reason)
    failures = job.failures + 1
    after = advanced(
        job, event, failures=failures, next_try_at=bench.next_try(failures), problem=problem, cause=cause, text=reason
    )
    with bench.state.transaction():
        bench.save(after)
        if job.problem != problem:
            bench.tell(after, status, reason)
    return after


def remember_answered(bench: Bench, job: Job, assignment: str, started: Started) -> None:
    """Remembers, in the open transaction, that an occurrence was answered: it is never started again."""
    history = records.history_of(bench.state, job.key)
    records.save_history(bench.state, with_started(history, assignment, started))


def _account(bench: Bench, program: Program, session: Session | None) -> Account | Obstacle | None:
    """With whose rights a program runs; None: the agent's own. That nobody can tell is another thing than that there is none.

    Source: Q235205, Q307434.
    """
    if program.run_as is not RunAs.USER:
        return None
    if session is None:
        return Obstacle("waits: no user is logged on", Cause.NO_USER)
    try:
        account = bench.machine.account(session.user)
    except UnavailableError as error:
        return Obstacle(f"waits: the account {session.user} cannot be looked up now: {error}", Cause.ACCOUNT_UNKNOWN)
    if account is None:
        return Obstacle(f"there is no account {session.user} on this machine, with whose rights it is to run")
    return account


def _remember_started(bench: Bench, job: Job, answers: Sequence[Occurrence]) -> None:
    history = records.history_of(bench.state, job.key)
    for occurrence in answers:
        history = with_started(history, occurrence.assignment, occurrence.started)
    records.save_history(bench.state, history)
