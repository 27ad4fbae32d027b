"""Joining a site, step by step, and leaving it.

    read the code → fetch the root it names, compare its digest → walk to the settings → make a key → send the request
    → read the own shard entry until the site has said something

Stopping at any point is harmless: joining again goes on from what is stored. A refused request leaves nothing behind.
"""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from purveyor.client import reports, trust
from purveyor.client.machine.interface import Machine
from purveyor.client.points import addresses
from purveyor.client.policy import pinning, view
from purveyor.client.policy import poll as policy_poll
from purveyor.client.policy.walk import Walk, load_trusted
from purveyor.client.state import origin, published
from purveyor.client.state.identity import Identity, forget_identity, has_identity, new_identity, read_identity, store_identity
from purveyor.client.state.store import State
from purveyor.transport.interface import Point
from purveyor.wire import join_code
from purveyor.wire.errors import AbsentError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.reports import Joining, Leaving
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import ClientState

_SEED_BYTES = 32
_NAME_BYTES = 16


class Standing(NamedTuple):
    """What the site has said of this client so far. `state` is None while it has said nothing."""

    state: ClientState | None
    reason: str

    def in_words(self, site: str) -> str:
        """A sentence for the person who joins a machine."""
        match self.state:
            case ClientState.MEMBER:
                return f"this client is a member of site {site}"
            case ClientState.WAITING:
                return f"site {site} has the request; an administrator must approve it: {self.reason or 'waiting for approval'}"
            case ClientState.REFUSED:
                return f"site {site} refused: {self.reason}"
            case ClientState.BLOCKED:
                return f"site {site} has blocked this client: {self.reason or 'no reason was given'}"
            case ClientState.REJOIN:
                return f"site {site} asks this client to join again: {self.reason or 'no reason was given'}"
            case None:
                return f"the request was sent; site {site} has not answered yet"


def request(
    state: State,
    machine: Machine,
    *,
    access_point: str,
    code_text: str,
    point_for: Callable[[str], Point],
    unpinned: Callable[[], Collection[str]] = tuple,
) -> Identity:
    """Makes this client's identity and sends the request to join.

    `unpinned` says at which addresses another key was shown than the one that the code names, as at a branch's.
    Errors: RefusedError when it joined already, or the code is not one for this CAP; UnavailableError when the CAP cannot be
    reached.
    """
    held = published.held_entry(state)
    if held is not None and held.entry is not None and held.entry.state is ClientState.REFUSED:
        forget_identity(state)
    if has_identity(state):
        return _resumed(state)
    code = join_code.read(code_text)
    pinning.begin(state, code.pin)
    point = point_for(access_point)
    settings = _settings_of(state, point, code, machine.now())
    if access_point in unpinned():
        pinning.begin(state, "")
    origin.notice_machine(state, machine=machine.facts().machine_id, boot=machine.boot_id())
    if settings.site != code.site:
        raise RefusedError(f"the join code is for site {code.site}, but {access_point} belongs to site {settings.site}")
    _refuse_where_nothing_is_taken(access_point, settings)
    identity = new_identity(settings.site, access_point, machine.random_bytes(_SEED_BYTES))
    with state.transaction():
        store_identity(state, identity)
        state.remember("access_point", access_point)
        reports.add_item(
            state,
            identity,
            Joining(secret=code.secret, facts=machine.facts()),
            applied=0,
            holding=(),
            incarnation=settings.incarnation,
            now=machine.now(),
        )
    _send(state, identity, settings, machine, point)
    return identity


def _refuse_where_nothing_is_taken(access_point: str, settings: AgentSettings) -> None:
    """A bucket takes no requests. Errors: RefusedError, with the CAPs that do."""
    takes = {addresses.resolved(one.url, access_point, settings.site): one.takes_items for one in settings.access_points}
    if not takes.get(access_point.rstrip("/"), True):
        others = ", ".join(url for url, does in takes.items() if does)
        raise RefusedError(f"{access_point} takes nothing from clients, so nobody joins there: join at {others or 'another CAP'}")


