"""Looks at the runs under way and settles those that are over: judges, stores with its message, writes the receipt, clears up.

What a person sees as "succeeded" is the program's own word; what is detected afterwards is told apart, as a fact of its own.
"""

import msgspec

from purveyor.client.machine.interface import RUNS, Machine, RunReport, RunState
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.ending.outcome import Outcome, Result, judged
from purveyor.client.programs.ending.results import said
from purveyor.client.programs.launch.launching import looked_for, not_started, tell_started
from purveyor.client.programs.launch.preparing import files_below, folder_of, kept_of
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import Run, with_removed, with_restarted, with_run
from purveyor.client.programs.memory.job import Event, Job, Kind, advanced, changed
from purveyor.client.programs.memory.receipt import Receipt, is_wanted
from purveyor.client.programs.memory.receipt import folder_of as receipt_folder_of
from purveyor.wire.errors import UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Program, ProgramKey
from purveyor.wire.reports import TEXT_LIMIT
from purveyor.wire.status_messages import StatusId

_SUCCESSES = (JobState.SUCCEEDED, JobState.RESTART_PENDING)
RESUME_SECONDS = 600
"""So long after the start of the machine a program that restarted it may go on with its work."""
_ENDS = (Event.SUCCEED, Event.FAIL, Event.TIME_OUT)
"""After these it is looked whether what the run was for is there; where a restart or another start is ahead, after that."""


def settle(bench: Bench, *, site: str) -> bool:
    """Settles all runs that are over. True when something changed."""
    has_changed = False
    for job in records.open_jobs(bench.state):
        if job.state is JobState.RUNNING:
            has_changed |= _settle_run(bench, job, site)
        elif job.state is JobState.RESTART_PENDING and job.boot_id != bench.machine.boot_id():
            _settle_restart(bench, job)
            has_changed = True
    return has_changed


def sweep(bench: Bench) -> None:
    """Removes the folders of runs that no job knows any more: what a crash left between two steps, or could not be removed."""
    known = {job.run for job in records.open_jobs(bench.state) if job.state is JobState.RUNNING}
    for name in bench.machine.disk.names(RUNS):
        if name not in known:
            _clear_up(bench, name)


def goes_on(machine: Machine, job: Job) -> bool:
    """Whether a program that restarts the machine may still be at work after the restart, by what it left for that.

    Only where a rule can tell that the work is done, and not for long: then the rule has the word.
    """
    program = job.program
    if program is None or program.detection is None or program.after_run is not AfterRun.PROGRAM_RESTARTS:
        return False
    if job.state is not JobState.RUNNING or job.boot_id == machine.boot_id():
        return False
    return machine.uptime_seconds() < min(RESUME_SECONDS, program.max_run_seconds)


def _settle_run(bench: Bench, job: Job, site: str) -> bool:
    report = bench.machine.programs.look(job.run)
    if report.state is RunState.RUNNING:
        if not job.is_start_told:
            with bench.state.transaction():
                tell_started(bench, job)
        return False
    program = job.program
    if program is None:
        raise ValueError(f"{job.key} {job.occurrence} runs, but nobody knows what")
    result = said(bench.machine.disk, job.run, program, report, started_at=job.started_at)
    is_silent = report.state is RunState.UNKNOWN and not isinstance(result, Result)
    is_done = _is_done(bench, job, program) if is_silent else None
    if is_done is False and goes_on(bench.machine, job):
        return False
    outcome = judged(
        report,
        result,
        program,
        kind=job.kind,
        is_done=is_done,
        attempts=job.attempts,
        stop_request=job.stop_request,
        has_restarted=job.boot_id != bench.machine.boot_id(),
    )
    if outcome.event is Event.NOT_STARTED:
        not_started(bench, job, outcome.text)
        return True
    _store(bench, job, program, report, outcome, site)
    _clear_up(bench, job.run)
    return True


def _clear_up(bench: Bench, run: str) -> None:
    """Removes what is left of a run. What one program left behind keeps nothing else from going on: it is tried again."""
    bench.machine.programs.forget(run)
    try:
        bench.machine.disk.remove(folder_of(run))
    except UnavailableError as error:
        bench.note(f"what the run {run} left behind cannot be removed now: {error}")


def _store(bench: Bench, job: Job, program: Program, report: RunReport, outcome: Outcome, site: str) -> None:
    last = outcome.then or outcome
    is_installed = outcome.is_success and job.kind is Kind.RUN
    is_there = _is_there_now(bench, job, program) if last.event in _ENDS else None
    if is_installed and is_wanted(program):
        _keep_files(bench, job)
    with bench.state.transaction():
        if not report.start_error:
            job = tell_started(bench, job)
        ended = changed(
            job, ended_at=report.ended_at or bench.now, is_by_result_file=last.is_by_result_file, exit_code=last.exit_code
        )
        for step in (outcome, outcome.then):
            if step is not None:
                ended = _step(bench, ended, step)
        if job.stop_request and not report.is_stopped:
            text = f"it had ended before it could be stopped: {ended.text}"
            bench.tell(ended, StatusId.REQUEST_TOO_LATE, text, request=job.stop_request)
        if job.kind is Kind.RUN and last.event is not Event.TRY_LATER:
            _remember(bench, ended)
        if is_installed and is_wanted(program):
            records.save_receipt(bench.state, _receipt(bench, job, program, site))
        elif outcome.is_success and job.kind is Kind.UNINSTALL:
            records.drop_receipt(bench.state, job.key)
            history = records.history_of(bench.state, job.key)
            if history.has_run() and not job.is_by_hand:
                records.save_history(bench.state, with_removed(history))
        _tell_detected(bench, ended, is_there)
    if outcome.is_success and job.kind is Kind.UNINSTALL:
        _drop_kept_files(bench, job.key)


