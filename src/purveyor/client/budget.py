"""How fast content may come to this client: the budget of the signed settings, kept in one place under every transport.

Policy is never held back, and is not counted: it is small. A pass of the agent takes content for a short while only, and then
lets other work go on; what was taken too soon is owed by the next pass, after a restart and after a power cut too.
"""

from collections.abc import Iterator
from datetime import timedelta

from purveyor.client.machine.interface import Machine
from purveyor.client.state.store import State
from purveyor.transport.interface import Answer, Point
from purveyor.transport.pace import Meter
from purveyor.wire.bandwidth import Budget, rate_in_words
from purveyor.wire.errors import HeldBackError

PATIENCE_SECONDS = 20.0
"""So long a pass waits for content that comes as slowly as it may; then it ends, and the next one goes on."""
PORTION_SECONDS = 5.0
"""So much is asked of a point at once: what comes between two requests is little, whatever the rate."""
SMALLEST_PORTION_BYTES = 64 * 1024
SHORTEST_BREAK_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""So long a pass takes content at all: a point that only drips keeps nobody from polling, nor from another point."""
_DEBT = "bandwidth debt"


class Allowance:
    """What content may come in one pass."""

    def __init__(self, budget: Budget, *, state: State, machine: Machine) -> None:
        self._state, self._machine = state, machine
        debt_bytes, since = self._owed()
        self._meter = Meter(
            budget,
            now=machine.now,
            monotonic=machine.uptime_seconds,
            zone=machine.zone(),
            debt_bytes=debt_bytes,
            since=since,
        )
        self._until = machine.uptime_seconds() + PATIENCE_SECONDS
        self._begun_at_rate: int | None = None

    def closed(self) -> HeldBackError | None:
        """That nothing may come at this hour, and until when; None: something may."""
        return self._meter.closed()

    def portion(self, wanted_bytes: int) -> int:
        """How many of these bytes to ask for now; waits for a moment where they come too soon.

        What is asked for is owed before it comes: a power cut in between makes nothing come twice as fast.
        Errors: HeldBackError: none now, and this pass is to wait no longer.
        """
        self._meter.check_open()
        while (ahead := self._meter.wait_seconds()) > 0:
            if not self._has_waited(ahead):
                self._hold_back(ahead)
            self._meter.check_open()
        rate = self._begun_at_rate = self._meter.rate()
        if rate is None:
            return wanted_bytes
        if self._machine.uptime_seconds() + PORTION_SECONDS > self._until:
            self._hold_back(SHORTEST_BREAK_SECONDS)
        size_bytes = min(wanted_bytes, max(SMALLEST_PORTION_BYTES, int(rate * PORTION_SECONDS)))
        self._keep(self._meter.debt_bytes() + size_bytes)
        return size_bytes

    def took(self, size_bytes: int) -> bool:
        """So much of a portion came; waits for what a second brings. False: this hour has another rate, so ask anew."""
        self._meter.took(size_bytes)
        while 0 < (ahead := self._meter.wait_seconds()) <= PORTION_SECONDS and self._has_waited(ahead):
            pass
        return self._meter.rate() == self._begun_at_rate

    def keep(self) -> None:
        """Stores what is owed."""
        self._keep(self._meter.debt_bytes())

    def _has_waited(self, seconds: float) -> bool:
        """Waits, if that ends before the patience of this pass, and this machine lets a pass wait."""
        return self._machine.uptime_seconds() + seconds <= self._until and self._machine.pause(seconds)

    def _hold_back(self, seconds: float) -> None:
        rate = rate_in_words(self._meter.rate())
        until = self._machine.now() + timedelta(seconds=max(seconds, SHORTEST_BREAK_SECONDS))
        raise HeldBackError(f"its content comes at {rate} bytes a second at most, as the budget of bandwidth says", until=until)

    def _owed(self) -> tuple[float, float | None]:
        """What was owed when it was stored last, and since when; None: before this start of the machine."""
        try:
            debt, since, boot = self._state.fact(_DEBT).split(" ", 2)
            return float(debt), float(since) if boot == self._machine.boot_id() else None
        except ValueError:
            return 0.0, None

    def _keep(self, debt_bytes: float) -> None:
        self._state.remember(_DEBT, f"{debt_bytes:.0f} {self._machine.uptime_seconds():.3f} {self._machine.boot_id()}")


class PacedPoint:
    """A point from which content comes as an allowance lets it."""

    def __init__(self, point: Point, allowance: Allowance) -> None:
        self._point = point
        self._allowance = allowance

    @property
    def url(self) -> str:
        """The other point's."""
        return self._point.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """As the other point's. Errors: HeldBackError too."""
        self._allowance.portion(limit_bytes)
        answer = self._point.read(path, limit_bytes=limit_bytes, tag=tag)
        if answer is not None:
            self._allowance.took(len(answer.content))
        return answer

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """As the other point's, asked for portion by portion. Errors: HeldBackError too, between two of them."""
        end = offset + limit_bytes
        while offset < end:
            left_bytes = self._allowance.portion(end - offset)
            goes_on = True
            for piece in self._point.read_from(path, offset=offset, limit_bytes=left_bytes):
                offset += len(piece)
                left_bytes -= len(piece)
                goes_on = self._allowance.took(len(piece))
                yield piece
                if not goes_on:
                    break
            if left_bytes > 0 and goes_on:
                return

    def put(self, path: str, content: bytes) -> None:
        """As the other point's: what is put is not counted."""
        self._point.put(path, content)


class BriefPoint:
    """A point from which content comes until a pass has taken its time; the next pass goes on where it stopped.

    Units: `until`: seconds of the clock that never jumps.
    """

    def __init__(self, point: Point, machine: Machine, *, until: float) -> None:
        self._point, self._machine, self._until = point, machine, until

    @property
    def url(self) -> str:
        """The other point's."""
        return self._point.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """As the other point's."""
        return self._point.read(path, limit_bytes=limit_bytes, tag=tag)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """As the other point's. Errors: HeldBackError too, between two pieces."""
        self._check_time()
        for piece in self._point.read_from(path, offset=offset, limit_bytes=limit_bytes):
            yield piece
            self._check_time()

    def put(self, path: str, content: bytes) -> None:
        """As the other point's."""
        self._point.put(path, content)

    def _check_time(self) -> None:
        if self._machine.uptime_seconds() > self._until:
            until = self._machine.now() + timedelta(seconds=SHORTEST_BREAK_SECONDS)
            raise HeldBackError("its content comes slowly; what is left comes with the next passes", until=until)
