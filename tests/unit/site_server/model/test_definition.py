"""What becomes of a program when something is said of it."""

import pytest

from purveyor.site_server.model.definition import Definition, Part, defined, without
from purveyor.site_server.model.programs import check_program, check_superseded, warnings_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import PackageId, ProgramNumber
from purveyor.wire.package_info import (
    AfterRun,
    Command,
    Conditions,
    FileRule,
    IfInterrupted,
    Logon,
    Program,
    ProgramKey,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
)

BARE = Program(number=ProgramNumber(1), name="install", command=Command(argv=("x",)))
NEEDS_USER = Conditions(logon=Logon.USER)
OTHER = ProgramKey(PackageId("S0100002"), ProgramNumber(1))


def test_what_is_not_given_stays() -> None:
    before = defined(BARE, {"description": "A tool", "conditions": NEEDS_USER, "detection": FileRule(path="/x")})
    after = defined(before, {"run_as": RunAs.USER, "description": None})
    assert (after.description, after.conditions, after.run_as, after.detection) == (
        "A tool",
        NEEDS_USER,
        RunAs.USER,
        before.detection,
    )
    assert without(after, [Part.DETECTION]).detection is None


@pytest.mark.parametrize(
    ("given", "success", "restart", "retry"),
    [
        ({"success_codes": [0, 3010, 1618]}, (0, 3010, 1618), (3011, 1641, 1604), ()),
        ({"restart_codes": [1618]}, (0,), (1618,), ()),
        ({"retry_codes": [3010, 5]}, (0,), (3011, 1641, 1604), (3010, 5)),
        ({"retry_codes": []}, (0,), BARE.restart_codes, ()),
    ],
)
def test_usual_codes_give_way_to_what_is_said(
    given: Definition, success: tuple[int, ...], restart: tuple[int, ...], retry: tuple[int, ...]
) -> None:
    program = defined(BARE, given)
    assert (program.success_codes, program.restart_codes, program.retry_codes) == (success, restart, retry)
    check_program(program, None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"restart_codes": [0]}, "cannot mean success and a restart at once"),
        ({"restart_codes": [7], "retry_codes": [7]}, "cannot mean a restart and another try at once"),
        ({"run_as": RunAs.USER}, "needs a user"),
        ({"runs_for": RunsFor.EVERY_USER, "conditions": Conditions(logon=Logon.NONE)}, "needs users"),
        ({"after_run": AfterRun.PROGRAM_RESTARTS, "if_interrupted": IfInterrupted.RUN_AGAIN}, "for ever"),
        ({"conditions": Conditions(min_free_bytes=-1)}, "no sensible condition"),
        ({"reporting": Reporting()}, "of anybody would match"),
        ({"reporting": Reporting(file_name="../x.mif")}, "without a folder"),
        ({"reporting": Reporting(product="x" * 500)}, "too many"),
    ],
)
def test_what_no_client_could_act_on_is_refused(given: Definition, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        check_program(defined(BARE, given), None)


def test_a_description_is_one_line_of_text() -> None:
    for text in ("a\x1b[2J", "x" * 1001):
        with pytest.raises(RefusedError, match="the description"):
            defined(BARE, {"description": text})


def test_a_restart_for_every_user_is_taken_with_a_warning() -> None:
    program = defined(BARE, {"conditions": NEEDS_USER, "runs_for": RunsFor.EVERY_USER, "after_run": AfterRun.RESTART})
    check_program(program, None)
    assert "once for every user" in warnings_of(program)[0]
    assert warnings_of(BARE) == ()


def test_a_program_replaces_others_each_once_and_not_itself() -> None:
    own = ProgramKey(PackageId("S0100001"), ProgramNumber(1))
    check_superseded(own, [Superseded(key=OTHER)])
    many = [Superseded(key=ProgramKey(PackageId("S0100002"), ProgramNumber(number))) for number in range(1, 22)]
    both = [Superseded(key=OTHER), Superseded(key=OTHER, is_uninstalled=True)]
    for supersedes, why in (([Superseded(key=own)], "itself"), (many, "too many"), (both, "say one of them")):
        with pytest.raises(RefusedError, match=why):
            check_superseded(own, supersedes)
