"""Whether the link to the distribution point that would serve a program's content is slow; each result is used for one minute.

A slow one is not measured again before the policy was read again: whoever waits for a faster link causes no traffic of its own
(Q202332, Q240921). A point that cannot be reached is not slow. Upstream: `content.speed`; downstream: `families`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from purveyor.client.content.speed import measured
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.wanted.conditions import Unmet
from purveyor.transport.interface import Point
from purveyor.wire.causes import Cause
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.form import Instant, from_bytes, to_bytes

FACT = "link speeds"
CACHE_LIFE = timedelta(minutes=1)
POINT_LIMIT = 50


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one point. Units: bytes a second."""

    url: str
    measured_at: Instant
    is_slow: bool
    bytes_per_second: int


@dataclass(slots=True, kw_only=True)
class Links:
    """The links of this client to its distribution points."""

    bench: Bench
    slow_bytes_per_second: int

    def slow(self, manifest: str, points: Sequence[Point]) -> Unmet | None:
        """Why the content does not come over the link that there is; None: it is fast enough, or no point answers.

        Shape:  the first point that answers is the one that would serve.
        """
        known = {link.url: link for link in self._known()}
        for point in points:
            link = known.get(point.url)
            if link is None or not self._is_good(link):
                link = self._measured(point, manifest)
                if link is None:
                    continue
                self._keep([*(other for other in known.values() if other.url != link.url), link])
            if not link.is_slow:
                return None
            reason = f"is not mandatory over a slow link: {point.url} serves {link.bytes_per_second} bytes a second"
            return Unmet(cause=Cause.SLOW_LINK, reason=f"waits for a faster link: it {reason}")
        return None

    def _is_good(self, link: Link) -> bool:
        age = self.bench.now - link.measured_at
        if timedelta(0) <= age < CACHE_LIFE:
            return True
        polled_at = self.bench.state.time("polled_at")
        return link.is_slow and age > timedelta(0) and polled_at is not None and polled_at <= link.measured_at

    def _measured(self, point: Point, manifest: str) -> Link | None:
        try:
            speed = measured(point, manifest, uptime_seconds=self.bench.machine.uptime_seconds)
        except (AbsentError, UnavailableError, RejectedError) as error:
            self.bench.note(f"the link to {point.url} cannot be measured: {error}")
            return None
        return Link(
            url=point.url,
            measured_at=self.bench.now,
            is_slow=speed.is_below(self.slow_bytes_per_second),
            bytes_per_second=round(speed.size_bytes / max(speed.seconds, 0.001)),
        )

    def _known(self) -> list[Link]:
        try:
            return from_bytes(self.bench.state.fact(FACT).encode() or b"[]", list[Link])
        except RejectedError:
            return []

    def _keep(self, links: Sequence[Link]) -> None:
        self.bench.state.remember(FACT, to_bytes(list(links)[-POINT_LIMIT:]).decode())
