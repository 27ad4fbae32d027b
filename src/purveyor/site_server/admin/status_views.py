"""What the questions of `status` give: counts, jobs and messages, frozen."""

from dataclasses import dataclass
from datetime import datetime

from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.status_messages import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCounts:
    """How many clients: those concerned, those in each state (only states that occur), those without any word yet."""

    clients: int
    states: dict[JobState, int]
    no_word_yet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStatus:
    """Where a program stands on all clients that are offered it or have spoken of it."""

    package: PackageId
    program: ProgramNumber
    name: str
    is_enabled: bool
    counts: StateCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageStatus:
    """Where the programs of a package stand."""

    package: PackageId
    name: str
    state: PackageState
    source_version: int
    programs: tuple[ProgramStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementStatus:
    """Where the program of an advertisement stands on the members of its collection. `warnings`: why it may wait for ever.

    Shape: `waits_for_content_of` are packages that are on no distribution point yet; until they are, no client hears of it.
    """

    advertisement: AdvertisementId
    name: str
    package: PackageId
    program: ProgramNumber
    program_name: str
    collection: CollectionId
    collection_name: str
    is_paused: bool
    waits_for_content_of: tuple[PackageId, ...]
    warnings: tuple[str, ...]
    counts: StateCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStatus:
    """Where the advertisements to a collection stand on its members."""

    collection: CollectionId
    name: str
    members: int
    advertisements: tuple[AdvertisementStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """Where one program stands on one client. `state` is None where no word came yet; `at` is by the client's clock.

    `cause` is what it waits for, in the word of its agent (`wire.causes`); empty: for nothing, or the agent does not say.
    `message` is the id of the status message that said so; None where no word came, or no message is kept that says so.
    """

    client: ClientId
    client_name: str
    package: PackageId
    program: ProgramNumber
    package_name: str
    program_name: str
    state: JobState | None
    advertisement: AdvertisementId | None
    occurrence: str
    source_version: int
    cause: str
    exit_code: int | None
    user: str
    text: str
    at: datetime | None
    succeeded_version: int | None
    message: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatus:
    """What became of everything on one client; what it is offered and has not spoken of yet is there too."""

    client: ClientId
    name: str
    state: str
    last_seen_at: datetime | None
    jobs: tuple[JobView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One status message. `at` is by the clock of whoever told it, `arrived_at` by the site's.

    Of a client, or of a point, which the site itself tells: then `client` is None, and `point` its id. `cause` as in `JobView`.
    `status_name` is the name of its number in `docs/status-messages.md`; other names are empty where the site has none.
    """

    id: int
    client: ClientId | None
    client_name: str
    point: str
    sequence: int
    at: datetime
    arrived_at: datetime
    status: int
    status_name: str
    severity: Severity
    package: PackageId | None
    package_name: str
    program: ProgramNumber | None
    program_name: str
    advertisement: AdvertisementId | None
    advertisement_name: str
    occurrence: str
    source_version: int
    state: JobState | None
    cause: str
    exit_code: int | None
    user: str
    text: str
