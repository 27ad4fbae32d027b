"""A whole fleet in one process: a real site, real agents on simulated machines, points in memory, and time moved by hand.

The same site and client code runs here and outside; only the clock, the machines, the points and the power are the lab's.
"""

import heapq
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from purveyor.content.store import ContentStore
from purveyor.lab.administrator import Administrator
from purveyor.lab.backup import Backup, back_up, restored_site
from purveyor.lab.client import LabClient
from purveyor.lab.clock import START, Clock, LocalClock
from purveyor.lab.content import StoreBoxes
from purveyor.lab.copies import Snapshot, lay_down
from purveyor.lab.database import LabDatabase, give_back, lend
from purveyor.lab.judging import judge_once
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.power import Power, PowerCut
from purveyor.lab.programs import Script
from purveyor.lab.transit import AbsentRequest
from purveyor.lab.transport import MemoryBoxes
from purveyor.recovery.restore import Restored
from purveyor.site_server.admin import join_codes, points, settings
from purveyor.site_server.database.points import HOME_CAP, HOME_DP
from purveyor.site_server.executive import Executive
from purveyor.site_server.keys import keyring_of, make_keys
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.site import LOCAL_POINT, Site, prepare_database
from purveyor.transport.interface import Point
from purveyor.wire import join_code
from purveyor.wire.errors import FullError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import PackageId, site_code
from purveyor.wire.shards import ClientState

CAP_URL = "http://site.lab/cap"
DP_URL = "http://site.lab/dp"
POLL_INTERVAL = timedelta(hours=1)
"""How often clients poll when nobody says otherwise: the site's own default."""
BIN_BITS = 2
SITE_PAUSE = timedelta(seconds=2)
"""How soon the site takes a turn after an administrator changed something."""
ITEM_PAUSE = timedelta(minutes=5)
"""How soon it takes one after a client put an item: what comes in meanwhile is taken in together."""
SITE_REST = timedelta(hours=1)
"""How often it takes one when nothing did."""
SITE_RETRY = timedelta(minutes=5)
"""How soon it takes one after one of its components failed: as long as the longest that such a component rests."""
SITE_BOOT = timedelta(minutes=10)
"""How long the site is away after a power cut; its points go on serving what they have."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with a name of its own is made there
MEMORY_BYTES = 2**30
"""With less room there, a fleet's content lies on the disk: some systems keep a few megabytes for it."""
TURNS_AT_ONCE = 50
JOINING_TRIES = 10
_EXPECTED = frozenset(kind.__name__ for kind in (RejectedError, UnavailableError, FullError, RefusedError))


