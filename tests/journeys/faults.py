"""Stories of single faults: what a client may conclude of damaged, older, early or expired words of its site, and what not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from journeys.scene import (
    EVERYTHING_RUN_POLLS,
    NEIGHBOUR,
    OTHER,
    POLL_INTERVAL,
    REMOVE,
    SUBJECT,
    everything_ran_once,
    nobody_asked_for_what_is_not_there,
    nothing_is_forgotten,
    package_is_forgotten,
    remembers,
    scene,
)
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import packages, programs, settings
from purveyor.site_server.database import publication
from purveyor.site_server.database.wanted import Kind
from purveyor.wire.offers import RunningChoice

PACKAGES_TO_FILL_THE_BINS = 8
"""So many packages have an id in each of the lab's four bins, as good as certainly: the test asserts what it needs."""


def story_of_damaged_bins() -> None:
    """New packages are offered while the bins that list them cannot be read: clients hold older bins, which lack them.

    Nothing follows from an older bin: once the newer ones can be read, everything runs.
    """
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        for number in range(PACKAGES_TO_FILL_THE_BINS):
            _advertise_plain(fleet, f"early-{number}.exe")
        fleet.advance_polls(1.5)
        fleet.cap.corrupt_all(lambda path: ".packages-" in path)
        late = [_advertise_plain(fleet, f"late-{number}.exe") for number in range(PACKAGES_TO_FILL_THE_BINS)]
        fleet.advance_polls(3)
        fleet.cap.mend()
        fleet.advance_polls(3)
        for client in fleet.clients:
            missed = [command for command in late if fleet.ran(client, command) != 1]
            assert missed == [], f"{client.name} never ran {missed}"


def story_of_offers_before_packages() -> None:
    """The packages key is away: a new package is offered, but not yet in its bin. It was not deleted: it is not there yet."""
    with scene() as stage:
        fleet = stage.fleet
        with packages_key_away():
            early = _advertise_plain(fleet, "early.exe")
            fleet.advance_polls(3)
            assert all(fleet.ran(client, early) == 0 for client in fleet.clients)
        fleet.advance_polls(3)
        for client in fleet.clients:
            assert fleet.ran(client, early) == 1, f"{client.name} never ran what was offered before it was published"
        everything_ran_once(stage)


def story_of_an_older_shard_on_the_day() -> None:
    """An assignment was accepted; on its day the CAP serves an older shard, without the client's collection. It runs on time."""
    with scene() as stage:
        fleet = stage.fleet
        at = fleet.clock.now() + 5 * POLL_INTERVAL
        package = fleet.admin.add_package("Timed")
        timed = fleet.admin.add_program(package, "install", "timed.exe")
        fleet.admin.advertise(timed, stage.collection, assignments=[at.isoformat()])
        fleet.advance_polls(2)
        fleet.cap.serve_moment("before", only=lambda path: path.endswith(".lkp"))
        fleet.advance_polls(2)
        assert all(fleet.ran(client, "timed.exe") == 0 for client in fleet.clients)
        fleet.advance_polls(2)
        for client in fleet.clients:
            assert fleet.ran(client, "timed.exe") == 1, f"{client.name} did not run on its day"


def story_of_a_damaged_package_file() -> None:
    """A package's newest `.pkg` is damaged on the CAP: its records stay, and nothing of it runs again."""
    with scene() as stage:
        fleet = stage.fleet
        fleet.cap.corrupt_all(lambda path: path.endswith(f"{stage.package}.pkg"))
        fleet.admin.change(packages.edit, stage.package, name="Subject, called otherwise")
        fleet.advance_polls(4)
        nothing_is_forgotten(stage)
        fleet.cap.mend()
        fleet.settle()
        nothing_is_forgotten(stage)
        everything_ran_once(stage)


def story_of_a_damaged_offers_file() -> None:
    """Q245170: the offers of one collection are damaged; those of the others still run, and the problem is told once."""
    with scene() as stage:
        fleet = stage.fleet
        fleet.cap.corrupt_all(lambda path: path.endswith(f"{stage.collection}.ofr"))
        fleet.admin.advertise(fleet.admin.add_program(stage.package, "third", "third.exe"), stage.collection)
        second = fleet.admin.add_collection("Second", stage.names)
        fleet.admin.advertise(fleet.admin.add_program(stage.package, "fourth", "fourth.exe"), second)
        fleet.advance_polls(3)
        for client in fleet.clients:
            assert fleet.ran(client, "fourth.exe") == 1, f"{client.name} waits because of another collection"
            assert fleet.ran(client, "third.exe") == 0
        nothing_is_forgotten(stage)
        fleet.cap.mend()
        fleet.settle()
        assert all(fleet.ran(client, "third.exe") == 1 for client in fleet.clients)
        everything_ran_once(stage)


def story_of_a_long_silence() -> None:
    """The CAP is away until all metadata has expired: nothing is forgotten, not even what the site deletes meanwhile."""
    with scene() as stage:
        fleet = stage.fleet
        for name, hours in {"timestamp_rhythm_seconds": 2, "timestamp_lifetime_seconds": 6, "shard_lifetime_seconds": 8}.items():
            fleet.admin.change(settings.change, name, hours * 3600)
        fleet.settle()
        fleet.cap.cut()
        fleet.admin.delete_package(stage.package)
        fleet.advance(hours=18)
        nothing_is_forgotten(stage)
        fleet.cap.mend()
        fleet.advance_polls(3)
        package_is_forgotten(stage)
        nobody_asked_for_what_is_not_there(stage)
        assert all(fleet.ran(client, SUBJECT) == 1 for client in fleet.clients)


