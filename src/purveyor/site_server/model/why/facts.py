"""What the site knows of one client and one program: the rows from which an explanation is made. Nothing here decides."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from purveyor.site_server.model.preview import FiringView
from purveyor.site_server.model.requests import Outcome
from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.causes import Cause
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, RequestKind
from purveyor.wire.package_info import Program, ProgramKey
from purveyor.wire.reports import Facts
from purveyor.wire.status_messages import StatusId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a person did, from the audit."""

    action: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """What the site knows of a client. `number` is 0 for a machine that was refused: it is none.

    Units: seconds. `longest_gap_seconds`: between two arrivals of the last few items; None: too few are remembered.
    """

    number: int
    id: str
    name: str
    state: str
    reason: str
    facts: Facts
    zone: tzinfo | None
    since: datetime
    """Since when it is known, or was refused."""
    deed: Deed | None = None
    last_seen_at: datetime | None = None
    last_sequence: int = 0
    received: int = 0
    applied: int = 0
    fork: str = ""
    keeper: str = ""
    """Which machine keeps its identity, where several used it: a machine id, or NOBODY."""
    was: str = ""
    """The client with whose identity this machine came."""
    lost_items: int = 0
    longest_gap_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """A package. `is_holder`: the client was written down as one that holds it, when it was deleted."""

    id: PackageId
    name: str
    state: PackageState
    source_version: int
    created_at: datetime
    since: datetime
    deleted_at: datetime | None = None
    deleted_by: str = ""
    replaced_by: str = ""
    replaced_by_name: str = ""
    retired_snapshot: int | None = None
    is_holder: bool = False
    removed_at: datetime | None = None
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """A program, and where it stands on this client. `fits`: it is for the client's platform."""

    key: ProgramKey
    name: str = ""
    program: Program | None = None
    is_enabled: bool = True
    deleted_at: datetime | None = None
    package_state: PackageState | None = None
    deed: Deed | None = None
    fits: bool = True
    job: "JobFacts | None" = None

    @property
    def stands(self) -> bool:
        """Whether clients are told of it at all."""
        is_known = self.package_state in (PackageState.ACTIVE, PackageState.REMOVING)
        return self.program is not None and self.deleted_at is None and is_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule of a collection makes of this client. `kind`: all, direct, include, exclude."""

    kind: str
    other: str = ""
    other_name: str = ""
    holds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """An advertisement of the program, or of one that depends on it, and how it reaches this client."""

    advertisement: Advertisement
    name: str
    collection: CollectionId
    collection_name: str
    is_member: bool
    rules: tuple[Rule, ...]
    created_at: datetime
    created_by: str
    deed: Deed | None = None
    """The last thing that was done to it: paused, resumed, edited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneOffer:
    """An advertisement of the program that was deleted."""

    id: AdvertisementId
    name: str
    collection_name: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """A program that replaces this one, offered to this client."""

    key: ProgramKey
    name: str
    advertisement: AdvertisementId
    package_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFacts:
    """The content of a package on one distribution point. `state`: waiting, verified, unnamed."""

    point: str
    state: str
    since: datetime
    failures: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """A standing point. `problem`: why the site's own last turn there failed; empty: none did, or the site makes none there.

    `is_closed`: the site gives clients nothing from it now, by its budget; `opens_at`: until then; None: as long as that stands.
    """

    id: str
    is_cap: bool
    url: str
    is_draining: bool
    problem: str = ""
    failures: int = 0
    tried_at: datetime | None = None
    is_closed: bool = False
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts:
    """The content of one package of the chain. `manifest` is of the newest source version; empty: it has no content.

    `served_version`: the newest source version that lies on a point, so that clients may have it; None: none does.
    """

    package: PackageId
    name: str
    source_version: int
    manifest: str
    copies: tuple[CopyFacts, ...]
    served_version: int | None
    taken_in_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpublished:
    """Something that is to be published anew: revision `wanted`, while `published` is out. `role`: whose key signs it."""

    what: str
    role: str
    wanted: int
    published: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationFacts:
    """How far the publication of what concerns this client and program is.

    `needed` is the first snapshot that has all of it, `is_exact` whether that is sure: older snapshots may have had it too.
    """

    unpublished: tuple[Unpublished, ...] = ()
    keys_away: frozenset[str] = frozenset()
    unwritten: int = 0
    """Files that are signed and not in the box yet."""
    is_shard_behind: bool = False
    published_at: datetime | None = None
    needed: int = 0
    is_exact: bool = True
    snapshot: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """Where the program stands, as the client said last. `told_by`: the message that said so, where it is still kept."""

    state: JobState
    text: str
    at: datetime
    order: int
    advertisement: str = ""
    occurrence: str = ""
    source_version: int = 0
    exit_code: int | None = None
    user: str = ""
    succeeded_version: int | None = None
    told_by: StatusId | None = None
    cause: Cause | None = None
    """What it waits for, by its agent's word; None: for nothing, or its agent is too old to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A status message of the client about the program. `order` counts up with what it says later."""

    status: int
    at: datetime
    arrived_at: datetime
    order: int
    advertisement: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What an administrator asked of runs by the advertisement on this client, and what the client answered."""

    number: int
    kind: RequestKind
    made_by: str
    made_at: datetime
    reason: str
    is_open: bool
    outcome: Outcome | None = None
    text: str = ""
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the program is due on this client, by its own clock, its share and its windows."""

    last: FiringView | None = None
    following: tuple[FiringView, ...] = ()
    events: tuple[str, ...] = ()
    windows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often clients poll, and speak at least. Units: seconds."""

    poll_seconds: int
    heartbeat_seconds: int

    @property
    def patience_seconds(self) -> int:
        """After so long without a word a client counts as silent."""
        return self.heartbeat_seconds + 2 * self.poll_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyFacts:
    """All that an explanation is made from. Shape: `messages` newest first; `chain` deepest first, without the program itself."""

    now: datetime
    client: ClientFacts
    package: PackageFacts
    program: ProgramFacts
    rhythm: Rhythm
    offers: tuple[OfferFacts, ...] = ()
    gone_offers: tuple[GoneOffer, ...] = ()
    offer: OfferFacts | None = None
    """The one of `offers` that comes farthest; None: there is none."""
    heard_of_offer_at: datetime | None = None
    """When the client spoke last of that advertisement, or of a job by it."""
    replaced_by: tuple[Replacing, ...] = ()
    chain: tuple[ProgramFacts, ...] = ()
    is_chain_round: bool = False
    contents: tuple[ContentFacts, ...] = ()
    publication: PublicationFacts = PublicationFacts()
    messages: tuple[Told, ...] = ()
    troubles: tuple[Told, ...] = ()
    """What the client told of its points and its clock, newest first."""
    points: tuple[PointFacts, ...] = ()
    is_alone_silent: bool = True
    """Whether any other client spoke lately, or there is none that should have."""
    requests: tuple[RequestFacts, ...] = ()
    times: Times = Times()

    @property
    def job(self) -> JobFacts | None:
        """Where the program stands on the client."""
        return self.program.job
