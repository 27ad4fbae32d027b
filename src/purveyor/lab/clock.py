"""Time in the lab: one clock that moves only when it is told to, and each machine's own reading of it.

Nothing in the lab ever looks at the real time, so a simulated week is the same week in every run.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""A Monday morning: where a clock stands when nobody says otherwise."""
MILLION = 1_000_000


class Clock:
    """The true time of a lab, moved by hand."""

    def __init__(self, start: datetime = START) -> None:
        if start.utcoffset() is None:
            raise ValueError("a clock starts at an aware time")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The true time, aware UTC."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Moves the time on. Errors: ValueError for a step back, which true time does not take."""
        if step < timedelta(0):
            raise ValueError("true time does not run backwards: give the machine's own clock a skew instead")
        self._now += step


class LocalClock:
    """One machine's reading of the time: the true time and how far off it is. The skew may be changed at any moment."""

    def __init__(self, true_time: Callable[[], datetime], skew: timedelta = timedelta(0)) -> None:
        self._true_time = true_time
        self._skew = skew
        self._drift_ppm = 0.0
        self._drifts_since = true_time()

    @property
    def skew(self) -> timedelta:
        """How far off it is now."""
        if not self._drift_ppm:
            return self._skew
        return self._skew + (self._true_time() - self._drifts_since) * self._drift_ppm / MILLION

    @skew.setter
    def skew(self, skew: timedelta) -> None:
        self._skew, self._drifts_since = skew, self._true_time()

    def drift(self, ppm: float) -> None:
        """From now on it goes faster than true time by so many parts per million; slower where they are negative."""
        self.skew = self.skew
        self._drift_ppm = ppm

    def set_right(self) -> None:
        """It shows the true time, and drifts no more."""
        self._drift_ppm = 0.0
        self.skew = timedelta(0)

    def now(self) -> datetime:
        """What the machine believes the time to be."""
        return self._true_time() + self.skew

    def true_time(self) -> datetime:
        """The true time, which the machine cannot see; durations are measured on it."""
        return self._true_time()
