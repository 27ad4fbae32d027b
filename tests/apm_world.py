"""One machine, a policy that a test writes by hand, content that is there or not: what tests of the programs part stand on."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from purveyor.client.content.cache import Fetched
from purveyor.client.machine.interface import Machine
from purveyor.client.policy_view import Offer, Policy
from purveyor.client.programs import apm
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job
from purveyor.lab.clock import START, Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.transport.interface import Point
from purveyor.wire.causes import Cause
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber, SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, Request, RequestKind, RunningChoice, Window
from purveyor.wire.package_info import Command, PackageInfo, Program, ProgramKey
from purveyor.wire.reports import StatusMessage
from purveyor.wire.schedule import Zone
from purveyor.wire.settings import AgentSettings, Shards
from purveyor.wire.status_messages import StatusId

PACKAGE = PackageId("S0100001")
OTHER = PackageId("S0100002")
COLLECTION = CollectionId("S0110001")
POINT = "http://dp.example/dp"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ASAP = Assignment(number=1, kind=AssignmentKind.ASAP)


def key(package: PackageId = PACKAGE, number: int = 1) -> ProgramKey:
    return ProgramKey(package, ProgramNumber(number))


def at(time: datetime, number: int = 1, zone: Zone = Zone.UTC) -> Assignment:
    return Assignment(number=number, kind=AssignmentKind.TIME, at=time.replace(tzinfo=None), zone=zone)


def advertisement_id(number: int) -> AdvertisementId:
    return AdvertisementId(f"S012{number:04d}")


class NamedPoint:
    """A point of which only the name matters here."""

    def __init__(self, url: str) -> None:
        self.url = url


@dataclass
class FakeContent:
    """Content that a test puts onto points; what was fetched is held until it is forgotten."""

    machine: Machine
    available: dict[str, dict[str, bytes]] = field(default_factory=dict)
    held: dict[str, set[PackageId]] = field(default_factory=dict)
    lack: Fetched | None = None
    fetches: list[str] = field(default_factory=list)
    seconds: float = 0
    """How long each fetch takes."""
    clock: Clock | None = None

    def fetch(
        self,
        manifest: str,
        package: PackageId,
        points: Sequence[Point],
        settings: AgentSettings,
        now: datetime,
        *,
        keep: AbstractSet[str] = frozenset(),
    ) -> Fetched:
        self.fetches.append(manifest)
        if self.clock is not None:
            self.clock.advance(timedelta(seconds=self.seconds))
        if self.lack is not None:
            return self.lack
        if not points:
            return Fetched(cause=Cause.NO_POINT, reason="no distribution point holds the content")
        if manifest not in self.available:
            return Fetched(cause=Cause.POINTS_FAIL, reason="no point answers")
        self.held.setdefault(manifest, set()).add(package)
        return Fetched()

    def is_held(self, manifest: str) -> bool:
        return manifest in self.held

    def lay_out(self, manifest: str, folder: str) -> None:
        self.machine.disk.remove(folder)
        for path, content in self.available[manifest].items():
            self.machine.disk.append(f"{folder}/{path}", content)

    def release(self, manifest: str, package: PackageId) -> None:
        self.held.pop(manifest, None)

    def forget_package(self, package: PackageId) -> None:
        for manifest in [one for one, packages in self.held.items() if package in packages]:
            del self.held[manifest]

    def evict(self, settings: AgentSettings, keep: AbstractSet[str]) -> None:
        return


class World:
    """A machine under a policy."""

    def __init__(self, *, zone: tzinfo = UTC, platform: str = "linux/debian/12") -> None:
        self.clock = Clock()
        self.machine = SimulatedMachine("pc1", self.clock, zone=zone, platform=platform)
        self.content = FakeContent(self.machine, clock=self.clock)
        self.advertisements: dict[AdvertisementId, Advertisement] = {}
        self.packages: dict[PackageId, PackageInfo] = {}
        self.points: dict[str, tuple[str, ...]] = {}
        self.disabled: set[ProgramKey] = set()
        self.deleted_packages: set[PackageId] = set()
        self.deleted_programs: set[ProgramKey] = set()
        self.removals: set[PackageId] = set()
        self.running_choices: dict[PackageId, RunningChoice] = {}
        self.is_complete = self.is_fresh = self.may_run_accepted = True
        self.windows: list[Window] = []
        self.requests: list[Request] = []
        self.settings: dict[str, object] = {}
        self.notes: list[str] = []

    # --- what the site says ---

    def package(self, *programs: Program, package: PackageId = PACKAGE, version: int = 1, manifest: str = "") -> None:
        """Publishes a package; without programs it has one that runs `setup`."""
        shown = programs or (self.program(),)
        highest = max(program.number for program in shown)
        self.packages[package] = PackageInfo(
            id=package, name=package, source_version=version, manifest=manifest, highest_program=highest, programs=shown
        )

    @staticmethod
    def program(number: int = 1, command: str = "setup", **changes: object) -> Program:
        return Program(number=ProgramNumber(number), name=command, command=Command(argv=tuple(command.split())), **changes)  # type: ignore[arg-type]

    def supply(self, manifest: str, **files: bytes) -> None:
        """Puts content onto the distribution point."""
        self.content.available[manifest] = dict(files)
        self.points[manifest] = (POINT,)

    def advertise(
        self,
        number: int = 1,
        *assignments: Assignment,
        program: ProgramKey | None = None,
        available_from: datetime | None = None,
        expires_at: datetime | None = None,
        each_version: bool = False,
        is_paused: bool = False,
        **changes: object,
    ) -> AdvertisementId:
        target = program or key()
        made = Advertisement(
            id=advertisement_id(number),
            package=target.package,
            program=target.program,
            available_from=available_from or START - HOUR,
            expires_at=expires_at,
            each_version=each_version,
            is_paused=is_paused,
            assignments=assignments,
        )
        made = msgspec.structs.replace(made, **changes)
        self.advertisements[made.id] = made
        return made.id

    def withdraw(self, number: int = 1) -> None:
        """Takes an advertisement away."""
        del self.advertisements[advertisement_id(number)]

    def delete_package(self, package: PackageId = PACKAGE) -> None:
        """Deletes a package, proven: its advertisements and its file are gone too."""
        self.deleted_packages.add(package)
        self.packages.pop(package, None)
        self.advertisements = {number: one for number, one in self.advertisements.items() if one.package != package}

    def policy(self) -> Policy:
        settings = AgentSettings(
            site=SiteCode("S01"), incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=(), history_limit=5
        )
        settings = msgspec.structs.replace(settings, **self.settings)
        return Policy(
            settings=settings,
            is_complete=self.is_complete,
            is_fresh=self.is_fresh,
            may_run_accepted=self.may_run_accepted,
            offers=tuple(Offer(collection=COLLECTION, advertisement=one) for one in self.advertisements.values()),
            disabled=frozenset(self.disabled),
            packages=dict(self.packages),
            points=dict(self.points),
            deleted_packages=frozenset(self.deleted_packages),
            deleted_programs=frozenset(self.deleted_programs),
            running_choices=dict(self.running_choices),
            removals=frozenset(self.removals),
            client=ClientId("pc1"),
            windows=tuple(self.windows),
            requests=tuple(self.requests),
        )

    # --- what happens ---

    def turn(self) -> datetime | None:
        return apm.turn(
            self.policy(),
            state=self.machine.state,
            machine=self.machine,
            content=self.content,
            point_for=NamedPoint,  # type: ignore[arg-type]
            now=self.machine.now(),
            note=self.notes.append,
        )

    def poll(self, step: timedelta = HOUR) -> datetime | None:
        """Lets time pass, and takes a turn on what an access point serves then."""
        self.clock.advance(step)
        self.machine.turn()
        self.machine.state.remember_time("served_at", self.machine.now())
        self.machine.state.remember_time("newest_signed", self.clock.now())
        return self.turn()

    def request(self, number: int, kind: RequestKind, advertisement: int = 1, **changes: object) -> Request:
        """An administrator asks something of this client."""
        target = self.advertisements.get(advertisement_id(advertisement))
        made = Request(
            number=number,
            kind=kind,
            advertisement=advertisement_id(advertisement),
            package=target.package if target else PACKAGE,
            program=target.program if target else ProgramNumber(1),
            made_at=self.clock.now(),
            expires_at=self.clock.now() + 24 * HOUR,
        )
        self.requests.append(msgspec.structs.replace(made, **changes))
        return self.requests[-1]

    def ask(
        self, user: str, kind: AskKind = AskKind.RUN, *, after: timedelta = timedelta(0), program: ProgramKey | None = None
    ) -> None:
        """A user asks for a run, or to put one off."""
        now = self.machine.now()
        add_ask(self.machine.state, Ask(kind=kind, user=user, made_at=now, at=now + after, key=program or key()))

    def after(self, step: timedelta) -> datetime | None:
        """Lets time pass, and takes a turn."""
        self.clock.advance(step)
        self.machine.turn()
        return self.turn()

    def settle(self, limit: int = 50) -> None:
        """Takes turns until nothing runs and nothing is due at once."""
        for _ in range(limit):
            due = self.turn()
            ends = self.machine.programs.next_end()
            if ends is not None:
                self.clock.advance(max(timedelta(0), ends - self.clock.now()))
                self.machine.turn()
            elif due is None or due - self.clock.now() > timedelta(seconds=2):
                return
            else:
                self.clock.advance(due - self.clock.now())
        raise AssertionError("it never came to rest")

    def script(self, command: str = "setup", *scripts: Script) -> None:
        self.machine.programs.script(command, *scripts)

    # --- what can be seen ---

    @property
    def runs(self) -> list[str]:
        """The commands that were started, in order."""
        return [launch.command for launch in self.machine.programs.launches]

    @property
    def messages(self) -> list[StatusMessage]:
        rows = self.machine.state.connection.execute("select content from message order by id")
        return [from_bytes(bytes(row[0]), StatusMessage) for row in rows]

    def told(self, status: StatusId) -> list[StatusMessage]:
        return [message for message in self.messages if message.id is status]

    @property
    def jobs(self) -> list[Job]:
        return apm.jobs(self.machine.state)

    def job(self, program: ProgramKey | None = None) -> Job:
        """The newest job of a program."""
        return [job for job in self.jobs if job.key == (program or key())][-1]

    def state_of(self, program: ProgramKey | None = None) -> JobState:
        return self.job(program).state

    def history(self, program: ProgramKey | None = None) -> History:
        return records.history_of(self.machine.state, program or key())
