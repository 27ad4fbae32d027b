"""The end of a package's life: active → removing → retiring → withdrawn → purged → archived. Pure.

Each step has a proof: what every holder said, or an age limit that an administrator set; for the purge, that no file is left.
Nothing here deletes anything; `publish.retirement` takes the steps, `publish.content` removes the files.
Source: the protocol, section 9.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from purveyor.site_server.model.settings import SiteSettings


class PackageState(StrEnum):
    """Where a package is in its life; the comment says who acts next."""

    ACTIVE = "active"  # the administrator
    REMOVING = "removing"  # the holders, by uninstalling it
    RETIRING = "retiring"  # the holders, by forgetting it
    WITHDRAWN = "withdrawn"  # the site, by removing its files when the grace times have passed
    PURGED = "purged"  # nobody
    ARCHIVED = "archived"  # nobody


STANDING = frozenset({PackageState.ACTIVE, PackageState.REMOVING, PackageState.RETIRING})
"""States in which some machine may still need the package's content."""

LEAVING = frozenset({PackageState.REMOVING, PackageState.RETIRING, PackageState.WITHDRAWN})
"""States in which a machine that turns out to hold the package becomes one of its holders."""


class Retiring(NamedTuple):
    """A deleted package as the decision sees it."""

    state: PackageState
    deleted_at: datetime | None
    removing_snapshot: int | None
    retired_snapshot: int | None
    retired_at: datetime | None
    purged_at: datetime | None
    unremoved_count: int
    """Holders that have not said that the removal is done."""
    unacknowledged_count: int
    """Holders that have not said that they forgot it."""
    has_files: bool
    """Whether a file of it may still lie on a point, in the store or on the CAP."""


def next_state(package: Retiring, *, now: datetime, settings: SiteSettings) -> PackageState | None:
    """The state that the package may go to now, or None when something is still awaited."""
    age_limit = timedelta(seconds=settings.holder_age_limit_seconds)
    match package.state:
        case PackageState.REMOVING:
            is_done = package.removing_snapshot is not None and package.unremoved_count == 0
            return PackageState.RETIRING if is_done or _is_past(package.deleted_at, age_limit, now) else None
        case PackageState.RETIRING:
            if package.retired_snapshot is None:
                return None
            is_done = package.unacknowledged_count == 0
            return PackageState.WITHDRAWN if is_done or _is_past(package.retired_at, age_limit, now) else None
        case PackageState.WITHDRAWN:
            return None if package.has_files else PackageState.PURGED
        case PackageState.PURGED:
            archive_after = timedelta(seconds=settings.archive_after_seconds)
            return PackageState.ARCHIVED if _is_past(package.purged_at, archive_after, now) else None
        case PackageState.ACTIVE | PackageState.ARCHIVED:
            return None


def has_removed(*, applied: int, is_held: bool, removing_snapshot: int | None) -> bool:
    """Whether an item says that its client has uninstalled a package that is being removed."""
    return removing_snapshot is not None and applied >= removing_snapshot and not is_held


def has_forgotten(*, applied: int, is_held: bool, retired_snapshot: int | None) -> bool:
    """Whether an item says that its client has forgotten a retired package and runs nothing of it."""
    return retired_snapshot is not None and applied >= retired_snapshot and not is_held


class Use(NamedTuple):
    """One source version that consists of a manifest."""

    state: PackageState
    is_current: bool


class Need(StrEnum):
    """How much a manifest is needed."""

    CURRENT = "current"  # to be on every point
    STAYS = "stays"  # stays where it is
    SUPERSEDED = "superseded"  # stays until the grace time is over
    UNNEEDED = "unneeded"  # leaves now


def need_of(uses: Iterable[Use]) -> Need:
    """How much a manifest with these uses is needed; one that no source version consists of counts as superseded."""
    listed = tuple(uses)
    if any(use.is_current and use.state is PackageState.ACTIVE for use in listed):
        return Need.CURRENT
    if any(use.is_current and use.state in STANDING for use in listed):
        return Need.STAYS
    if not listed or any(use.state in STANDING for use in listed):
        return Need.SUPERSEDED
    return Need.UNNEEDED


def unnamed_grace(settings: SiteSettings) -> timedelta:
    """How long a file stays in a box after the last metadata that named it (protocol 3.5)."""
    return timedelta(
        seconds=settings.timestamp_lifetime_seconds + settings.poll_interval_seconds + settings.unnamed_margin_seconds
    )


def is_grace_over(since: datetime | None, grace_seconds: int, now: datetime) -> bool:
    """Whether a grace time that began at `since` is over; one that has not begun is not."""
    return _is_past(since, timedelta(seconds=grace_seconds), now)


def _is_past(since: datetime | None, span: timedelta, now: datetime) -> bool:
    return since is not None and now >= since + span
