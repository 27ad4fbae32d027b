"""The site's database, opened: one writer at a time, consistent reads, and its migrations. SQLite or PostgreSQL.

The only place that knows which of the two it is. Statements stand in the files beside it, one a noun; they take a `tx`
from here first. Only the site server opens a database.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import alembic.command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
WRITER_LOCK = 0x5055_5256
"""The advisory lock that makes PostgreSQL take one writing transaction at a time, as SQLite does by itself."""

_BUSY_SECONDS = 60
_CONNECTIONS = 20
_SQLITE_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_SQLITE_UNAVAILABLE = (
    "SQLITE_FULL",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_PERM",
    "SQLITE_PROTOCOL",
    "SQLITE_NOMEM",
    *_SQLITE_DAMAGED,
)
_POSTGRESQL_DAMAGED = ("XX001", "XX002")
_POSTGRESQL_UNAVAILABLE = ("08", "25006", "25P03", "28", "40", "42501", "53", "55", "57", "58", *_POSTGRESQL_DAMAGED)
"""What PostgreSQL's codes begin with where no value is at fault: connections, a standby that only reads, rights that were taken,
deadlocks, locks, limits, shutdowns, disks. Source: PostgreSQL 15, appendix A."""
_LOCK_WRITERS = text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
VALUE_FAULTS: tuple[type[Exception], ...] = (DBAPIError,)
"""What a transaction raises where the database does not take a value that it was given; never that it cannot be used now."""


class Database:
    """A site's database. Threads share it; a transaction belongs to the thread that began it, and is never nested."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._writer = threading.RLock()
        has_one_connection = isinstance(engine.pool, StaticPool)
        self._reader: AbstractContextManager[object] = self._writer if has_one_connection else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self._is_sqlite

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: the only one at that time. Committed at the end, rolled back on any error.

        Errors: UnavailableError when the database cannot be reached, is full or read-only; nothing was changed then.
        """
        with self._writer, _translated_errors(), self._engine.connect() as tx, tx.begin():
            if self._is_sqlite:
                _begin_sqlite(tx, "BEGIN IMMEDIATE")
            else:
                tx.execute(_LOCK_WRITERS)
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees the database as it was at one moment, and writes nothing.

        Errors: UnavailableError when the database cannot be reached.
        """
        with self._reader, _translated_errors(), self._engine.connect() as tx:
            if not self._is_sqlite:
                tx.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with tx.begin():
                if self._is_sqlite:
                    _begin_sqlite(tx, "BEGIN")
                yield tx

    def migrate(self) -> None:
        """Brings the tables to what this release needs, in one transaction.

        Errors: RefusedError when a newer release has written this database.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.write() as tx:
            config.attributes["connection"] = tx
            try:
                alembic.command.upgrade(config, "head")
            except CommandError as error:
                raise RefusedError(
                    f"this database was made by another release of Purveyor, whose tables this one does not know: {error}"
                ) from error

    def dispose(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.dispose()


def open_database(url: str) -> Database:
    """The database at `sqlite:///path`, `sqlite://` (in memory, gone at the end) or `postgresql://…`. Nothing is asked of it yet.

    Errors: RefusedError when the URL names no such database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RefusedError("this is no URL of a database: one such as sqlite:///site.db or postgresql://… is expected") from error
    match parsed.get_backend_name():
        case "sqlite":
            return Database(_sqlite_engine(parsed))
        case "postgresql":
            return Database(_postgresql_engine(parsed))
        case other:
            raise RefusedError(f"{other} is no database that Purveyor can use: SQLite and PostgreSQL are")


def revision_of(tx: Connection) -> str:
    """Which tables these are: the newest migration that was applied."""
    return str(MigrationContext.configure(tx).get_current_revision() or "")


def _sqlite_engine(url: URL) -> Engine:
    arguments: dict[str, object] = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
    if url.database in (None, "", ":memory:"):
        engine = create_engine(url, poolclass=StaticPool, connect_args=arguments)
    else:
        engine = create_engine(url, connect_args=arguments, pool_size=_CONNECTIONS, max_overflow=_CONNECTIONS)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "options": "-c timezone=UTC"},
    )


def _prepare_sqlite(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    del entry
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, and nowhere else
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(tx: Connection, how: str) -> None:
    """Begins a transaction, by the driver itself: by SQLAlchemy it costs as much as a question, and a turn begins many.

    Errors: UnavailableError.
    """
    connection = tx.connection.dbapi_connection
    assert connection is not None
    try:
        connection.cursor().execute(how)
    except sqlite3.DatabaseError as error:
        raise UnavailableError(_words(error)) from error


@contextmanager
def _translated_errors() -> Iterator[None]:
    """What only time or an operator can mend becomes UnavailableError, a text with a NUL RejectedError; the rest stays a bug."""
    try:
        yield
    except DBAPIError as error:
        if _is_unavailable(error):
            raise UnavailableError(_words(error.orig)) from error
        if _is_unwritable_text(error):
            raise RejectedError("a text with the character 0 in it is the name of nothing, and cannot be kept") from error
        raise


def _words(orig: BaseException | None) -> str:
    code = getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None) or ""
    if str(code).startswith((*_SQLITE_DAMAGED, *_POSTGRESQL_DAMAGED)):
        return f"the database is damaged ({orig}): docs/backup.md says how a site is made again of a backup"
    return f"the database cannot be used now: {orig}"


def _is_unwritable_text(error: DBAPIError) -> bool:
    """Whether the driver itself refused a value: PostgreSQL has no text with a NUL in it, which may come with any request."""
    orig = error.orig
    return not isinstance(orig, sqlite3.Error) and type(orig).__name__ == "DataError" and getattr(orig, "sqlstate", None) is None


def _is_unavailable(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return str(getattr(error.orig, "sqlite_errorname", "")).startswith(_SQLITE_UNAVAILABLE)
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # the driver could not connect, or lost the connection
        return type(error.orig).__name__ == "OperationalError"
    return str(code).startswith(_POSTGRESQL_UNAVAILABLE)
