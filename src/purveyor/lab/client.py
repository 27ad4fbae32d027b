"""One client of a lab's fleet: a simulated machine, the real agent on it, and the sentinel's waiting played by the fleet.

The sentinel wakes the agent when a poll or a job is due, when a program has ended, when the machine has started, and when
somebody logs on or off where the agent waits for that.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from purveyor.client import join
from purveyor.client.agent import Agent, Pass
from purveyor.client.programs.memory import records
from purveyor.client.state import published
from purveyor.lab.copies import Snapshot, snapshot_of
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import PowerCut
from purveyor.transport.interface import Point
from purveyor.wire.errors import PurveyorError
from purveyor.wire.ids import ClientId
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.shards import ClientState

SHORTEST_WAIT = timedelta(seconds=1)
BOOT = timedelta(seconds=30)
NEVER = datetime.max.replace(tzinfo=UTC)
RETRY = timedelta(minutes=1)
"""How long the sentinel waits after a pass that ended with an error."""


class LabClient:
    """One client. `passes` and `crashes` are counted."""

    def __init__(self, machine: SimulatedMachine, *, point_for: Callable[[str], Point]) -> None:
        self.machine = machine
        self.point_for = point_for
        self.agent = self._new_agent()
        self.power_cut_seed: int | None = None
        """What a power cut takes of what was not synced: all (None), or what the seed says."""
        self.stays_off = False
        """After a power cut the machine stays off until `switch_on`."""
        self._off_until: datetime | None = None
        self.passes = 0
        self.crashes = 0
        self._wake_at = machine.clock.true_time()
        self._sessions_seen = machine.people.change_count
        self.last_pass: Pass | None = None
        self.last_error: PurveyorError | None = None
        self._boot = machine.boot_id()

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine.name

    @property
    def id(self) -> ClientId:
        """The client id, once it has begun to join."""
        row = self.machine.state.connection.execute("select client from identity").fetchone()
        return ClientId(row[0])

    def join(self, access_point: str, code: str) -> None:
        """Sends the request to join."""
        join.request(self.machine.state, self.machine, access_point=access_point, code_text=code, point_for=self.point_for)

    def standing(self) -> ClientState | None:
        """Asks what the site says of this client."""
        return join.standing(self.machine.state, self.machine, point_for=self.point_for).state

    @property
    def wake_at(self) -> datetime:
        """When the sentinel wakes the agent next, in true time: as planned, or sooner for what has happened at the machine."""
        if not self.machine.power.is_on:
            return self._off_until or NEVER
        if self.machine.boot_id() != self._boot:
            return min(self._wake_at, self.machine.started_at + BOOT)
        waits = self.last_pass is not None and self.last_pass.waits_for_sessions
        if waits and self.machine.people.change_count != self._sessions_seen:
            return min(self._wake_at, self._now() + SHORTEST_WAIT)
        return self._wake_at

    @wake_at.setter
    def wake_at(self, at: datetime) -> None:
        self._wake_at = at

    def turn(self) -> bool:
        """What the sentinel does when it wakes: one pass of the agent. True unless the power failed in it.

        Where the machine was off until now, it is switched on, and the pass comes soon after.
        """
        if not self.machine.power.is_on:
            self.switch_on()
            return True
        self.machine.turn()
        self._notice_boot()
        self._sessions_seen = self.machine.people.change_count
        self.passes += 1
        try:
            self.last_pass = self.agent.turn()
            self.last_error = None
        except PowerCut:
            self.crashes += 1
            self.machine.power_cut(self.power_cut_seed)
            self.wake_at = NEVER
            if not self.stays_off:
                self.switch_on()
            return False
        except PurveyorError as error:
            self.last_error = error
            self.wake_at = self._now() + RETRY
            return True
        self.wake_at = self._next_wake(self.last_pass)
        return True

    def snapshot(self) -> Snapshot:
        """What lies on the machine's disks now, to be cloned or to go back to."""
        return snapshot_of(self.machine)

    def switch_off(self, lasting: timedelta | None = None) -> None:
        """Takes the power away for so long, or until `switch_on`; what was not synced is lost as `power_cut_seed` says."""
        self.machine.power_cut(self.power_cut_seed)
        self._off_until = None if lasting is None else self._now() + lasting

    def calm(self) -> None:
        """Stops whatever is wrong with the machine, which is on afterwards."""
        self.machine.calm()
        self.stays_off = False
        if not self.machine.power.is_on:
            self.switch_on()

    def switch_on(self) -> None:
        """Starts the machine after a power cut; the sentinel wakes the agent soon after."""
        self._off_until = None
        self.machine.start()
        self._notice_boot()
        self.wake_at = self._now() + BOOT

    def holds_anything_of(self, package: str) -> list[str]:
        """Everything that leads to a package here: its jobs, history, words of the site, content; the receipt is none of them."""
        found = []
        for table in ("job", "history", "held_content"):
            count = self._count(f"select count(*) from {table} where package = ?", package)  # noqa: S608 - names from above
            found += [f"{count} rows of {table}"] if count else []
        found += [path for path in published.target_contents(self.machine.state, "pkginfo.box/") if package in path]
        found += [path for path in self.machine.disk.files() if package in path and not path.startswith("receipts/")]
        return found

    def receipts(self) -> list[ProgramKey]:
        """The programs of which this machine has a receipt, by package and number."""
        return sorted(receipt.key for receipt in records.receipts(self.machine.state))

    def _count(self, statement: str, *values: str) -> int:
        return int(self.machine.state.connection.execute(statement, values).fetchone()[0])

    def _next_wake(self, done: Pass) -> datetime:
        skew = self.machine.clock.skew
        times = [done.next_poll_at - skew]
        if done.next_due_at is not None:
            times.append(done.next_due_at - skew)
        ends_at = self.machine.programs.next_end()
        if ends_at is not None:
            times.append(ends_at)
        if self.machine.restart_at is not None:
            times.append(max(self.machine.restart_at, self._now() + BOOT))
        return max(min(times), self._now() + SHORTEST_WAIT)

    def _notice_boot(self) -> None:
        """After a start of the machine there is a new agent, with nothing but what was stored."""
        if self.machine.boot_id() != self._boot:
            self._boot = self.machine.boot_id()
            self.agent = self._new_agent()

    def _new_agent(self) -> Agent:
        return Agent(machine=self.machine, state=self.machine.state, point_for=self.point_for)

    def _now(self) -> datetime:
        return self.machine.clock.true_time()
