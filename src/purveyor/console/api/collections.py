"""Collections over REST. A collection is named by its id or its name."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked, Done, IdOrName, Name, Page
from purveyor.site_server.admin import collections
from purveyor.site_server.admin.collections import CollectionView, MemberView

router = APIRouter(prefix="/collections", tags=["collections"], responses=ANSWERS)

Collection = Annotated[str, Path(description="id or name", max_length=200)]
Clients = Annotated[list[IdOrName], Field(max_length=200_000, description="clients, by id or name")]
Others = Annotated[list[IdOrName], Field(max_length=1000, description="collections, by id or name")]


class NewCollection(Asked):
    """A collection to add."""

    name: Name
    members: Clients = []
    includes: Others = []
    excludes: Others = []


class CollectionChange(Asked):
    """What to change of a collection; what is left out stays."""

    name: Name | None = None
    add_members: Clients = []
    remove_members: Clients = []
    add_includes: Others = []
    remove_includes: Others = []
    add_excludes: Others = []
    remove_excludes: Others = []
    is_confirmed: bool = False


@router.get("", summary="List collections")
def listed(visit: Reader) -> list[CollectionView]:
    """All collections, by id."""
    return list(visit.read(collections.listed))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Add a collection")
def add(visit: Administrator, asked: NewCollection) -> Done:
    """The new collection's id."""
    given = asked.model_dump()
    return Done(id=visit.change(lambda tx: collections.add(tx, **given, by=visit.by, now=visit.now())))


@router.get("/{collection}", summary="Show a collection")
def shown(visit: Reader, collection: Collection) -> CollectionView:
    """A collection with its rules."""
    return visit.read(lambda tx: collections.shown(tx, collections.find(tx, collection)))


@router.get("/{collection}/members", summary="List the members of a collection")
def members(
    visit: Reader, collection: Collection, after: Annotated[str, Query(max_length=32)] = "", limit: Page = 1000
) -> list[MemberView]:
    """Members by id; `after` is the last id of the page before."""
    return list(visit.read(lambda tx: collections.members(tx, collections.find(tx, collection), after=after, limit=limit)))


@router.patch("/{collection}", summary="Change a collection")
def edit(visit: Administrator, collection: Collection, asked: CollectionChange) -> CollectionView:
    """The collection as it is then."""
    given = asked.model_dump()
    return visit.change(lambda tx: collections.edit(tx, collections.find(tx, collection), **given, by=visit.by, now=visit.now()))


@router.delete("/{collection}", summary="Delete a collection")
def delete(visit: Administrator, collection: Collection, is_confirmed: bool = False) -> Done:
    """Deletes a collection; with a confirmation also its advertisements."""

    def act(tx: Connection) -> Done:
        found = collections.find(tx, collection)
        collections.delete(tx, found, is_confirmed=is_confirmed, by=visit.by, now=visit.now())
        return Done(id=found)

    return visit.change(act)
