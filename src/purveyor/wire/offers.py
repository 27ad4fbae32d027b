"""The advertisements of one collection as clients read them: `offerinf.box/<id>.ofr`, complete for its collection."""

from datetime import datetime
from enum import StrEnum

from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import (
    AdvertisementId,
    CollectionId,
    PackageId,
    ProgramNumber,
    advertisement_id,
    collection_id,
    package_id,
)
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.schedule import Zone


class AssignmentKind(StrEnum):
    """What makes an advertisement mandatory."""

    ASAP = "asap"
    TIME = "time"


class Assignment(Wire):
    """A time at which an advertisement is mandatory. Its number is never reused; editing its time makes a new one."""

    number: int
    kind: AssignmentKind
    at: datetime | None = None
    zone: Zone = Zone.UTC


class Advertisement(Wire):
    """A program offered to a collection. Without assignments it is optional: the user starts it."""

    id: AdvertisementId
    package: PackageId
    program: ProgramNumber
    available_from: Instant
    expires_at: Instant | None = None
    is_paused: bool = False
    each_version: bool = False
    assignments: tuple[Assignment, ...] = ()

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


class CollectionOffers(Wire):
    """All that one collection says. Complete: what is not here is not offered by this collection."""

    collection: CollectionId
    advertisements: tuple[Advertisement, ...] = ()
    disabled: tuple[ProgramKey, ...] = ()
    removals: tuple[PackageId, ...] = ()
    """Packages to uninstall from this machine, from the receipts, before they are retired."""
    retirements: tuple[RetirementNote, ...] = ()
    places: tuple[ContentPlace, ...] = ()


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
