"""Collections: which clients belong together, by rules. Membership is brought up to date with every change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.admin import resources, standing
from purveyor.site_server.database import (
    advertisements,
    audit,
    clients,
    collections,
    membership,
    publication,
    settings,
    wanted,
    windows,
)
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.membership import Links, cycle_through
from purveyor.site_server.model.names import name_of
from purveyor.site_server.model.pages import page_size
from purveyor.wire.errors import ConfirmationNeededError, RefusedError, RejectedError
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, collection_id

NAME_LIMIT = 100
SHOWN_DIRECT = 1000
FEW_CLIENTS = 50
"""Up to so many changed clients are worked out one by one, more of them with the whole collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionName:
    """A collection by id and name."""

    id: CollectionId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """A client by id, name and state."""

    id: ClientId
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionView:
    """A collection. Shape: `direct` has at most SHOWN_DIRECT clients, and is empty in a list, as are the links."""

    id: CollectionId
    name: str
    is_all_systems: bool
    created_at: datetime
    members: int
    advertisements: int
    direct: tuple[MemberView, ...] = ()
    includes: tuple[CollectionName, ...] = ()
    excludes: tuple[CollectionName, ...] = ()
    named_by: tuple[CollectionName, ...] = ()


def find(tx: Connection, text: str) -> CollectionId:
    """The standing collection with this id or name. Errors: RefusedError."""
    try:
        collection = collection_id(text)
    except RejectedError:
        named = collections.id_named(tx, text.strip())
        if named is None:
            raise RefusedError(
                f"there is no collection {text[:200]!r}: `purveyor collection list` shows those there are"
            ) from None
        return named
    standing.standing_collection(tx, collection)
    return collection


def add(
    tx: Connection,
    *,
    name: str,
    members: Iterable[str] = (),
    includes: Iterable[str] = (),
    excludes: Iterable[str] = (),
    by: str,
    now: datetime,
) -> CollectionId:
    """A new collection. Clients and collections are given by id or name.

    Errors: RefusedError: the name is taken, or there is no such client or collection.
    """
    name = _free_name(tx, name, None)
    numbers = resources.find_numbers(tx, members)
    links = Links(frozenset(find(tx, text) for text in includes), frozenset(find(tx, text) for text in excludes))
    _check_both(links)
    collection = collections.insert_collection(tx, publication.site_code_of(tx), name, now)
    collections.add_direct(tx, collection, numbers)
    collections.replace_links(tx, collection, links)
    membership.evaluate(tx, [collection], now)
    detail = {"name": name, "members": len(numbers), "includes": sorted(links.includes), "excludes": sorted(links.excludes)}
    audit.record(tx, by=by, now=now, action="collection.add", about=collection, detail=detail)
    return collection


def edit(
    tx: Connection,
    collection: CollectionId,
    *,
    name: str | None = None,
    add_members: Iterable[str] = (),
    remove_members: Iterable[str] = (),
    add_includes: Iterable[str] = (),
    remove_includes: Iterable[str] = (),
    add_excludes: Iterable[str] = (),
    remove_excludes: Iterable[str] = (),
    is_confirmed: bool = False,
    by: str,
    now: datetime,
) -> CollectionView:
    """Renames a collection or changes its rules.

    Errors: RefusedError: All Systems, a name that is taken, no such client or collection, or one that would come to depend on
    itself. ConfirmationNeededError: advertisements would newly reach more clients than may be reached unconfirmed.
    """
    row = _own_row(tx, collection)
    detail: dict[str, object] = {}
    if name is not None:
        detail["name"] = _free_name(tx, name, collection)
        collections.rename(tx, collection, str(detail["name"]))
    coming, going = resources.find_numbers(tx, add_members), resources.find_numbers(tx, remove_members)
    before = collections.graph(tx).get(collection, Links())
    links = Links(
        (before.includes | {find(tx, text) for text in add_includes}) - {find(tx, text) for text in remove_includes},
        (before.excludes | {find(tx, text) for text in add_excludes}) - {find(tx, text) for text in remove_excludes},
    )
    _check_both(links)
    with tx.begin_nested():
        collections.add_direct(tx, collection, coming)
        collections.remove_direct(tx, collection, going)
        if links != before:
            _check_cycle(tx, collection, links)
            collections.replace_links(tx, collection, links)
        changed = coming | going
        if links != before or len(changed) > FEW_CLIENTS:
            added = membership.evaluate(tx, [collection], now)
        else:
            added = membership.evaluate_clients(tx, changed, now)
        _confirm_growth(tx, row, added, is_confirmed=is_confirmed)
    detail |= {"added": len(coming), "removed": len(going)}
    if links != before:
        detail |= {"includes": sorted(links.includes), "excludes": sorted(links.excludes)}
    audit.record(tx, by=by, now=now, action="collection.edit", about=collection, detail=detail)
    return shown(tx, collection)


