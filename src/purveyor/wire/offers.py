"""What one collection says, as clients read it: `offerinf.box/<id>.ofr`, complete for its collection.

Its advertisements, when its members may be changed (maintenance windows), and what an administrator asks of single runs.
"""

from datetime import datetime
from enum import StrEnum

from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import (
    AdvertisementId,
    ClientId,
    CollectionId,
    PackageId,
    advertisement_id,
    collection_id,
    package_id,
)
from purveyor.wire.package_info import Number, ProgramKey
from purveyor.wire.schedule import Zone


class AssignmentKind(StrEnum):
    """What makes an advertisement mandatory."""

    ASAP = "asap"
    TIME = "time"
    RECURRENCE = "recurrence"
    LOGON = "logon"
    LOGOFF = "logoff"
    STARTUP = "startup"


EVENTS = frozenset({AssignmentKind.LOGON, AssignmentKind.LOGOFF, AssignmentKind.STARTUP})
"""Assignments that something on the machine makes due, not a time."""


class Assignment(Wire):
    """A time or event at which an advertisement is mandatory. Its number is never reused; editing it makes a new one.

    Shape: `at` is a naive wall-clock time: the time, or the start of a recurrence; `rule` is the recurrence (`wire.recurrence`).
    """

    number: int
    kind: AssignmentKind
    at: datetime | None = None
    zone: Zone = Zone.UTC
    rule: str = ""


class Rerun(StrEnum):
    """Whether a program that was run before is run again at a later occurrence."""

    AS_SCHEDULED = "as-scheduled"
    """A single time is answered by any success ever; of several times, or of a recurrence, each asks for a run of its own."""
    NEVER = "never"
    """Once it was started, however it ended, it is not run again."""
    IF_FAILED = "if-failed"
    """Each occurrence runs it until it has succeeded once."""
    ALWAYS = "always"
    """Each occurrence runs it, whatever was before."""
    ON_DRIFT = "on-drift"
    """Each occurrence looks whether what it installs is there, and runs it only where it is not."""


class Priority(StrEnum):
    """Which of the programs that are due goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Advertisement(Wire):
    """A program offered to a collection. Without assignments it is optional: the user starts it.

    Shape: `users` and `groups` are accounts as `wire.accounts` writes them; where any is given, the program is seen and run in
    the sessions of these users, or of members of these groups, alone.
    Units:  seconds, as the names say.
    """

    id: AdvertisementId
    package: PackageId
    program: Number
    available_from: Instant
    expires_at: Instant | None = None
    is_paused: bool = False
    each_version: bool = False
    assignments: tuple[Assignment, ...] = ()
    rerun: Rerun = Rerun.AS_SCHEDULED
    priority: Priority = Priority.NORMAL
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_visible: bool = False
    """A mandatory one is shown to users, who may start it before its time. An optional one always is."""
    postpone_seconds: int = 0
    """How long after it is due a user may put a run off; 0: not at all."""
    spread_seconds: int = 0
    """Over how long the runs of a fleet are spread; each client has its own share, always the same."""
    ignores_windows: bool = False
    """Runs outside maintenance windows too: an emergency, with a reason in the audit."""
    over_slow_link: bool = True
    """Whether it is mandatory where only a slow link leads to the distribution points that hold its content."""

    @property
    def key(self) -> ProgramKey:
        """The program that is offered."""
        return ProgramKey(self.package, self.program)


class RunningChoice(StrEnum):
    """What becomes of a run that is under way when its package is deleted."""

    FINISH = "finish"
    ASK = "ask"
    STOP = "stop"


class RetirementNote(Wire):
    """What to do with what still runs of a deleted package."""

    package: PackageId
    running: RunningChoice


class ContentPlace(Wire):
    """The distribution points on which the site has verified a manifest and all its files."""

    manifest: str
    points: tuple[str, ...]


class Window(Wire):
    """A maintenance window: when members may be changed. Where any reaches a client, mandatory programs run in one only.

    Shape: `start` is a naive wall-clock time, `rule` a recurrence of it; without one the window opens once.
    Units: seconds, as the names say.
    """

    number: int
    start: datetime
    duration_seconds: int
    zone: Zone = Zone.CLIENT
    rule: str = ""
    name: str = ""
    spread_seconds: int = 0
    """Within the window: over how long the first launches of a fleet are spread."""
    catch_up: bool = False
    """What a machine missed, because it was off for a whole window, runs as soon as it is back."""


class RequestKind(StrEnum):
    """What an administrator asks of runs that were planned or begun."""

    CANCEL = "cancel"
    STOP = "stop"
    RUN_AGAIN = "run-again"


class Request(Wire):
    """A wish of an administrator about one advertisement on some clients. Each client answers it once.

    Shape: `clients` names those that it is for; none: all members of the collection.
    """

    number: int
    kind: RequestKind
    advertisement: AdvertisementId
    package: PackageId
    program: Number
    made_at: Instant
    expires_at: Instant
    clients: tuple[ClientId, ...] = ()
    only_failed: bool = False
    """For the clients alone on which the last run of the program, as of this request, did not succeed."""

    @property
    def key(self) -> ProgramKey:
        """The program that it is about."""
        return ProgramKey(self.package, self.program)


class CollectionOffers(Wire):
    """All that one collection says. Complete: what is not here is not offered by this collection."""

    collection: CollectionId
    advertisements: tuple[Advertisement, ...] = ()
    disabled: tuple[ProgramKey, ...] = ()
    removals: tuple[PackageId, ...] = ()
    """Packages to uninstall from this machine, from the receipts, before they are retired."""
    retirements: tuple[RetirementNote, ...] = ()
    places: tuple[ContentPlace, ...] = ()
    windows: tuple[Window, ...] = ()
    requests: tuple[Request, ...] = ()
    waiting: tuple[ProgramKey, ...] = ()
    """Programs that are advertised here and wait for content, and all that they depend on: not offered now, but not gone."""


def path_of(collection: CollectionId) -> str:
    """The target path of a collection's offers."""
    return f"offerinf.box/{collection}.ofr"


def encode(offers: CollectionOffers) -> bytes:
    """The bytes of an `.ofr`."""
    return to_bytes(offers)


def decode(content: bytes) -> CollectionOffers:
    """The offers in an `.ofr`. Errors: RejectedError."""
    offers = from_bytes(content, CollectionOffers)
    collection_id(offers.collection)
    for advertisement in offers.advertisements:
        advertisement_id(advertisement.id)
        package_id(advertisement.package)
    return offers
