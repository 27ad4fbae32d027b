"""Long lists in pieces that a statement can take. Imported by the statements beside it; opens nothing."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

IN_ONE_STATEMENT = 500

T = TypeVar("T")


def slices(items: Collection[T], size: int = IN_ONE_STATEMENT) -> Iterator[list[T]]:
    """The items in lists of at most `size`, in order; nothing when there are none."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece
