"""Q293187, Q318779 and Q321168 together: every way not to be offered against every way to be deleted."""

import pytest

from journeys.stories import When, story_of, story_of_a_deletion, story_of_two_weeks
from journeys.ways import DELETIONS, WAYS


def test_q293187_a_client_forgets_a_deleted_package_within_two_polls_and_never_asks_for_it_again() -> None:
    story_of_a_deletion()


def test_q293187_nobody_misses_a_deleted_package_until_its_last_file_is_gone() -> None:
    story_of_two_weeks()


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("way", WAYS)
def test_q318779_q321168_what_is_not_offered_is_kept_what_is_deleted_is_forgotten(way: str, deletion: str, when: When) -> None:
    story_of(way, deletion, when)
