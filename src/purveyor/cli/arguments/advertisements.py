"""`purveyor advertise` and `purveyor advertisement …`."""

import argparse

from purveyor.cli.arguments.shape import Noun, add_yes
from purveyor.cli.arguments.values import assignment, moment

_MODULE = "purveyor.cli.advertisements"
_TIMES = (
    "A TIME with Z or an offset is the same moment everywhere (2026-12-01T09:00Z); in --assign a TIME without one is read on each\n"
    "client's own clock (2026-12-01T09:00). `now`, and a duration from now such as 2h, serve for the others."
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
        ),
    )
    advertise.add_argument("package", metavar="PACKAGE", help="the package's id")
    advertise.add_argument("program", metavar="PROGRAM", help="the program's name or number")
    advertise.add_argument("--to", metavar="COLLECTION", required=True, help="the collection's id or name")
    _add_schedule(advertise)
    advertise.add_argument("--paused", action="store_true", help="offer nothing until it is resumed")
    add_yes(advertise, "it reaches many clients")

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
        "--assign", metavar="asap|TIME", type=assignment, action="append", help="make it mandatory; may be repeated"
    )
    parser.add_argument("--available-from", metavar="TIME", type=moment, help="when it starts to be offered (default: now)")
    parser.add_argument("--expires", metavar="TIME", type=moment, help="when it stops being offered (default: never)")
    parser.add_argument("--each-version", action="store_true", help="run again when the package gets a new source version")
