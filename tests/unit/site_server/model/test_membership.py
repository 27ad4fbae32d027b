"""Which collections depend on which, and where a client belongs."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.model.membership import Links, affected_by, collections_of, cycle_through, ordered
from purveyor.wire.ids import CollectionId

A, B, C, D = (CollectionId(f"S011000{digit}") for digit in "1234")
NAMES = [CollectionId(f"S01100{number:02}") for number in range(8)]


@st.composite
def graphs(draw: st.DrawFn) -> dict[CollectionId, Links]:
    """Graphs without cycles: each collection names earlier ones."""
    order = draw(st.permutations(NAMES))
    graph = {}
    for position, name in enumerate(order):
        before = st.sets(st.sampled_from(order[:position]), max_size=3) if position else st.just(set[CollectionId]())
        graph[name] = Links(frozenset(draw(before)), frozenset(draw(before)))
    return graph


@given(graphs())
def test_each_collection_comes_after_what_it_depends_on(graph: dict[CollectionId, Links]) -> None:
    order = ordered(graph, set(NAMES))
    assert sorted(order) == NAMES
    for name, links in graph.items():
        assert all(order.index(other) < order.index(name) for other in links.named)


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_all_that_depends_on_a_change_is_affected_and_nothing_else(
    graph: dict[CollectionId, Links], changed: set[CollectionId]
) -> None:
    def depends(name: CollectionId) -> bool:
        return name in changed or any(depends(other) for other in graph[name].named)

    assert set(affected_by(graph, changed)) == {name for name in NAMES if depends(name)}


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_a_client_belongs_where_the_definition_says(graph: dict[CollectionId, Links], direct: set[CollectionId]) -> None:
    def belongs(name: CollectionId) -> bool:
        links = graph[name]
        return (name in direct or any(map(belongs, links.includes))) and not any(map(belongs, links.excludes))

    assert collections_of(graph, direct) == {name for name in NAMES if belongs(name)}


@given(graphs(), st.sampled_from(NAMES))
def test_a_graph_without_cycles_has_none_through_anything(graph: dict[CollectionId, Links], start: CollectionId) -> None:
    assert cycle_through(graph, start) == ()


def test_a_cycle_over_includes_and_excludes_is_shown_as_a_way() -> None:
    graph = {A: Links(includes=frozenset({B, D})), B: Links(excludes=frozenset({C})), C: Links(includes=frozenset({A}))}
    assert cycle_through(graph, A) == (A, B, C, A)


def test_a_collection_that_names_itself_is_a_cycle() -> None:
    assert cycle_through({A: Links(excludes=frozenset({A}))}, A) == (A, A)


def test_a_cycle_elsewhere_is_not_one_of_this_collection() -> None:
    assert cycle_through({A: Links(frozenset({B})), B: Links(frozenset({C})), C: Links(frozenset({B}))}, A) == ()
