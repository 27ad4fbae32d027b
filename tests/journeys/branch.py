"""A branch of a lab's fleet: a mirror of its CAP and DP with clients of its own, which reach nothing but the mirror."""

from collections.abc import Callable

from purveyor.content.shelf_store import ShelfStore
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import Power, PowerCut
from purveyor.lab.transport import MemoryBoxes
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.memory import pin_of_code
from purveyor.mirror.turn import Outcome, turn
from purveyor.transport.interface import Point
from purveyor.transport.pace import Pace
from purveyor.wire import join_code
from purveyor.wire.errors import UnavailableError
from purveyor.wire.shards import ClientState

BRANCH_CAP_URL = "http://branch.lab/cap"
BRANCH_DP_URL = "http://branch.lab/dp"
NAME = "the mirror"


class Branch:
    """A mirror of a fleet's points, and the clients behind it. What fails is done to `cap`, `dp` and `power`."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.power = Power()
        self.cap = MemoryBoxes(BRANCH_CAP_URL, fleet.clock.now, power=self.power)
        self.dp = MemoryBoxes(BRANCH_DP_URL, fleet.clock.now, power=self.power)
        self.code = fleet.new_join_code()
        self.clients: list[LabClient] = []
        self.place = ShelfStore(self.dp.shelf(), name=BRANCH_DP_URL)
        self.pace = Pace(pause=lambda seconds: None)
        self.reserve_bytes = 10_000

    def mirror(self) -> Outcome:
        """One pass of the mirror. Errors: PowerCut."""
        shelf = self.dp.shelf()
        ends = Ends(
            source=self.fleet.cap.point(NAME),
            target=self.cap.shelf(),
            store=Store(
                source=self.fleet.dp.point(NAME),
                shelf=shelf,
                place=ShelfStore(shelf, name=BRANCH_DP_URL),
                reserve_bytes=self.reserve_bytes,
            ),
            pin=pin_of_code(join_code.read(self.code)),
            pace=self.pace,
            is_carrying=True,
        )
        return turn(ends, self.fleet.clock.now())

    def mirror_with_power_cut_at(self, effect: int) -> bool:
        """A pass in which the power fails right before the n-th effect; False when there are not so many."""
        return self.cut_while(self.mirror, at=effect)

    def cut_while(self, work: Callable[[], object], *, at: int) -> bool:
        """Does something while the power fails right before the n-th effect; False when there are not so many."""
        self.power.fail_at(at)
        try:
            work()
        except PowerCut:
            self.cap.power_cut()
            self.dp.power_cut()
            return True
        finally:
            self.power.restore()
        return False

    def join(self, name: str) -> LabClient:
        """A client that has sent its request to join to the mirror."""
        machine = SimulatedMachine(name, self.fleet.clock, seed=7)
        client = LabClient(machine, point_for=lambda url: self._point_for(url, machine))
        client.join(BRANCH_CAP_URL, self.code)
        client.wake_at = self.fleet.clock.now()
        self.fleet.clients.append(client)
        self.clients.append(client)
        return client

    def add_client(self, name: str) -> LabClient:
        """A client that joins at the mirror, and is a member when this returns."""
        client = self.join(name)
        for _ in range(5):
            self.pass_time()
            if client.standing() is ClientState.MEMBER:
                return client
        raise AssertionError(f"{name} did not become a member: {self.fleet.problems()}")

    def pass_time(self, polls: float = 1) -> Outcome:
        """Lets time go by, with a pass of the mirror at each poll interval. Shape: what the last pass did."""
        outcome = self.mirror()
        for _ in range(max(1, int(polls))):
            self.fleet.advance_polls(1)
            outcome = self.mirror()
        return outcome

    def pass_days(self, days: int) -> Outcome:
        """Lets days go by, with one pass of the mirror a day."""
        outcome = self.mirror()
        for _ in range(days):
            self.fleet.advance(days=1)
            outcome = self.mirror()
        return outcome

    def absent_requests(self) -> list[object]:
        """Requests of anybody for a file that was not there: at the site, and at the branch."""
        return [*self.fleet.absent_requests(), *self.cap.absent_requests(), *self.dp.absent_requests()]

    def _point_for(self, url: str, machine: SimulatedMachine) -> Point:
        match url:
            case self.cap.url:
                return self.cap.point(machine.name, power=machine.power)
            case self.dp.url:
                return self.dp.point(machine.name, power=machine.power)
            case other:
                raise UnavailableError(f"the branch reaches no {other}, only its mirror")


def serves_all_of(branch: Branch) -> bool:
    """Whether the mirror serves, byte for byte, what one that is begun now would."""
    fresh = Branch(branch.fleet)
    fresh.mirror()
    served = {path: stored.content for path, stored in branch.cap.files.items()}
    return all(served.get(path) == stored.content for path, stored in fresh.cap.files.items() if ".box/" in path)
