"""Which programs must have succeeded before another may run: the chain of dependencies, deepest first.

Pure. A dependency is not advertised itself; it runs under the occurrence of the program that needs it (Q263700, Q318779).
"""

from collections.abc import Collection, Mapping

import msgspec

from purveyor.wire.causes import Cause
from purveyor.wire.ids import PackageId
from purveyor.wire.package_info import PackageInfo, Program, ProgramKey
from purveyor.wire.platforms import is_of_platforms
from purveyor.wire.reports import Facts

DEPTH_LIMIT = 32
"""Programs in one chain; a longer one is taken for a mistake."""


class Chain(msgspec.Struct, frozen=True):
    """The programs to run, in this order; the last one is the one that was asked for."""

    keys: tuple[ProgramKey, ...]


class Broken(msgspec.Struct, frozen=True):
    """Why there is no chain to run. Where a program is only disabled, that may pass without anything being mended."""

    reason: str
    cause: Cause = Cause.DEPENDENCY_BROKEN


def chain_of(
    key: ProgramKey,
    packages: Mapping[PackageId, PackageInfo],
    *,
    gone: Collection[ProgramKey] = (),
    disabled: Collection[ProgramKey] = (),
) -> Chain | Broken:
    """The program and all that it depends on, deepest first.

    Shape:  `gone` are programs proven deleted, `disabled` those that may not run now.
    """
    keys: list[ProgramKey] = []
    wanted: ProgramKey | None = key
    while wanted is not None:
        if wanted in keys:
            return Broken(f"{key} depends on itself, by way of {' → '.join(str(one) for one in (*reversed(keys), wanted))}")
        if len(keys) >= DEPTH_LIMIT:
            return Broken(f"{key} depends on more than {DEPTH_LIMIT} programs in a row")
        program = program_of(wanted, packages)
        if program is None or wanted in gone:
            return Broken(
                f"the program {wanted}, on which {key} depends, does not exist" if wanted != key else f"{key} cannot be read"
            )
        if keys and wanted in disabled:
            return Broken(f"the program {wanted}, on which {key} depends, is disabled", Cause.DEPENDENCY_DISABLED)
        keys.insert(0, wanted)
        wanted = program.depends_on
    return Chain(tuple(keys))


def program_of(key: ProgramKey, packages: Mapping[PackageId, PackageInfo]) -> Program | None:
    """The program with this key, or None."""
    info = packages.get(key.package)
    return None if info is None else info.program(key.program)


def is_supported(program: Program, facts: Facts) -> bool:
    """Whether a program may run on a machine: one of its platforms is the machine's, or leads to it."""
    return is_of_platforms(program.platforms, facts.platform, facts.architecture)
