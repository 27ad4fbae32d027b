"""A poll: two conditional reads, and a walk only where one of them changed.

Access points are asked in turn until one serves; one that fails, lags behind or keeps back is left for another, with back-off.
Source: the protocol, section 5 and 7.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from purveyor.client import trust
from purveyor.client.points import memory, pauses
from purveyor.client.points.memory import PointUse
from purveyor.client.policy import conclude, points, view
from purveyor.client.policy.walk import Walk, load_trusted
from purveyor.client.policy_view import Policy, Problem
from purveyor.client.state import published
from purveyor.client.state.identity import Identity, highest_sequence
from purveyor.client.state.published import HeldEntry
from purveyor.client.state.store import State
from purveyor.client.trust import Trusted, version_in
from purveyor.transport.interface import Answer, Point
from purveyor.wire import offers, package_info, shards
from purveyor.wire.errors import AbsentError, BusyError, RejectedError, UnavailableError
from purveyor.wire.ids import PackageId, SiteCode, site_of
from purveyor.wire.moments import utc_text
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import Shard
from purveyor.wire.status_messages import StatusId

TIMESTAMP = "clidata.box/timestamp.json"
ROOT_INTERVAL = timedelta(days=1)
FURTHEST_AHEAD = 2**20
"""More items than any agent sends between a copy of its state and the next. Nobody else lets the numbers be used up."""
_BEHIND_SINCE = "behind since "
CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far clocks may differ before that is told (Q202552)."""


class Polled(NamedTuple):
    """What a poll gave: the policy as of now, and the CAP that served (None: none could)."""

    policy: Policy
    access_point: str | None
    newly_deleted: tuple[PackageId, ...]


class LaggingError(UnavailableError):
    """This CAP has not shown yet what was seen at another one: nothing is wrong with it, and nothing new can be had there."""


class Rank(IntEnum):
    """How well a CAP served."""

    WHOLE = 1
    PARTLY = 2
    """It keeps newer things back, or lacks files to which its own metadata leads."""
    BEHIND = 3


@dataclass(slots=True)
class _Found:
    """What came of one pass over the CAPs, as far as it went."""

    problems: list[Problem] = field(default_factory=list)
    newly_deleted: list[PackageId] = field(default_factory=list)
    served_by: dict[Rank, list[str]] = field(default_factory=lambda: {rank: [] for rank in Rank})
    asked_count: int = 0


class _Served(NamedTuple):
    problems: tuple[Problem, ...]
    newly_deleted: tuple[PackageId, ...]
    is_torn: bool = False


def poll(
    state: State, identity: Identity, *, point_for: Callable[[str], Point], now: datetime, is_forced: bool = False
) -> Polled:
    """Asks the access points, and gives the policy that follows from what is held then. Forced: also those that failed lately.

    Each is asked for itself, from its own timestamp on, and what is concluded follows from all that was verified so far: one that
    is older than what was seen elsewhere is asked for no more, and serves only where no other one does.
    Errors: RejectedError when this client has never read settings and cannot now.
    """
    found = _Found()
    known = points.access_points(state, identity, now)
    always = (points.last_served(state, identity), identity.access_point)
    for url in known:
        if not is_forced and pauses.ends_at(state, url, now) is not None:
            found.problems += pauses.trouble_of(state, url)
        elif found.asked_count < points.POINTS_A_PASS or url in always:
            _ask(found, state, identity, url, point_for, now)
        if found.served_by[Rank.WHOLE]:
            break
    served_by = _chosen(found, state, now)
    if served_by is None:
        pauses.note_silence(state, known, now)
    else:
        with state.transaction():
            state.remember("access_point", served_by)
            state.remember_time("served_at", now)
            pauses.over(state)
            memory.note_answer(state, PointUse.POLICY, served_by, now)
    last = points.last_served(state, identity)
    policy = view.policy_of(state, access_point=last, now=signed_now(state, now), problems=found.problems)
    return Polled(policy, served_by, tuple(found.newly_deleted))


def _ask(found: _Found, state: State, identity: Identity, url: str, point_for: Callable[[str], Point], now: datetime) -> None:
    """Asks one CAP, and adds what came of it."""
    found.asked_count += 1
    try:
        served = _poll_at(state, identity, point_for(url), now)
    except LaggingError:
        found.served_by[Rank.BEHIND].append(url)
        found.problems += _behind(state, url, now)
        return
    except BusyError as error:
        pauses.begin_busy(state, url, error, now=now)  # no problem to tell of: that would be one more thing for it to do
        return
    except (UnavailableError, RejectedError) as error:
        pauses.begin(state, url, str(error), interval_seconds=_interval_seconds(state), now=now)
        found.problems += pauses.trouble_of(state, url)
        return
    with state.transaction():
        published.remember_point(state, url, failures=0, next_try_at=None)
        if state.fact(_BEHIND_SINCE + url):
            state.remember(_BEHIND_SINCE + url, "")
    found.problems += served.problems
    found.newly_deleted += served.newly_deleted
    keeps_back = any(problem.status is StatusId.POINT_WITHHOLDS for problem in served.problems)
    found.served_by[Rank.PARTLY if keeps_back or served.is_torn else Rank.WHOLE].append(url)


