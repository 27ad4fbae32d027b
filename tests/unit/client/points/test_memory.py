"""What is remembered of points: bounded, fading, and over restarts."""

from datetime import UTC, datetime, timedelta

import pytest

from purveyor.client.points import memory, pauses
from purveyor.client.points.memory import PointUse
from purveyor.client.state.store import State
from purveyor.lab.state import memory_connection

NOW = datetime(2026, 1, 12, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL = "http://cap1.test/cap"


@pytest.fixture
def state() -> State:
    """An agent's state."""
    return State(memory_connection())


def rates(state: State, now: datetime) -> dict[str, float]:
    """What counts as measured."""
    return dict(memory.known(state, PointUse.CONTENT, client="c", now=now).rates)


def test_a_rate_is_smoothed_and_forgotten_after_a_day(state: State) -> None:
    memory.note_rate(state, URL, size_bytes=1_000_000, seconds=1, now=NOW)
    memory.note_rate(state, URL, size_bytes=500_000, seconds=1, now=NOW + HOUR)
    assert rates(state, NOW + HOUR) == {URL: 750_000}
    assert rates(state, NOW + 26 * HOUR) == {}
    assert rates(state, NOW - HOUR) == {}, "of a clock that was ahead"
    memory.note_rate(state, URL, size_bytes=100_000, seconds=1, now=NOW + 30 * HOUR)
    assert rates(state, NOW + 30 * HOUR) == {URL: 100_000}


def test_what_is_little_says_something_only_where_it_took_long(state: State) -> None:
    memory.note_rate(state, URL, size_bytes=300, seconds=0.01, now=NOW)
    memory.note_rate(state, URL, size_bytes=0, seconds=0, now=NOW)
    assert rates(state, NOW) == {}
    memory.note_rate(state, URL, size_bytes=300, seconds=3, now=NOW)
    assert rates(state, NOW) == {URL: 100}


def test_so_many_points_are_remembered_and_no_more(state: State) -> None:
    for number in range(100):
        memory.note_rate(state, f"http://{number}", size_bytes=100_000, seconds=1, now=NOW)
    assert list(rates(state, NOW)) == [f"http://{number}" for number in range(68, 100)]


def test_rates_that_cannot_be_read_are_none(state: State) -> None:
    state.remember("point rates", '{"moon": 1}')
    assert rates(state, NOW) == {}


def test_what_answered_last_counts_for_a_day_or_two_and_then_the_client_goes_home(state: State) -> None:
    memory.note_answer(state, PointUse.POLICY, URL, NOW)
    for hours in range(1, 60):
        memory.note_answer(state, PointUse.POLICY, URL, NOW + hours * HOUR)
    lasts = {
        client: [memory.known(state, PointUse.POLICY, client=client, now=NOW + hours * HOUR).last for hours in (1, 23, 49)]
        for client in ("c1", "c2", "c3")
    }
    assert set(map(tuple, lasts.values())) == {(URL, URL, "")}
    ends = {
        sum(bool(memory.known(state, PointUse.POLICY, client=f"c{one}", now=NOW + hours * HOUR).last) for hours in range(49))
        for one in range(9)
    }
    assert len(ends) > 4, "not a whole fleet at once"
    assert memory.known(state, PointUse.CONTENT, client="c1", now=NOW + HOUR).last == ""


def test_a_machine_is_elsewhere_when_its_addresses_are_others(state: State) -> None:
    assert not memory.notice_addresses(state, ["10.0.0.1"]), "where it was before is not known"
    assert not memory.notice_addresses(state, ["10.0.0.1"])
    assert memory.notice_addresses(state, ["10.1.0.1", "fd00::1"])
    assert not memory.notice_addresses(state, ["fd00::1", "10.1.0.1"])


def test_pauses_grow_and_a_fleet_does_not_come_at_once(state: State) -> None:
    pauses.note_silence(state, [], NOW)
    lengths = []
    for _ in range(12):
        pauses.begin(state, URL, "away", now=NOW)
        end = pauses.ends_at(state, URL, NOW)
        assert end is not None
        lengths.append((end - NOW).total_seconds())
    assert all(0.8 * 60 * 2**number <= length <= 60 * 2**number for number, length in enumerate(lengths[:5]))
    assert all(0.8 * 1800 <= length <= 1800 for length in lengths[5:])
    assert len(set(lengths[5:])) > 3
    pauses.answered(state, URL)
    assert pauses.ends_at(state, URL, NOW) is None


def test_while_another_one_serves_there_is_no_haste_and_when_none_does_there_is(state: State) -> None:
    for _ in range(12):
        pauses.begin(state, URL, "away", now=NOW)
    end = pauses.ends_at(state, URL, NOW)
    assert end is not None and end > NOW + 4 * HOUR
    pauses.note_silence(state, [URL], NOW)
    end = pauses.ends_at(state, URL, NOW)
    assert end is not None and end <= NOW + HOUR / 2
