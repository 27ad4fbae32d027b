"""What became of things, over REST: read only."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from purveyor.console.api.advertisements import Advertisement
from purveyor.console.api.collections import Collection
from purveyor.console.api.packages import Package
from purveyor.console.api.programs import Program
from purveyor.console.api.resources import Resource
from purveyor.console.authentication import Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import ANY_ADVERTISEMENT_ID, ANY_PACKAGE_ID, Before, Page
from purveyor.site_server.admin import collections, programs, resources, status
from purveyor.site_server.admin.status_views import (
    AdvertisementStatus,
    ClientStatus,
    CollectionStatus,
    JobView,
    MessageView,
    PackageStatus,
    ProgramStatus,
)
from purveyor.wire.ids import advertisement_id, package_id
from purveyor.wire.status_messages import Severity

router = APIRouter(prefix="/status", tags=["status"], responses=ANSWERS)

After = Annotated[str, Query(max_length=32, description="last client id of the page before")]
State = Annotated[str | None, Query(max_length=20, description="state of a job, or `silent` for no word yet")]
Word = Annotated[str | None, Query(max_length=200)]


@router.get("/packages/{package}", summary="What became of a package")
def of_package(visit: Reader, package: Package) -> PackageStatus:
    """Where its programs stand, by number."""
    return visit.read(lambda tx: status.of_package(tx, package_id(package)))


@router.get("/packages/{package}/clients", summary="The clients behind a package's numbers")
def clients_of_package(
    visit: Reader, package: Package, program: Word = None, state: State = None, after: After = "", limit: Page = 1000
) -> list[JobView]:
    """The jobs of a package on all clients that spoke of it, by client id."""

    def ask(tx: Connection) -> list[JobView]:
        found = package_id(package)
        number = programs.find(tx, found, program).program if program else None
        return list(status.clients_of_package(tx, found, program=number, state=state, after=after, limit=limit))

    return visit.read(ask)


@router.get("/packages/{package}/programs/{program}", summary="What became of a program")
def of_program(visit: Reader, package: Package, program: Program) -> ProgramStatus:
    """Where it stands on all clients that are offered it or have spoken of it."""
    return visit.read(lambda tx: status.of_program(tx, programs.find(tx, package_id(package), program)))


@router.get("/advertisements/{advertisement}", summary="What became of an advertisement")
def of_advertisement(visit: Reader, advertisement: Advertisement) -> AdvertisementStatus:
    """Where its program stands on the members of its collection."""
    return visit.read(lambda tx: status.of_advertisement(tx, advertisement_id(advertisement)))


@router.get("/advertisements/{advertisement}/clients", summary="The clients behind an advertisement's numbers")
def clients_of_advertisement(
    visit: Reader, advertisement: Advertisement, state: State = None, after: After = "", limit: Page = 1000
) -> list[JobView]:
    """Members by client id: all, or those in a state."""
    found = advertisement_id(advertisement)
    return list(visit.read(lambda tx: status.clients_of_advertisement(tx, found, state=state, after=after, limit=limit)))


@router.get("/collections/{collection}", summary="What became of the advertisements to a collection")
def of_collection(visit: Reader, collection: Collection) -> CollectionStatus:
    """Where each of them stands on its members."""
    return visit.read(lambda tx: status.of_collection(tx, collections.find(tx, collection)))


@router.get("/clients/{resource}", summary="What became of everything on one client")
def of_client(visit: Reader, resource: Resource) -> ClientStatus:
    """Its jobs, and what it is offered and has not spoken of yet."""
    return visit.read(lambda tx: status.of_client(tx, resources.find(tx, resource)))


@router.get("/messages", summary="List status messages")
def messages(
    visit: Reader,
    client: Word = None,
    point: Word = None,
    package: Annotated[str | None, Query(max_length=20, json_schema_extra=ANY_PACKAGE_ID)] = None,
    program: Word = None,
    advertisement: Annotated[str | None, Query(max_length=20, json_schema_extra=ANY_ADVERTISEMENT_ID)] = None,
    severity: Annotated[list[Severity] | None, Query()] = None,
    since: Annotated[datetime | None, Query(description="only what arrived then or later")] = None,
    until: Annotated[datetime | None, Query(description="only what arrived before")] = None,
    before: Before = None,
    limit: Page = 100,
) -> list[MessageView]:
    """Status messages of clients and of points, newest first; `before` is the last number of the page before.

    A program goes with its package.
    """

    def ask(tx: Connection) -> list[MessageView]:
        owner = package_id(package) if package else None
        return list(
            status.messages(
                tx,
                client=resources.find(tx, client) if client else None,
                point=point or None,
                package=owner,
                program=programs.find(tx, owner, program).program if owner and program else None,
                advertisement=advertisement_id(advertisement) if advertisement else None,
                severities=tuple(severity or ()),
                since=since,
                until=until,
                before_id=before,
                limit=limit,
            )
        )

    return visit.read(ask)
