"""The stage of a story: a fleet, the names by which the story calls things, and the witness who writes down what happens."""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from purveyor.client.policy import view
from purveyor.client.reports import resend_after
from purveyor.client.state import published
from purveyor.lab.backup import Backup
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.lab.stories.branch import Branch
from purveyor.lab.stories.witness import Kept, Witness
from purveyor.lab.transit import AbsentRequest
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import packages
from purveyor.site_server.model.settings import SiteSettings
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import ProgramKey

POLL_INTERVAL = timedelta(hours=1)
PILOT = "Pilot"
POLLS_TO_REMOVE = 3
"""Where a package is removed before it is retired, clients are told one after the other."""
MIRROR_PASSES = 4
"""In a poll interval, when faults are over."""
POLLS_TO_PART = 6
"""Machines that share an identity are told apart once each of them has spoken, and the copy joins as itself then."""
POLLS_TO_JOIN = 3
"""Who joins as itself is a member at the next poll, tells what it has to tell, and hears that this arrived."""
HEARTBEAT = timedelta(seconds=SiteSettings().heartbeat_interval_seconds)
POLLS_TO_RETURN = 2
"""A client that a restored site does not know hears that at its first poll, shows its receipt, and is a member at the next."""
SITE = "the site"
"""As whom the site reads points."""
RESENDINGS = 3
"""How often what was thrown away is waited for: a later item may have been thrown away too."""


class NoSuchThingError(LookupError):
    """A step is about something that is not there: not yet, not any more, or not in this shorter story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A package of the story with its one program. Shape: `command` is what it starts, `remove` how it is uninstalled."""

    package: PackageId
    program: ProgramKey
    command: str
    remove: str


