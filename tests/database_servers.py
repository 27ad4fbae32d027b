"""Real databases for tests: PostgreSQL 15 for a whole session, and a migrated database of each kind for one test.

As a pytest plugin it gives `postgresql_url` (an empty database of its own for every test that asks) and `database` (migrated,
over all three kinds). A missing server is a failure, never a skip.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

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
    folder = Path(tempfile.mkdtemp(prefix="purveyor-pg-", dir="/tmp"))
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
    ]
    options = [word for setting in settings for word in ("-c", setting)]
    process = subprocess.Popen(
        [*before, str(PROGRAMS / "postgres"), "-D", str(folder / "d"), "-p", str(port), "-k", str(folder), *options],
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
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """The URL of an empty PostgreSQL database that nobody else has."""
    return _new_database(postgresql_server, "template0")


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> str:
    """The URL of the server that has a migrated database to copy."""
    url = _new_database(postgresql_server, "template0", _TEMPLATE)
    with open_database(url) as database:
        database.migrate()
    return postgresql_server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "site.db"
    with open_database(f"sqlite:///{path}") as database:
        database.migrate()
    return path


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without a site, once over each kind."""
    match request.param:
        case "sqlite file":
            path = tmp_path / "site.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            opened = open_database(f"sqlite:///{path}")
        case "sqlite in memory":
            opened = open_database("sqlite://")
            opened.migrate()
        case _:
            opened = open_database(_new_database(request.getfixturevalue("migrated_postgresql"), _TEMPLATE))
    with opened:
        yield opened


def _new_database(server: str, template: str, name: str = "") -> str:
    name = name or f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return make_url(server).set(database=name).render_as_string(hide_password=False)


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
