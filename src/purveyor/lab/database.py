"""The site's database as the lab runs it: SQLite in memory, every commit an effect that a power cut can prevent."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from purveyor.lab.power import Power
from purveyor.site_server.database.engine import Database


class LabDatabase(Database):
    """A database that was opened elsewhere, with the power of the site's machine between work and its commit."""

    def __init__(self, opened: Database, power: Power) -> None:
        self._opened = opened
        self._power = power

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self._opened.is_sqlite

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; the power can fail right before its commit, and nothing was written then."""
        with self._opened.write() as tx:
            yield tx
            self._power.effect("commit of the site's database")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees the database as it was at one moment, and writes nothing."""
        with self._opened.read() as tx:
            yield tx

    def migrate(self) -> None:
        """Brings the tables to what this release needs, in one transaction."""
        self._opened.migrate()

    def dispose(self) -> None:
        """Closes all connections."""
        self._opened.dispose()
