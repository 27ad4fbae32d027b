"""Content comes as the budget lets it: evenly, for a short while in each pass, portion by portion, whatever happened before."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from purveyor.client.budget import LONGEST_SECONDS, PATIENCE_SECONDS, PORTION_SECONDS, Allowance, BriefPoint, PacedPoint
from purveyor.lab.clock import Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.transport.interface import Answer
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import HeldBackError

PIECE = 64 * 1024
RATE = PIECE * 2
FILE = bytes(RATE * 60)


class PatientMachine(SimulatedMachine):
    """A machine that may wait: that alone moves its time on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("pc1", clock)
        self.true_clock = clock

    def pause(self, seconds: float) -> bool:
        self.true_clock.advance(timedelta(seconds=seconds))
        return True


class Source:
    """A point that takes `piece_seconds` for each piece. `asked` are the ranges that it was asked for."""

    url = "http://dp"

    def __init__(self, clock: Clock) -> None:
        self.asked: list[tuple[int, int]] = []
        self.piece_seconds = 0.0
        self._clock = clock

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer:
        del path, limit_bytes, tag
        return Answer(bytes(1000), "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        del path
        self.asked.append((offset, limit_bytes))
        for start in range(offset, min(offset + limit_bytes, len(FILE)), PIECE):
            self._clock.advance(timedelta(seconds=self.piece_seconds))
            yield FILE[start : min(start + PIECE, offset + limit_bytes)]

    def put(self, path: str, content: bytes) -> None:
        raise AssertionError(path)


class Passes:
    """Passes of an agent that takes one file."""

    def __init__(self, budget: str) -> None:
        self.clock = Clock()
        self.machine = PatientMachine(self.clock)
        self.source = Source(self.clock)
        self.budget = budget
        self.came: list[tuple[float, int]] = []
        self.offset = 0
        self.began = self.clock.now()

    def take(self) -> HeldBackError | None:
        """One pass: takes what it may; why it ended before the end of the file."""
        allowance = Allowance(parse_budget(self.budget), state=self.machine.state, machine=self.machine)
        point = PacedPoint(self.source, allowance)
        try:
            for piece in point.read_from("file", offset=self.offset, limit_bytes=len(FILE) - self.offset):
                self.offset += len(piece)
                self.came.append((self.seconds(), self.offset))
        except HeldBackError as error:
            return error
        finally:
            allowance.keep()
        return None

    def seconds(self) -> float:
        return (self.clock.now() - self.began).total_seconds()


@pytest.fixture
def passes() -> Iterator[Passes]:
    made = Passes(str(RATE))
    yield made
    made.machine.close()


def test_content_comes_evenly_and_a_pass_ends_after_a_short_while(passes: Passes) -> None:
    held = passes.take()
    assert held is not None and held.until is not None
    assert passes.clock.now() < held.until <= passes.clock.now() + timedelta(seconds=2), "the next one follows"
    assert "128K bytes a second" in str(held)
    assert PATIENCE_SECONDS - PORTION_SECONDS <= passes.seconds() <= PATIENCE_SECONDS
    assert all(size <= RATE * seconds + 2 * PIECE for seconds, size in passes.came), "in no second comes more than in another"
    assert max(size for _, size in passes.source.asked) == RATE * PORTION_SECONDS


def test_pass_by_pass_the_file_comes_at_the_rate(passes: Passes) -> None:
    while (held := passes.take()) is not None:
        assert held.until is not None
        passes.clock.advance(held.until - passes.clock.now())
    assert passes.offset == len(FILE)
    assert passes.seconds() == pytest.approx(60, rel=0.1)
    assert [start for start, _ in passes.source.asked] == sorted({start for start, _ in passes.source.asked}), "each byte once"


def test_passes_that_follow_each_other_at_once_take_no_more(passes: Passes) -> None:
    for _ in range(5):
        passes.take()
    assert passes.offset <= RATE * passes.seconds() + 2 * PIECE


def test_what_was_owed_is_owed_after_a_start_of_the_machine(passes: Passes) -> None:
    passes.budget = "1K"
    passes.take()
    assert passes.offset == PIECE
    passes.machine.restart_now()
    held = passes.take()
    assert passes.offset == PIECE
    assert held is not None and held.until is not None
    assert (held.until - passes.clock.now()).total_seconds() == pytest.approx(64, abs=2)


def test_an_hour_with_another_rate_counts_in_the_middle_of_a_file(passes: Passes) -> None:
    passes.budget = "mon 08:00-08:01 0"
    held = passes.take()
    assert held is not None and held.until == passes.began + timedelta(minutes=1)
    assert passes.source.asked == []
    passes.clock.advance(timedelta(seconds=59.5))
    passes.budget = f"mon 08:00-08:01 unlimited; {RATE}"
    passes.source.piece_seconds = 0.2
    passes.take()
    assert len(passes.source.asked) > 1, "asked anew, for a portion, when the minute was over"
    assert passes.source.asked[1][1] == RATE * PORTION_SECONDS


def test_a_pass_ends_although_a_point_only_drips_and_what_came_is_kept() -> None:
    clock = Clock()
    machine, source = SimulatedMachine("pc1", clock), Source(clock)
    source.piece_seconds = LONGEST_SECONDS / 10
    point = BriefPoint(source, machine, until=machine.uptime_seconds() + LONGEST_SECONDS)
    came = []
    with pytest.raises(HeldBackError, match="with the next passes") as held:
        came += point.read_from("files/a", offset=0, limit_bytes=len(FILE))
    assert held.value.until == machine.now() + timedelta(seconds=1)
    with pytest.raises(HeldBackError):
        list(point.read_from("files/b", offset=0, limit_bytes=len(FILE)))
    assert source.asked == [(0, len(FILE))], "whatever comes after it in this pass is not begun"
    assert 10 * PIECE <= sum(map(len, came)) < 12 * PIECE
    machine.close()
