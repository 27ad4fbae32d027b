"""The site's points as rows: what was said of each, where it is in its life, and how the last turns there went.

Written by `admin.points` (what is said, the state) and by whoever takes turns at points (how they went); read by all three hands.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from purveyor.site_server.database import counters, schema, wanted
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.points import TROUBLES, PointKind, PointSaid, PointState, is_trouble_news
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.settings import Point
from purveyor.wire.status_messages import StatusId, severity_of

HOME_CAP, HOME_DP = "cap1", "dp1"
"""The points in the site's own hand. They are rows like all others, and the first of their kinds."""
_TOLD_EVERY = timedelta(minutes=1)
"""How often a success is written down: not at each turn."""
_PROBLEM_LIMIT = 1000
_POINTS = select(schema.point)


class PointRow(NamedTuple):
    """A point as it stands."""

    id: str
    kind: PointKind
    state: PointState
    state_since: datetime
    is_home: bool
    said: PointSaid
    revision: int
    is_claimed: bool
    publication: int
    generation: int
    generation_since: datetime | None
    filled_at: datetime | None
    quiet_since: datetime | None
    succeeded_at: datetime | None
    tried_at: datetime | None
    failures: int
    problem: str
    told: int | None

    @property
    def is_pushed(self) -> bool:
        """Whether the site writes there, beside its own folders."""
        return bool(self.said.target) and self.state is not PointState.REMOVED

    @property
    def is_told(self) -> bool:
        """Whether clients are told of it: of a CAP elsewhere, once it was filled, however it fails after that."""
        is_filled = self.kind is PointKind.DP or self.is_home or self.filled_at is not None
        return is_filled and self.state in (PointState.ACTIVE, PointState.DRAINING)

    @property
    def is_mirrored(self) -> bool:
        """Whether a mirror fills it: the site writes nothing there."""
        return not self.said.target and not self.is_home and self.state is not PointState.REMOVED

    @property
    def is_read_back(self) -> bool:
        """Whether the site reads there what a mirror brought: content is named only where it was seen to lie."""
        return self.kind is PointKind.DP and self.is_mirrored

    @property
    def is_awaited(self) -> bool:
        """Whether the site looks there for the first publication that a mirror brings to a CAP."""
        return self.kind is PointKind.CAP and self.is_mirrored and self.filled_at is None

    @property
    def takes_items(self) -> bool:
        """Whether clients may put items there: nobody without a key may write into a bucket."""
        return self.kind is PointKind.CAP and not self.said.target.startswith("s3://")


def insert_home(tx: Connection, now: datetime) -> None:
    """The two points in a new site's own hand."""
    _insert(tx, PointKind.CAP, PointSaid(url="."), now, is_home=True)
    _insert(tx, PointKind.DP, PointSaid(url="../dp"), now, is_home=True)


def insert_point(tx: Connection, kind: PointKind, said: PointSaid, now: datetime) -> str:
    """A new point; its id. Clients are told of it with the next publication, or once it was filled."""
    name = _insert(tx, kind, said, now, is_home=False)
    wanted.want_settings(tx)
    return name


def all_points(tx: Connection) -> list[PointRow]:
    """Every point there ever was, CAPs first, in the order in which they came."""
    found = [_row(row) for row in tx.execute(_POINTS).all()]
    return sorted(found, key=lambda point: (point.kind, len(point.id), point.id))


def standing(tx: Connection, kind: PointKind | None = None) -> list[PointRow]:
    """Points that are neither removed nor being emptied; clients are told of those that `is_told` holds for."""
    standing_states = (PointState.ACTIVE, PointState.DRAINING)
    return [one for one in all_points(tx) if one.state in standing_states and kind in (None, one.kind)]


def kept(tx: Connection) -> list[PointRow]:
    """Points with which the site is not done: those that stand, and those that are being emptied."""
    return [one for one in all_points(tx) if one.state is not PointState.REMOVED]


def point_of(tx: Connection, name: str) -> PointRow | None:
    """A point by its id."""
    row = tx.execute(select(schema.point).where(schema.point.c.id == name)).one_or_none()
    return None if row is None else _row(row)


def told(tx: Connection, kind: PointKind) -> tuple[Point, ...]:
    """Points as agents are told of them."""
    return tuple(
        Point(
            id=one.id,
            url=one.said.url,
            networks=one.said.networks,
            weight=one.said.weight,
            is_draining=one.state is PointState.DRAINING,
            takes_items=one.takes_items or kind is PointKind.DP,
            pins=one.said.pins,
        )
        for one in standing(tx, kind)
        if one.is_told
    )


def names(tx: Connection) -> frozenset[str]:
    """The ids of all points that there ever were."""
    return frozenset(tx.execute(select(schema.point.c.id)).scalars())


