"""The states of a deleted package, and how much content is needed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.model.retirement import (
    STANDING,
    Need,
    PackageState,
    Retiring,
    Use,
    has_forgotten,
    has_removed,
    is_grace_over,
    need_of,
    next_state,
)
from purveyor.site_server.model.settings import SiteSettings

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SETTINGS = SiteSettings()
AGED = NOW - timedelta(seconds=SETTINGS.holder_age_limit_seconds)
DONE = Retiring(PackageState.REMOVING, NOW, 3, 4, NOW, NOW, 0, 0, False)


def after(package: Retiring, now: datetime = NOW) -> PackageState | None:
    return next_state(package, now=now, settings=SETTINGS)


def test_each_state_leads_to_the_next_when_its_proof_is_there() -> None:
    archived_at = NOW + timedelta(seconds=SETTINGS.archive_after_seconds)
    assert after(DONE) is PackageState.RETIRING
    assert after(DONE._replace(state=PackageState.RETIRING)) is PackageState.WITHDRAWN
    assert after(DONE._replace(state=PackageState.WITHDRAWN)) is PackageState.PURGED
    assert after(DONE._replace(state=PackageState.PURGED), archived_at) is PackageState.ARCHIVED
    assert after(DONE._replace(state=PackageState.ARCHIVED)) is None
    assert after(DONE._replace(state=PackageState.ACTIVE)) is None


@pytest.mark.parametrize(
    "package",
    [
        DONE._replace(removing_snapshot=None),
        DONE._replace(unremoved_count=1),
        DONE._replace(state=PackageState.RETIRING, retired_snapshot=None),
        DONE._replace(state=PackageState.RETIRING, unacknowledged_count=1),
        DONE._replace(state=PackageState.WITHDRAWN, has_files=True),
        DONE._replace(state=PackageState.PURGED),
    ],
)
def test_without_its_proof_no_state_is_left(package: Retiring) -> None:
    assert after(package) is None


def test_age_limit_stands_in_for_silent_holders_but_not_for_the_publication() -> None:
    assert after(DONE._replace(unremoved_count=1, deleted_at=AGED)) is PackageState.RETIRING
    retiring = DONE._replace(state=PackageState.RETIRING, unacknowledged_count=1, retired_at=AGED)
    assert after(retiring) is PackageState.WITHDRAWN
    assert after(retiring._replace(retired_snapshot=None)) is None


@given(st.integers(0, 9), st.booleans(), st.none() | st.integers(1, 9))
def test_holder_has_let_go_only_after_applying_the_snapshot_and_holding_nothing(
    applied: int, is_held: bool, snapshot: int | None
) -> None:
    expected = snapshot is not None and applied >= snapshot and not is_held
    assert has_removed(applied=applied, is_held=is_held, removing_snapshot=snapshot) is expected
    assert has_forgotten(applied=applied, is_held=is_held, retired_snapshot=snapshot) is expected


def test_content_is_needed_as_much_as_its_most_needy_use() -> None:
    gone, old = Use(PackageState.PURGED, True), Use(PackageState.ACTIVE, False)
    leaving, current = Use(PackageState.RETIRING, True), Use(PackageState.ACTIVE, True)
    assert need_of([gone]) is Need.UNNEEDED
    assert need_of([gone, old]) is Need.SUPERSEDED
    assert need_of([gone, old, leaving]) is Need.STAYS
    assert need_of([gone, old, leaving, current]) is Need.CURRENT
    assert need_of([]) is Need.SUPERSEDED


@given(st.lists(st.builds(Use, st.sampled_from(PackageState), st.booleans())))
def test_content_of_a_standing_package_never_leaves_without_a_grace_time(uses: list[Use]) -> None:
    if any(use.state in STANDING for use in uses):
        assert need_of(uses) is not Need.UNNEEDED


def test_grace_time_that_has_not_begun_is_not_over() -> None:
    assert not is_grace_over(None, 0, NOW)
    assert not is_grace_over(NOW, 60, NOW + timedelta(seconds=59))
    assert is_grace_over(NOW, 60, NOW + timedelta(seconds=60))
