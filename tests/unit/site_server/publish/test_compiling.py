"""What is compiled from the database: packages, offers, and entries of shards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from publishing_site import PublishingSite
from purveyor.site_server.database import schema
from purveyor.site_server.database.publication import Generation, ShardClient
from purveyor.site_server.publish.lookup import entry_of, grow_generation, ranges_of
from purveyor.site_server.publish.offers import DEPENDENCY_DEPTH, chain_of, compile_offers, is_content_ready
from purveyor.site_server.publish.packages import compile_package
from purveyor.wire.ids import ClientId, PackageId, client_id_of, collection_id
from purveyor.wire.package_info import PackageInfo, ProgramKey
from purveyor.wire.shards import ClientState, shard_number
from small_site import key_of, package

# --- shards ---


@given(st.integers(0, 12), st.data())
def test_ranges_hold_exactly_the_clients_of_their_shards(bits: int, data: st.DataObject) -> None:
    numbers = data.draw(st.sets(st.integers(0, 2**bits - 1), min_size=1, max_size=20))
    ranges = ranges_of(sorted(numbers), bits)
    for seed in range(20):
        client = client_id_of(bytes([seed]))
        lies_in = any(low <= int(client[:8], 16) < high for low, high in ranges)
        assert lies_in == (shard_number(client, bits) in numbers)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(ranges)), "neighbours are joined"


@pytest.mark.parametrize(
    ("stored", "told"),
    [("member", "member"), ("waiting", "waiting"), ("blocked", "blocked"), ("rejoin", "rejoin"), ("removed", "rejoin")],
)
def test_a_client_is_told_its_state_and_one_that_was_removed_to_join_again(stored: str, told: str) -> None:
    collections = (collection_id("S0110001"),)
    client = ShardClient(0, 1, ClientId("0" * 32), stored, "because", 7)
    entry = entry_of(client, collections)
    assert (entry.state, entry.reason, entry.received) == (ClientState(told), "because", 7)
    assert entry.collections == (collections if told == "member" else ())


@pytest.mark.parametrize(
    ("standing", "clients", "grown"),
    [
        ([Generation(1, 0, None, None)], 1000, None),
        ([Generation(1, 0, "at", None)], 16, None),
        ([Generation(1, 0, "at", None)], 17, (2, 1)),
        ([Generation(1, 0, "at", "at"), Generation(2, 4, "at", None)], 1000, (3, 6)),
        ([Generation(1, 0, "at", None), Generation(2, 4, None, None)], 10_000, None),
        ([Generation(1, 4, "at", None)], 1, None),
    ],
)
def test_shards_grow_when_clients_do_one_generation_at_a_time(
    standing: list[Generation], clients: int, grown: tuple[int, int] | None
) -> None:
    made = grow_generation(standing, clients)
    assert (made and (made.generation, made.bits)) == grown


# --- dependencies and content ---


def needing(text: str, needs: ProgramKey | None, manifest: str = "") -> PackageInfo:
    """A package whose one program needs another."""
    made = package(text, 1, manifest=manifest)
    program = made.programs[0]
    changed = program.__class__(number=program.number, name=program.name, command=program.command, depends_on=needs)
    return package(text, 1, manifest=manifest).__class__(
        id=made.id, name=made.name, source_version=1, manifest=manifest, highest_program=1, programs=(changed,)
    )


A, B, C = (key_of(f"S010000{number}") for number in (1, 2, 3))


def test_a_chain_of_dependencies_begins_with_the_program_itself() -> None:
    packages = {info.id: info for info in (needing(A.package, B), needing(B.package, C), needing(C.package, None))}
    assert chain_of(A, packages) == [A, B, C]
    assert chain_of(C, packages) == [C]


def test_a_chain_that_goes_round_ends() -> None:
    packages = {info.id: info for info in (needing(A.package, B), needing(B.package, A))}
    assert chain_of(A, packages) == [A, B]


def test_a_chain_without_end_ends() -> None:
    keys = [key_of(f"S0100{number:03d}") for number in range(1, 100)]
    packages = {key.package: needing(key.package, after) for key, after in zip(keys, [*keys[1:], None], strict=True)}
    assert len(chain_of(keys[0], packages)) == DEPENDENCY_DEPTH


@pytest.mark.parametrize(("held", "is_ready"), [({}, False), ({"m1": ["dp1"]}, False), ({"m1": ["dp1"], "m2": ["dp1"]}, True)])
def test_content_of_the_whole_chain_must_be_on_a_point(held: dict[str, list[str]], is_ready: bool) -> None:
    packages = {
        A.package: needing(A.package, B, "m1"),
        B.package: needing(B.package, C, "m2"),
        C.package: needing(C.package, None),
    }
    assert is_content_ready(A, packages, held) is is_ready


def test_a_dependency_that_is_gone_is_not_ready() -> None:
    assert not is_content_ready(A, {A.package: needing(A.package, B)}, {})


# --- from the database ---


def compiled(site: PublishingSite, package_id: PackageId) -> PackageInfo | None:
    """A package as clients are to know it."""
    with site.database.read() as tx:
        return compile_package(tx, package_id)


def test_a_package_is_compiled_with_the_programs_that_stand() -> None:
    site = PublishingSite()
    package_id = site.add_package("an office")
    info = compiled(site, package_id)
    assert info is not None
    assert (info.name, info.highest_program, [program.name for program in info.programs]) == (
        "an office",
        2,
        ["install", "repair"],
    )
    program = schema.program
    site.do(lambda tx: tx.execute(program.update().where(program.c.number == 2).values(deleted_at=site.clock.now())))
    info = compiled(site, package_id)
    assert info is not None
    assert (info.highest_program, [program.number for program in info.programs]) == (2, [1])


@pytest.mark.parametrize(
    ("state", "stands"), [("active", True), ("removing", True), ("retiring", False), ("withdrawn", False), ("archived", False)]
)
def test_a_package_stands_until_it_is_retired(state: str, stands: bool) -> None:
    site = PublishingSite()
    package_id = site.add_package()
    site.do(lambda tx: tx.execute(schema.package.update().values(state=state)))
    assert (compiled(site, package_id) is not None) == stands


def test_an_update_is_told_only_when_a_point_has_it() -> None:
    site = PublishingSite()
    package_id = site.add_package()
    now = site.clock.now()

    def add_version(number: int, *, is_verified: bool) -> None:
        digest = f"{number:064x}"
        site.do(
            lambda tx: tx.execute(insert(schema.manifest).values(sha256=digest, size_bytes=number, file_count=1, taken_in_at=now))
        )
        site.do(
            lambda tx: tx.execute(
                insert(schema.source_version).values(package=package_id, number=number, manifest=digest, taken_in_at=now)
            )
        )
        if is_verified:
            site.do(
                lambda tx: tx.execute(
                    insert(schema.content_copy).values(point="dp1", manifest=digest, state="verified", since=now)
                )
            )

    add_version(2, is_verified=True)
    add_version(3, is_verified=False)
    info = compiled(site, package_id)
    assert info is not None
    assert (info.source_version, info.manifest, info.size_bytes) == (2, f"{2:064x}", 2)


def test_offers_of_a_collection_that_was_deleted_say_nothing() -> None:
    site = PublishingSite()
    collection = site.add_collection()
    site.advertise(site.add_package(), collection)
    with site.database.read() as tx:
        assert len(compile_offers(tx, collection).advertisements) == 1
    site.do(
        lambda tx: tx.execute(
            schema.collection.update().where(schema.collection.c.id == collection).values(deleted_at=site.clock.now())
        )
    )
    with site.database.read() as tx:
        assert compile_offers(tx, collection).advertisements == ()


def test_a_disabled_program_is_said_to_be_disabled_and_stays_offered() -> None:
    site = PublishingSite()
    package_id, collection = site.add_package(), site.add_collection()
    site.advertise(package_id, collection)
    site.do(lambda tx: tx.execute(schema.program.update().where(schema.program.c.number == 1).values(is_enabled=False)))
    with site.database.read() as tx:
        said = compile_offers(tx, collection)
    assert said.disabled == (ProgramKey(package_id, 1),)
    assert len(said.advertisements) == 1


@pytest.mark.parametrize(
    ("state", "is_removal", "is_note"),
    [("removing", True, False), ("retiring", False, True), ("withdrawn", False, True), ("purged", False, False)],
)
def test_a_package_on_its_way_out_is_told_to_those_who_were_offered_it(state: str, is_removal: bool, is_note: bool) -> None:
    site = PublishingSite()
    package_id, collection = site.add_package(), site.add_collection()
    other = site.add_collection("other")
    site.advertise(package_id, collection)
    site.do(lambda tx: tx.execute(schema.package.update().values(state=state, running_choice="stop")))
    with site.database.read() as tx:
        said, unconcerned = compile_offers(tx, collection), compile_offers(tx, other)
    assert (said.removals == (package_id,), [note.package for note in said.retirements] == [package_id]) == (is_removal, is_note)
    assert unconcerned.removals == unconcerned.retirements == ()
