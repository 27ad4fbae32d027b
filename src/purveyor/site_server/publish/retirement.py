"""The turn of retirement: takes each deleted package one step further when the proof for that step is there.

removing → retiring → withdrawn by what the holders said, or the age limit; → purged when nothing of it is left, looked up on
disk at every point, in the store and on the access point; → archived after a time. The files themselves are removed by `content`
and by the turn of publication.
Source: the protocol, section 9.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from purveyor.content.place import ContentPlace
from purveyor.site_server.database import content_copies, retirement
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.retirement import Ending
from purveyor.site_server.database.settings import patient_settings
from purveyor.site_server.model.retirement import PackageState, next_state
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish.content import clear, left_of
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.ids import PackageId

_PACKAGES_BOX = "pkginfo.box"
_LISTING_LIMIT = 200_000


class Step(NamedTuple):
    """A package that went to its next state."""

    package: PackageId
    state: PackageState


class RetirementOutcome(NamedTuple):
    """What a turn did. `problems`: what keeps a package from being purged, in words."""

    steps: tuple[Step, ...]
    problems: tuple[str, ...]


def turn(
    *,
    database: Database,
    store: ContentPlace,
    points: Mapping[str, ContentPlace],
    cap: Shelf,
    now: datetime,
) -> RetirementOutcome:
    """One turn. Errors: UnavailableError when the database cannot be used; trouble at a point is in the outcome."""
    with database.read() as tx:
        endings = retirement.endings(tx)
        if not endings:
            return RetirementOutcome((), ())
        settings = patient_settings(tx, now)
    steps: list[Step] = []
    problems: list[str] = []
    for ending in endings:
        state = next_state(ending.retiring, now=now, settings=settings)
        if state is PackageState.PURGED:
            problem = _problem_on_disk(database, {"the store": store, **points}, cap, ending.id)
            if problem:
                problems.append(f"{ending.id}: {problem}")
                continue
        if state is not None and _step(database, ending, state, settings, now):
            steps.append(Step(ending.id, state))
    return RetirementOutcome(tuple(steps), tuple(problems))


def _step(database: Database, ending: Ending, state: PackageState, settings: SiteSettings, now: datetime) -> bool:
    """Takes the step, unless something has changed since it was decided (a holder turned up)."""
    with database.write() as tx:
        current = next((one for one in retirement.endings(tx) if one.id == ending.id), None)
        if current is None or next_state(current.retiring, now=now, settings=settings) is not state:
            return False
        retirement.set_state(tx, ending.id, state, now)
    return True


def _problem_on_disk(database: Database, places: Mapping[str, ContentPlace], cap: Shelf, package: PackageId) -> str:
    """What of a package is still found on disk, after trying once more to remove it; empty when nothing is.

    Looked at inside a writing transaction, so that nobody brings the same content back meanwhile.
    """
    with database.write() as tx:
        for sha256 in retirement.purged_manifests(tx, package):
            kept = content_copies.files_kept(tx, [sha256], point=None)
            files = content_copies.files_of(tx, [sha256]).keys() - kept
            problem = next(filter(None, (_left(name, place, sha256, files, kept) for name, place in places.items())), "")
            if problem:
                return problem
    try:
        listed = cap.listed(_PACKAGES_BOX, limit=_LISTING_LIMIT)
    except UnavailableError as error:
        return f"the access point: {error}"
    found = next((item.name for item in listed if item.name.endswith(f".{package}.pkg")), "")
    return f"{_PACKAGES_BOX}/{found} is still on the access point" if found else ""


def _left(name: str, place: ContentPlace, sha256: str, files: set[str], kept: frozenset[str]) -> str:
    """What is left of one manifest at one place; it is removed if it can be."""
    try:
        if left_of(place, sha256, files):
            clear(place, sha256, files, kept)
    except (UnavailableError, RejectedError) as error:
        return f"{name}: {error}"
    return ""
