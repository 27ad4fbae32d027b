"""Which program needs which."""

from purveyor.site_server.model.dependencies import cycle_through, dependents_of, needed_by
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
