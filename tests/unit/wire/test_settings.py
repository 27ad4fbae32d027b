"""Agent settings: what an agent could not work with is rejected before it is believed."""

import json

import pytest

from purveyor.wire import settings
from purveyor.wire.errors import RejectedError

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
