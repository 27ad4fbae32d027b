"""The agent's state: one SQLite database, readable by its owner alone, synced at every commit.

`policy` and `reports` meet only here. Whatever is decided is committed here first and done afterwards. The connection is a
parameter: the lab gives one that survives its power cuts as a synced file would.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from purveyor.wire.errors import UnavailableError

SCHEMA = """
create table if not exists identity (
    only integer primary key check (only = 1),
    site text not null,              -- site code
    private_key blob not null,       -- raw ed25519
    client text not null,            -- client id
    access_point text not null,      -- url of the CAP that was joined at
    next_sequence integer not null
);
create table if not exists membership (
    only integer primary key check (only = 1),
    shard blob not null              -- the newest that names this client a member, as it was signed: its joining receipt
);
create table if not exists mark (name text primary key, value integer not null) without rowid;
create table if not exists fact (name text primary key, value text not null) without rowid;
create table if not exists trusted (name text primary key, version integer not null, content blob not null) without rowid;
create table if not exists target (path text primary key, sha256 text not null, content blob not null) without rowid;
create table if not exists tag (
    point text not null,
    path text not null,
    tag text not null,
    primary key (point, path)
) without rowid;
create table if not exists point (
    url text primary key,
    failures integer not null,
    next_try_at text,
    absent_requests integer not null default 0
) without rowid;
create table if not exists deleted (package text primary key, at text not null, snapshot integer not null) without rowid;
create table if not exists item (
    sequence integer primary key,
    box text not null,
    content blob not null,           -- signed, not sealed
    is_result integer not null,      -- 1: run results, dropped last
    made_at text not null,
    sent_at text,
    send_count integer not null default 0
);
create table if not exists message (
    id integer primary key autoincrement,  -- status messages not yet put into an item
    content blob not null
);
create table if not exists job (
    id integer primary key autoincrement,
    package text not null,
    program integer not null,
    occurrence text not null,        -- advertisement.assignment@nominal time: run at most once
    content blob not null,           -- JSON of client.programs.memory.job.Job
    is_open integer not null
);
create unique index if not exists one_job_an_occurrence on job (package, program, occurrence);
create index if not exists open_jobs on job (is_open, package);
create table if not exists history (
    package text not null,
    program integer not null,
    content blob not null,           -- JSON of client.programs.memory.history.History
    primary key (package, program)
) without rowid;
create index if not exists history_programs on history (package, program);  -- of which programs, without reading what
create table if not exists receipt (
    package text not null,
    program integer not null,
    content blob not null,           -- JSON of client.programs.memory.receipt.Receipt
    primary key (package, program)
) without rowid;
create table if not exists ask (
    number integer primary key autoincrement,
    content blob not null            -- JSON of client.programs.memory.asks.Ask
);
create table if not exists notice (
    package text not null,
    program integer not null,
    user text not null,              -- account, as wire.accounts writes it
    content blob not null,           -- JSON of client.programs.wanted.notices.Notice
    primary key (package, program, user)
) without rowid;
create table if not exists held_content (
    manifest text not null,
    package text not null,
    used_at text not null,
    is_complete integer not null,
    primary key (manifest, package)
) without rowid;
"""


class State:
    """The agent's state. Reads see what was committed and what the open transaction wrote."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        connection.isolation_level = None
        connection.executescript(SCHEMA)
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; one inside another joins it. Committed means synced."""
        if self._depth:
            yield self.connection
            return
        self.connection.execute("begin immediate")
        self._depth = 1
        try:
            yield self.connection
        except BaseException:
            self._depth = 0
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            raise
        self._depth = 0
        self.connection.execute("commit")

    # --- marks: numbers that only ever rise ---

    def mark(self, name: str) -> int:
        """A high-water mark; 0 before it was ever raised."""
        row = self.connection.execute("select value from mark where name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def raise_mark(self, name: str, value: int) -> None:
        """Raises a high-water mark; a lower value changes nothing."""
        with self.transaction() as tx:
            tx.execute(
                "insert into mark values (?, ?) on conflict (name) do update set value = max(value, excluded.value)",
                (name, value),
            )

    # --- facts: small values that change ---

    def fact(self, name: str) -> str:
        """A remembered text; empty when there is none."""
        row = self.connection.execute("select value from fact where name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def remember(self, name: str, value: str) -> None:
        """Remembers a text."""
        with self.transaction() as tx:
            tx.execute("insert or replace into fact values (?, ?)", (name, value))

    def time(self, name: str) -> datetime | None:
        """A remembered aware UTC time."""
        return time_of(self.fact(name))

    def remember_time(self, name: str, time: datetime) -> None:
        """Remembers an aware UTC time."""
        self.remember(name, text_of(time))

    def deleted_packages(self) -> frozenset[str]:
        """Ids of packages proven deleted; these are refused for ever."""
        return frozenset(row[0] for row in self.connection.execute("select package from deleted"))


def open_state(path: str) -> State:
    """The state in this file, made when it is missing, with rights for its owner alone.

    Errors: UnavailableError when it cannot be opened now: on a full disk, on one that is read-only, or where it is damaged.
    """
    try:
        connection = sqlite3.connect(path, timeout=30)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        return State(connection)
    except sqlite3.DatabaseError as error:
        reason = f"{error}; look whether its disk is full, may not be written, or is damaged"
        raise UnavailableError(f"the agent's state {path} cannot be opened: {reason}") from error


def damage_of(state: State) -> str:
    """What is damaged in the file of a state, as far as a quick look shows; empty when it is whole."""
    try:
        found = str(state.connection.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else found


def text_of(time: datetime) -> str:
    """An aware time as the state holds it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str | None) -> datetime | None:
    """A time as the state holds it, back again."""
    return datetime.fromisoformat(text) if text else None
