"""How far a site believes its own clock where something would end for good."""

from datetime import UTC, datetime, timedelta

import pytest

from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.site_clock import TOLERANCE, doubt, has_come, patient, settled

THEN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "ran", "now", "known"),
    [
        (None, timedelta(0), THEN, THEN),
        (THEN, HOUR, THEN + HOUR, THEN + HOUR),
        (THEN, HOUR, THEN + HOUR + TOLERANCE, THEN + HOUR + TOLERANCE),
        (THEN, HOUR, THEN + 365 * DAY, THEN + 2 * HOUR),
        (THEN, timedelta(0), THEN + 30 * DAY, THEN),
        (THEN, 31 * DAY, THEN + 61 * DAY, THEN + 61 * DAY),
        (THEN, HOUR, THEN - 365 * DAY, THEN - 365 * DAY),
    ],
)
def test_time_is_known_to_have_passed_as_the_site_ran(before: datetime, ran: timedelta, now: datetime, known: datetime) -> None:
    assert settled(before, ran=ran, now=now) == known


def test_what_is_not_known_to_have_passed_is_in_doubt() -> None:
    assert doubt(None, THEN) == timedelta(0)
    assert doubt(THEN, THEN + TOLERANCE) == timedelta(0)
    assert doubt(THEN, THEN + 2 * TOLERANCE) == 2 * TOLERANCE
    assert doubt(THEN, THEN - DAY) == timedelta(0)


def test_by_what_is_in_doubt_grace_times_are_longer_and_nothing_else_is() -> None:
    usual, longer = SiteSettings(), patient(SiteSettings(), DAY)
    differing = {name for name in SiteSettings.__struct_fields__ if getattr(usual, name) != getattr(longer, name)}
    assert differing == {name for name in differing if getattr(longer, name) == getattr(usual, name) + 86_400}
    assert {"content_grace_seconds", "holder_age_limit_seconds", "sealing_grace_seconds"} < differing
    assert not differing & {
        "timestamp_lifetime_seconds",
        "online_lifetime_seconds",
        "poll_interval_seconds",
        "stale_grace_seconds",
    }
    assert patient(usual, timedelta(0)) == usual


@pytest.mark.parametrize(("planned", "is_here"), [(None, True), (THEN, True), (THEN + HOUR, False), (THEN + 2 * DAY, True)])
def test_what_was_planned_by_a_clock_that_was_ahead_is_due(planned: datetime | None, is_here: bool) -> None:
    assert has_come(planned, THEN, DAY) is is_here
