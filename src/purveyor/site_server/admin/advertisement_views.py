"""An advertisement as people see it, frozen, with the names of what it joins and what to look at once more."""

from dataclasses import dataclass
from datetime import datetime

from purveyor.site_server.database import advertisements, programs
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import advertising
from purveyor.site_server.model import assignments as rules
from purveyor.site_server.model.readiness import Readiness, lacking_text
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.offers import Assignment, AssignmentKind, Priority, Rerun
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.schedule import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentView:
    """A time or event at which the advertisement is mandatory. `text`: as it is written; `at` is None where no time says so."""

    number: int
    kind: AssignmentKind
    text: str
    at: datetime | None
    zone: Zone
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementView:
    """An advertisement with the names of what it joins. Without assignments it is optional. `warnings`: what to look at again.

    Shape: `waits_for_content_of` are packages that are on no distribution point yet; until they are, no client hears of it.
    Units: seconds, as the names say.
    """

    id: AdvertisementId
    name: str
    package: PackageId
    package_name: str
    program: ProgramNumber
    program_name: str
    is_program_enabled: bool
    collection: CollectionId
    collection_name: str
    members: int
    available_from: datetime
    expires_at: datetime | None
    is_paused: bool
    each_version: bool
    is_mandatory: bool
    assignments: tuple[AssignmentView, ...]
    rerun: Rerun
    priority: Priority
    users: tuple[str, ...]
    groups: tuple[str, ...]
    is_visible: bool
    postpone_seconds: int
    spread_seconds: int
    ignores_windows_because: str
    over_slow_link: bool
    created_at: datetime
    created_by: str
    waits_for_content_of: tuple[PackageId, ...]
    warnings: tuple[str, ...]


def view_of(row: AnyRow, readiness: Readiness) -> AdvertisementView:
    """The advertisement in a row, as people see it."""
    key = ProgramKey(PackageId(row.package), ProgramNumber(row.program))
    lacking = lacking_text(readiness.lacked(key))
    assigned, options = advertisements.assignments_of(row), advertisements.options_of(row)
    return AdvertisementView(
        id=AdvertisementId(row.id),
        name=row.name,
        package=PackageId(row.package),
        package_name=row.package_name,
        program=ProgramNumber(row.program),
        program_name=row.program_name,
        is_program_enabled=row.is_enabled,
        collection=CollectionId(row.collection),
        collection_name=row.collection_name,
        members=row.members,
        available_from=row.available_from,
        expires_at=row.expires_at,
        is_paused=row.is_paused,
        each_version=row.each_version,
        is_mandatory=bool(assigned),
        assignments=tuple(_assignment(one) for one in assigned),
        rerun=options.rerun,
        priority=options.priority,
        users=options.users,
        groups=options.groups,
        is_visible=options.is_visible,
        postpone_seconds=options.postpone_seconds,
        spread_seconds=options.spread_seconds,
        ignores_windows_because=options.ignores_windows_because,
        over_slow_link=options.over_slow_link,
        created_at=row.created_at,
        created_by=row.created_by,
        waits_for_content_of=readiness.awaited(key),
        warnings=(
            *advertising.warnings_about(programs.program_of(row), assigned, options),
            *rules.odd_times(assigned, row.available_from, row.expires_at),
            *([] if row.is_enabled else [advertising.DISABLED]),
            *([lacking] if lacking else []),
        ),
    )


def _assignment(one: Assignment) -> AssignmentView:
    return AssignmentView(number=one.number, kind=one.kind, text=rules.text_of(one), at=one.at, zone=one.zone, rule=one.rule)
