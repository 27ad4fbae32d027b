"""Backups of the site in a story, and restores: its machine is lost, and another one goes on from what was kept of it."""

from purveyor.lab.client import LabClient
from purveyor.lab.stories.stage import KeptSite, NoSuchThingError, Stage
from purveyor.lab.stories.steps import kind
from purveyor.wire.ids import PackageId

OUTLIVED, HALF, LOST = "outlived it", "outlived it as it was in the middle of its work", "is lost too"


@kind("backup", "a {0} backup of the site is made", lambda d: (d.new_backup(),))
def _backup(stage: Stage, name: str) -> None:
    kept = stage.site_packages()
    stage.backups[name] = KeptSite(backup=stage.fleet.backup(), packages=kept)


@kind(
    "restored",
    "the site is lost, and restored from the {0} backup; its access point {1}",
    lambda d: (d.backup(), d.pick((OUTLIVED, OUTLIVED, HALF, LOST, LOST))),
)
def _restored(stage: Stage, name: str, access_point: str) -> None:
    if name not in stage.backups:
        raise NoSuchThingError(name)
    kept, fleet = stage.backups[name], stage.fleet
    fleet.power.fail_at(None)
    fleet.cap.mend()
    if access_point == OUTLIVED:
        fleet.database.calm()
        fleet.site_turn()
    fleet.restore(kept.backup, with_cap=access_point != LOST)
    stage.witness.told_since = fleet.clock.now()
    _compare(stage, kept, access_point)


def _compare(stage: Stage, kept: KeptSite, access_point: str) -> None:
    """What the restored site has is compared with what was ordered; what nobody could witness stands as the site has it now."""
    ordered, there = stage.ordered, stage.site_packages()
    for name, product in ordered.products.items():
        package = product.package
        if package in there and package in ordered.deleted_packages:
            was_heard = access_point != LOST and any(_has_proof(client, package) for client in stage.fleet.clients)
            if access_point == OUTLIVED or was_heard or package not in kept.packages:
                ordered.broken.append(f"{name} was deleted, and is back since the site was restored")
            del ordered.deleted_packages[package]
            ordered.uninstalled_packages.discard(package)
            ordered.once_deleted.add(package)
        elif package not in there and package not in ordered.deleted_packages:
            if access_point == OUTLIVED or package in kept.packages:
                ordered.broken.append(f"{name} was not deleted, and is gone since the site was restored")
            ordered.deleted_packages[package] = frozenset()


def _has_proof(client: LabClient, package: PackageId) -> bool:
    """Whether a client has verified that a package was deleted."""
    found = client.machine.state.connection.execute("select 1 from deleted where package = ?", (package,))
    return found.fetchone() is not None
