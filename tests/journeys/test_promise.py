"""The promise, tried: stories from fixed seeds, and whatever Hypothesis makes of the same steps.

A story that fails here is told again, and made short, by `purveyor lab story SEED`; see docs/stories.md.
"""

import logging
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from purveyor.lab.stories.evidence import gathered
from purveyor.lab.stories.promise import broken, broken_already
from purveyor.lab.stories.shrinking import shrunk
from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.steps import KINDS, Draft, Step
from purveyor.lab.stories.story import DECLARED_IN, drawn
from purveyor.lab.stories.telling import tell

STORIES = 240
PART = 8
"""Stories that one test tells, so that they spread over processes."""
MACHINES, RULES = 10, 10
"""Stories that Hypothesis makes, and of how many rules."""


@pytest.fixture(autouse=True)
def _site_says_nothing() -> Iterator[None]:
    """What goes wrong at the site is what the stories are about."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, STORIES, PART))
def test_the_promise_is_kept_in_every_story(first: int) -> None:
    for seed in range(first, first + PART):
        told = tell(seed)
        if told.broken:
            short = shrunk(told, tries=40)
            pytest.fail("\n".join([f"seed {seed}:", *short.story.sentences(), *short.broken]))


class Promise(RuleBasedStateMachine):
    """One fleet, on which Hypothesis takes the steps; the promise is judged after each as far as it can be, and at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stage: Stage | None = None
        self.told: list[Step] = []

    @initialize(random=st.randoms(use_true_random=False), client_count=st.integers(2, 3))
    def begin(self, random: Random, client_count: int) -> None:
        self.stage = Stage(client_count=client_count, seed=0)
        self.draft = Draft(random, client_count=client_count)
        for kind in ("package-added", "advertised"):
            self.take(drawn(kind, self.draft))

    def take(self, step: Step) -> None:
        """Takes a step, and looks whether anything is broken already."""
        assert self.stage is not None
        self.told.append(step)
        step.take(self.stage)
        assert list(broken_already(self.stage)) == [], self.story()

    def story(self) -> str:
        """What was told so far, in words."""
        return "\n".join(step.sentence() for step in self.told)

    def teardown(self) -> None:
        if self.stage is None:
            return
        with self.stage as stage:
            stage.end()
            assert list(broken(gathered(stage))) == [], self.story()


def _rule_of(kinds: list[str]) -> Callable[..., None]:
    def take_one(self: Promise, random: Random, kind: str) -> None:
        self.draft.random = random
        self.take(drawn(kind, self.draft))

    return take_one


def _rules() -> dict[str, Any]:
    """A rule for each place where steps come from: what an administrator does, machines, and points."""
    rules = {}
    for module in DECLARED_IN:
        kinds = [name for name, kind in KINDS.items() if kind.effect.__module__ == module.__name__]
        name = module.__name__.rpartition(".")[2]
        decorated = rule(random=st.randoms(use_true_random=False), kind=st.sampled_from(kinds))(_rule_of(kinds))
        rules[name] = precondition(lambda self: self.stage is not None)(decorated)
    return rules


def test_the_promise_is_kept_whatever_comes_after_what() -> None:
    machine = type("PromiseWithSteps", (Promise,), _rules())
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=MACHINES,
            stateful_step_count=RULES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
