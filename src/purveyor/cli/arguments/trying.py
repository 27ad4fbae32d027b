"""`purveyor program test`: one program on this machine, before any agent runs it."""

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import duration_seconds

_CODES = {
    0: "it succeeded, be it that the machine would have to restart; with --uninstall that succeeded too",
    1: "it failed, or could not run here; or the site refused to show it",
    2: "wrong usage",
    3: "the site, its distribution point or the folder to work in cannot be reached",
    4: "not allowed: no token, or an unknown or revoked one",
}


def register(programs: Noun) -> None:
    """Adds the command to the noun."""
    test = programs.verb(
        "test",
        "purveyor.cli.trying:test",
        "run a program on this machine exactly as an agent would, and show what came of it",
        more="The content is fetched and verified, laid out in a folder of its own, and the program started in it with an agent's environment,\n"
        "limits and watcher. Its result file, status MIF, exit code and detection are judged as an agent judges them. Nothing is\n"
        "reported and nothing remembered; a restart is told, never made. What the program does to this machine stays done.",
        examples=(
            "purveyor program test S0100001 Install",
            "purveyor program test S0100001 Install --source ./new-version --uninstall --keep",
            "purveyor program test --command './setup.sh --quiet' --source ./hello",
        ),
        codes=_CODES,
        is_administrative=True,
    )
    test.add_argument("package", metavar="PACKAGE", nargs="?", help="the package's id")
    test.add_argument("program", metavar="PROGRAM", nargs="?", help="the program's name or number")
    test.add_argument("--source", metavar="DIR", help="content from this folder or file, which need not be taken in at any site")
    test.add_argument("--command", metavar="LINE", help="in place of PACKAGE and PROGRAM: a command line that no site knows yet")
    test.add_argument("--shell", action="store_true", help="with --command: give the line to the machine's shell as it is")
    test.add_argument(
        "--max-run", metavar="DURATION", type=duration_seconds, help="longest time it may run (default: the program's)"
    )
    test.add_argument("--anyway", action="store_true", help="run it whatever its conditions say of users, mains and network")
    test.add_argument("--uninstall", action="store_true", help="run its uninstall afterwards, from a receipt, as an agent would")
    test.add_argument("--keep", action="store_true", help="leave the folder it ran in, with all that it wrote there")
    test.add_argument("--folder", metavar="DIR", help="new folder to work in (default: one among the system's temporary files)")
