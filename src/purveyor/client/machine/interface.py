"""What the agent needs of the machine that it runs on. The real one is beside this file; the lab has a simulated one.

Paths of `Disk` are relative to the agent's state folder, with `/`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Protocol

import msgspec

from purveyor.wire.package_info import Command, DetectionRule
from purveyor.wire.reports import Facts

RUNS = "runs"
"""The folder of runs below the agent's: one folder a run, in which the program starts."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the commands of programs and of detection rules are looked for."""
LANGUAGE = "C.UTF-8"


class Disk(Protocol):
    """The agent's folder. What was not synced may be gone after a power cut: bytes, and renames alike."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None when there is none."""

    def read_pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces; nothing when there is none."""

    def size(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none."""

    def modified_at(self, path: str) -> datetime | None:
        """When a file was last written to, aware UTC by the local clock; None when there is none, or its time is absurd."""

    def append(self, path: str, content: bytes) -> None:
        """Adds bytes at the end of a file; the file and its folders are made where they are missing. Errors: UnavailableError."""

    def sync(self, *paths: str) -> None:
        """Makes the bytes and names of files outlast a power cut; many in one call cost little more than one."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what has it; durable after `sync(new)`."""

    def remove(self, path: str) -> None:
        """Removes a file or a whole folder; nothing happens when there is none."""

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, sorted; empty when there is none."""

    def place(self, stored: str, path: str, *, is_executable: bool) -> None:
        """Puts a copy of a stored file at `path`, so that changing one never changes the other."""

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link."""

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""

    def give(self, path: str, account: "Account") -> None:
        """Makes a folder, and all in it, the account's own: nobody else but the agent may look into it.

        Everything else in the agent's folder stays closed to that account. Errors: UnavailableError.
        """

    def free_bytes(self) -> int:
        """Bytes that can still be written."""

    def absolute(self, path: str) -> str:
        """The path as a program would name it."""


class RunState(StrEnum):
    """What can be said of a run that was started."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"
    """Nobody watches it any more and no result was left: a power cut, or the watcher was killed."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account of this machine or of its directory, as the system knows it now."""

    name: str
    user_id: int
    group_id: int
    group_ids: tuple[int, ...]
    home: str


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to start, and until when. Paths are absolute. `account`: with whose rights; None: the agent's own."""

    run: str
    command: Command
    working_directory: str
    environment: Mapping[str, str]
    max_run_seconds: int
    result_file: str
    account: Account | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One user at this machine. Greeters, lock screens, screen savers and services are no sessions (Q314342).

    Shape: `user` and `groups` are accounts as `wire.accounts` writes them.
    """

    id: str
    """Never given twice between two starts of the machine."""
    user: str
    groups: tuple[str, ...] = ()
    since: datetime | None = None
    """When the user logged on, by the local clock, aware UTC."""
    is_active: bool = True
    """Whether the user is in front of the machine; false while the session is locked or in the background."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a condition is tested against, as it is at this moment. None: this machine cannot tell."""

    sessions: tuple[Session, ...] = ()
    is_on_mains: bool | None = None
    is_metered: bool | None = None
    is_going_down: bool = False


class Notices(Protocol):
    """Says something to the user of a session. What cannot be shown is no error: the agent's page shows it too."""

    def show(self, session: Session, name: str, title: str, text: str) -> None:
        """Shows a notice; one of the same name in the same session is replaced."""

    def close(self, session: Session, name: str) -> None:
        """Takes a notice back; nothing happens where there is none."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run. `start_error` is set when the command could not be started at all."""

    state: RunState
    exit_code: int | None = None
    is_timed_out: bool = False
    is_stopped: bool = False
    start_error: str = ""
    is_transient: bool = False
    """Whether what kept the command from starting may pass by itself."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    output_tail: str = ""


class Programs(Protocol):
    """Starts programs under a watcher that outlives the agent, and asks what became of them."""

    def start(self, order: RunOrder) -> None:
        """Starts a run; returns once its watcher has taken it over. Starting one run id twice starts nothing twice."""

    def look(self, run: str) -> RunReport:
        """What can be said of a run now."""

    def stop(self, run: str, *, is_forced: bool) -> None:
        """Asks the whole process tree to end, or ends it."""

    def forget(self, run: str) -> None:
        """Removes what was kept of a run that ended."""


class Machine(Protocol):
    """The machine, as far as the agent cares."""

    @property
    def disk(self) -> Disk:
        """The agent's folder."""

    @property
    def programs(self) -> Programs:
        """Running programs."""

    @property
    def notices(self) -> Notices:
        """What users are told."""

    def now(self) -> datetime:
        """The local clock, aware UTC. It may jump."""

    def uptime_seconds(self) -> float:
        """Seconds since the machine was started; never jumps."""

    def pause(self, seconds: float) -> bool:
        """Lets so much time pass. False where nobody may wait, since others move the time on: none has passed."""

    def surroundings(self) -> Surroundings:
        """Who is logged on, and how power and network stand, looked at now. Errors: UnavailableError: it cannot be told."""

    def account(self, user: str) -> Account | None:
        """The account of a user, as `wire.accounts` writes it; None: there surely is none.

        Errors: UnavailableError when the directory that knows it cannot be asked now (Q235205).
        """

    def zone(self) -> tzinfo:
        """The machine's time zone."""

    def boot_id(self) -> str:
        """Differs after every start of the machine."""

    def addresses(self) -> tuple[str, ...]:
        """Its own addresses now, IPv4 and IPv6, without those that only it can reach."""

    def facts(self) -> Facts:
        """What the machine is."""

    def is_detected(self, rule: DetectionRule) -> bool:
        """Whether what the rule describes is there now. Errors: UnavailableError when that cannot be found out."""

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""

    def restart(self) -> None:
        """Restarts the machine (where the administrator allowed that)."""
