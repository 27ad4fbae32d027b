"""Makes a story that broke the promise as short as it can be: steps are left out as long as it still breaks the same way.

Delta debugging over the list of steps (Zeller and Hildebrandt, 2002): halves first, then smaller and smaller parts, then single
steps. Each step makes sense alone, so any part of a story is a story.
"""

from collections.abc import Callable, Sequence

from purveyor.lab.stories.telling import Told, told

MOST_TRIES = 150


def shrunk(failure: Told, *, tries: int = MOST_TRIES, tell: Callable[..., Told] = told) -> Told:
    """The shortest story found that breaks the promise still, and how. Shape: `tries` bounds how many stories are told for it."""
    best, parts = failure, 2
    while tries > 0 and best.story.numbers:
        for kept in _without_a_part(best.story.numbers, parts):
            tries -= 1
            shorter = tell(best.story.only(kept))
            if shorter.broken:
                best, parts = shorter, max(parts - 1, 2)
                break
            if tries == 0:
                return best
        else:
            if parts >= len(best.story.numbers):
                return best
            parts = min(2 * parts, len(best.story.numbers))
    return best


def _without_a_part(numbers: Sequence[int], parts: int) -> list[frozenset[int]]:
    """The numbers without each of so many parts in turn, the later ones first: what comes late is rarely needed."""
    size = -(-len(numbers) // parts)
    starts = range(0, len(numbers), size)
    return [frozenset(numbers) - frozenset(numbers[start : start + size]) for start in reversed(starts)]
