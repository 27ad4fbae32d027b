"""Which program replaces which other ones, and what of that cannot be together with what depends on what. Pure.

A program that is replaced is not run where the one that replaces it is offered. So nothing may replace what it needs.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from purveyor.site_server.model.dependencies import Dependencies, needed_by
from purveyor.wire.package_info import ProgramKey

Replacements = Mapping[ProgramKey, tuple[ProgramKey, ...]]
"""What each program replaces. One that replaces nothing is not in it."""


class Contradiction(NamedTuple):
    """A program that replaces what it needs itself."""

    program: ProgramKey
    needed: ProgramKey


def cycle_through(dependencies: Dependencies, replacements: Replacements, start: ProgramKey) -> tuple[ProgramKey, ...]:
    """The shortest way from `start` back to itself over what it depends on and what it replaces; nothing when there is none.

    Shape: `start`, what it leads to …, `start`.
    """
    came_from: dict[ProgramKey, ProgramKey] = {}
    edge = [start]
    while edge:
        following: list[ProgramKey] = []
        for key in edge:
            for led_to in _led_to(dependencies, replacements, key):
                if led_to == start:
                    return _way(came_from, start, key)
                if led_to not in came_from:
                    came_from[led_to] = key
                    following.append(led_to)
        edge = following
    return ()


def contradiction_in(dependencies: Dependencies, replacements: Replacements) -> Contradiction | None:
    """A program that replaces what it depends on, directly or not, or None."""
    for program, replaced in sorted(replacements.items()):
        both = needed_by(dependencies, [program]).intersection(replaced)
        if both:
            return Contradiction(program, min(both))
    return None


def replacing(replacements: Replacements, programs: Iterable[ProgramKey]) -> frozenset[ProgramKey]:
    """All programs that replace one of these."""
    wanted = frozenset(programs)
    return frozenset(key for key, replaced in replacements.items() if not wanted.isdisjoint(replaced))


def _led_to(dependencies: Dependencies, replacements: Replacements, key: ProgramKey) -> tuple[ProgramKey, ...]:
    needed = dependencies.get(key)
    replaced = replacements.get(key, ())
    return replaced if needed is None else (needed, *replaced)


def _way(came_from: Mapping[ProgramKey, ProgramKey], start: ProgramKey, last: ProgramKey) -> tuple[ProgramKey, ...]:
    way = [start]
    while last != start:
        way.append(last)
        last = came_from[last]
    return (start, *reversed(way))
