"""Status messages as rows: one for each message, one for each job that a batch changed, one for each request answered. Pure.

What a client says is stored as it says it, cut to what a column holds. Ids of packages that nobody knows are history all the
same; what is no id at all stays in the text.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from purveyor.site_server.model.requests import OUTCOMES
from purveyor.site_server.model.sequence import PLACES_AN_ITEM, Advance
from purveyor.wire import ids
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.reports import PROGRAMS_PER_SUMMARY, TEXT_LIMIT, ProgramState, StatusMessage
from purveyor.wire.status_messages import StatusId, severity_of

LOSS_POSITION = PLACES_AN_ITEM - 1
"""Where the site's own message about lost items stands: behind all that a client can send in one item."""
CLOCK_POSITION = PLACES_AN_ITEM - 2
"""Where its message about the client's clock stands."""
CLONE_POSITION = PLACES_AN_ITEM - 3
"""Where its message about machines that share an identity stands."""
ELSEWHERE_POSITION = PLACES_AN_ITEM - 4
"""Where its message about a site of the same keys stands."""
CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far a client's clock may be ahead before that is told."""

OCCURRENCE_LIMIT = 320
USER_LIMIT = 256
_INTEGER_LIMIT = 2**31
COUNT_LIMIT = 2**53
"""No count is believed to be higher; both databases hold it."""
REQUESTS_LIMIT = 10**9
"""Of requests for absent files at one point no count is believed to be higher: those of all clients can be added up."""
_BIG_LIMIT = 2**63
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class JobKey(NamedTuple):
    """One program on one client."""

    client: int
    package: PackageId
    program: int


class Told(NamedTuple):
    """What one item said. Shape: rows of `status_message`, of `job_state` and of `request_answer`, in order of the messages."""

    messages: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    answers: list[dict[str, Any]]


def told(messages: Iterable[StatusMessage], *, client: int, sequence: int, now: datetime) -> Told:
    """The rows for the messages of one item."""
    rows: list[dict[str, Any]] = []
    jobs: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for position, message in enumerate(messages):
        row = _row(message, client=client, sequence=sequence, position=position, now=now)
        rows.append(row)
        if row["state"] is not None and row["package"] is not None and row["program"] is not None:
            jobs.append(_job(row))
        if message.id in OUTCOMES and 0 < message.request < COUNT_LIMIT:
            answers.append(_answer(row, message))
    return Told(rows, jobs, answers)


def summed_up(programs: Iterable[ProgramState], *, client: int, sequence: int, now: datetime) -> list[dict[str, Any]]:
    """The rows of `job_state` for what a client says of its programs after a restore; what names no package is passed over."""
    rows = []
    for position, program in enumerate(islice(programs, PROGRAMS_PER_SUMMARY)):
        message = StatusMessage(
            id=StatusId.ADVERTISEMENT_RECEIVED,  # of no meaning here: only the state is kept
            at=program.at,
            package=program.package,
            program=program.program,
            advertisement=program.advertisement,
            occurrence=program.occurrence,
            source_version=program.source_version,
            state=program.state,
            exit_code=program.exit_code,
            user=program.user,
            cause=program.cause,
        )
        row = _row(message, client=client, sequence=sequence, position=position, now=now)
        if row["package"] is not None and row["program"] is not None:
            succeeded = program.succeeded_version if 0 < program.succeeded_version < _INTEGER_LIMIT else None
            rows.append(_job(row) | {"succeeded_version": succeeded})
    return rows


