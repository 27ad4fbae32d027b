"""The sentinel: the small part of the agent that waits, and starts a worker for one pass when there is something to do.

Started as `python -I -S sentinel.py STATE_FOLDER -- WORKER … [-- PAGE … [-- ASKER …]]`; it imports the standard library alone and
nothing of Purveyor, so that an idle agent costs little more than a bare interpreter, and lives on while the agent under it is
updated. It decides nothing: it goes by the plan that each pass leaves in `next.json` (`waiting.py`) and by whether a run ended;
a change of what is watched, a start of the machine and a day without a pass start one too. It listens where the agent's page is
to be, and lets another process answer there. `SIGTERM` ends it, `SIGHUP` asks for one.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

PLAN = "next.json"
LOCK = "sentinel.lock"
RUNS = "runs"
ASKED = "asked"
"""The word that a worker is given when a person asked for the pass."""
LONGEST_SLEEP_SECONDS = 60.0
WATCH_SECONDS = 1.0
LOOK_SECONDS = 5.0
"""How often a watched file is looked at that the system does not report changes of."""
HEED_SECONDS = 15.0
"""No pass because of watched files comes sooner after another one: sessions of machines come by the dozen."""
PAGE_DESCRIPTOR = 3
"""Which open file the process of the page finds the listening socket at."""
PAGE_RETRY_SECONDS = 60.0
FULL_PASS_SECONDS = 86_400.0
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 3600.0
LONGEST_WAIT = 1.5
"""How many intervals a look is away at most, whatever the clock says."""
JITTER = 0.1
"""The share of an interval by which the first look after a start is put off at most: a fleet that starts together parts."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGIO}
_ENDING = (signal.SIGTERM, signal.SIGINT)
_ASKER = [sys.executable, "-I", "-S", os.path.join(os.path.dirname(os.path.abspath(__file__)), "asking.py")]
_MEANWHILE = {signal.SIGCHLD, signal.SIGIO}
_FOLDER_CHANGES = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_MODIFY | (fcntl.DN_MULTISHOT - 2**32)


class Poll(NamedTuple):
    """A file that tells whether something is new: by its address, or by its path where it is watched on this machine."""

    url: str
    tag: str
    certificate: str = ""  # SHA-256 of the one that a pin vouched for; empty: the system's CAs decide


class Plan(NamedTuple):
    """What the last pass left to wait for. Units: seconds, and seconds since 1970."""

    polls: tuple[Poll, ...] = ()
    next_poll_at: float = 0.0
    next_due_at: float | None = None
    interval_seconds: float = 60.0
    watches: tuple[Poll, ...] = ()
    boot_id: str = ""
    page_port: int = 0


