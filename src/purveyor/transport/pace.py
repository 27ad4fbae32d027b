"""How fast bytes may go by a budget: who keeps to one asks a `Meter`; who may simply wait for it has a `Pace`.

A meter holds a debt: what went and is not yet paid off by the time that has passed. So nothing is saved up but a second's worth,
whatever the hour was before, and what was owed when a process ended can be owed by the next one. The clocks are given.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from math import inf

from purveyor.wire.bandwidth import NOTHING, UNLIMITED, Budget, next_allowance, rate_at
from purveyor.wire.errors import HeldBackError
from purveyor.wire.moments import local_text

CREDIT_SECONDS = 1.0
"""So much may be made up for after a moment in which less came than was allowed."""
LOOK_SECONDS = 1.0
"""How often the hour is looked at: its budget holds in the middle of a file too."""
_LONGEST_PAUSE_SECONDS = 5.0


class Meter:
    """What is allowed now, and what went. `zone` is where the wall clock hangs; None: that of this system.

    `debt_bytes` is what is owed from before, and `since` when that was so.
    Units: bytes, seconds of a clock that never jumps.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        zone: tzinfo | None = None,
        debt_bytes: float = 0.0,
        since: float | None = None,
    ) -> None:
        self._budget = budget
        self.monotonic = monotonic
        self._now, self._zone = now, zone
        self._debt_bytes = debt_bytes
        self._looked_at = monotonic()
        self._seen_at = self._looked_at if since is None else since
        self._rate = None if budget.is_unlimited else rate_at(budget, now(), zone)

    @property
    def budget(self) -> Budget:
        """What is kept. It may be replaced at any time, by another thread too: what is owed stays owed."""
        return self._budget

    @budget.setter
    def budget(self, budget: Budget) -> None:
        if budget != self._budget:
            self._pay(self.monotonic())
            self._budget, self._looked_at = budget, -inf

    def rate(self) -> int | None:
        """Bytes a second at this hour; None: unlimited; 0: nothing."""
        if self._budget.is_unlimited:
            return None
        at = self.monotonic()
        if not 0 <= at - self._looked_at < LOOK_SECONDS:
            self._pay(at)
            self._rate, self._looked_at = rate_at(self._budget, self._now(), self._zone), at
        return self._rate

    def took(self, size_bytes: int) -> None:
        """So many bytes went."""
        if self.rate() is not None:
            self._pay(self.monotonic())
            self._debt_bytes += size_bytes

    def debt_bytes(self) -> float:
        """What went too soon and is not paid off yet."""
        self._pay(self.monotonic())
        return max(0.0, self._debt_bytes)

    def wait_seconds(self) -> float:
        """How long nothing more may go: 0 for now, infinite where the budget never allows anything."""
        rate = self.rate()
        if rate is None:
            return 0.0
        if rate == NOTHING:
            opens_at = self.opens_at()
            return inf if opens_at is None else max(LOOK_SECONDS, (opens_at - self._now()).total_seconds())
        return self.debt_bytes() / rate

    def bytes_within(self, seconds: float, *, at_most: int) -> int:
        """How many bytes may go in so long at this hour's rate; 0: none."""
        rate = self.rate()
        return at_most if rate is None else min(at_most, int(rate * seconds))

    def opens_at(self) -> datetime | None:
        """When anything may go again, at an hour in which nothing may; None: never."""
        return next_allowance(self._budget, self._now(), self._zone)

    def closed(self) -> HeldBackError | None:
        """That nothing may go at this hour, and until when; None: something may."""
        if self.rate() != NOTHING:
            return None
        opens_at = self.opens_at()
        until = "for as long as it is as it is" if opens_at is None else f"until {local_text(opens_at, self._zone)}"
        return HeldBackError(f"held back by the budget of bandwidth {until}", until=opens_at)

    def check_open(self) -> None:
        """Errors: HeldBackError at an hour in which nothing may go."""
        closed = self.closed()
        if closed is not None:
            raise closed

    def _pay(self, at: float) -> None:
        elapsed, self._seen_at = max(0.0, at - self._seen_at), at
        if self._rate:
            self._debt_bytes = max(-CREDIT_SECONDS * self._rate, self._debt_bytes - elapsed * self._rate)
        elif self._rate is None:
            self._debt_bytes = 0.0


def unmetered() -> Meter:
    """The meter of a budget that holds nothing back: nobody asks it for the hour."""
    return Meter(UNLIMITED, now=lambda: datetime.min.replace(tzinfo=UTC))


def never() -> bool:
    """Nothing else is to be done."""
    return False


class Pace:
    """A budget that is kept by waiting, by whoever has nothing else to do meanwhile.

    `gives_way` is asked through hours in which nothing may go: where there is something else to do, they are not waited for.
    """

    def __init__(
        self,
        meter: Meter | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
        tell: Callable[[int], None] = lambda _: None,
        gives_way: Callable[[], bool] = never,
    ) -> None:
        self.meter = meter or unmetered()
        self.pause = pause
        self._tell, self._gives_way = tell, gives_way
        self.read_bytes = 0

    def took(self, size_bytes: int) -> None:
        """So many bytes went; waits until more may go, but for no other hour of the week."""
        self.read_bytes += size_bytes
        self._tell(size_bytes)
        self.meter.took(size_bytes)
        while self.meter.rate() != NOTHING and (ahead := self.meter.wait_seconds()) > 0 and self._has_waited(ahead):
            pass

    def content(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, each when it may go: where nothing may at this hour of the week, the next one waits for another.

        Errors: HeldBackError where it is not to wait.
        """
        for piece in pieces:
            while self.meter.rate() == NOTHING and self._has_waited(_LONGEST_PAUSE_SECONDS):
                if self._gives_way():
                    self.meter.check_open()
            self.took(len(piece))
            yield piece

    def _has_waited(self, seconds: float) -> bool:
        """Waits for a moment. False where waiting lets no time pass, as in a simulation: then it is of no use."""
        before = self.meter.monotonic()
        self.pause(min(seconds, _LONGEST_PAUSE_SECONDS))
        return self.meter.monotonic() > before
