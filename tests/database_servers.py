"""Real databases for tests: PostgreSQL 15 for a whole session, and a migrated database of each kind for one test.

As a pytest plugin it gives `postgresql_url` (an empty database of its own for every test that asks), `database` (migrated, over
all three kinds) and `tx` (the same, as a transaction that is taken back). A missing server is a failure, never a skip.
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, make_url

from leftovers import ENDS_WITH_US
from purveyor.site_server.database.engine import Database, open_database

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
STARTING_SECONDS = 30.0
KINDS = ("sqlite file", "sqlite in memory", "postgresql")

_TEMPLATE = "migrated"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running PostgreSQL server's first database."""
    assert (PROGRAMS / "postgres").exists(), "these tests need PostgreSQL 15: apt install postgresql-15"
    folder = Path(tempfile.mkdtemp(prefix="purveyor-pg-"))
    before: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        before = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    initdb = ["-D", str(folder / "d"), "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([*before, str(PROGRAMS / "initdb"), *initdb], check=True, capture_output=True, cwd="/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=200",
        "dynamic_shared_memory_type=mmap",  # which lies in its folder, and goes with it
    ]
    options = [word for setting in settings for word in ("-c", setting)]
    process = subprocess.Popen(
        [
            *before,
            *ENDS_WITH_US,
            str(PROGRAMS / "postgres"),
            "-D",
            str(folder / "d"),
            "-p",
            str(port),
            "-k",
            str(folder),
            *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGQUIT)  # nothing of it is kept
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that nobody else has."""
    with _new_database(postgresql_server, "template0") as url:
        yield url


@pytest.fixture
def other_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of another empty PostgreSQL database, for what moves from one to the other."""
    with _new_database(postgresql_server, "template0") as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> Iterator[str]:
    """The URL of the server that has a migrated database to copy."""
    with _new_database(postgresql_server, "template0", _TEMPLATE) as url:
        with open_database(url) as database:
            database.migrate()
        yield postgresql_server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "site.db"
    with open_database(f"sqlite:///{path}") as database:
        database.migrate()
    return path


@pytest.fixture(scope="session", params=KINDS)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database of each kind for a whole session, in which nothing is ever committed (see `tx`)."""
    with _opened(request, tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest.fixture
def tx(shared_database: Database) -> Iterator[Connection]:
    """A transaction on a migrated database without a site, once over each kind; taken back when the test ends."""

    class TakenBackError(Exception):
        pass

    with contextlib.suppress(TakenBackError), shared_database.write() as begun:
        yield begun
        raise TakenBackError


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without a site, once over each kind."""
    with _opened(request, tmp_path) as opened:
        yield opened


@contextlib.contextmanager
def _opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    match request.param:
        case "sqlite file":
            path = folder / "site.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            with open_database(f"sqlite:///{path}") as opened:
                yield opened
        case "sqlite in memory":
            with open_database("sqlite://") as opened:
                _fill(opened, request.getfixturevalue("migrated_sqlite"))
                yield opened
        case _:
            with _new_database(request.getfixturevalue("migrated_postgresql"), _TEMPLATE) as url, open_database(url) as opened:
                yield opened


def _fill(database: Database, migrated: Path) -> None:
    """Copies a file's tables into a database in memory, which is twenty times quicker than to migrate it."""
    with contextlib.closing(sqlite3.connect(migrated)) as source, contextlib.closing(database._engine.raw_connection()) as pooled:
        assert isinstance(pooled.driver_connection, sqlite3.Connection)
        source.backup(pooled.driver_connection)


@contextlib.contextmanager
def _new_database(server: str, template: str, name: str = "") -> Iterator[str]:
    """A copy of a template, which goes again: a cluster that keeps one for every test has gigabytes to write."""
    name = name or f"test_{next(_numbers)}"
    _tell(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _tell(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _tell(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "PostgreSQL ended while it started"
            assert time.monotonic() < until, "PostgreSQL did not start in time"
            time.sleep(0.05)
        else:
            return
