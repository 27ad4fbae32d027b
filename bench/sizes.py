"""How large the files are that clients read, for small and large sites, beside the limits that clients enforce.

    python -m bench.sizes

Prints the table of `docs/trust.md`. Signatures and files are real ones, made by the code that publishes; only the database is
left out.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from purveyor.client import trust
from purveyor.site_server.keys import Keys, make_keys
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish import repository
from purveyor.site_server.publish.turn import lifetimes_of
from purveyor.wire import offers, package_info, shards
from purveyor.wire.ids import (
    ClientId,
    ProgramNumber,
    advertisement_id_of,
    collection_id_of,
    package_id_of,
    site_code,
)
from purveyor.wire.package_info import Command, PackageInfo, Program

SITES = ((1_000, 100, 50), (100_000, 1_000, 300), (1_000_000, 5_000, 1_000))
"""Clients, packages, collections."""
ADVERTISEMENTS_A_COLLECTION = 20
COLLECTIONS_A_CLIENT = 10
_CODE = site_code("S01")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Prints the table."""
    columns = [sizes_of(*site) for site in SITES]
    head = " | ".join(f"{clients:,} clients, {packages:,} packages" for clients, packages, _ in SITES)
    print(f"| file | {head} | client's limit |\n| --- | {'--- | ' * (len(SITES) + 1)}".rstrip())
    for name, limit in _LIMITS.items():
        print(f"| {name} | {' | '.join(f'{column[name]:,}' for column in columns)} | {f'{limit:,}' if limit else '-'} |")


_LIMITS = {
    "root.json": trust.ROOT_LIMIT_BYTES,
    "timestamp.json": trust.TIMESTAMP_LIMIT_BYTES,
    "snapshot.json": trust.SNAPSHOT_LIMIT_BYTES,
    "targets.json": trust.TARGETS_LIMIT_BYTES,
    "packages.json": trust.TARGETS_LIMIT_BYTES,
    "packages-xx.json, the largest": trust.TARGETS_LIMIT_BYTES,
    "offers-xx.json, the largest": trust.TARGETS_LIMIT_BYTES,
    ".pkg of one program": 16 * 2**20,
    f".ofr of {ADVERTISEMENTS_A_COLLECTION} advertisements": 16 * 2**20,
    "shard": shards.SIZE_LIMIT_BYTES,
    "a poll that finds something new in one package": 0,
}


def sizes_of(client_count: int, package_count: int, collection_count: int) -> dict[str, int]:
    """The sizes in bytes for one site."""
    keys = make_keys()
    lifetimes = lifetimes_of(SiteSettings())
    roles = {role.name: role for role in repository.first_roles(keys, bin_bits=8, lifetimes=lifetimes, now=_NOW)}
    packages = {package_info.path_of(package_id_of(_CODE, number)): _package(number) for number in range(1, package_count + 1)}
    spoken = {offers.path_of(collection_id_of(_CODE, number)): _offers(number) for number in range(1, collection_count + 1)}
    changes = repository.Changes(targets=packages | spoken, highest={"packages": package_count, "offers": collection_count})
    for role in repository.next_roles(lambda name: roles[name].content, changes, keys=keys, lifetimes=lifetimes, now=_NOW):
        roles[role.name] = role
    length = {name: len(role.content) for name, role in roles.items()}
    bins = {prefix: max(size for name, size in length.items() if name.startswith(f"{prefix}-")) for prefix in repository.HASHED}
    shard = len(_shard(client_count, keys))
    package, offer = len(next(iter(packages.values()))), len(next(iter(spoken.values())))
    news = length["timestamp"] + length["snapshot"] + length["packages"] + bins["packages"] + bins["offers"] + package + offer
    values = [length[name] for name in ("root", "timestamp", "snapshot", "targets", "packages")]
    return dict(zip(_LIMITS, [*values, bins["packages"], bins["offers"], package, offer, shard, news], strict=True))


def _package(number: int) -> bytes:
    program = Program(number=ProgramNumber(1), name="install", command=Command(argv=("msiexec", "/qn", "/i", "setup.msi")))
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    info = PackageInfo(
        id=package_id_of(_CODE, number), name="An application", source_version=3, version="1.2.3", publisher="A publisher",
        manifest=digest, size_bytes=10**8, highest_program=1, programs=(program,),
    )  # fmt: skip
    return package_info.encode(info)


def _offers(number: int) -> bytes:
    advertisements = tuple(
        offers.Advertisement(
            id=advertisement_id_of(_CODE, number * ADVERTISEMENTS_A_COLLECTION + place),
            package=package_id_of(_CODE, place + 1),
            program=ProgramNumber(1),
            available_from=_NOW,
            assignments=(offers.Assignment(number=1, kind=offers.AssignmentKind.ASAP),),
        )
        for place in range(ADVERTISEMENTS_A_COLLECTION)
    )
    places = tuple(
        offers.ContentPlace(manifest=hashlib.sha256(str(place).encode()).hexdigest(), points=("dp1",))
        for place in range(ADVERTISEMENTS_A_COLLECTION)
    )
    return offers.encode(
        offers.CollectionOffers(collection=collection_id_of(_CODE, number), advertisements=advertisements, places=places)
    )


def _shard(client_count: int, keys: Keys) -> bytes:
    """A shard with as many clients as one of this site has on average, each in ten named collections."""
    clients = -(-client_count // (1 << shards.bits_for(client_count)))
    collections = tuple(collection_id_of(_CODE, number) for number in range(1, COLLECTIONS_A_CLIENT + 1))
    entry = shards.Entry(state=shards.ClientState.MEMBER, received=1000, collections=collections)
    entries = {ClientId(hashlib.sha256(str(number).encode()).hexdigest()[:32]): entry for number in range(clients)}
    shard = shards.Shard(
        generation=1,
        number=1,
        publication=10**6,
        snapshot=10**5,
        issued_at=_NOW,
        expires_at=_NOW + timedelta(days=14),
        entries=entries,
    )
    return shards.encode(shard, keys.private("lookup"))


if __name__ == "__main__":
    main()
