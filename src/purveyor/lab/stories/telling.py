"""Tells a story: lives through it on a fleet, stops the faults, and has the promise judged."""

from dataclasses import dataclass

from purveyor.lab.stories.evidence import gathered
from purveyor.lab.stories.promise import broken
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.steps import Step
from purveyor.lab.stories.story import STEPS, Story, story_of

__all__ = ["Told", "tell", "told"]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a story. Shape: `broken` are sentences, empty when the promise was kept. Units: `client_days` of lab time."""

    story: Story
    broken: tuple[str, ...]
    client_days: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that were told."""
        return self.story.steps

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.broken


def tell(seed: int, steps: int = STEPS) -> Told:
    """Tells the story of a seed."""
    return told(story_of(seed, steps))


def told(story: Story) -> Told:
    """Tells a story to its end."""
    with Stage(client_count=story.client_count, seed=story.seed) as stage:
        for step in story.steps:
            step.do(stage)
        stage.end()
        return Told(story, tuple(broken(gathered(stage))), stage.client_days)
