"""Budgets of bandwidth over real connections: what goes in all, who is told to come later, and what becomes of a file."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from http_servers import serving
from purveyor.client.budget import Allowance, PacedPoint
from purveyor.client.machine.real import RealMachine
from purveyor.client.state.store import open_state
from purveyor.content.store import ContentStore
from purveyor.distribution_point.application import application
from purveyor.transport.http.answers import LONGEST_WAIT_SECONDS
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.http.valve import BUSY_SECONDS
from purveyor.transport.pace import CREDIT_SECONDS, Meter
from purveyor.wire.bandwidth import UNLIMITED, parse_budget
from purveyor.wire.errors import BusyError, UnavailableError
from purveyor.wire.manifest import file_path, hash_of

RATE = 2**20
FILES = [bytes([number]) * RATE for number in range(3)]


def now() -> datetime:
    return datetime.now(UTC)


class Served:
    """A DP behind the built-in server, the meter that it keeps to, and its files."""

    def __init__(self, url: str, meter: Meter) -> None:
        self.url = url
        self.meter = meter

    def pieces(self, content: bytes, offset: int = 0) -> Iterator[bytes]:
        """What comes of a file, over a connection of its own."""
        return HttpPoint(self.url).read_from(file_path(hash_of(content)), offset=offset, limit_bytes=len(content) - offset)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A DP with three files, and no budget yet."""
    store = ContentStore(tmp_path / "dp")
    for content in FILES:
        store.add_file(hash_of(content), [content], len(content))
    meter = Meter(UNLIMITED, now=now)
    with serving(application(tmp_path / "dp", meter)) as url:
        yield Served(url, meter)


def test_all_clients_together_get_no_more_than_the_budget(served: Served) -> None:
    served.meter.budget = parse_budget("1M")
    begun = time.monotonic()
    with ThreadPoolExecutor(len(FILES)) as readers:
        came = list(readers.map(lambda content: b"".join(served.pieces(content)), FILES))
    elapsed = time.monotonic() - begun
    assert came == FILES
    assert elapsed >= len(FILES) - CREDIT_SECONDS - 0.5, "the last of three megabytes is sent when two and a half were paid for"


def test_who_is_one_too_many_is_told_when_to_ask_again(served: Served) -> None:
    served.meter.budget = parse_budget("16K")
    first = served.pieces(FILES[0])
    next(first)
    with pytest.raises(BusyError) as caught:
        next(served.pieces(FILES[1]))
    assert caught.value.wait_seconds == BUSY_SECONDS
    served.meter.budget = UNLIMITED
    assert b"".join(served.pieces(FILES[1])) == FILES[1]
    first.close()  # type: ignore[attr-defined]  # it is a generator


def test_an_hour_without_any_cuts_a_file_short_and_the_rest_comes_afterwards(served: Served) -> None:
    served.meter.budget = parse_budget("512K")
    pieces = served.pieces(FILES[0])
    came = bytearray(next(pieces))
    served.meter.budget = parse_budget("0")
    with pytest.raises(UnavailableError):
        came.extend(byte for piece in pieces for byte in piece)
    assert 0 < len(came) < len(FILES[0])
    with pytest.raises(BusyError) as caught:
        next(served.pieces(FILES[0], len(came)))
    assert caught.value.wait_seconds == LONGEST_WAIT_SECONDS
    served.meter.budget = UNLIMITED
    assert bytes(came) + b"".join(served.pieces(FILES[0], len(came))) == FILES[0]


def test_a_client_takes_no_more_than_its_own_budget(served: Served, tmp_path: Path) -> None:
    state = open_state(str(tmp_path / "agent.db"))
    machine = RealMachine(tmp_path / "agent")
    allowance = Allowance(parse_budget("1M"), state=state, machine=machine)
    point = PacedPoint(HttpPoint(served.url), allowance)
    begun = machine.uptime_seconds()
    came = [b"".join(point.read_from(file_path(hash_of(content)), offset=0, limit_bytes=len(content))) for content in FILES[:2]]
    elapsed = machine.uptime_seconds() - begun
    allowance.keep()
    state.connection.close()
    assert came == FILES[:2]
    assert elapsed >= 2 - CREDIT_SECONDS
