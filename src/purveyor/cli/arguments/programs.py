"""`purveyor program …`."""

import argparse

from purveyor.cli.arguments import trying
from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import duration_seconds, exit_codes, size_bytes

_MODULE = "purveyor.cli.programs"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    programs = root.noun("program", "the commands of a package")
    add = programs.verb(
        "add",
        f"{_MODULE}:add",
        "add a program to a package, and print its number alone",
        more="The command line is split into words as a POSIX shell would, and started without a shell; $NAME and ${NAME} become the values\n"
        "of the program's environment. With --shell the machine's shell gets the line as it is. The program starts in a fresh copy of\n"
        "the package's content.",
        examples=(
            "purveyor program add S0100001 Install --command './setup.sh --quiet' --max-run 15m",
            "purveyor program add S0100001 Install --command 'dpkg -i hello.deb' --platform linux/debian --detect-package hello",
            "purveyor program add S0100001 Profile --command './profile.sh' --logon user --run-as user --for every-user",
            "purveyor program add S0100001 Install --command './setup.sh' --supersedes S0100007/Install+uninstall",
            "purveyor program add S0100001 Count --argv /usr/bin/wc -l 'a file'",
        ),
    )
    add.add_argument("package", metavar="PACKAGE", help="the package's id")
    add.add_argument("name", metavar="NAME", help="the program's name, one in its package")
    _add_definition(add, is_edit=False)
    add.add_argument("--disabled", action="store_true", help="offer it to nobody until it is enabled")
    programs.verb(
        "list", f"{_MODULE}:show_all", "list the programs of a package", examples=("purveyor program list S0100001",)
    ).add_argument("package", metavar="PACKAGE", help="the package's id")
    _by_name(programs, "show", "show a program", "purveyor program show S0100001 Install")
    edit = _by_name(
        programs, "edit", "change a program; what is not given stays", "purveyor program edit S0100001 Install --max-run 30m"
    )
    edit.description = (
        edit.description or ""
    ) + "\n\nRefused where an advertisement of the program stands that could then never run it."
    edit.add_argument("--name", metavar="NAME", help="new name; renaming breaks nothing")
    _add_definition(edit, is_edit=True)
    _by_name(programs, "enable", "offer a disabled program again", "purveyor program enable S0100001 Install")
    _by_name(
        programs,
        "disable",
        "offer a program to nobody for now; clients keep its history",
        "purveyor program disable S0100001 Install",
    )
    _by_name(
        programs, "delete", "delete a program: machines forget it", "purveyor program delete S0100001 Install --yes"
    ).add_argument("--yes", action="store_true", dest="is_confirmed", help="confirm: delete it")
    trying.register(programs)


