"""Advertisements over REST."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import ADVERTISEMENT_ID, ANY_PACKAGE_ID, PACKAGE_ID, Asked, Done, IdOrName
from purveyor.site_server.admin import advertisements, collections, programs
from purveyor.site_server.admin.advertisements import AdvertisementView, OptionsGiven
from purveyor.wire.ids import advertisement_id, package_id
from purveyor.wire.offers import Priority, Rerun

router = APIRouter(prefix="/advertisements", tags=["advertisements"], responses=ANSWERS)

Advertisement = Annotated[str, Path(description="id, such as S0120001", max_length=20, json_schema_extra=ADVERTISEMENT_ID)]
Title = Annotated[str, Field(max_length=200)]
Accounts = Annotated[
    list[Annotated[str, Field(max_length=300)]],
    Field(max_length=200, description=r"alice (of the machine itself), CORP\alice or alice@corp.example"),
]
Assignments = Annotated[
    list[Annotated[str, Field(max_length=600)]],
    Field(
        max_length=100,
        description="`asap`, `logon`, `logoff`, `startup`, 2026-12-01T09:00Z for UTC, 2026-12-01T09:00 for each client's own "
        "clock, or a recurrence, with or without its start: `2026-12-01T09:00 FREQ=WEEKLY;BYDAY=TU`",
    ),
]


class OptionsAsked(Asked):
    """How the program runs; what is left out is as usual, or stays. Units: seconds, as the names say."""

    rerun: Rerun | None = None
    priority: Priority | None = None
    users: Accounts | None = None
    groups: Accounts | None = None
    is_visible: Annotated[bool | None, Field(description="users are shown it before its time, and may start it")] = None
    postpone_seconds: Annotated[int | None, Field(ge=0, le=10**8, description="how long users may put a run off")] = None
    spread_seconds: Annotated[int | None, Field(ge=0, le=10**8, description="over how long the fleet's runs are spread")] = None
    ignores_windows_because: Annotated[
        str | None, Field(max_length=2000, description="why it runs outside maintenance windows too; empty: it keeps to them")
    ] = None
    over_slow_link: bool | None = None

    def options(self) -> OptionsGiven:
        """As `admin` takes them."""
        return {
            "rerun": self.rerun,
            "priority": self.priority,
            "users": self.users,
            "groups": self.groups,
            "is_visible": self.is_visible,
            "postpone_seconds": self.postpone_seconds,
            "spread_seconds": self.spread_seconds,
            "ignores_windows_because": self.ignores_windows_because,
            "over_slow_link": self.over_slow_link,
        }


class NewAdvertisement(OptionsAsked):
    """A program to offer to a collection. Without assignments it is optional."""

    package: Annotated[str, Field(max_length=20, json_schema_extra=PACKAGE_ID)]
    program: IdOrName
    collection: IdOrName
    name: Title = ""
    available_from: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    assignments: Assignments = []
    each_version: bool = False
    is_paused: bool = False
    is_confirmed: bool = False


class AdvertisementChange(OptionsAsked):
    """What to change of an advertisement; what is left out stays. `assignments` replaces all of them."""

    name: Title | None = None
    available_from: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    never_expires: bool = False
    assignments: Assignments | None = None
    each_version: bool | None = None
    is_confirmed: bool = False


class Advertised(Done):
    """The new advertisement's id, and what to look at once more."""

    warnings: tuple[str, ...]


@router.get("", summary="List advertisements")
def listed(
    visit: Reader,
    package: Annotated[str | None, Query(max_length=20, json_schema_extra=ANY_PACKAGE_ID)] = None,
    collection: Annotated[str | None, Query(max_length=200)] = None,
) -> list[AdvertisementView]:
    """Standing advertisements by id: all, or those of a package, or to a collection."""

    def ask(tx: Connection) -> list[AdvertisementView]:
        of = package_id(package) if package else None
        to = collections.find(tx, collection) if collection else None
        return list(advertisements.listed(tx, package=of, collection=to))

    return visit.read(ask)


@router.post("", status_code=status.HTTP_201_CREATED, summary="Offer a program to a collection")
def add(visit: Administrator, asked: NewAdvertisement) -> Advertised:
    """The new advertisement's id, with warnings about it."""

    def act(tx: Connection) -> Advertised:
        key = programs.find(tx, package_id(asked.package), asked.program)
        advertisement = advertisements.add(
            tx,
            package=key.package,
            program=key.program,
            collection=collections.find(tx, asked.collection),
            name=asked.name,
            available_from=asked.available_from,
            expires_at=asked.expires_at,
            assignments=asked.assignments,
            each_version=asked.each_version,
            is_paused=asked.is_paused,
            is_confirmed=asked.is_confirmed,
            by=visit.by,
            now=visit.now(),
            **asked.options(),
        )
        return Advertised(id=advertisement, warnings=advertisements.shown(tx, advertisement).warnings)

    return visit.change(act)


@router.get("/{advertisement}", summary="Show an advertisement")
def shown(visit: Reader, advertisement: Advertisement) -> AdvertisementView:
    """An advertisement with its assignments."""
    return visit.read(lambda tx: advertisements.shown(tx, advertisement_id(advertisement)))


@router.patch("/{advertisement}", summary="Change an advertisement")
def edit(visit: Administrator, advertisement: Advertisement, asked: AdvertisementChange) -> AdvertisementView:
    """The advertisement as it is then. An assignment with a new time is a new assignment."""
    given = asked.model_dump()
    found = advertisement_id(advertisement)
    return visit.change(lambda tx: advertisements.edit(tx, found, by=visit.by, now=visit.now(), **given))


@router.post("/{advertisement}/pause", summary="Hold an advertisement back")
def pause(visit: Administrator, advertisement: Advertisement) -> AdvertisementView:
    """The advertisement, paused. Clients forget nothing."""
    return visit.change(lambda tx: advertisements.pause(tx, advertisement_id(advertisement), by=visit.by, now=visit.now()))


@router.post("/{advertisement}/resume", summary="Let a paused advertisement go on")
def resume(visit: Administrator, advertisement: Advertisement) -> AdvertisementView:
    """The advertisement, offered again."""
    return visit.change(lambda tx: advertisements.resume(tx, advertisement_id(advertisement), by=visit.by, now=visit.now()))


@router.delete("/{advertisement}", summary="Delete an advertisement")
def delete(visit: Administrator, advertisement: Advertisement) -> Done:
    """Takes an advertisement back; its package stays known to the clients."""
    found = advertisement_id(advertisement)
    visit.change(lambda tx: advertisements.delete(tx, found, by=visit.by, now=visit.now()))
    return Done(id=found)