@dataclass(slots=True)
class Ordered:
    """What the administrator ordered, by the story's names: what stands, and what was deleted for good."""

    products: dict[str, Product] = field(default_factory=dict)
    advertisements: dict[str, AdvertisementId] = field(default_factory=dict)
    deleted_packages: dict[PackageId, frozenset[str]] = field(default_factory=dict)
    """Of each, the clients that held anything of it when it was deleted."""
    uninstalled_packages: set[PackageId] = field(default_factory=set)
    """Those of the deleted ones that are removed from the machines first."""
    deleted_programs: set[ProgramKey] = field(default_factory=set)
    once_deleted: set[PackageId] = field(default_factory=set)
    """Packages that were deleted, and are packages again since the site was restored without a witness of that."""
    ids: set[str] = field(default_factory=set)
    """Every id that anything was ever given."""
    broken: list[str] = field(default_factory=list)
    """What of the promise broke in the middle of the story, as sentences."""

    def give(self, name: str, given: str) -> None:
        """Something was given an id, which nothing had before."""
        if given in self.ids:
            self.broken.append(f"{name} was given {given}, which something else had before")
        self.ids.add(given)

    @property
    def may_be_forgotten(self) -> frozenset[PackageId]:
        """The packages of which nobody has to remember anything."""
        return frozenset(self.deleted_packages) | self.once_deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSite:
    """A backup of the site, and the packages that nobody had deleted then."""

    backup: Backup
    packages: frozenset[PackageId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point in another place, and what the site calls it."""

    boxes: MemoryBoxes
    id: str


class Stage(AbstractContextManager["Stage"]):
    """A fleet with a collection of all its clients, before anything happens."""

    def __init__(self, *, client_count: int, seed: int) -> None:
        self.fleet = Fleet(client_count, seed=seed, poll_interval=POLL_INTERVAL)
        self.ordered = Ordered()
        self.pilot: CollectionId = self.fleet.admin.add_collection(PILOT, [client.name for client in self.fleet.clients])
        self.join_code = self.fleet.new_join_code()
        self.started_at = self.fleet.clock.now()
        self.moments: set[str] = set()
        """The copies of the access point that somebody kept."""
        self.snapshots: dict[str, Kept] = {}
        """What was kept of machines, by name."""
        self.backups: dict[str, KeptSite] = {}
        """The backups of the site, by name."""
        self.places: dict[tuple[str, str], Place] = {}
        """Points in other places, by their kind and where they are."""
        self.branch: Branch | None = None
        self.switched_off: set[str] = set()
        """Machines that are off because a step says so."""
        self.has_thrown_away = False
        """Whether a point took what clients put, and threw it away."""
        self.witness = Witness()
        for client in self.fleet.clients:
            self.witness.watch(client)

    def client(self, name: str) -> LabClient:
        """The client of this name. Errors: NoSuchThingError."""
        try:
            return self.fleet[name]
        except KeyError:
            raise NoSuchThingError(name) from None

    def product(self, name: str) -> Product:
        """The product of this name. Errors: NoSuchThingError."""
        if name not in self.ordered.products:
            raise NoSuchThingError(name)
        return self.ordered.products[name]

    def advertisement(self, name: str) -> AdvertisementId:
        """The advertisement of this name. Errors: NoSuchThingError."""
        if name not in self.ordered.advertisements:
            raise NoSuchThingError(name)
        return self.ordered.advertisements[name]

    def moment(self, name: str) -> str:
        """A copy of the access point that was kept. Errors: NoSuchThingError."""
        if name not in self.moments:
            raise NoSuchThingError(name)
        return name

    def place(self, what: str, name: str) -> Place:
        """The point of this kind in this place. Errors: NoSuchThingError."""
        if (what, name) not in self.places:
            raise NoSuchThingError(name)
        return self.places[what, name]

    def site_packages(self) -> frozenset[PackageId]:
        """The packages that the site has, and that nobody deleted."""
        return frozenset(one.id for one in self.fleet.admin.ask(packages.listed))

    def script(self, command: str, *scripts: Script) -> None:
        """How a command behaves everywhere."""
        self.fleet.script(command, *scripts)

    def go_on(self, minutes: float) -> None:
        """Lets time go by, and has the witness look."""
        self.fleet.advance(minutes=minutes)
        if self.branch is not None:
            self.branch.mirror()
        self.look()

    def look(self) -> None:
        """Has the witness write down what every client remembers now."""
        for client in self.fleet.clients:
            self.witness.look(client)

    def end(self) -> None:
        """The faults stop, and two poll intervals go by; three more where a package is removed before it is retired."""
        self.stop_faults()
        polls = 2
        if self.ordered.uninstalled_packages:
            polls += POLLS_TO_REMOVE
        if self.witness.told_since is not None:
            polls += POLLS_TO_RETURN
        if self.witness.kin:
            polls += POLLS_TO_PART
            self._let_poll(polls - POLLS_TO_JOIN)
            self._wait_for_heartbeats()
            polls = POLLS_TO_JOIN
        self._let_poll(polls)
        if self.has_thrown_away:
            self._wait_for_resending()
        self.fleet.site_turn()
        self.look()

    def _wait_for_heartbeats(self) -> None:
        """Copies that have nothing to tell, and that nothing tells apart, are not known to be several before their heartbeats."""
        clients = self.fleet.clients
        if len({client.id for client in clients}) < len(clients):
            self._let_poll(math.ceil(HEARTBEAT / POLL_INTERVAL) + POLLS_TO_PART)

    def _wait_for_resending(self) -> None:
        """What a point took and threw away is sent again after a pause, of a day at most: nobody told the client of it."""
        for _ in range(RESENDINGS):
            now, pauses = self.fleet.clock.now(), []
            for client in self.fleet.clients:
                rows = client.machine.state.connection.execute("select sent_at, send_count from item where sent_at is not null")
                settings = view.held_settings(client.machine.state)
                if settings is not None:
                    ends = (datetime.fromisoformat(sent_at) + resend_after(count, settings) for sent_at, count in rows)
                    pauses += [max(end - now, timedelta(0)) for end in ends]
            if not pauses:
                return
            self.fleet.advance(seconds=max(pauses).total_seconds())
            self._let_poll(2)

    def _let_poll(self, count: int) -> None:
        """Lets so many poll intervals go by, in which the mirror of a branch makes its passes."""
        if self.branch is None:
            self.fleet.advance_polls(count)
            return
        for _ in range(count * MIRROR_PASSES):
            self.branch.mirror()
            self.fleet.advance_polls(1 / MIRROR_PASSES)

    def delete_package(self, package: PackageId, *, running: RunningChoice, with_uninstall: bool = False) -> None:
        """The administrator deletes a package. Errors: RefusedError, UnavailableError."""
        holding = frozenset(
            client.name for client in self.fleet.clients if package in published.held_package_ids(client.machine.state)
        )
        self.fleet.admin.delete_package(package, running=running, with_uninstall=with_uninstall)
        self.ordered.deleted_packages[package] = holding
        if with_uninstall:
            self.ordered.uninstalled_packages.add(package)

    def absent_requests(self) -> list[AbsentRequest]:
        """Who asked for what was not there.

        A join code names a root, which a machine that joins may ask an empty folder for. The site looks itself whether a mirror
        has brought content: that it has not yet is no request of a client.
        """
        asked = [one for one in self.fleet.absent_requests() if one.client != SITE]
        return [one for one in asked if not (one.path.endswith(".root.json") and self.fleet.cap.current(one.path))]

    def power_failed(self) -> None:
        """The power of the site or of a machine failed in the middle of a step; they start again as after any power cut."""
        if not self.fleet.power.is_on:
            self.fleet.site_turn()
        for client in self.fleet.clients:
            if not client.machine.power.is_on and client.name not in self.switched_off:
                client.machine.power_cut()
                client.switch_on()
                self.witness.cut(client)

    def stop_faults(self) -> None:
        """Everything that was broken is whole again: power, points, disks, clocks. What programs do is up to them."""
        self.switched_off.clear()
        self.fleet.calm()
        if self.branch is not None:
            self.branch.is_stopped = False

    @property
    def client_days(self) -> float:
        """How long all clients together have lived through."""
        return len(self.fleet.clients) * (self.fleet.clock.now() - self.started_at) / timedelta(days=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.fleet.close()
