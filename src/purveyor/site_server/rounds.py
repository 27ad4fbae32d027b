"""The rounds: turns at every point that the site pushes to, each for itself.

A round of a CAP takes in what clients put there and pushes what is published; a round of a DP brings and takes away content. A
point that cannot be reached is left alone for its back-off, and delays nobody: with `workers`, each round runs in a thread of its
own, and at most one at a time for each point. Nothing here judges what it carries; `receive` and `publish` do.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from purveyor.content.shelf_store import ShelfStore
from purveyor.site_server.admin.points import shown
from purveyor.site_server.claim import MARK, MarkedShelf, claim, refuse_foreign
from purveyor.site_server.database import content_copies, points, pushed
from purveyor.site_server.database.points import HOME_DP, PointRow
from purveyor.site_server.database.settings import clock_doubt
from purveyor.site_server.model.points import LONGEST_RETRY, PointKind, PointState, emptied_from, retry_after, trouble_of
from purveyor.site_server.model.retirement import is_grace_over
from purveyor.site_server.model.site_clock import has_come
from purveyor.site_server.publish import content, emptying, leftovers, pulled, pushing
from purveyor.site_server.receive import turn as receive
from purveyor.site_server.site import Site
from purveyor.site_server.threads import Threads
from purveyor.transport.interface import Shelf
from purveyor.transport.pace import Meter, Pace
from purveyor.transport.strays import ASIDES, BOXES_AND_ASIDES, Strays
from purveyor.wire.bandwidth import UNLIMITED, parse_budget
from purveyor.wire.errors import PurveyorError, UnavailableError
from purveyor.wire.status_messages import StatusId

ITEMS_A_ROUND = 1000
LOOK_INTERVAL = timedelta(seconds=10)
"""How often the up boxes of a point elsewhere are looked into: each look is a few requests over a wire."""
PACED_ROUND_SECONDS = 60.0
"""So long a round goes on where a budget slows it down, or as long as one package takes."""
AUDIT_INTERVAL = timedelta(hours=1)
SWEEP_INTERVAL = timedelta(days=1)

logger = logging.getLogger("purveyor.site.points")


class Round(NamedTuple):
    """What one round did: files written and taken away, items taken in, copies verified; whether more is to be done at once."""

    written: int = 0
    removed: int = 0
    items: int = 0
    verified: int = 0
    is_more: bool = False


@dataclass(slots=True)
class Standing:
    """What is kept of a point between its rounds: its opened shelf, when it was last looked into, audited, swept, and strays."""

    revision: int
    shelf: MarkedShelf
    strays: Strays
    looked_at: datetime | None = None
    audited_at: datetime | None = None
    swept_at: datetime | None = None


@dataclass(slots=True)
class Rounds:
    """The rounds of one site. Without `workers` they run one after the other, where they are asked for."""

    site: Site
    workers: Threads | None = None
    pause: Callable[[float], None] = time.sleep
    """Waits in a thread of a point's own; without `workers` nobody waits."""
    totals: dict[str, int] = field(default_factory=dict)
    _standing: dict[str, Standing] = field(default_factory=dict)
    _paces: dict[str, Pace] = field(default_factory=dict)
    _running: dict[str, Future[bool]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    served: Meter = field(init=False)
    """How fast whoever serves the site's own DP may send, in all."""

    def __post_init__(self) -> None:
        self.served = Meter(UNLIMITED, now=self.site.clock, monotonic=self.site.running)

    def turn(self) -> bool:
        """Begins a round of every point that is due and has none. Shape: whether any has more to do at once."""
        site = self.site
        now = site.clock()
        with site.database.read() as tx:
            kept = points.kept(tx)
            quiet = [one for one in kept if one.state is PointState.DRAINING and one.told != StatusId.POINT_DRAINED]
            drained = [one for one in quiet if shown(tx, one.id, now).is_drained]
        self._tell_drained(drained, now)
        self._take_up_budgets(kept)
        elsewhere = [one for one in kept if one.is_pushed or one.is_read_back or one.is_awaited]
        for name in self._standing.keys() - points.ids(elsewhere) - self._running.keys():
            self._let_go(name)
        is_more = False
        for point in elsewhere:
            finished = self._running.get(point.id)
            if finished is not None and not finished.done():
                continue
            self._running.pop(point.id, None)
            if (
                point.failures
                and point.tried_at is not None
                and not has_come(point.tried_at + retry_after(point.failures), now, LONGEST_RETRY)
            ):
                continue
            if self.workers is None:
                is_more |= self._guarded(point)
            else:
                self._running[point.id] = begun = self.workers.submit(partial(self._guarded, point))
                begun.add_done_callback(self._wake_for_more)
        return is_more

    def forget(self) -> None:
        """Nothing is kept of what was opened: every point is looked at as after a start of the site."""
        for name in list(self._standing):
            self._let_go(name)

    def end(self, seconds: float) -> list[str]:
        """Waits so long for the rounds that are under way. Shape: the points whose rounds go on; they are left to themselves."""
        wait(self._running.values(), seconds)
        return sorted(name for name, begun in self._running.items() if not begun.done())

    def _wake_for_more(self, begun: "Future[bool]") -> None:
        if begun.result():
            self.site.poke()

    def _tell_drained(self, drained: Sequence[PointRow], now: datetime) -> None:
        """Tells, once, of each point that drains that it may be removed now."""
        for point in drained:
            with self.site.database.write() as tx:
                points.tell(tx, point.id, StatusId.POINT_DRAINED, "nothing comes there any more: it may be removed", now)

    def _guarded(self, point: PointRow) -> bool:
        """A round, and how it went: written down where that is news."""
        site = self.site
        try:
            done = self._round(point)
        except Exception as error:  # a turn's border, as in the executive
            self._let_go(point.id)
            is_expected = isinstance(error, PurveyorError)
            if not point.failures or not is_expected:
                level = logging.WARNING if is_expected else logging.ERROR
                logger.log(level, "%s: %s", point.id, error, exc_info=None if is_expected else error)
            problem = str(error) if is_expected else f"{type(error).__name__}: {error}"
            with site.database.write() as tx:
                points.note_failure(tx, point, problem, trouble_of(error), site.clock())
            return False
        self._count(done)
        if points.is_success_news(point, site.clock()):
            if point.failures:
                logger.info("%s: reached again", point.id)
            with site.database.write() as tx:
                points.note_success(tx, point, site.clock())
        return done.is_more

    def _round(self, point: PointRow) -> Round:
        site = self.site
        if point.is_awaited:
            return self._round_of_awaited(point)
        if point.is_read_back:
            return self._round_of_mirrored(point)
        if point.state is PointState.EMPTYING and site.clock() >= emptied_from(point.state_since, site.patient_settings()):
            return self._round_of_emptying(point)
        standing = self._opened(point)
        if point.kind is PointKind.CAP:
            return self._round_of_cap(point, standing)
        return Round() if point.state is PointState.EMPTYING else self._round_of_dp(point, standing)

    def _round_of_emptying(self, point: PointRow) -> Round:
        """Takes away what the site put there; when nothing of it is left, the folders and, last of all, the mark."""
        site = self.site
        with site.database.read() as tx:
            is_empty = not any(pushed.put_there(tx, point.id, 1)) and not points.manifest_count(tx, point)
        if not is_empty:
            standing = self._opened(point)
            if point.kind is PointKind.DP:
                return self._round_of_dp(point, standing)
            items, is_more = self._looked_into(point, standing)
            removed = pushing.empty(database=site.database, point=point, shelf=standing.shelf)
            return Round(removed=removed, items=items, is_more=is_more or removed > 0)
        shelf = site.open_shelf(point.said.place)
        refuse_foreign(shelf, point.kind, *site.mark())  # the mark may be gone: the round before may have ended behind that
        items, is_more = self._take_in(point, shelf) if point.takes_items else (0, False)
        if is_more:
            return Round(items=items, is_more=True)
        left = emptying.leave(shelf, point)
        shelf.remove(MARK)
        shelf.sync()
        with site.database.write() as tx:
            points.set_emptied(tx, point.id, left, site.clock())
        logger.info("%s: emptied; %s", point.id, left or "nothing is left there")
        return Round(items=items)

    def _round_of_awaited(self, point: PointRow) -> Round:
        """Looks at a CAP that a mirror fills whether it has done so; then the settings that tell of it are to be published."""
        with self.site.open_point(point.said) as place:
            pulled.await_publication(database=self.site.database, point=point, place=place, now=self.site.clock())
        return Round(is_more=True)

    def _round_of_mirrored(self, point: PointRow) -> Round:
        """Reads at a DP that a mirror fills what clients are to be told of there; most rounds have nothing to read."""
        site, now, settings = self.site, self.site.clock(), self.site.patient_settings()
        with site.database.read() as tx:
            due = pulled.due(tx, point.id, settings, now)
        if not any(due):
            return Round()
        with site.open_point(point.said) as place:
            read = pulled.turn(database=site.database, point=point, place=place, what=due, now=now)
        if read.problems:
            raise UnavailableError("; ".join(read.problems))
        return Round(removed=read.removed, verified=read.verified, is_more=read.is_more)

    def _round_of_dp(self, point: PointRow, standing: Standing) -> Round:
        site, pace = self.site, self._pace_at(point)
        place = ShelfStore(standing.shelf, name=point.id, through=pace.content)
        if point.state is PointState.EMPTYING:
            with site.database.write() as tx:  # a round that was under way as the point was removed may have brought more
                content_copies.want_all_of(tx, points.unname_contents(tx, point.id, site.clock()))
        kept = content.point_turn(
            database=site.database,
            store=site.store,
            point=point.id,
            place=place,
            settings=site.patient_settings(),
            now=site.clock(),
            is_filling=point.state is PointState.ACTIVE,
            limit_bytes=pace.meter.bytes_within(PACED_ROUND_SECONDS, at_most=content.BYTES_A_TURN),
        )
        if kept.problems:
            raise UnavailableError("; ".join(kept.problems[:5])) from kept.error
        if not kept.is_more and point.state is not PointState.EMPTYING:
            self._sweep_dp(point, standing, place)
        return Round(removed=kept.removed, verified=kept.verified, is_more=kept.is_more)

    def _take_up_budgets(self, kept: Sequence[PointRow]) -> None:
        """What is said now of how fast content goes holds for whoever serves or pushes it, in the middle of a file too."""
        for point in kept:
            meter = self.served if point.id == HOME_DP else self._paces[point.id].meter if point.id in self._paces else None
            if meter is not None:
                meter.budget = parse_budget(point.said.bandwidth)

    def _pace_at(self, point: PointRow) -> Pace:
        """How fast content goes to a point and is read back there: one pace, kept over its rounds."""
        budget = parse_budget(point.said.bandwidth)
        if point.id not in self._paces:
            meter = Meter(budget, now=self.site.clock, monotonic=self.site.running)
            pause = _wait_for_nothing if self.workers is None else self.pause
            self._paces[point.id] = Pace(meter, pause=pause, gives_way=partial(self._has_to_remove, point.id))
        return self._paces[point.id]

    def _has_to_remove(self, point: str) -> bool:
        """Whether something is to leave a point now, or all of it: that waits for no hour of the week."""
        site = self.site
        with site.database.read() as tx:
            current = points.point_of(tx, point)
            leaving = content_copies.unnamed_on(tx, point)
        grace_seconds = site.patient_settings().point_grace_seconds
        is_due = any(is_grace_over(since, grace_seconds, site.clock()) for _, since in leaving)
        return is_due or current is None or current.state is not PointState.ACTIVE

    def _round_of_cap(self, point: PointRow, standing: Standing) -> Round:
        site, now = self.site, self.site.clock()
        items, is_more = self._looked_into(point, standing)
        if standing.audited_at is None or has_come(standing.audited_at + AUDIT_INTERVAL, now, AUDIT_INTERVAL):
            lost = pushing.audit(database=site.database, point=point, shelf=standing.shelf, now=now)
            standing.audited_at = now
            self._sweep_strays(point, standing)
            if lost:
                logger.warning("%s: %d files were missing or of another size; they are written again", point.id, lost)
        pushed = pushing.push(
            database=site.database, point=point, shelf=standing.shelf, settings=site.patient_settings(), now=now
        )
        return Round(pushed.written, pushed.removed, items, is_more=is_more or pushed.is_more)

    def _sweep_dp(self, point: PointRow, standing: Standing, place: ShelfStore) -> None:
        """Once an hour what was left aside, once a day content that is of no manifest there."""
        site, now = self.site, self.site.clock()
        if standing.audited_at is None or has_come(standing.audited_at + AUDIT_INTERVAL, now, AUDIT_INTERVAL):
            standing.audited_at = now
            self._sweep_strays(point, standing)
        if standing.swept_at is None or has_come(standing.swept_at + SWEEP_INTERVAL, now, SWEEP_INTERVAL):
            standing.swept_at = now
            with site.database.read() as tx:
                passed = now - clock_doubt(tx, now)
            freed_bytes = leftovers.sweep_elsewhere(database=site.database, point=point.id, place=place, now=passed)
            if freed_bytes:
                logger.info("%s: %d bytes of content that is of no manifest there were removed", point.id, freed_bytes)

    def _sweep_strays(self, point: PointRow, standing: Standing) -> None:
        swept = standing.strays.sweep(standing.shelf, self.site.running())
        if swept.removed:
            logger.info("%s: %d leftovers of broken writes, or things that are no items, were removed", point.id, swept.removed)
        if swept.problem:
            logger.warning("%s: %s", point.id, swept.problem)

    def _looked_into(self, point: PointRow, standing: Standing) -> tuple[int, bool]:
        """Takes in what clients put there, once in each interval. Shape: how many items, and whether more are there."""
        now = self.site.clock()
        looked_at = standing.looked_at
        if not point.takes_items or (looked_at and not has_come(looked_at + LOOK_INTERVAL, now, LOOK_INTERVAL)):
            return 0, False
        items, is_more = self._take_in(point, standing.shelf)
        standing.looked_at = None if is_more else now
        return items, is_more

    def _take_in(self, point: PointRow, shelf: Shelf) -> tuple[int, bool]:
        site = self.site
        received = receive.turn(
            database=site.database,
            cap=shelf,
            rejected=site.rejected,
            site_code=site.code,
            sealing_keys=site.keys.sealing,
            now=site.clock(),
            limit=ITEMS_A_ROUND,
        )
        if received.read:
            with site.database.write() as tx:
                points.note_items(tx, point, site.clock())
        return received.read, received.is_more

    def _opened(self, point: PointRow) -> Standing:
        """The point's shelf, seen to be this site's. Errors: RefusedError when it is another's; UnavailableError."""
        kept = self._standing.get(point.id)
        if kept is not None and kept.revision == point.revision:
            kept.shelf.begin()
            return kept
        self._let_go(point.id)
        shelf = self.site.open_shelf(point.said.place)
        mark, first_root = self.site.mark()
        try:
            claim(shelf, point.kind, mark, first_root, is_claimed=point.is_claimed)
        except PurveyorError:
            shelf.close()
            raise
        make_boxes: Callable[[], None] | None = getattr(shelf, "make_boxes", None)
        if point.kind is PointKind.CAP and make_boxes is not None:
            make_boxes()
        if not point.is_claimed:
            with self.site.database.write() as tx:
                points.note_claimed(tx, point)
        look = partial(claim, shelf, point.kind, mark, first_root, is_claimed=True)
        strays = Strays(BOXES_AND_ASIDES if point.kind is PointKind.CAP else ASIDES)
        self._standing[point.id] = Standing(point.revision, MarkedShelf(shelf, look), strays)
        return self._standing[point.id]

    def _let_go(self, name: str) -> None:
        """What was opened at a point is kept no longer: its connection ends."""
        kept = self._standing.pop(name, None)
        if kept is not None:
            kept.shelf.close()

    def _count(self, done: Round) -> None:
        with self._lock:
            for name, amount in (("files_pushed", done.written), ("items_collected", done.items), ("copies_made", done.verified)):
                self.totals[name] = self.totals.get(name, 0) + amount


def _wait_for_nothing(seconds: float) -> None:
    """Where rounds run one after the other, the time that a budget asks for is not waited for."""
    del seconds
