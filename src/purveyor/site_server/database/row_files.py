"""The rows of a site's database as files, and back: one form for SQLite and PostgreSQL, streamed, a few thousand rows at a time.

Shape: one gzip file a table; its first line names the columns, each other line is a row as JSON.
Times are ISO 8601, bytes base64.
"""

import base64
import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, delete, insert, select, text
from sqlalchemy.exc import DBAPIError

from purveyor.site_server.database.columns import UtcTime
from purveyor.site_server.database.schema import metadata
from purveyor.wire.errors import RejectedError

FOLDER = "rows"
ROWS_AT_ONCE = 2000
LINE_LIMIT_BYTES = 64 * 2**20
_COMPRESSION = 1


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One file. Units: bytes."""

    size_bytes: int
    sha256: str


class _Measured:
    """A file that is written, with the size and digest of its bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size_bytes = 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes, /) -> int:
        """Writes and counts."""
        self.digest.update(piece)
        self.size_bytes += len(piece)
        return self._file.write(piece)

    def flush(self) -> None:
        """Hands on what was written."""
        self._file.flush()


def dump(tx: Connection, folder: Path, note: Callable[[str, int], None]) -> tuple[dict[str, int], dict[str, Stored]]:
    """Writes the rows of every table. Shape: rows by table, files by their path in the backup. `note` is told of each table."""
    counts: dict[str, int] = {}
    files: dict[str, Stored] = {}
    for table in metadata.sorted_tables:
        path = f"{FOLDER}/{table.name}.gz"
        descriptor = os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            measured = _Measured(file)
            with gzip.GzipFile("", "wb", _COMPRESSION, measured, mtime=0) as packed:
                counts[table.name] = _write(tx, table, packed)
        files[path] = Stored(size_bytes=measured.size_bytes, sha256=measured.digest.hexdigest())
        if counts[table.name]:
            note(table.name, counts[table.name])
    return counts, files


def load(tx: Connection, folder: Path, note: Callable[[str, int], None]) -> dict[str, int]:
    """Puts all rows of a backup into empty tables. Shape: rows by table.

    Errors: RejectedError: a file is damaged, or holds what these tables do not know.
    """
    counts: dict[str, int] = {}
    for table in metadata.sorted_tables:
        path = folder / FOLDER / f"{table.name}.gz"
        if not path.exists():  # a table that the release that made the backup did not have
            continue
        try:
            with gzip.GzipFile(path, "rb") as packed:
                counts[table.name] = _read(tx, table, packed)
        except (OSError, EOFError, ValueError, KeyError, TypeError, DBAPIError) as error:
            raise RejectedError(f"the rows of {table.name} in this backup cannot be taken in: {error}") from error
        _go_on_counting(tx, table)
        if counts[table.name]:
            note(table.name, counts[table.name])
    return counts


def clear(tx: Connection) -> None:
    """Takes all rows away, in the transaction in which others come."""
    for table in reversed(metadata.sorted_tables):
        tx.execute(delete(table))


def _write(tx: Connection, table: Table, packed: gzip.GzipFile) -> int:
    encode = msgspec.json.Encoder().encode
    packed.write(encode([str(column.name) for column in table.columns]) + b"\n")
    count = 0
    rows = tx.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE))
    for part in rows.partitions():
        packed.write(b"".join(encode(list(row)) + b"\n" for row in part))
        count += len(part)
    return count


def _read(tx: Connection, table: Table, packed: gzip.GzipFile) -> int:
    lines = _lines(packed)
    names = msgspec.json.decode(next(lines, b""), type=list[str])
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise ValueError(f"this release knows no column {unknown[0]!r}")
    decoders = [_decoder(table, name) for name in names]
    decode = msgspec.json.Decoder(list[Any]).decode
    count = 0
    batch: list[dict[str, Any]] = []
    for line in lines:
        values = decode(line)
        batch.append({name: read(value) for name, read, value in zip(names, decoders, values, strict=True)})
        if len(batch) == ROWS_AT_ONCE:
            tx.execute(insert(table), batch)
            count, batch = count + len(batch), []
    if batch:
        tx.execute(insert(table), batch)
    return count + len(batch)


def _lines(packed: gzip.GzipFile) -> Iterator[bytes]:
    while line := packed.readline(LINE_LIMIT_BYTES + 1):
        if len(line) > LINE_LIMIT_BYTES:
            raise ValueError(f"a row has more than {LINE_LIMIT_BYTES} bytes")
        yield line


def _decoder(table: Table, name: str) -> Callable[[Any], Any]:
    kind = table.columns[name].type
    if isinstance(kind, UtcTime):
        return lambda value: None if value is None else datetime.fromisoformat(value)
    if isinstance(kind, LargeBinary):
        return lambda value: None if value is None else base64.b64decode(value, validate=True)
    return lambda value: value


def _go_on_counting(tx: Connection, table: Table) -> None:
    """Lets PostgreSQL count on above the numbers that were put in; SQLite does so by itself."""
    column = table.autoincrement_column
    if tx.dialect.name != "postgresql" or column is None or column.autoincrement is False or column.foreign_keys:
        return
    named = {"table": f'"{table.name}"', "column": column.name}
    sequence = tx.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), named).scalar()
    highest = tx.execute(select(column).order_by(column.desc()).limit(1)).scalar()
    if sequence is not None and highest is not None:
        tx.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
