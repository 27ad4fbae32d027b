"""Status messages as rows."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.receive.status import COUNT_LIMIT, OCCURRENCE_LIMIT, USER_LIMIT, newest_jobs, told
from purveyor.wire.causes import LENGTH_LIMIT, Cause
from purveyor.wire.ids import AdvertisementId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import TEXT_LIMIT, StatusMessage
from purveyor.wire.status_messages import StatusId

NOW = datetime(2026, 12, 1, tzinfo=UTC)

MESSAGES = st.builds(
    StatusMessage,
    id=st.sampled_from(StatusId),
    at=st.datetimes(timezones=st.just(UTC)),
    package=st.none() | st.text(max_size=20).map(PackageId) | st.just(PackageId("S0100001")),
    program=st.none() | st.integers().map(ProgramNumber),
    advertisement=st.none() | st.text(max_size=20).map(AdvertisementId),
    occurrence=st.text(max_size=200),
    source_version=st.integers(),
    state=st.none() | st.sampled_from(JobState),
    exit_code=st.none() | st.integers(),
    text=st.text(max_size=3000),
    user=st.text(max_size=400),
    request=st.integers(),
    cause=st.none() | st.sampled_from(Cause) | st.text("abcdefghij-", min_size=1, max_size=32).filter(str.isalpha).map(Cause),
)


@given(MESSAGES)
def test_whatever_a_client_says_fits_the_columns_of_both_databases(message: StatusMessage) -> None:
    rows = told([message], client=1, sequence=2**53, now=NOW)
    row = rows.messages[0]
    assert row["cause"] == message.cause
    assert len(row["cause"] or "") <= LENGTH_LIMIT
    assert all(job["cause"] == message.cause for job in rows.jobs)
    for text, limit in (("text", TEXT_LIMIT), ("occurrence", OCCURRENCE_LIMIT), ("user", USER_LIMIT)):
        assert len(row[text]) <= limit
        assert "\0" not in row[text]
    assert row["package"] is None or len(row["package"]) == 8
    assert row["advertisement"] is None or len(row["advertisement"]) == 8
    assert row["program"] is None or 0 < row["program"] < 2**31
    assert 0 <= row["source_version"] < 2**31
    assert row["exit_code"] is None or -(2**63) < row["exit_code"] < 2**63
    assert 1970 <= row["at"].year <= 2200
    assert all(one["order"] < 2**63 for one in (*rows.jobs, *rows.answers))
    assert all(0 < answer["request"] < COUNT_LIMIT for answer in rows.answers)


def test_message_without_a_state_or_a_program_changes_no_job() -> None:
    silent = StatusMessage(id=StatusId.JOB_WAITING, at=NOW, package=PackageId("S0100001"), program=ProgramNumber(1))
    stateful = StatusMessage(id=StatusId.JOB_WAITING, at=NOW, package=PackageId("S0100001"), state=JobState.WAITING)
    rows = told([silent, stateful], client=1, sequence=1, now=NOW)
    assert (len(rows.messages), rows.jobs) == (2, [])


def test_only_messages_that_answer_a_request_are_answers() -> None:
    said = [(StatusId.PROGRAM_STARTED, 1), (StatusId.STOPPED, 0), (StatusId.STOPPED, 2), (StatusId.REQUEST_TOO_LATE, 3)]
    messages = [StatusMessage(id=status, at=NOW, request=request, text="so") for status, request in said]
    answers = told(messages, client=1, sequence=4, now=NOW).answers
    assert [(one["request"], one["outcome"], one["order"]) for one in answers] == [(2, "done", 4002), (3, "too-late", 4003)]


def job(order: int, state: str = "running", succeeded_version: int | None = None) -> dict[str, Any]:
    return {
        "client": 1,
        "package": "S0100001",
        "program": 1,
        "order": order,
        "state": state,
        "succeeded_version": succeeded_version,
    }


@given(st.permutations([job(1, "succeeded", 3), job(2), job(3, "succeeded", 2), job(4, "failed")]))
def test_newest_row_of_a_job_wins_and_keeps_the_highest_success(jobs: list[dict[str, Any]]) -> None:
    assert newest_jobs(jobs) == [job(4, "failed", 3)]
