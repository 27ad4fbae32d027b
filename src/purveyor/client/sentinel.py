"""The sentinel: the small part of the agent that waits, and starts a worker for one pass when there is something to do.

Started as `python -I -S sentinel.py STATE_FOLDER -- WORKER …`; it imports the standard library alone and nothing of Purveyor, so
that an idle agent costs little more than a bare interpreter, and lives on while the agent under it is updated. It decides
nothing: it knows two files by their tags, two times, and whether a run has ended. `SIGTERM` ends it, `SIGHUP` asks for a pass.

It reads the plan that each pass leaves in `next.json`:

    polls           the files that tell whether anything is new: `url` (http, https, or a path) and the `tag` last seen there
    next_poll_at    when to look at them; seconds since 1970
    next_due_at     when a pass is due whatever they say (a job, a report, a heartbeat); null: none
    interval_seconds  how long to wait after a look that found nothing new

A file that changed, or of which nothing can be told, starts a pass; so does a run that ended, and a day without any pass.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

PLAN = "next.json"
LOCK = "sentinel.lock"
RUNS = "runs"
ASKED = "asked"
"""The word that a worker is given when a person asked for the pass."""
LONGEST_SLEEP_SECONDS = 60.0
WATCH_SECONDS = 1.0
FULL_PASS_SECONDS = 86_400.0
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 3600.0
LONGEST_WAIT = 1.5
"""How many intervals a look is away at most, whatever the clock says."""
JITTER = 0.1
"""The share of an interval by which the first look after a start is put off at most: a fleet that starts together parts."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_ENDING = (signal.SIGTERM, signal.SIGINT)


class Poll(NamedTuple):
    """A file that tells whether something is new."""

    url: str
    tag: str


class Plan(NamedTuple):
    """What the last pass left to wait for. Units: seconds, and seconds since 1970."""

    polls: tuple[Poll, ...] = ()
    next_poll_at: float = 0.0
    next_due_at: float | None = None
    interval_seconds: float = 60.0


class PlanDisk(Protocol):
    """The part of the agent's disk that writing a plan needs."""

    def append(self, path: str, content: bytes) -> None:
        """Adds bytes at the end of a file."""

    def remove(self, path: str) -> None:
        """Removes a file."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name."""

    def sync(self, path: str) -> None:
        """Makes a file outlast a power cut."""


def write_plan(disk: PlanDisk, plan: Plan) -> None:
    """Leaves a plan for the sentinel; the worker's part. Errors: UnavailableError."""
    content = {
        "polls": [{"url": poll.url, "tag": poll.tag} for poll in plan.polls],
        "next_poll_at": plan.next_poll_at,
        "next_due_at": plan.next_due_at,
        "interval_seconds": plan.interval_seconds,
    }
    disk.remove(f"{PLAN}.new")
    disk.append(f"{PLAN}.new", json.dumps(content).encode())
    disk.sync(f"{PLAN}.new")
    disk.rename(f"{PLAN}.new", PLAN)


