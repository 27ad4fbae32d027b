"""Maintenance windows over REST. A window is named by its number."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field
from sqlalchemy import Connection

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked, Done, IdOrName, Number
from purveyor.site_server.admin import collections, windows
from purveyor.site_server.admin.windows import WindowView
from purveyor.site_server.model.windows import WindowGiven

router = APIRouter(prefix="/windows", tags=["maintenance windows"], responses=ANSWERS)

Name = Annotated[str, Field(max_length=100)]
Start = Annotated[str, Field(max_length=64, description="2026-12-01T22:00 on each client's own clock, with Z in UTC")]
RuleText = Annotated[str, Field(max_length=600, description="FREQ=WEEKLY;BYDAY=SA; empty: it opens once")]
Seconds = Annotated[int, Field(ge=0, le=10**9)]


class NewWindow(Asked):
    """When the members of a collection may be changed. Start, rule, or both; a rule alone begins today at 00:00."""

    collection: IdOrName
    name: Name = ""
    start: Start | None = None
    rule: RuleText = ""
    duration_seconds: Seconds
    spread_seconds: Seconds = 0
    catch_up: bool = False
    is_confirmed: bool = False


class WindowChange(Asked):
    """What to change of a window; what is left out stays. An empty `rule` makes it open once."""

    name: Name | None = None
    start: Start | None = None
    rule: RuleText | None = None
    duration_seconds: Seconds | None = None
    spread_seconds: Seconds | None = None
    catch_up: bool | None = None
    is_confirmed: bool = False


@router.get("", summary="List maintenance windows")
def listed(visit: Reader, collection: Annotated[str | None, Query(max_length=200)] = None) -> list[WindowView]:
    """Standing windows by number: all, or those of a collection."""

    def ask(tx: Connection) -> list[WindowView]:
        of = collections.find(tx, collection) if collection else None
        return list(windows.listed(tx, visit.now(), collection=of))

    return visit.read(ask)


@router.post("", status_code=status.HTTP_201_CREATED, summary="Add a maintenance window to a collection")
def add(visit: Administrator, asked: NewWindow) -> WindowView:
    """The new window."""

    def act(tx: Connection) -> WindowView:
        now, collection = visit.now(), collections.find(tx, asked.collection)
        given = _given(asked)
        number = windows.add(tx, collection, is_confirmed=asked.is_confirmed, by=visit.by, now=now, **given)
        return windows.shown(tx, number, now)

    return visit.change(act)


@router.get("/{number}", summary="Show a maintenance window")
def shown(visit: Reader, number: Number) -> WindowView:
    """A window."""
    return visit.read(lambda tx: windows.shown(tx, number, visit.now()))


@router.patch("/{number}", summary="Change a maintenance window")
def edit(visit: Administrator, number: Number, asked: WindowChange) -> WindowView:
    """The window as it is then; it keeps its number."""
    given, is_confirmed = _given(asked), asked.is_confirmed
    return visit.change(lambda tx: windows.edit(tx, number, is_confirmed=is_confirmed, by=visit.by, now=visit.now(), **given))


@router.delete("/{number}", summary="Delete a maintenance window")
def delete(visit: Administrator, number: Number, is_confirmed: bool = False) -> Done:
    """Takes a window away."""
    visit.change(lambda tx: windows.delete(tx, number, is_confirmed=is_confirmed, by=visit.by, now=visit.now()))
    return Done(id=str(number))


def _given(asked: NewWindow | WindowChange) -> WindowGiven:
    return WindowGiven(
        name=asked.name,
        start=asked.start,
        rule=asked.rule,
        duration_seconds=asked.duration_seconds,
        spread_seconds=asked.spread_seconds,
        catch_up=asked.catch_up,
    )
