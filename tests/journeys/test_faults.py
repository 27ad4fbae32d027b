"""What follows from a fault: nothing but waiting."""

import pytest

from journeys import faults
from purveyor.wire.offers import RunningChoice


def test_an_older_bin_proves_no_deletion() -> None:
    faults.story_of_damaged_bins()


def test_what_is_not_published_yet_was_not_deleted() -> None:
    faults.story_of_offers_before_packages()


def test_an_older_shard_withdraws_nothing() -> None:
    faults.story_of_an_older_shard_on_the_day()


def test_q293187_a_package_file_that_cannot_be_read_is_no_deleted_package() -> None:
    faults.story_of_a_damaged_package_file()


def test_q245170_one_damaged_offers_file_delays_no_other_collection() -> None:
    faults.story_of_a_damaged_offers_file()


def test_q321168_a_client_that_hears_nothing_for_weeks_forgets_nothing() -> None:
    faults.story_of_a_long_silence()


def test_a_mirror_that_lags_behind_brings_nothing_back() -> None:
    faults.story_of_a_mirror_that_lags_behind()


def test_the_receipt_of_a_deleted_package_stays() -> None:
    faults.story_of_a_receipt()


def test_what_cannot_be_removed_is_not_acknowledged() -> None:
    faults.story_of_a_read_only_disk()


@pytest.mark.parametrize("choice", list(RunningChoice))
def test_a_run_under_way_ends_as_the_administrator_chose(choice: RunningChoice) -> None:
    faults.story_of_a_run_under_way(choice)
