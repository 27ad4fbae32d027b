"""What an administrator does in a story: packages, programs, advertisements, members, requests and windows."""

from dataclasses import replace
from datetime import timedelta

from purveyor.lab.programs import Script
from purveyor.lab.stories.stage import NoSuchThingError, Product, Stage
from purveyor.lab.stories.steps import Argument, Draft, kind
from purveyor.site_server.admin import advertisements, collections, packages, programs, requests, windows
from purveyor.site_server.admin.programs import Part
from purveyor.wire.offers import RequestKind, RunningChoice
from purveyor.wire.package_info import Command, IfInterrupted, OsPackageRule, Uninstall

MAX_RUN_SECONDS = 900
"""No program of a story runs longer, so that a queue of all of them is through within two polls."""
CONTENTS = ("no content", "content")
REMOVALS = ("no uninstall command", "an uninstall command", "an uninstall command for when nobody offers it any more")
RULES = ("no detection", "detection")
NOTHING_ELSE = "nothing else"
TIMES = (
    "as soon as possible",
    "every three hours",
    "in two hours",
    "every night at half past two",
    "at each start of the machine",
    "whenever somebody logs on",
    "whenever somebody logs off",
)
WAYS = {
    "runs well": (Script(seconds=60),),
    "takes ten minutes": (Script(seconds=600),),
    "fails the first time": (Script(seconds=30, exit_code=1), Script(seconds=30)),
    "fails always": (Script(seconds=30, exit_code=7),),
    "hangs": (Script(hangs=True), Script(seconds=60)),
    "leaves a child behind": (Script(seconds=30, forks_seconds=300),),
    "starts itself anew": (Script(seconds=5, forks_seconds=200, relaunches=True),),
    "restarts the machine at its end": (Script(seconds=120, restarts_machine=True),),
    "asks for a restart": (Script(seconds=60, exit_code=3010),),
    "says not now, twice": (Script(seconds=20, exit_code=1618), Script(seconds=20, exit_code=1618), Script(seconds=60)),
    "cannot be started at first": (Script(start_error="text file busy", is_start_error_transient=True), Script(seconds=60)),
    "cannot be started": (Script(start_error="no such file"),),
}
"""How a program behaves at its first start, its second, and so on."""


def _contents(name: str, version: int) -> dict[str, bytes]:
    return {"setup.exe": f"{name}, version {version}".encode(), "data/first.bin": f"data of {name} {version}".encode() * 20}


def _new_package(draft: Draft) -> tuple[Argument, ...]:
    needed = draft.pick([*draft.packages, *[NOTHING_ELSE] * 3])
    return (
        draft.new_package(),
        draft.pick(CONTENTS),
        needed,
        draft.pick(list(WAYS)) if draft.number(1, 2) == 1 else "runs well",
        draft.pick(REMOVALS),
        draft.pick(RULES),
        draft.pick(list(IfInterrupted)),
    )


@kind(
    "package-added",
    "{0} is added, with {1}, {4} and {5}; its program {3}, needs {2}, and after an interruption: {6}",
    _new_package,
    weight=5,
)
def _package_added(
    stage: Stage, name: str, content: str, needed: str, way: str, removal: str, rule: str, if_interrupted: str
) -> None:
    if name in stage.ordered.products:
        raise NoSuchThingError(name)
    depends_on = stage.ordered.products.get(needed)
    word = name.lower().replace(" ", "-")
    command, remove = f"{word}.exe", f"remove-{word}.exe"
    scripts = [installing(script, word) for script in WAYS[way]]
    stage.script(command, *scripts)
    stage.script(remove, Script(removes=(word,)))
    uninstall = None
    if removal != REMOVALS[0]:
        needs = ("setup.exe",) if content == CONTENTS[1] else ()
        uninstall = Uninstall(command=Command(argv=(remove,)), files=needs, when_not_offered=removal == REMOVALS[2])
    package = stage.fleet.admin.add_package(name, _contents(name, 1) if content == CONTENTS[1] else None)
    stage.ordered.give(name, package)
    program = stage.fleet.admin.add_program(
        package,
        "install",
        command,
        max_run_seconds=MAX_RUN_SECONDS,
        depends_on=None if depends_on is None else depends_on.program,
        uninstall=uninstall,
        detection=OsPackageRule(name=word) if rule == RULES[1] else None,
        if_interrupted=IfInterrupted(if_interrupted),
    )
    stage.ordered.products[name] = Product(package=package, program=program, command=command, remove=remove)


