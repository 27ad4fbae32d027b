"""Which program needs which."""

import itertools

from purveyor.site_server.model.dependencies import cycle_through, dependents_of, longest_chain, needed_by
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import ProgramKey

A, B, C, D = (ProgramKey(PackageId(f"S010000{digit}"), ProgramNumber(1)) for digit in "1234")


def test_a_program_that_needs_itself_over_others_is_a_cycle() -> None:
    assert cycle_through({A: B, B: C, C: A}, A) == (A, B, C, A)
    assert cycle_through({A: A}, A) == (A, A)


def test_a_chain_is_none_even_where_it_ends_in_a_cycle_of_others() -> None:
    assert cycle_through({A: B, B: C}, A) == ()
    assert cycle_through({A: B, B: C, C: B}, A) == ()


def test_what_a_program_needs_is_followed_to_the_end() -> None:
    assert needed_by({A: B, B: C, D: C}, [A]) == {A, B, C}
    assert needed_by({A: B, B: A}, [A]) == {A, B}


def test_what_depends_on_a_program_is_followed_to_the_end() -> None:
    assert dependents_of({A: B, B: C, D: C}, [C]) == {A, B, D}
    assert dependents_of({A: B}, [A]) == frozenset()


def test_the_longest_chain_goes_through_what_a_program_needs_and_what_needs_it() -> None:
    keys = [ProgramKey(PackageId(f"S010000{number}"), ProgramNumber(1)) for number in range(1, 7)]
    chain = dict(itertools.pairwise(keys[:5]))
    assert [longest_chain(chain, key) for key in keys] == [5, 5, 5, 5, 5, 1]
    assert longest_chain(chain | {keys[5]: keys[3]}, keys[4]) == 5
