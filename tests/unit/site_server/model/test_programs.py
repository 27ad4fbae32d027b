"""What a program may say of itself."""

import pytest

from purveyor.site_server.model.programs import check_program, exit_codes_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.package_info import Command, CommandRule, DetectionRule, FileRule, OsPackageRule, Program, Uninstall

RUN = Command(argv=("true",))


def _program(
    *,
    max_run_seconds: int = 60,
    working_directory: str = "",
    success_codes: tuple[int, ...] = (0,),
    uninstall: Uninstall | None = None,
    detection: DetectionRule | None = None,
) -> Program:
    return Program(
        number=ProgramNumber(1),
        name="p",
        command=RUN,
        max_run_seconds=max_run_seconds,
        working_directory=working_directory,
        success_codes=success_codes,
        uninstall=uninstall,
        detection=detection,
    )


GOOD = [
    _program(max_run_seconds=7 * 86_400),
    _program(uninstall=Uninstall(command=RUN, files=("bin/remove.sh",))),
    _program(detection=FileRule(path="/usr/bin/hello", sha256="a" * 64)),
    _program(detection=CommandRule(command=RUN)),
    _program(detection=OsPackageRule(name="libc6:amd64", at_least="1:2.36-9+deb12u4~1", root="/srv/root")),
    _program(detection=OsPackageRule(name="hello", root="$ROOT")),
]

BAD = [
    (_program(max_run_seconds=0), "1 to 604800"),
    (_program(max_run_seconds=7 * 86_400 + 1), "1 to 604800"),
    (_program(success_codes=(0, 3010)), "3010"),
    (_program(working_directory="a\0b"), "no path"),
    (_program(uninstall=Uninstall(command=Command())), "words, or one shell line"),
    (_program(uninstall=Uninstall(command=Command(argv=("a",), shell_line="a"))), "words, or one shell line"),
    (_program(uninstall=Uninstall(command=RUN, files=("../x",))), "inside the package"),
    (_program(uninstall=Uninstall(command=RUN, files=("/etc/passwd",))), "inside the package"),
    (_program(uninstall=Uninstall(command=RUN, files=("absent",))), "no file 'absent'"),
    (_program(uninstall=Uninstall(command=RUN, max_run_seconds=0)), "1 to"),
    (_program(detection=FileRule(path=" ")), "no path"),
    (_program(detection=FileRule(path="/a", sha256="A" * 64)), "SHA-256"),
    (_program(detection=CommandRule(command=RUN, max_run_seconds=3601)), "1 to 3600"),
    (_program(detection=OsPackageRule(name="hello; rm")), "no name of a package"),
    (_program(detection=OsPackageRule(name="hello", at_least="1 2")), "no version"),
    (_program(detection=OsPackageRule(name="hello", root="srv")), "absolute"),
]


@pytest.mark.parametrize("program", GOOD)
def test_a_program_that_a_client_can_act_on_is_taken(program: Program) -> None:
    check_program(program, {"bin/remove.sh"})


@pytest.mark.parametrize(("program", "said"), BAD)
def test_a_program_that_no_client_can_act_on_is_refused(program: Program, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        check_program(program, {"bin/remove.sh"})


def test_files_of_content_that_is_not_known_are_not_judged() -> None:
    check_program(_program(uninstall=Uninstall(command=RUN, files=("absent",))), None)


def test_exit_codes_are_kept_once_in_their_order_and_within_what_systems_have() -> None:
    assert exit_codes_of([3, 0, 3, -1, 2**32 - 1]) == (3, 0, -1, 2**32 - 1)
    for code in (2**32, -(2**31) - 1):
        with pytest.raises(RefusedError, match="no exit code"):
            exit_codes_of([code])
    with pytest.raises(RefusedError, match="too many"):
        exit_codes_of(range(101))
