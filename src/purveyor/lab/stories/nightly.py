"""Tells many stories, one after the other or in several processes, and counts what they came to."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from purveyor.lab.stories.telling import tell

CHUNK = 8
"""Stories that a process takes at once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is kept of one story. Shape: `kinds` are those of its steps, in order."""

    seed: int
    kinds: tuple[str, ...]
    is_kept: bool
    client_days: float


@dataclass(slots=True)
class Summary:
    """What many stories came to. Shape: `failures` are seeds in order, `kinds` counts steps by kind."""

    count: int = 0
    client_days: float = 0
    failures: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, heard: Heard) -> None:
        """Counts one more."""
        self.count += 1
        self.client_days += heard.client_days
        self.kinds.update(heard.kinds)
        if not heard.is_kept:
            self.failures.append(heard.seed)


def told_many(seeds: range, *, steps: int, jobs: int, heard: Callable[[Summary], None]) -> Summary:
    """Tells the stories of these seeds. `heard` is called after each."""
    summary = Summary()
    for one in _heard(seeds, steps, jobs):
        summary.add(one)
        heard(summary)
    return summary


def _heard(seeds: range, steps: int, jobs: int) -> Iterator[Heard]:
    if jobs == 1:
        yield from (hear(seed, steps) for seed in seeds)
        return
    with ProcessPoolExecutor(max_workers=jobs) as processes:
        yield from processes.map(hear, seeds, [steps] * len(seeds), chunksize=CHUNK)


def hear(seed: int, steps: int) -> Heard:
    """Tells the story of one seed."""
    told = tell(seed, steps)
    return Heard(seed, tuple(step.kind for step in told.steps), told.is_kept, told.client_days)
