"""Which programs are replaced by others that are offered to this machine: those are not run while the others are.

Pure. Programs that replace each other in a ring replace none of the ring; what a replaced program replaces stays replaced.
"""

from collections.abc import Mapping

from purveyor.wire.package_info import Program, ProgramKey


def superseded(offered: Mapping[ProgramKey, Program]) -> dict[ProgramKey, ProgramKey]:
    """The programs that are replaced, each with one that replaces it. Shape: `offered` are those that stand and fit here."""
    replaces = {key: {one.key for one in program.supersedes if one.key != key} for key, program in offered.items()}
    found: dict[ProgramKey, ProgramKey] = {}
    for key in sorted(replaces):
        for replaced in sorted(replaces[key]):
            if replaced not in found and not _leads_to(replaced, key, replaces):
                found[replaced] = key
    return found


def _leads_to(key: ProgramKey, wanted: ProgramKey, replaces: Mapping[ProgramKey, set[ProgramKey]]) -> bool:
    """Whether a program replaces another, by way of any others."""
    seen: set[ProgramKey] = set()
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if one == wanted:
            return True
        if one not in seen:
            seen.add(one)
            waiting += replaces.get(one, ())
    return False
