"""Stories from seeds notice broken rules too, and tell of each in a few steps: that a thousand break nothing says something.

With each mutant stands a seed that noticed it, and the steps that were left of its story once it was made short. Where kinds
of steps were added since, the seed tells another story: then the seeds from 0 on are tried.
"""

import logging
from collections.abc import Callable, Iterator

import pytest

from mutants.mutants import MUTANTS
from purveyor.lab.stories.shrinking import shrunk
from purveyor.lab.stories.story import story_of
from purveyor.lab.stories.telling import Told, tell, told

SEEDS = {
    "forget_when_not_offered": (6, {1, 2, 3, 4}),
    "believe_empty_folder": (6, {1, 2, 11, 12}),
    "start_before_store": (0, {1, 2}),
    "never_conclude_deletion": (3, {1, 2, 3, 6}),
    "rerun_after_disable": (17, {1, 4, 11}),
    "rerun_on_new_advertisement": (13, {3, 4, 7, 8, 9}),
    "forget_the_neighbours": (76, {1, 2, 3, 4, 13}),
    "publish_the_timestamp_first": (86, {10, 11}),
    "forget_when_pkg_missing": (290, {1, 2, 8, 11}),
}
MOST_SEEDS = 100
MOST_STEPS = 6


@pytest.fixture(autouse=True)
def _site_says_nothing() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def caught_by_stories(apply: Callable[[pytest.MonkeyPatch], None], patch: pytest.MonkeyPatch) -> Told | None:
    """The first story of a seed that breaks the promise under a broken rule, made short; None: none does."""
    apply(patch)
    for seed in range(MOST_SEEDS):
        whole = tell(seed)
        if whole.broken:
            return shrunk(whole, tries=40)
    return None


@pytest.mark.parametrize("name", SEEDS)
def test_a_broken_rule_is_noticed_by_a_story_of_few_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seed, numbers = SEEDS[name]
    short = story_of(seed).only(numbers)
    with monkeypatch.context() as patch:
        MUTANTS[name].apply(patch)
        known = told(short)
    assert told(short).broken == (), "it breaks without the mutant"
    caught = known if known.broken else caught_by_stories(MUTANTS[name].apply, monkeypatch)
    assert caught is not None, f"no story noticed {name}"
    assert 1 <= len(caught.steps) <= MOST_STEPS, caught.story.sentences()


def test_a_story_that_breaks_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    caught = caught_by_stories(MUTANTS["start_before_store"].apply, monkeypatch)
    assert caught is not None
    assert [step.kind for step in caught.steps] == ["package-added", "advertised"]
    assert "had not stored that it would" in caught.broken[0]