def newest_jobs(jobs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each job once, as the newest of these rows says, with the highest source version that any of them saw succeed."""
    newest: dict[JobKey, dict[str, Any]] = {}
    for job in jobs:
        key = JobKey(job["client"], job["package"], job["program"])
        known = newest.get(key)
        if known is None:
            newest[key] = job
            continue
        succeeded = max((v for v in (known["succeeded_version"], job["succeeded_version"]) if v is not None), default=None)
        newest[key] = (job if job["order"] > known["order"] else known) | {"succeeded_version": succeeded}
    return [newest[key] for key in sorted(newest)]


def loss_row(moved: Advance, *, client: int, told_by: int, now: datetime) -> dict[str, Any]:
    """The row that says that items were lost before they reached the site."""
    text = f"{moved.lost} items of this client, from number {moved.first_lost} on, were lost before they reached the site"
    return _own_row(StatusId.REPORTS_LOST, text, client=client, sequence=told_by, position=LOSS_POSITION, now=now)


def clock_row(made_at: datetime, *, client: int, sequence: int, now: datetime) -> dict[str, Any] | None:
    """The row that says that a client's clock is ahead of the site's, by what it sent; None when it surely is not (Q202552).

    That a clock is behind cannot be seen here, since items may have waited; the client sees and tells it.
    """
    if made_at <= now + CLOCK_TOLERANCE:
        return None
    text = f"the clock of this client is ahead: it is at {utc_text(made_at)}, the site's is at {utc_text(now)}"
    return _own_row(StatusId.CLOCK_DIFFERS, text, client=client, sequence=sequence, position=CLOCK_POSITION, now=now)


def elsewhere_row(heard: int, own: int, *, client: int, sequence: int, now: datetime) -> dict[str, Any] | None:
    """The row that says that a client has heard of a later incarnation of this site than this one: two sites run."""
    if heard <= own:
        return None
    text = f"this client follows incarnation {heard} of this site, restored elsewhere; here it is {own}: stop one of the two"
    return _own_row(StatusId.SITE_ELSEWHERE, text, client=client, sequence=sequence, position=ELSEWHERE_POSITION, now=now)


def clone_row(is_kept_by_nobody: bool, *, client: int, told_by: int, now: datetime) -> dict[str, Any]:
    """The row that says that several machines use a client's identity, and what becomes of it."""
    text = "several machines use this identity: the one that joined with it keeps it, every other one is told to join again"
    if is_kept_by_nobody:
        text = (
            "several machines use this identity, and their machine id is the same, so none can be told from the others: "
            "all are told to join again; what this client was a member of by name has to name the new ones"
        )
    return _own_row(StatusId.CLONED, text, client=client, sequence=told_by, position=CLONE_POSITION, now=now)


def unread_row(reason: str, *, client: int, sequence: int, now: datetime) -> dict[str, Any]:
    """The row that says that an item of this client could not be read."""
    text = plain(f"an item of this client cannot be read here: {reason}", TEXT_LIMIT)
    return _own_row(StatusId.ITEM_UNREADABLE, text, client=client, sequence=sequence, position=0, now=now)


def _own_row(status: StatusId, text: str, *, client: int, sequence: int, position: int, now: datetime) -> dict[str, Any]:
    """A message that the site itself adds to what a client says."""
    return {
        "client": client,
        "sequence": sequence,
        "position": position,
        "arrived_at": now,
        "at": now,
        "status": int(status),
        "severity": severity_of(status).value,
        "package": None,
        "program": None,
        "advertisement": None,
        "occurrence": "",
        "source_version": 0,
        "state": None,
        "cause": None,
        "exit_code": None,
        "user": "",
        "text": text,
    }


def plain(text: str, limit: int) -> str:
    """Text that both databases hold: without NUL, and not too long."""
    return text.replace("\0", "")[:limit]


def _row(message: StatusMessage, *, client: int, sequence: int, position: int, now: datetime) -> dict[str, Any]:
    package, advertisement, unreadable = None, None, ""
    try:
        package = ids.package_id(message.package) if message.package else None
        advertisement = ids.advertisement_id(message.advertisement) if message.advertisement else None
    except RejectedError as error:
        unreadable = f" [{error}]"
    program = message.program if message.program is not None and 0 < message.program < _INTEGER_LIMIT else None
    return {
        "client": client,
        "sequence": sequence,
        "position": position,
        "arrived_at": now,
        "at": message.at if _EARLIEST <= message.at <= _LATEST else now,
        "status": int(message.id),
        "severity": severity_of(message.id).value,
        "package": package,
        "program": program,
        "advertisement": advertisement,
        "occurrence": plain(message.occurrence, OCCURRENCE_LIMIT),
        "source_version": message.source_version if 0 <= message.source_version < _INTEGER_LIMIT else 0,
        "state": message.state.value if message.state else None,
        "cause": None if message.cause is None else message.cause.value,
        "exit_code": message.exit_code if message.exit_code is None or abs(message.exit_code) < _BIG_LIMIT else None,
        "user": plain(message.user, USER_LIMIT),
        "text": plain(message.text + unreadable, TEXT_LIMIT),
    }


def _job(row: dict[str, Any]) -> dict[str, Any]:
    has_succeeded = row["state"] == JobState.SUCCEEDED.value
    return {
        "client": row["client"],
        "package": row["package"],
        "program": row["program"],
        "state": row["state"],
        "advertisement": row["advertisement"],
        "occurrence": row["occurrence"],
        "source_version": row["source_version"],
        "cause": row["cause"],
        "exit_code": row["exit_code"],
        "user": row["user"],
        "text": row["text"],
        "at": row["at"],
        "order": _order(row),
        "succeeded_version": row["source_version"] if has_succeeded else None,
    }


def _answer(row: dict[str, Any], message: StatusMessage) -> dict[str, Any]:
    return {
        "request": message.request,
        "client": row["client"],
        "outcome": OUTCOMES[message.id].value,
        "text": row["text"],
        "at": row["at"],
        "arrived_at": row["arrived_at"],
        "order": _order(row),
    }


def _order(row: dict[str, Any]) -> int:
    return int(row["sequence"]) * PLACES_AN_ITEM + int(row["position"])
