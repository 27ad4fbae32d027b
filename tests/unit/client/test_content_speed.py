"""How fast a link is, by what comes over it."""

from collections.abc import Iterator

import pytest

from purveyor.client.content.speed import SAMPLE_BYTES, Speed, measured
from purveyor.transport.interface import Answer
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import File, Manifest, encode, hash_of


class TimedPoint:
    """A point with one package, over a link of so many bytes a second; `uptime` is the clock that it moves."""

    url = "http://dp.example"

    def __init__(self, size_bytes: int, bytes_per_second: float) -> None:
        self.content = b"x" * size_bytes
        self.manifest = encode(Manifest(files=(File(path="setup", sha256=hash_of(self.content), size_bytes=size_bytes),)))
        self.bytes_per_second = bytes_per_second
        self.uptime = 100.0
        self.sent_bytes = 0

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        self._send(len(self.manifest))
        return Answer(self.manifest, "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        for start in range(offset, min(len(self.content), limit_bytes), 4096):
            piece = self.content[start : min(start + 4096, limit_bytes)]
            self._send(len(piece))
            yield piece

    def put(self, path: str, content: bytes) -> None:
        raise UnavailableError("nothing is put here")

    def speed(self) -> Speed:
        return measured(self, hash_of(self.manifest), uptime_seconds=lambda: self.uptime)

    def _send(self, size_bytes: int) -> None:
        self.sent_bytes += size_bytes
        self.uptime += size_bytes / self.bytes_per_second


@pytest.mark.parametrize(("bytes_per_second", "is_slow"), [(1000, True), (4900, True), (5100, False), (1e6, False)])
def test_a_link_is_slow_below_the_limit(bytes_per_second: float, is_slow: bool) -> None:
    assert TimedPoint(10**6, bytes_per_second).speed().is_below(5000) is is_slow


def test_no_more_is_read_than_it_takes() -> None:
    point = TimedPoint(10**7, 1000)
    point.speed()
    assert point.sent_bytes <= SAMPLE_BYTES + len(point.manifest)


def test_a_little_content_that_comes_in_a_moment_came_over_no_slow_link() -> None:
    assert not TimedPoint(10, 900).speed().is_below(5000)
    assert not TimedPoint(0, 900).speed().is_below(5000)


def test_what_is_damaged_there_measures_nothing() -> None:
    point = TimedPoint(10, 1000)
    with pytest.raises(RejectedError):
        measured(point, "0" * 64, uptime_seconds=lambda: point.uptime)