def read_plan(folder: str) -> Plan | None:
    """The plan in a state folder; None when there is none that can be read, which makes a pass due."""
    try:
        with open(f"{folder}/{PLAN}", "rb") as file:
            found = json.loads(file.read(2**16))
        due = found["next_due_at"]
        return Plan(
            polls=tuple(Poll(str(one["url"]), str(one["tag"]), str(one.get("certificate", ""))) for one in found["polls"]),
            next_poll_at=float(found["next_poll_at"]),
            next_due_at=None if due is None else float(due),
            interval_seconds=max(1.0, float(found["interval_seconds"])),
            watches=tuple(Poll(str(one["url"]), str(one["tag"])) for one in found.get("watches", ())),
            boot_id=str(found.get("boot_id", "")),
            page_port=int(found.get("page_port", 0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def tag_of(path: str) -> str:
    """What differs after each change of a file, or of what lies in a folder; empty when there is none."""
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{seen.st_mtime_ns:x}-{seen.st_size:x}-{seen.st_ino:x}"


def boot_id() -> str:
    """Differs after every start of the machine; empty where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


class Sentinel:
    """What the sentinel remembers between two looks. Times of waiting are on the clock that never jumps."""

    def __init__(self, folder: str, worker: Sequence[str], door: "Door", asker: Sequence[str] = ()) -> None:
        self.folder, self.worker, self.asker, self.door = folder, worker, asker, door
        self.plan: Plan | None = None
        self.next_look_at = 0.0
        """No look at the polls before it."""
        self.last_pass_at = 0.0
        self.has_booted = False
        """The machine was started since the last pass."""
        self.failures, self.retry_at, self.due_at = 0, 0.0, 0.0
        self.settled: set[tuple[str, str]] = set()
        """Runs whose end has started a pass, each with what ended: its watcher, the program."""
        self.notified: dict[str, int] = {}
        """The watched folders whose changes the system reports, with the descriptor that makes it do so."""

    def begin(self) -> None:
        """Takes up the plan that is there, a little later than it says."""
        self._take_plan()
        self.last_pass_at = time.monotonic()
        if self.plan is not None:
            self.has_booted = self.plan.boot_id != boot_id() and bool(self.plan.boot_id)
            self.next_look_at += JITTER * self.plan.interval_seconds * int.from_bytes(os.urandom(2), "big") / 0xFFFF

    def reason(self) -> str:
        """Why a pass is to be made now; empty when none is. Looks at the polls when it is time for that."""
        steady, clock = time.monotonic(), time.time()
        if steady < self.retry_at:
            return ""
        if self.plan is None:
            return "no plan"
        if self.plan.next_due_at is not None and (clock >= self.plan.next_due_at or steady >= self.due_at):
            return "due"
        if self.has_booted:
            return "the machine has started"
        if steady - self.last_pass_at >= FULL_PASS_SECONDS:
            return "a day has passed"
        ended = self._ended_runs()
        if ended:
            self.settled |= ended
            return "a run has ended"
        if steady >= self.last_pass_at + HEED_SECONDS and self._has_watched_changed():
            return "somebody has come or gone"
        if steady < self.next_look_at:
            return ""
        self.next_look_at = steady + self.plan.interval_seconds
        return "" if are_unchanged(self.plan.polls, self.door.look, self.asker) else "something is new"

    def passed(self, exit_code: int) -> None:
        """Takes up the plan that a pass left; after one that failed the next is put off, longer each time."""
        steady = time.monotonic()
        self.last_pass_at = steady
        self.has_booted = False
        self._take_plan()
        if exit_code == 0 and self.plan is not None:
            self.failures, self.retry_at = 0, 0.0
            return
        self.settled.clear()
        pause = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(self.failures, 20))
        self.failures += 1
        self.retry_at = steady + pause * (1 + JITTER * int.from_bytes(os.urandom(2), "big") / 0xFFFF)

    def pause(self) -> float:
        """How long nothing can happen, in seconds. At most a minute, since wall clocks jump."""
        steady, clock = time.monotonic(), time.time()
        waits = [LONGEST_SLEEP_SECONDS, self.door.pause()]
        if steady < self.retry_at:
            return max(0.05, min(*waits, self.retry_at - steady))
        if self.plan is not None:
            waits.append(self.next_look_at - steady)
            if self.plan.next_due_at is not None:
                waits.append(min(self.plan.next_due_at - clock, self.due_at - steady))
            if len(self.notified) < len(self.plan.watches):
                waits.append(LOOK_SECONDS)
            if self._has_watched_changed():
                waits.append(self.last_pass_at + HEED_SECONDS - steady)
        if self._runs():
            waits.append(WATCH_SECONDS)
        return max(0.05, min(waits))

    def _take_plan(self) -> None:
        self.plan = read_plan(self.folder)
        if self.plan is not None:
            wait = min(max(0.0, self.plan.next_poll_at - time.time()), LONGEST_WAIT * self.plan.interval_seconds)
            self.next_look_at = time.monotonic() + wait
            self.due_at = time.monotonic() + max(0.0, (self.plan.next_due_at or 0.0) - time.time())
            self._watch(self.plan.watches)
            self.door.stand_at(self.plan.page_port)

    def _watch(self, watches: Sequence[Poll]) -> None:
        """Lets the system report changes of the watched folders; what it does not report is looked at."""
        wanted = {watch.url for watch in watches}
        for path in self.notified.keys() - wanted:
            os.close(self.notified.pop(path))
        for path in wanted - self.notified.keys():
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    fcntl.fcntl(descriptor, fcntl.F_NOTIFY, _FOLDER_CHANGES)
                except OSError:
                    os.close(descriptor)
                else:
                    self.notified[path] = descriptor

    def _has_watched_changed(self) -> bool:
        return self.plan is not None and any(tag_of(watch.url) != watch.tag for watch in self.plan.watches)

    def _runs(self) -> set[str]:
        try:
            return set(os.listdir(f"{self.folder}/{RUNS}"))
        except OSError:
            return set()

    def _ended_runs(self) -> set[tuple[str, str]]:
        runs = self._runs()
        self.settled = {ended for ended in self.settled if ended[0] in runs}
        return {(run, how) for run in runs if (how := _how_ended(f"{self.folder}/{RUNS}/{run}"))} - self.settled


def _how_ended(folder: str) -> str:
    """What of a run has ended: it left its report, its watcher is gone, the program after it too; empty while it goes on."""
    if os.path.exists(f"{folder}/report.json"):
        return "report"
    watcher, program = _pid_in(f"{folder}/watch.json"), _pid_in(f"{folder}/program.json")
    if watcher is None or os.path.exists(f"/proc/{watcher}"):
        return ""
    return "watcher" if program is not None and os.path.exists(f"/proc/{program}") else "program"


def _pid_in(path: str) -> int | None:
    try:
        with open(path, "rb") as file:
            return int(json.loads(file.read(4096))["pid"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


class Door:
    """The place of the agent's page: a socket that only listens, and the process that answers there while somebody looks.

    The system sends SIGIO when somebody comes; nothing is looked at before. While the process lives it has the socket to itself.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.port = 0
        self.listener: socket.socket | None = None
        self.pid = 0
        self.next_try_at = 0.0
        self.is_told = False
        """That the port cannot be used was said."""

    def stand_at(self, port: int) -> None:
        """Moves to a port; 0: nowhere. Nothing changes where it stands there already."""
        if port != self.port:
            self.close()
            self.port, self.is_told, self.next_try_at = port, False, 0.0
        self.look()

    def look(self) -> None:
        """Lets somebody answer when somebody has come; takes notice when the one who answered has gone."""
        if self.pid:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if not ended:
                return
            self.pid = 0
            self.next_try_at = time.monotonic() + (0 if status == 0 else PAGE_RETRY_SECONDS)
            self._heed(True)
        if not (self.port and self.words) or time.monotonic() < self.next_try_at:
            return
        if self.listener is None:
            self._listen()
        if self.listener is not None and select.select([self.listener], [], [], 0)[0]:
            self._let_answer(self.listener)
            self._heed(not self.pid)

    def pause(self) -> float:
        """How long nothing has to be looked at, in seconds."""
        wait = self.next_try_at - time.monotonic()
        return wait if wait > 0 and self.port and self.words and not self.pid else LONGEST_SLEEP_SECONDS

    def close(self) -> None:
        """Listens no more; whoever answers is told to end."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def _listen(self) -> None:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(("127.0.0.1", self.port))
            found.listen(16)
            fcntl.fcntl(found, fcntl.F_SETOWN, os.getpid())
        except (OSError, OverflowError) as error:
            found.close()
            self.next_try_at = time.monotonic() + PAGE_RETRY_SECONDS
            if not self.is_told:
                say(f"the agent's page cannot be at port {self.port}: {error}")
                self.is_told = True
            return
        self.listener, self.is_told = found, False
        self._heed(True)

    def _heed(self, is_heeded: bool) -> None:
        """Whether the system tells when somebody comes; not while somebody else answers."""
        if self.listener is not None:
            flags = fcntl.fcntl(self.listener, fcntl.F_GETFL) & ~os.O_ASYNC
            fcntl.fcntl(self.listener, fcntl.F_SETFL, flags | (os.O_ASYNC if is_heeded else 0))

    def _let_answer(self, listener: socket.socket) -> None:
        try:
            self.pid = os.posix_spawn(
                self.words[0],
                [*self.words, str(PAGE_DESCRIPTOR)],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, listener.fileno(), PAGE_DESCRIPTOR)],
                setsigmask=[],
                setsigdef=list(_SIGNALS),
            )
        except OSError as error:
            say(f"the agent's page cannot be served: {error.strerror}")
            self.next_try_at = time.monotonic() + PAGE_RETRY_SECONDS


class Ended(NamedTuple):
    """How a started process ended, and what the sentinel was told meanwhile: to end, to make a pass."""

    exit_code: int
    is_ending: bool = False
    is_asked: bool = False


def are_unchanged(polls: Sequence[Poll], meanwhile: Callable[[], None], asker: Sequence[str] = ()) -> bool:
    """Whether all files are surely those of their tags; asked by a process of a moment, where shares are in it by `asker`."""
    content = json.dumps([poll._asdict() for poll in polls])
    words = list(asker) if asker and any(poll.url.startswith("smb:") for poll in polls) else _ASKER
    try:
        pid = os.posix_spawn(words[0], [*words, content], os.environ, setsigmask=[], setsigdef=list(_SIGNALS))
    except OSError:
        return False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        signal.sigtimedwait(_MEANWHILE, LONGEST_SLEEP_SECONDS)
        meanwhile()


def started(words: Sequence[str], meanwhile: Callable[[], None]) -> Ended:
    """Starts a pass and waits for its end; `meanwhile` is called at each signal."""
    try:
        pid = os.posix_spawn(words[0], list(words), os.environ, setsigmask=[], setsigdef=list(_SIGNALS))
    except OSError as error:
        say(f"the worker {words[0]} cannot be started: {error.strerror}")
        return Ended(1)
    is_ending = is_asked = False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return Ended(os.waitstatus_to_exitcode(status), is_ending, is_asked)
        came = signal.sigtimedwait(_SIGNALS, LONGEST_SLEEP_SECONDS)
        if came is not None and came.si_signo in _ENDING:
            is_ending = True
            os.kill(pid, signal.SIGTERM)
        is_asked = is_asked or (came is not None and came.si_signo == signal.SIGHUP)
        meanwhile()


def wait(sentinel: Sentinel) -> None:
    """Waits and makes passes until it is told to end."""
    sentinel.begin()
    is_asked = False
    while True:
        if is_asked or sentinel.reason():
            ended = started([*sentinel.worker, ASKED] if is_asked else sentinel.worker, sentinel.door.look)
            if ended.is_ending:
                return
            sentinel.passed(ended.exit_code)
            is_asked = ended.is_asked
            if is_asked:
                continue
        came = signal.sigtimedwait(_SIGNALS, sentinel.pause())
        if came is not None and came.si_signo in _ENDING:
            return
        is_asked = came is not None and came.si_signo == signal.SIGHUP
        sentinel.door.look()


def say(text: str) -> None:
    """Tells whoever started the sentinel."""
    sys.stderr.write(f"{text}\n")


def lock(folder: str) -> int | None:
    """A descriptor that holds the sentinel's lock as long as it is open; None when another sentinel has it. Errors: OSError."""
    descriptor = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before a `--`, and those behind it."""
    at = list(words).index("--") if "--" in words else len(words)
    return list(words[:at]), list(words[at + 1 :])


def main(words: Sequence[str]) -> int:
    """Runs a sentinel until it is told to end. Exit codes: 0 it was told to end, 1 refused, 2 wrong words."""
    if len(words) < 3 or words[1] != "--":
        say("usage: sentinel.py STATE_FOLDER -- WORKER … [-- PAGE … [-- ASKER …]]")
        return 2
    folder, (worker, rest) = os.path.abspath(words[0]), _parted(words[2:])
    page, asker = _parted(rest)
    try:
        held = lock(folder)
    except OSError as error:
        say(f"the state folder {folder} cannot be used: {error.strerror}")
        return 1
    if held is None:
        say(f"an agent runs already in {folder}")
        return 1
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    wait(Sentinel(folder, worker, door := Door(page), asker))
    door.close()
    os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
