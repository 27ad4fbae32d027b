"""What a mutant is: one function replaced so that one rule is broken, and the story that must fail under it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Mutant:
    """How the rule is broken, the story that tells, and in what words."""

    apply: Callable[[pytest.MonkeyPatch], None]
    story: Callable[[], object]
    noticed_as: str
