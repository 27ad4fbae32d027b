"""The site's keys over REST: which count, new ones, requests that are signed elsewhere. No private half comes or goes here."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked, Done
from purveyor.site_server.custody import keys, requests
from purveyor.site_server.custody.keys import KeyView, RotationView
from purveyor.site_server.custody.requests import RequestView

router = APIRouter(prefix="/keys", tags=["keys"], responses=ANSWERS)

Role = Annotated[str, Path(min_length=1, max_length=16)]
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


class Rotation(Asked):
    """Whose keys are followed by new ones. `public`: the public half of one that was made elsewhere, in hexadecimal."""

    roles: Annotated[list[str], Field(min_length=1, max_length=16)]
    public: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    is_made_here: bool = False


class Export(Asked):
    """A request for all that waits. `is_anew`: in the place of the open one."""

    is_anew: bool = False


class Answer(Asked):
    """What came back from the machine that signs: the text of its answer."""

    file: Annotated[str, Field(max_length=4 * 2**20)]


@router.get("", summary="List the site's keys")
def listed(visit: Reader, include_retired: Annotated[bool, Query()] = False) -> list[KeyView]:
    """The keys by role: where their private halves are, since when they count, when what they signed expires."""
    return visit.read(lambda tx: list(keys.listed(tx, visit.now(), include_retired=include_retired)))


@router.post("/rotations", status_code=status.HTTP_201_CREATED, summary="Let new keys follow")
def rotate(visit: Administrator, asked: Rotation) -> RotationView:
    """The new keys, and whose signatures they wait for."""

    def act(tx: Connection) -> RotationView:
        return keys.rotate(
            tx,
            visit.site.keys,
            asked.roles,
            public=asked.public,
            is_made_here=asked.is_made_here,
            by=visit.by,
            now=visit.now(),
        )

    return visit.change(act)


@router.post("/requests", status_code=status.HTTP_201_CREATED, summary="Export what waits for keys that are elsewhere")
def export(visit: Administrator, asked: Export) -> RequestView:
    """The new request, with its file."""
    return visit.change(lambda tx: requests.export(tx, visit.site.keys, is_anew=asked.is_anew, by=visit.by, now=visit.now()))


@router.get("/requests/open", summary="Show the open signing request")
def shown(visit: Reader) -> RequestView | None:
    """The open request with its file, or nothing."""
    return visit.read(lambda tx: requests.shown(tx, visit.site.keys))


@router.delete("/requests/open", summary="Give the open signing request up")
def drop(visit: Administrator) -> Done:
    """Its answer is worth nothing from then on."""
    visit.change(lambda tx: requests.drop(tx, by=visit.by, now=visit.now()))
    return Done(id="open")


@router.post("/answers", summary="Import signatures that were made elsewhere")
def import_answer(visit: Administrator, asked: Answer) -> RequestView:
    """The request as it is then; with all its signatures it is published in a moment."""
    return visit.change(lambda tx: requests.import_answer(tx, visit.site.keys, asked.file.encode(), by=visit.by, now=visit.now()))


@router.post("/{role}/{key}/remove", summary="Destroy the private half of a key on the server")
def remove(visit: Administrator, role: Role, key: KeyId) -> KeyView:
    """The key as it is then. Whoever asks has seen to it that there is a copy."""
    return visit.change(lambda tx: keys.remove(tx, visit.site.keys, role, key, by=visit.by, now=visit.now()))


@router.post("/{role}/{key}/restore", summary="Take a key in that lies in the site's folder of keys")
def restore(visit: Administrator, role: Role, key: KeyId) -> KeyView:
    """The key as it is then."""
    return visit.change(lambda tx: keys.restored(tx, visit.site.keys, role, key, by=visit.by, now=visit.now()))
