"""`purveyor preview`: looking ahead."""

import argparse

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import count

_MODULE = "purveyor.cli.preview"


def register(root: Noun) -> None:
    """Adds the command."""
    preview = root.verb(
        "preview",
        f"{_MODULE}:show",
        "show whom an advertisement reaches, and when it runs there; nothing is changed",
        more=(
            "Times are told by each client's own clock, with the window that they fall into. Before an advertisement exists:\n"
            "purveyor advertise ... --preview"
        ),
        examples=("purveyor preview S0120001", "purveyor preview S0120001 --client ws-001 --firings 10"),
    )
    preview.add_argument("advertisement", metavar="ADVERTISEMENT", help="the advertisement's id")
    add_amounts(preview)


def add_amounts(parser: argparse.ArgumentParser, when: str = "") -> None:
    """The options that say how much is shown; `when` says when they matter."""
    parser.add_argument("--limit", metavar="N", type=count, default=20, help=f"{when}clients shown one by one (default: 20)")
    parser.add_argument("--client", metavar="TEXT", default="", help=f"{when}clients with this in their name alone")
    parser.add_argument("--firings", metavar="N", type=count, default=3, help=f"{when}times shown of each (default: 3)")
