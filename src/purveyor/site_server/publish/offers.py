"""What one collection says: its advertisements, and what else its members must know of these programs, as an `.ofr`."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from purveyor.site_server.database import compiled, requests, windows
from purveyor.site_server.model.advertising import Options
from purveyor.site_server.publish.packages import compile_package
from purveyor.wire import offers
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.package_info import PackageInfo, ProgramKey

DEPENDENCY_DEPTH = 32


def compile_offers(tx: Connection, collection: CollectionId) -> offers.CollectionOffers:
    """The offers of a collection; of one that was deleted, none.

    An advertisement whose content, or that of a program it depends on, is on no distribution point yet is left out: it waits for
    content (Q301385). That it does is said, so that nobody takes it for one that was taken back, and uninstalls its program.
    """
    if not compiled.collection_stands(tx, collection):
        return offers.CollectionOffers(collection=collection)
    rows = compiled.standing_advertisements(tx, collection)
    advertised = [advertisement_of(row) for row in rows]
    packages = _packages_needed(tx, (advertisement.key for advertisement in advertised))
    held = compiled.points_holding(tx, {info.manifest for info in packages.values() if info.manifest})
    waiting = {one.key for one in advertised if not is_content_ready(one.key, packages, held)}
    leaving = compiled.leaving_packages(tx, collection)
    return offers.CollectionOffers(
        collection=collection,
        advertisements=tuple(one for one in advertised if one.key not in waiting),
        disabled=tuple(
            ProgramKey(PackageId(package), ProgramNumber(number))
            for package, number in compiled.disabled_programs(tx, list(packages))
        ),
        removals=tuple(PackageId(package) for package, state, _ in leaving if state == "removing"),
        retirements=tuple(
            offers.RetirementNote(package=PackageId(package), running=offers.RunningChoice(choice or "finish"))
            for package, state, choice in leaving
            if state != "removing"
        ),
        places=tuple(offers.ContentPlace(manifest=manifest, points=tuple(points)) for manifest, points in sorted(held.items())),
        windows=windows.windows_of(tx, collection),
        requests=requests.open_requests(tx, collection),
        waiting=tuple(sorted({key for one in waiting for key in chain_of(one, packages)})),
    )


def is_content_ready(key: ProgramKey, packages: Mapping[PackageId, PackageInfo], held: Mapping[str, list[str]]) -> bool:
    """Whether every package that a program needs exists and has its content on some distribution point."""
    return all(
        package in packages and (not packages[package].manifest or packages[package].manifest in held)
        for package in {needed.package for needed in chain_of(key, packages)}
    )


def chain_of(key: ProgramKey, packages: Mapping[PackageId, PackageInfo]) -> list[ProgramKey]:
    """A program and what it depends on, itself first; a chain that goes round ends where it meets itself."""
    chain: list[ProgramKey] = []
    following: ProgramKey | None = key
    while following is not None and following not in chain and len(chain) < DEPENDENCY_DEPTH:
        chain.append(following)
        info = packages.get(following.package)
        program = info.program(following.program) if info else None
        following = program.depends_on if program else None
    return chain


def _packages_needed(tx: Connection, keys: Iterable[ProgramKey]) -> dict[PackageId, PackageInfo]:
    """The packages of these programs and of all that they depend on, those that stand."""
    packages: dict[PackageId, PackageInfo] = {}
    absent: set[PackageId] = set()
    open_keys = list(dict.fromkeys(keys))
    seen = set(open_keys)
    while open_keys:
        key = open_keys.pop()
        if key.package not in packages and key.package not in absent:
            info = compile_package(tx, key.package)
            if info is None:
                absent.add(key.package)
            else:
                packages[key.package] = info
        info = packages.get(key.package)
        program = info.program(key.program) if info else None
        if program and program.depends_on and program.depends_on not in seen:
            seen.add(program.depends_on)
            open_keys.append(program.depends_on)
    return packages


def advertisement_of(row: Mapping[str, object]) -> offers.Advertisement:
    """An advertisement as clients are told of it, from its row."""
    available_from, expires_at = row["available_from"], row["expires_at"]
    assert isinstance(available_from, datetime)
    assert expires_at is None or isinstance(expires_at, datetime)
    options = from_bytes(str(row["options"]).encode(), Options)
    return offers.Advertisement(
        id=AdvertisementId(str(row["id"])),
        package=PackageId(str(row["package"])),
        program=ProgramNumber(int(str(row["program"]))),
        available_from=available_from,
        expires_at=expires_at,
        is_paused=bool(row["is_paused"]),
        each_version=bool(row["each_version"]),
        assignments=from_bytes(str(row["assignments"]).encode(), tuple[offers.Assignment, ...]),
        rerun=options.rerun,
        priority=options.priority,
        users=options.users,
        groups=options.groups,
        is_visible=options.is_visible,
        postpone_seconds=options.postpone_seconds,
        spread_seconds=options.spread_seconds,
        ignores_windows=bool(options.ignores_windows_because),
        over_slow_link=options.over_slow_link,
    )
