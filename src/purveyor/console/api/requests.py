"""What administrators ask of single runs, over REST."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from purveyor.console.api.advertisements import Advertisement
from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import ANY_ADVERTISEMENT_ID, Asked, Before, IdOrName, Number, Page, Text
from purveyor.site_server.admin import requests
from purveyor.site_server.admin.requests import AnswerView, RequestView
from purveyor.wire.ids import advertisement_id
from purveyor.wire.offers import RequestKind

router = APIRouter(tags=["requests"], responses=ANSWERS)


class NewRequest(Asked):
    """What is asked, and of whom: these clients, or all members of the advertisement's collection."""

    kind: RequestKind
    clients: Annotated[list[IdOrName], Field(max_length=1000, description="ids or names; none: all members")] = []
    only_failed: Annotated[bool, Field(description="with run-again: of those alone where the last run did not succeed")] = False
    reason: Text = ""
    expires_at: AwareDatetime | None = None
    is_confirmed: bool = False


@router.post("/advertisements/{advertisement}/requests", status_code=status.HTTP_201_CREATED, summary="Ask something of its runs")
def ask(visit: Administrator, advertisement: Advertisement, asked: NewRequest) -> RequestView:
    """The new request. Each client answers it once: done, too late or refused."""

    def act(tx: Connection) -> RequestView:
        return requests.ask(
            tx,
            asked.kind,
            advertisement_id(advertisement),
            clients=asked.clients,
            only_failed=asked.only_failed,
            reason=asked.reason,
            expires_at=asked.expires_at,
            is_confirmed=asked.is_confirmed,
            by=visit.by,
            now=visit.now(),
        )

    return visit.change(act)


@router.get("/requests", summary="List requests")
def listed(
    visit: Reader,
    advertisement: Annotated[str | None, Query(max_length=20, json_schema_extra=ANY_ADVERTISEMENT_ID)] = None,
    is_open: bool = False,
    before: Before = None,
    limit: Page = 50,
) -> list[RequestView]:
    """Requests, newest first; `before` is the last number of the page before."""
    about = advertisement_id(advertisement) if advertisement else None
    now = visit.now()
    return list(
        visit.read(lambda tx: requests.listed(tx, advertisement=about, is_open=is_open, before=before, limit=limit, now=now))
    )


@router.get("/requests/{number}", summary="Show a request")
def shown(visit: Reader, number: Number) -> RequestView:
    """A request, and how many clients gave which answer."""
    now = visit.now()
    return visit.read(lambda tx: requests.shown(tx, number, now=now))


@router.get("/requests/{number}/answers", summary="What each client answered")
def answers(
    visit: Reader,
    number: Number,
    outcome: Annotated[str | None, Query(max_length=20, description="done, too-late, refused, or `silent`")] = None,
    after: Annotated[str, Query(max_length=32, description="last client id of the page before")] = "",
    limit: Page = 1000,
) -> list[AnswerView]:
    """The clients that it is for, by id; those that have not answered are there too."""
    return list(visit.read(lambda tx: requests.answers(tx, number, outcome=outcome, after=after, limit=limit)))


@router.post("/requests/{number}/withdraw", summary="Take a request back")
def withdraw(visit: Administrator, number: Number) -> RequestView:
    """The request, withdrawn: clients that have not heard of it yet never will."""
    return visit.change(lambda tx: requests.withdraw(tx, number, by=visit.by, now=visit.now()))
