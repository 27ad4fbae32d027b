"""The machine that the agent really runs on: its disk, its programs, its clock. Linux; written with other systems in mind.

Reads no environment variable: who starts the agent says where its state lies.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import msgspec

from purveyor.client.machine import detection, facts, supervisor, surroundings
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.disk import RealDisk
from purveyor.client.machine.interface import RUNS, SEARCH_PATH, Account, Surroundings
from purveyor.client.machine.notices import RealNotices
from purveyor.client.machine.programs import RealPrograms
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import DetectionRule
from purveyor.wire.reports import Facts

RESTART = ("shutdown", "-r", "now")
"""What restarts a machine: systemd, sysvinit, OpenRC and busybox all have it."""
RESTART_SECONDS = 60.0


class RealMachine:
    """Implements `client.machine.interface.Machine`."""

    def __init__(self, state_folder: Path, *, name: str = "", restart_command: Sequence[str] = RESTART) -> None:
        folder = Path(os.path.abspath(state_folder))
        self.disk = RealDisk(folder)
        self.programs = RealPrograms(folder / RUNS)
        self._directory = Directory()
        self.notices = RealNotices(self.disk, self._directory.account)
        self._name = name
        self._restart_command = tuple(restart_command)

    def now(self) -> datetime:
        """The local clock, aware UTC. It may jump."""
        return datetime.now(UTC)

    def uptime_seconds(self) -> float:
        """Seconds since the machine was started; never jumps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def pause(self, seconds: float) -> bool:
        """Lets so much time pass."""
        time.sleep(seconds)
        return True

    def surroundings(self) -> Surroundings:
        """Who is logged on, and how power and network stand, looked at now. Errors: UnavailableError: it cannot be told."""
        return surroundings.surroundings(self.now(), self._directory)

    def account(self, user: str) -> Account | None:
        """The account of a user; None: there surely is none. Errors: UnavailableError when that cannot be told now."""
        return surroundings.account(user, self._directory)

    def zone(self) -> tzinfo:
        """The machine's time zone."""
        return facts.zone()

    def boot_id(self) -> str:
        """Differs after every start of the machine. Errors: UnavailableError."""
        try:
            return supervisor.boot_id()
        except OSError as error:
            raise UnavailableError(f"the boot id cannot be read: {error.strerror}") from error

    def addresses(self) -> tuple[str, ...]:
        """Its own addresses now, IPv4 and IPv6, without those that only it can reach."""
        return facts.addresses(Path("/"))

    def facts(self) -> Facts:
        """What the machine is; its name is the one that was given for it, where one was."""
        found = facts.facts()
        return msgspec.structs.replace(found, name=self._name) if self._name else found

    def is_detected(self, rule: DetectionRule) -> bool:
        """Whether what the rule describes is there now. Errors: UnavailableError when that cannot be found out."""
        return detection.is_detected(rule)

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return os.urandom(count)

    def restart(self) -> None:
        """Restarts the machine; whether it may be is the caller's matter. Errors: UnavailableError."""
        first, *rest = self._restart_command
        try:
            subprocess.run(
                [shutil.which(first, path=SEARCH_PATH) or first, *rest],
                cwd="/",
                env={"PATH": SEARCH_PATH},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
                timeout=RESTART_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UnavailableError(f"the machine could not be restarted: {error}") from error
