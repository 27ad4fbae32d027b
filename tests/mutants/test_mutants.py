"""Each broken rule is noticed by a story."""

import pytest

from mutants.mutants import MUTANTS


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    mutant.apply(monkeypatch)
    with pytest.raises(AssertionError, match=mutant.noticed_as):
        mutant.story()