def _chosen(found: _Found, state: State, now: datetime) -> str | None:
    """The CAP that served best. One that was behind is left alone for a while, unless there is no other."""
    best = [*found.served_by[Rank.WHOLE], *found.served_by[Rank.PARTLY], *found.served_by[Rank.BEHIND]]
    for url in found.served_by[Rank.BEHIND]:
        if url != best[0]:
            told = [problem.reason for problem in found.problems if problem.about == url]
            pauses.begin(state, url, "".join(told[:1]), interval_seconds=_interval_seconds(state), now=now)
        else:
            published.remember_point(state, url, failures=0, next_try_at=None)
    return best[0] if best else None


def _behind(state: State, url: str, now: datetime) -> tuple[Problem, ...]:
    """A problem record when a CAP stays behind what others have shown: for longer than a site is ever silent."""
    since = state.time(_BEHIND_SINCE + url)
    if since is None or since > now:
        state.remember_time(_BEHIND_SINCE + url, now)
        return ()
    rhythm_seconds = int(state.fact("rhythm_seconds") or trust.USUAL_RHYTHM_SECONDS)
    if not conclude.is_withheld(since, rhythm_seconds, now):
        return ()
    reason = f"it lags behind what was seen elsewhere, since {utc_text(since)} or longer"
    return (Problem(about=url, reason=reason, status=StatusId.POINT_WITHHOLDS),)


def _interval_seconds(state: State) -> int:
    settings = view.held_settings(state)
    return settings.poll_interval_seconds if settings else pauses.FIRST_BACK_OFF_SECONDS


def signed_now(state: State, now: datetime) -> datetime:
    """The time by which expiry is judged: the later of the local clock and the newest signed time seen (protocol, section 7)."""
    newest = state.time("newest_signed")
    return max(now, newest) if newest is not None else now


def _poll_at(state: State, identity: Identity, point: Point, now: datetime) -> _Served:
    """One poll at one CAP. A new timestamp is followed first: it may lead to settings by which the shard lies elsewhere.

    Errors: UnavailableError, RejectedError; what was verified before stays.
    """
    settings = view.held_settings(state)
    timestamp = _read_changed(state, point, TIMESTAMP, trust.TIMESTAMP_LIMIT_BYTES)
    if timestamp is None:
        _refuse_lagging(state, point)
    elif version_in(timestamp.content) < state.mark("timestamp"):
        _refuse_older(state, point)
    lookup = _read_shard(state, identity, point, settings) if settings and timestamp is None else None
    root_read_at = state.time("root_read")
    is_root_due = root_read_at is None or not root_read_at <= now < root_read_at + ROOT_INTERVAL
    if timestamp is None and lookup is None and not is_root_due and _is_everything_read(state):
        return _Served((*_withheld(state, point, now), *_clock_behind(state, now)), ())
    return _walk(state, identity, point, now, timestamp=timestamp, lookup=lookup, is_root_due=is_root_due)


def _walk(
    state: State,
    identity: Identity,
    point: Point,
    now: datetime,
    *,
    timestamp: Answer | None,
    lookup: Answer | None,
    is_root_due: bool,
) -> _Served:
    walk = Walk(state, load_trusted(state), point, now)
    before = view.held_settings(state)
    asked_shard = shard_path(identity, before) if before and timestamp is None else ""
    try:
        settings = _update_metadata(walk, timestamp, is_root_due=is_root_due)
        if lookup is None and asked_shard != shard_path(identity, settings):
            lookup = _read_shard(state, identity, point, settings)
        entry = published.held_entry(state)
        if lookup is not None:
            entry = _accept_entry(walk, identity, settings, _shard_in(walk, identity, settings, lookup))
            if view.is_member(entry) and entry.is_stated:
                published.store_receipt(state, lookup.content)
        deleted = _read_what_concerns(walk, entry, identity.site)
    except (UnavailableError, RejectedError):
        walk.save()
        raise
    with state.transaction():
        walk.save()
        state.remember_time("metadata_expires", walk.trusted.expires_at())
        state.remember(f"seen {point.url}", str(state.mark("timestamp")))
        if timestamp is not None:
            published.store_tag(state, point.url, TIMESTAMP, timestamp.tag)
        if lookup is not None:
            published.store_tag(state, point.url, shard_path(identity, settings), lookup.tag)
        if is_root_due:
            state.remember_time("root_read", now)
        _remember_reading(state, entry, is_complete=walk.is_complete)
    ahead = _clock_ahead(walk.trusted, now) if timestamp is not None else ()
    problems = (*walk.problems, *_withheld(state, point, now), *ahead, *_clock_behind(state, now))
    return _Served(problems, tuple(deleted), walk.is_torn)


