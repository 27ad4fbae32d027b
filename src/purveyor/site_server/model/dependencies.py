"""Which program needs which other one to have run before it, across packages. Pure."""

from collections.abc import Iterable, Mapping

from purveyor.wire.package_info import ProgramKey

CHAIN_LIMIT = 32
"""Programs in one chain; clients take a longer one for a mistake, and run nothing of it."""
Dependencies = Mapping[ProgramKey, ProgramKey]
"""What each program depends on. One that depends on nothing is not in it."""


def cycle_through(dependencies: Dependencies, start: ProgramKey) -> tuple[ProgramKey, ...]:
    """The way from `start` over what it depends on back to itself, or nothing when there is none.

    Shape: `start`, what it depends on …, `start`.
    """
    way = [start]
    seen = {start}
    while (needed := dependencies.get(way[-1])) is not None:
        way.append(needed)
        if needed == start:
            return tuple(way)
        if needed in seen:
            return ()
        seen.add(needed)
    return ()


def longest_chain(dependencies: Dependencies, program: ProgramKey) -> int:
    """How many programs the longest chain has that goes through one, itself counted; there may be no cycle through it.

    Units: programs.
    """
    length = len(needed_by(dependencies, [program]))
    waiting = dependents = {key for key, needed in dependencies.items() if needed == program}
    while waiting:
        length += 1
        waiting = {key for key, needed in dependencies.items() if needed in waiting} - dependents
        dependents = dependents | waiting
    return length


def needed_by(dependencies: Dependencies, programs: Iterable[ProgramKey]) -> frozenset[ProgramKey]:
    """These programs and all that they depend on, directly or not."""
    needed: set[ProgramKey] = set()
    for program in programs:
        key: ProgramKey | None = program
        while key is not None and key not in needed:
            needed.add(key)
            key = dependencies.get(key)
    return frozenset(needed)


def dependents_of(dependencies: Dependencies, programs: Iterable[ProgramKey]) -> frozenset[ProgramKey]:
    """All programs that depend on one of these, directly or not; these themselves only where they depend on one another."""
    dependents: set[ProgramKey] = set()
    waiting = set(programs)
    while waiting:
        found = {key for key, needed in dependencies.items() if needed in waiting} - dependents
        dependents |= found
        waiting = found
    return frozenset(dependents)
