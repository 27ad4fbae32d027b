"""`purveyor advertise` and `purveyor advertisement …`."""

import argparse

from purveyor.cli.arguments.preview import add_amounts
from purveyor.cli.arguments.shape import Noun, add_yes
from purveyor.cli.arguments.values import assignment, duration_or_none, moment

_MODULE = "purveyor.cli.advertisements"
_TIMES = (
    "A TIME with Z or an offset is the same moment everywhere (2026-12-01T09:00Z); in --assign a TIME without one is read on each\n"
    "client's own clock (2026-12-01T09:00). `now`, and a duration from now such as 2h, serve for the others.\n"
    "An RRULE comes again (FREQ=WEEKLY;BYDAY=TU), with its start before it or from today at 00:00 on; docs/schedules.md lists what\n"
    "is possible. An EVENT is logon, logoff or startup."
)


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    advertise = root.verb(
        "advertise",
        f"{_MODULE}:add",
        "offer a program to a collection, and print the advertisement's id alone",
        more="Without --assign it is optional: whoever uses the machine starts it.\n" + _TIMES,
        examples=(
            "purveyor advertise S0100001 Install --to Pilot --assign asap",
            "purveyor advertise S0100001 Install --to 'All Systems' --assign 2026-12-01T22:00 --expires 2026-12-31T00:00Z --yes",
            "purveyor advertise S0100001 Scan --to Pilot --assign '2026-12-01T03:00 FREQ=WEEKLY;BYDAY=TU' --preview",
            "purveyor advertise S0100001 Profile --to Sales --assign logon --group 'CORP\\Sales' --visible --postpone 2d",
            "purveyor advertise S0100001 Fix --to Pilot --assign asap --priority high --ignore-windows 'the worm of 1 December'",
        ),
    )
    advertise.add_argument("package", metavar="PACKAGE", help="the package's id")
    advertise.add_argument("program", metavar="PROGRAM", help="the program's name or number")
    advertise.add_argument("--to", metavar="COLLECTION", required=True, help="the collection's id or name")
    _add_schedule(advertise)
    _add_options(advertise, is_edit=False)
    advertise.add_argument("--paused", action="store_true", help="offer nothing until it is resumed")
    add_yes(advertise, "it reaches many clients")
    advertise.add_argument("--preview", action="store_true", help="only show what it would come to; nothing is changed")
    add_amounts(advertise, "with --preview: ")

    noun = root.noun("advertisement", "programs offered to collections")
    noun.verb("list", f"{_MODULE}:show_all", "list advertisements", examples=("purveyor advertisement list",))
    _by_id(noun, "show", "show an advertisement", "purveyor advertisement show S0120001")
    edit = _by_id(
        noun,
        "edit",
        "change an advertisement; what is not given stays",
        "purveyor advertisement edit S0120001 --expires 2026-12-31T00:00Z",
    )
    edit.description = (
        (edit.description or "") + "\n\nAny --assign replaces all assignments; a new time is a new assignment.\n" + _TIMES
    )
    _add_schedule(edit)
    _add_options(edit, is_edit=True)
    edit.add_argument("--no-assign", action="store_true", help="make it optional")
    edit.add_argument("--no-expires", action="store_true", help="it never expires")
    edit.add_argument("--not-each-version", action="store_true", help="one success of any version is enough")
    add_yes(edit, "it reaches many clients")
    _by_id(noun, "pause", "offer it to nobody for now; clients keep its history", "purveyor advertisement pause S0120001")
    add_yes(_by_id(noun, "resume", "offer it again", "purveyor advertisement resume S0120001"), "it reaches many clients")
    add_yes(
        _by_id(noun, "delete", "delete an advertisement: it is offered no more", "purveyor advertisement delete S0120001 --yes"),
        "delete it",
    )


def _by_id(noun: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = noun.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("advertisement", metavar="ID", help="the advertisement, such as S0120001")
    return parser


def _add_schedule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="N", help="the advertisement's name (default: package and program)")
    parser.add_argument(
        "--assign", metavar="asap|TIME|RRULE|EVENT", type=assignment, action="append", help="make it mandatory; may be repeated"
    )
    parser.add_argument("--available-from", metavar="TIME", type=moment, help="when it starts to be offered (default: now)")
    parser.add_argument("--expires", metavar="TIME", type=moment, help="when it stops being offered (default: never)")
    parser.add_argument("--each-version", action="store_true", help="run again when the package gets a new source version")


def _add_options(parser: argparse.ArgumentParser, *, is_edit: bool) -> None:
    replaced = "; replaces all given before" if is_edit else ""
    group = parser.add_argument_group("how it runs")
    group.add_argument(
        "--rerun",
        choices=("as-scheduled", "never", "if-failed", "always", "on-drift"),
        help="whether what ran before runs again at a later time: as-scheduled: a single time is answered by any success, of several "
        "each asks for a run of its own; on-drift: where what it installs is not detected any more (default: as-scheduled)",
    )
    group.add_argument("--priority", choices=("low", "normal", "high"), help="what is due goes in this order (default: normal)")
    group.add_argument(
        "--spread", metavar="DURATION", type=duration_or_none, help="over how long the runs of the fleet are spread"
    )
    group.add_argument(
        "--ignore-windows", metavar="REASON", help="run outside maintenance windows too, for this reason, which the audit keeps"
    )
    _add_fact(group, "--not-over-slow-link", "not mandatory where only a slow link leads to its content", is_edit=is_edit)
    group = parser.add_argument_group("for whom, and what users may do")
    group.add_argument(
        "--user", metavar="ACCOUNT", action="append", help=r"for this user alone: alice, CORP\alice; may be repeated" + replaced
    )
    group.add_argument(
        "--group", metavar="ACCOUNT", action="append", help="for members of this group alone; may be repeated" + replaced
    )
    _add_fact(group, "--visible", "users are shown it before its time, and may start it", is_edit=is_edit)
    group.add_argument(
        "--postpone",
        metavar="DURATION",
        type=duration_or_none,
        help="how long after it is due users may put it off; 0: not at all",
    )
    if is_edit:
        group.add_argument("--no-user", action="store_true", help="for all users")
        group.add_argument("--no-group", action="store_true", help="for whatever groups users are in")
        group.add_argument("--keep-windows", action="store_true", help="run in maintenance windows only, where there are any")


def _add_fact(group: argparse._ArgumentGroup, flag: str, what: str, *, is_edit: bool) -> None:
    """Something that holds or not; an edit can also take it away."""
    name = flag.removeprefix("--").removeprefix("not-").replace("-", "_")
    group.add_argument(flag, action="store_const", const=not flag.startswith("--not-"), default=None, dest=name, help=what)
    if is_edit:
        opposite = f"--{flag.removeprefix('--not-')}" if flag.startswith("--not-") else f"--not-{flag.removeprefix('--')}"
        group.add_argument(opposite, action="store_const", const=flag.startswith("--not-"), dest=name, help="the opposite")
