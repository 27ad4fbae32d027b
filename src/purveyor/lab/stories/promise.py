"""The promise."""

from collections.abc import Iterator
from purveyor.lab.stories.stage import Stage


def broken(stage: Stage) -> Iterator[str]:
    """What was broken."""
    yield from stage.fleet.problems()
