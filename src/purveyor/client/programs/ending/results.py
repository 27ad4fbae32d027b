"""What a run left to say how it ended: its result file, else a status MIF of its own. Read within limits, believed by rules.

Whatever lies there was written by the program, perhaps with a user's rights: a link is not followed, a file that is too large or
no file at all says nothing, and the report tells so. Reads; decides nothing about the run itself.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.client.machine.interface import Disk, RunReport
from purveyor.client.programs.ending.mif import ENDING, SIZE_LIMIT_BYTES, is_named, is_of_run, is_own, status_mif
from purveyor.client.programs.ending.outcome import RESULT_LIMIT_BYTES, Result, Unreadable, read_result
from purveyor.client.programs.launch.preparing import content_of, result_of, scratch_of
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.package_info import Program, Reporting

CANDIDATE_LIMIT = 20
"""Status MIFs of one run that are looked into, the newest first."""
LATE = timedelta(minutes=1)
"""A result file counts when it was written so long after the end: clocks are set right by seconds while programs run."""


class _Candidate(NamedTuple):
    written_at: datetime
    name: str
    path: str


def said(disk: Disk, run: str, program: Program, report: RunReport, *, started_at: datetime | None) -> Result | Unreadable | None:
    """What a run that is over says of itself; None: nothing.

    Shape:  `started_at` is when it was launched, where the report does not know it better.
    """
    by_file = _by_file(disk, result_of(run), report)
    if isinstance(by_file, Result) or program.reporting is None:
        return by_file
    by_mif = _by_mif(disk, run, program.reporting, started_at=report.started_at or started_at, ended_at=report.ended_at)
    if isinstance(by_file, Unreadable) and isinstance(by_mif, Unreadable):
        return Unreadable(f"{by_file.reason}; {by_mif.reason}")
    return by_mif or by_file


def _by_file(disk: Disk, path: str, report: RunReport) -> Result | Unreadable | None:
    try:
        written_at = disk.modified_at(path)
        if written_at is None and disk.size(path) is None and _is_name_taken(disk, path):
            return Unreadable("what lies in the place of the result file is no file")
        if written_at is not None and report.ended_at is not None and _is_late(written_at, report):
            return Unreadable("the result file was written after the end of the run")
        return read_result(_bounded(disk, path, RESULT_LIMIT_BYTES))
    except UnavailableError as error:
        return Unreadable(f"the result file cannot be read ({error})")


def _is_late(written_at: datetime, report: RunReport) -> bool:
    if report.started_at is None or report.ended_at is None or report.ended_at < report.started_at:
        return False
    return written_at > report.ended_at + LATE


def _by_mif(
    disk: Disk, run: str, reporting: Reporting, *, started_at: datetime | None, ended_at: datetime | None
) -> Result | Unreadable | None:
    """What the newest status MIF of this program and this run says.

    One of another product, or of another time, does not count; that it is there, and why it does not count, is told (Q268791).
    """
    if started_at is None:
        return None
    unreadable: Unreadable | None = None
    try:
        candidates = _candidates(disk, run, reporting)
    except UnavailableError as error:
        return Unreadable(f"status MIFs cannot be looked for ({error})")
    timely = {one for one in candidates if is_of_run(one.written_at, started_at=started_at, ended_at=ended_at)}
    for candidate in sorted(candidates, key=lambda one: (one in timely, one), reverse=True)[:CANDIDATE_LIMIT]:
        by = f"its status MIF {candidate.name[:80]!r}"
        is_timely = candidate in timely
        try:
            mif = status_mif(_bounded(disk, candidate.path, SIZE_LIMIT_BYTES) or b"")
        except (RejectedError, UnavailableError) as error:
            if is_timely:
                unreadable = unreadable or Unreadable(f"{by} cannot be read ({str(error)[:200]})")
            continue
        if is_timely and is_own(mif, reporting):
            return Result("success" if mif.is_success else "failure", mif.description, by)
        if is_timely:
            named = " ".join(filter(None, (mif.manufacturer, mif.product, mif.version)))
            unreadable = unreadable or Unreadable(f"{by} does not count, as it is of {named[:200] or 'no product'}")
        elif is_own(mif, reporting):
            unreadable = unreadable or Unreadable(f"{by} does not count, as it was not written during the run")
    return unreadable


def _candidates(disk: Disk, run: str, reporting: Reporting) -> list[_Candidate]:
    found = []
    for folder in (scratch_of(run), content_of(run)):
        for name in disk.names(folder):
            path = f"{folder}/{name}"
            if name.casefold().endswith(ENDING) and is_named(name, reporting):
                written_at = disk.modified_at(path)
                if written_at is not None:
                    found.append(_Candidate(written_at, name, path))
    return found


def _bounded(disk: Disk, path: str, limit_bytes: int) -> bytes | None:
    """A file's bytes, at most one more than the limit, whatever its size; None when there is none."""
    if disk.size(path) is None:
        return None
    content = b""
    for piece in disk.read_pieces(path):
        content += piece[: limit_bytes + 1 - len(content)]
        if len(content) > limit_bytes:
            break
    return content


def _is_name_taken(disk: Disk, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in disk.names(folder)