def installing(script: Script, word: str) -> Script:
    """The script of a way for a product: what it installs when it succeeds."""
    return replace(script, installs=(f"{word}=1.0",)) if script.exit_code in (0, 3010) else script


@kind("package-updated", "{0} gets new content, number {1}", lambda d: (d.package(), d.number(2, 9)))
def _package_updated(stage: Stage, name: str, version: int) -> None:
    stage.fleet.admin.update_package(stage.product(name).package, _contents(name, version))


@kind("package-renamed", "{0} is called {0} {1} from now on", lambda d: (d.package(), d.number(2, 9)), weight=1)
def _package_renamed(stage: Stage, name: str, version: int) -> None:
    stage.fleet.admin.change(packages.edit, stage.product(name).package, name=f"{name} {version}")


@kind("package-deleted", "{0} is deleted; what runs: {1}", lambda d: (d.package(), d.pick(list(RunningChoice))), weight=5)
def _package_deleted(stage: Stage, name: str, running: str) -> None:
    stage.delete_package(stage.product(name).package, running=RunningChoice(running))


@kind("package-removed", "{0} is deleted, and uninstalled everywhere before", lambda d: (d.package(),))
def _package_removed(stage: Stage, name: str) -> None:
    stage.delete_package(stage.product(name).package, running=RunningChoice.FINISH, with_uninstall=True)


