"""The file that holds the agent's state, where it cannot be opened."""

from pathlib import Path

import pytest

from purveyor.client.state.store import open_state
from purveyor.wire.errors import UnavailableError


def test_a_state_that_cannot_be_opened_says_so_and_what_to_look_for(tmp_path: Path) -> None:
    (tmp_path / "agent.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(UnavailableError, match="damaged"):
        open_state(str(tmp_path / "agent.db"))
    with pytest.raises(UnavailableError, match="cannot be opened"):
        open_state(str(tmp_path / "nowhere" / "agent.db"))
