"""What a run that ended amounts to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.ending.outcome import RESULT_LIMIT_BYTES, Outcome, Result, Unreadable, judged, read_result
from purveyor.client.programs.memory.job import TRANSITIONS, Event, Kind
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Command, IfInterrupted, Program
from purveyor.wire.status_messages import StatusId


def program(**changes: object) -> Program:
    return Program(number=ProgramNumber(1), name="setup", command=Command(argv=("setup",)), **changes)  # type: ignore[arg-type]


def ended(code: int | None, **changes: object) -> RunReport:
    return RunReport(state=RunState.ENDED, exit_code=code, **changes)  # type: ignore[arg-type]


LOST = RunReport(state=RunState.UNKNOWN)


@pytest.mark.parametrize(
    ("code", "event"),
    [
        (0, Event.SUCCEED),
        (1, Event.FAIL),
        (-9, Event.FAIL),
        (None, Event.FAIL),
        (3010, Event.NEED_RESTART),
        (1641, Event.NEED_RESTART),
    ],
)
def test_the_exit_code_decides_where_nothing_else_speaks(code: int | None, event: Event) -> None:
    assert judged(ended(code), None, program(), kind=Kind.RUN).event is event


def test_a_program_s_own_success_codes_come_before_its_restart_codes() -> None:
    own = program(success_codes=(3010,), restart_codes=(3010, 0))
    assert judged(ended(3010), None, own, kind=Kind.RUN).event is Event.SUCCEED
    assert judged(ended(0), None, own, kind=Kind.RUN).event is Event.NEED_RESTART


MIF = "its status MIF 'editor.mif'"


@pytest.mark.parametrize(
    ("result", "code", "event", "status"),
    [
        (Result("success", by=MIF), 0, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("success", by=MIF), 1, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("success", by=MIF), -11, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("success", by=MIF), 1618, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("success", by=MIF), 3010, Event.NEED_RESTART, StatusId.RESTART_PENDING),
        (Result("failure", by=MIF), 0, Event.FAIL, StatusId.FAILED_BY_RESULT_FILE),
        (Result("failure", by=MIF), 3010, Event.FAIL, StatusId.FAILED_BY_RESULT_FILE),
        (Result("failure", by=MIF), 1618, Event.FAIL, StatusId.FAILED_BY_RESULT_FILE),
        (Unreadable("the result file cannot be read"), 0, Event.SUCCEED, StatusId.SUCCEEDED_BY_EXIT_CODE),
        (Unreadable("the result file cannot be read"), 1, Event.FAIL, StatusId.FAILED_BY_EXIT_CODE),
    ],
)
def test_what_a_program_says_of_itself_beats_its_exit_code(
    result: Result | Unreadable, code: int, event: Event, status: StatusId
) -> None:
    outcome = judged(ended(code), result, program(), kind=Kind.RUN)
    assert (outcome.event, outcome.status, outcome.exit_code) == (event, status, code)
    assert (MIF if isinstance(result, Result) else "cannot be read") in outcome.text


@pytest.mark.parametrize(
    ("after_run", "result", "code", "event"),
    [
        (AfterRun.RESTART, None, 0, Event.NEED_RESTART),
        (AfterRun.RESTART, None, 3010, Event.NEED_RESTART),
        (AfterRun.RESTART, None, 1, Event.FAIL),
        (AfterRun.RESTART, None, 1618, Event.TRY_LATER),
        (AfterRun.RESTART, Result("success"), 5, Event.NEED_RESTART),
        (AfterRun.RESTART, Result("failure"), 0, Event.FAIL),
        (AfterRun.PROGRAM_RESTARTS, None, 0, Event.SUCCEED),
        (AfterRun.PROGRAM_RESTARTS, None, 3010, Event.NEED_RESTART),
        (AfterRun.NOTHING, Result("success"), 5, Event.SUCCEED),
    ],
)
def test_the_restart_after_a_run_follows_a_success_however_it_is_known(
    after_run: AfterRun, result: Result | None, code: int, event: Event
) -> None:
    outcome = judged(ended(code), result, program(after_run=after_run), kind=Kind.RUN)
    assert outcome.event is event
    assert (outcome.status is StatusId.RESTART_PENDING) is (event is Event.NEED_RESTART)


@pytest.mark.parametrize(
    ("codes", "code", "attempts", "stop_request", "event"),
    [
        ((1618,), 1618, 1, 0, Event.TRY_LATER),
        ((1618,), 1618, 2, 0, Event.TRY_LATER),
        ((1618,), 1618, 3, 0, Event.FAIL),
        ((1618,), 1618, 1, 7, Event.FAIL),
        ((75, 99), 75, 1, 0, Event.TRY_LATER),
        ((), 1618, 1, 0, Event.FAIL),
        ((0,), 0, 1, 0, Event.SUCCEED),
        ((3010,), 3010, 1, 0, Event.NEED_RESTART),
    ],
)
def test_a_code_that_means_not_now_leads_to_three_starts_in_all(
    codes: tuple[int, ...], code: int, attempts: int, stop_request: int, event: Event
) -> None:
    outcome = judged(ended(code), None, program(retry_codes=codes), kind=Kind.RUN, attempts=attempts, stop_request=stop_request)
    assert outcome.event is event
    assert (outcome.status is StatusId.RETRY_LATER) is (event is Event.TRY_LATER)
    assert outcome.is_success is (event in (Event.SUCCEED, Event.NEED_RESTART))


@pytest.mark.parametrize(
    ("result", "is_done", "event", "status"),
    [
        (Result("success"), None, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("success"), False, Event.SUCCEED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Result("failure", by=MIF), True, Event.FAIL, StatusId.FAILED_BY_RESULT_FILE),
        (None, True, Event.SUCCEED, StatusId.INTERRUPTED_RESOLVED),
        (None, False, Event.FAIL, StatusId.INTERRUPTED_RESOLVED),
        (None, None, Event.SUCCEED, StatusId.INTERRUPTED_RESOLVED),
        (Unreadable("no"), None, Event.SUCCEED, StatusId.INTERRUPTED_RESOLVED),
    ],
)
def test_a_program_that_restarts_the_machine_has_always_one_final_word(
    result: Result | Unreadable | None, is_done: bool | None, event: Event, status: StatusId
) -> None:
    restarting = program(after_run=AfterRun.PROGRAM_RESTARTS)
    outcome = judged(LOST, result, restarting, kind=Kind.RUN, is_done=is_done, has_restarted=True)
    assert (outcome.event, outcome.status, outcome.then) == (event, status, None)


def test_a_run_that_was_lost_without_a_restart_is_interrupted_whatever_its_program_does_to_machines() -> None:
    restarting = program(after_run=AfterRun.PROGRAM_RESTARTS)
    assert judged(LOST, None, restarting, kind=Kind.RUN, has_restarted=False).event is Event.INTERRUPT
    assert judged(LOST, None, program(), kind=Kind.RUN, has_restarted=True).event is Event.INTERRUPT


def test_a_run_that_an_administrator_stopped_is_told_apart_from_one_whose_package_goes() -> None:
    outcome = judged(ended(-15, is_stopped=True), Result("success"), program(), kind=Kind.RUN, stop_request=4)
    assert (outcome.event, outcome.status) == (Event.FAIL, StatusId.STOPPED)
    assert "administrator" in outcome.text


def test_a_reason_that_keeps_a_program_from_starting_is_bounded() -> None:
    outcome = judged(ended(None, start_error="x" * 100_000), None, program(), kind=Kind.RUN)
    assert len(outcome.text) < 600


def test_time_that_was_up_is_told_as_such_whatever_was_written_before() -> None:
    outcome = judged(ended(0, is_timed_out=True), Result("success"), program(), kind=Kind.RUN)
    assert (outcome.event, outcome.status) == (Event.TIME_OUT, StatusId.TIMED_OUT)


def test_what_was_stopped_is_told_as_stopped() -> None:
    outcome = judged(ended(-15, is_stopped=True), None, program(), kind=Kind.RUN)
    assert (outcome.event, outcome.status) == (Event.FAIL, StatusId.STOPPED_BY_RETIREMENT)


@pytest.mark.parametrize(
    ("kind", "result", "status"),
    [
        (Kind.RUN, None, StatusId.SUCCEEDED_BY_EXIT_CODE),
        (Kind.UNINSTALL, None, StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE),
        (Kind.RUN, Result("success"), StatusId.SUCCEEDED_BY_RESULT_FILE),
        (Kind.RUN, Result("failure"), StatusId.FAILED_BY_RESULT_FILE),
        (Kind.UNINSTALL, Result("success"), StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE),
        (Kind.UNINSTALL, Result("failure"), StatusId.UNINSTALL_FAILED_BY_RESULT_FILE),
    ],
)
def test_each_end_has_its_own_message(kind: Kind, result: Result | None, status: StatusId) -> None:
    assert judged(ended(0), result, program(), kind=kind).status is status


def test_the_last_that_a_failed_program_printed_is_told_and_bounded() -> None:
    outcome = judged(ended(1, output_tail="x" * 9000 + "the reason\n"), None, program(), kind=Kind.RUN)
    assert outcome.text.endswith("the reason")
    assert len(outcome.text) < 700


@pytest.mark.parametrize(
    ("result", "is_done", "then"),
    [
        (Result("success"), None, Event.SUCCEED),
        (Result("failure"), True, Event.FAIL),
        (None, True, Event.SUCCEED),
        (None, False, None),
        (None, None, None),
        (Unreadable("no"), True, Event.SUCCEED),
    ],
)
def test_a_run_that_nobody_saw_end_is_resolved_by_its_file_then_by_detection(
    result: Result | Unreadable | None, is_done: bool | None, then: Event | None
) -> None:
    outcome = judged(LOST, result, program(), kind=Kind.RUN, is_done=is_done)
    assert outcome.event is Event.INTERRUPT
    assert (outcome.then.event if outcome.then else None) is then


def test_a_run_that_may_be_run_again_is_so_at_most_three_times_in_all() -> None:
    again = program(if_interrupted=IfInterrupted.RUN_AGAIN)
    events = [judged(LOST, None, again, kind=Kind.RUN, attempts=attempts).then for attempts in (1, 2, 3)]
    assert [outcome.event if outcome else None for outcome in events] == [Event.RUN_AGAIN, Event.RUN_AGAIN, None]


@given(st.binary(max_size=300))
def test_whatever_a_result_file_holds_it_is_read_or_told_as_unreadable(content: bytes) -> None:
    assert isinstance(read_result(content), Result | Unreadable)


def test_a_result_file_is_read_up_to_its_limit() -> None:
    assert read_result(None) is None
    assert isinstance(read_result(b" " * (RESULT_LIMIT_BYTES + 1)), Unreadable)
    assert read_result(b'{"status":"success","description":"d","more":1}') == Result("success", "d")
    long = read_result(b'{"status":"failure","description":"' + b"x" * 5000 + b'"}')
    assert isinstance(long, Result)
    assert len(long.description) == 1000


REPORTS = st.builds(
    RunReport,
    state=st.sampled_from([RunState.ENDED, RunState.UNKNOWN]),
    exit_code=st.none() | st.integers(-64, 5000),
    is_timed_out=st.booleans(),
    is_stopped=st.booleans(),
    start_error=st.sampled_from(["", "no such file"]),
    is_transient=st.booleans(),
    output_tail=st.text(max_size=50),
)
RESULTS = st.none() | st.builds(Result, st.sampled_from(["success", "failure"]), st.text(max_size=20)) | st.just(Unreadable("x"))


@given(
    REPORTS,
    RESULTS,
    st.sampled_from(list(Kind)),
    st.none() | st.booleans(),
    st.integers(1, 5),
    st.sampled_from(IfInterrupted),
    st.sampled_from(AfterRun),
    st.booleans(),
    st.sampled_from([0, 3]),
)
def test_every_judgement_is_one_that_the_table_allows_a_running_job(
    report: RunReport,
    result: Result | Unreadable | None,
    kind: Kind,
    is_done: bool | None,
    attempts: int,
    if_interrupted: IfInterrupted,
    after_run: AfterRun,
    has_restarted: bool,
    stop_request: int,
) -> None:
    outcome: Outcome | None = judged(
        report,
        result,
        program(if_interrupted=if_interrupted, after_run=after_run),
        kind=kind,
        is_done=is_done,
        attempts=attempts,
        stop_request=stop_request,
        has_restarted=has_restarted,
    )
    state = JobState.RUNNING
    while outcome is not None:
        state = TRANSITIONS[state][outcome.event]
        outcome = outcome.then
    assert state is not JobState.RUNNING


def test_why_a_result_file_cannot_be_read_is_said_in_words_for_whoever_wrote_it() -> None:
    read = read_result(b"{nonsense")
    assert isinstance(read, Unreadable)
    assert "JSON is malformed" in str(read)
    assert "_Written" not in str(read)