def read_plan(folder: str) -> Plan | None:
    """The plan in a state folder; None when there is none that can be read, which makes a pass due."""
    try:
        with open(f"{folder}/{PLAN}", "rb") as file:
            found = json.loads(file.read(2**16))
        due = found["next_due_at"]
        return Plan(
            polls=tuple(Poll(str(one["url"]), str(one["tag"])) for one in found["polls"]),
            next_poll_at=float(found["next_poll_at"]),
            next_due_at=None if due is None else float(due),
            interval_seconds=max(1.0, float(found["interval_seconds"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def command(executable: str, folder: str, worker: Sequence[str]) -> list[str]:
    """The words that start a sentinel for a state folder, whose passes are made by the command `worker`."""
    return [executable, "-I", "-S", os.path.abspath(__file__), folder, "--", *worker]


class Sentinel:
    """What the sentinel remembers between two looks. Times of waiting are on the clock that never jumps."""

    __slots__ = ("failures", "folder", "last_pass_at", "next_look_at", "plan", "retry_at", "settled", "worker")

    def __init__(self, folder: str, worker: Sequence[str]) -> None:
        self.folder = folder
        self.worker = worker
        self.plan: Plan | None = None
        self.next_look_at = 0.0
        """No look at the polls before it."""
        self.last_pass_at = 0.0
        self.failures = 0
        self.retry_at = 0.0
        self.settled: set[str] = set()
        """Runs whose end has started a pass."""

    def begin(self) -> None:
        """Takes up the plan that is there, a little later than it says."""
        self._take_plan()
        self.last_pass_at = time.monotonic()
        if self.plan is not None:
            self.next_look_at += JITTER * self.plan.interval_seconds * int.from_bytes(os.urandom(2), "big") / 0xFFFF

    def reason(self) -> str:
        """Why a pass is to be made now; empty when none is. Looks at the polls when it is time for that."""
        steady, clock = time.monotonic(), time.time()
        if steady < self.retry_at:
            return ""
        if self.plan is None:
            return "no plan"
        if self.plan.next_due_at is not None and clock >= self.plan.next_due_at:
            return "due"
        if steady - self.last_pass_at >= FULL_PASS_SECONDS:
            return "a day has passed"
        ended = self._ended_runs()
        if ended:
            self.settled |= ended
            return "a run has ended"
        if steady < self.next_look_at:
            return ""
        self.next_look_at = steady + self.plan.interval_seconds
        return "" if are_unchanged(self.plan.polls) else "something is new"

    def passed(self, exit_code: int) -> None:
        """Takes up the plan that a pass left; after one that failed the next is put off, longer each time."""
        steady = time.monotonic()
        self.last_pass_at = steady
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
        waits = [LONGEST_SLEEP_SECONDS]
        if steady < self.retry_at:
            return min(LONGEST_SLEEP_SECONDS, self.retry_at - steady)
        if self.plan is not None:
            waits.append(self.next_look_at - steady)
            if self.plan.next_due_at is not None:
                waits.append(self.plan.next_due_at - clock)
        if self._runs():
            waits.append(WATCH_SECONDS)
        return max(0.05, min(waits))

    def _take_plan(self) -> None:
        self.plan = read_plan(self.folder)
        if self.plan is not None:
            wait = min(max(0.0, self.plan.next_poll_at - time.time()), LONGEST_WAIT * self.plan.interval_seconds)
            self.next_look_at = time.monotonic() + wait

    def _runs(self) -> set[str]:
        try:
            return set(os.listdir(f"{self.folder}/{RUNS}"))
        except OSError:
            return set()

    def _ended_runs(self) -> set[str]:
        runs = self._runs()
        self.settled &= runs
        return {run for run in runs - self.settled if self._has_ended(f"{self.folder}/{RUNS}/{run}")}

    def _has_ended(self, folder: str) -> bool:
        """Whether a run left its report, or its watcher is gone."""
        if os.path.exists(f"{folder}/report.json"):
            return True
        try:
            with open(f"{folder}/watch.json", "rb") as file:
                pid = int(json.loads(file.read(4096))["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return not os.path.exists(f"/proc/{pid}")


class Ended(NamedTuple):
    """How a started process ended, and what the sentinel was told meanwhile: to end, to make a pass."""

    exit_code: int
    is_ending: bool = False
    is_asked: bool = False


def are_unchanged(polls: Sequence[Poll]) -> bool:
    """Whether all files are surely those of their tags; asked by a process of a moment."""
    content = json.dumps([{"url": poll.url, "tag": poll.tag} for poll in polls])
    asking = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asking.py")
    try:
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-I", "-S", asking, content], os.environ, setsigmask=[], setsigdef=list(_SIGNALS)
        )
    except OSError:
        return False
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def started(words: Sequence[str]) -> Ended:
    """Starts a pass and waits for its end."""
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


def wait(sentinel: Sentinel) -> None:
    """Waits and makes passes until it is told to end."""
    sentinel.begin()
    is_asked = False
    while True:
        if is_asked or sentinel.reason():
            ended = started([*sentinel.worker, ASKED] if is_asked else sentinel.worker)
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


def main(words: Sequence[str]) -> int:
    """Runs a sentinel until it is told to end. Exit codes: 0 it was told to end, 1 refused, 2 wrong words."""
    if len(words) < 3 or words[1] != "--":
        say("usage: sentinel.py STATE_FOLDER -- WORKER …")
        return 2
    folder, worker = os.path.abspath(words[0]), list(words[2:])
    try:
        held = lock(folder)
    except OSError as error:
        say(f"the state folder {folder} cannot be used: {error.strerror}")
        return 1
    if held is None:
        say(f"an agent runs already in {folder}")
        return 1
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    wait(Sentinel(folder, worker))
    os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
