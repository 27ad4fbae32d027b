"""What this client holds of what the site published: verified metadata and target files, its own shard entry, entity tags."""

from datetime import datetime

import msgspec

from purveyor.client.state import origin
from purveyor.client.state.store import State, text_of, time_of
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import PackageId
from purveyor.wire.shards import ClientState, Entry

_ENTRY = "entry"


class HeldEntry(Wire):
    """The newest shard entry that was accepted, and what its shard said of itself."""

    entry: Entry | None
    is_stated: bool
    """False: the newest shard had no entry, and `entry` is what was said before."""
    publication: int
    snapshot: int
    expires_at: Instant


def trusted_contents(state: State) -> dict[str, bytes]:
    """Metadata as it was verified, by role."""
    return {row[0]: bytes(row[1]) for row in state.connection.execute("select name, content from trusted")}


def store_trusted(state: State, contents: dict[str, bytes]) -> None:
    """Replaces the verified metadata by this."""
    held = {row[0]: bytes(row[1]) for row in state.connection.execute("select name, content from trusted")}
    with state.transaction() as tx:
        for name in held.keys() - contents.keys():
            tx.execute("delete from trusted where name = ?", (name,))
        for name, content in contents.items():
            if held.get(name) != content:
                tx.execute("insert or replace into trusted values (?, 0, ?)", (name, content))


def target_digest(state: State, path: str) -> str:
    """The SHA-256 of a held target file; empty when none is held."""
    row = state.connection.execute("select sha256 from target where path = ?", (path,)).fetchone()
    return str(row[0]) if row else ""


def target_content(state: State, path: str) -> bytes | None:
    """A held target file."""
    row = state.connection.execute("select content from target where path = ?", (path,)).fetchone()
    return bytes(row[0]) if row else None


def target_contents(state: State, prefix: str) -> dict[str, bytes]:
    """Held target files whose path begins so, in order of path."""
    rows = state.connection.execute(
        "select path, content from target where path >= ? and path < ? order by path", (prefix, prefix + "\uffff")
    )
    return {row[0]: bytes(row[1]) for row in rows}


def store_target(state: State, path: str, sha256: str, content: bytes) -> None:
    """Replaces a held target file."""
    with state.transaction() as tx:
        tx.execute("insert or replace into target values (?, ?, ?)", (path, sha256, content))


def drop_targets(state: State, paths: list[str]) -> None:
    """Forgets held target files."""
    with state.transaction() as tx:
        tx.executemany("delete from target where path = ?", [(path,) for path in paths])


def held_entry(state: State) -> HeldEntry | None:
    """The newest accepted shard entry."""
    stored = state.fact(_ENTRY)
    try:
        return from_bytes(stored.encode(), HeldEntry) if stored else None
    except RejectedError:
        return None  # written by a newer agent; the next poll reads the shard again


def store_entry(state: State, held: HeldEntry) -> HeldEntry:
    """Replaces the accepted shard entry, and gives it as it was stored.

    Where another machine keeps this identity, it says to this one: join again.
    """
    if held.entry is not None and held.entry.keeper not in ("", origin.machine_of(state)):
        told = msgspec.structs.replace(held.entry, state=ClientState.REJOIN, collections=())
        held = msgspec.structs.replace(held, entry=told)
    state.remember(_ENTRY, to_bytes(held).decode())
    return held


def store_receipt(state: State, shard: bytes) -> None:
    """Keeps the signed bytes of the newest shard that names this client a member: its joining receipt."""
    with state.transaction() as tx:
        tx.execute("insert or replace into membership values (1, ?)", (shard,))


def joining_receipt(state: State) -> bytes:
    """The signed bytes of the newest shard that named this client a member; empty when none ever did."""
    row = state.connection.execute("select shard from membership").fetchone()
    return bytes(row[0]) if row else b""


def tag_of(state: State, point: str, path: str) -> str:
    """The entity tag of a file at a point; empty when it was not read there."""
    row = state.connection.execute("select tag from tag where point = ? and path = ?", (point, path)).fetchone()
    return str(row[0]) if row else ""


def store_tag(state: State, point: str, path: str, tag: str) -> None:
    """Remembers the entity tag of a file whose content was accepted."""
    with state.transaction() as tx:
        tx.execute("insert or replace into tag values (?, ?, ?)", (point, path, tag))


def drop_tags(state: State, point: str) -> None:
    """Forgets the entity tags of a point, so that everything is read from it anew."""
    with state.transaction() as tx:
        tx.execute("delete from tag where point = ?", (point,))


def held_package_ids(state: State) -> set[PackageId]:
    """Packages of which a job, a record, cached content or a receipt is held."""
    rows = state.connection.execute(
        "select package from job union select package from history"
        " union select package from held_content union select package from receipt"
    )
    return {PackageId(row[0]) for row in rows}


def newest_deletion(state: State) -> int:
    """The newest snapshot by which a package was proven deleted; 0: none was."""
    return int(state.connection.execute("select coalesce(max(snapshot), 0) from deleted").fetchone()[0])


def record_deleted(state: State, package: PackageId, *, snapshot: int, at: datetime) -> None:
    """Records for ever that a package was proven deleted."""
    with state.transaction() as tx:
        tx.execute("insert or ignore into deleted values (?, ?, ?)", (package, text_of(at), snapshot))


class PointMemory(Wire):
    """What is remembered of a point."""

    failures: int = 0
    next_try_at: datetime | None = None
    absent_requests: int = 0
    """How often it answered "no such file", ever."""


def point_memory(state: State, url: str) -> PointMemory:
    """How a point did lately."""
    statement = "select failures, next_try_at, absent_requests from point where url = ?"
    row = state.connection.execute(statement, (url,)).fetchone()
    return PointMemory(failures=row[0], next_try_at=time_of(row[1]), absent_requests=row[2]) if row else PointMemory()


def remember_point(state: State, url: str, *, failures: int, next_try_at: datetime | None) -> None:
    """Remembers how a point did."""
    next_text = text_of(next_try_at) if next_try_at else None
    with state.transaction() as tx:
        tx.execute(
            "insert into point (url, failures, next_try_at) values (?, ?, ?)"
            " on conflict (url) do update set failures = excluded.failures, next_try_at = excluded.next_try_at",
            (url, failures, next_text),
        )


def count_absent(state: State, url: str, count: int) -> None:
    """Adds requests that a point answered with "no such file"."""
    with state.transaction() as tx:
        tx.execute(
            "insert into point (url, failures, absent_requests) values (?, 0, ?)"
            " on conflict (url) do update set absent_requests = absent_requests + excluded.absent_requests",
            (url, count),
        )


def absent_by_address(state: State) -> dict[str, int]:
    """How many requests each address of a point of which anything is remembered answered with "no such file"."""
    return {str(row[0]): int(row[1]) for row in state.connection.execute("select url, absent_requests from point")}


def absent_requests(state: State) -> int:
    """All requests that any point ever answered with "no such file"."""
    return int(state.connection.execute("select coalesce(sum(absent_requests), 0) from point").fetchone()[0])