def _remember_reading(state: State, entry: HeldEntry | None, *, is_complete: bool) -> None:
    """Records for which snapshot and shard everything that could offer a program was read."""
    if is_complete:
        state.raise_mark("read_snapshot", state.mark("snapshot"))
    state.remember("read_publication", str(entry.publication if entry else "") if is_complete else "incomplete")


def _update_metadata(walk: Walk, timestamp: Answer | None, *, is_root_due: bool) -> AgentSettings:
    """Brings the metadata up to date; a timestamp that does not verify may be signed by keys that a newer root names.

    Errors: RejectedError, UnavailableError.
    """
    if is_root_due:
        walk.update_root()
    content = timestamp.content if timestamp else None
    try:
        walk.update_top(content)
    except RejectedError:
        if is_root_due:
            raise
        walk.update_root()
        walk.update_top(content)
    settings = walk.settings()
    if settings is None:
        raise RejectedError("the site publishes no settings")
    return settings


def _shard_in(walk: Walk, identity: Identity, settings: AgentSettings, lookup: Answer) -> Shard:
    """The shard that was read; one compiled against a newer publication than the one held means: read the timestamp again, once.

    Errors: RejectedError, UnavailableError.
    """
    shard = shards.decode(lookup.content, settings.shards.keys)
    own = (settings.shards.generation, shards.shard_number(identity.client, settings.shards.bits))
    if (shard.generation, shard.number) != own:
        raise RejectedError(f"the shard {shard.number} of generation {shard.generation} lies where another one should")
    if walk.trusted.snapshot is not None and shard.snapshot > walk.trusted.snapshot.version:
        walk.update_top(walk.read(TIMESTAMP, trust.TIMESTAMP_LIMIT_BYTES))
    return shard


def _accept_entry(walk: Walk, identity: Identity, settings: AgentSettings, shard: Shard) -> HeldEntry:
    """The entry of an acceptable shard. A shard without one says nothing: what was said before still stands.

    What was seen is remembered for each key that settings name: once a key is out of use, its numbers bind nobody.
    Errors: RejectedError when this shard is older than one seen, or expired.
    """
    state = walk.state
    marks = [f"shard_publication {key}" for key in settings.shards.keys]
    newest = max(map(state.mark, marks), default=0)
    now = signed_now(state, walk.now)
    if shard.publication < newest and shard.expires_at > now and state.mark(f"shown {walk.point.url}") < newest:
        raise LaggingError(f"the shard at {walk.point.url} lags behind what was seen elsewhere")
    if not conclude.is_shard_acceptable(shard, newest_publication=newest, now=now):
        raise RejectedError(f"the shard of publication {shard.publication} is expired, or older than one seen before")
    said = shard.entries.get(identity.client)
    if said is not None and said.received > highest_sequence(state) + FURTHEST_AHEAD:
        raise RejectedError(f"this shard says that {said.received} items were received, more than this client ever sent")
    before = published.held_entry(state)
    held = HeldEntry(
        entry=said or (before.entry if before else None),
        is_stated=said is not None,
        publication=shard.publication,
        snapshot=shard.snapshot,
        expires_at=shard.expires_at,
    )
    with state.transaction():
        for mark in (*marks, f"shown {walk.point.url}"):
            state.raise_mark(mark, shard.publication)
        return published.store_entry(state, held)


def _read_what_concerns(walk: Walk, entry: HeldEntry | None, site: SiteCode) -> list[PackageId]:
    """Reads offers and packages of this client, and judges what was deleted. Shape: packages newly proven deleted.

    Packages of another site, to which this machine belonged before, are not this one's to judge.
    """
    state = walk.state
    known_deleted = {PackageId(package) for package in state.deleted_packages()}
    spoken = walk.offers_of(view.collections_of(entry))
    advertised = {one.package for offers in spoken for one in offers.advertisements}
    noted = {note.package for offers in spoken for note in offers.retirements}
    held = {package for package in published.held_package_ids(state) if site_of(package) == site}
    concerned = (advertised | held) - known_deleted
    packages = walk.packages_of(sorted(concerned))
    proven = walk.judge_deletions(sorted((concerned | noted) - known_deleted - packages.keys()))
    if walk.trusted.expires_at() <= signed_now(state, walk.now):
        walk.is_complete = False
        return []  # expired metadata proves nothing, and a clock that was ahead may be set right
    assert walk.trusted.snapshot is not None
    with state.transaction():
        for package in proven:
            published.record_deleted(state, package, snapshot=walk.trusted.snapshot.version, at=walk.now)
        if walk.is_complete:
            _drop_unneeded(state, entry, packages)
    return proven