class Fleet(AbstractContextManager["Fleet"]):
    """A site `S01` with its CAP and DP, and `client_count` clients that have joined it.

    Shape: `clients` are called `pc1`, `pc2` …; the same seed gives the same fleet, clock and order of events.
    """

    def __init__(
        self, client_count: int = 3, *, seed: int = 0, start: datetime = START, poll_interval: timedelta = POLL_INTERVAL
    ) -> None:
        judge_once()
        self.clock = Clock(start)
        self.random = Random(seed)
        self.power = Power()
        """The power of the site's machine."""
        self.site_clock = LocalClock(self.clock.now)
        """The clock of the site's machine."""
        self.site_power_cut_seed: int | None = None
        """What a power cut takes of the files that the site had not synced: all (None), or what the seed says."""
        self._folder = tempfile.TemporaryDirectory(prefix="purveyor-lab-", dir=_folder_in_memory())
        content = Path(self._folder.name)
        self.cap = MemoryBoxes(CAP_URL, self.clock.now, power=self.power)
        self.rejected = MemoryBoxes("the rejected items", self.clock.now, power=self.power)
        point = ContentStore(content / "dp")
        self.dp = StoreBoxes(DP_URL, self.clock.now, point)
        self.elsewhere: dict[str, MemoryBoxes] = {}
        """Points in other places, to which the site pushes, by their folders."""
        self._opened = lend()
        self.database = LabDatabase(self._opened, self.power)
        keys = make_keys()
        self.site = Site(
            code=site_code("S01"),
            folder=None,
            database=self.database,
            keys=keyring_of(keys),
            cap=self.cap.shelf(),
            rejected=self.rejected.shelf(),
            store=ContentStore(content / "store"),
            points={LOCAL_POINT: point},
            open_shelf=lambda target: self.elsewhere[target.url].shelf(),
            open_point=lambda said: nullcontext(self._boxes_at(said.url).point("the site")),
            clock=self.site_clock.now,
            running=lambda: self.clock.now().timestamp(),
        )
        prepare_database(self.site.database, code=self.site.code, keys=keys, bin_bits=BIN_BITS, now=self.clock.now())
        self.executive = Executive(self.site)
        self.site_crashes = 0
        self._restores = 0
        self._site_turn_at = self.clock.now()
        self._away_until = self.clock.now()
        self.admin = Administrator(self.site, changed=self._site_changed)
        self.clients: list[LabClient] = []
        if poll_interval != POLL_INTERVAL:
            self.admin.change(settings.change, "poll_interval_seconds", int(poll_interval.total_seconds()))
        self.site_turn()
        self.add_clients(client_count)

    # --- the fleet ---

    def add_clients(self, count: int) -> list[LabClient]:
        """New clients that join and become members."""
        code = self.new_join_code()
        first = len(self.clients) + 1
        joining = [self.add_client(f"pc{number}", code) for number in range(first, first + count)]
        waiting = joining
        for _ in range(JOINING_TRIES):
            self._move_to(self.clock.now() + SITE_PAUSE)
            self.site_turn()
            waiting = [client for client in waiting if client.standing() is not ClientState.MEMBER]
            if not waiting:
                return joining
        raise UnavailableError(f"{len(waiting)} clients did not become members: {self.problems()}")

    def add_client(self, name: str, code: str) -> LabClient:
        """A new client that has sent its request to join; it polls first somewhere within the coming interval."""
        client = self._new_client(name)
        client.join(CAP_URL, code)
        client.wake_at = self.clock.now() + timedelta(seconds=self.random.uniform(0, self.poll_interval.total_seconds()))
        self.clients.append(client)
        return client

    def clone(self, client: LabClient, *, name: str, has_same_facts: bool = False) -> LabClient:
        """Another machine made from what lies on a client's disks now; it is switched on, and nobody told it what it is.

        It has a name and a machine id of its own, unless it `has_same_facts`: then only the lab can tell the two apart.
        """
        return self.clone_of(client.snapshot(), name=name, has_same_facts=has_same_facts)

    def clone_of(self, image: Snapshot, *, name: str, has_same_facts: bool = False) -> LabClient:
        """Another machine made from a snapshot, such as one that was taken before the machine ever polled."""
        copy = self._new_client(name)
        if has_same_facts:
            copy.machine.host_name, copy.machine.machine_id = image.host_name, image.machine_id
        lay_down(image, copy.machine)
        copy.switch_on()
        self.clients.append(copy)
        return copy

    def revert(self, client: LabClient, snapshot: Snapshot) -> None:
        """A machine goes back to what a snapshot of it holds, and is switched on; what it did since never happened there."""
        lay_down(snapshot, client.machine)
        client.switch_on()

    def add_point(self, kind: PointKind, url: str, **said: object) -> MemoryBoxes:
        """A point in another place, which the site fills; with an empty `target` a mirror does.

        Shape: its folder, in which faults can be made.
        The site's own points are told by their whole addresses from then on.
        """
        for name, home in ((HOME_CAP, CAP_URL), (HOME_DP, DP_URL)):
            if not self.elsewhere:
                self.admin.change(points.edit, name, url=home)
        target = f"/elsewhere/{len(self.elsewhere) + 1}"
        self.elsewhere[target] = MemoryBoxes(url, self.clock.now, power=self.power)
        self.admin.change(points.add, kind, **({"url": url, "target": target} | said))
        return self.elsewhere[target]

    def new_join_code(self, *, uses: int | None = None, needs_approval: bool = False) -> str:
        """A join code, as `purveyor join-code create` gives one."""
        created = self.admin.change(
            join_codes.create,
            uses=uses,
            expires_at=None,
            needs_approval=needs_approval,
            random=self.random.randbytes(join_code.SECRET_BYTES),
        )
        version, digest = self.site.root_for_joining()
        return join_code.write(join_code.JoinCode(self.site.code, version, digest, created.secret))

    def __getitem__(self, name: str) -> LabClient:
        """The client of this name. Errors: KeyError."""
        for client in self.clients:
            if client.name == name:
                return client
        raise KeyError(name)

    def script(self, command: str, *scripts: Script) -> None:
        """How a command behaves on every machine of the fleet: the n-th script at its n-th start, the last one ever after."""
        for client in self.clients:
            client.machine.programs.script(command, *scripts)

    @property
    def poll_interval(self) -> timedelta:
        """How often clients poll."""
        return timedelta(seconds=self.site.settings().poll_interval_seconds)

    # --- time ---

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Moves the time on. On the way every client does its passes and the site its turns, each at its own time."""
        end = self.clock.now() + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        for at, client in self._wakes(end):
            self._site_until(at)
            self._move_to(at)
            self._client_turn(client)
        self._site_until(end)
        self._move_to(end)
        for client in self.clients:
            if client.machine.power.is_on:
                client.machine.turn()

    def advance_polls(self, count: float) -> None:
        """Moves the time on by so many poll intervals, and a minute."""
        self.advance(seconds=count * self.poll_interval.total_seconds() + 60)

    def settle(self) -> None:
        """Lets two polls of every client go by: what was changed has had its effect."""
        self.advance_polls(2)

    def site_turn(self) -> None:
        """Turns of the site until it has nothing more to do at once.

        A power cut takes what was not committed and not synced; the site starts again a few minutes later.
        Errors: RuntimeError for what a component raised and nobody expected: the executive would log it and go on.
        """
        for _ in range(TURNS_AT_ONCE):
            try:
                is_more = self.executive.turn()
                self._raise_bugs()
                if not is_more:
                    break
            except PowerCut:
                self.site_crashes += 1
                self.cap.power_cut(self.site_power_cut_seed)
                self.rejected.power_cut(self.site_power_cut_seed)
                self.power.restore()
                self.executive = Executive(self.site)
                self._site_turn_at = self.clock.now() + SITE_BOOT
                return
        is_in_trouble = any(health.error for health in self.executive.health.values())
        self._site_turn_at = self.clock.now() + (SITE_RETRY if is_in_trouble else SITE_REST)

    # --- backups ---

    def backup(self) -> Backup:
        """A backup of the site as it is now."""
        return back_up(self.site, Path(self._folder.name) / "backups")

    def restore(self, backup: Backup, *, with_cap: bool, mirrors: Sequence[Point] = ()) -> Restored:
        """The site's machine is lost, and a new one goes on from a backup; `with_cap`: what was published outlived it.

        `mirrors` are points elsewhere that may show it too.

        Errors: PowerCut: the power failed on the way; restore again.
        """
        self._restores += 1
        folder = Path(self._folder.name) / f"restored-{self._restores}"
        folder.mkdir()
        found = restored_site(backup, self.site, folder, cap=self.cap, power=self.power, with_cap=with_cap, mirrors=mirrors)
        give_back(self._opened)
        self._opened, self.database, self.site = found.opened, found.database, found.site
        self.executive = Executive(self.site)
        self.admin.moves_to(self.site)
        self.site_turn()
        return found.restored

    # --- what goes wrong with the site, and the end of all faults ---

    def site_away(self, lasting: timedelta) -> None:
        """The site takes no turns for so long; its points serve what they have, and its database takes what it is told."""
        self._away_until = self.clock.now() + lasting

    def fill_site_disk(self) -> None:
        """Nothing more can be written on the site's machine, neither to its boxes nor to its database."""
        for folder in (self.cap, self.rejected):
            folder.is_full = True
        self.database.is_full = True

    def calm(self) -> None:
        """Stops all faults of points, machines, disks, clocks and the site. Machines are on; what was lost stays lost."""
        for folder in (*self._all_boxes(), self.rejected):
            folder.mend()
        self.power.fail_at(None)
        self.database.calm()
        self.site_clock.set_right()
        self._away_until = self.clock.now()
        self._site_changed()
        for client in self.clients:
            client.calm()

    # --- what an administrator or an onlooker asks ---

    def ran(self, client: LabClient, command: str) -> int:
        """How often a command was started on a client's machine."""
        return sum(launch.command == command for launch in client.machine.programs.launches)

    def absent_requests(self) -> list[AbsentRequest]:
        """Requests of anybody for a file that no point had. To stay empty."""
        return [request for boxes in self._all_boxes() for request in boxes.absent_requests()]

    def holds_anything_of(self, client: LabClient, package: PackageId) -> list[str]:
        """Everything that leads to a package on a client; empty when it has forgotten the package."""
        return client.holds_anything_of(package)

    def problems(self) -> list[str]:
        """What went wrong in turns of the site and passes of clients."""
        found = [f"{health.component}: {health.error}" for health in self.executive.health.values() if health.error]
        return found + [f"{client.name}: {client.last_error}" for client in self.clients if client.last_error is not None]

    def close(self) -> None:
        """Ends the fleet."""
        give_back(self._opened)
        for client in self.clients:
            client.machine.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _new_client(self, name: str) -> LabClient:
        machine = SimulatedMachine(name, self.clock, seed=self.random.getrandbits(32))
        return LabClient(machine, point_for=lambda url: self._point_for(url, machine))

    def _raise_bugs(self) -> None:
        for health in self.executive.health.values():
            if health.error and health.error.partition(":")[0] not in _EXPECTED:
                raise RuntimeError(f"{health.component}: {health.error}")

    def _wakes(self, end: datetime) -> Iterator[tuple[datetime, LabClient]]:
        """Clients in the order in which they wake, until `end`; one that was woken is asked again when it wakes next."""
        queue = [(client.wake_at, number) for number, client in enumerate(self.clients)]
        heapq.heapify(queue)
        while queue and queue[0][0] <= end:
            at, number = queue[0]
            client = self.clients[number]
            yield max(at, self.clock.now()), client
            heapq.heapreplace(queue, (client.wake_at, number))

    def _client_turn(self, client: LabClient) -> None:
        put_before = self._put_count()
        client.turn()
        if self._put_count() != put_before:
            self._site_changed(ITEM_PAUSE)

    def _all_boxes(self) -> tuple[MemoryBoxes, ...]:
        return (self.cap, self.dp, *self.elsewhere.values())

    def _put_count(self) -> int:
        return sum(boxes.put_count for boxes in self._all_boxes())

    def _site_until(self, end: datetime) -> None:
        while (turn_at := max(self._site_turn_at, self._away_until)) <= end:
            self._move_to(turn_at)
            self.site_turn()

    def _site_changed(self, pause: timedelta = SITE_PAUSE) -> None:
        self._site_turn_at = min(self._site_turn_at, self.clock.now() + pause)

    def _move_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.advance(at - self.clock.now())

    def _point_for(self, url: str, machine: SimulatedMachine) -> Point:
        return self._boxes_at(url).point(machine.name, power=machine.power)

    def _boxes_at(self, url: str) -> MemoryBoxes:
        boxes = next((boxes for boxes in self._all_boxes() if boxes.url == url), None)
        if boxes is None:
            raise UnavailableError(f"the lab has no point {url!r}")
        return boxes


def _folder_in_memory() -> Path | None:
    """Where content is synced in no time, since all of it is gone with the fleet; None: wherever temporary files go."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES else None
