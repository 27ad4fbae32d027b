"""Every failure recorded in the field that can happen here has a test, as far as what it concerns is built."""

import pytest

from field.coverage import articles_tested, missing, not_applicable, scenarios, table

AREAS = ("apm", "cap", "client-setup", "db", "dp", "inbox", "offer", "package", "schedule", "security", "status")
"""The areas that are built in full: each of their rows is tested, or cannot apply."""


def test_every_scenario_of_an_area_that_is_built_is_tested_or_cannot_apply(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{table()}")
    wanted = [one for one in scenarios() if one.area in AREAS and one.priority <= 2]
    assert [f"{one.id}: {one.invariant}" for one in missing(wanted)] == []


def test_what_is_said_not_to_apply_is_a_scenario_has_a_reason_and_no_test() -> None:
    known = {one.id: one for one in scenarios()}
    for scenario, reason in not_applicable().items():
        assert scenario in known, f"{scenario} is no scenario"
        assert len(reason) > 40, f"{scenario} cannot apply, but why"
        assert not articles_tested() & set(known[scenario].articles), f"{scenario} is tested, so it applies"


def test_tests_are_named_by_articles_that_there_are() -> None:
    known = {article for one in scenarios() for article in one.articles}
    assert articles_tested() - known == set()
