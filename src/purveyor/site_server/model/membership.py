"""Who is a member of which collection. Pure.

A collection's members are the clients named directly and the members of the collections that it includes, without the members
of those that it excludes. So a collection depends on the collections it names, and may not depend on itself.
"""

from collections.abc import Iterable, Mapping, Set
from enum import StrEnum
from typing import NamedTuple

from purveyor.wire.ids import CollectionId


class RuleKind(StrEnum):
    """What a rule of a collection does. Query rules will be one more."""

    DIRECT = "direct"
    INCLUDE = "include"
    EXCLUDE = "exclude"


class Links(NamedTuple):
    """The collections that one collection names."""

    includes: frozenset[CollectionId] = frozenset()
    excludes: frozenset[CollectionId] = frozenset()

    @property
    def named(self) -> frozenset[CollectionId]:
        """All of them."""
        return self.includes | self.excludes


Graph = Mapping[CollectionId, Links]
"""The links of every collection that has any. A collection that is not in it names none."""


def cycle_through(graph: Graph, start: CollectionId) -> tuple[CollectionId, ...]:
    """A way from `start` back to itself, or nothing when there is none.

    Shape: `start`, what it names …, `start`.
    """
    ways: list[tuple[CollectionId, ...]] = [(start,)]
    seen: set[CollectionId] = set()
    while ways:
        way = ways.pop()
        for other in sorted(graph.get(way[-1], Links()).named):
            if other == start:
                return (*way, start)
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return ()


def affected_by(graph: Graph, changed: Iterable[CollectionId]) -> tuple[CollectionId, ...]:
    """These collections and all that depend on them, each after all that it depends on: the order in which to evaluate them."""
    affected = set(changed)
    dependents: dict[CollectionId, set[CollectionId]] = {}
    for collection, links in graph.items():
        for other in links.named:
            dependents.setdefault(other, set()).add(collection)
    waiting = list(affected)
    while waiting:
        for dependent in dependents.get(waiting.pop(), set()):
            if dependent not in affected:
                affected.add(dependent)
                waiting.append(dependent)
    return ordered(graph, affected)


def ordered(graph: Graph, collections: Set[CollectionId]) -> tuple[CollectionId, ...]:
    """These collections, each after those of them that it depends on, directly or not."""
    order: dict[CollectionId, None] = {}
    seen: set[CollectionId] = set()
    waiting = sorted(collections, reverse=True)
    while waiting:
        collection = waiting[-1]
        unseen = [other for other in sorted(graph.get(collection, Links()).named) if other not in seen]
        if collection not in seen and unseen:
            seen.add(collection)
            waiting.extend(unseen)
            continue
        seen.add(collection)
        waiting.pop()
        order.setdefault(collection)
    return tuple(collection for collection in order if collection in collections)


def collections_of(graph: Graph, direct: Set[CollectionId]) -> frozenset[CollectionId]:
    """The collections that one client is a member of, when `direct` are those that name it directly (All Systems is one)."""
    belongs: set[CollectionId] = set()
    for collection in ordered(graph, set(graph) | set(direct)):
        links = graph.get(collection, Links())
        is_named = collection in direct or not belongs.isdisjoint(links.includes)
        if is_named and belongs.isdisjoint(links.excludes):
            belongs.add(collection)
    return frozenset(belongs)