def _drop_unneeded(state: State, entry: HeldEntry | None, packages: Collection[PackageId]) -> None:
    """Forgets copies of the site's words that nothing needs after a complete walk. No record is touched."""
    needed = {offers.path_of(collection) for collection in view.collections_of(entry)}
    needed |= {package_info.path_of(package) for package in packages}
    held = {*published.target_contents(state, "offerinf.box/"), *published.target_contents(state, "pkginfo.box/")}
    published.drop_targets(state, sorted(held - needed))


def shard_path(identity: Identity, settings: AgentSettings) -> str:
    """Where this client's shard lies."""
    return shards.path_of(settings.shards.generation, shards.shard_number(identity.client, settings.shards.bits))


def _read_shard(state: State, identity: Identity, point: Point, settings: AgentSettings) -> Answer | None:
    return _read_changed(state, point, shard_path(identity, settings), shards.SIZE_LIMIT_BYTES)


def _read_changed(state: State, point: Point, path: str, limit_bytes: int) -> Answer | None:
    try:
        return point.read(path, limit_bytes=limit_bytes, tag=published.tag_of(state, point.url, path))
    except AbsentError:
        published.count_absent(state, point.url, 1)
        raise


def _is_everything_read(state: State) -> bool:
    entry = published.held_entry(state)
    publication = str(entry.publication if entry else "")
    return state.mark("read_snapshot") == state.mark("snapshot") and state.fact("read_publication") == publication


def _refuse_lagging(state: State, point: Point) -> None:
    """Errors: LaggingError when this CAP's own, unchanged timestamp is older than one seen elsewhere."""
    seen = state.fact(f"seen {point.url}")
    if seen and int(seen) < state.mark("timestamp"):
        published.drop_tags(state, point.url)
        raise LaggingError(f"{point.url} lags behind what was seen elsewhere")


def _refuse_older(state: State, point: Point) -> None:
    """Errors: LaggingError when this CAP has never shown a newer timestamp; UnavailableError when it has: it went back."""
    if int(state.fact(f"seen {point.url}") or 0) < state.mark("timestamp"):
        raise LaggingError(f"{point.url} lags behind what was seen elsewhere")
    raise UnavailableError(f"{point.url} lags behind what it has shown before")


def _withheld(state: State, point: Point, now: datetime) -> tuple[Problem, ...]:
    """A problem record when this CAP keeps newer timestamps back, or newer shards: those are renewed long before they expire."""
    issued_at, held = state.time("newest_signed"), published.held_entry(state)
    rhythm_seconds = int(state.fact("rhythm_seconds") or trust.USUAL_RHYTHM_SECONDS)
    if conclude.is_withheld(issued_at, rhythm_seconds, now):
        reason = f"its newest timestamp is of {issued_at}: newer ones are kept back"
    elif held is not None and held.expires_at <= signed_now(state, now):
        reason = f"the lookup shard that it serves expired at {utc_text(held.expires_at)}: newer ones are kept back"
    else:
        return ()
    return (Problem(about=point.url, reason=reason, status=StatusId.POINT_WITHHOLDS),)


def _clock_behind(state: State, now: datetime) -> tuple[Problem, ...]:
    """A problem record while the clock here is behind what the site has signed. The text is the same all day."""
    signed_at = state.time("newest_signed")
    if signed_at is None or now >= signed_at - CLOCK_TOLERANCE:
        return ()
    reason = f"the clock here is behind: it is at {now:%Y-%m-%d}, and the site signed after that, on {signed_at:%Y-%m-%d}"
    return (Problem(about="the clock", reason=reason, status=StatusId.CLOCK_DIFFERS),)


def _clock_ahead(trusted: Trusted, now: datetime) -> tuple[Problem, ...]:
    """A problem record when a timestamp that is new here reads as expired: then this clock is ahead, or the site was away.

    The text is the same all day, so that it is told once a day at most.
    """
    timestamp = trusted.timestamp
    if timestamp is None or now < timestamp.expires:
        return ()
    reason = f"a new timestamp expired at {utc_text(timestamp.expires)}, and the clock here is at {now:%Y-%m-%d}"
    return (Problem(about="the clock", reason=reason, status=StatusId.CLOCK_DIFFERS),)
