"""Maintenance windows: when the members of a collection may be changed.

Where any window reaches a client, mandatory programs run in one only; so the first window of a collection holds back more than it
lets through, and the last one that goes lets all through at any time. Either wants confirming where it reaches far.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

from sqlalchemy import Connection

from purveyor.site_server.admin import standing
from purveyor.site_server.database import audit, collections, settings, wanted, windows
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model import windows as rules
from purveyor.site_server.model.confirmation import Reach, confirm_reach
from purveyor.site_server.model.schedules import time_text
from purveyor.site_server.model.windows import WindowGiven
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import CollectionId
from purveyor.wire.moments import utc_text
from purveyor.wire.offers import Window
from purveyor.wire.schedule import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """A window with the collection that it belongs to.

    Shape: `start` is a time as administrators write it; `rule` is empty where it opens once; `next_opens` is when it opens next
    on its own clock, None when it never does any more.
    """

    number: int
    name: str
    collection: CollectionId
    collection_name: str
    start: str
    zone: Zone
    rule: str
    duration_seconds: int
    spread_seconds: int
    catch_up: bool
    next_opens: str | None
    created_at: datetime
    created_by: str


def add(
    tx: Connection,
    collection: CollectionId,
    *,
    is_confirmed: bool = False,
    by: str,
    now: datetime,
    **given: Unpack[WindowGiven],
) -> int:
    """A new window of a collection; its number.

    Errors: RefusedError: no such collection, a window that cannot be or stands already. ConfirmationNeededError: it reaches far.
    """
    target = standing.standing_collection(tx, collection)
    there = windows.windows_of(tx, collection)
    if len(there) >= rules.LIMIT:
        raise RefusedError(f"{target.name} has {len(there)} windows: {rules.LIMIT} are possible")
    window = rules.new_window(windows.next_number(tx), given, now)
    twin = next((one for one in there if _says_the_same(one, window)), None)
    if twin is not None:
        raise RefusedError(f"window {twin.number} of {target.name} is open at these times already")
    _confirm(tx, f"a window of {target.name}", target, is_confirmed=is_confirmed)
    windows.insert_window(tx, collection, window, by=by, now=now)
    if collections.mark_named(tx, collection):
        wanted.want_naming(tx, collection)
    wanted.want_offers(tx, collection)
    audit.record(tx, by=by, now=now, action="window.add", about=_about(window.number), detail=_detail(collection, window))
    return window.number


def edit(
    tx: Connection, number: int, *, is_confirmed: bool = False, by: str, now: datetime, **given: Unpack[WindowGiven]
) -> WindowView:
    """Changes what is given; the window keeps its number.

    Errors: RefusedError: no such window, nothing changed, it cannot be so. ConfirmationNeededError: it reaches far.
    """
    row = _standing_row(tx, number)
    collection, before = CollectionId(row.collection), windows.window_in(row)
    window = rules.window_with(before, given, now)
    if window == before:
        raise RefusedError(f"nothing changed: window {number} is so already")
    target = standing.standing_collection(tx, collection)
    _confirm(tx, f"this change of a window of {target.name}", target, is_confirmed=is_confirmed)
    windows.change(tx, window)
    wanted.want_offers(tx, collection)
    audit.record(tx, by=by, now=now, action="window.edit", about=_about(number), detail=_detail(collection, window))
    return shown(tx, number, now)


def delete(tx: Connection, number: int, *, is_confirmed: bool = False, by: str, now: datetime) -> None:
    """Takes a window away. Errors: RefusedError: no such window. ConfirmationNeededError: it reaches far."""
    row = _standing_row(tx, number)
    collection = CollectionId(row.collection)
    target = standing.standing_collection(tx, collection)
    is_last = len(windows.windows_of(tx, collection)) == 1
    what = f"deleting {'the only' if is_last else 'a'} window of {target.name}"
    _confirm(tx, what, target, is_confirmed=is_confirmed)
    windows.mark_deleted(tx, number, now)
    wanted.want_offers(tx, collection)
    detail = _detail(collection, windows.window_in(row))
    audit.record(tx, by=by, now=now, action="window.delete", about=_about(number), detail=detail)


def listed(tx: Connection, now: datetime, *, collection: CollectionId | None = None) -> tuple[WindowView, ...]:
    """Standing windows by number: all, or those of a collection."""
    found = windows.standing(tx, None if collection is None else [collection])
    return tuple(_view(row, str(row.collection_name), now) for row in found)


def shown(tx: Connection, number: int, now: datetime) -> WindowView:
    """A standing window. Errors: RefusedError when there is none."""
    row = _standing_row(tx, number)
    return _view(row, str(standing.standing_collection(tx, CollectionId(row.collection)).name), now)


def _standing_row(tx: Connection, number: int) -> AnyRow:
    row = windows.row_of(tx, number)
    if row is None:
        raise RefusedError(f"there is no window {number}: `purveyor window list` shows those there are")
    if row.deleted_at is not None:
        raise RefusedError(f"window {number} was deleted at {utc_text(row.deleted_at)}")
    return row


def _confirm(tx: Connection, what: str, target: AnyRow, *, is_confirmed: bool) -> None:
    reach = Reach(collections.member_count(tx, CollectionId(target.id)), target.is_all_systems)
    confirm_reach(what, reach, confirm_above=settings.read_settings(tx).confirm_above, is_confirmed=is_confirmed)


def _says_the_same(one: Window, other: Window) -> bool:
    return rules.when_of(one) == rules.when_of(other) and one.duration_seconds == other.duration_seconds


def _about(number: int) -> str:
    return f"window {number}"


def _detail(collection: CollectionId, window: Window) -> dict[str, object]:
    return {
        "collection": collection,
        "name": window.name,
        "start": time_text(window.start, window.zone),
        "rule": window.rule,
        "duration_seconds": window.duration_seconds,
        "spread_seconds": window.spread_seconds,
        "catch_up": window.catch_up,
    }


def _view(row: AnyRow, collection_name: str, now: datetime) -> WindowView:
    window = windows.window_in(row)
    following = rules.next_opening_of(window, now)
    return WindowView(
        number=window.number,
        name=window.name,
        collection=CollectionId(row.collection),
        collection_name=collection_name,
        start=time_text(window.start, window.zone),
        zone=window.zone,
        rule=window.rule,
        duration_seconds=window.duration_seconds,
        spread_seconds=window.spread_seconds,
        catch_up=window.catch_up,
        next_opens=None if following is None else time_text(following.nominal, window.zone),
        created_at=row.created_at,
        created_by=row.created_by,
    )