class Absent(NamedTuple):
    """How many requests for absent files there were, as so many clients have told."""

    requests: int
    clients: int


def absent_at(tx: Connection, name: str) -> Absent:
    """What clients have told of one point; under the empty name, of all addresses that settings do not name."""
    asked = schema.point_asked
    statement = select(func.sum(asked.c.absent_requests), func.count()).where(asked.c.point == name)
    requests, clients = tx.execute(statement).one()
    return Absent(int(requests or 0), int(clients))


def absent_in_all(tx: Connection) -> Absent:
    """What clients have told of all points and other addresses together. Each has one row for other addresses."""
    requests = tx.execute(select(func.sum(schema.point_asked.c.absent_requests))).scalar_one()
    return Absent(int(requests or 0), absent_at(tx, "").clients)


def file_count(tx: Connection, point: PointRow) -> int:
    """Files in the boxes of a CAP, shards among them, as far as the site wrote them; 0 for a DP."""
    if point.kind is PointKind.DP:
        return 0
    if point.is_home:
        return int(tx.execute(select(func.count()).select_from(schema.down_file)).scalar_one())
    file, shard = schema.point_file, schema.point_shard
    files = select(func.count()).select_from(file).where(file.c.point == point.id, file.c.revision >= 0)
    shards = select(func.count()).select_from(shard).where(shard.c.point == point.id)
    return int(tx.execute(files).scalar_one()) + int(tx.execute(shards).scalar_one())


def manifest_count(tx: Connection, point: PointRow) -> int:
    """Manifests on a DP, verified or on their way."""
    copy = schema.content_copy
    return int(tx.execute(select(func.count()).select_from(copy).where(copy.c.point == point.id)).scalar_one())


# --- what people change -----------------------------------------------------------------------------------------------


def set_said(tx: Connection, name: str, said: PointSaid) -> None:
    """What holds of a point from now on; whatever failed there is tried at once."""
    table = schema.point
    values = {"said": to_bytes(said).decode(), "revision": table.c.revision + 1, "failures": 0, "problem": ""}
    tx.execute(update(table).where(table.c.id == name).values(values))
    wanted.want_settings(tx)


def set_state(tx: Connection, name: str, state: PointState, now: datetime) -> None:
    """Takes a point to a state. One that begins to drain counts as used until it was quiet for long enough.

    Whoever is at work at one that is removed meanwhile writes nothing down of it any more.
    """
    table = schema.point
    values: dict[str, object] = {"state": state.value, "state_since": now, "told": None}
    if state is PointState.DRAINING:
        values["quiet_since"] = now
    if state is PointState.REMOVED:
        values |= {"revision": table.c.revision + 1, "failures": 0, "problem": ""}
    tx.execute(update(table).where(table.c.id == name).values(values))
    wanted.want_settings(tx)


def forget_contents(tx: Connection, name: str) -> list[str]:
    """Nothing is known any more of what lies on a point: it is no place of content, and a push there begins anew.

    Shape: the manifests that clients were told of there.
    """
    copy = schema.content_copy
    of_it = copy.c.point == name
    told_of = list(tx.execute(select(copy.c.manifest).where(of_it, copy.c.state == "verified")).scalars())
    tx.execute(delete(copy).where(of_it))
    tx.execute(delete(schema.point_file).where(schema.point_file.c.point == name))
    tx.execute(delete(schema.point_shard).where(schema.point_shard.c.point == name))
    values = {"is_claimed": False, "publication": 0, "generation": 0, "generation_since": None}
    tx.execute(update(schema.point).where(schema.point.c.id == name).values(values))
    return told_of


def unname_contents(tx: Connection, name: str, now: datetime) -> list[str]:
    """No client is told of content on a point any more; it lies there until it is removed.

    Shape: the manifests that clients were told of there.
    """
    copy = schema.content_copy
    named = and_(copy.c.point == name, copy.c.state != "unnamed")
    told_of = list(tx.execute(select(copy.c.manifest).where(named, copy.c.state == "verified")).scalars())
    tx.execute(update(copy).where(named).values(state="unnamed", since=now, failures=0, problem=""))
    return told_of


def set_emptied(tx: Connection, name: str, left: str, now: datetime) -> None:
    """Nothing that the site put there lies on a point any more; `left` says what else does, and is shown as its problem."""
    forget_contents(tx, name)
    set_state(tx, name, PointState.REMOVED, now)
    tx.execute(update(schema.point).where(schema.point.c.id == name).values(problem=_storable(left)))
    tell(tx, name, StatusId.POINT_EMPTIED, left or "nothing is left there", now)


def set_filled(tx: Connection, names: Iterable[str], now: datetime) -> None:
    """These points count as filled since now, where they did not before: clients are told of them."""
    table = schema.point
    tx.execute(update(table).where(table.c.id.in_(list(names)), table.c.filled_at.is_(None)).values(filled_at=now))
    wanted.want_settings(tx)


