"""What holds for every run of the tests: no silent skips where it counts, and properties that are the same in every run of CI.

As a pytest plugin it makes a skipped test fail the run when CI is set, unless it is listed here with its reason.
"""

import os
from collections.abc import Iterable

import pytest
from hypothesis import settings

MAY_BE_SKIPPED: dict[str, str] = {
    "there is no second file system here": "renaming across file systems can be tried only where there are two",
}
"""Shape: the reason that a skip gives → why a run without that test still counts."""

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.register_profile("long", deadline=None, max_examples=5000)
settings.load_profile("ci" if os.environ.get("CI") else os.environ.get("HYPOTHESIS_PROFILE", "here"))


def unexcused(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The skips that no listed reason excuses, as `test: reason`."""
    found = []
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(listed in reason for listed in MAY_BE_SKIPPED):
            found.append(f"{report.nodeid}: {reason}")
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run when something was skipped without an excuse."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    missing = unexcused(terminal.stats.get("skipped", []))
    if missing:
        terminal.write_line("")
        for line in missing:
            terminal.write_line(f"skipped without a reason that tests/strictness.py lists: {line}", red=True)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
