"""The agent's state database in memory, losing at a power cut exactly what a synced file would lose: work not committed."""

import sqlite3
from collections.abc import Callable, Iterable
from functools import lru_cache

Values = list[object] | tuple[object, ...] | dict[str, object]

_WRITES = ("insert", "update", "delete", "replace", "create", "drop", "alter")


class LabConnection(sqlite3.Connection):
    """An SQLite connection on which every commit is an effect that a power cut can prevent.

    A statement that writes outside a transaction commits by itself, so it is an effect too.
    """

    before_effect: Callable[[str], None] | None = None

    def execute(self, sql: str, parameters: Values = (), /) -> sqlite3.Cursor:  # type: ignore[override]  # we bind fewer kinds
        """Runs one statement, the power allowing."""
        if self.before_effect is not None and (_is_commit(sql) or (not self.in_transaction and _is_write(sql))):
            self.before_effect("commit")
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Values], /) -> sqlite3.Cursor:  # type: ignore[override]  # the same
        """Runs one statement many times, the power allowing."""
        if self.before_effect is not None and not self.in_transaction:
            self.before_effect("commit")
        return super().executemany(sql, parameters)

    def commit(self) -> None:
        """Commits, the power allowing."""
        if self.before_effect is not None and self.in_transaction:
            self.before_effect("commit")
        super().commit()


def memory_connection() -> LabConnection:
    """A fresh database in memory; nothing in it counts as an effect until `before_effect` is set."""
    return sqlite3.connect(":memory:", factory=LabConnection)


@lru_cache(maxsize=1000)
def _is_commit(sql: str) -> bool:
    return sql.lstrip().lower().startswith("commit")


@lru_cache(maxsize=1000)
def _is_write(sql: str) -> bool:
    return sql.lstrip().lower().startswith(_WRITES)
