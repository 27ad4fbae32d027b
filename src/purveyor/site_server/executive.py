"""The executive: runs each component's turn, again and again, until it is told to stop.

The one border where whatever a turn raises ends: it is logged, the turn is tried again with back-off, and the other components
go on.
Nothing depends on being woken; a wake only shortens the wait.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.site_server.custody import keys as custody
from purveyor.site_server.database import settings as stored
from purveyor.site_server.model.site_clock import TOLERANCE, doubt, has_come, in_words, settled
from purveyor.site_server.publish import audit, content, leftovers, retirement
from purveyor.site_server.publish import turn as publish
from purveyor.site_server.receive import ageing
from purveyor.site_server.receive import turn as receive
from purveyor.site_server.rounds import Rounds
from purveyor.site_server.site import Site
from purveyor.site_server.storage import low_room
from purveyor.site_server.threads import Threads
from purveyor.transport.strays import BOXES_AND_ASIDES, Strays
from purveyor.wire.errors import PurveyorError

ITEMS_A_TURN = 5000
AUDIT_INTERVAL = timedelta(hours=1)
AGEING_INTERVAL = timedelta(minutes=10)
SWEEP_INTERVAL = timedelta(days=1)
_CLOCK_NOTED_EVERY = timedelta(minutes=1)
_LONGEST_BACK_OFF = timedelta(minutes=5)

DOUBTFUL = "it is ahead by {}: the site was off for so long, or it was set; grace times wait until that is made up for"

logger = logging.getLogger("purveyor.site")


class Health(NamedTuple):
    """How a component's last turn went. `error` is empty when it went well."""

    component: str
    last_turn_at: datetime
    error: str
    failures: int


class _Look(NamedTuple):
    """What was found of the clock: what of its time is known to have passed, and the seconds that it cannot change."""

    settled_at: datetime | None
    at: datetime
    seconds: float
    doubt: timedelta


