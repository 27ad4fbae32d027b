"""Agent settings: what an agent could not work with is rejected before it is believed."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from purveyor.wire import settings
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import to_bytes

KEY = "ab" * 32
GOOD = {
    "site": "S01",
    "incarnation": 1,
    "shards": {"generation": 1, "bits": 0, "keys": [KEY]},
    "sealing_keys": [{"id": "k", "public": KEY}],
}


def test_defaults_are_those_of_the_protocol() -> None:
    read = settings.decode(json.dumps(GOOD).encode())
    assert (read.poll_interval_seconds, read.stale_grace_seconds) == (3600, 30 * 86_400)


@pytest.mark.parametrize(
    "change",
    [
        {"site": "S0"},
        {"shards": {"generation": 1, "bits": -1, "keys": [KEY]}},
        {"shards": {"generation": 1, "bits": 33, "keys": [KEY]}},
        {"shards": {"generation": 1, "bits": 0, "keys": ["xy"]}},
        {"shards": {"generation": 1, "bits": 0, "keys": [KEY + "00"]}},
        {"sealing_keys": []},
        {"sealing_keys": [{"id": "k", "public": "AB" * 32}]},
        {"incarnation": "1"},
    ],
)
def test_settings_that_no_agent_could_work_with_are_rejected(change: dict[str, object]) -> None:
    with pytest.raises(RejectedError):
        settings.decode(json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("number", [-(10**30), -1, 2**63, 10**30])
def test_numbers_that_no_agent_could_work_with_are_brought_within_limits(number: int) -> None:
    names = [field.name for field in msgspec.structs.fields(settings.AgentSettings) if field.type is int]
    names.remove("incarnation")
    read = settings.decode(json.dumps(GOOD | dict.fromkeys(names, number)).encode())
    assert read.page_port == 0
    assert all(0 <= getattr(read, name) < 2**63 for name in names)
    assert read.restart_countdown_seconds == (settings.SECONDS_LIMIT if number > 0 else 0)
    assert read.poll_interval_seconds <= settings.POLL_LIMIT_SECONDS, "no settings make an agent deaf"
    datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=read.poll_interval_seconds + read.heartbeat_interval_seconds)


@pytest.mark.parametrize(("said", "held"), [("mon 8-18 0; 5M", "mon 8-18 0; 5M"), ("every full moon 5M", ""), ("1;" * 1000, "")])
def test_a_budget_that_cannot_be_read_holds_nothing_back(said: str, held: str) -> None:
    assert settings.decode(json.dumps(GOOD | {"bandwidth": said}).encode()).bandwidth == held


def test_no_more_pins_are_kept_than_a_point_can_need() -> None:
    points = [{"id": "cap2", "url": "https://cap2/cap", "pins": [str(number) for number in range(100)]}]
    read = settings.decode(json.dumps(GOOD | {"access_points": points}).encode())
    assert read.access_points[0].pins == tuple("01234567"), "those in front are in use, or next"


@pytest.mark.parametrize(("said", "held"), [(-1, 0), (0, 0), (1000, 1000), (10**9, 1000)])
def test_a_weight_is_brought_within_limits(said: int, held: int) -> None:
    points = [{"id": "cap2", "url": "https://cap2/cap", "weight": said, "networks": ["10.1.0.0/16"]}]

    read = settings.decode(json.dumps(GOOD | {"access_points": points}).encode())

    assert read.access_points == (settings.Point(id="cap2", url="https://cap2/cap", weight=held, networks=("10.1.0.0/16",)),)


def test_a_point_that_says_no_more_than_its_place_is_written_as_before() -> None:
    assert to_bytes(settings.Point(id="cap1", url=".")) == b'{"id":"cap1","url":"."}'
