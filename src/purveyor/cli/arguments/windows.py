"""`purveyor window …`: maintenance windows of collections."""

import argparse

from purveyor.cli.arguments.shape import Noun, add_yes
from purveyor.cli.arguments.values import count, duration_seconds, starting_time

_MODULE = "purveyor.cli.windows"
_MORE = (
    "Where any window reaches a client, mandatory programs start in an open one only, with enough time left.\n"
    "A TIME with Z or an offset is the same moment everywhere; without one it is read on each client's own clock."
)


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    windows = root.noun("window", "maintenance windows: when members of a collection may be changed")
    add = windows.verb(
        "add",
        f"{_MODULE}:add",
        "add a maintenance window to a collection, and print its number alone",
        more=_MORE + "\nA --rule without --start begins today at 00:00 of each client's own clock.",
        examples=(
            "purveyor window add Servers --start 2026-12-05T22:00 --rule 'FREQ=WEEKLY;BYDAY=SA' --duration 6h --spread 1h",
            "purveyor window add 'All Systems' --rule 'FREQ=DAILY;BYHOUR=2' --duration 3h --catch-up --yes",
        ),
    )
    add.add_argument("collection", metavar="COLLECTION", help="the collection's id or name")
    _add_times(add, is_new=True)
    add_yes(add, "it reaches many clients")
    listing = windows.verb(
        "list",
        f"{_MODULE}:show_all",
        "list maintenance windows, with when they open next",
        examples=("purveyor window list", "purveyor window list --collection Servers"),
    )
    listing.add_argument("--collection", metavar="COLLECTION", help="those of this collection")
    edit = _by_number(
        windows, "edit", "change a maintenance window; what is not given stays", "purveyor window edit 3 --duration 4h"
    )
    _add_times(edit, is_new=False)
    edit.add_argument("--no-catch-up", action="store_true", help="what was missed waits for the next window")
    add_yes(edit, "it reaches many clients")
    delete = _by_number(
        windows, "delete", "delete a maintenance window; without any, programs run at any time", "purveyor window delete 3"
    )
    add_yes(delete, "it reaches many clients")


def _by_number(windows: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = windows.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("number", metavar="NUMBER", type=count, help="number of the window, as listed")
    return parser


def _add_times(parser: argparse.ArgumentParser, *, is_new: bool) -> None:
    parser.add_argument("--start", metavar="TIME", type=starting_time, help="when it opens for the first time, or once")
    parser.add_argument("--rule", metavar="RRULE", help="by which it opens again; docs/schedules.md lists what is possible")
    parser.add_argument("--duration", metavar="D", type=duration_seconds, required=is_new, help="how long it is open, such as 6h")
    parser.add_argument(
        "--spread", metavar="D", type=duration_seconds, help="open it later on each client, by its own share of this"
    )
    parser.add_argument("--catch-up", action="store_true", help="what a machine that was off missed runs when it is back")
    parser.add_argument("--name", metavar="N", help="what it is for")
