"""The turn of content: what packages need is on every distribution point and verified there; what none needs leaves.

    needed → copied → read back on the point → named to clients
    not needed → grace time → named no more → grace time → removed from the points, then from the store

Every step is one of one manifest at one place: where it fails, that is kept with the copy and tried again with back-off, and the
others go on. Removals from the site's own folders run inside the writing transaction in which they are seen to be unneeded, so
that nobody can begin to need a file while it goes. A point elsewhere has turns of its own (`point_turn`), one at a time: whatever
comes to be needed there while something goes is copied by its next turn, and named only then. Upstream: the database and the
store; downstream: the points.
Source: the protocol, 3.5 and 3.6.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.content.place import ContentPlace
from purveyor.site_server.database import content_copies
from purveyor.site_server.database import points as point_rows
from purveyor.site_server.database.content_copies import Copy, CopyState, Held
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.settings import patient_settings
from purveyor.site_server.model.points import PointState
from purveyor.site_server.model.retirement import Need, is_grace_over
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.site_clock import has_come
from purveyor.wire.errors import HeldBackError, PurveyorError, RejectedError, UnavailableError
from purveyor.wire.manifest import distinct_files, file_path

BYTES_A_TURN = 2 * 2**30
"""A turn copies and reads back about so much; the rest waits for the next one, so that other components have theirs."""
CHECK_AFTER = timedelta(days=1)
"""A copy that was not read for so long is read again; one manifest a turn."""
_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(hours=1)


class ContentOutcome(NamedTuple):
    """What a turn did, in copies of manifests. `problems`: what could not be done, in words; `error`: the first, as raised."""

    verified: int
    unnamed: int
    removed: int
    checked: int
    problems: tuple[str, ...]
    is_more: bool
    """Whether something is left to copy at once."""
    error: PurveyorError | None = None


@dataclass(slots=True)
class Problems:
    """What could not be done in a turn, in words, and the first error that was raised by it."""

    words: list[str] = field(default_factory=list)
    error: PurveyorError | None = None

    def add(self, what: str, error: PurveyorError | str) -> None:
        """One thing more; what was found by reading is told in words alone."""
        self.words.append(f"{what}: {error}")
        if isinstance(error, PurveyorError):
            self.error = self.error or error


class Places(NamedTuple):
    """Where content lies: the store, and the points by id. Nothing new comes to a draining one, and nobody waits for it."""

    store: ContentPlace
    points: Mapping[str, ContentPlace]
    draining: frozenset[str] = frozenset()


def turn(*, database: Database, store: ContentPlace, points: Mapping[str, ContentPlace], now: datetime) -> ContentOutcome:
    """One turn in the site's own folders.

    Errors: UnavailableError when the database cannot be used; trouble at a point is in the outcome.
    """
    with database.read() as tx:
        everything = content_copies.held(tx)
        if not everything:
            return ContentOutcome(0, 0, 0, 0, (), is_more=False)
        settings = patient_settings(tx, now)
        states = {one.id: one.state for one in point_rows.all_points(tx)}
    draining = frozenset(name for name, state in states.items() if state in (PointState.DRAINING, PointState.EMPTYING))
    here = {name: place for name, place in points.items() if states.get(name) is not PointState.REMOVED}
    places = Places(store, here, draining)
    _mark_superseded(database, everything, now)
    problems = Problems()
    unnamed = sum(_unname(database, held, settings, now) for held in everything)
    verified, is_more = _copy_all(database, places, everything, now, problems)
    removed = sum(_remove(database, places, held, settings, now, problems) for held in everything)
    checked = _check_oldest(database, places, everything, now, problems)
    return ContentOutcome(verified, unnamed, removed, checked, tuple(problems.words), is_more, problems.error)


def point_turn(
    *,
    database: Database,
    store: ContentPlace,
    point: str,
    place: ContentPlace,
    settings: SiteSettings,
    now: datetime,
    is_filling: bool,
    limit_bytes: int = BYTES_A_TURN,
) -> ContentOutcome:
    """One turn at a point elsewhere: what nobody needs leaves; what it lacks comes, if it is to be filled.

    About `limit_bytes` come; with 0 nothing is read back either, and what leaves leaves all the same.

    Errors: UnavailableError when the database cannot be used; trouble at the point is in the outcome.
    """
    places = Places(store, {point: place})
    with database.read() as tx:
        everything = content_copies.held(tx)
        leaving = content_copies.unnamed_on(tx, point)
    problems = Problems()
    is_filled = is_filling and limit_bytes > 0
    stays = {held.sha256 for held in everything if is_filling and held.need is Need.CURRENT}
    due = [
        manifest
        for manifest, since in leaving
        if manifest not in stays and is_grace_over(since, settings.point_grace_seconds, now)
    ]
    removed = sum(_clear_elsewhere(database, place, point, manifest, problems) for manifest in due)
    verified, is_more = _copy_all(database, places, everything, now, problems, limit_bytes) if is_filled else (0, False)
    is_checked = limit_bytes > 0 and not problems.words
    checked = _check_oldest(database, places, everything, now, problems) if is_checked else 0
    return ContentOutcome(verified, 0, removed, checked, tuple(problems.words), is_more, problems.error)


def is_try_due(copy: Copy, now: datetime) -> bool:
    """Whether a copy that failed is to be tried again: after ten seconds, and then twice as long each time, up to an hour."""
    doublings = min(max(0, copy.failures - 1), 10)
    return has_come(copy.since + min(_LAST_RETRY, _FIRST_RETRY * (1 << doublings)), now, _LAST_RETRY)


# --- coming -----------------------------------------------------------------------------------------------------------


def _copy_all(
    database: Database,
    places: Places,
    everything: list[Held],
    now: datetime,
    problems: Problems,
    limit_bytes: int = BYTES_A_TURN,
) -> tuple[int, bool]:
    verified = 0
    left_bytes = limit_bytes
    for held in everything:
        for point in sorted(places.points.keys() - places.draining) if held.need is Need.CURRENT else ():
            copy = held.copies.get(point)
            if copy is not None and (copy.state is CopyState.VERIFIED or (copy.failures and not is_try_due(copy, now))):
                continue
            if left_bytes <= 0:
                return verified, True
            left_bytes -= held.size_bytes
            try:
                verified += _copy(database, places, held, point, now, problems)
            except HeldBackError:
                return verified, True
    return verified, False


def _copy(database: Database, places: Places, held: Held, point: str, now: datetime, problems: Problems) -> bool:
    """Brings one manifest to one point and reads it back there. Errors: HeldBackError: there is something else to do first."""
    target = places.points[point]
    try:
        places.store.copy_to(target, places.store.read_manifest(held.sha256))
        problem: PurveyorError | str = _damage(target, held.sha256)
    except HeldBackError:
        raise
    except UnavailableError as error:
        problem = error
    except RejectedError as error:
        problem = error
        _mend_store(places, held.sha256)
    with database.write() as tx:
        current = next(iter(content_copies.held(tx, only=held.sha256)), None)
        row = point_rows.point_of(tx, point)
        if current is None or (row is not None and row.state is PointState.REMOVED):
            return False
        if problem:
            content_copies.set_failed(tx, (point, held.sha256), current.packages, str(problem), now)
        else:
            content_copies.set_verified(tx, point, held.sha256, current.packages, now)
    if problem:
        problems.add(f"{held.sha256[:12]} on {point}", problem)
    return not problem


def _mend_store(places: Places, sha256: str) -> None:
    """What is damaged in the store is had back from a point that has it whole; else it goes, so that it can be sent again."""
    with suppress(PurveyorError):
        tree = places.store.read_manifest(sha256)
        damaged = set(places.store.verify(tree))
        for stored in (one for one in distinct_files(tree) if one.path in damaged):
            for point in places.points.values():
                with suppress(PurveyorError):
                    places.store.add_file(stored.sha256, point.pieces(stored.sha256), stored.size_bytes)
                    break
            else:
                places.store.remove_file(stored.sha256)


def _damage(target: ContentPlace, sha256: str) -> str:
    """What is wrong with a copy, once it was read; damaged files are taken away, so that they are copied again."""
    damaged = target.verify(target.read_manifest(sha256))
    for path in damaged:
        target.remove_file(path.rpartition("/")[2])
    return f"{len(damaged)} files were missing or damaged, {damaged[0]} for one" if damaged else ""


def _check_oldest(database: Database, places: Places, everything: list[Held], now: datetime, problems: Problems) -> int:
    """Reads the copy again that was not read for the longest time. Where it is damaged it is named no more and copied anew."""
    standing = [
        (copy.checked_at or copy.since, held, copy)
        for held in everything
        for copy in held.copies.values()
        if copy.state is CopyState.VERIFIED and held.need is not Need.UNNEEDED and copy.point in places.points
    ]
    if not standing:
        return 0
    checked_at, held, copy = min(standing, key=lambda one: (one[0], one[1].sha256, one[2].point))
    if not has_come(checked_at + CHECK_AFTER, now, CHECK_AFTER):
        return 0
    try:
        problem: PurveyorError | str = _damage(places.points[copy.point], held.sha256)
    except HeldBackError:
        return 0
    except (UnavailableError, RejectedError) as error:
        problem = error
    with database.write() as tx:
        if problem:
            content_copies.set_failed(tx, (copy.point, held.sha256), held.packages, str(problem), now)
        else:
            content_copies.set_verified(tx, copy.point, held.sha256, held.packages, now)
    if problem:
        problems.add(f"{held.sha256[:12]} on {copy.point}", problem)
    return 1


# --- going ------------------------------------------------------------------------------------------------------------


def _mark_superseded(database: Database, everything: list[Held], now: datetime) -> None:
    """Since when each manifest is not needed: marked here too, for whatever way it came to be so."""
    needed_again = [one.sha256 for one in everything if one.need in (Need.CURRENT, Need.STAYS) and one.superseded_at is not None]
    superseded = [one.sha256 for one in everything if one.need is Need.SUPERSEDED and one.superseded_at is None]
    if needed_again or superseded:
        with database.write() as tx:
            content_copies.set_superseded(tx, needed_again, None)
            content_copies.set_superseded(tx, superseded, now)


def _unname(database: Database, held: Held, settings: SiteSettings, now: datetime) -> int:
    """Names the copies of a manifest no more when its time is over. Shape: how many."""
    named = [copy for copy in held.copies.values() if copy.state is not CopyState.UNNAMED]
    if not named or not _may_leave(held, settings, now):
        return 0
    with database.write() as tx:
        current = next(iter(content_copies.held(tx, only=held.sha256)), None)
        if current is None or not _may_leave(current, settings, now):
            return 0
        if current.need is Need.SUPERSEDED:
            oldest = now - timedelta(seconds=settings.holder_age_limit_seconds)
            if content_copies.is_downloaded(tx, held.sha256, since=oldest):
                return 0
        content_copies.set_unnamed(tx, held.sha256, current.packages, now)
    return len(named)


def _may_leave(held: Held, settings: SiteSettings, now: datetime) -> bool:
    if held.need is Need.SUPERSEDED:
        return is_grace_over(held.superseded_at, settings.content_grace_seconds, now)
    return held.need is Need.UNNEEDED


def _remove(database: Database, places: Places, held: Held, settings: SiteSettings, now: datetime, problems: Problems) -> int:
    """Removes the copies of a manifest whose grace time is over; with the last of them, the store's. Shape: how many."""
    if not _may_leave(held, settings, now) or any(copy.state is not CopyState.UNNAMED for copy in held.copies.values()):
        return 0
    removed = 0
    awaited = held.copies.keys() - places.draining
    for copy in held.copies.values():
        if copy.point in places.points and is_grace_over(copy.since, settings.point_grace_seconds, now):
            is_gone = _remove_from(database, places, held.sha256, copy.point, settings, now, problems)
            removed += is_gone
            awaited = awaited - {copy.point} if is_gone else awaited
    if not awaited:
        removed += _remove_from(database, places, held.sha256, None, settings, now, problems)
    return removed


