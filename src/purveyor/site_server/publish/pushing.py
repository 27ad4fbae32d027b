"""The push to a CAP in another place: what is published comes to lie there too, whole at every moment, deletions included.

    read what it lacks → write files → root and timestamp last → note them as lying there → update shards → take away what left

Each step is one batch. The timestamp is written only in a step after which the point lacks nothing of the very publication that
it names, so that a point which stops at any moment serves an older publication, and never half of one. What nothing names
stays for its grace time after the point has heard of that, not after the site has. Several points never wait for each other: each
has its own rows and its own turn. Source: the protocol, 3.1 and 3.5.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import publication, pushed
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.points import PointRow, point_of, set_filled
from purveyor.site_server.database.pushed import MUTABLE, FileRow, ShardRow
from purveyor.site_server.model.points import PointState
from purveyor.site_server.model.retirement import unnamed_grace
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish.turn import write_rank
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.boxes import DOWN_BOXES, is_down_path
from purveyor.wire.errors import RejectedError

STEP_FILES = 200
STEPS_A_TURN = 10
_LISTING_LIMIT = 1_000_000


class Pushed(NamedTuple):
    """What a turn did at a point: files and shards written, files taken away; whether something is left to do at once."""

    written: int
    removed: int
    is_more: bool


class Step(NamedTuple):
    """What is written next. `timestamp`: the version that the point serves when this is done; 0: it goes on as before."""

    files: list[FileRow]
    shards: list[ShardRow]
    timestamp: int = 0
    generation: int = 0
    leaving: list[str] = []
    back: list[str] = []


def push(*, database: Database, point: PointRow, shelf: Shelf, settings: SiteSettings, now: datetime) -> Pushed:
    """One turn at one point, of a bounded number of steps. When it was filled for the first time, more is to do: to tell of it.

    Errors: UnavailableError, RejectedError: the point cannot be written; what it serves is whole all the same.
    """
    written = removed = 0
    is_first = False
    for _ in range(STEPS_A_TURN):
        with database.read() as tx:
            current = point_of(tx, point.id)
            if current is None or current.revision != point.revision or not current.is_pushed:
                return Pushed(written, removed, is_more=False)
            step = next_step(tx, current)
        if step.files or step.shards:
            _write(shelf, step)
            _note(database, current, step, now)
            written += len(step.files) + len(step.shards)
            is_first |= bool(step.timestamp) and current.filled_at is None
            continue
        gone = _remove(database, current, shelf, settings, now)
        removed += gone
        if not gone:
            return Pushed(written, removed, is_more=is_first)
    return Pushed(written, removed, is_more=True)


def next_step(tx: Connection, point: PointRow) -> Step:
    """What a point is to be given next; nothing when it has all that is published."""
    lacking = pushed.lacking_files(tx, point.id, STEP_FILES + 1)
    fresh = pushed.lacking_shards(tx, point, STEP_FILES + 1, is_known=False)
    is_all = len(lacking) + len(fresh) <= STEP_FILES
    held = pushed.contents(tx, [path for path, _ in lacking[:STEP_FILES]])
    files = [FileRow(path, 0, held[path], is_named) for path, is_named in lacking[:STEP_FILES]]
    if not is_all:
        return Step(sorted(files, key=_rank), fresh[: STEP_FILES - len(files)])
    mutable = pushed.lacking_mutable(tx, point.id)
    if files or fresh or mutable:
        leaving, back = pushed.named_anew(tx, point.id)
        announced = [one.generation for one in publication.generations(tx) if one.announced_at is not None]
        return Step(
            [*sorted(files, key=_rank), *mutable],
            fresh,
            timestamp=publication.role_version(tx, "timestamp"),
            generation=announced[-1],
            leaving=[*leaving, *(file.path for file in files if not file.is_named)],
            back=back,
        )
    return Step([], pushed.lacking_shards(tx, point, STEP_FILES, is_known=True))


def audit(*, database: Database, point: PointRow, shelf: Shelf, now: datetime) -> int:
    """Looks what really lies in the boxes of a point, by name and size; what is lost is written again at its next turn.

    What lies there and nobody knows of, such as a file of a publication that a restored site has forgotten, leaves in its time.
    Names count in whatever case they are shown: a share may keep other letters than it was given.
    Shape: how many files were lost. Errors: UnavailableError.
    """
    with database.read() as tx:
        folders = {box.name: pushed.expected_sizes(tx, point.id, box.name) for box in DOWN_BOXES}
        numbers = pushed.shards_held(tx, point.id)
    lost: list[str] = []
    strange: list[str] = []
    for folder, expected in folders.items():
        shown = {f"{folder}/{item.name}": item.size_bytes for item in shelf.listed(folder, limit=_LISTING_LIMIT)}
        sizes = {path.casefold(): size for path, size in shown.items()}
        for path, size in expected.items():
            found = sizes.get(path.casefold())
            lost += [path] * (found is None or size not in (-1, found))
        known = {path.casefold() for path in expected}
        strange += [path for path in shown if path.casefold() not in known and is_down_path(path)]
    lost_shards = []
    for generation in sorted({generation for generation, _ in numbers}):
        folder = shards.path_of(generation, 0).rpartition("/")[0]
        there = {f"{folder}/{item.name.casefold()}" for item in shelf.listed(folder, limit=_LISTING_LIMIT)}
        lost_shards += [(of, number) for of, number in numbers if of == generation and shards.path_of(of, number) not in there]
    if lost or lost_shards or strange:
        with database.write() as tx:
            pushed.set_gone(tx, point.id, lost, lost_shards)
            pushed.set_strange(tx, point.id, strange, now)
    return len(lost) + len(lost_shards)


def empty(*, database: Database, point: PointRow, shelf: Shelf) -> int:
    """Takes away one step of what the site itself put into the boxes of a point that is emptied: what leads to others first.

    Shape: how many files; 0: none of them is left. Errors: UnavailableError, RejectedError.
    """
    with database.read() as tx:
        current = point_of(tx, point.id)
        if current is None or current.revision != point.revision or current.state is not PointState.EMPTYING:
            return 0
        paths, numbers = pushed.put_there(tx, point.id, STEP_FILES)
    return _take_away(database, point, shelf, paths, numbers)


def _rank(file: FileRow) -> tuple[int, str]:
    return write_rank(file.path), file.path


def _write(shelf: Shelf, step: Step) -> None:
    for file in step.files:
        if file.path not in MUTABLE:
            shelf.write(file.path, file.content)
    for shard in step.shards:
        shelf.replace(shards.path_of(shard.generation, shard.number), shard.content)
    for file in step.files:
        if file.path in MUTABLE:
            shelf.sync()  # whatever it leads to outlasts a power cut before it does
            shelf.replace(file.path, file.content)
    shelf.sync()


def _note(database: Database, point: PointRow, step: Step, now: datetime) -> None:
    with database.write() as tx:
        current = point_of(tx, point.id)
        if current is None or current.revision != point.revision:
            return
        pushed.set_lying(tx, point.id, step.files, step.shards)
        pushed.set_leaving(tx, point.id, step.leaving, now)
        pushed.set_leaving(tx, point.id, step.back, None)
        if step.timestamp:
            pushed.set_brought(tx, point, timestamp=step.timestamp, generation=step.generation, now=now)
            if current.filled_at is None:
                set_filled(tx, [point.id], now)


def _remove(database: Database, point: PointRow, shelf: Shelf, settings: SiteSettings, now: datetime) -> int:
    """Takes away what the site has removed and the point has not named for the grace time. Shape: how many files."""
    before = now - unnamed_grace(settings)
    with database.read() as tx:
        paths = pushed.removable_files(tx, point.id, before, STEP_FILES)
        numbers = pushed.removable_shards(tx, point, before, STEP_FILES - len(paths))
    return _take_away(database, point, shelf, paths, numbers)


def _take_away(database: Database, point: PointRow, shelf: Shelf, paths: list[str], numbers: list[tuple[int, int]]) -> int:
    if not paths and not numbers:
        return 0
    for path in [*paths, *(shards.path_of(generation, number) for generation, number in numbers)]:
        shelf.remove(path)
        if shelf.size_of(path) is not None:
            raise RejectedError(f"{path} is still there after it was removed")
    shelf.sync()
    with database.write() as tx:
        pushed.set_gone(tx, point.id, paths, numbers)
    return len(paths) + len(numbers)
