"""Programs: the commands of packages. A program's number never changes; its name may."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar, Unpack

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.admin import program_views, standing
from purveyor.site_server.admin.program_views import view_of
from purveyor.site_server.database import advertisements, audit, offered, programs, wanted
from purveyor.site_server.model import advertising, command_line, definition, dependencies, supersedence
from purveyor.site_server.model.names import name_of
from purveyor.site_server.model.programs import NAME_LIMIT, check_program, check_superseded
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber, package_id
from purveyor.wire.package_info import Command, Conditions, Program, ProgramKey, Uninstall

ProgramView = program_views.ProgramView
Part = definition.Part
Definition = definition.Definition

_WITH_COMMANDS = frozenset({"uninstall", "detection"})
"""What has command lines in it, which may hold a password: the audit keeps the rest alone."""

T = TypeVar("T")


def find(tx: Connection, package: PackageId, text: str) -> ProgramKey:
    """The standing program of a package with this name or number. Errors: RefusedError."""
    standing.known_package(tx, package)
    text = text.strip()
    number = programs.number_named(tx, package, text)
    if number is None and text.isascii() and text.isdigit():
        number = ProgramNumber(int(text[:9]))
    if number is None:
        known = ", ".join(f"{row.name!r} ({row.number})" for row in programs.standing(tx, package)) or "none"
        raise RefusedError(f"package {package} has no program {text[:200]!r}: it has {known}")
    key = ProgramKey(package, number)
    standing.standing_program(tx, key)
    return key


def find_key(tx: Connection, text: str) -> ProgramKey:
    """The standing program written as `PACKAGE/PROGRAM`, by name or number. Errors: RefusedError, RejectedError."""
    package, separator, program = text.strip().partition("/")
    if not separator:
        raise RefusedError(f"{text[:200]!r} names no program: write package and program, such as S0100001/1")
    return find(tx, package_id(package), program)


def command_of(given: str | Sequence[str], *, is_shell: bool = False) -> Command:
    """The command in a text as it is typed, or in words. Errors: RefusedError."""
    return command_line.command_of(given, is_shell=is_shell)


def add(
    tx: Connection,
    package: PackageId,
    *,
    name: str,
    command: str | Sequence[str],
    is_shell: bool = False,
    content_paths: Collection[str] | None = None,
    by: str,
    now: datetime,
    **given: Unpack[Definition],
) -> ProgramView:
    """A new program. `command` is a text as it is typed, or words; `content_paths` are the package's files, where they are known.

    Codes for a restart or another try that are not given are the usual ones, without those that are said to mean something else.
    Errors: RefusedError, which says what to change.
    """
    standing.active_package(tx, package)
    name = _free_name(tx, package, name, None)
    bare = Program(number=ProgramNumber(0), name=name, command=command_of(command, is_shell=is_shell))
    program = msgspec.structs.replace(definition.defined(bare, given), number=programs.next_program_number(tx, package))
    key = ProgramKey(package, program.number)
    check_program(program, content_paths)
    _check_references(tx, key, program)
    programs.insert_program(tx, package, program)
    _want(tx, package)
    view = _seen(tx, key, command_line.warnings_about(command, is_shell=is_shell))
    detail: dict[str, object] = {"name": name}
    if set(view.warnings) <= set(_not_uninstalled(tx, program)):  # any other may be about a password
        detail |= {"argv": program.command.argv, "shell_line": program.command.shell_line}
    said = {field: getattr(program, field) for field, value in given.items() if value is not None and field not in _WITH_COMMANDS}
    _record(tx, "program.add", key, detail | said, by, now)
    return view


def edit(
    tx: Connection,
    key: ProgramKey,
    *,
    name: str | None = None,
    command: str | Sequence[str] | None = None,
    is_shell: bool = False,
    without: Collection[Part] = (),
    content_paths: Collection[str] | None = None,
    by: str,
    now: datetime,
    **given: Unpack[Definition],
) -> ProgramView:
    """Changes what is given, takes away the parts in `without`, and leaves the rest. Nothing runs again because of it.

    Errors: RefusedError, which says what to change; also when an advertisement that stands could then never run it.
    """
    standing.active_package(tx, key.package)
    before = programs.program_of(standing.standing_program(tx, key))
    program = definition.defined(definition.without(before, without), given)
    if name is not None:
        program = msgspec.structs.replace(program, name=_free_name(tx, key.package, name, key.program))
    if command is not None:
        program = msgspec.structs.replace(program, command=command_of(command, is_shell=is_shell))
    if program == before:
        raise RefusedError(f"nothing changed: program {key} ({before.name}) is so already")
    check_program(program, content_paths if given.get("uninstall") else None)
    if (program.depends_on, program.supersedes) != (before.depends_on, before.supersedes):
        _check_references(tx, key, program)
    _check_advertisements(tx, key, program)
    programs.replace_program(tx, key.package, program)
    _want(tx, key.package)
    changed = [field for field in Program.__struct_fields__ if getattr(program, field) != getattr(before, field)]
    _record(tx, "program.edit", key, {"name": program.name, "changed": changed}, by, now)
    typed = () if command is None else command_line.warnings_about(command, is_shell=is_shell)
    return _seen(tx, key, typed)


def files_needed(tx: Connection, package: PackageId) -> dict[str, ProgramKey]:
    """The files of a package's content without which enabled programs of it cannot run, each with one that needs it."""
    needed: dict[str, ProgramKey] = {}
    for row in programs.standing(tx, package):
        uninstall = programs.program_of(row).uninstall
        if row.is_enabled and uninstall is not None:
            needed |= dict.fromkeys(uninstall.files, ProgramKey(package, ProgramNumber(row.number)))
    return needed