def _step(bench: Bench, job: Job, outcome: Outcome) -> Job:
    after = advanced(job, outcome.event, text=outcome.text)
    is_tried_again = outcome.event in (Event.RUN_AGAIN, Event.TRY_LATER)
    if is_tried_again or (job.kind is Kind.UNINSTALL and after.state not in _SUCCESSES):
        after = changed(after, next_try_at=bench.next_try(job.attempts))
    bench.save(after)
    request = job.stop_request if outcome.status is StatusId.STOPPED else 0
    bench.tell(after, outcome.status, outcome.text, exit_code=outcome.exit_code, request=request)
    return after


def _remember(bench: Bench, job: Job) -> None:
    state = JobState.INTERRUPTED if job.state is JobState.WAITING else job.state
    run = Run(
        run=job.run,
        occurrence=job.occurrence,
        state=state,
        source_version=job.source_version,
        started_at=job.started_at,
        ended_at=job.ended_at or bench.now,
        advertisement=job.advertisement,
        exit_code=job.exit_code,
        user=job.user,
    )
    history = records.history_of(bench.state, job.key)
    records.save_history(bench.state, with_run(history, run, limit=bench.limits.history_limit))


def _settle_restart(bench: Bench, job: Job) -> None:
    is_there = None if job.program is None else _is_there_now(bench, job, job.program)
    with bench.state.transaction():
        after = bench.save(advanced(job, Event.RESTARTED))
        if job.kind is Kind.RUN:
            records.save_history(bench.state, with_restarted(records.history_of(bench.state, job.key), job.run))
        bench.tell(after, _status_after_restart(job), "the machine has restarted", exit_code=job.exit_code)
        _tell_detected(bench, after, is_there)


def _status_after_restart(job: Job) -> StatusId:
    match job.kind, job.is_by_result_file:
        case Kind.RUN, False:
            return StatusId.SUCCEEDED_BY_EXIT_CODE
        case Kind.RUN, True:
            return StatusId.SUCCEEDED_BY_RESULT_FILE
        case Kind.UNINSTALL, False:
            return StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE
        case _:
            return StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE


def _is_done(bench: Bench, job: Job, program: Program) -> bool | None:
    """Whether what a run was for is there; for an uninstall, whether it is gone."""
    is_there = _is_there_now(bench, job, program)
    return is_there if job.kind is Kind.RUN or is_there is None else not is_there


def _is_there_now(bench: Bench, job: Job, program: Program) -> bool | None:
    """Whether detection finds now what a program installs; None: there is no rule, or it cannot tell."""
    receipt = records.receipt_of(bench.state, job.key) if job.kind is Kind.UNINSTALL else None
    return looked_for(bench, program if receipt is None else msgspec.structs.replace(program, detection=receipt.detection))


def _tell_detected(bench: Bench, job: Job, is_there: bool | None) -> None:
    """Tells what is there now, as a fact of its own, where it says more than how the run ended."""
    is_success = job.state in _SUCCESSES
    match job.kind, is_success, is_there:
        case Kind.RUN, True, True:
            _tell_found(bench, job, StatusId.DETECTED, "what it installs is there")
        case Kind.RUN, True, False:
            _tell_found(bench, job, StatusId.NOT_DETECTED, "it says that it succeeded, but what it installs is not there")
        case Kind.RUN, False, True:
            _tell_found(bench, job, StatusId.DETECTED, "it did not succeed, and yet what it installs is there")
        case Kind.UNINSTALL, True, True:
            bench.tell(job, StatusId.DETECTED, "it was uninstalled, but what it installs is still there")


def _tell_found(bench: Bench, job: Job, status: StatusId, found: str) -> None:
    """Tells what was found beside how the run ended, since what is told last is what the site shows of it."""
    bench.tell(job, status, f"{job.text[: TEXT_LIMIT // 2]}; {found}" if job.text else found, exit_code=job.exit_code)


def _receipt(bench: Bench, job: Job, program: Program, site: str) -> Receipt:
    return Receipt(
        key=ProgramKey(*job.key),
        site=site,
        program_name=program.name,
        source_version=job.source_version,
        written_at=bench.now,
        uninstall=program.uninstall,
        detection=program.detection,
        success_codes=program.success_codes,
        restart_codes=program.restart_codes,
        retry_codes=program.retry_codes,
        reporting=program.reporting,
    )


def _keep_files(bench: Bench, job: Job) -> None:
    """Moves the files that the uninstall command needs beside the receipt; those already moved are moved."""
    disk, kept, folder = bench.machine.disk, kept_of(job.run), receipt_folder_of(job.key)
    for path in files_below(disk, kept):
        disk.rename(f"{kept}/{path}", f"{folder}/{path}")
        disk.sync(f"{folder}/{path}")


def _drop_kept_files(bench: Bench, key: ProgramKey) -> None:
    disk, folder = bench.machine.disk, receipt_folder_of(key)
    disk.remove(folder)
    above = folder.rpartition("/")[0]
    if not disk.names(above):
        disk.remove(above)
