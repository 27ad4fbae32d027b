"""The CAPs of this client: in which order they are asked, and at which of them items are put.

The signed settings name them; what was joined at is only the start, and the last resort when none of those answers any more.
"""

from datetime import datetime

import msgspec

from purveyor.client.points import addresses, memory, order, pauses
from purveyor.client.points.memory import PointUse
from purveyor.client.points.order import Place
from purveyor.client.policy import view
from purveyor.client.state import published
from purveyor.client.state.identity import Identity
from purveyor.client.state.store import State

POINTS_A_PASS = 3
"""So many CAPs are asked in one pass, and besides them the one that served last and the one that was joined at."""
TOLD_LIMIT = 400
"""Points of which the site is told: more than it ever names."""
_UP = "items for"


def places(state: State, identity: Identity, now: datetime) -> tuple[Place, ...]:
    """The CAPs that settings name, in order; empty before there are settings."""
    settings = view.held_settings(state)
    if settings is None:
        return ()
    last = last_served(state, identity)
    points = [
        msgspec.structs.replace(point, url=addresses.resolved(point.url, last, settings.site)) for point in settings.access_points
    ]
    slow = settings.slow_link_bytes_per_second
    return order.ordered(
        points, memory.known(state, PointUse.POLICY, client=identity.client, now=now, slow_bytes_per_second=slow)
    )


def access_points(state: State, identity: Identity, now: datetime) -> tuple[str, ...]:
    """The CAPs to ask, in order: those that settings name, then what served and what was joined at, should they name neither."""
    named = [place.url for place in places(state, identity, now)]
    return tuple(dict.fromkeys([*named, last_served(state, identity), identity.access_point]))


def last_served(state: State, identity: Identity) -> str:
    """The CAP that served last; before any did, the one that was joined at."""
    return state.fact("access_point") or identity.access_point


def for_items(state: State, identity: Identity, now: datetime, *, in_use: str) -> tuple[str, ...]:
    """The CAPs at which to put items: the one in use, then others, as far as they take any; those that drain come last.

    One that failed lately, in serving or in taking, is left alone unless there is no other.
    """
    settings = view.held_settings(state)
    last = last_served(state, identity)
    said = {addresses.resolved(one.url, last, settings.site): one for one in settings.access_points} if settings else {}
    urls = dict.fromkeys([in_use, *access_points(state, identity, now)])
    taking = [url for url in urls if url not in said or said[url].takes_items]
    taking.sort(key=lambda url: url in said and said[url].is_draining)
    ready = [url for url in taking if all(pauses.ends_at(state, key, now) is None for key in (url, up_key(url)))]
    return tuple((ready or taking)[:POINTS_A_PASS])


def absent_by_point(state: State, identity: Identity) -> dict[str, int]:
    """How many requests for absent files there were at each point that settings name and that was asked, by its id."""
    settings = view.held_settings(state)
    if settings is None:
        return {}
    last, counts = last_served(state, identity), published.absent_by_address(state)
    asked = counts.keys() | memory.used(state)
    named = (*settings.access_points, *settings.distribution_points)[:TOLD_LIMIT]
    whole = {one.id: addresses.resolved(one.url, last, settings.site) for one in named}
    return {name: counts.get(url, 0) for name, url in whole.items() if url in asked}


def up_key(url: str) -> str:
    """Under which name the pauses of a CAP that takes no items are remembered: it may serve all the same."""
    return f"{_UP} {url}"