@kind("program-disabled", "the program of {0} is disabled", lambda d: (d.package(),), weight=3)
def _program_disabled(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(programs.disable, stage.product(name).program)


@kind("program-enabled", "the program of {0} is enabled", lambda d: (d.package(),), weight=3)
def _program_enabled(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(programs.enable, stage.product(name).program)


@kind("program-elsewhere", "the program of {0} is for Windows alone", lambda d: (d.package(),), weight=1)
def _program_elsewhere(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(programs.edit, stage.product(name).program, platforms=["windows"])


@kind("program-everywhere", "the program of {0} is for every platform", lambda d: (d.package(),))
def _program_everywhere(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(programs.edit, stage.product(name).program, platforms=[])


@kind("program-deleted", "the program of {0} is deleted", lambda d: (d.package(),))
def _program_deleted(stage: Stage, name: str) -> None:
    program = stage.product(name).program
    stage.fleet.admin.change(programs.delete, program, is_confirmed=True)
    stage.ordered.deleted_programs.add(program)


@kind("dependency-dropped", "the program of {0} depends on nothing any more", lambda d: (d.package(),), weight=1)
def _dependency_dropped(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(programs.edit, stage.product(name).program, without=[Part.DEPENDS_ON])


def _new_advertisement(draft: Draft) -> tuple[Argument, ...]:
    when = draft.pick(TIMES) if draft.number(1, 2) == 1 else TIMES[0]
    return (draft.new_advertisement(), draft.package(), draft.pick(("Pilot", "Pilot", "All Systems")), when)


@kind("advertised", "{1} is advertised to {2}, {3} ({0})", _new_advertisement, weight=6)
def _advertised(stage: Stage, name: str, product: str, collection: str, when: str) -> None:
    if name in stage.ordered.advertisements:
        raise NoSuchThingError(name)
    stage.ordered.advertisements[name] = stage.fleet.admin.advertise(
        stage.product(product).program,
        stage.pilot if collection == "Pilot" else None,
        assignments=[_assignment(stage, when)],
    )
    stage.ordered.give(name, stage.ordered.advertisements[name])


def _assignment(stage: Stage, when: str) -> str:
    in_two_hours = stage.fleet.clock.now() + timedelta(hours=2)
    return {
        TIMES[0]: "asap",
        TIMES[1]: "2026-01-05T00:20Z FREQ=HOURLY;INTERVAL=3",
        TIMES[2]: f"{in_two_hours:%Y-%m-%dT%H:%M}Z",
        TIMES[3]: "2026-01-05T02:30 FREQ=DAILY",
        TIMES[4]: "startup",
        TIMES[5]: "logon",
        TIMES[6]: "logoff",
    }[when]


@kind("advertisement-paused", "the advertisement {0} is paused", lambda d: (d.advertisement(),), weight=3)
def _paused(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(advertisements.pause, stage.advertisement(name))


@kind("advertisement-resumed", "the advertisement {0} is resumed", lambda d: (d.advertisement(),), weight=3)
def _resumed(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(advertisements.resume, stage.advertisement(name))


@kind("advertisement-expires", "the advertisement {0} expires in a minute", lambda d: (d.advertisement(),))
def _expires(stage: Stage, name: str) -> None:
    expires_at = stage.fleet.clock.now() + timedelta(minutes=1)
    stage.fleet.admin.change(advertisements.edit, stage.advertisement(name), expires_at=expires_at)


@kind("advertisement-never-expires", "the advertisement {0} never expires", lambda d: (d.advertisement(),))
def _never_expires(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(advertisements.edit, stage.advertisement(name), never_expires=True)


@kind("advertisement-edited", "the advertisement {0} is now for: {1}", lambda d: (d.advertisement(), d.pick(TIMES)))
def _edited(stage: Stage, name: str, when: str) -> None:
    assignments = [_assignment(stage, when)]
    stage.fleet.admin.change(advertisements.edit, stage.advertisement(name), assignments=assignments, is_confirmed=True)


@kind("advertisement-deleted", "the advertisement {0} is deleted", lambda d: (d.advertisement(),))
def _advertisement_deleted(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(advertisements.delete, stage.advertisement(name))


@kind("member-leaves", "{0} is taken from the collection", lambda d: (d.client(),), weight=3)
def _member_leaves(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(collections.edit, stage.pilot, remove_members=[stage.client(name).name])


@kind("member-returns", "{0} is put into the collection", lambda d: (d.client(),), weight=3)
def _member_returns(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(collections.edit, stage.pilot, add_members=[stage.client(name).name], is_confirmed=True)


@kind("run-again", "what {0} advertises is to run again", lambda d: (d.advertisement(),))
def _run_again(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(requests.ask, RequestKind.RUN_AGAIN, stage.advertisement(name), is_confirmed=True)


@kind("stopped", "what {0} advertises is to be stopped", lambda d: (d.advertisement(),))
def _stopped(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(requests.ask, RequestKind.STOP, stage.advertisement(name), is_confirmed=True)


@kind("called-off", "what {0} advertises is called off", lambda d: (d.advertisement(),), weight=1)
def _called_off(stage: Stage, name: str) -> None:
    stage.fleet.admin.change(requests.ask, RequestKind.CANCEL, stage.advertisement(name), is_confirmed=True)


@kind("window-opened", "the collection gets a window: every six hours, for one hour", lambda _: (), weight=1)
def _window_opened(stage: Stage) -> None:
    stage.fleet.admin.change(
        windows.add,
        stage.pilot,
        start="2026-01-05T00:00",
        rule="FREQ=HOURLY;INTERVAL=6",
        duration_seconds=3600,
        is_confirmed=True,
    )


@kind("windows-closed", "the collection has no windows any more", lambda _: (), weight=1)
def _windows_closed(stage: Stage) -> None:
    now = stage.fleet.clock.now()
    for window in stage.fleet.admin.ask(windows.listed, now, collection=stage.pilot):
        stage.fleet.admin.change(windows.delete, window.number, is_confirmed=True)
