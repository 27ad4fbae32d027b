"""The watcher of one run: a small program of its own that outlives the agent, its updates and its crashes.

Started as `python -I -S supervisor.py RUN_FOLDER`; reads `order.json` there, starts the command, waits until its whole process
tree has ended (also those that left their parents) or its time is up, and leaves `report.json`. Uses the standard library alone
and imports nothing of Purveyor, so that a change of the agent under it does not matter. Talks to nobody.

    claim         made by whoever may start this run; there is one such file, so a run is started once
    watch.json    who watches: pid, start time of that process, boot id
    program.json  what is watched: pid and start time of the program, which began a session of its own, and when its time is up
    stop          `ask` or `force`: what the agent wants; looked at every second
    report.json   how it ended; visible only when complete
    output.log    the first and the last part of what the program printed, left when it ended
"""

import ctypes
import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

TERM_GRACE_SECONDS = 10.0
TICK_SECONDS = 1.0
HEAD_BYTES = TAIL_BYTES = 32 * 1024
REPORTED_TAIL_CHARACTERS = 2000
REPORT_TRIES = 720
REPORT_PAUSE_SECONDS = 5.0

_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_LASTING = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOEXEC,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.E2BIG,
    errno.EINVAL,
}


class Rights(NamedTuple):
    """The account that a program runs as, by numbers."""

    user: int
    group: int
    groups: list[int]


