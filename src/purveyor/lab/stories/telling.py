"""Tells a story: lives through it on a fleet, stops the faults, and has the promise judged."""

import traceback
from dataclasses import dataclass
from pathlib import PurePath

from purveyor.lab.stories.evidence import gathered
from purveyor.lab.stories.promise import broken
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.steps import Step
from purveyor.lab.stories.story import STEPS, Story, story_of


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
    """Tells a story to its end. What falls over on the way has broken the promise too."""
    with Stage(client_count=story.client_count, seed=story.seed) as stage:
        try:
            for step in story.steps:
                step.take(stage)
            stage.end()
            findings = tuple(broken(gathered(stage)))
        except Exception as error:  # noqa: BLE001 - a fault in Purveyor is a finding, and the next story is told all the same
            findings = (f"Purveyor itself fell over: {type(error).__name__}: {error}{_place(error)}",)
        return Told(story, findings, stage.client_days)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "".join(f" ({PurePath(frame.filename).name}, line {frame.lineno})" for frame in frames[-1:])
