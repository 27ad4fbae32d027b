"""The `Policy` that follows from what is held. Reads the state, asks nobody."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from purveyor.client.points import addresses, memory, order
from purveyor.client.points.memory import PointUse
from purveyor.client.points.order import Place
from purveyor.client.policy import conclude
from purveyor.client.policy_view import Offer, Policy, Problem
from purveyor.client.state import published
from purveyor.client.state.identity import read_identity
from purveyor.client.state.published import HeldEntry
from purveyor.client.state.store import State
from purveyor.wire import offers, package_info
from purveyor.wire import settings as settings_file
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import ClientId, CollectionId, PackageId
from purveyor.wire.offers import CollectionOffers, Request
from purveyor.wire.package_info import PackageInfo
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import ClientState


def held_settings(state: State) -> AgentSettings | None:
    """The settings that were accepted last."""
    content = published.target_content(state, settings_file.PATH)
    return None if content is None else settings_file.decode(content)


def policy_of(state: State, *, access_point: str, now: datetime, problems: Sequence[Problem] = ()) -> Policy:
    """The policy as of now. Errors: RejectedError when this client has never read settings."""
    settings = held_settings(state)
    if settings is None:
        raise RejectedError("this client has not read its site's settings yet")
    identity = read_identity(state)
    entry = published.held_entry(state)
    snapshot = state.mark("snapshot")
    freshness = conclude.freshness(
        expires_at=state.time("metadata_expires"), stale_grace_seconds=settings.stale_grace_seconds, now=now
    )
    spoken = list(_offers_held(state, collections_of(entry)))
    is_everything_read = (
        state.mark("read_snapshot") == snapshot
        and state.fact("read_publication") == str(entry.publication if entry else "")
        and len(spoken) == len(collections_of(entry))
    )
    packages = _packages_held(state)
    deleted = frozenset(PackageId(package) for package in state.deleted_packages())
    return Policy(
        settings=settings,
        is_complete=conclude.is_offering_complete(
            entry, snapshot=snapshot, is_everything_read=is_everything_read, is_fresh=freshness.is_fresh, now=now
        ),
        is_fresh=freshness.is_fresh,
        may_run_accepted=freshness.may_run_accepted and is_member(entry),
        offers=tuple(
            Offer(collection=one.collection, advertisement=advertisement)
            for one in spoken
            for advertisement in one.advertisements
        ),
        disabled=frozenset(key for one in spoken for key in one.disabled),
        packages=packages,
        points=_points(spoken, distribution_points(state, settings, access_point, identity.client, now)),
        deleted_packages=deleted,
        deleted_programs=frozenset(key for info in packages.values() for key in conclude.programs_deleted(info)),
        running_choices={note.package: note.running for one in spoken for note in one.retirements},
        removals=frozenset(package for one in spoken for package in one.removals) - deleted,
        client=identity.client,
        windows=tuple(window for one in spoken for window in one.windows),
        requests=_requests(spoken, identity.client, now),
        waiting=frozenset(key for one in spoken for key in one.waiting),
        problems=tuple(problems),
    )


def collections_of(entry: HeldEntry | None) -> tuple[CollectionId, ...]:
    """The collections that speak to this client."""
    return entry.entry.collections if entry and entry.entry else ()


def is_member(entry: HeldEntry | None) -> bool:
    """Whether the site said that this client is a member."""
    return entry is not None and entry.entry is not None and entry.entry.state is ClientState.MEMBER


def distribution_points(
    state: State, settings: AgentSettings, access_point: str, client: ClientId, now: datetime
) -> tuple[Place, ...]:
    """The distribution points that settings name, in the order in which to ask them."""
    return order.ordered(
        [
            msgspec.structs.replace(point, url=addresses.resolved(point.url, access_point, settings.site))
            for point in settings.distribution_points
        ],
        memory.known(state, PointUse.CONTENT, client=client, now=now, slow_bytes_per_second=settings.slow_link_bytes_per_second),
    )


def _offers_held(state: State, collections: Iterable[CollectionId]) -> Iterable[CollectionOffers]:
    for collection in collections:
        content = published.target_content(state, offers.path_of(collection))
        with suppress(RejectedError):  # in words that this agent does not know; the walk has told it
            if content is not None:
                yield offers.decode(content)


def _requests(spoken: Iterable[CollectionOffers], client: ClientId, now: datetime) -> tuple[Request, ...]:
    """The requests that concern this client and have not expired, each once, by number."""
    asked = {one.number: one for said in spoken for one in said.requests if not one.clients or client in one.clients}
    return tuple(asked[number] for number in sorted(asked) if now < asked[number].expires_at)


def _packages_held(state: State) -> dict[PackageId, PackageInfo]:
    packages = {}
    for content in published.target_contents(state, "pkginfo.box/").values():
        with suppress(RejectedError):
            info = package_info.decode(content)
            packages[info.id] = info
    return packages


def _points(spoken: Sequence[CollectionOffers], places: Sequence[Place]) -> dict[str, tuple[str, ...]]:
    """The URLs of the distribution points that hold each manifest, in the order in which to ask them."""
    holders: dict[str, set[str]] = {}
    for one in spoken:
        for place in one.places:
            holders.setdefault(place.manifest, set()).update(place.points)
    return {manifest: tuple(place.url for place in places if place.id in ids) for manifest, ids in holders.items()}
