"""Receiving looks things up by their keys, however many clients there are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from purveyor.site_server.database import holders, retirement, upward
from purveyor.site_server.database.engine import Database, open_database
from purveyor.wire.ids import ClientId

LOOKUPS: dict[str, Callable[[Connection], Any]] = {
    "clients": lambda tx: upward.known_clients(tx, [ClientId("0" * 32)]),
    "digests": lambda tx: upward.remembered_digests(tx, [(1, 2), (3, 4)]),
    "items above a gap": lambda tx: upward.stored_above(tx, [1, 2]),
    "join codes": lambda tx: upward.join_codes(tx, ["a", "b"]),
    "holdings": lambda tx: holders.open_holdings(tx, [1, 2]),
    "files left of a package": lambda tx: retirement.has_files_left(tx, "S0100001"),  # type: ignore[arg-type]
}


SMALL = ("SCAN point",)
"""Tables of some dozen rows at most, which may be read whole."""


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    database = open_database(f"sqlite:///{tmp_path / 'site.db'}")
    database.migrate()
    return database


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_no_lookup_of_a_batch_reads_a_whole_table(sqlite: Database, lookup: str) -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []
    with sqlite, sqlite.write() as tx:

        @event.listens_for(tx, "before_cursor_execute")
        def noted(_c: object, _k: object, statement: str, parameters: tuple[Any, ...], *_: object) -> None:
            asked.append((statement, parameters))

        LOOKUPS[lookup](tx)
        event.remove(tx, "before_cursor_execute", noted)
        plan = [row.detail for statement, given in asked for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
    assert any("SEARCH" in step for step in plan)
    assert [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step and step not in SMALL] == []