def enable(tx: Connection, key: ProgramKey, *, by: str, now: datetime) -> ProgramView:
    """Lets a program be run again where it is advertised. Errors: RefusedError."""
    return _set_enabled(tx, key, is_enabled=True, by=by, now=now)


def disable(tx: Connection, key: ProgramKey, *, by: str, now: datetime) -> ProgramView:
    """Holds a program back everywhere, without forgetting anything. Errors: RefusedError."""
    return _set_enabled(tx, key, is_enabled=False, by=by, now=now)


def delete(tx: Connection, key: ProgramKey, *, is_confirmed: bool = False, by: str, now: datetime) -> None:
    """Deletes a program; with a confirmation its advertisements are deleted with it. Clients forget it.

    Errors: RefusedError: another program depends on it. ConfirmationNeededError: it is advertised.
    """
    standing.active_package(tx, key.package)
    row = standing.standing_program(tx, key)
    graph = programs.dependencies(tx)
    dependents = sorted(other for other, needed in graph.items() if needed == key)
    if dependents:
        names = ", ".join(str(other) for other in dependents[:10])
        raise RefusedError(f"program {key} ({row.name}) is needed by {names}: change or delete what depends on it first")
    offers = advertisements.standing(tx, programs=[key])
    if offers and not is_confirmed:
        places = ", ".join(f"{one.id} to {one.collection_name}" for one in offers[:10])
        raise ConfirmationNeededError(
            f"program {key} ({row.name}) is advertised: {places}: with a confirmation these advertisements are deleted too"
        )
    for one in offers:
        offered.remember_advertisement(tx, AdvertisementId(one.id))
        wanted.want_offers(tx, CollectionId(one.collection))
    advertisements.mark_deleted(tx, [AdvertisementId(one.id) for one in offers], now)
    programs.mark_deleted(tx, key, now)
    forget_replaced(tx, [key], by=by, now=now)
    _want(tx, key.package)
    _record(tx, "program.delete", key, {"name": row.name, "advertisements": [one.id for one in offers]}, by, now)


def forget_replaced(tx: Connection, gone: Collection[ProgramKey], *, by: str, now: datetime) -> None:
    """Takes programs that are being deleted out of what others replace; those go on without them."""
    for key in sorted(supersedence.replacing(programs.replacements(tx), gone) - frozenset(gone)):
        program = programs.program_of(standing.standing_program(tx, key))
        left = tuple(one for one in program.supersedes if one.key not in gone)
        programs.replace_program(tx, key.package, msgspec.structs.replace(program, supersedes=left))
        wanted.want_package(tx, key.package)
        dropped = [str(one.key) for one in program.supersedes if one.key in gone]
        _record(tx, "program.edit", key, {"name": program.name, "no_longer_replaces": dropped}, by, now)


def forget_replaced_of(tx: Connection, package: PackageId, *, by: str, now: datetime) -> None:
    """Takes the programs of a package that is being deleted out of what others replace."""
    own = {ProgramKey(package, ProgramNumber(row.number)) for row in programs.standing(tx, package)}
    forget_replaced(tx, own, by=by, now=now)


def listed(tx: Connection, package: PackageId) -> tuple[ProgramView, ...]:
    """The programs of a package, by number. Errors: RefusedError when there is no such package."""
    standing.known_package(tx, package)
    return tuple(view_of(row) for row in programs.standing(tx, package))


def shown(tx: Connection, key: ProgramKey) -> ProgramView:
    """A program. Errors: RefusedError when there is none."""
    return _seen(tx, key)


def conditions_of(tx: Connection, key: ProgramKey) -> Conditions:
    """What must hold for a program to start, as it stands. Errors: RefusedError when there is none."""
    return programs.program_of(standing.standing_program(tx, key)).conditions


