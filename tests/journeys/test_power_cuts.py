"""The power fails at every moment that can be told apart, and the end is the same."""

import pytest

from journeys.power_cuts import story_of_an_acknowledgement_cut_off, story_of_client_power_cuts, story_of_site_power_cuts
from purveyor.wire.package_info import IfInterrupted


@pytest.mark.parametrize("seed", [None, 1])
def test_a_client_that_loses_power_at_any_moment_runs_a_repeatable_program_to_its_end_once(seed: int | None) -> None:
    assert story_of_client_power_cuts(IfInterrupted.RUN_AGAIN, is_detectable=True, seed=seed) > 20


def test_a_client_that_loses_power_at_any_moment_never_starts_a_program_twice() -> None:
    assert story_of_client_power_cuts(IfInterrupted.LEAVE, is_detectable=False) > 20


@pytest.mark.parametrize("seed", [None, 1])
def test_what_a_client_acknowledges_it_has_done_whenever_its_power_fails(seed: int | None) -> None:
    assert story_of_an_acknowledgement_cut_off(seed=seed) > 5


def test_a_site_that_loses_power_at_any_commit_or_box_write_ends_where_it_would_have() -> None:
    assert story_of_site_power_cuts() > 20
