"""What an advertisement will come to, over REST: one that stands, and one that may be made. Neither changes anything."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection

from purveyor.console.api.advertisements import NewAdvertisement
from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import ADVERTISEMENT_ID
from purveyor.site_server.admin import collections, preview, programs
from purveyor.site_server.admin.preview import LARGEST_LIMIT, MOST_FIRINGS, Asked, PreviewView
from purveyor.wire.ids import advertisement_id, package_id

router = APIRouter(prefix="/previews", tags=["previews"], responses=ANSWERS)

Advertisement = Annotated[str, Path(description="id, such as S0120001", max_length=20, json_schema_extra=ADVERTISEMENT_ID)]
Limit = Annotated[int, Query(ge=0, le=LARGEST_LIMIT, description="how many clients are looked at one by one, by name")]
Containing = Annotated[str, Query(max_length=200, description="those with this in their name alone, or with this id")]
Firings = Annotated[int, Query(ge=1, le=MOST_FIRINGS, description="how many times of each are told")]


@router.get("/{advertisement}", summary="Look ahead for an advertisement")
def of_standing(
    visit: Reader, advertisement: Advertisement, limit: Limit = 20, containing: Containing = "", firings: Firings = 3
) -> PreviewView:
    """Whom a standing advertisement reaches, and when it runs there."""
    found, asked = advertisement_id(advertisement), Asked(limit, containing, firings)
    return visit.read(lambda tx: preview.of_standing(tx, found, asked, visit.now()))


@router.post("", summary="Look ahead for an advertisement that does not exist")
def of_new(
    visit: Administrator, new: NewAdvertisement, limit: Limit = 20, containing: Containing = "", firings: Firings = 3
) -> PreviewView:
    """Whom it would reach, and when it would run there. It is refused as making it would be, and is not made."""

    def ask(tx: Connection) -> PreviewView:
        key = programs.find(tx, package_id(new.package), new.program)
        return preview.of_new(
            tx,
            Asked(limit, containing, firings),
            package=key.package,
            program=key.program,
            collection=collections.find(tx, new.collection),
            available_from=new.available_from,
            expires_at=new.expires_at,
            assignments=new.assignments,
            each_version=new.each_version,
            is_paused=new.is_paused,
            now=visit.now(),
            **new.options(),
        )

    return visit.read(ask)
