"""How fast the link to a distribution point is: measured by a small part of the very content that it would serve.

What comes is thrown away. A point that cannot be reached is not slow: that is said as an error, and the fetch finds it out again
(Q246974, Q302535). Upstream: points; downstream: the decision over advertisements that are not mandatory over a slow link.
"""

from collections.abc import Callable
from typing import NamedTuple

from purveyor.transport.interface import Point
from purveyor.wire.manifest import SIZE_LIMIT_BYTES, checked, decode, distinct_files, manifest_path

SAMPLE_BYTES = 32 * 1024
"""How much is read of the largest file; a link at the threshold takes some seconds for it."""
TOO_SHORT_SECONDS = 1.0
"""What comes within so short a time came over no slow link, however little it was."""


class Speed(NamedTuple):
    """What was measured. Units: bytes, seconds of a clock that never jumps."""

    size_bytes: int
    seconds: float

    def is_below(self, bytes_per_second: int) -> bool:
        """Whether the link is slower than that."""
        return self.seconds > TOO_SHORT_SECONDS and self.size_bytes < bytes_per_second * self.seconds


def measured(point: Point, manifest: str, *, uptime_seconds: Callable[[], float]) -> Speed:
    """The speed of the link to a point, by the content of a manifest.

    Errors: AbsentError, UnavailableError, RejectedError: the point would not serve it.
    """
    begun = uptime_seconds()
    answer = point.read(manifest_path(manifest), limit_bytes=SIZE_LIMIT_BYTES)
    content = checked(answer.content if answer else b"", manifest, point.url)
    size_bytes = len(content)
    largest = max(distinct_files(decode(content)), key=lambda stored: stored.size_bytes, default=None)
    if largest is not None and largest.size_bytes and size_bytes < SAMPLE_BYTES:
        wanted = min(SAMPLE_BYTES, largest.size_bytes)
        for piece in point.read_from(largest.path, offset=0, limit_bytes=wanted):
            size_bytes += len(piece)
            wanted -= len(piece)
            if wanted <= 0:
                break
    return Speed(size_bytes, max(0.0, uptime_seconds() - begun))
