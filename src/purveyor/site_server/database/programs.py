"""Programs, as stored: the wire's own JSON beside what is asked for by columns."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from purveyor.site_server.database import schema
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.model.dependencies import Dependencies, needed_by
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.supersedence import Replacements
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import Program, ProgramKey


def program_of(row: AnyRow) -> Program:
    """The program in a row of the table. Its name and number are the row's."""
    return from_bytes(str(row.definition).encode(), Program)


def insert_program(tx: Connection, package: PackageId, program: Program) -> None:
    """A new program, enabled."""
    tx.execute(
        insert(schema.program).values(
            package=package,
            number=program.number,
            name=program.name,
            definition=to_bytes(program).decode(),
            is_enabled=True,
            deleted_at=None,
        )
    )


def replace_program(tx: Connection, package: PackageId, program: Program) -> None:
    """Stores a changed program under its number."""
    tx.execute(
        update(schema.program)
        .where(schema.program.c.package == package, schema.program.c.number == program.number)
        .values(name=program.name, definition=to_bytes(program).decode())
    )


def set_enabled(tx: Connection, key: ProgramKey, *, is_enabled: bool) -> None:
    """Enables or disables a program."""
    tx.execute(
        update(schema.program)
        .where(schema.program.c.package == key.package, schema.program.c.number == key.program)
        .values(is_enabled=is_enabled)
    )


def mark_deleted(tx: Connection, key: ProgramKey, now: datetime) -> None:
    """Deletes a program; its number stays taken."""
    tx.execute(
        update(schema.program)
        .where(schema.program.c.package == key.package, schema.program.c.number == key.program)
        .values(deleted_at=now)
    )


def standing(tx: Connection, package: PackageId) -> Sequence[AnyRow]:
    """The rows of a package's programs, by number."""
    program = schema.program
    return tx.execute(
        select(program).where(program.c.package == package, program.c.deleted_at.is_(None)).order_by(program.c.number)
    ).all()


def row_of(tx: Connection, key: ProgramKey) -> AnyRow | None:
    """The row of a program, deleted or not."""
    program = schema.program
    return tx.execute(select(program).where(program.c.package == key.package, program.c.number == key.program)).one_or_none()


def number_named(tx: Connection, package: PackageId, name: str) -> ProgramNumber | None:
    """The standing program of a package with this name, letter case aside."""
    program = schema.program
    found = tx.execute(
        select(program.c.number).where(
            program.c.package == package, func.lower(program.c.name) == name.lower(), program.c.deleted_at.is_(None)
        )
    ).scalar_one_or_none()
    return None if found is None else ProgramNumber(found)


def next_program_number(tx: Connection, package: PackageId) -> ProgramNumber:
    """The next number of a program within its package; raised here, never given again."""
    table = schema.package
    raised = tx.execute(
        update(table)
        .where(table.c.id == package)
        .values(highest_program=table.c.highest_program + 1)
        .returning(table.c.highest_program)
    )
    return ProgramNumber(raised.scalar_one())


def dependencies(tx: Connection) -> Dependencies:
    """What every standing program of an active package depends on, where it depends on anything."""
    found = {key: program.depends_on for key, program in _standing_that_name(tx, "depends_on")}
    return {key: needed for key, needed in found.items() if needed is not None}


def replacements(tx: Connection) -> Replacements:
    """What every standing program of an active package replaces, where it replaces anything."""
    found = {key: program.supersedes for key, program in _standing_that_name(tx, "supersedes")}
    return {key: tuple(one.key for one in supersedes) for key, supersedes in found.items() if supersedes}


def packages_needed(tx: Connection, programs: Iterable[tuple[PackageId, int]]) -> frozenset[PackageId]:
    """The packages of these programs and of all programs that those depend on, directly or not."""
    keys = {ProgramKey(package, ProgramNumber(number)) for package, number in programs}
    return frozenset(key.package for key in needed_by(dependencies(tx), keys))


def _standing_that_name(tx: Connection, field: str) -> Iterator[tuple[ProgramKey, Program]]:
    """The standing programs of active packages whose definition has this field, or at least its name in some text."""
    program, package = schema.program, schema.package
    rows = tx.execute(
        select(program.c.package, program.c.number, program.c.definition)
        .join(package, package.c.id == program.c.package)
        .where(
            package.c.state == PackageState.ACTIVE,
            program.c.deleted_at.is_(None),
            program.c.definition.contains(f'"{field}"', autoescape=True),
        )
    )
    for row in rows:
        yield ProgramKey(PackageId(row.package), ProgramNumber(row.number)), program_of(row)