def _by_name(programs: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = programs.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("package", metavar="PACKAGE", help="the package's id")
    parser.add_argument("program", metavar="PROGRAM", help="the program's name or number")
    return parser


def _add_definition(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    parser.add_argument("--description", metavar="TEXT", help="what it does, for the people in front of the machine")
    _add_command(parser, is_edit=is_edit)
    _add_outcome(parser)
    _add_reporting(parser, is_edit=is_edit)
    _add_conditions(parser, is_edit=is_edit)
    _add_users(parser)
    _add_others(parser, is_edit=is_edit)
    _add_uninstall(parser, is_edit=is_edit)
    _add_detection(parser, is_edit=is_edit)


def _add_command(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group("what to start")
    one = group.add_mutually_exclusive_group(required=not is_edit)
    one.add_argument("--command", metavar="LINE", help="the command line")
    one.add_argument(
        "--argv",
        metavar="WORD",
        nargs=argparse.REMAINDER,
        help="the command word by word; stands last, all that follows belongs to it",
    )
    group.add_argument("--shell", action="store_true", help="give the command line to the machine's shell as it is")
    group.add_argument("--working-directory", metavar="D", help="folder to start in, within the content or absolute")
    group.add_argument("--max-run", metavar="DURATION", type=duration_seconds, help="longest time it may run (default: 1h)")


def _add_outcome(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what its end means")
    group.add_argument("--success-codes", metavar="CODES", type=exit_codes, help="exit codes that mean success (default: 0)")
    group.add_argument(
        "--restart-codes",
        metavar="CODES",
        type=exit_codes,
        help="exit codes that mean success after a restart (default: 3010,3011,1641,1604)",
    )
    group.add_argument(
        "--retry-codes",
        metavar="CODES",
        type=exit_codes,
        help="exit codes that mean: not now; it is started again later, a few times (default: 1618)",
    )
    group.add_argument(
        "--if-interrupted", choices=("leave", "run-again"), help="when nobody can tell how a run ended (default: leave)"
    )
    group.add_argument(
        "--after-run",
        choices=("nothing", "restart", "program-restarts"),
        help="what a success asks for: the agent restarts the machine, or the program does so itself (default: nothing)",
    )


def _add_reporting(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group(
        "whose status MIF counts", "A status MIF that says all that is given here is stronger than the exit code."
    )
    group.add_argument("--mif", metavar="NAME", help="the file's name, with .mif or without")
    group.add_argument("--mif-manufacturer", metavar="TEXT", help="its manufacturer")
    group.add_argument("--mif-product", metavar="TEXT", help="its product")
    group.add_argument("--mif-version", metavar="TEXT", help="its version")
    if is_edit:
        group.add_argument("--no-mif", action="store_true", help="no status MIF is looked for by these")


def _add_conditions(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group("where and when it may run", "Tested right before each launch.")
    group.add_argument(
        "--platform",
        metavar="P",
        action="append",
        help="platform it is for, such as linux/debian/12; may be repeated (default: all)",
    )
    group.add_argument(
        "--logon",
        choices=("any", "user", "none"),
        help="only while a user is logged on, only while none is, or whatever (default: any)",
    )
    _add_fact(group, "--needs-mains", "only on mains power, where the machine can tell", is_edit=is_edit)
    _add_fact(
        group, "--needs-unmetered", "only on a network that costs nothing by use, where the machine can tell", is_edit=is_edit
    )
    group.add_argument(
        "--min-free",
        metavar="SIZE",
        type=size_bytes,
        help="only with so much free disk space, such as 500M or 2G; 0: none needed",
    )
    if is_edit:
        group.add_argument("--no-platform", action="store_true", help="for all platforms")


def _add_users(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with whose rights, and for whom")
    group.add_argument(
        "--run-as", choices=("system", "user"), help="with the rights of the system, or of the user logged on (default: system)"
    )
    group.add_argument(
        "--for",
        dest="runs_for",
        choices=("first-user", "every-user"),
        help="with --logon user: once for the first user, or once for every user (default: first-user)",
    )


def _add_others(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group("which other programs it needs or replaces")
    group.add_argument("--depends-on", metavar="PKG/PROGRAM", help="program that must have succeeded before, by name or number")
    group.add_argument(
        "--supersedes",
        metavar="PKG/PROGRAM[+uninstall]",
        action="append",
        help="program that is not run any more where this one is offered; with +uninstall it is uninstalled before this one runs; "
        "may be repeated" + ("; replaces all given before" if is_edit else ""),
    )
    if is_edit:
        group.add_argument("--no-depends-on", action="store_true", help="depends on nothing")
        group.add_argument("--no-supersedes", action="store_true", help="replaces nothing")


def _add_fact(group: argparse._ArgumentGroup, flag: str, what: str, *, is_edit: bool) -> None:
    """A condition that holds or not; an edit can also take it away."""
    action = argparse.BooleanOptionalAction if is_edit else "store_true"
    group.add_argument(flag, action=action, default=None, help=what)


def _add_uninstall(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group("how it is removed")
    group.add_argument(
        "--uninstall-command", metavar="LINE", help="command line that removes it; treated as --command is, --shell included"
    )
    group.add_argument(
        "--uninstall-file",
        metavar="F",
        action="append",
        help="file of the content that it needs, kept with the receipt; may be repeated",
    )
    _add_fact(
        group,
        "--uninstall-when-not-offered",
        "uninstall it by itself once no advertisement of it reaches the machine any more",
        is_edit=is_edit,
    )
    if is_edit:
        group.add_argument("--no-uninstall", action="store_true", help="it cannot be removed")


def _add_detection(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    group = parser.add_argument_group("how to see that it is there")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--detect-file", metavar="PATH", help="this file is there")
    one.add_argument(
        "--detect-command", metavar="LINE", help="this command exits with 0; treated as --command is, --shell included"
    )
    one.add_argument("--detect-package", metavar="NAME", help="the system's package manager has this package installed")
    if is_edit:
        one.add_argument("--no-detection", action="store_true", help="nothing tells whether it is there")
    group.add_argument("--detect-sha256", metavar="H", default="", help="with --detect-file: the file's SHA-256")
    group.add_argument("--detect-version", metavar="V", default="", help="with --detect-package: this version or newer")
    group.add_argument(
        "--detect-root", metavar="DIR", default="", help="with --detect-package: folder that holds the system it is installed in"
    )
