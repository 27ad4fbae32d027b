"""What clients are told of the site's own HTTPS keys, and which of them have heard of the next one."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import audit, clients, points, publication
from purveyor.site_server.database.wanted import Kind
from purveyor.site_server.model.points import PointKind, PointState

UNSERVED = (
    "HTTPS: clients look there for {} of the site's own points, and this server speaks HTTP: "
    "`purveyor site run DIR --https` serves it, unless a proxy does that"
)
_WANTS_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """How many members there are, and how many of them have not said yet that they read what was published since then."""

    members: int
    unheard: int


def announce(tx: Connection, pins: tuple[str, ...], *, by: str, now: datetime) -> bool:
    """Lets clients be told of the keys of the site's own points. Shape: whether anything changed."""
    own = [one for one in points.all_points(tx) if one.is_home and one.state is not PointState.REMOVED]
    changed = [one for one in own if one.said.pins != pins]
    for one in changed:
        points.set_said(tx, one.id, msgspec.structs.replace(one.said, pins=pins))
        audit.record(tx, by=by, now=now, action="point.pins", about=one.id, detail={"pins": list(pins)})
    return bool(changed)


def left_behind(tx: Connection) -> int:
    """How many members do not find the site over HTTPS: all of them, where its own CAP was never told as served by it."""
    own = [one.said for one in points.standing(tx, PointKind.CAP) if one.is_home]
    is_found = not own or any(said.pins or said.url.startswith("https://") for said in own)
    return 0 if is_found else clients.applied_counts(tx, 0)[0]


def looked_for(tx: Connection) -> int:
    """How many of the site's own points clients are told to reach over HTTPS."""
    own = [one.said for one in points.standing(tx) if one.is_home]
    return sum(bool(said.pins) or said.url.startswith("https://") for said in own)


def published_in(tx: Connection) -> int:
    """A snapshot in which clients are told of all that is announced; 0: it is not published yet."""
    is_waiting = any(want.kind is Kind.SETTINGS for want in publication.unmet(tx, _WANTS_LIMIT))
    return 0 if is_waiting else publication.role_version(tx, "snapshot")


def hearing(tx: Connection, snapshot: int) -> Hearing:
    """Who has applied this snapshot or a newer one. Snapshot 0: nobody."""
    members, unheard = clients.applied_counts(tx, snapshot)
    return Hearing(members=members, unheard=unheard if snapshot else members)
