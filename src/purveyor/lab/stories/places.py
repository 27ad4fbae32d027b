"""Points in other places in a story: opened, drained, dead, behind, removed; a branch that a mirror fills; machines that move."""

from datetime import timedelta

from purveyor.lab.stories.branch import Branch
from purveyor.lab.stories.stage import NoSuchThingError, Place, Stage
from purveyor.lab.stories.steps import PLACES, kind
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import points
from purveyor.site_server.model.points import PointKind

NETWORKS = {"harbour": "10.1.0.0/16", "hill": "10.2.0.0/16", "branch": "10.3.0.0/16"}
ADDRESSES = {"harbour": "10.1.0.7", "hill": "10.2.0.7", "branch": "10.3.0.7", "headquarters": "192.168.0.7"}
KINDS = {"access": PointKind.CAP, "distribution": PointKind.DP}
OWN, EVERYBODY = "the machines there", "everybody"
DAMAGED = (".pkg", ".ofr", ".lkp", "timestamp.json", "files/")


@kind(
    "place-opened",
    "an {0} point is opened at the {1}, for {2}",
    lambda d: (d.pick(("access", "access", "distribution")), d.new_place(), d.pick((OWN, EVERYBODY, EVERYBODY))),
    weight=1,
)
def _opened(stage: Stage, what: str, name: str, whom: str) -> None:
    if (what, name) in stage.places:
        raise NoSuchThingError(name)
    said: dict[str, object] = {"networks": [NETWORKS[name]]} if whom == OWN else {}
    _open(stage, what, name, said)


@kind("branch-opened", "a mirror fills an access point and a distribution point at the branch", lambda _: (), weight=1)
def _branch_opened(stage: Stage) -> None:
    if stage.branch is not None:
        raise NoSuchThingError("branch")
    filled = [MemoryBoxes(f"the {what} point to be", stage.fleet.clock.now) for what in KINDS]
    outcome = Branch(stage.fleet, cap=filled[0], dp=filled[1], code=stage.join_code).mirror()
    if outcome is None or not outcome.is_whole:
        raise NoSuchThingError("a mirror is told of once it serves what it is to serve")
    said: dict[str, object] = {"networks": [NETWORKS["branch"]], "target": ""}
    cap, dp = (_open(stage, what, "branch", said).boxes for what in KINDS)
    cap.files, dp.files = filled[0].files, filled[1].files
    stage.branch = Branch(stage.fleet, cap=cap, dp=dp, code=stage.join_code)


@kind("mirror-stops", "the mirror of the branch makes no passes any more", lambda _: (), weight=1)
def _mirror_stops(stage: Stage) -> None:
    _branch(stage).is_stopped = True


@kind("mirror-goes-on", "the mirror of the branch makes its passes again", lambda _: (), weight=1)
def _mirror_goes_on(stage: Stage) -> None:
    _branch(stage).is_stopped = False


@kind("moves", "{0} is moved to the {1}", lambda d: (d.client(), d.pick(tuple(ADDRESSES))))
def _moves(stage: Stage, client: str, place: str) -> None:
    stage.client(client).machine.own_addresses = (ADDRESSES[place],)


@kind("place-drained", "the {0} point at the {1} is drained", lambda d: d.place(), weight=1)
def _drained(stage: Stage, what: str, name: str) -> None:
    stage.fleet.admin.change(points.drain, stage.place(what, name).id)


@kind("place-resumed", "the {0} point at the {1} is used again", lambda d: d.place(), weight=1)
def _resumed(stage: Stage, what: str, name: str) -> None:
    stage.fleet.admin.change(points.resume, stage.place(what, name).id)


@kind("place-removed", "the {0} point at the {1} is removed, whoever uses it still", lambda d: d.place(), weight=1)
def _removed(stage: Stage, what: str, name: str) -> None:
    stage.fleet.admin.change(points.remove, stage.place(what, name).id, is_forced=True)


@kind("home-drained", "the {0} point at headquarters is drained", lambda d: (d.pick(tuple(KINDS)),), weight=1)
def _home_drained(stage: Stage, what: str) -> None:
    stage.fleet.admin.change(points.drain, f"{KINDS[what]}1")


@kind("home-resumed", "the {0} point at headquarters is used again", lambda d: (d.pick(tuple(KINDS)),), weight=1)
def _home_resumed(stage: Stage, what: str) -> None:
    stage.fleet.admin.change(points.resume, f"{KINDS[what]}1")


@kind("place-dead", "nobody reaches the {0} point at the {1} any more, nor does the site", lambda d: d.place(), weight=1)
def _dead(stage: Stage, what: str, name: str) -> None:
    boxes = stage.place(what, name).boxes
    boxes.cut()
    boxes.is_cut_from_site = True


@kind("place-not-filled", "the site does not reach the {0} point at the {1} any more", lambda d: d.place(), weight=1)
def _not_filled(stage: Stage, what: str, name: str) -> None:
    stage.place(what, name).boxes.is_cut_from_site = True


@kind(
    "place-lags",
    "the {0} point at the {1} shows {2} minutes late what the site writes, in any order",
    lambda d: (*d.place(), d.number(1, 300), d.number(0, 99)),
    weight=1,
)
def _lags(stage: Stage, what: str, name: str, minutes: int, seed: int) -> None:
    stage.place(what, name).boxes.lag(timedelta(minutes=minutes), spread=timedelta(minutes=minutes), seed=seed)


@kind("place-stands-still", "the {0} point at the {1} shows what it shows now, and nothing newer", lambda d: d.place(), weight=1)
def _stands_still(stage: Stage, what: str, name: str) -> None:
    stage.place(what, name).boxes.hold()


@kind(
    "place-damaged",
    "every file with {2} in its name is damaged on the {0} point at the {1}",
    lambda d: (*d.place(), d.pick(DAMAGED)),
    weight=1,
)
def _damaged(stage: Stage, what: str, name: str, part: str) -> None:
    stage.place(what, name).boxes.corrupt_all(lambda path: part in path)


@kind("place-discards", "the access point at the {0} throws away what clients put", lambda d: (d.pick(PLACES),), weight=1)
def _discards(stage: Stage, name: str) -> None:
    stage.place("access", name).boxes.discard()
    stage.has_thrown_away = True


@kind("place-mended", "the {0} point at the {1} is whole and reached again", lambda d: d.place())
def _mended(stage: Stage, what: str, name: str) -> None:
    stage.place(what, name).boxes.mend()


def _open(stage: Stage, what: str, name: str, said: dict[str, object]) -> Place:
    before = {view.id for view in stage.fleet.admin.ask(points.listed, stage.fleet.clock.now(), with_removed=True)}
    boxes = stage.fleet.add_point(KINDS[what], f"http://{name}.lab/{KINDS[what]}", **said)
    views = stage.fleet.admin.ask(points.listed, stage.fleet.clock.now())
    made = next(view.id for view in views if view.id not in before)
    stage.ordered.give(f"the {what} point at the {name}", made)
    stage.places[what, name] = Place(boxes=boxes, id=made)
    return stage.places[what, name]


def _branch(stage: Stage) -> Branch:
    if stage.branch is None:
        raise NoSuchThingError("branch")
    return stage.branch