def story_of_a_mirror_that_lags_behind() -> None:
    """A CAP serves yesterday's folder, whole and signed, after the package was deleted: nothing of it comes back."""
    with scene() as stage:
        fleet = stage.fleet
        fleet.cap.keep_moment("yesterday")
        fleet.admin.delete_package(stage.package)
        fleet.settle()
        package_is_forgotten(stage)
        fleet.cap.serve_moment("yesterday")
        fleet.advance_polls(5)
        package_is_forgotten(stage)
        fleet.cap.mend()
        fleet.settle()
        package_is_forgotten(stage)
        assert [fleet.ran(client, SUBJECT) for client in fleet.clients] == [1, 1]
        nobody_asked_for_what_is_not_there(stage)


def story_of_a_receipt() -> None:
    """What a deleted package left behind can still be removed: its receipt, and the file that its uninstall needs, stay."""
    with scene() as stage:
        stage.fleet.admin.delete_package(stage.package)
        stage.fleet.settle()
        package_is_forgotten(stage)
        for client in stage.fleet.clients:
            assert client.receipts() == [stage.subject], f"{client.name} has lost the receipt"
            assert list(client.machine.disk.files("receipts").values()) == [b"the subject's program"]
            assert stage.fleet.ran(client, REMOVE) == 0


def story_of_a_read_only_disk() -> None:
    """A client cannot remove the content of a deleted package: the site does not count it as forgotten until it has."""
    with scene(client_count=1) as stage:
        fleet, client = stage.fleet, stage.fleet.clients[0]
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", int(POLL_INTERVAL.total_seconds()))
        fleet.settle()
        client.machine.disk.is_read_only = True
        fleet.admin.delete_package(stage.package)
        fleet.settle()
        retirement = fleet.admin.ask(packages.retirement, stage.package, fleet.clock.now())
        assert fleet.holds_anything_of(client, stage.package) != [], "it has forgotten content that is still there"
        assert retirement.acknowledged == 0, "it is counted as forgotten, and its content is still there"
        client.machine.disk.is_read_only = False
        fleet.settle()
        package_is_forgotten(stage)
        assert fleet.admin.ask(packages.retirement, stage.package, fleet.clock.now()).acknowledged == 1


def story_of_a_run_under_way(choice: RunningChoice) -> None:
    """A package is deleted while its program runs: the run finishes, is asked to end, or is ended; then it is forgotten."""
    with scene(has_run=False) as stage:
        fleet = stage.fleet
        fleet.script(SUBJECT, Script(seconds=3 * POLL_INTERVAL.total_seconds(), installs=("subject=1.0",)))
        fleet.script(OTHER, Script(seconds=1))
        fleet.admin.change(programs.edit, stage.subject, max_run_seconds=5 * int(POLL_INTERVAL.total_seconds()))
        fleet.advance_polls(EVERYTHING_RUN_POLLS)
        assert [fleet.ran(client, SUBJECT) for client in fleet.clients] == [1, 1]
        fleet.admin.delete_package(stage.package, running=choice)
        fleet.advance_polls(1.5)
        progress = fleet.admin.ask(packages.retirement, stage.package, fleet.clock.now())
        if choice is RunningChoice.FINISH:
            assert progress.acknowledged == 0, "what still runs is counted as forgotten"
            assert all(client.machine.running() for client in fleet.clients)
        else:
            assert not any(client.machine.running() for client in fleet.clients)
        fleet.advance_polls(4)
        fleet.script(NEIGHBOUR, Script())
        for client in fleet.clients:
            assert fleet.holds_anything_of(client, stage.package) == []
            assert remembers(client, stage.neighbour), "the neighbour never had its turn"
            assert ("subject" in client.machine.installed) is (choice is RunningChoice.FINISH)
        assert fleet.admin.ask(packages.retirement, stage.package, fleet.clock.now()).acknowledged == 2
        nobody_asked_for_what_is_not_there(stage)


@contextmanager
def packages_key_away() -> Iterator[None]:
    """Packages are published only after this: their signature is made elsewhere, everything else goes on."""
    unmet, highest_numbers = publication.unmet, publication.highest_numbers

    def without_packages(tx: object, limit: int) -> Sequence[publication.Want]:
        return [want for want in unmet(tx, limit) if want.kind is not Kind.PACKAGE]  # type: ignore[arg-type]

    def without_highest_package(tx: object) -> dict[str, int]:
        return {kind: number for kind, number in highest_numbers(tx).items() if kind != "packages"}  # type: ignore[arg-type]

    with (
        patch.object(publication, "unmet", without_packages),
        patch.object(publication, "highest_numbers", without_highest_package),
    ):
        yield


def _advertise_plain(fleet: Fleet, command: str) -> str:
    """Advertises a new package without content to everybody."""
    fleet.script(command, Script(seconds=5))
    fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package(command), "install", command))
    return command
