"""The scene of the journeys: a site, a package that the story is about, one that it is not about, and clients that ran both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from purveyor.client.programs.memory import records
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, settings
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.manifest import hash_of
from purveyor.wire.package_info import Command, OsPackageRule, ProgramKey, Uninstall

SUBJECT, OTHER, NEIGHBOUR, PARENT, REMOVE = "subject.exe /q", "other.exe", "neighbour.exe", "parent.exe", "remove-subject.exe"
FILES = {"subject.exe": b"the subject's program", "readme/first.txt": b"of the subject alone"}
POLL_INTERVAL = timedelta(minutes=15)
HEARTBEAT_POLLS = 8
EVERYTHING_RUN_POLLS = 1.4
"""One poll interval, and time for four programs of a minute each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a story has in hand. `other` is a second program of the subject's package, `neighbour` one of another package."""

    fleet: Fleet
    collection: CollectionId
    subject: ProgramKey
    other: ProgramKey
    neighbour: ProgramKey
    parent: ProgramKey | None
    advertisement: AdvertisementId

    @property
    def package(self) -> PackageId:
        """The package that the story is about."""
        return self.subject.package

    @property
    def names(self) -> list[str]:
        """The clients, by name."""
        return [client.name for client in self.fleet.clients]

    def advertised_by(self) -> AdvertisementId:
        """The standing advertisement through which the subject reaches the clients."""
        key = self.parent or self.subject
        listed = self.fleet.admin.ask(advertisements.listed)
        return next(one.id for one in listed if (one.package, one.program) == key)


@contextmanager
def scene(*, client_count: int = 2, is_dependency: bool = False, has_run: bool = True) -> Iterator[Scene]:
    """A fleet in which subject, other and neighbour are advertised and, unless told otherwise, have run everywhere.

    As a dependency the subject is not advertised itself: it runs because its parent depends on it. The CAP as it was before
    anything was advertised is kept as the moment "before".
    """
    with Fleet(client_count, poll_interval=POLL_INTERVAL) as fleet:
        admin = fleet.admin
        admin.change(settings.change, "heartbeat_interval_seconds", int(HEARTBEAT_POLLS * POLL_INTERVAL.total_seconds()))
        collection = admin.add_collection("Pilot", [client.name for client in fleet.clients])
        fleet.script(SUBJECT, Script(installs=("subject=1.0",)))
        fleet.script(REMOVE, Script(removes=("subject",)))
        fleet.advance_polls(1)
        fleet.cap.keep_moment("before")
        package = admin.add_package("Subject", FILES)
        subject = admin.add_program(
            package,
            "install",
            SUBJECT,
            uninstall=Uninstall(command=Command(argv=(REMOVE,)), files=("subject.exe",)),
            detection=OsPackageRule(name="subject"),
        )
        other = admin.add_program(package, "other", OTHER)
        neighbour = admin.add_program(admin.add_package("Neighbour", {"neighbour.exe": b"another program"}), "install", NEIGHBOUR)
        parent = admin.add_program(admin.add_package("Parent"), "install", PARENT, depends_on=subject) if is_dependency else None
        advertised = admin.advertise(parent or subject, collection)
        admin.advertise(other, collection)
        admin.advertise(neighbour, collection)
        stage = Scene(
            fleet=fleet,
            collection=collection,
            subject=subject,
            other=other,
            neighbour=neighbour,
            parent=parent,
            advertisement=advertised,
        )
        if has_run:
            fleet.advance_polls(EVERYTHING_RUN_POLLS)
            everything_ran_once(stage)
        yield stage


# --- what is asked of a scene, in an administrator's words ---


def everything_ran_once(stage: Scene) -> None:
    """Each program ran exactly once on every client."""
    commands = (SUBJECT, OTHER, NEIGHBOUR, *((PARENT,) if stage.parent else ()))
    runs = {(client.name, command): stage.fleet.ran(client, command) for client in stage.fleet.clients for command in commands}
    assert set(runs.values()) == {1}, runs


def remembers(client: LabClient, key: ProgramKey) -> bool:
    """Whether a client remembers that a program succeeded."""
    return records.history_of(client.machine.state, key).has_succeeded


def nothing_is_forgotten(stage: Scene) -> None:
    """Every client remembers all that it ran."""
    for client in stage.fleet.clients:
        for key in (stage.subject, stage.other, stage.neighbour):
            assert remembers(client, key), f"{client.name} has forgotten {key}"


def nobody_asked_for_what_is_not_there(stage: Scene) -> None:
    """No client ever asked a point for a file that it did not have, and none says so of itself."""
    assert stage.fleet.absent_requests() == []


def nobody_has_asked_for(stage: Scene, package: PackageId, *, since: datetime) -> None:
    """Since a time nobody asked for anything of a package: not for its `.pkg`, not for its content."""
    names = {package, *(hash_of(content) for content in FILES.values())}
    requests = (request for request in [*stage.fleet.cap.requests, *stage.fleet.dp.requests] if request.at > since)
    assert [request for request in requests if any(name in request.path for name in names)] == []


def package_is_forgotten(stage: Scene) -> None:
    """No client holds anything of the subject's package, and all remember the neighbour."""
    for client in stage.fleet.clients:
        held = stage.fleet.holds_anything_of(client, stage.package)
        assert held == [], f"{client.name} still holds {held}"
        left = {path: content for path, content in client.machine.disk.files().items() if content in FILES.values()}
        assert all(path.startswith("receipts/") for path in left), left
        assert remembers(client, stage.neighbour), f"{client.name} has forgotten the neighbour"