def standing(state: State, machine: Machine, *, point_for: Callable[[str], Point]) -> Standing:
    """Asks once what the site says of this client. A refusal makes the client forget its request.

    Errors: RejectedError when the CAP serves what cannot be believed.
    """
    identity = read_identity(state)
    polled = policy_poll.poll(state, identity, point_for=point_for, now=machine.now(), is_forced=True)
    held = published.held_entry(state)
    if held is None or held.entry is None:
        if polled.access_point is not None:
            _send(state, identity, polled.policy.settings, machine, point_for(polled.access_point))
        return Standing(None, "")
    reports.acknowledge(state, held.entry.received, held.entry.digest)
    if held.entry.state is ClientState.REFUSED:
        forget_identity(state)
    return Standing(held.entry.state, held.entry.reason)


def last_standing(state: State) -> Standing:
    """What the site said of this client when it was last heard; nobody is asked."""
    held = published.held_entry(state)
    return Standing(held.entry.state, held.entry.reason) if held and held.entry else Standing(None, "")


def leave(state: State, machine: Machine, *, point_for: Callable[[str], Point]) -> None:
    """Tells the site what it was not told yet and that this client leaves, and forgets the site.

    Shape:  records of what is installed stay.
    Errors: RefusedError when it never joined; UnavailableError when the site cannot be told; nothing was changed then.
    """
    identity = read_identity(state)
    settings = view.held_settings(state)
    if settings is None:
        raise RefusedError("this client never heard from its site, so there is nothing to leave; remove its state folder")
    now, applied = machine.now(), state.mark("applied")
    with state.transaction():
        reports.gather(state, identity, settings, applied=applied, holding=(), now=now)
        sequence = reports.add_item(
            state, identity, Leaving(), applied=applied, holding=(), incarnation=settings.incarnation, now=now
        )
    _send(state, identity, settings, machine, point_for(state.fact("access_point") or identity.access_point))
    unsent = state.connection.execute("select 1 from item where sequence = ? and sent_at is null", (sequence,)).fetchone()
    if unsent:
        raise UnavailableError("the site could not be told; the next try goes on from here")
    forget_identity(state)


def _resumed(state: State) -> Identity:
    identity = read_identity(state)
    held = published.held_entry(state)
    if held is not None and held.entry is not None and held.entry.state is ClientState.MEMBER:
        raise RefusedError(
            f"this client is already a member of site {identity.site}; `purveyor client leave` comes before joining another"
        )
    if held is not None and held.entry is not None and held.entry.state is ClientState.REJOIN:
        raise RefusedError(f"site {identity.site} asks for a new identity: `purveyor client leave`, then join again")
    return identity


def _settings_of(state: State, point: Point, code: join_code.JoinCode, now: datetime) -> AgentSettings:
    """The site's settings, believed because of the root that the code names. Errors: RefusedError, UnavailableError."""
    path = f"clidata.box/{code.root_version}.root.json"
    try:
        answer = point.read(path, limit_bytes=trust.ROOT_LIMIT_BYTES)
    except AbsentError as error:
        raise RefusedError(f"{point.url} is no client access point of the site that made this code: it has no {path}") from error
    if answer is None or hashlib.sha256(answer.content).digest() != code.root_sha256:
        raise RefusedError(f"{point.url} is not of the site that made this code: its root of trust is another one")
    try:
        walk = Walk(state, load_trusted(state, answer.content), point, now)
        walk.update_root()
        timestamp = walk.read(policy_poll.TIMESTAMP, trust.TIMESTAMP_LIMIT_BYTES)
        walk.update_top(timestamp)
        settings = walk.settings()
    except RejectedError as error:
        raise RefusedError(f"what {point.url} serves cannot be believed: {error}") from error
    if settings is None:
        raise UnavailableError("the site has not published its settings yet; try again in a moment")
    walk.save()
    return settings


def _send(state: State, identity: Identity, settings: AgentSettings, machine: Machine, point: Point) -> None:
    names = [machine.random_bytes(_NAME_BYTES).hex() for _ in reports.due_items(state, settings, machine.now())]
    if names:
        reports.send(state, identity, settings, points=[point], random_name=names, now=machine.now())
