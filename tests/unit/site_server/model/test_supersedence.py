"""Which program replaces which, together with what depends on what."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.model.supersedence import Contradiction, contradiction_in, cycle_through, replacing
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import ProgramKey

A, B, C, D = (ProgramKey(PackageId("S0100001"), ProgramNumber(number)) for number in (1, 2, 3, 4))
KEYS = st.sampled_from((A, B, C, D))


def test_a_cycle_goes_over_both_kinds_of_reference() -> None:
    assert cycle_through({A: B}, {B: (C, D), D: (A,)}, A) == (A, B, D, A)
    assert cycle_through({}, {A: (B,), B: (A,)}, B) == (B, A, B)
    assert cycle_through({A: B}, {B: (C,), C: (B,)}, A) == ()
    assert cycle_through({A: A}, {}, A) == (A, A)


def test_nothing_replaces_what_it_needs_however_far_away() -> None:
    assert contradiction_in({A: B, B: C}, {A: (D, C)}) == Contradiction(A, C)
    assert contradiction_in({A: B}, {A: (C,), B: (C,)}) is None


def test_who_replaces_one_of_some_programs_is_found() -> None:
    assert replacing({A: (B, C), D: (C,), B: (D,)}, [C]) == {A, D}
    assert replacing({A: (B,)}, []) == frozenset()


@given(st.dictionaries(KEYS, KEYS), st.dictionaries(KEYS, st.lists(KEYS, max_size=3).map(tuple)), KEYS)
def test_a_cycle_that_is_found_can_be_walked(
    needs: dict[ProgramKey, ProgramKey], replaces: dict[ProgramKey, tuple[ProgramKey, ...]], start: ProgramKey
) -> None:
    way = cycle_through(needs, replaces, start)
    if way:
        assert way[0] == way[-1] == start
        assert all(to == needs.get(of) or to in replaces.get(of, ()) for of, to in pairwise(way))
