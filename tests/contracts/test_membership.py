"""Membership as the databases work it out: for whole collections and for one client, as the naive definition has it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select

from purveyor.site_server.database import clients, collections, membership, publication, schema
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.membership import Links
from purveyor.wire.ids import CollectionId
from site_rows import (
    NOW,
    SITE,
    add_clients,
    add_site,
    client_id_at,
    meet_all_wants,
    members_of,
    number_of,
    shards_of,
    wanted_shards,
)

CLIENTS, COLLECTIONS = 6, 5


@dataclass(frozen=True)
class Rules:
    """Rules of some collections. A collection names only those before it, so that nothing goes round; 0 is All Systems."""

    direct: list[set[int]]
    includes: list[set[int]]
    excludes: list[set[int]]
    states: list[str]

    def members(self, collection: int) -> set[int]:
        """The naive definition."""
        of_site = {client for client, state in enumerate(self.states) if state == "member"}
        if collection == 0:
            return of_site
        at = collection - 1
        chosen = set(self.direct[at]).union(*(self.members(other) for other in self.includes[at]))
        left_out = set().union(*(self.members(other) for other in self.excludes[at]))
        return (chosen - left_out) & of_site


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    direct, includes, excludes = [], [], []
    for collection in range(1, COLLECTIONS + 1):
        before = st.integers(0, collection - 1)
        direct.append(draw(st.sets(st.integers(0, CLIENTS - 1), max_size=CLIENTS)))
        includes.append(draw(st.sets(before, max_size=3)))
        excludes.append(draw(st.sets(before, max_size=2)) - includes[-1])
    states = draw(st.lists(st.sampled_from(["member", "blocked", "waiting", "removed"]), min_size=CLIENTS, max_size=CLIENTS))
    return Rules(direct, includes, excludes, states)


class RollbackError(Exception):
    """Ends a transaction without a trace."""


@pytest.fixture
def site(database: Database) -> Database:
    with database.write() as tx:
        add_site(tx)
        add_clients(tx, CLIENTS)
        for number in range(COLLECTIONS):
            collections.insert_collection(tx, SITE, f"c{number}", NOW)
    return database


def _numbers(tx: Connection) -> list[int]:
    return [number_of(tx, client_id_at(position)) for position in range(1, CLIENTS + 1)]


def _ids(tx: Connection) -> list[CollectionId]:
    return [
        CollectionId(found) for found in tx.execute(select(schema.collection.c.id).order_by(schema.collection.c.id)).scalars()
    ]


def _apply(tx: Connection, asked: Rules) -> None:
    ids, numbers = _ids(tx), _numbers(tx)
    for client, state in zip(numbers, asked.states, strict=True):
        clients.set_state(tx, client, state, "")
    for at, collection in enumerate(ids[1:]):
        tx.execute(delete(schema.collection_rule).where(schema.collection_rule.c.collection == collection))
        collections.add_direct(tx, collection, {numbers[client] for client in asked.direct[at]})
        links = Links(frozenset(ids[one] for one in asked.includes[at]), frozenset(ids[one] for one in asked.excludes[at]))
        collections.replace_links(tx, collection, links)


def _stored(tx: Connection) -> list[set[int]]:
    numbers = _numbers(tx)
    return [{numbers.index(client) for client in members_of(tx, collection)} for collection in _ids(tx)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=rules(), second=rules())
def test_collections_and_single_clients_are_worked_out_as_the_definition_says(
    site: Database, first: Rules, second: Rules
) -> None:
    def check(tx: Connection) -> None:
        for asked in (first, second):
            expected = [asked.members(collection) for collection in range(COLLECTIONS + 1)]
            _apply(tx, asked)
            membership.evaluate(tx, _ids(tx), NOW)
            assert _stored(tx) == expected
        _apply(tx, first)
        for client in _numbers(tx):
            membership.evaluate_client(tx, client, NOW)
        assert _stored(tx) == [first.members(collection) for collection in range(COLLECTIONS + 1)]
        raise RollbackError

    with pytest.raises(RollbackError):
        _in_transaction(site, check)


def _in_transaction(site: Database, check: Callable[[Connection], None]) -> None:
    with site.write() as tx:
        check(tx)


def test_a_change_reaches_all_that_depend_on_it(site: Database) -> None:
    with site.write() as tx:
        _, a, b, c, *_ = _ids(tx)
        one, two, *_ = _numbers(tx)
        collections.replace_links(tx, b, Links(includes=frozenset({a})))
        collections.replace_links(tx, c, Links(includes=frozenset({b})))
        collections.add_direct(tx, a, [one, two])
        assert membership.evaluate(tx, [a], NOW) == {a: 2, b: 2, c: 2}
        assert members_of(tx, c) == {one, two}


def test_exclusion_wins_over_being_named_directly(site: Database) -> None:
    with site.write() as tx:
        _, a, b, *_ = _ids(tx)
        one, two, *_ = _numbers(tx)
        collections.add_direct(tx, a, [one])
        collections.add_direct(tx, b, [one, two])
        collections.replace_links(tx, b, Links(excludes=frozenset({a})))
        membership.evaluate(tx, [a, b], NOW)
        assert members_of(tx, b) == {two}


def test_only_shards_of_clients_that_come_or_go_are_wanted_and_only_for_collections_that_say_something(site: Database) -> None:
    with site.write() as tx:
        publication.insert_generation(tx, generation=2, bits=6, announced_at=None)
        _, a, b, *_ = _ids(tx)
        one, two, three, *_ = _numbers(tx)
        collections.add_direct(tx, a, [one, two])
        membership.evaluate(tx, [a], NOW)
        collections.mark_named(tx, a)
        meet_all_wants(tx)
        collections.remove_direct(tx, a, [one])
        collections.add_direct(tx, a, [three])
        membership.evaluate(tx, [a], NOW)
        wanted = {
            row.number for row in tx.execute(select(schema.shard).where(schema.shard.c.is_wanted, schema.shard.c.generation == 2))
        }
        assert wanted == shards_of([client_id_at(1), client_id_at(3)], 6)
        meet_all_wants(tx)
        collections.add_direct(tx, b, [one])
        membership.evaluate(tx, [b], NOW)
        membership.evaluate_client(tx, two, NOW)
        assert wanted_shards(tx) == set()


def test_what_a_client_was_offered_is_remembered_when_it_leaves_dependencies_included(site: Database) -> None:
    with site.write() as tx:
        _add_advertised_chain(tx)
        _, a, *_ = _ids(tx)
        one, two, three, *_ = _numbers(tx)
        collections.add_direct(tx, a, [one, two, three])
        membership.evaluate(tx, [a], NOW)
        assert _offered_before(tx) == set()
        collections.remove_direct(tx, a, [one])
        membership.evaluate(tx, [a], NOW)
        clients.set_state(tx, two, "blocked", "")
        membership.evaluate_client(tx, two, NOW)
        assert _offered_before(tx) == {(package, client) for package in ("S0100001", "S0100002") for client in (one, two)}
        membership.clear(tx, a)
        assert {client for _, client in _offered_before(tx)} == {one, two, three}
        assert members_of(tx, a) == set()


def test_a_client_that_is_told_twice_to_be_brought_up_to_date_stays_as_it_is(site: Database) -> None:
    with site.write() as tx:
        client = _numbers(tx)[0]
        assert membership.evaluate_clients(tx, [client, client], NOW) == {}


def _add_advertised_chain(tx: Connection) -> None:
    """Two packages, the first's program depends on the second's, and the first is advertised to the first own collection."""
    packages = [
        {
            "id": package,
            "name": package,
            "version": "",
            "publisher": "",
            "source": "",
            "state": "active",
            "source_version": 1,
            "size_bytes": 0,
            "highest_program": 1,
            "created_at": NOW,
        }
        for package in ("S0100001", "S0100002")
    ]
    tx.execute(insert(schema.package), packages)
    for package, depends in (("S0100001", ',"depends_on":["S0100002",1]'), ("S0100002", "")):
        definition = f'{{"command":{{"argv":["true"]}}{depends},"name":"p","number":1}}'
        tx.execute(insert(schema.program).values(package=package, number=1, name="p", definition=definition, is_enabled=True))
    tx.execute(
        insert(schema.advertisement).values(
            id="S0120001",
            name="",
            package="S0100001",
            program=1,
            collection=_ids(tx)[1],
            available_from=NOW,
            is_paused=False,
            each_version=False,
            highest_assignment=0,
            assignments="[]",
            created_at=NOW,
            created_by="",
        )
    )


def _offered_before(tx: Connection) -> set[tuple[str, int]]:
    table = schema.offered_before
    return {(row.package, row.client) for row in tx.execute(select(table.c.package, table.c.client))}
