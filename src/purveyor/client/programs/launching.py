"""Starts one job: prepares it, stores that it is started, launches it, tells so. In this order, so that nothing runs twice.

Stored before launch: if the power goes in between, the run counts as interrupted, never as not begun.
"""

from collections.abc import Callable, Sequence

from purveyor.client.machine.interface import RunState
from purveyor.client.programs import records
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.due import Occurrence
from purveyor.client.programs.history import Started, with_started
from purveyor.client.programs.job import Event, Job, Kind, advanced, changed
from purveyor.client.programs.preparing import Obstacle, folder_of, prepared
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Program
from purveyor.wire.status_messages import StatusId


def launch(
    bench: Bench, job: Job, program: Program, *, site: str, lay_out: Callable[[str], None], answers: Sequence[Occurrence]
) -> Job:
    """The job after its launch, or after what kept it from being launched. `answers` are the occurrences that this run is for."""
    run = bench.machine.random_bytes(8).hex()
    order = prepared(bench.machine.disk, job, program, run=run, site=site, lay_out=lay_out)
    if isinstance(order, Obstacle):
        bench.machine.disk.remove(folder_of(run))
        return delayed(bench, job, Event.WAIT, StatusId.PREPARATION_FAILED, order.reason)
    started = advanced(
        job,
        Event.START,
        run=run,
        program=program,
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


def tell_started(bench: Bench, job: Job) -> Job:
    """Tells, once, that a job was started; in the open transaction."""
    if job.is_start_told:
        return job
    told = bench.save(changed(job, is_start_told=True, problem="", failures=0))
    name = "" if job.program is None else job.program.name
    bench.tell(told, StatusId.PROGRAM_STARTED if job.kind is Kind.RUN else StatusId.UNINSTALL_STARTED, f"{name} was started")
    return told


def not_started(bench: Bench, job: Job, reason: str) -> Job:
    """The job after a launch that failed for a reason that may pass: nothing ran, so it is tried again."""
    bench.machine.programs.forget(job.run)
    bench.machine.disk.remove(folder_of(job.run))
    return delayed(bench, changed(job, attempts=max(0, job.attempts - 1)), Event.NOT_STARTED, StatusId.START_FAILED, reason)


def delayed(bench: Bench, job: Job, event: Event, status: StatusId, reason: str, *, kind: str = "") -> Job:
    """The job after a failure that may pass: tried again after a pause that grows. The reason is told once.

    Shape:  `kind` tells reasons apart where their text changes at every try.
    """
    problem = f"{status.name}: {kind or reason}"
    after = advanced(
        job, event, failures=job.failures + 1, next_try_at=bench.next_try(job.failures + 1), problem=problem, text=reason
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


def _remember_started(bench: Bench, job: Job, answers: Sequence[Occurrence]) -> None:
    history = records.history_of(bench.state, job.key)
    for occurrence in answers:
        history = with_started(history, occurrence.assignment, occurrence.started)
    records.save_history(bench.state, history)
