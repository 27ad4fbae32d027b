"""Whatever lies between site and clients: it ran once, it was told once, nobody asked for what is not there."""

from journeys import between


def test_every_run_is_told_once_over_a_link_that_loses_repeats_and_reorders() -> None:
    between.story_of_reports_over_a_bad_link()


def test_what_a_mirror_still_offers_is_still_there() -> None:
    between.story_of_a_mirror_a_day_behind()


def test_nobody_asks_for_the_half_of_a_publication_that_is_not_there_yet() -> None:
    between.story_of_half_publications()


def test_a_point_that_lies_is_not_believed() -> None:
    between.story_of_a_point_that_lies()


def test_what_was_taken_back_does_not_run_though_an_access_point_says_what_it_said_before() -> None:
    between.story_of_what_was_taken_back()


def test_expired_words_delete_nothing() -> None:
    between.story_of_an_expired_deletion()


def test_a_program_that_goes_with_its_advertisement_goes_at_the_second_poll_that_says_so() -> None:
    between.story_of_leaving()


def test_a_deleted_package_waits_for_a_holder_that_is_off() -> None:
    between.story_of_an_absent_holder()


def test_a_clock_that_is_set_back_runs_no_hour_again() -> None:
    between.story_of_a_clock_that_goes_back()


def test_no_edit_runs_anything_again() -> None:
    between.story_of_edits()


def test_a_program_that_fills_the_disk_and_eats_itself_delays_others_and_loses_nothing() -> None:
    between.story_of_a_program_that_fills_the_disk()
