"""Copies of machines in a story: snapshots, machines that go back to one, and machines that are made of another one's disks."""

from purveyor.lab.stories.stage import NoSuchThingError, Stage
from purveyor.lab.stories.steps import COPIES, kind
from purveyor.lab.stories.witness import Kept

OWN_NAME, SAME_FACTS = "has a name of its own", "cannot be told apart from it"


@kind("snapshot", "a snapshot of {0} is taken", lambda d: (d.newly_kept(),))
def _snapshot(stage: Stage, name: str) -> None:
    client = stage.client(name)
    if client.machine.power.is_on:
        stage.snapshots[name] = stage.witness.kept(client)


@kind("went-back", "{0} goes back to its snapshot", lambda d: (d.kept_client(),))
def _went_back(stage: Stage, name: str) -> None:
    client, kept = stage.client(name), _kept(stage, name)
    stage.fleet.revert(client, kept.snapshot)
    stage.switched_off.discard(name)
    stage.witness.went_back(client, kept)


@kind(
    "cloned",
    "the disk of {0} is copied into a new machine, called {1}, which {2}",
    lambda d: (d.client(), d.copy(), d.pick((OWN_NAME, OWN_NAME, OWN_NAME, SAME_FACTS))),
    weight=1,
)
def _cloned(stage: Stage, origin: str, name: str, facts: str) -> None:
    client = stage.client(origin)
    if client.machine.power.is_on:
        _made(stage, name, origin, stage.witness.kept(client), facts)


@kind(
    "clone-of-snapshot",
    "a new machine, called {1}, is made of the snapshot of {0}",
    lambda d: (d.kept_client(), d.copy()),
    weight=1,
)
def _clone_of_snapshot(stage: Stage, origin: str, name: str) -> None:
    _made(stage, name, origin, _kept(stage, origin), OWN_NAME)


def _made(stage: Stage, name: str, origin: str, image: Kept, facts: str) -> None:
    if name not in COPIES or any(client.name == name for client in stage.fleet.clients):
        raise NoSuchThingError(name)
    copy = stage.fleet.clone_of(image.snapshot, name=name, has_same_facts=facts == SAME_FACTS)
    stage.witness.copied(origin, copy, image)


def _kept(stage: Stage, name: str) -> Kept:
    if name not in stage.snapshots:
        raise NoSuchThingError(name)
    return stage.snapshots[name]
