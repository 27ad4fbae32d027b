"""The stories of Q293187, Q318779 and Q321168 as functions, so that the journeys and the mutants tell the same ones.

Every claim is an assertion in an administrator's words; the way from one to the next is what happens to a fleet.
"""

from enum import StrEnum

from journeys.scene import (
    REMOVE,
    SUBJECT,
    Scene,
    everything_ran_once,
    nobody_asked_for_what_is_not_there,
    nobody_has_asked_for,
    nothing_is_forgotten,
    package_is_forgotten,
    remembers,
    scene,
)
from journeys.ways import DELETIONS, WAYS, Deletion, Way
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import packages
from purveyor.site_server.model.retirement import PackageState

POLLS_AWAY = 4
"""How long a program is not offered."""


class When(StrEnum):
    """When the deletion comes."""

    AFTER = "after it was offered again"
    DURING = "while it is not offered"


def story_of(way_name: str, deletion_name: str, when: When) -> None:
    """A program ran; then it is not offered for hours; then it is offered again, or deleted meanwhile."""
    way, deletion = WAYS[way_name], DELETIONS[deletion_name]
    with scene(is_dependency=way.is_dependency) as stage:
        way.begin(stage)
        stage.fleet.advance_polls(POLLS_AWAY)
        nothing_is_forgotten(stage)
        everything_ran_once(stage)
        if when is When.AFTER:
            way.end(stage)
            stage.fleet.settle()
            everything_ran_once(stage)
            nothing_is_forgotten(stage)
            deletion.delete(stage)
        else:
            delete_meanwhile(stage, way, deletion)
        what_was_deleted_is_forgotten_and_nothing_else(stage, deletion)


def delete_meanwhile(stage: Scene, way: Way, deletion: Deletion) -> None:
    """The site deletes it while it is not offered. Who hears nothing of the site forgets nothing; then it is heard again."""
    deletion.delete(stage)
    stage.fleet.settle()
    if way.is_blind:
        nothing_is_forgotten(stage)
    stage.fleet.cap.mend()


def what_was_deleted_is_forgotten_and_nothing_else(stage: Scene, deletion: Deletion) -> None:
    """Within two polls each client has forgotten exactly what was deleted, asks for nothing of it, and ran nothing again."""
    fleet = stage.fleet
    fleet.advance_polls(deletion.polls)
    heard_at = fleet.clock.now()
    match deletion.forgets:
        case "package":
            package_is_forgotten(stage)
            fleet.advance_polls(3)
            nobody_has_asked_for(stage, stage.package, since=heard_at)
        case "program":
            for client in fleet.clients:
                assert not remembers(client, stage.subject), f"{client.name} still remembers the deleted program"
                assert remembers(client, stage.other), f"{client.name} has forgotten the other program of the package"
                assert remembers(client, stage.neighbour), f"{client.name} has forgotten the neighbour"
        case _:
            nothing_is_forgotten(stage)
            deletion.offer_again(stage)
            fleet.settle()
            nothing_is_forgotten(stage)
    everything_ran_once(stage)
    nobody_asked_for_what_is_not_there(stage)
    is_uninstalled = deletion is DELETIONS["package with uninstall"]
    for client in fleet.clients:
        assert fleet.ran(client, REMOVE) == (1 if is_uninstalled else 0), f"the uninstall on {client.name}"
        assert ("subject" in client.machine.installed) is not is_uninstalled


def story_of_a_deletion() -> None:
    """Q293187 as it was told: a package is deleted at the site; within two polls no client looks for its files any more."""
    with scene(client_count=3) as stage:
        fleet = stage.fleet
        history_before = _histories(stage)
        fleet.admin.delete_package(stage.package)
        fleet.advance_polls(2)
        package_is_forgotten(stage)
        heard_at = fleet.clock.now()
        assert _histories(stage) == history_before, "the history of another package was touched"
        fleet.advance(hours=12)
        nobody_has_asked_for(stage, stage.package, since=heard_at)
        nobody_asked_for_what_is_not_there(stage)
        assert all(fleet.ran(client, SUBJECT) == 1 for client in fleet.clients)


def story_of_two_weeks() -> None:
    """The same in real time: hourly polls, until the site has removed the package's last file. Nobody ever misses it."""
    with Fleet(2) as fleet:
        fleet.script("early.exe", Script())
        package = fleet.admin.add_package("Early", {"early.exe": b"bytes"})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "early.exe"))
        fleet.advance(hours=2)
        fleet.admin.delete_package(package)
        fleet.advance(days=12)
        assert fleet.admin.ask(packages.shown, package).state is PackageState.PURGED
        assert [path for path in fleet.cap.files if package in path] == []
        assert [path for path in fleet.dp.store.folder.rglob("*") if path.is_file()] == []
        assert [fleet.ran(client, "early.exe") for client in fleet.clients] == [1, 1]
        assert fleet.absent_requests() == []


def _histories(stage: Scene) -> list[bytes]:
    """What each client remembers of the neighbour, byte for byte."""
    statement = "select content from history where package = ? and program = ?"
    return [
        bytes(client.machine.state.connection.execute(statement, stage.neighbour).fetchone()[0]) for client in stage.fleet.clients
    ]
