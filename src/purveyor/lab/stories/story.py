"""A story from one seed: which fleet it is told over, and its steps. Pure: nothing happens here."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from random import Random

from purveyor.lab.stories import administration, copies, machines, people, places, points, recovery
from purveyor.lab.stories.steps import KINDS, Draft, Step

STEPS = 14
SHORTEST_MINUTES, LONGEST_MINUTES = 5, 240
DECLARED_IN = (administration, machines, people, copies, points, places, recovery)
"""The modules that declare kinds of steps."""
THREADS = (
    *[()] * 8,
    ("offered", "logon", "user-starts"),
    ("offered", "logon", "user-puts-off"),
    ("program-for", "logon"),
    ("snapshot", "went-back"),
    ("cloned",),
    ("cloned",),
    ("backup", "restored"),
    ("backup", "restored"),
    ("place-opened", "place-dead", "place-mended"),
    ("place-opened", "place-stands-still", "home-drained"),
    ("place-opened", "place-drained", "place-removed"),
    ("branch-opened", "moves", "mirror-stops"),
)
"""Steps that mean little without one another: of some stories they are the thread, in this order, with other steps between."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is told. Shape: `numbers` are the places of the steps, from 1 on, among the `whole_count` of the whole story."""

    seed: int
    client_count: int
    steps: tuple[Step, ...]
    numbers: tuple[int, ...]
    whole_count: int

    @property
    def numbered(self) -> list[tuple[int, Step]]:
        """The steps, each with its number."""
        return list(zip(self.numbers, self.steps, strict=True))

    def only(self, numbers: Collection[int]) -> "Story":
        """The same story with only these steps."""
        kept = [(number, step) for number, step in self.numbered if number in numbers]
        return replace(self, steps=tuple(step for _, step in kept), numbers=tuple(number for number, _ in kept))

    def sentences(self) -> list[str]:
        """The steps in an administrator's words, numbered."""
        return [f"{number}. {step.sentence()}." for number, step in self.numbered]


def story_of(seed: int, steps: int = STEPS) -> Story:
    """The story of a seed: something is advertised first, then whatever the seed says."""
    random = Random(seed)
    draft = Draft(random, client_count=random.choice((2, 2, 3, 3, 4)))
    names = list(KINDS)
    weights = [KINDS[name].weight for name in names]
    chosen = ["package-added", "advertised"] * random.choice((1, 2))
    thread = random.choice(THREADS)
    chosen += random.choices(names, weights, k=max(0, steps - len(chosen) - len(thread)))
    places = sorted(random.choices(range(1, len(chosen) + 1), k=len(thread)), reverse=True)
    for place, name in zip(places, reversed(thread), strict=True):
        chosen.insert(place, name)
    made = tuple(drawn(name, draft) for name in chosen[:steps])
    return Story(seed, draft.client_count, made, tuple(range(1, len(made) + 1)), len(made))


def drawn(name: str, draft: Draft) -> Step:
    """A step of a kind, its arguments and the time after it as chance has them."""
    arguments = KINDS[name].draw(draft)
    if draft.number(1, 4) == 1:
        return Step(name, arguments)
    longest = LONGEST_MINUTES if draft.number(1, 3) == 1 else LONGEST_MINUTES // 4
    return Step(name, arguments, draft.number(SHORTEST_MINUTES, longest))
