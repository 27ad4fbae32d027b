"""What a run that ended amounts to: the judgement over its report, what it said of itself, and what its program declares.

Pure. The order of the facts: it could not be started; it was stopped; its time was up; its result file; its status MIF; its exit
code (Q216744, Q324721). Where nobody saw it end, only what it left and what is detected afterwards can speak, else the program's
own word.
"""

from typing import Literal

import msgspec

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.memory.job import Event, Kind
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.package_info import AfterRun, IfInterrupted, Program
from purveyor.wire.status_messages import StatusId

RESULT_LIMIT_BYTES = 64 * 1024
DESCRIPTION_LIMIT = 1000
OUTPUT_LIMIT = 500
ATTEMPT_LIMIT = 3
"""How many times one occurrence is started at most, where its program may be run again or says: not now."""
RESULT_FILE = "its result file"


class Result(msgspec.Struct, frozen=True):
    """What a program said of how it ended, and `by` what."""

    status: Literal["success", "failure"]
    description: str = ""
    by: str = RESULT_FILE


class Unreadable(msgspec.Struct, frozen=True):
    """A result file or status MIF that says nothing: the exit code decides, and the report says so."""

    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the job, and what is told. `then` follows an interruption that was resolved, with its own message."""

    event: Event
    status: StatusId
    text: str
    exit_code: int | None = None
    is_by_result_file: bool = False
    """By a result file or a status MIF, not by an exit code."""
    then: "Outcome | None" = None

    @property
    def is_success(self) -> bool:
        """Whether the run did what it was for, be it that the machine has to restart."""
        return (self.then or self).event in (Event.SUCCEED, Event.NEED_RESTART)


class _Written(msgspec.Struct, frozen=True):
    """A result file as programs write it."""

    status: Literal["success", "failure"]
    description: str = ""


def read_result(content: bytes | None) -> Result | Unreadable | None:
    """What a result file says; None when there is none."""
    if content is None:
        return None
    if len(content) > RESULT_LIMIT_BYTES:
        return Unreadable(f"the result file is larger than {RESULT_LIMIT_BYTES} bytes")
    try:
        result = from_bytes(content, _Written)
    except RejectedError as error:
        return Unreadable(f"the result file cannot be read ({str(error.__cause__ or error)[:200]})")
    return Result(result.status, result.description[:DESCRIPTION_LIMIT])


def judged(
    report: RunReport,
    result: Result | Unreadable | None,
    program: Program,
    *,
    kind: Kind,
    is_done: bool | None = None,
    attempts: int = 1,
    stop_request: int = 0,
    has_restarted: bool = False,
) -> Outcome:
    """What a run that is over amounts to.

    Shape:  `is_done` is what detection found after an interruption: whether what the run was for is there (or, for an uninstall,
            gone); None: there is no rule, or it cannot tell. `stop_request` is the number of the administrator's request that
            stopped it, 0: none did. `has_restarted`: the machine is not the one of this start any more.
    """
    if report.start_error:
        event = Event.NOT_STARTED if report.is_transient else Event.FAIL
        text = f"could not be started: {report.start_error[:OUTPUT_LIMIT]}"
        return Outcome(event=event, status=StatusId.START_FAILED, text=text)
    if report.is_stopped:
        return _stopped(report, stop_request)
    if report.is_timed_out:
        text = f"was ended after {program.max_run_seconds} seconds, its maximum run time" + _printed(report)
        return Outcome(event=Event.TIME_OUT, status=StatusId.TIMED_OUT, text=text, exit_code=report.exit_code)
    if report.state is RunState.UNKNOWN and has_restarted and program.after_run is AfterRun.PROGRAM_RESTARTS:
        return _restarted_machine(result, program, kind, is_done)
    starts_left = 0 if stop_request else ATTEMPT_LIMIT - attempts
    if isinstance(result, Result):
        outcome = _by_own_word(result, report.exit_code, program, kind)
    elif report.state is RunState.ENDED:
        outcome = _by_exit_code(report, result, program, kind, starts_left)
    else:
        return _interrupted(result, program, is_done, starts_left)
    if report.state is RunState.UNKNOWN:
        return _resolved(outcome)
    return outcome


def _stopped(report: RunReport, stop_request: int) -> Outcome:
    status, why = StatusId.STOPPED_BY_RETIREMENT, "its package is deleted"
    if stop_request:
        status, why = StatusId.STOPPED, "an administrator asked for that"
    text = f"was stopped, because {why}" + _printed(report)
    return Outcome(event=Event.FAIL, status=status, text=text, exit_code=report.exit_code)


def _by_own_word(result: Result, exit_code: int | None, program: Program, kind: Kind) -> Outcome:
    said = f": {result.description}" if result.description else ""
    coded = "" if exit_code is None else f" (exit code {exit_code})"
    if result.status == "failure":
        status = StatusId.FAILED_BY_RESULT_FILE if kind is Kind.RUN else StatusId.UNINSTALL_FAILED_BY_RESULT_FILE
        text = f"{result.by} says failure{coded}{said}"
        return Outcome(event=Event.FAIL, status=status, text=text, exit_code=exit_code, is_by_result_file=True)
    status = StatusId.SUCCEEDED_BY_RESULT_FILE if kind is Kind.RUN else StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE
    text = f"{result.by} says success{coded}{said}"
    outcome = Outcome(event=Event.SUCCEED, status=status, text=text, exit_code=exit_code, is_by_result_file=True)
    return _with_restart(outcome, program)


def _by_exit_code(report: RunReport, result: Unreadable | None, program: Program, kind: Kind, starts_left: int) -> Outcome:
    code = report.exit_code
    aside = "" if result is None else f"; {result.reason}, so the exit code decides"
    if code in program.success_codes or code in program.restart_codes:
        status = StatusId.SUCCEEDED_BY_EXIT_CODE if kind is Kind.RUN else StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE
        outcome = Outcome(event=Event.SUCCEED, status=status, text=f"exit code {code}{aside}", exit_code=code)
        return _with_restart(outcome, program)
    said = "ended without an exit code" if code is None else f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    if code in program.retry_codes:
        said += ", which means: not now"
        if starts_left > 0:
            text = f"{said}; it is started again later {_counted(starts_left)}{aside}"
            return Outcome(event=Event.TRY_LATER, status=StatusId.RETRY_LATER, text=text, exit_code=code)
        said += "; it is not started again"
    status = StatusId.FAILED_BY_EXIT_CODE if kind is Kind.RUN else StatusId.UNINSTALL_FAILED_BY_EXIT_CODE
    return Outcome(event=Event.FAIL, status=status, text=said + aside + _printed(report), exit_code=code)


def _with_restart(success: Outcome, program: Program) -> Outcome:
    """The success itself, or one that counts once the machine has restarted: by its code, or as the program is declared."""
    code = success.exit_code
    is_named = code in program.restart_codes and (success.is_by_result_file or code not in program.success_codes)
    if not is_named and program.after_run is not AfterRun.RESTART:
        return success
    text = f"{success.text}; the machine has to restart"
    return msgspec.structs.replace(success, event=Event.NEED_RESTART, status=StatusId.RESTART_PENDING, text=text)


def _restarted_machine(result: Result | Unreadable | None, program: Program, kind: Kind, is_done: bool | None) -> Outcome:
    """A program that restarts the machine by itself has done so. Source: Q292261: there is always a final word."""
    began = "it restarted the machine, as it is known to"
    if isinstance(result, Result):
        outcome = _by_own_word(result, None, program, kind)
        return msgspec.structs.replace(outcome, text=f"{began}; {outcome.text}")
    aside = "" if result is None else f"; {result.reason}"
    if is_done is False:
        missing = "what it installs is not there" if kind is Kind.RUN else "what it was to remove is still there"
        return Outcome(event=Event.FAIL, status=StatusId.INTERRUPTED_RESOLVED, text=f"{began}; {missing}{aside}")
    found = "detection finds its work done" if is_done else "nothing says that it failed"
    return Outcome(event=Event.SUCCEED, status=StatusId.INTERRUPTED_RESOLVED, text=f"{began}; {found}{aside}")


def _interrupted(result: Unreadable | None, program: Program, is_done: bool | None, starts_left: int) -> Outcome:
    aside = "" if result is None else f"; {result.reason}"
    if is_done:
        text = "nobody saw it end; detection finds its work done" + aside
        found = Outcome(event=Event.SUCCEED, status=StatusId.INTERRUPTED_RESOLVED, text=text)
        return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end" + aside, then=found)
    if program.if_interrupted is IfInterrupted.RUN_AGAIN and starts_left > 0:
        text = f"nobody saw it end; it may be run again and will be {_counted(starts_left)}"
        again = Outcome(event=Event.RUN_AGAIN, status=StatusId.INTERRUPTED_RESOLVED, text=text)
        return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end" + aside, then=again)
    text = f"nobody saw it end, and nothing tells how it ended; it is not run again{aside}"
    return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text=text)


def _counted(starts_left: int) -> str:
    return f"(start {ATTEMPT_LIMIT - starts_left} of at most {ATTEMPT_LIMIT})"


def _resolved(outcome: Outcome) -> Outcome:
    resolved = msgspec.structs.replace(outcome, status=StatusId.INTERRUPTED_RESOLVED, text=f"nobody saw it end; {outcome.text}")
    return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end", then=resolved)


def _printed(report: RunReport) -> str:
    tail = report.output_tail.strip()
    if not tail:
        return ""
    return f"; it printed last: {tail if len(tail) <= OUTPUT_LIMIT else '…' + tail[-OUTPUT_LIMIT:]}"