class Output:
    """The first and the last part of what is printed; what lies between is counted and dropped."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.dropped_bytes = 0

    def add(self, piece: bytes) -> None:
        """Takes what was printed."""
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += piece[:room]
            piece = piece[room:]
        if not piece:
            return
        self._tail.append(piece)
        self._tail_bytes += len(piece)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            gone = self._tail.popleft()
            self._tail_bytes -= len(gone)
            self.dropped_bytes += len(gone)

    def kept(self) -> bytes:
        """What is kept, with a line that says how much is not."""
        tail = b"".join(self._tail)
        dropped = self.dropped_bytes + max(0, len(tail) - TAIL_BYTES)
        middle = f"\n... {dropped} bytes are not kept ...\n".encode() if dropped else b""
        return bytes(self._head) + middle + tail[-TAIL_BYTES:]


class Watch:
    """One run under watch."""

    def __init__(self, folder: str, order: dict[str, object]) -> None:
        self.folder = folder
        self.order = order
        self.output = Output()
        self.program: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None
        self.is_timed_out = False
        self.is_stopped = False
        self.is_system_ending = False
        self.kill_at: float | None = None
        self._is_asked = False
        self._look_again_at = 0.0
        self._reads = -1
        self._wakes = -1

    def run(self, announce: int) -> dict[str, object] | None:
        """Starts the command and waits for its end; the report, or None when the system ended it on its way down.

        Something is written to the descriptor `announce` once the command was started or could not be.
        """
        started_at = datetime.now(UTC)
        deadline = time.monotonic() + float(str(self.order["max_run_seconds"]))
        try:
            self._start()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            os.write(announce, b"1")
            os.close(announce)
            report = self._report(started_at)
            report["start_error"] = _words(error)
            report["is_transient"] = isinstance(error, OSError) and error.errno not in _LASTING
            return report
        self._leave_trace(deadline)
        os.write(announce, b"1")
        os.close(announce)
        while not self._is_over():
            self._look_at_stop()
            self._look_at_time(deadline)
            self._wait(deadline)
        self._read_rest()
        if self.is_system_ending and (self.exit_code is None or self.exit_code < 0):
            return None
        return self._report(started_at)

    def _start(self) -> None:
        order = self.order
        folder, environment = str(order["working_directory"]), order["environment"]
        assert isinstance(environment, dict)
        rights = _rights_of(order.get("account"))
        words = _words_of_command(order["command"], folder)
        if not os.path.isdir(folder):
            raise NotADirectoryError(errno.ENOTDIR, "the working directory is not there", folder)
        self._reads, writes = os.pipe()
        if rights is not None:
            os.fchown(writes, rights.user, rights.group)  # else the program could not open /dev/stdout
        try:
            self.program = subprocess.Popen(
                words,
                cwd=folder,
                env={str(name): str(value) for name, value in environment.items()},
                stdin=subprocess.DEVNULL,
                stdout=writes,
                stderr=writes,
                start_new_session=True,
                restore_signals=True,
                user=None if rights is None else rights.user,
                group=None if rights is None else rights.group,
                extra_groups=None if rights is None else rights.groups,
            )
        finally:
            os.close(writes)
        os.set_blocking(self._reads, False)

    def _leave_trace(self, deadline: float) -> None:
        """Says what is watched, for the case that this watcher is killed: the agent then goes by the program itself."""
        assert self.program is not None
        fields = stat_of(self.program.pid)
        trace = {"pid": self.program.pid, "start_time": fields[19] if len(fields) > 19 else "", "deadline": deadline}
        try:
            write_whole(self.folder, "program.json", json.dumps(trace).encode())
        except OSError:
            return  # a full disk: the run goes on, and only its watcher knows of it

    def listen(self) -> None:
        """Takes signals from now on; before this one would end the watcher."""
        self._wakes, wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGUSR1, self._look_now)
        signal.signal(signal.SIGTERM, self._end_of_system)

    def _look_now(self, *_: object) -> None:
        self._look_again_at = 0.0

    def _end_of_system(self, *_: object) -> None:
        self.is_system_ending = True

    def _is_over(self) -> bool:
        """Reaps what has ended; true when no process of the tree is left, since orphans of it become children of this one."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if self.program is not None and pid == self.program.pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.program.returncode = self.exit_code

    def _look_at_stop(self) -> None:
        now = time.monotonic()
        if now < self._look_again_at:
            return
        self._look_again_at = now + TICK_SECONDS
        try:
            with open(f"{self.folder}/stop", encoding="ascii") as file:
                wish = file.read(16).strip()
        except (OSError, ValueError):
            return
        if wish == "force":
            self.is_stopped = True
            self._end_tree()
        elif not self._is_asked:
            self.is_stopped = self._is_asked = True
            _signal_tree(signal.SIGTERM)

    def _look_at_time(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            self.is_timed_out = self.is_timed_out or not self.is_stopped
            self._end_tree()

    def _end_tree(self) -> None:
        """Asks the whole tree to end, and some seconds later ends it."""
        now = time.monotonic()
        if self.kill_at is None:
            self.kill_at = now + TERM_GRACE_SECONDS
            _signal_tree(signal.SIGTERM)
        elif now >= self.kill_at:
            _signal_tree(signal.SIGKILL)

    def _wait(self, deadline: float) -> None:
        now = time.monotonic()
        limits = [TICK_SECONDS, *(limit - now for limit in (deadline, self.kill_at or deadline) if limit > now)]
        watched = [self._wakes] + ([self._reads] if self._reads >= 0 else [])
        ready, _, _ = select.select(watched, [], [], max(0.01, min(limits)))
        if self._wakes in ready:
            _drain(self._wakes)
        if self._reads in ready:
            self._read()

    def _read(self) -> bool:
        try:
            piece = os.read(self._reads, HEAD_BYTES)
        except OSError:
            return False
        if not piece:
            os.close(self._reads)
            self._reads = -1
            return False
        self.output.add(piece)
        return True

    def _read_rest(self) -> None:
        while self._reads >= 0 and self._read():
            pass

    def _report(self, started_at: datetime) -> dict[str, object]:
        kept = self.output.kept()
        return {
            "exit_code": self.exit_code,
            "is_timed_out": self.is_timed_out,
            "is_stopped": self.is_stopped,
            "started_at": started_at.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
            "output_tail": kept.decode(errors="replace")[-REPORTED_TAIL_CHARACTERS:],
        }


def boot_id() -> str:
    """Differs after every start of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def stat_of(pid: int) -> list[str]:
    """The fields of a process from its state on: [0] state, [1] parent, [19] start time; none: it is gone. Source: proc(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode("ascii", "replace").split()
    except OSError:
        return []


def tree_below(*roots: int) -> list[int]:
    """The processes below some, in any order."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    todo = list(roots)
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def session_of(leader: int) -> list[int]:
    """The living processes of the session that one began, and all below them."""
    members = [pid for pid, fields in _processes() if fields[0] not in ("Z", "X") and int(fields[3]) == leader]
    return list(dict.fromkeys([*members, *tree_below(*members)]))


def _processes() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := stat_of(int(name))):
            yield int(name), fields


def write_whole(folder: str, name: str, content: bytes) -> None:
    """Writes a file that is visible only when complete, and outlasts a power cut. Errors: OSError."""
    aside = f"{folder}/.{name}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(aside, f"{folder}/{name}")
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def claim(folder: str) -> bool:
    """Takes a run for oneself. False when somebody has it already. Errors: OSError."""
    try:
        os.close(os.open(f"{folder}/claim", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def main(folder: str) -> int:
    """Watches the run in this folder from a process of its own. 0: it is under watch, or was before; 1: it could not be."""
    reads, writes = os.pipe()
    if os.fork():
        os.close(writes)
        return 0 if os.read(reads, 1) else 1
    os.close(reads)
    os.setsid()
    if not claim(folder):
        os.write(writes, b"1")
        os._exit(0)
    os.umask(0o022)
    _adopt_orphans()
    with open(f"{folder}/order.json", "rb") as file:
        order = json.load(file)
    supervised = Watch(folder, order)
    supervised.listen()
    watch = {"pid": os.getpid(), "start_time": stat_of(os.getpid())[19], "boot_id": boot_id()}
    write_whole(folder, "watch.json", json.dumps(watch).encode())
    report = supervised.run(writes)
    if report is not None:
        _leave(folder, report, supervised.output.kept())
    os._exit(0)


def _adopt_orphans() -> None:
    """Makes processes of the tree that lose their parent children of this one. Only Linux has it; elsewhere they are lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _leave(folder: str, report: dict[str, object], output: bytes) -> None:
    """Writes the report; on a full disk again and again, since nothing else knows how the run ended."""
    for _ in range(REPORT_TRIES):
        try:
            if output:
                write_whole(folder, "output.log", output)
            write_whole(folder, "report.json", json.dumps(report).encode())
            return
        except OSError:
            if not os.path.isdir(folder):
                return
            output = b""
            time.sleep(REPORT_PAUSE_SECONDS)


def _words_of_command(command: object, folder: str) -> list[str]:
    assert isinstance(command, dict)
    line = command.get("shell_line")
    if line:
        return ["/bin/sh", "-c", str(line)]
    words = [str(word) for word in command.get("argv", ())]
    if not words or not words[0]:
        raise ValueError("the command is empty")
    beside = f"{folder}/{words[0]}"
    if "/" not in words[0] and os.path.isfile(beside) and os.access(beside, os.X_OK):
        words[0] = beside
    return words


def _rights_of(account: object) -> Rights | None:
    """The rights of the account in an order; None: those that the watcher has."""
    if not isinstance(account, dict) or int(account["user_id"]) == os.geteuid():
        return None
    return Rights(int(account["user_id"]), int(account["group_id"]), [int(number) for number in account["group_ids"]])


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        named = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{named}"
    return str(error)


def _signal_tree(number: signal.Signals) -> None:
    for pid in tree_below(os.getpid()):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
