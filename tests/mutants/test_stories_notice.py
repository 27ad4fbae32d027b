"""Stories from seeds notice broken rules too, and tell of each in a few steps: that a thousand break nothing says something.

With each mutant stands a seed that noticed it, and the steps that were left of its story once it was made short. Where kinds
of steps were added since, the seed tells another story: then the seeds from 0 on are tried.
"""

import logging
from collections.abc import Callable, Iterator

import pytest

from mutants.mutants import MUTANTS
from purveyor.client import rejoining
from purveyor.client.machine.interface import Machine
from purveyor.client.programs.memory import records
from purveyor.client.state.identity import Identity
from purveyor.client.state.store import State
from purveyor.lab.stories.shrinking import shrunk
from purveyor.lab.stories.story import story_of
from purveyor.lab.stories.telling import Told, tell, told
from purveyor.recovery import adopting
from purveyor.site_server.rounds import Rounds

Patch = pytest.MonkeyPatch


def _forget_what_came_with_an_image(patch: Patch) -> None:
    """A copied machine becomes a client that knows nothing of what its disk holds."""
    original = rejoining.rejoin

    def rejoin(state: State, machine: Machine, was: Identity, *, incarnation: int) -> Identity:
        identity = original(state, machine, was, incarnation=incarnation)
        for key in records.histories(state):
            records.forget_program(state, key)
        return identity

    patch.setattr(rejoining, "rejoin", rejoin)


def _offer_what_was_deleted(patch: Patch) -> None:
    """A restored site has what its backup had, whatever was published since."""
    patch.setattr(adopting, "_retire", lambda *_: None)


def _leave_items_elsewhere(patch: Patch) -> None:
    """What clients put at points in other places is not fetched from there."""
    patch.setattr(Rounds, "_take_in", lambda *_: (0, False))


BROKEN_RULES: dict[str, Callable[[Patch], None]] = {
    **{name: mutant.apply for name, mutant in MUTANTS.items()},
    "forget_what_came_with_an_image": _forget_what_came_with_an_image,
    "offer_what_was_deleted": _offer_what_was_deleted,
    "leave_items_elsewhere": _leave_items_elsewhere,
}
SEEDS = {
    "forget_when_not_offered": (0, {1, 2, 5}),
    "believe_empty_folder": (2, {1, 2, 5}),
    "start_before_store": (0, {1, 2}),
    "never_conclude_deletion": (4, {1, 2, 12}),
    "rerun_after_disable": (24, {1, 2, 6}),
    "rerun_on_new_advertisement": (2, {1, 2, 4, 5, 8}),
    "forget_the_neighbours": (49, {1, 3, 4, 14}),
    "publish_the_timestamp_first": (42, {1, 6, 7, 8}),
    "forget_when_pkg_missing": (67, {1, 2, 3, 9, 11, 12}),
    "forget_what_came_with_an_image": (8, {1, 4, 7, 8, 9}),
    "offer_what_was_deleted": (245, {1, 3, 6, 13, 14}),
    "leave_items_elsewhere": (25, {9, 11, 12}),
}
MOST_SEEDS = 100
MOST_STEPS = 6


@pytest.fixture(autouse=True)
def _site_says_nothing() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def caught_by_stories(apply: Callable[[Patch], None], patch: Patch) -> Told | None:
    """The first story of a seed that breaks the promise under a broken rule, made short; None: none does."""
    apply(patch)
    for seed in range(MOST_SEEDS):
        whole = tell(seed)
        if whole.broken:
            return shrunk(whole, tries=40)
    return None


@pytest.mark.parametrize("name", SEEDS)
def test_a_broken_rule_is_noticed_by_a_story_of_few_steps(name: str, monkeypatch: Patch) -> None:
    seed, numbers = SEEDS[name]
    short = story_of(seed).only(numbers)
    with monkeypatch.context() as patch:
        BROKEN_RULES[name](patch)
        known = told(short)
    assert told(short).broken == (), "it breaks without the mutant"
    caught = known if known.broken else caught_by_stories(BROKEN_RULES[name], monkeypatch)
    assert caught is not None, f"no story noticed {name}"
    assert 1 <= len(caught.steps) <= MOST_STEPS, caught.story.sentences()


def test_a_story_that_breaks_is_made_short(monkeypatch: Patch) -> None:
    caught = caught_by_stories(BROKEN_RULES["start_before_store"], monkeypatch)
    assert caught is not None
    assert [step.kind for step in caught.steps] == ["package-added", "advertised"]
    assert "had not stored that it would" in caught.broken[0]
