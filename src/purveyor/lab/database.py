"""The site's database as the lab runs it: SQLite in memory, every commit an effect that a power cut can prevent."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection

from purveyor.lab.power import Power
from purveyor.site_server.database.engine import Database, open_database, revision_of
from purveyor.wire.errors import UnavailableError

_SPARE: list[Database] = []
"""Databases in memory that are not in use and empty, their statements compiled: much of the work of a short story."""


def lend() -> Database:
    """An empty database in memory, for one site at a time."""
    return _SPARE.pop() if _SPARE else open_database("sqlite://")


def give_back(database: Database) -> None:
    """Takes back a database that was lent; nothing is left of what it held."""
    database.dispose()
    _SPARE.append(database)


class LabDatabase(Database):
    """A database that was opened elsewhere, with the power of the site's machine between work and its commit."""

    def __init__(self, opened: Database, power: Power) -> None:
        self._opened = opened
        self._power = power
        self.is_full = False
        """Every commit fails, as on a full disk."""
        self._to_pass = 0
        self._to_fail = 0

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self._opened.is_sqlite

    def fail(self, nth: int = 1, *, times: int = 1) -> None:
        """Lets the n-th transaction from now fail, and so many in all: it is busy, and nothing of them is written."""
        self._to_pass, self._to_fail = nth - 1, times

    def calm(self) -> None:
        """Nothing fails any more."""
        self.is_full = False
        self._to_fail = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; the power can fail right before its commit, and nothing was written then."""
        self._begin()
        with self._opened.write() as tx:
            yield tx
            if self.is_full:
                raise UnavailableError("the disk of the site's database is full")
            self._power.effect("commit of the site's database")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees the database as it was at one moment, and writes nothing."""
        self._begin()
        with self._opened.read() as tx:
            yield tx

    def migrate(self) -> None:
        """Brings the tables to what this release needs, in one transaction."""
        with self._opened.write() as tx:
            if tx.exec_driver_sql("select 1 from sqlite_master").first() is None:
                for statement in _statements():
                    tx.exec_driver_sql(statement)
                return
        self._opened.migrate()

    def dispose(self) -> None:
        """Closes all connections."""
        self._opened.dispose()

    def _begin(self) -> None:
        if self._to_pass:
            self._to_pass -= 1
        elif self._to_fail:
            self._to_fail -= 1
            raise UnavailableError("the site's database is busy")


@cache
def _statements() -> tuple[str, ...]:
    """What makes the tables that the migrations make: those are run once, as a lab makes many sites."""
    with open_database("sqlite://") as migrated:
        migrated.migrate()
        with migrated.read() as tx:
            tables = tx.exec_driver_sql("select sql from sqlite_master where sql is not null order by rowid").scalars().all()
            version = revision_of(tx)
    insert = f"insert into alembic_version values ('{version}')"  # noqa: S608 - a name in the folder of migrations
    return (*(sql for sql in tables if "sqlite_sequence" not in sql), insert)