def _remove_from(
    database: Database,
    places: Places,
    sha256: str,
    point: str | None,
    settings: SiteSettings,
    now: datetime,
    problems: Problems,
) -> bool:
    """Removes one manifest from a point, or from the store, unless it has come to be needed again meanwhile."""
    try:
        with database.write() as tx:
            current = next(iter(content_copies.held(tx, only=sha256)), None)
            if (
                current is None
                or not _may_leave(current, settings, now)
                or (point is None and current.copies.keys() - places.draining)
            ):
                return False
            kept = content_copies.files_kept(tx, [sha256], point=point)
            files = content_copies.files_of(tx, [sha256])
            clear(places.store if point is None else places.points[point], sha256, files.keys() - kept, kept)
            content_copies.add_freed(tx, sha256, sum(size for digest, size in files.items() if digest not in kept))
            if point is None:
                content_copies.set_removed(tx, sha256, now)
            else:
                content_copies.drop_copy(tx, point, sha256)
    except (UnavailableError, RejectedError) as error:
        problems.add(f"{sha256[:12]} on {point or 'the store'}", error)
        if point is not None:
            with database.write() as tx:
                content_copies.set_unremoved(tx, point, sha256, str(error))
        return False
    return True


def _clear_elsewhere(database: Database, place: ContentPlace, point: str, sha256: str, problems: Problems) -> bool:
    """Removes one manifest from a point elsewhere, and looks that it is gone; the database is not held meanwhile."""
    with database.read() as tx:
        if sha256 not in [manifest for manifest, _ in content_copies.unnamed_on(tx, point)]:
            return False
        kept = content_copies.files_kept(tx, [sha256], point=point)
        files = content_copies.files_of(tx, [sha256])
    try:
        clear(place, sha256, files.keys() - kept, kept)
    except (UnavailableError, RejectedError) as error:
        problems.add(f"{sha256[:12]} on {point}", error)
        with database.write() as tx:
            content_copies.set_unremoved(tx, point, sha256, str(error))
        return False
    with database.write() as tx:
        content_copies.drop_copy(tx, point, sha256)
        content_copies.add_freed(tx, sha256, sum(size for digest, size in files.items() if digest not in kept))
    return True


def clear(target: ContentPlace, sha256: str, files: frozenset[str] | set[str], kept: frozenset[str]) -> None:
    """Removes a manifest and its files from one place, and looks that nothing is left, a half-made copy included.

    Errors: UnavailableError when something is still there.
    """
    target.remove_manifest(sha256, kept)
    for digest in sorted(files):
        if target.has(digest):
            target.remove_file(digest)
    left = left_of(target, sha256, files)
    if left:
        raise UnavailableError(f"{left[0]} is still there after it was removed")


def left_of(target: ContentPlace, sha256: str, files: frozenset[str] | set[str]) -> list[str]:
    """What of a manifest and these files is still found on disk. Errors: UnavailableError."""
    left = [file_path(digest) for digest in sorted(files) if target.has(digest)]
    return [*left, f"manifests/{sha256}"] if target.has_manifest(sha256) else left
