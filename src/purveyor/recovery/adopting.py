"""Brings the rows of a backup to what was published since: packages, what collections say, clients, numbers.

What the site signed after the backup is newer than the backup, and is taken from there: so no client forgets a package or loses
a program only because a disk failed. What people are to look at is said; advertisements are paused where there is any doubt.
Source: the protocol, section 11.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from purveyor.recovery.decisions import Decision, Kind
from purveyor.recovery.published import Published, Reading
from purveyor.site_server.admin import packages as admin_packages
from purveyor.site_server.database import (
    advertisements,
    clients,
    collections,
    counters,
    membership,
    programs,
    publication,
    requests,
    restoring,
    retirement,
    windows,
)
from purveyor.site_server.database.slices import slices
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.publish import repository
from purveyor.site_server.publish.offers import advertisement_of
from purveyor.wire.ids import ClientId, CollectionId, PackageId, number_of
from purveyor.wire.offers import CollectionOffers, Request, RunningChoice, Window
from purveyor.wire.shards import ClientState, Entry

BY = "site restore"
_STANDING = (PackageState.ACTIVE, PackageState.REMOVING)


def adopt(tx: Connection, published: Published, now: datetime) -> list[Decision]:
    """All that was published after the backup, save keys and clients. Shape: what people are to look at."""
    known_paths = restoring.named_paths(tx)
    changed = {target for target, path in published.paths.items() if path not in known_paths}
    _adopt_files(tx, published, now)
    _raise_numbers(tx, published)
    found = _adopt_packages(tx, published, changed, now)
    found += _adopt_offers(tx, published, changed, now)
    return found


# --- files and numbers ------------------------------------------------------------------------------------------------


def _adopt_files(tx: Connection, published: Published, now: datetime) -> None:
    """The signed bytes that stand are the published ones; what only the backup named is named no more."""
    trusted = published.trusted
    publication.set_unnamed(tx, [path for path in restoring.named_paths(tx) if not path.endswith("root.json")], now)
    for version, content in sorted(published.roots.items()):
        publication.store_down_file(tx, f"clidata.box/{version}.root.json", content)
    for name, version in published.roles().items():
        role = repository.given_role(name, trusted.contents[name])
        publication.store_role(tx, name=name, version=version, content=role.content, expires_at=role.expires_at)
        for path in repository.paths_of(role):
            publication.store_down_file(tx, path, role.content)
    for target, content in published.contents.items():
        publication.store_down_file(tx, published.paths[target], content)


def _raise_numbers(tx: Connection, published: Published) -> None:
    counters.raise_to(tx, counters.PACKAGE, published.trusted.highest("packages"))
    counters.raise_to(tx, counters.COLLECTION, published.trusted.highest("offers"))
    for said in filter(None, published.offers().values()):
        for kind, numbers in (
            (counters.ADVERTISEMENT, [number_of(one.id) for one in said.advertisements]),
            (counters.WINDOW, [one.number for one in said.windows]),
            (counters.REQUEST, [one.number for one in said.requests]),
        ):
            counters.raise_to(tx, kind, max(numbers, default=0))
    for kind, told in ((counters.CAP, published.settings.access_points), (counters.DP, published.settings.distribution_points)):
        ids = [point.id.removeprefix(kind) for point in told]
        counters.raise_to(tx, kind, max((int(number) for number in ids if number.isdecimal()), default=0))


# --- packages ---------------------------------------------------------------------------------------------------------


def _adopt_packages(tx: Connection, published: Published, changed: Collection[str], now: datetime) -> list[Decision]:
    found: list[Decision] = []
    states = restoring.package_states(tx)
    shown = published.packages()
    said = list(filter(None, published.offers().values()))
    for package, info in shown.items():
        if info is None or f"pkginfo.box/{package}.pkg" not in changed or states.get(package, "active") not in _STANDING:
            continue
        restoring.take_package(tx, info, now)
        what = "was changed after the backup" if package in states else "was made after the backup"
        found.append(Decision(Kind.PACKAGE, package, f"{info.name} {what}: it is as it was published; look at its source"))
    notes = {note.package: note.running for one in said for note in one.retirements}
    for package, state in sorted(states.items()):
        if state in _STANDING and package not in shown and number_of(package) <= published.trusted.highest("packages"):
            _retire(tx, package, state, notes.get(package, RunningChoice.FINISH), now)
            found.append(Decision(Kind.PACKAGE, package, "was deleted after the backup, and is deleted again"))
    removed = {package for one in said for package in one.removals}
    for package in sorted(removed & shown.keys()):
        if states.get(package, "active") == PackageState.ACTIVE:
            admin_packages.delete(tx, package, with_uninstall=True, is_confirmed=True, by=BY, now=now)
            found.append(Decision(Kind.PACKAGE, package, "was being uninstalled everywhere after the backup, and is so again"))
    for key in sorted({key for one in said for key in one.disabled}):
        programs.set_enabled(tx, key, is_enabled=False)
    return found


def _retire(tx: Connection, package: PackageId, state: str, running: RunningChoice, now: datetime) -> None:
    if state == PackageState.REMOVING:
        retirement.set_state(tx, package, PackageState.RETIRING, now)
    else:
        admin_packages.delete(tx, package, running=running, is_confirmed=True, by=BY, now=now)


# --- what collections say ---------------------------------------------------------------------------------------------


def _adopt_offers(tx: Connection, published: Published, changed: Collection[str], now: datetime) -> list[Decision]:
    found: list[Decision] = []
    shown = published.offers()
    for collection, said in sorted(shown.items()):
        if said is None:
            continue
        if collections.row_of(tx, collection) is None:
            restoring.insert_collection(tx, collection, f"{collection}, made after the backup", now)
            text = "was made after the backup: its name and rules are gone, its members are those that were published"
            found.append(Decision(Kind.COLLECTION, collection, text))
        if f"offerinf.box/{collection}.ofr" in changed:
            found += _take_changed(tx, collection, said, now)
    found += _pause_unpublished(tx, shown)
    return found


def _take_changed(tx: Connection, collection: CollectionId, said: CollectionOffers, now: datetime) -> list[Decision]:
    """What a collection said after the backup: its advertisements, paused; its windows; what was asked of runs."""
    found: list[Decision] = []
    rows = restoring.advertisement_rows(tx)
    for one in said.advertisements:
        before = rows.get(one.id)
        if before is not None and (before["deleted_at"] is not None or advertisement_of(before) == one):
            continue
        if programs.row_of(tx, one.key) is None:
            found.append(Decision(Kind.ADVERTISEMENT, one.id, f"offered {one.key}, which is gone: it is not taken back"))
            continue
        restoring.take_advertisement(tx, one, collection, before, now)
        what = "was made after the backup" if before is None else "was edited after the backup"
        if not one.is_paused:
            text = f"offers {one.key} and {what}: it is paused, as it was published then"
            found.append(Decision(Kind.ADVERTISEMENT, one.id, text))
    _take_windows(tx, collection, said.windows, now)
    _take_requests(tx, collection, said.requests, now)
    return found


def _take_windows(tx: Connection, collection: CollectionId, said: Sequence[Window], now: datetime) -> None:
    kept = {one.number for one in windows.windows_of(tx, collection)}
    for number in sorted(kept - {one.number for one in said}):
        windows.mark_deleted(tx, number, now)
    for window in said:
        if window.number in kept:
            windows.change(tx, window)
        elif windows.row_of(tx, window.number) is None:
            windows.insert_window(tx, collection, window, by=BY, now=now)


def _take_requests(tx: Connection, collection: CollectionId, said: Sequence[Request], now: datetime) -> None:
    asked = {one.number for one in requests.open_requests(tx, collection)}
    for number in sorted(asked - {one.number for one in said}):
        requests.close(tx, number, now)
    for request in said:
        if requests.row_of(tx, request.number) is None and advertisements.row_of(tx, request.advertisement) is not None:
            requests.insert_request(tx, request, reason="asked after the backup", by=BY)


def _pause_unpublished(tx: Connection, shown: Mapping[CollectionId, CollectionOffers | None]) -> list[Decision]:
    """Pauses what stands in the backup and is not published so: deleted or edited since, or never published."""
    found: list[Decision] = []
    for _, mine in sorted(restoring.advertisement_rows(tx).items()):
        if mine["deleted_at"] is not None or mine["is_paused"]:
            continue
        own = advertisement_of(mine)
        said = shown.get(CollectionId(str(mine["collection"])))
        one = next((one for one in said.advertisements if one.id == own.id), None) if said else None
        if one == own or (said is not None and one is None and own.key in said.waiting):
            continue
        advertisements.set_paused(tx, own.id, is_paused=True)
        what = "was deleted after the backup, or was never published" if one is None else "was published in another form"
        found.append(Decision(Kind.ADVERTISEMENT, own.id, f"{mine['name']} {what}: it is paused"))
    return found


# --- clients ----------------------------------------------------------------------------------------------------------


def adopt_clients(tx: Connection, reading: Reading, made: Collection[CollectionId], now: datetime) -> list[Decision]:
    """What every shard said of its clients: those that are new, the states of all, and members of collections that were `made`.

    Shape: what people are to look at.
    """
    found: list[Decision] = []
    joined = 0
    for shard in reading.shards():
        for part in slices(sorted(shard.entries)):
            joined += _adopt_entries(tx, {client: shard.entries[client] for client in part}, made, found, now)
    if joined:
        text = f"joined after the backup, and known again: {joined}; names come with the next report of each"
        found.append(Decision(Kind.CLIENT, "joined", text))
    if reading.unread:
        text = f"could not be read: {reading.unread}; clients that joined or were removed since come back with a receipt"
        found.append(Decision(Kind.CLIENT, "shards", text))
    return found


def _adopt_entries(
    tx: Connection, said: Mapping[ClientId, Entry], made: Collection[CollectionId], found: list[Decision], now: datetime
) -> int:
    """Clients of one shard. Shape: how many of them the backup did not know."""
    entries = {client: entry for client, entry in said.items() if entry.state is not ClientState.REFUSED}
    known = restoring.client_states(tx, entries)
    new = entries.keys() - known.keys()
    restoring.insert_clients(tx, [(one, _state(entries[one]), entries[one].reason) for one in sorted(new)], now)
    changed = {client for client in known if known[client][1] != _state(entries[client])}
    for client in sorted(changed):
        clients.set_state(tx, known[client][0], _state(entries[client]), entries[client].reason)
        if _state(entries[client]) == clients.REMOVED:
            collections.forget_client(tx, known[client][0])
            clients.drop_open_holdings(tx, known[client][0])
        text = f"was {known[client][1]} in the backup and is {_state(entries[client])}, as it was published"
        found.append(Decision(Kind.CLIENT, client, text))
    numbers = {client: number for client, (number, _) in (known | restoring.client_states(tx, new)).items()}
    touched = new | changed
    for client, entry in entries.items():
        named = [one for one in entry.collections if client in new or one in made]
        touched |= {client} if named else set()
        _place(tx, numbers[client], named)
    membership.evaluate_clients(tx, [numbers[client] for client in touched], now)
    return len(new)


def _place(tx: Connection, client: int, named: Collection[CollectionId]) -> None:
    for collection in named:
        row = collections.row_of(tx, collection)
        if row is not None and row.deleted_at is None and not row.is_all_systems:
            collections.add_direct(tx, collection, [client])


def _state(entry: Entry) -> str:
    return clients.REMOVED if entry.state is ClientState.REJOIN else entry.state.value
