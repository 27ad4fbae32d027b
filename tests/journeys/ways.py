"""Every way in which a program can be "not offered just now", and every way in which it can be deleted.

Each is a pair of words for a parametrised journey and what an administrator, or fate, does then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from journeys.scene import Scene
from purveyor.site_server.admin import advertisements, collections, packages, programs
from purveyor.site_server.admin.programs import Part
from purveyor.wire.offers import RunningChoice

Deed = Callable[[Scene], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way not to be offered: how it begins and how it ends. `is_blind`: clients hear nothing new of the site meanwhile."""

    begin: Deed
    end: Deed
    is_dependency: bool = False
    is_blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """One way to delete. `forgets`: what clients are to forget of it. `polls`: how many polls that may take."""

    delete: Deed
    forgets: str
    polls: int = 2
    offer_again: Deed = field(default=lambda stage: None)
    """For what is not deleted for good: how the program is offered once more."""


def _disable(stage: Scene) -> None:
    stage.fleet.admin.change(programs.disable, stage.subject)


def _enable(stage: Scene) -> None:
    stage.fleet.admin.change(programs.enable, stage.subject)


def _other_platform(stage: Scene) -> None:
    stage.fleet.admin.change(programs.edit, stage.subject, platforms=["windows"])


def _any_platform(stage: Scene) -> None:
    stage.fleet.admin.change(programs.edit, stage.subject, platforms=[])


def _expire(stage: Scene) -> None:
    expires_at = stage.fleet.clock.now() + timedelta(minutes=1)
    stage.fleet.admin.change(advertisements.edit, stage.advertised_by(), expires_at=expires_at)


def _never_expire(stage: Scene) -> None:
    stage.fleet.admin.change(advertisements.edit, stage.advertised_by(), never_expires=True)


def _pause(stage: Scene) -> None:
    stage.fleet.admin.change(advertisements.pause, stage.advertised_by())


def _resume(stage: Scene) -> None:
    stage.fleet.admin.change(advertisements.resume, stage.advertised_by())


def _leave_the_collection(stage: Scene) -> None:
    stage.fleet.admin.change(collections.edit, stage.collection, remove_members=stage.names)


def _come_back_to_the_collection(stage: Scene) -> None:
    stage.fleet.admin.change(collections.edit, stage.collection, add_members=stage.names, is_confirmed=True)


def _advertise_the_subject_itself(stage: Scene) -> None:
    stage.fleet.admin.advertise(stage.subject, stage.collection)


def _cut_off(stage: Scene) -> None:
    stage.fleet.cap.cut()


def _empty(stage: Scene) -> None:
    stage.fleet.cap.serve_nothing()


def _serve_yesterdays_mirror(stage: Scene) -> None:
    stage.fleet.cap.serve_moment("before")


def _serve_yesterdays_shard(stage: Scene) -> None:
    stage.fleet.cap.serve_moment("before", only=lambda path: path.endswith(".lkp"))


def _mend(stage: Scene) -> None:
    stage.fleet.cap.mend()


def _damage(part_of_path: str) -> Deed:
    def damage(stage: Scene) -> None:
        stage.fleet.cap.corrupt_all(lambda path: part_of_path in path)
        stage.fleet.admin.change(packages.edit, stage.package, name="Subject, called otherwise")
        stage.fleet.admin.advertise(stage.other, stage.collection, assignments=())

    return damage


def _half(after_writes: int) -> Deed:
    def publish_half(stage: Scene) -> None:
        stage.fleet.cap.hold(after_writes)
        stage.fleet.admin.change(packages.edit, stage.package, name="Subject, called otherwise")
        stage.fleet.admin.change(packages.edit, stage.neighbour.package, name="Neighbour, called otherwise")

    return publish_half


def _nothing(stage: Scene) -> None:
    del stage


WAYS = {
    "disabled": Way(begin=_disable, end=_enable),
    "a dependency only": Way(begin=_nothing, end=_advertise_the_subject_itself, is_dependency=True),
    "a disabled dependency": Way(begin=_disable, end=_enable, is_dependency=True),
    "platform excluded": Way(begin=_other_platform, end=_any_platform),
    "expired": Way(begin=_expire, end=_never_expire),
    "paused": Way(begin=_pause, end=_resume),
    "left the collection": Way(begin=_leave_the_collection, end=_come_back_to_the_collection),
    "CAP unreachable": Way(begin=_cut_off, end=_mend, is_blind=True),
    "none of a publication": Way(begin=_half(0), end=_mend),
    "a little of a publication": Way(begin=_half(2), end=_mend),
    "half a publication": Way(begin=_half(5), end=_mend),
    "damaged package files": Way(begin=_damage(".pkg"), end=_mend),
    "damaged offers": Way(begin=_damage(".ofr"), end=_mend),
    "damaged bins of packages": Way(begin=_damage(".packages-"), end=_mend),
    "empty folder": Way(begin=_empty, end=_mend, is_blind=True),
    "stale shard": Way(begin=_serve_yesterdays_shard, end=_mend),
    "stale mirror": Way(begin=_serve_yesterdays_mirror, end=_mend, is_blind=True),
}


def _delete_package(running: RunningChoice, *, with_uninstall: bool = False) -> Deed:
    def delete(stage: Scene) -> None:
        stage.fleet.admin.delete_package(stage.package, running=running, with_uninstall=with_uninstall)

    return delete


def _delete_program(stage: Scene) -> None:
    if stage.parent is not None:
        stage.fleet.admin.change(programs.edit, stage.parent, without=[Part.DEPENDS_ON])
    stage.fleet.admin.change(programs.delete, stage.subject, is_confirmed=True)


def _delete_advertisement(stage: Scene) -> None:
    stage.fleet.admin.change(advertisements.delete, stage.advertised_by())


def _delete_collection(stage: Scene) -> None:
    stage.fleet.admin.change(collections.delete, stage.collection, is_confirmed=True)


def _new_collection(stage: Scene) -> None:
    stage.fleet.admin.advertise(stage.subject, stage.fleet.admin.add_collection("Everybody else", stage.names))


DELETIONS = {
    "package, running finishes": Deletion(delete=_delete_package(RunningChoice.FINISH), forgets="package"),
    "package, running is asked": Deletion(delete=_delete_package(RunningChoice.ASK), forgets="package"),
    "package, running stops": Deletion(delete=_delete_package(RunningChoice.STOP), forgets="package"),
    "package with uninstall": Deletion(
        delete=_delete_package(RunningChoice.FINISH, with_uninstall=True), forgets="package", polls=5
    ),
    "program": Deletion(delete=_delete_program, forgets="program"),
    "advertisement": Deletion(delete=_delete_advertisement, forgets="", offer_again=_new_collection),
    "collection": Deletion(delete=_delete_collection, forgets="", offer_again=_new_collection),
}
