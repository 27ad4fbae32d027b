"""The machine that the agent really runs on: its disk, its programs, its clock. Linux; written with other systems in mind.

Reads no environment variable: who starts the agent says where its state lies.
"""

import os
import subprocess
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import msgspec

from purveyor.client.machine import detection, facts, supervisor, surroundings
from purveyor.client.machine.disk import RealDisk
from purveyor.client.machine.interface import RUNS, Account, Surroundings
from purveyor.client.machine.notices import RealNotices
from purveyor.client.machine.programs import RealPrograms
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.package_info import DetectionRule
from purveyor.wire.reports import Facts


class RealMachine:
    """Implements `client.machine.interface.Machine`."""

    def __init__(self, state_folder: Path, *, name: str = "", may_restart: bool = False) -> None:
        folder = Path(os.path.abspath(state_folder))
        self.disk = RealDisk(folder)
        self.programs = RealPrograms(folder / RUNS)
        self.notices = RealNotices()
        self._name = name
        self._may_restart = may_restart

    def now(self) -> datetime:
        """The local clock, aware UTC. It may jump."""
        return datetime.now(UTC)

    def uptime_seconds(self) -> float:
        """Seconds since the machine was started; never jumps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def surroundings(self) -> Surroundings:
        """Who is logged on, and how power and network stand, looked at now. Errors: UnavailableError: it cannot be told."""
        return surroundings.surroundings()

    def account(self, user: str) -> Account | None:
        """The account of a user; None: there surely is none. Errors: UnavailableError when that cannot be told now."""
        return surroundings.account(user)

    def zone(self) -> tzinfo:
        """The machine's time zone."""
        return facts.zone()

    def boot_id(self) -> str:
        """Differs after every start of the machine. Errors: UnavailableError."""
        try:
            return supervisor.boot_id()
        except OSError as error:
            raise UnavailableError(f"the boot id cannot be read: {error.strerror}") from error

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
        """Restarts the machine. Errors: RefusedError where that was not allowed, UnavailableError."""
        if not self._may_restart:
            raise RefusedError("the agent may not restart this machine")
        try:
            subprocess.run(["/sbin/shutdown", "-r", "now"], stdin=subprocess.DEVNULL, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise UnavailableError(f"the machine could not be restarted: {error}") from error
