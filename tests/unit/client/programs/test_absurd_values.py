"""What is signed and yet absurd: it stops itself at most, never the pass, and never what is offered beside it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, World, at, key
from purveyor.lab.clock import START
from purveyor.wire.offers import Assignment, AssignmentKind, Window
from purveyor.wire.package_info import Command, Conditions, RunAs, RunsFor, Uninstall
from purveyor.wire.schedule import Zone

ABSURD = (-(10**30), -1, 2**63, 10**13, 10**30)
EDGES = tuple(edge.replace(tzinfo=zone) for edge in (datetime.min, datetime.max) for zone in (None, UTC))  # noqa: DTZ901 - both are wanted
LOGON = Assignment(number=1, kind=AssignmentKind.LOGON)
DAILY = Assignment(number=1, kind=AssignmentKind.RECURRENCE, at=START.replace(tzinfo=None), rule="FREQ=DAILY")
EXPIRIES = (None, START + 30 * HOUR, *(edge for edge in EDGES if edge.tzinfo))
RULES = ("", "FREQ=DAILY", "FREQ=YEARLY;INTERVAL=9999", "FREQ=HOURLY;COUNT=5", "FREQ=DAILY;INTERVAL=99999999999999999999", "\0")


def lives(make: Callable[[World], object]) -> World:
    """A few days of a machine with a user, on which another program is offered beside the absurd one."""
    world = World(zone=ZoneInfo("Pacific/Auckland"))
    world.package()
    world.package(world.program(1, "absurd"), package=OTHER)
    world.advertise(1, ASAP, ignores_windows=True)
    make(world)
    world.machine.people.log_on("alice")
    world.turn()
    world.ask("alice", after=HOUR, program=key(OTHER))
    for _ in range(4):
        world.after(10 * MINUTE)
    world.machine.people.log_off("alice")
    world.poll()
    for _ in range(3):
        world.after(24 * HOUR)
    assert "setup" in world.runs
    return world


def _in_window(window: Window, world: World) -> None:
    world.advertise(2, ASAP, program=key(OTHER))
    world.windows.append(window)


@pytest.mark.parametrize("seconds", ABSURD)
@pytest.mark.parametrize("field", ["postpone_seconds", "spread_seconds"])
@pytest.mark.parametrize("assignment", [ASAP, LOGON, DAILY, at(START + 2 * HOUR)], ids=lambda one: one.kind.value)
@pytest.mark.parametrize("expires_at", EXPIRIES)
def test_absurd_seconds_of_an_advertisement(
    seconds: int, field: str, assignment: Assignment, expires_at: datetime | None
) -> None:
    def make(world: World) -> None:
        number = world.advertise(2, assignment, program=key(OTHER), expires_at=expires_at, is_visible=True, postpone_seconds=3600)
        changed: dict[str, object] = {field: seconds}
        world.advertisements[number] = msgspec.structs.replace(world.advertisements[number], **changed)

    lives(make)


@pytest.mark.parametrize("start", [*EDGES, datetime(2026, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("zone", Zone)
@pytest.mark.parametrize("rule", RULES)
def test_absurd_starts_and_rules(start: datetime, zone: Zone, rule: str) -> None:
    kind = AssignmentKind.RECURRENCE if rule else AssignmentKind.TIME
    assignment = Assignment(number=-5, kind=kind, at=start, zone=zone, rule=rule)
    lives(lambda world: world.advertise(2, assignment, program=key(OTHER), is_visible=True, postpone_seconds=60))
    window = Window(number=1, start=start, duration_seconds=3600, zone=zone, rule=rule, catch_up=True, spread_seconds=60)
    lives(partial(_in_window, window))


@pytest.mark.parametrize("number", ABSURD)
def test_absurd_numbers_of_a_window(number: int) -> None:
    start = START.replace(tzinfo=None)
    for window in (
        Window(number=number, start=start, duration_seconds=7200, rule="FREQ=DAILY"),
        Window(number=1, start=start, duration_seconds=number, rule="FREQ=DAILY"),
        Window(number=1, start=start, duration_seconds=7200, rule="FREQ=DAILY", spread_seconds=number, catch_up=True),
    ):
        lives(partial(_in_window, window))


@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize("is_windowed", [False, True])
def test_absurd_numbers_of_a_program(number: int, is_windowed: bool) -> None:
    def make(world: World) -> None:
        absurd = world.program(
            1,
            "absurd",
            max_run_seconds=number,
            success_codes=(number,),
            retry_codes=(number, 0),
            conditions=Conditions(min_free_bytes=number),
        )
        world.package(absurd, package=OTHER, version=number)
        world.advertise(2, ASAP, program=key(OTHER), each_version=True)
        if is_windowed:
            world.windows.append(Window(number=1, start=START.replace(tzinfo=None), duration_seconds=7200, rule="FREQ=DAILY"))

    lives(make)


@pytest.mark.parametrize("text", ["", "x" * 100_000, "\0", "../..", ".", "@", "!", "#", "\ud7ff", "a\nb"])
def test_texts_that_name_nothing_stop_themselves_at_most(text: str) -> None:
    def make(world: World) -> None:
        absurd = world.program(
            1,
            "absurd",
            run_as=RunAs.USER,
            runs_for=RunsFor.EVERY_USER,
            description=text,
            platforms=(text,) if text == "@" else (),
            working_directory=text,
            uninstall=Uninstall(command=Command(argv=(text,)), files=(text,), when_not_offered=True),
        )
        world.package(absurd, package=OTHER)
        world.advertise(2, ASAP, program=key(OTHER), users=(text, "alice"), groups=(text, text), is_visible=True)

    lives(make)


def test_a_number_of_an_assignment_that_is_given_again_to_another_kind_stops_nothing() -> None:
    world = World()
    world.package()
    world.advertise(1, LOGON)
    world.machine.people.log_on("alice")
    world.settle()
    world.advertise(1, DAILY)
    world.after(timedelta(days=1))
    world.settle()
    assert world.runs == ["setup", "setup"]
