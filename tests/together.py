"""Tests that share what takes seconds to start are run by one process, one after another; all others go where there is room.

As a pytest plugin it takes the place of what `--dist` names, whose own groups (`xdist_group`) have no effect from pytest 9.2 on.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "s3_server": ("s3_", "_s3", "bucket"),
    "chromium": ("test_client_page.py",),
}
"""Shape: the fixture that is there once → what the names of the tests that use it hold one of, and hardly another name does."""


def group_of(nodeid: str) -> str:
    """The group that a test is run with; that of its own, where it shares nothing."""
    return next((fixture for fixture, signs in SHARED.items() if any(sign in nodeid for sign in signs)), nodeid)


class Together(LoadScopeScheduling):
    """Groups come first, the largest first, so that none of them is begun when all else is done."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:  # noqa: ANN401 - it has no public type
    """Which process runs what."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fails where a name does not show what its test shares: each process would start that anew."""
    for item in items:
        for fixture in SHARED.keys() & set(getattr(item, "fixturenames", ())):
            if group_of(item.nodeid) != fixture:
                raise pytest.UsageError(f"{item.nodeid} uses {fixture}, which its name does not show (tests/together.py)")
