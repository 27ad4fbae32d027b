"""Resources over REST. A resource is named by its client id or its name."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked, Done, Page, Text
from purveyor.site_server.admin import resources
from purveyor.site_server.admin.resources import USUAL_SILENCE_SECONDS, RemovedClones, ResourceView

router = APIRouter(prefix="/resources", tags=["resources"], responses=ANSWERS)

Resource = Annotated[str, Path(description="client id or name", max_length=200)]
Word = Annotated[str, Query(max_length=200)]


class Blocking(Asked):
    """Why a client is blocked; it is told."""

    reason: Text = ""


class Clones(Asked):
    """Which clones of a client are removed. Units: seconds since the last word."""

    silent_seconds: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] = USUAL_SILENCE_SECONDS
    is_confirmed: bool = False


@router.get("", summary="List resources")
def listed(
    visit: Reader, state: Word | None = None, containing: Word = "", after: Word = "", limit: Page = 1000
) -> list[ResourceView]:
    """Clients by id: those in a state, those whose name contains a text; `after` is the last id of the page before."""
    return list(visit.read(lambda tx: resources.listed(tx, state=state, containing=containing, after=after, limit=limit)))


@router.get("/{resource}", summary="Show a resource")
def shown(visit: Reader, resource: Resource) -> ResourceView:
    """A client with its collections."""
    return visit.read(lambda tx: resources.shown(tx, resources.find(tx, resource)))


@router.post("/{resource}/approve", summary="Let a waiting client be a member")
def approve(visit: Administrator, resource: Resource) -> ResourceView:
    """The client, a member."""
    return visit.change(lambda tx: resources.approve(tx, resources.find(tx, resource), by=visit.by, now=visit.now()))


@router.post("/{resource}/block", summary="Take a client out of all collections")
def block(visit: Administrator, resource: Resource, asked: Blocking) -> ResourceView:
    """The client, blocked; it is told why."""
    reason = asked.reason
    return visit.change(lambda tx: resources.block(tx, resources.find(tx, resource), reason=reason, by=visit.by, now=visit.now()))


@router.post("/{resource}/unblock", summary="Let a blocked client be a member again")
def unblock(visit: Administrator, resource: Resource) -> ResourceView:
    """The client, a member."""
    return visit.change(lambda tx: resources.unblock(tx, resources.find(tx, resource), by=visit.by, now=visit.now()))


@router.post("/{resource}/remove-clones", summary="Remove clones in whose place others came")
def remove_clones(visit: Administrator, resource: Resource, asked: Clones) -> RemovedClones:
    """For machines that go back each night to an image in which one had joined. Silence alone removes nobody."""

    def act(tx: Connection) -> RemovedClones:
        origin = resources.find(tx, resource)
        seconds, is_confirmed = asked.silent_seconds, asked.is_confirmed
        return resources.remove_clones(
            tx, origin, silent_seconds=seconds, is_confirmed=is_confirmed, by=visit.by, now=visit.now()
        )

    return visit.change(act)


@router.delete("/{resource}", summary="Remove a client from the site")
def remove(visit: Administrator, resource: Resource) -> Done:
    """Removes a client; it is told to join again. Its history stays."""

    def act(tx: Connection) -> Done:
        client = resources.find(tx, resource)
        resources.remove(tx, client, by=visit.by, now=visit.now())
        return Done(id=client)

    return visit.change(act)