def delete(tx: Connection, collection: CollectionId, *, is_confirmed: bool = False, by: str, now: datetime) -> None:
    """Deletes a collection; with a confirmation also when it has windows, or advertisements or other collections refer to it.

    Its windows and advertisements are then deleted with it, and others include or exclude it no longer.
    Errors: RefusedError: All Systems, or deleted already. ConfirmationNeededError: what refers to it.
    """
    row = _own_row(tx, collection)
    offered = advertisements.standing(tx, collection=collection)
    naming = collections.naming(tx, collection)
    open_at = windows.windows_of(tx, collection)
    if (offered or naming or open_at) and not is_confirmed:
        raise ConfirmationNeededError(_references_refused(row, [str(one.id) for one in offered], naming, len(open_at)))
    membership.clear(tx, collection)
    advertisements.mark_deleted(tx, [AdvertisementId(one.id) for one in offered], now)
    windows.mark_deleted_of(tx, collection, now)
    collections.mark_deleted(tx, collection, now)
    membership.evaluate(tx, naming, now)
    wanted.want_offers(tx, collection)
    gone = [one.number for one in open_at]
    detail = {"name": row.name, "advertisements": [one.id for one in offered], "named_by": naming, "windows": gone}
    audit.record(tx, by=by, now=now, action="collection.delete", about=collection, detail=detail)


def listed(tx: Connection) -> tuple[CollectionView, ...]:
    """All standing collections, by id."""
    return tuple(_view(row) for row in collections.standing(tx))


def shown(tx: Connection, collection: CollectionId) -> CollectionView:
    """A collection with its rules. Errors: RefusedError when there is none."""
    row = _standing_row(tx, collection)
    links = collections.graph(tx).get(collection, Links())
    direct = collections.direct_members(tx, collection, SHOWN_DIRECT)
    return CollectionView(
        id=collection,
        name=row.name,
        is_all_systems=row.is_all_systems,
        created_at=row.created_at,
        members=row.members,
        advertisements=row.advertisements,
        direct=tuple(MemberView(id=ClientId(one.id), name=one.name, state=one.state) for one in direct),
        includes=_names(tx, links.includes),
        excludes=_names(tx, links.excludes),
        named_by=_names(tx, collections.naming(tx, collection)),
    )


def members(tx: Connection, collection: CollectionId, *, after: str = "", limit: int = 1000) -> tuple[MemberView, ...]:
    """Members by id; `after` is the last id of the page before. Errors: RefusedError."""
    _standing_row(tx, collection)
    rows = clients.listed(tx, state=None, containing="", after=after, limit=page_size(limit), collection=collection)
    return tuple(MemberView(id=ClientId(row.id), name=row.name, state=row.state) for row in rows)


def _view(row: AnyRow) -> CollectionView:
    return CollectionView(
        id=CollectionId(row.id),
        name=row.name,
        is_all_systems=row.is_all_systems,
        created_at=row.created_at,
        members=row.members,
        advertisements=row.advertisements,
    )


def _names(tx: Connection, chosen: Iterable[CollectionId]) -> tuple[CollectionName, ...]:
    return tuple(CollectionName(id=one, name=name) for one, name in collections.names_of(tx, chosen).items())


def _standing_row(tx: Connection, collection: CollectionId) -> AnyRow:
    standing.standing_collection(tx, collection)
    row = collections.counted(tx, collection)
    assert row is not None
    return row


def _own_row(tx: Connection, collection: CollectionId) -> AnyRow:
    row = _standing_row(tx, collection)
    if row.is_all_systems:
        raise RefusedError(f"{row.name} has every client of the site: it can be neither changed nor deleted")
    return row


def _free_name(tx: Connection, text: str, own: CollectionId | None) -> str:
    name = name_of(text, "a collection", NAME_LIMIT)
    try:
        collection_id(name)
    except RejectedError:
        taken = collections.id_named(tx, name)
        if taken is not None and taken != own:
            raise RefusedError(
                f"{taken} is called {name!r} already: collections are addressed by name, so names differ"
            ) from None
        return name
    raise RefusedError(f"{name!r} reads as the id of a collection: choose another name")


def _check_both(links: Links) -> None:
    both = sorted(links.includes & links.excludes)
    if both:
        raise RefusedError(f"{both[0]} cannot be included and excluded at once")


def _check_cycle(tx: Connection, collection: CollectionId, links: Links) -> None:
    cycle = cycle_through({**collections.graph(tx), collection: links}, collection)
    if cycle:
        names = collections.names_of(tx, cycle)
        way = " → ".join(f"{names[step]} ({step})" for step in cycle)
        raise RefusedError(f"the collection would depend on itself: {way}")


def _confirm_growth(tx: Connection, row: AnyRow, added: Mapping[CollectionId, int], *, is_confirmed: bool) -> None:
    """Nothing, unless advertisements newly reach many clients and nobody confirmed that."""
    advertised = advertisements.collections_advertised_to(tx)
    grown = {one: count for one, count in added.items() if count and one in advertised}
    newly = sum(grown.values())
    if not is_confirmed and newly > settings.read_settings(tx).confirm_above:
        places = ", ".join(f"{name} +{grown[one]}" for one, name in collections.names_of(tx, grown).items())
        raise ConfirmationNeededError(
            f"with this change of {row.name} advertisements newly reach {newly} clients ({places}): confirm it if that is meant"
        )


def _references_refused(row: AnyRow, offered: list[str], naming: list[CollectionId], window_count: int) -> str:
    parts = []
    if offered:
        parts.append(f"{len(offered)} advertisements go to it and would be deleted with it ({', '.join(offered[:10])})")
    if naming:
        parts.append(f"the rules of {', '.join(naming[:10])} name it, and whom they reach would change")
    if window_count:
        parts.append(f"its members keep to {window_count} maintenance windows, which would be deleted with it")
    return f"collection {row.id} ({row.name}) is in use: {'; '.join(parts)}: confirm it if that is meant"
