"""Which programs are replaced by which: never one by itself, never all of a ring."""

from hypothesis import given
from hypothesis import strategies as st

from apm_world import key
from purveyor.client.programs.wanted.supersedence import superseded
from purveyor.wire.ids import PackageId
from purveyor.wire.package_info import Command, Program, ProgramKey, Superseded


def one(number: int) -> ProgramKey:
    return key(PackageId(f"S01{number:05d}"))


def offered(*edges: tuple[int, int]) -> dict[ProgramKey, Program]:
    found = {}
    for number in {start for start, _ in edges}:
        replaces = tuple(Superseded(key=one(end)) for start, end in edges if start == number)
        found[one(number)] = Program(number=one(number).program, name="p", command=Command(argv=("p",)), supersedes=replaces)
    return found


def test_what_is_replaced_by_a_replaced_program_is_replaced_too() -> None:
    assert superseded(offered((3, 2), (2, 1))) == {one(1): one(2), one(2): one(3)}


def test_a_program_that_is_not_offered_replaces_nothing() -> None:
    assert superseded({}) == {}


def test_a_ring_replaces_none_of_itself_and_what_hangs_on_it_all_the_same() -> None:
    assert superseded(offered((1, 2), (2, 3), (3, 1), (2, 9), (5, 5))) == {one(9): one(2)}


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), max_size=25))
def test_some_program_of_every_group_always_stands(edges: list[tuple[int, int]]) -> None:
    programs = offered(*edges)
    replaced = superseded(programs)
    assert all(any(end.key == gone for end in programs[by].supersedes) and gone != by for gone, by in replaced.items())
    if programs:
        assert set(programs) - set(replaced)
