"""A simulated machine: a disk, programs, a clock that may be wrong, and things that are installed on it.

It can be restarted, and its power can be cut at any effect; the agent's state and what was synced are there afterwards.
"""

import hashlib
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random

from purveyor.client.machine.interface import Account, RunState, Session, Surroundings
from purveyor.client.state.store import State
from purveyor.lab.clock import Clock, LocalClock
from purveyor.lab.disk import UNLIMITED_BYTES, SimulatedDisk
from purveyor.lab.power import Power
from purveyor.lab.programs import SimulatedPrograms
from purveyor.lab.sessions import SimulatedNotices, SimulatedSessions
from purveyor.lab.state import memory_connection
from purveyor.wire.accounts import is_same
from purveyor.wire.package_info import CommandRule, DetectionRule, FileRule, OsPackageRule
from purveyor.wire.reports import Facts

GOING_DOWN = timedelta(minutes=5)
"""How near a planned restart is when the machine counts as going down: from then on nobody logs on, see shutdown(8)."""
WRITE_BACK = timedelta(seconds=60)
"""A running system writes back by itself what nobody synced, at the latest after this time."""


class SimulatedMachine:
    """Implements `client.machine.interface.Machine`. `installed` maps a package to its version, `files` a path to its bytes."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        seed: int = 0,
        platform: str = "linux/debian/12",
        zone: tzinfo = UTC,
        skew: timedelta = timedelta(0),
        capacity_bytes: int = UNLIMITED_BYTES,
    ) -> None:
        self.name = name
        self.host_name = name
        """What the machine says that it is called."""
        self.machine_id = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.power = Power()
        self.clock = LocalClock(clock.now, skew)
        self.disk = SimulatedDisk(self.power, root=f"/lab/{name}", capacity_bytes=capacity_bytes, now=self.clock.now)
        self.programs = SimulatedPrograms(self.disk, self.clock, changed=self._install, restarted=self.restart)
        self.notices = SimulatedNotices()
        self.people = SimulatedSessions(self.clock, ended=self._session_ended)
        self.is_on_mains: bool | None = None
        self.is_metered: bool | None = None
        self.is_going_down = False
        """Somebody has begun to shut the machine down; `restart_at` counts too while it is near."""
        self.own_addresses: tuple[str, ...] = ()
        """Where it is in the network; a story that lets it roam changes them."""
        self.platform = platform
        self.agent_version = "lab"
        self.local_zone = zone
        self.installed: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.boot_count = 1
        self.started_at = clock.now()
        """When it was last switched on, in true time."""
        self.restart_at: datetime | None = None
        """When it will restart, in true time: the agent, a program or somebody at the machine asked for it."""
        self._random = Random(f"{name} {seed}")
        self._written_back_at = clock.now()
        self._connection = memory_connection()
        self.state = State(self._connection)
        self._connection.before_effect = self.power.effect

    def now(self) -> datetime:
        """The local clock, aware UTC, off by the skew."""
        return self.clock.now()

    def uptime_seconds(self) -> float:
        """Seconds since the machine was started; never jumps."""
        return (self.clock.true_time() - self.started_at).total_seconds()

    def pause(self, seconds: float) -> bool:
        """Nothing: the lab moves the time on, when every machine has had its turn."""
        del seconds
        return False

    def surroundings(self) -> Surroundings:
        """Who is logged on, and how power and network stand. Errors: UnavailableError where a story says that nobody can tell."""
        return Surroundings(
            sessions=self.people.sessions(),
            is_on_mains=self.is_on_mains,
            is_metered=self.is_metered,
            is_going_down=self.is_going_down or self._is_restart_near(),
        )

    def account(self, user: str) -> Account | None:
        """The account of a user. Errors: UnavailableError while the directory is away."""
        return self.people.account(user)

    def zone(self) -> tzinfo:
        """The machine's time zone."""
        return self.local_zone

    def boot_id(self) -> str:
        """Differs after every start of the machine."""
        return f"{self.name}-boot-{self.boot_count}"

    def addresses(self) -> tuple[str, ...]:
        """Its own addresses now."""
        return self.own_addresses

    def facts(self) -> Facts:
        """What the machine is."""
        return Facts(
            name=self.host_name,
            platform=self.platform,
            architecture="x86_64",
            system="lab",
            addresses=self.own_addresses,
            machine_id=self.machine_id,
            zone=str(self.local_zone),
            agent_version=self.agent_version,
        )

    def is_detected(self, rule: DetectionRule) -> bool:
        """Whether what the rule describes is there now. A command is detected when its script would exit with 0."""
        match rule:
            case FileRule(path=path, sha256=sha256):
                content = self.files.get(path)
                return content is not None and sha256 in ("", hashlib.sha256(content).hexdigest())
            case CommandRule(command=command):
                return self.programs.script_of(command).exit_code == 0
            case OsPackageRule(name=name, at_least=at_least):
                version = self.installed.get(name)
                return version is not None and _numbers(version) >= _numbers(at_least)

    def random_bytes(self, count: int) -> bytes:
        """Bytes that differ from machine to machine, and are the same in every run of one seed."""
        return self._random.randbytes(count)

    def restart(self) -> None:
        """Asks for a restart, as a program or the agent does; it comes with the next `turn`, and until then it goes down."""
        self.restart_in(timedelta(0))

    @property
    def is_restart_wanted(self) -> bool:
        """Whether a restart was asked for that has not come yet."""
        return self.restart_at is not None

    # --- what happens to it ---

    def turn(self) -> None:
        """Lets happen what time has brought: programs end, unsynced bytes are written back, a wanted restart comes."""
        self.programs.turn()
        if self.clock.true_time() - self._written_back_at >= WRITE_BACK:
            self._written_back_at = self.clock.true_time()
            self.disk.sync_all()
        if self.restart_at is not None and self.restart_at <= self.clock.true_time():
            self.restart_now()

    def restart_in(self, after: timedelta) -> None:
        """A restart that comes after some time, as `shutdown -r +N` makes one; the last minutes of it count as going down."""
        self.restart_at = self.clock.true_time() + after

    def restart_now(self) -> None:
        """An orderly restart: the disk is synced, programs under way are gone without a word."""
        self.disk.sync_all()
        self._stop()
        self.start()

    def power_cut(self, seed: int | None = None) -> None:
        """Cuts the power: uncommitted and unsynced work is gone (with a seed: some of it), and the machine is off."""
        self.power.off()
        self.disk.power_cut(seed)
        self._stop()

    def start(self) -> None:
        """Switches the machine on again, with a new boot id and a new reading of the agent's state."""
        self.power.restore()
        self.boot_count += 1
        self.started_at = self.clock.true_time()
        self.is_going_down = False
        self.programs.machine_started()
        self._connection.before_effect = None
        self.state = State(self._connection)
        self._connection.before_effect = self.power.effect

    def calm(self) -> None:
        """Stops whatever is wrong with it: power, disk, clock, sessions and accounts. What was lost stays lost."""
        self.power.fail_at(None)
        self.disk.mend()
        self.clock.set_right()
        self.people.is_directory_away = self.people.cannot_be_told = False

    def close(self) -> None:
        """Throws the machine away."""
        self._connection.close()

    def running(self) -> list[str]:
        """The runs under way."""
        return [launch.run for launch in self.programs.launches if self.programs.look(launch.run).state is RunState.RUNNING]

    def _stop(self) -> None:
        self.restart_at = None
        self.programs.machine_stopped()
        self.people.log_all_off()
        if self._connection.in_transaction:
            self._connection.rollback()

    def _is_restart_near(self) -> bool:
        return self.restart_at is not None and self.restart_at - self.clock.true_time() <= GOING_DOWN

    def _session_ended(self, session: Session) -> None:
        self.notices.session_ended(session)
        if not any(is_same(other.user, session.user) for other in self.people.present()):
            self.programs.user_logged_off(session.user)

    def _install(self, installs: tuple[str, ...], removes: tuple[str, ...]) -> None:
        for thing in installs:
            if thing.startswith("/"):
                self.files[thing] = thing.encode()
            else:
                name, _, version = thing.partition("=")
                self.installed[name] = version
        for thing in removes:
            self.files.pop(thing, None)
            self.installed.pop(thing.partition("=")[0], None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.replace("-", ".").split(".") if part.isdigit())
