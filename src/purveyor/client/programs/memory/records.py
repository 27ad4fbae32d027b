"""The jobs, histories and receipts as the state database holds them: named statements, nothing decided here.

Whatever changes something joins the open transaction of its caller, or opens one.
"""

from collections.abc import Iterable
from functools import lru_cache

from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job
from purveyor.client.programs.memory.receipt import Receipt
from purveyor.client.state.store import State
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import ProgramKey


def open_jobs(state: State) -> list[Job]:
    """All jobs of which something may still become, in the order in which they came."""
    return _jobs(state, "where is_open = 1")


def jobs(state: State) -> list[Job]:
    """All jobs, in the order in which they came; those that ended are bounded by program."""
    return _jobs(state, "")


def job_of(state: State, key: ProgramKey, occurrence: str) -> Job | None:
    """The job of one occurrence, or None."""
    found = _jobs(state, "where package = ? and program = ? and occurrence = ?", key.package, key.program, occurrence)
    return found[0] if found else None


def save_job(state: State, job: Job, *, before: Job | None = None) -> None:
    """Stores a job; with `before`, in the place of that one, whose occurrence may have been another."""
    with state.transaction() as tx:
        if before is not None and before.occurrence != job.occurrence:
            drop_job(state, before)
        tx.execute(
            "insert into job (package, program, occurrence, content, is_open) values (?, ?, ?, ?, ?)"
            " on conflict (package, program, occurrence) do update set content = excluded.content, is_open = excluded.is_open",
            (job.key.package, job.key.program, job.occurrence, to_bytes(job), int(job.is_open)),
        )


def drop_job(state: State, job: Job) -> None:
    """Removes a job without a trace."""
    with state.transaction() as tx:
        tx.execute(
            "delete from job where package = ? and program = ? and occurrence = ?",
            (job.key.package, job.key.program, job.occurrence),
        )


def prune_jobs(state: State, key: ProgramKey, *, limit: int) -> None:
    """Removes the oldest ended jobs of a program beyond a limit; that they were started stands in the history."""
    with state.transaction() as tx:
        tx.execute(
            "delete from job where package = ? and program = ? and is_open = 0 and id not in"
            " (select id from job where package = ? and program = ? and is_open = 0 order by id desc limit ?)",
            (key.package, key.program, key.package, key.program, max(1, limit)),
        )


def histories(state: State, keys: Iterable[ProgramKey] | None = None) -> dict[ProgramKey, History]:
    """All that is remembered, by program; or only of certain programs, where a machine remembers far more."""
    if keys is None:
        rows = state.connection.execute("select content from history").fetchall()
        found = (from_bytes(row[0], History) for row in rows)
        return {history.key: history for history in found}
    read = state.connection.execute
    wanted = (read("select content from history where package = ? and program = ?", key).fetchone() for key in keys)
    return {history.key: history for history in (from_bytes(row[0], History) for row in wanted if row)}


def history_of(state: State, key: ProgramKey) -> History:
    """What is remembered of one program; empty when nothing is."""
    row = state.connection.execute(
        "select content from history where package = ? and program = ?", (key.package, key.program)
    ).fetchone()
    return from_bytes(row[0], History) if row else History(key=key)


def save_history(state: State, history: History) -> None:
    """Stores what is remembered of one program."""
    with state.transaction() as tx:
        tx.execute(
            "insert or replace into history values (?, ?, ?)", (history.key.package, history.key.program, to_bytes(history))
        )


def receipts(state: State, package: PackageId | None = None) -> list[Receipt]:
    """The receipts of a package, or all of them; the newest first, as programs are best removed."""
    where, values = ("", ()) if package is None else (" where package = ?", (package,))
    rows = state.connection.execute(f"select content from receipt{where}", values)  # noqa: S608 - a condition of this function
    found = [from_bytes(row[0], Receipt) for row in rows]
    return sorted(found, key=lambda receipt: (receipt.written_at, receipt.key), reverse=True)


def receipts_to_leave(state: State) -> list[Receipt]:
    """The receipts of programs that are uninstalled once they are not offered any more, the newest first."""
    rows = state.connection.execute("select content from receipt where instr(content, '\"when_not_offered\":true')")
    found = [from_bytes(row[0], Receipt) for row in rows]
    wanted = [receipt for receipt in found if receipt.uninstall is not None and receipt.uninstall.when_not_offered]
    return sorted(wanted, key=lambda receipt: (receipt.written_at, receipt.key), reverse=True)


def receipt_of(state: State, key: ProgramKey) -> Receipt | None:
    """The receipt of one program, or None."""
    row = state.connection.execute(
        "select content from receipt where package = ? and program = ?", (key.package, key.program)
    ).fetchone()
    return from_bytes(row[0], Receipt) if row else None


def save_receipt(state: State, receipt: Receipt) -> None:
    """Stores a receipt."""
    with state.transaction() as tx:
        tx.execute(
            "insert or replace into receipt values (?, ?, ?)", (receipt.key.package, receipt.key.program, to_bytes(receipt))
        )


def drop_receipt(state: State, key: ProgramKey) -> None:
    """Removes a receipt: what it stood for is uninstalled."""
    with state.transaction() as tx:
        tx.execute("delete from receipt where package = ? and program = ?", (key.package, key.program))


def manifests_held(state: State, package: PackageId) -> list[str]:
    """The manifests of which content is held for a package."""
    return [str(row[0]) for row in state.connection.execute("select manifest from held_content where package = ?", (package,))]


def packages_known(state: State) -> frozenset[PackageId]:
    """Packages of which a job of its own, a history or cached content is held. Receipts do not count: they stay."""
    rows = state.connection.execute(
        "select package from job where occurrence not like 'uninstall%' union select package from history"
        " union select package from held_content"
    )
    return frozenset(PackageId(row[0]) for row in rows)


def programs_known(state: State) -> frozenset[ProgramKey]:
    """Programs of which a job of its own or a history is held."""
    rows = state.connection.execute(
        "select package, program from job where occurrence not like 'uninstall%' union select package, program from history"
    )
    return frozenset(ProgramKey(PackageId(row[0]), ProgramNumber(row[1])) for row in rows)


def forget_package(state: State, package: PackageId) -> None:
    """Removes all jobs but uninstalls that go on, and all that is remembered, of a package."""
    with state.transaction() as tx:
        tx.execute("delete from job where package = ? and (is_open = 0 or occurrence not like 'uninstall%')", (package,))
        tx.execute("delete from history where package = ?", (package,))
        tx.execute("delete from held_content where package = ?", (package,))


def packages_uninstalled(state: State) -> frozenset[PackageId]:
    """Packages of which an uninstall that ended is on record."""
    rows = state.connection.execute("select package from job where is_open = 0 and occurrence like 'uninstall%'")
    return frozenset(PackageId(row[0]) for row in rows)


def forget_program(state: State, key: ProgramKey) -> None:
    """Removes all jobs but uninstalls, and all that is remembered, of a program."""
    with state.transaction() as tx:
        tx.execute(
            "delete from job where package = ? and program = ? and occurrence not like 'uninstall%'", (key.package, key.program)
        )
        tx.execute("delete from history where package = ? and program = ?", (key.package, key.program))


def _jobs(state: State, where: str, *values: object) -> list[Job]:
    rows = state.connection.execute(f"select content from job {where} order by id", values)  # noqa: S608 - conditions of this file
    return [_job(bytes(row[0])) for row in rows]


@lru_cache(maxsize=4096)
def _job(content: bytes) -> Job:
    """The job in these bytes; a pass reads the open ones many times."""
    return from_bytes(content, Job)
