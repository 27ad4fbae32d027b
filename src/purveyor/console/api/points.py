"""The site's points over REST. A point is named by its id, `cap2`."""

import os
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import Field

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Answer, Asked
from purveyor.console.visit import Visit
from purveyor.site_server.admin import points
from purveyor.site_server.admin.points import AbsentRequests, PointView, Removed
from purveyor.site_server.model.points import PointGiven, PointKind, Target
from purveyor.site_server.threads import within
from purveyor.transport.open_shelf import folder_in
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

LOOK_SECONDS = 15.0
"""How long somebody who adds a point waits for its server: the site itself is more patient."""

router = APIRouter(prefix="/points", tags=["points"], responses=ANSWERS)

Id = Annotated[str, Path(max_length=32)]
Url = Annotated[str, Field(max_length=500, description="as clients use it: over HTTP, a share or a path")]
Place = Annotated[
    str, Field(max_length=500, description="where the site writes: a folder, share or bucket; empty: a mirror does")
]
File = Annotated[str, Field(max_length=500, description="the path of a file on the site's machine, never a secret itself")]
Text = Annotated[str, Field(max_length=500)]
Networks = Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=200, description="10.1.0.0/16, fd00:1::/48")]
Pins = Annotated[
    list[Annotated[str, Field(max_length=100)]],
    Field(max_length=8, description="SHA-256 of the keys of its HTTPS server (RFC 7469), the one in use first"),
]
Weight = Annotated[int, Field(ge=0, le=1000, description="its share among points equally near; 0: only where no other answers")]
Budget = Annotated[str, Field(max_length=500, description="bytes a second, by hour of the week: docs/bandwidth.md; for a DP")]


class NewPoint(Asked):
    """A CAP or DP. `is_filled`: a mirror has filled the CAP, and the site need not see it there."""

    kind: PointKind
    url: Url
    target: Place = ""
    credentials: File = ""
    endpoint: Text = ""
    region: Text = ""
    networks: Networks = []
    weight: Weight = 100
    pins: Pins = []
    bandwidth: Budget = ""
    is_filled: bool = False


class PointChange(Asked):
    """What to change of a point; what is left out stays. With `is_refilled` everything is written there anew.

    With `is_filled` clients are told of a CAP that a mirror fills, where the site has no way there.
    """

    url: Url | None = None
    target: Place | None = None
    credentials: File | None = None
    endpoint: Text | None = None
    region: Text | None = None
    networks: Networks | None = None
    weight: Weight | None = None
    pins: Pins | None = None
    bandwidth: Budget | None = None
    is_refilled: bool = False
    is_filled: bool = False


class Forced(Asked):
    """Whether to do it although it leaves clients without a point, or before they have left."""

    is_forced: bool = False


class Removal(Forced):
    """Also whether what the site put there is left there."""

    is_left: bool = False


class Added(Answer):
    """A new point. `not_reached`: why the site could not look at it yet; it tries on."""

    point: PointView
    not_reached: str = ""


@router.get("", summary="List points")
def listed(visit: Reader, with_removed: bool = False) -> list[PointView]:
    """CAPs, then DPs: those that stand or are being emptied, or all there ever were."""
    return visit.read(lambda tx: list(points.listed(tx, visit.now(), with_removed=with_removed)))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Add a point")
def add(visit: Administrator, asked: NewPoint) -> Added:
    """The new point; one whose folder holds another site's boxes or content is refused."""
    given, is_filled, own = _given(asked), asked.is_filled, _own_folder(visit)
    visit.read(lambda tx: points.refuse_impossible(tx, asked.kind, own_folder=own, is_filled=is_filled, **given))
    not_reached = _look(visit, asked.kind, Target(asked.target, asked.credentials, asked.endpoint, asked.region))
    name = visit.change(
        lambda tx: points.add(tx, asked.kind, own_folder=own, is_filled=is_filled, by=visit.by, now=visit.now(), **given)
    )
    return Added(point=visit.read(lambda tx: points.shown(tx, name, visit.now())), not_reached=not_reached)


@router.get("/absent-requests", summary="Count requests for absent files")
def absent_requests(visit: Reader) -> AbsentRequests:
    """How many there were at all points and other addresses, as clients have told; each point has its own share of them."""
    return visit.read(points.absent_requests)


@router.get("/{name}", summary="Show a point")
def shown(visit: Reader, name: Id) -> PointView:
    """A point."""
    return visit.read(lambda tx: points.shown(tx, name, visit.now()))


@router.patch("/{name}", summary="Change a point")
def edit(visit: Administrator, name: Id, asked: PointChange) -> PointView:
    """The point as it is then."""
    given, is_refilled, is_filled, own = _given(asked), asked.is_refilled, asked.is_filled, _own_folder(visit)
    with suppress(TimeoutError):
        within(LOOK_SECONDS, partial(_refuse_missing, asked.target or ""))
    return visit.change(
        lambda tx: points.edit(
            tx,
            name,
            own_folder=own,
            is_refilled=is_refilled,
            is_filled=is_filled,
            by=visit.by,
            now=visit.now(),
            **given,
        )
    )


@router.post("/{name}/drain", summary="Let clients leave a point")
def drain(visit: Administrator, name: Id, asked: Forced) -> PointView:
    """The point, which drains."""
    return visit.change(lambda tx: points.drain(tx, name, is_forced=asked.is_forced, by=visit.by, now=visit.now()))


@router.post("/{name}/resume", summary="Let clients use a draining point again")
def resume(visit: Administrator, name: Id) -> PointView:
    """The point, which is used again."""
    return visit.change(lambda tx: points.resume(tx, name, by=visit.by, now=visit.now()))


@router.post("/{name}/remove", summary="Remove a point")
def remove(visit: Administrator, name: Id, asked: Removal) -> Removed:
    """What is left there, and when the site begins to take it away."""
    return visit.change(
        lambda tx: points.remove(tx, name, is_forced=asked.is_forced, is_left=asked.is_left, by=visit.by, now=visit.now())
    )


def _look(visit: Visit, kind: PointKind, target: Target) -> str:
    """Looks at a place before it becomes a point, with no transaction open: it may be far away. Shape: why it cannot be."""
    if not target.url:
        return ""
    mark, first_root = visit.site.mark()
    try:
        within(LOOK_SECONDS, partial(_refuse_missing, target.url))
        shelf = visit.site.open_shelf(target)
        return within(LOOK_SECONDS, partial(points.refuse_if_foreign, shelf, kind, mark, first_root))
    except TimeoutError:
        return f"{target.url} does not answer within {LOOK_SECONDS:.0f} seconds"
    except (UnavailableError, RejectedError) as error:
        return str(error)


def _refuse_missing(target: str) -> None:
    """Refuses a folder of this machine that is not there: made in the place of a mount, it would fill the system's disk."""
    folder = folder_in(target)
    if folder and not os.path.isdir(folder):
        raise RefusedError(f"{folder} is no folder of the site's machine: make it first; it has to be an empty one")


def _own_folder(visit: Visit) -> str:
    return "" if visit.site.folder is None else str(visit.site.folder.resolve())


def _given(asked: NewPoint | PointChange) -> PointGiven:
    return PointGiven(
        url=asked.url,
        target=asked.target,
        credentials=asked.credentials,
        endpoint=asked.endpoint,
        region=asked.region,
        networks=asked.networks,
        weight=asked.weight,
        pins=asked.pins,
        bandwidth=asked.bandwidth,
    )
