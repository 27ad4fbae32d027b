"""The turns of points that a mirror fills: the site reads there what clients are to be told of, and writes nothing.

At a CAP it looks for a timestamp that this site signed, which a mirror brings last. At a DP each manifest and each of its files
is read whole at the address that clients use, once, before an offer names it there. From then on the manifest that was not
looked at for the longest is looked at again, with some of its files. What nobody needs is named no more first
(`publish.content`); it counts as gone when the mirror has taken it away. Upstream: the database; downstream: offers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.content.tree import tree_in
from purveyor.content.verify import digest_of
from purveyor.site_server.database import content_copies
from purveyor.site_server.database.content_copies import CopyState, Held
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.points import PointRow, point_of, set_filled
from purveyor.site_server.model.retirement import Need, is_grace_over
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.site_clock import has_come
from purveyor.site_server.publish.content import BYTES_A_TURN, CHECK_AFTER, ContentOutcome, is_try_due
from purveyor.site_server.publish.older import TIMESTAMP, own_root, signed_version
from purveyor.transport.interface import Point
from purveyor.wire.errors import AbsentError, DeniedError, RejectedError, ToComeError, UnavailableError
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, Stored, checked, distinct_files, file_path, hash_of, manifest_path

SAMPLE_BYTES = 64 * 2**20
"""Of a manifest that is looked at again, files of so much are read, others each time."""
TIMESTAMP_LIMIT_BYTES = 16_384
LOOK_AFTER = timedelta(hours=1)
"""How often it is looked whether a mirror has taken away what nobody needs."""


class Due(NamedTuple):
    """What is to be read at a point now. Shape: manifests; `leaving` may be gone; `again` was read before."""

    unread: list[Held]
    leaving: list[str]
    again: Held | None


def due(tx: Connection, point: str, settings: SiteSettings, now: datetime) -> Due:
    """What is due at a point; nothing is said over a wire."""
    found = Due([], [], None)
    oldest = datetime.max.replace(tzinfo=UTC)
    for held in content_copies.held(tx):
        copy = held.copies.get(point)
        if copy is None or copy.state is CopyState.WAITING:
            if held.need is Need.CURRENT and (copy is None or is_try_due(copy, now)):
                found.unread.append(held)
        elif copy.state is CopyState.UNNAMED:
            is_over = is_grace_over(copy.since, settings.point_grace_seconds, now)
            if is_over and (copy.checked_at is None or has_come(copy.checked_at + LOOK_AFTER, now, LOOK_AFTER)):
                found.leaving.append(held.sha256)
        elif has_come((checked_at := copy.checked_at or copy.since) + CHECK_AFTER, now, CHECK_AFTER) and checked_at < oldest:
            oldest, found = checked_at, found._replace(again=held)
    return found


def turn(*, database: Database, point: PointRow, place: Point, what: Due, now: datetime) -> ContentOutcome:
    """Reads what is due, about as much in a turn as is copied elsewhere.

    Errors: UnavailableError when the point cannot be reached; what was read before that is kept.
    """
    verified, left_bytes, is_more = 0, BYTES_A_TURN, False
    for held in what.unread:
        if left_bytes <= 0:
            is_more = True
            break
        left_bytes -= held.size_bytes
        verified += _note(database, point, held, _problem(place, held.sha256, None), now)
    removed = sum(_look_for(database, point, place, sha256, now) for sha256 in what.leaving)
    problems: tuple[str, ...] = ()
    if what.again is not None:
        problem = _problem(place, what.again.sha256, now)
        _note(database, point, what.again, problem, now)
        problems = (f"{what.again.sha256[:12]} on {point.id}: {problem}",) if problem else ()
    return ContentOutcome(verified, 0, removed, int(what.again is not None), problems, is_more)


def await_publication(*, database: Database, point: PointRow, place: Point, now: datetime) -> None:
    """Lets clients be told of a CAP, once a publication that this site signed is seen there.

    Errors: UnavailableError as long as none is, which says what to do where the site has no way there.
    """
    with database.read() as tx:
        root = own_root(tx)
    try:
        answer = place.read(TIMESTAMP, limit_bytes=TIMESTAMP_LIMIT_BYTES)
    except AbsentError as error:
        raise UnavailableError(f"no mirror has brought a whole publication to {place.url} yet") from error
    except (RejectedError, UnavailableError) as error:
        way_out = f"where the site has no way there, `purveyor point edit {point.id} --filled` lets clients be told of it"
        raise UnavailableError(f"{error}; {way_out}") from error
    if answer is None or not signed_version(root, "timestamp", answer.content):
        raise UnavailableError(f"what {place.url} shows is signed by none of this site's keys")
    with database.write() as tx:
        row = point_of(tx, point.id)
        if row is not None and row.revision == point.revision:
            set_filled(tx, [point.id], now)


def sample(files: Iterable[Stored], now: datetime) -> list[Stored]:
    """Some of these files, others at another time; one at least where there are any."""
    left_bytes, chosen = SAMPLE_BYTES, []
    for file in sorted(files, key=lambda file: hash_of(f"{now.isoformat()} {file.sha256}".encode())):
        if left_bytes > 0:
            chosen.append(file)
        left_bytes -= file.size_bytes
    return chosen


def _problem(place: Point, sha256: str, sampled_at: datetime | None) -> str:
    """What is wrong with a copy, once it was read whole or, where a time is given, in part; empty when nothing is."""
    path = manifest_path(sha256)
    try:
        answer = place.read(path, limit_bytes=SIZE_LIMIT_BYTES)
        files = distinct_files(tree_in(checked(answer.content if answer else b"", sha256, place.url)))
        for file in files if sampled_at is None else sample(files, sampled_at):
            path = file_path(file.sha256)
            if digest_of(place.read_from(path, offset=0, limit_bytes=file.size_bytes)) != file.sha256:
                return f"{path} is damaged"
    except (AbsentError, DeniedError):
        return f"{path} is not there"
    except (RejectedError, ToComeError) as error:
        return str(error)
    return ""


def _note(database: Database, point: PointRow, held: Held, problem: str, now: datetime) -> bool:
    """Writes down how a copy was found, unless the point was changed or the content came to be unneeded meanwhile."""
    with database.write() as tx:
        row = point_of(tx, point.id)
        current = next(iter(content_copies.held(tx, only=held.sha256)), None)
        copy = None if current is None else current.copies.get(point.id)
        if row is None or row.revision != point.revision or current is None or (copy and copy.state is CopyState.UNNAMED):
            return False
        if problem:
            content_copies.set_failed(tx, (point.id, held.sha256), current.packages, problem, now)
        else:
            content_copies.set_verified(tx, point.id, held.sha256, current.packages, now)
    return not problem


def _look_for(database: Database, point: PointRow, place: Point, sha256: str, now: datetime) -> bool:
    """Whether a manifest that nobody needs has gone from a point; where it has, its copy counts no more."""
    try:
        answer = place.read(manifest_path(sha256), limit_bytes=SIZE_LIMIT_BYTES)
        is_gone = answer is not None and not answer.content
    except (AbsentError, DeniedError):
        is_gone = True
    with database.write() as tx:
        if is_gone:
            content_copies.drop_copy(tx, point.id, sha256)
        else:
            content_copies.set_looked_for(tx, point.id, sha256, now)
    return is_gone
