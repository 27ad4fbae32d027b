"""How advertisements run their programs, and which of them never could."""

from dataclasses import dataclass

import pytest

from purveyor.site_server.model.advertising import (
    Options,
    OptionsGiven,
    accounts_of,
    check_fit,
    options_with,
    reaches_further,
    warnings_about,
)
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.offers import Assignment, AssignmentKind, Priority, Rerun
from purveyor.wire.package_info import Command, Conditions, FileRule, Logon, Program


def program(logon: Logon = Logon.ANY, *, is_detected: bool = False) -> Program:
    return Program(
        number=ProgramNumber(1),
        name="install",
        command=Command(argv=("x",)),
        conditions=Conditions(logon=logon),
        detection=FileRule(path="/x") if is_detected else None,
    )


def assigned(*kinds: AssignmentKind) -> tuple[Assignment, ...]:
    return tuple(Assignment(number=number, kind=kind) for number, kind in enumerate(kinds, start=1))


def test_options_change_by_what_is_given() -> None:
    before = options_with(Options(), {"users": ["alice", r"CORP\Bob", "bob@corp"], "priority": Priority.HIGH})
    assert (before.users, before.priority) == (("alice", r"CORP\Bob"), Priority.HIGH)
    after = options_with(before, {"users": [], "rerun": Rerun.ALWAYS, "priority": None})
    assert after == Options(priority=Priority.HIGH, rerun=Rerun.ALWAYS)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"users": ["a/b"]}, "names no account"),
        ({"groups": [f"g{number}" for number in range(101)]}, "too many"),
        ({"postpone_seconds": 31 * 86_400}, "at most 30 days"),
        ({"spread_seconds": -1}, "at most 7 days"),
        ({"ignores_windows_because": "a\nb"}, "control characters"),
    ],
)
def test_options_that_cannot_be_are_refused(given: OptionsGiven, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        options_with(Options(), given)


def test_an_account_is_kept_as_it_was_written_first() -> None:
    assert accounts_of([" Alice ", r"corp\ALICE", "alice@CORP"]) == ("Alice", r"corp\ALICE")


@dataclass(frozen=True)
class Unfit:
    """A program and a way to advertise it that never meet."""

    program: Program
    kinds: tuple[AssignmentKind, ...]
    options: Options
    why: str


@pytest.mark.parametrize(
    "unfit",
    [
        Unfit(program(Logon.USER), (AssignmentKind.ASAP, AssignmentKind.LOGOFF), Options(), "never run when one logs off"),
        Unfit(program(Logon.NONE), (AssignmentKind.LOGON,), Options(), "never run when somebody logs on"),
        Unfit(program(), (AssignmentKind.ASAP,), Options(users=("alice",)), "does not need a user"),
        Unfit(program(Logon.NONE), (AssignmentKind.ASAP,), Options(groups=("staff",)), "does not need a user"),
        Unfit(program(), (AssignmentKind.RECURRENCE,), Options(rerun=Rerun.ON_DRIFT), "detection rule"),
        Unfit(program(is_detected=True), (AssignmentKind.ASAP,), Options(rerun=Rerun.ON_DRIFT), "again and again"),
        Unfit(program(is_detected=True), (), Options(rerun=Rerun.ON_DRIFT), "again and again"),
    ],
)
def test_a_program_and_a_schedule_that_never_meet_are_refused_with_a_reason(unfit: Unfit) -> None:
    with pytest.raises(RefusedError, match=unfit.why):
        check_fit(unfit.program, assigned(*unfit.kinds), unfit.options, each_version=False)


def test_to_run_each_version_and_never_again_contradict() -> None:
    with pytest.raises(RefusedError, match="contradict"):
        check_fit(program(), (), Options(rerun=Rerun.NEVER), each_version=True)


@pytest.mark.parametrize(
    ("one", "kinds", "options"),
    [
        (program(Logon.USER), (AssignmentKind.LOGON, AssignmentKind.STARTUP), Options(users=("alice",))),
        (program(Logon.NONE), (AssignmentKind.LOGOFF, AssignmentKind.STARTUP), Options()),
        (program(is_detected=True), (AssignmentKind.STARTUP,), Options(rerun=Rerun.ON_DRIFT)),
        (program(), (AssignmentKind.LOGON, AssignmentKind.LOGOFF), Options(rerun=Rerun.ALWAYS)),
    ],
)
def test_what_can_meet_is_let_through(one: Program, kinds: tuple[AssignmentKind, ...], options: Options) -> None:
    check_fit(one, assigned(*kinds), options, each_version=False)


def test_what_nobody_can_start_is_flagged() -> None:
    assert "nobody can start this" in warnings_about(program(Logon.NONE), (), Options())[0]
    for one, kinds in ((program(Logon.NONE), (AssignmentKind.ASAP,)), (program(), ()), (program(Logon.USER), ())):
        assert warnings_about(one, assigned(*kinds), Options()) == ()


def test_a_delay_that_nobody_can_ask_for_is_flagged() -> None:
    asap = assigned(AssignmentKind.ASAP)
    assert "not shown" in warnings_about(program(), asap, Options(postpone_seconds=60))[0]
    assert "nothing to put off" in warnings_about(program(), (), Options(postpone_seconds=60))[0]
    assert warnings_about(program(), asap, Options(postpone_seconds=60, is_visible=True)) == ()


@pytest.mark.parametrize(
    ("after", "is_further"),
    [
        (Options(rerun=Rerun.ALWAYS), True),
        (Options(groups=("staff",)), True),
        (Options(ignores_windows_because="a worm"), True),
        (Options(priority=Priority.HIGH, is_visible=True, postpone_seconds=60, spread_seconds=60, over_slow_link=False), False),
    ],
)
def test_what_lets_programs_run_elsewhere_or_again_reaches_further(after: Options, is_further: bool) -> None:
    assert reaches_further(Options(), after) is is_further