@dataclass(slots=True)
class Executive:
    """Runs the components of one site, each one turn at a time, in one thread."""

    site: Site
    openers: Executor | None = None
    """Processes that open seals beside the site's own, where there are some."""
    pushers: Threads | None = None
    """Threads in which points elsewhere have their turns; without any, they have them in this one."""
    health: dict[str, Health] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    _place: audit.Place | None = field(default_factory=audit.Place)
    _next_audit_at: datetime | None = None
    _next_ageing_at: datetime | None = None
    _next_sweep_at: datetime | None = None
    _not_before: dict[str, datetime] = field(default_factory=dict)
    _noted: dict[str, set[str]] = field(default_factory=dict)
    _last: "_Look | None" = None
    _strays: Strays = field(default_factory=lambda: Strays(BOXES_AND_ASIDES))
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(self.site, self.pushers)

    def components(self) -> Mapping[str, Callable[[], bool]]:
        """The turns in their order, by name. Each says whether there is more to do at once."""
        return {
            "clock": self._look_at_clock,
            "receive": self._receive,
            "retirement": self._retire,
            "content": self._keep_content,
            "publish": self._publish,
            "points": self.rounds.turn,
            "ageing": self._age,
            "audit": self._audit,
        }

    def turn(self) -> bool:
        """One turn of every component. Shape: whether any has more to do at once."""
        is_more = False
        for name, component in self.components().items():
            now = self.site.clock()
            if has_come(self._not_before.get(name), now, _LONGEST_BACK_OFF):
                is_more |= self._guarded(name, component, now)
        return is_more

    def run(self, stop: threading.Event) -> None:
        """Turns until `stop` is set, pausing for the publish interval when there is nothing more to do."""
        while not stop.is_set():
            self.site.wake.clear()
            if not self.turn():
                self.site.wake.wait(self._pause_seconds())

    def _pause_seconds(self) -> float:
        try:
            return float(self.site.settings().publish_interval_seconds)
        except PurveyorError:
            return 1.0

    def _guarded(self, name: str, component: Callable[[], bool], now: datetime) -> bool:
        try:
            is_more = component()
        except Exception as error:  # the executive is one of the three borders
            failures = self.health[name].failures + 1 if name in self.health else 1
            self.health[name] = Health(name, now, f"{type(error).__name__}: {error}", failures)
            self._not_before[name] = now + min(_LONGEST_BACK_OFF, timedelta(seconds=2 ** min(failures, 16)))
            expected = isinstance(error, PurveyorError)
            logger.log(
                logging.WARNING if expected else logging.ERROR, "%s: %s", name, error, exc_info=None if expected else error
            )
            return False
        if name in self.health and self.health[name].failures:
            logger.warning("%s: works again after %d failed turns", name, self.health[name].failures)
        self.health[name] = Health(name, now, "", 0)
        return is_more

    def _count(self, **amounts: int) -> None:
        for name, amount in amounts.items():
            self.totals[name] = self.totals.get(name, 0) + amount

    @property
    def clock_doubt(self) -> timedelta:
        """How much of the time that the site's clock showed at its last turn may not have passed."""
        return self._last.doubt if self._last else timedelta(0)

    def _look_at_clock(self) -> bool:
        """Goes on with the time that is known to have passed, and tells where the clock leaves it."""
        site, now, seconds = self.site, self.site.clock(), self.site.running()
        with site.database.read() as tx:
            kept = stored.settled_at(tx)
        last = self._last or _Look(kept, now, seconds, timedelta(0))
        known = settled(last.settled_at, ran=timedelta(seconds=seconds - last.seconds), now=now)
        if kept is None or not timedelta(0) <= known - kept < _CLOCK_NOTED_EVERY:
            with site.database.write() as tx:
                stored.set_settled(tx, known)
        self._last = look = _Look(known, now, seconds, doubt(known, now))
        if now < last.at - TOLERANCE:
            logger.warning("clock: it was set back by %s: what was signed for later is signed anew", in_words(last.at - now))
        elif look.doubt > last.doubt + TOLERANCE:
            logger.warning("clock: %s", DOUBTFUL.format(in_words(look.doubt)))
        return False

    def _receive(self) -> bool:
        site = self.site
        received = receive.turn(
            database=site.database,
            cap=site.cap,
            rejected=site.rejected,
            site_code=site.code,
            sealing_keys=site.keys.sealing,
            now=site.clock(),
            limit=ITEMS_A_TURN,
            openers=self.openers,
        )
        self._count(
            items_stored=received.stored,
            items_duplicate=received.duplicates,
            items_rejected=received.rejected,
            items_refused=received.refused,
            clients_joined=received.joined,
        )
        full = [f"{box} is full and takes nothing until it is emptied" for box in site.mark_full_boxes()]
        unread = ["items in the up boxes cannot be read: look at the rights of their files"] if received.unreadable else []
        self._note("receive", full + unread)
        return received.is_more

    def _retire(self) -> bool:
        site = self.site
        retired = retirement.turn(database=site.database, store=site.store, points=site.points, cap=site.cap, now=site.clock())
        self._note("retirement", retired.problems)
        return False

    def _keep_content(self) -> bool:
        site = self.site
        kept = content.turn(database=site.database, store=site.store, points=site.points, now=site.clock())
        self._note("content", kept.problems)
        self._sweep()
        return kept.is_more

    def _sweep(self) -> None:
        """Once a day, the first time an hour after the start, content that nothing knows of is removed."""
        now = self.site.clock()
        if self._next_sweep_at is None:
            self._next_sweep_at = now + AUDIT_INTERVAL
        if has_come(self._next_sweep_at, now, SWEEP_INTERVAL):
            self._next_sweep_at = now + SWEEP_INTERVAL
            site = self.site
            with site.database.read() as tx:
                passed = now - stored.clock_doubt(tx, now)
            self._count(leftover_bytes=leftovers.sweep(database=site.database, store=site.store, points=site.points, now=passed))

    def _note(self, component: str, problems: Iterable[str]) -> None:
        """Logs problems that stop nothing; one that lasts is not repeated at every turn."""
        present = set(problems)
        for problem in sorted(present - self._noted.get(component, set())):
            logger.warning("%s: %s", component, problem)
        self._noted[component] = present

    def _publish(self) -> bool:
        site = self.site
        published = publish.turn(database=site.database, cap=site.cap, keys=site.keys, now=site.clock())
        self._count(files_published=published.files, shards_published=published.shards, signatures=published.signatures)
        site.keys.forget(published.keys_retired)
        if published.dropped:
            logger.warning("publish: %s", published.dropped)
        missing = published.keys_missing
        self._note("publish", (f"the key {role!r} is not on this site server: what it is to sign waits" for role in missing))
        self._note("storage", low_room(site.folders()))
        with site.database.read() as tx:
            self._note("keys", (alarm.text for alarm in custody.alarms_of(tx, site.clock())))
        return published.is_more

    def _age(self) -> bool:
        """A batch at a time while something is too old, and then not again for the interval."""
        now = self.site.clock()
        if not has_come(self._next_ageing_at, now, AGEING_INTERVAL):
            return False
        aged = ageing.turn(database=self.site.database, settings=self.site.patient_settings(), now=now)
        self._count(messages_aged=aged.messages, refusals_aged=aged.refusals)
        self._next_ageing_at = None if aged.is_more else now + AGEING_INTERVAL
        swept = self._strays.sweep(self.site.cap, self.site.running())
        self._count(strays_removed=swept.removed)
        self._note("ageing", filter(None, [swept.problem]))
        return aged.is_more

    def _audit(self) -> bool:
        """One slice. A running audit goes on at the next turn; a finished one rests for the interval."""
        now = self.site.clock()
        if self._place is None:
            if not has_come(self._next_audit_at, now, AUDIT_INTERVAL):
                return False
            self._place = audit.Place()
        audited = audit.audit_slice(self.site.database, self.site.cap, self._place)
        self._count(files_healed=len(audited.healed))
        for path in audited.healed:
            logger.warning("audit: %s was missing or damaged; written again", path)
        self._place = audited.next
        self._next_audit_at = now + AUDIT_INTERVAL if audited.next is None else None
        return audited.next is not None