def uninstall_of(tx: Connection, key: ProgramKey) -> Uninstall | None:
    """How a program is removed, as it stands, or None. Errors: RefusedError when there is no such program."""
    return programs.program_of(standing.standing_program(tx, key)).uninstall


def _seen(tx: Connection, key: ProgramKey, typed: tuple[str, ...] = ()) -> ProgramView:
    """The program as it stands, with what its command gave rise to as it was typed."""
    row = standing.standing_program(tx, key)
    return view_of(row, (*typed, *_not_uninstalled(tx, programs.program_of(row))))


def _not_uninstalled(tx: Connection, program: Program) -> tuple[str, ...]:
    """What is said of programs that are to be uninstalled by the one that replaces them, and that nothing can uninstall."""
    return tuple(
        f"{one.key} is not uninstalled where it was installed so: it has no uninstall command; it is replaced all the same"
        for one in program.supersedes
        if one.is_uninstalled and uninstall_of(tx, one.key) is None
    )


def _set_enabled(tx: Connection, key: ProgramKey, *, is_enabled: bool, by: str, now: datetime) -> ProgramView:
    standing.active_package(tx, key.package)
    row = standing.standing_program(tx, key)
    word = "enabled" if is_enabled else "disabled"
    if row.is_enabled == is_enabled:
        raise RefusedError(f"nothing changed: program {key} ({row.name}) is {word} already")
    programs.set_enabled(tx, key, is_enabled=is_enabled)
    _want(tx, key.package)
    _record(tx, "program.enable" if is_enabled else "program.disable", key, {"name": row.name}, by, now)
    return shown(tx, key)


def _want(tx: Connection, package: PackageId) -> None:
    wanted.want_package(tx, package)
    wanted.want_offers_of_all_that_advertise(tx)


def _record(tx: Connection, action: str, key: ProgramKey, detail: dict[str, object], by: str, now: datetime) -> None:
    audit.record(tx, by=by, now=now, action=action, about=key.package, detail={"program": key.program, **detail})


def _free_name(tx: Connection, package: PackageId, text: str, own: ProgramNumber | None) -> str:
    name = name_of(text, "a program", NAME_LIMIT)
    if name.isascii() and name.isdigit():
        raise RefusedError(f"{name!r} reads as the number of a program: choose another name")
    taken = programs.number_named(tx, package, name)
    if taken is not None and taken != own:
        raise RefusedError(f"package {package} has a program {name!r} already: number {taken}")
    return name


def _check_references(tx: Connection, own: ProgramKey, program: Program) -> None:
    """Nothing when what the program needs and replaces stands, and none of it contradicts the rest. Errors: RefusedError."""
    check_superseded(own, program.supersedes)
    replaced = tuple(one.key for one in program.supersedes)
    for other in (*replaced, *([program.depends_on] if program.depends_on else [])):
        standing.active_package(tx, other.package)
        standing.standing_program(tx, other)
    needs = _with(programs.dependencies(tx), own, program.depends_on)
    cycle = dependencies.cycle_through(needs, own)
    if cycle:
        raise RefusedError(f"the program would depend on itself: {_arrows(cycle)}")
    length = dependencies.longest_chain(needs, own)
    if length > dependencies.CHAIN_LIMIT:
        raise RefusedError(f"{length} programs would depend on one another in a row: {dependencies.CHAIN_LIMIT} are possible")
    replacements = _with(programs.replacements(tx), own, replaced or None)
    cycle = supersedence.cycle_through(needs, replacements, own)
    if cycle:
        raise RefusedError(f"what it depends on and what it replaces lead back to it: {_arrows(cycle)}")
    contradiction = supersedence.contradiction_in(needs, replacements)
    if contradiction:
        raise RefusedError(
            f"{contradiction.program} would replace {contradiction.needed}, which it needs to have run before: "
            "what is replaced is not run any more"
        )


def _check_advertisements(tx: Connection, key: ProgramKey, program: Program) -> None:
    """Nothing when all that advertises the program could still run it. Errors: RefusedError, which names the advertisement."""
    for row in advertisements.standing(tx, programs=[key]):
        try:
            advertising.check_fit(
                program, advertisements.assignments_of(row), advertisements.options_of(row), each_version=row.each_version
            )
        except RefusedError as error:
            raise RefusedError(f"{row.id} ({row.name}) advertises this program, and could not any more: {error}") from error


def _with(known: Mapping[ProgramKey, T], own: ProgramKey, value: T | None) -> dict[ProgramKey, T]:
    others = {key: one for key, one in known.items() if key != own}
    return others if value is None else others | {own: value}


def _arrows(way: Iterable[ProgramKey]) -> str:
    return " → ".join(str(step) for step in way)
