"""Starts programs on the real machine, each under a supervisor of its own, and reads what those leave.

Everything about a run lies in its folder, so that whoever comes later (the agent after a crash or an update) knows as much.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from purveyor.client.machine import rights, supervisor
from purveyor.client.machine.interface import RunOrder, RunReport, RunState
from purveyor.wire.errors import UnavailableError
from purveyor.wire.form import to_bytes

START_SECONDS = 60
"""How long a supervisor may take to start a command, on a machine that is hardly able to."""
_REPORT_LIMIT_BYTES = 256 * 1024
_T = TypeVar("_T")


class _Watch(msgspec.Struct):
    pid: int
    start_time: str
    boot_id: str


class _Program(msgspec.Struct):
    pid: int
    start_time: str
    deadline: float


class _Report(msgspec.Struct):
    exit_code: int | None = None
    is_timed_out: bool = False
    is_stopped: bool = False
    start_error: str = ""
    is_transient: bool = False
    started_at: str = ""
    ended_at: str = ""
    output_tail: str = ""


class RealPrograms:
    """Implements `client.machine.interface.Programs`. `folder` is where each run has its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, order: RunOrder) -> None:
        """Starts a run; returns once its supervisor has started the command, or found that it cannot be.

        Shape:  an order that its account cannot start ends at once, with a start error that does not pass by itself.
        Errors: UnavailableError when no supervisor could be started; the command was then surely not started either.
        """
        folder = self._folder / order.run
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if (folder / "claim").exists():
                return
            supervisor.write_whole(str(folder), "order.json", to_bytes(order))
            if self._is_refused(order):
                return
            supervised = subprocess.run(
                [sys.executable, "-I", "-S", os.path.abspath(supervisor.__file__), str(folder)],
                cwd="/",
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
                timeout=START_SECONDS,
            )
            if supervised.returncode == 0 or not supervisor.claim(str(folder)):
                return
        except subprocess.TimeoutExpired as error:
            if supervisor.claim(str(folder)):
                raise UnavailableError("the supervisor of this run did not start in time") from error
            return
        except OSError as error:
            raise UnavailableError(f"the supervisor of this run could not be started: {error.strerror}") from error
        raise UnavailableError("the supervisor of this run could not be started")

    def look(self, run: str) -> RunReport:
        """What can be said of a run now. Errors: none."""
        folder = self._folder / run
        watch = _read_json(folder / "watch.json", _Watch)
        is_watched = watch is not None and _is_alive(watch)
        report = _read_json(folder / "report.json", _Report)  # read last: it may come while the watcher is looked at
        if report is not None:
            return RunReport(
                state=RunState.ENDED,
                exit_code=report.exit_code,
                is_timed_out=report.is_timed_out,
                is_stopped=report.is_stopped,
                start_error=report.start_error,
                is_transient=report.is_transient,
                started_at=_time(report.started_at),
                ended_at=_time(report.ended_at),
                output_tail=report.output_tail,
            )
        goes_on = is_watched or (watch is not None and _goes_on_unwatched(folder, watch))
        return RunReport(state=RunState.RUNNING if goes_on else RunState.UNKNOWN, started_at=_written_at(folder / "watch.json"))

    def stop(self, run: str, *, is_forced: bool) -> None:
        """Asks the whole process tree to end, or ends it (asked first, some seconds before). Errors: UnavailableError."""
        folder = self._folder / run
        watch = _read_json(folder / "watch.json", _Watch)
        if watch is None:
            return
        if not _is_alive(watch):
            _signal_all(_left_behind(folder, watch), signal.SIGKILL if is_forced else signal.SIGTERM)
            return
        try:
            supervisor.write_whole(str(folder), "stop", b"force" if is_forced else b"ask")
        except OSError as error:
            raise UnavailableError(f"the run {run} cannot be stopped: {error.strerror}") from error
        with suppress(ProcessLookupError, PermissionError):
            os.kill(watch.pid, signal.SIGUSR1)

    def forget(self, run: str) -> None:
        """Removes what was kept of a run that ended."""
        for name in ("order.json", "watch.json", "program.json", "report.json", "output.log", "stop", "claim"):
            with suppress(OSError):
                (self._folder / run / name).unlink()

    def _is_refused(self, order: RunOrder) -> bool:
        """Whether the account of an order cannot start it; the report then says why. Errors: UnavailableError, OSError."""
        reason = rights.obstacle(order)
        folder = str(self._folder / order.run)
        if reason and supervisor.claim(folder):
            now = datetime.now(UTC).isoformat()
            report = _Report(start_error=reason, started_at=now, ended_at=now)
            supervisor.write_whole(folder, "report.json", to_bytes(report))
        return bool(reason)


def _goes_on_unwatched(folder: Path, watch: _Watch) -> bool:
    """Whether a program goes on whose watcher was killed. Its time is up as it would have been; how it ends, nobody sees."""
    left, program = _left_behind(folder, watch), _read_json(folder / "program.json", _Program)
    if left and program is not None and time.monotonic() >= program.deadline:
        _signal_all(left, signal.SIGKILL)
    return bool(left)


def _left_behind(folder: Path, watch: _Watch) -> list[int]:
    """The processes of a program whose watcher is gone: those of its session, and whatever these started."""
    program = _read_json(folder / "program.json", _Program)
    if program is None or watch.boot_id != supervisor.boot_id():
        return []
    first = supervisor.stat_of(program.pid)
    if len(first) > 19 and first[19] != program.start_time:
        return []  # the number was given again
    return supervisor.session_of(program.pid)


def _signal_all(processes: list[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _is_alive(watch: _Watch) -> bool:
    """Whether the very process that took the run over still lives: a pid may be given again, a boot forgets them all."""
    fields = supervisor.stat_of(watch.pid)
    return (
        len(fields) > 19
        and fields[0] not in ("Z", "X")
        and fields[19] == watch.start_time
        and watch.boot_id == supervisor.boot_id()
    )


def _written_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        return None


def _read_json(path: Path, shape: type[_T]) -> _T | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_REPORT_LIMIT_BYTES), type=shape)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
