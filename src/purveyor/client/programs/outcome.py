"""What a run that ended amounts to: the judgement over its report, its result file, and what its program declares.

Pure. The order of the facts: it could not be started; it was stopped; its time was up; its result file; its exit code (Q216744,
Q324721). Where nobody saw it end, only the result file and what is detected afterwards can speak, else the program's own word.
"""

from typing import Literal

import msgspec

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.job import Event, Kind
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.package_info import IfInterrupted, Program
from purveyor.wire.status_messages import StatusId

RESULT_LIMIT_BYTES = 64 * 1024
DESCRIPTION_LIMIT = 1000
OUTPUT_LIMIT = 500
ATTEMPT_LIMIT = 3
"""How many times one occurrence is started at most, where its program may be run again after an interruption."""


class Result(msgspec.Struct, frozen=True):
    """What a program wrote into its result file."""

    status: Literal["success", "failure"]
    description: str = ""


class Unreadable(msgspec.Struct, frozen=True):
    """A result file that says nothing: the exit code decides, and the report says so."""

    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the job, and what is told. `then` follows an interruption that was resolved, with its own message."""

    event: Event
    status: StatusId
    text: str
    exit_code: int | None = None
    is_by_result_file: bool = False
    then: "Outcome | None" = None


def read_result(content: bytes | None) -> Result | Unreadable | None:
    """What a result file says; None when there is none."""
    if content is None:
        return None
    if len(content) > RESULT_LIMIT_BYTES:
        return Unreadable(f"the result file is larger than {RESULT_LIMIT_BYTES} bytes")
    try:
        result = from_bytes(content, Result)
    except RejectedError as error:
        return Unreadable(f"the result file cannot be read ({str(error)[:200]})")
    return Result(result.status, result.description[:DESCRIPTION_LIMIT])


def judged(
    report: RunReport,
    result: Result | Unreadable | None,
    program: Program,
    *,
    kind: Kind,
    is_done: bool | None = None,
    attempts: int = 1,
) -> Outcome:
    """What a run that is over amounts to.

    Shape:  `is_done` is what detection found after an interruption: whether what the run was for is there (or, for an uninstall,
            gone); None: there is no rule, or it cannot tell.
    """
    if report.start_error:
        event = Event.NOT_STARTED if report.is_transient else Event.FAIL
        return Outcome(event=event, status=StatusId.START_FAILED, text=f"could not be started: {report.start_error}")
    if report.is_stopped:
        text = "was stopped, because its package is deleted" + _printed(report)
        return Outcome(event=Event.FAIL, status=StatusId.STOPPED_BY_RETIREMENT, text=text, exit_code=report.exit_code)
    if report.is_timed_out:
        text = f"was ended after {program.max_run_seconds} seconds, its maximum run time" + _printed(report)
        return Outcome(event=Event.TIME_OUT, status=StatusId.TIMED_OUT, text=text, exit_code=report.exit_code)
    if isinstance(result, Result):
        outcome = _by_result_file(result, report.exit_code, program, kind)
    elif report.state is RunState.ENDED:
        outcome = _by_exit_code(report, result, program, kind)
    else:
        return _interrupted(result, program, is_done, attempts)
    if report.state is RunState.UNKNOWN:
        return _resolved(outcome)
    return outcome


def _by_result_file(result: Result, exit_code: int | None, program: Program, kind: Kind) -> Outcome:
    said = f": {result.description}" if result.description else ""
    coded = "" if exit_code is None else f" (exit code {exit_code})"
    if result.status == "failure":
        status = StatusId.FAILED_BY_RESULT_FILE if kind is Kind.RUN else StatusId.UNINSTALL_FAILED_BY_RESULT_FILE
        return Outcome(
            event=Event.FAIL,
            status=status,
            text=f"its result file says failure{coded}{said}",
            exit_code=exit_code,
            is_by_result_file=True,
        )
    text = f"its result file says success{coded}{said}"
    if exit_code is not None and exit_code in program.restart_codes:
        return Outcome(
            event=Event.NEED_RESTART,
            status=StatusId.RESTART_PENDING,
            text=f"{text}; the machine has to restart",
            exit_code=exit_code,
            is_by_result_file=True,
        )
    status = StatusId.SUCCEEDED_BY_RESULT_FILE if kind is Kind.RUN else StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE
    return Outcome(event=Event.SUCCEED, status=status, text=text, exit_code=exit_code, is_by_result_file=True)


def _by_exit_code(report: RunReport, result: Unreadable | None, program: Program, kind: Kind) -> Outcome:
    code = report.exit_code
    aside = "" if result is None else f"; {result.reason}, so the exit code decides"
    if code in program.success_codes:
        status = StatusId.SUCCEEDED_BY_EXIT_CODE if kind is Kind.RUN else StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE
        return Outcome(event=Event.SUCCEED, status=status, text=f"exit code {code}{aside}", exit_code=code)
    if code in program.restart_codes:
        return Outcome(
            event=Event.NEED_RESTART,
            status=StatusId.RESTART_PENDING,
            text=f"exit code {code}: the machine has to restart{aside}",
            exit_code=code,
        )
    status = StatusId.FAILED_BY_EXIT_CODE if kind is Kind.RUN else StatusId.UNINSTALL_FAILED_BY_EXIT_CODE
    said = "ended without an exit code" if code is None else f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    return Outcome(event=Event.FAIL, status=status, text=said + aside + _printed(report), exit_code=code)


def _interrupted(result: Unreadable | None, program: Program, is_done: bool | None, attempts: int) -> Outcome:
    aside = "" if result is None else f"; {result.reason}"
    if is_done:
        text = "nobody saw it end; detection finds its work done" + aside
        found = Outcome(event=Event.SUCCEED, status=StatusId.INTERRUPTED_RESOLVED, text=text)
        return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end" + aside, then=found)
    if program.if_interrupted is IfInterrupted.RUN_AGAIN and attempts < ATTEMPT_LIMIT:
        text = f"nobody saw it end; it may be run again and will be (start {attempts} of at most {ATTEMPT_LIMIT})"
        again = Outcome(event=Event.RUN_AGAIN, status=StatusId.INTERRUPTED_RESOLVED, text=text)
        return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end" + aside, then=again)
    text = f"nobody saw it end, and nothing tells how it ended; it is not run again{aside}"
    return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text=text)


def _resolved(outcome: Outcome) -> Outcome:
    resolved = msgspec.structs.replace(outcome, status=StatusId.INTERRUPTED_RESOLVED, text=f"nobody saw it end; {outcome.text}")
    return Outcome(event=Event.INTERRUPT, status=StatusId.INTERRUPTED, text="nobody saw it end", then=resolved)


def _printed(report: RunReport) -> str:
    tail = report.output_tail.strip()
    if not tail:
        return ""
    return f"; it printed last: {tail if len(tail) <= OUTPUT_LIMIT else '…' + tail[-OUTPUT_LIMIT:]}"