def set_unfilled(tx: Connection, name: str) -> None:
    """A point counts as never filled: clients are told of it when a push or a mirror has brought it a whole publication."""
    tx.execute(update(schema.point).where(schema.point.c.id == name).values(filled_at=None))
    wanted.want_settings(tx)


def forget_pushes(tx: Connection) -> None:
    """Nothing is known any more of the boxes of any CAP that is pushed to: all of it is written anew."""
    tx.execute(delete(schema.point_file))
    tx.execute(delete(schema.point_shard))
    tx.execute(update(schema.point).values(publication=0, generation=0, generation_since=None))


# --- how turns went ---------------------------------------------------------------------------------------------------


def note_success(tx: Connection, point: PointRow, now: datetime) -> None:
    """A turn at a point went well; where it was told that they failed, that is over, and told once."""
    values = {"succeeded_at": now, "tried_at": now, "failures": 0, "problem": ""}
    is_kept = tx.execute(update(schema.point).where(_as_seen(point)).values(values)).rowcount
    if is_kept and point.told in TROUBLES:
        tell(tx, point.id, StatusId.POINT_BACK, "the site's turns there go well again", now)


def is_success_news(point: PointRow, now: datetime) -> bool:
    """Whether a success is worth writing down."""
    is_over = bool(point.failures) or point.told in TROUBLES
    return is_over or point.succeeded_at is None or abs(now - point.succeeded_at) >= _TOLD_EVERY


def note_failure(tx: Connection, point: PointRow, problem: str, trouble: StatusId, now: datetime) -> None:
    """A turn at a point failed, and why; of what kind that is, is told once as long as it stays so."""
    values = {"tried_at": now, "failures": schema.point.c.failures + 1, "problem": _storable(problem)}
    is_kept = tx.execute(update(schema.point).where(_as_seen(point)).values(values)).rowcount
    if is_kept and is_trouble_news(trouble, point.told, point.failures):
        tell(tx, point.id, trouble, problem, now)


def tell(tx: Connection, name: str, status: StatusId, text: str, now: datetime) -> None:
    """Stores a status message of a point, beside those of clients."""
    row = {
        "client": None,
        "point": name,
        "sequence": 0,
        "position": 0,
        "arrived_at": now,
        "at": now,
        "status": status.value,
        "severity": severity_of(status).value,
        "occurrence": "",
        "source_version": 0,
        "text": _storable(text),
    }
    tx.execute(insert(schema.status_message).values(row))
    tx.execute(update(schema.point).where(schema.point.c.id == name).values(told=status.value))


def note_claimed(tx: Connection, point: PointRow) -> None:
    """The site's mark lies on a point."""
    tx.execute(update(schema.point).where(_as_seen(point)).values(is_claimed=True))


def note_items(tx: Connection, point: PointRow, now: datetime) -> None:
    """Items came to a point: somebody uses it."""
    tx.execute(update(schema.point).where(schema.point.c.id == point.id).values(quiet_since=now))


def _storable(text: str) -> str:
    """Words that may come from a point, as both databases hold them: without NUL, and not too long."""
    return text.replace("\0", "")[:_PROBLEM_LIMIT]


def _as_seen(point: PointRow) -> ColumnElement[bool]:
    table = schema.point
    return and_(table.c.id == point.id, table.c.revision == point.revision)  # what was changed meanwhile is another place


def _insert(tx: Connection, kind: PointKind, said: PointSaid, now: datetime, *, is_home: bool) -> str:
    name = f"{kind}{counters.next_number(tx, counters.CAP if kind is PointKind.CAP else counters.DP)}"
    tx.execute(
        insert(schema.point).values(
            id=name,
            kind=kind.value,
            state=PointState.ACTIVE.value,
            state_since=now,
            is_home=is_home,
            said=to_bytes(said).decode(),
            revision=1,
            is_claimed=False,
            publication=0,
            generation=0,
            failures=0,
            problem="",
        )
    )
    return name


def _row(row: AnyRow) -> PointRow:
    return PointRow(
        id=row.id,
        kind=PointKind(row.kind),
        state=PointState(row.state),
        state_since=row.state_since,
        is_home=row.is_home,
        said=from_bytes(row.said.encode(), PointSaid),
        revision=row.revision,
        is_claimed=row.is_claimed,
        publication=row.publication,
        generation=row.generation,
        generation_since=row.generation_since,
        filled_at=row.filled_at,
        quiet_since=row.quiet_since,
        succeeded_at=row.succeeded_at,
        tried_at=row.tried_at,
        failures=row.failures,
        problem=row.problem,
        told=row.told,
    )


def ids(points: Iterable[PointRow]) -> frozenset[str]:
    """The ids of points."""
    return frozenset(one.id for one in points)
