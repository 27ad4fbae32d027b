"""Points: the CAPs and DPs of a site, what clients and the site know of each, and how one is put to rest.

Adding a point tells clients of it. Draining tells them to leave it, while the site goes on filling it and collecting what comes
there. Removing ends both: the site takes away what it put there itself, or leaves it to whoever owns the folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

from sqlalchemy import Connection

from purveyor.site_server.claim import Mark, refuse_filled
from purveyor.site_server.database import audit, content_copies, points, publication, settings
from purveyor.site_server.database.points import PointRow
from purveyor.site_server.model import points as rules
from purveyor.site_server.model.points import PointGiven, PointKind, PointSaid, PointState
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.moments import utc_text
from purveyor.wire.status_messages import StatusId

WELL = "ok"
_TROUBLES: Mapping[int | None, str] = {
    StatusId.POINT_FULL: "full",
    StatusId.POINT_READ_ONLY: "read-only",
    StatusId.POINT_FOREIGN: "foreign",
    StatusId.POINT_FAILS: "unavailable",
}
"""What was told last of a point that fails, in a word; of all others nothing is amiss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """A point and how it stands.

    Shape: `filled_by` is site (its own folder), push, or mirror; `is_told`: whether clients are told of it, which they are of a
    CAP elsewhere once it was filled. `behind` counts publications that a CAP lacks, or manifests that a DP lacks; None
    where it is not known: a mirror fills the CAP, or nothing was pushed there yet, or since a restore. `waits_for` says what is
    still to come before it may be removed.
    `absent_requests`: requests of clients for files that it did not have, as those that asked it have told, which are `asked_by`
    in number; None: none of them has told anything yet.
    Units: `quiet_since`: since when no item came there.
    """

    id: str
    kind: PointKind
    state: PointState
    state_since: datetime
    filled_by: str
    url: str
    target: str
    credentials: str
    endpoint: str
    region: str
    networks: tuple[str, ...]
    weight: int
    pins: tuple[str, ...]
    bandwidth: str
    takes_items: bool
    is_told: bool
    behind: int | None
    succeeded_at: datetime | None
    tried_at: datetime | None
    failures: int
    problem: str
    quiet_since: datetime | None
    is_drained: bool
    waits_for: str
    files: int
    manifests: int
    absent_requests: int | None
    asked_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentRequests:
    """How many requests for absent files there were at all points and other addresses, as so many clients have told.

    `absent_requests` is None while no client has told anything; `elsewhere`: of these at addresses that settings do not name.
    """

    absent_requests: int | None
    elsewhere: int
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A point that was removed, and what is left there, in words; empty when nothing is known to be.

    `emptied_from`: when the site begins to take away what it put there; None: it takes nothing away.
    """

    id: str
    left: tuple[str, ...]
    emptied_from: datetime | None


def add(
    tx: Connection,
    kind: PointKind,
    *,
    own_folder: str = "",
    is_filled: bool = False,
    by: str,
    now: datetime,
    **given: Unpack[PointGiven],
) -> str:
    """A new point; its id. `own_folder` is the site's own, in which no point may lie. `is_filled`: a mirror has filled the CAP.

    Errors: RefusedError: an address that cannot be one, or is taken; too many points; relative addresses would mislead.
    """
    said = refuse_impossible(tx, kind, own_folder=own_folder, is_filled=is_filled, **given)
    name = points.insert_point(tx, kind, said, now)
    if is_filled:
        points.set_filled(tx, [name], now)
    audit.record(tx, by=by, now=now, action="point.add", about=name, detail=_detail(said) | {"filled": is_filled or None})
    return name


def refuse_impossible(
    tx: Connection, kind: PointKind, *, own_folder: str = "", is_filled: bool = False, **given: Unpack[PointGiven]
) -> PointSaid:
    """What would be said of a new point, before anybody looks at its place. Errors: as `add`."""
    if len(points.standing(tx)) >= rules.LIMIT:
        raise RefusedError(f"a site has at most {rules.LIMIT} points")
    if not given.get("url"):
        raise RefusedError("where do clients find it? Give its address")
    said = rules.said_with(PointSaid(url=""), given)
    if rules.is_relative(said.url):
        raise RefusedError("a new point has a whole address: only the site's own may be told as a place beside the CAP")
    rules.refuse_unkept_budget(kind, said, is_home=False)
    if is_filled:
        rules.refuse_filled_by_hand(kind, said, is_home=False)
    _refuse_clash(tx, None, kind, said, own_folder)
    return said


def edit(
    tx: Connection,
    name: str,
    *,
    own_folder: str = "",
    is_refilled: bool = False,
    is_filled: bool = False,
    by: str,
    now: datetime,
    **given: Unpack[PointGiven],
) -> PointView:
    """Changes what is given. Where it is elsewhere then, or to be filled anew, nothing counts as lying there.

    `is_filled`: a mirror has filled the CAP, which the site cannot see.

    Errors: RefusedError: no such point, nothing changed, or it cannot be so.
    """
    row = _kept(tx, name)
    said = rules.said_with(row.said, given)
    if row.state is PointState.EMPTYING and (is_refilled or rules.place_of(said.target) != rules.place_of(row.said.target)):
        raise RefusedError(f"{name} is being emptied: only how the site gets there can be changed, by its credentials say")
    if row.is_home and (said.target or is_refilled):
        raise RefusedError(f"{name} is in the site's own hand: nothing is pushed there, and what is lost is healed by itself")
    if is_refilled and not said.target:
        raise RefusedError(f"{name} is filled by a mirror: the site writes nothing there")
    rules.refuse_unkept_budget(row.kind, said, is_home=row.is_home)
    if is_filled:
        rules.refuse_filled_by_hand(row.kind, said, is_home=row.is_home)
    if said == row.said and not is_refilled and not (is_filled and row.is_awaited):
        raise RefusedError(f"nothing changed: {name} is so already")
    _refuse_clash(tx, name, row.kind, said, own_folder)
    is_moved = (said.target, said.endpoint) != (row.said.target, row.said.endpoint)
    if is_refilled or is_moved or (row.is_mirrored and said.url != row.said.url):
        _forget(tx, name)
        if any(one.is_told for one in points.standing(tx, PointKind.CAP) if one.id != name):
            points.set_unfilled(tx, name)
    points.set_said(tx, name, said)
    if is_filled:
        points.set_filled(tx, [name], now)
        if row.told in rules.TROUBLES:
            points.tell(tx, name, StatusId.POINT_BACK, f"{by} says that a mirror has filled it", now)
    detail = _detail(said) | {"refilled": is_refilled or None, "filled": is_filled or None}
    audit.record(tx, by=by, now=now, action="point.edit", about=name, detail=detail)
    return shown(tx, name, now)


def drain(tx: Connection, name: str, *, is_forced: bool = False, by: str, now: datetime) -> PointView:
    """Clients leave the point: nothing new is begun there.

    Errors: RefusedError: no such point, it drains already, or it is the last of its kind and that is not forced.
    """
    row = _standing(tx, name)
    if row.state is PointState.DRAINING:
        raise RefusedError(f"{name} drains since {utc_text(row.state_since)}")
    _refuse_last(tx, row, "drained", is_forced=is_forced)
    points.set_state(tx, name, PointState.DRAINING, now)
    audit.record(tx, by=by, now=now, action="point.drain", about=name, detail={"forced": is_forced or None})
    return shown(tx, name, now)


def resume(tx: Connection, name: str, *, by: str, now: datetime) -> PointView:
    """A draining point is used again. Errors: RefusedError: no such point, or it does not drain."""
    if _standing(tx, name).state is PointState.ACTIVE:
        raise RefusedError(f"{name} does not drain")
    points.set_state(tx, name, PointState.ACTIVE, now)
    audit.record(tx, by=by, now=now, action="point.resume", about=name)
    return shown(tx, name, now)


def remove(tx: Connection, name: str, *, is_forced: bool = False, is_left: bool = False, by: str, now: datetime) -> Removed:
    """No client is told of the point any more; the site then takes away what it put there, which is a work of turns.

    With `is_left` it leaves all of it there, at a point that is being emptied too; and always in its own folder.
    Errors: RefusedError: no such point, the last of its kind, or not drained yet, where that is not forced.
    """
    row = _kept(tx, name)
    if row.state is not PointState.EMPTYING:
        _refuse_last(tx, row, "removed", is_forced=is_forced)
        waits_for = _waits_for(tx, row, now)
        if waits_for and not is_forced:
            raise RefusedError(f"{name} cannot be removed yet: {waits_for}. --force removes it all the same")
    elif not is_left:
        raise RefusedError(f"{name} is removed, and being emptied: {_waits_for(tx, row, now)}. --leave leaves there what is left")
    left = _left(tx, row)
    is_emptied = row.is_claimed and not is_left
    if is_emptied:
        content_copies.want_all_of(tx, points.unname_contents(tx, name, now))
    else:
        _forget(tx, name)
    points.set_state(tx, name, PointState.EMPTYING if is_emptied else PointState.REMOVED, now)
    detail = {"left": left, "forced": is_forced or None, "emptied": is_emptied or None}
    audit.record(tx, by=by, now=now, action="point.remove", about=name, detail=detail)
    begins = rules.emptied_from(now, settings.patient_settings(tx, now)) if is_emptied else None
    return Removed(id=name, left=left, emptied_from=begins)


def listed(tx: Connection, now: datetime, *, with_removed: bool = False) -> tuple[PointView, ...]:
    """Points, CAPs first: those that stand or are being emptied, or all there ever were."""
    found = points.all_points(tx) if with_removed else points.kept(tx)
    return tuple(_view(tx, one, now) for one in found)


def shown(tx: Connection, name: str, now: datetime) -> PointView:
    """A point, removed or not. Errors: RefusedError when there is none."""
    row = points.point_of(tx, name)
    if row is None:
        raise RefusedError(f"there is no point {name[:40]!r}: `purveyor point list` shows those there are")
    return _view(tx, row, now)


def counted(tx: Connection) -> dict[str, int]:
    """How many points are well, and how many fail in which way. Shape: every word, those of no point too, `WELL` first."""
    amounts = dict.fromkeys((WELL, *_TROUBLES.values()), 0)
    for point in points.kept(tx):
        amounts[_TROUBLES.get(point.told, WELL)] += 1
    return amounts


def absent_requests(tx: Connection) -> AbsentRequests:
    """How many requests for absent files there were in all."""
    found = points.absent_in_all(tx)
    return AbsentRequests(
        absent_requests=found.requests if found.clients else None,
        elsewhere=points.absent_at(tx, "").requests,
        clients=found.clients,
    )


def joining_pin(tx: Connection) -> str:
    """The pin that a join code carries, of the first CAP that has one; empty where CAs vouch for all of them."""
    return next((one.said.pins[0] for one in points.standing(tx, PointKind.CAP) if one.is_told and one.said.pins), "")


def refuse_if_foreign(shelf: Shelf, kind: PointKind, mark: Mark, first_root: bytes) -> str:
    """Looks at a place before it becomes a point. Shape: why it could not be looked at, in words; empty when it could.

    Errors: RefusedError when it holds somebody else's boxes, content or files.
    """
    try:
        refuse_filled(shelf, kind, mark, first_root)
    except (UnavailableError, RejectedError) as error:
        return str(error)
    finally:
        shelf.close()
    return ""


# --- what is known ----------------------------------------------------------------------------------------------------


def _standing(tx: Connection, name: str) -> PointRow:
    row = _kept(tx, name)
    if row.state is PointState.EMPTYING:
        raise RefusedError(f"{name} was removed at {utc_text(row.state_since)}, and is being emptied")
    return row


def _kept(tx: Connection, name: str) -> PointRow:
    row = points.point_of(tx, name)
    if row is None:
        raise RefusedError(f"there is no point {name[:40]!r}: `purveyor point list` shows those there are")
    if row.state is PointState.REMOVED:
        raise RefusedError(f"{name} was removed at {utc_text(row.state_since)}")
    return row


def _refuse_clash(tx: Connection, name: str | None, kind: PointKind, said: PointSaid, own_folder: str) -> None:
    others = [one for one in points.kept(tx) if one.id != name]
    problem = rules.clash(said, [(one.id, one.said) for one in others])
    if not problem and own_folder and said.target.startswith("/"):
        home = PointSaid(url="", target=own_folder)
        problem = rules.clash(said, [("the site itself", home)])
    others = [one for one in others if one.state is not PointState.EMPTYING]
    if not problem:
        here = [(name or "the new point", said.url)]
        access_points = [(one.id, one.said.url) for one in others if one.kind is PointKind.CAP]
        everything = [(one.id, one.said.url) for one in others] + here
        problem = rules.ambiguous(access_points + (here if kind is PointKind.CAP else []), everything)
    if problem:
        raise RefusedError(problem)


def _refuse_last(tx: Connection, row: PointRow, what: str, *, is_forced: bool) -> None:
    others = [one for one in points.standing(tx, row.kind) if one.id != row.id]
    able = [one for one in others if one.state is PointState.ACTIVE and (row.kind is PointKind.DP or one.takes_items)]
    if is_forced or any(one.is_told for one in able):
        return
    kind = "CAP to which clients can report" if row.kind is PointKind.CAP else "DP"
    then = "add another one"
    if able:
        then = f"no client is told of {', '.join(one.id for one in able)}, which never took a whole publication: see to that"
    raise RefusedError(f"{row.id} is the last {kind}: {then} before it is {what}, or say --force")


def _forget(tx: Connection, name: str) -> None:
    content_copies.want_all_of(tx, points.forget_contents(tx, name))


def _waits_for(tx: Connection, row: PointRow, now: datetime) -> str:
    held = settings.patient_settings(tx, now)
    if row.state is PointState.ACTIVE:
        return f"clients use it: `purveyor point drain {row.id}` comes first"
    if row.state is PointState.REMOVED:
        return ""
    if row.state is PointState.EMPTYING:
        begins = rules.emptied_from(row.state_since, held)
        files, manifests = points.file_count(tx, row), points.manifest_count(tx, row)
        left = f"{files} files" if row.kind is PointKind.CAP else f"the content of {manifests} manifests"
        return f"{left} that the site put there still to go" + (f" from {utc_text(begins)} on" if now < begins else "")
    if row.failures and row.takes_items and not row.is_mirrored:
        return "the site cannot reach it, and does not know what clients put there last"
    if rules.is_drained(row.state, row.quiet_since, held, now - settings.clock_doubt(tx, now)):
        return ""
    quiet_since = row.quiet_since or row.state_since
    return f"clients may still use it until {utc_text(quiet_since + rules.drain_grace(held))}, if nothing more comes"


def _left(tx: Connection, row: PointRow) -> tuple[str, ...]:
    files, manifests = points.file_count(tx, row), points.manifest_count(tx, row)
    where = row.said.target or ("the site's own folder" if row.is_home else row.said.url)
    left = []
    if files:
        left.append(f"{files} files of boxes in {where}")
    if manifests:
        left.append(f"the content of {manifests} manifests in {where}")
    if row.failures and row.takes_items and not row.is_mirrored:
        left.append(f"whatever clients put there last: it could not be reached ({row.problem})")
    if not row.said.target and not row.is_home:
        left.append(f"whatever the mirror has copied to {where}, and the mirror itself")
    return tuple(left)


def _behind(tx: Connection, row: PointRow) -> int | None:
    if row.state in (PointState.EMPTYING, PointState.REMOVED):
        return None
    if row.kind is PointKind.DP:
        return content_copies.lacking_on(tx, row.id)
    if row.is_home:
        return 0
    if not row.said.target or not row.publication:
        return None  # a number less none is no count: a restore leaves numbers out
    return max(0, publication.role_version(tx, "timestamp") - row.publication)


def _view(tx: Connection, row: PointRow, now: datetime) -> PointView:
    said, absent = row.said, points.absent_at(tx, row.id)
    waits_for = "" if row.state is PointState.ACTIVE else _waits_for(tx, row, now)
    return PointView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        state_since=row.state_since,
        filled_by="site" if row.is_home else "push" if said.target else "mirror",
        url=said.url,
        target=said.target,
        credentials=said.credentials,
        endpoint=said.endpoint,
        region=said.region,
        networks=said.networks,
        weight=said.weight,
        pins=said.pins,
        bandwidth=said.bandwidth,
        takes_items=row.takes_items,
        is_told=row.is_told,
        behind=_behind(tx, row),
        succeeded_at=row.succeeded_at,
        tried_at=row.tried_at,
        failures=row.failures,
        problem=row.problem,
        quiet_since=row.quiet_since,
        is_drained=row.state is PointState.DRAINING and not waits_for,
        waits_for=waits_for,
        files=points.file_count(tx, row),
        manifests=points.manifest_count(tx, row),
        absent_requests=absent.requests if absent.clients else None,
        asked_by=absent.clients,
    )


def _detail(said: PointSaid) -> dict[str, object]:
    return {
        "url": said.url,
        "target": said.target or None,
        "credentials": said.credentials or None,
        "networks": list(said.networks) or None,
        "weight": said.weight,
        "pins": list(said.pins) or None,
        "bandwidth": said.bandwidth or None,
    }
