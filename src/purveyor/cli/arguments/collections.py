"""`purveyor collection …`."""

import argparse

from purveyor.cli.arguments.shape import Noun, add_yes

_MODULE = "purveyor.cli.collections"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    collections = root.noun("collection", "machines chosen by rules")
    add = collections.verb(
        "add",
        f"{_MODULE}:add",
        "add a collection, and print its id alone",
        more="Clients are given by id or name, collections by id or name. Who is excluded is no member, whatever else says so.",
        examples=(
            "purveyor collection add Pilot --member ws-001 --member ws-002",
            "purveyor collection add Rest --include 'All Systems' --exclude Pilot",
        ),
    )
    add.add_argument("name", metavar="NAME", help="the collection's name, one on the site")
    _add_rules(add, "")
    collections.verb(
        "list", f"{_MODULE}:show_all", "list collections with their number of members", examples=("purveyor collection list",)
    )
    _by_name(collections, "show", "show a collection: rules and members", "purveyor collection show Pilot").add_argument(
        "--members", action="store_true", help="also list every member"
    )
    edit = _by_name(
        collections,
        "edit",
        "change a collection; what is not given stays",
        "purveyor collection edit Pilot --member ws-003 --remove-member ws-001",
    )
    edit.add_argument("--name", metavar="NAME", help="new name; renaming breaks nothing")
    _add_rules(edit, "")
    _add_rules(edit, "remove-")
    add_yes(edit, "its advertisements reach many more clients")
    delete = _by_name(collections, "delete", "delete a collection", "purveyor collection delete Pilot --yes")
    add_yes(delete, "delete it")


def _by_name(collections: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = collections.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("collection", metavar="COLLECTION", help="the collection's id or name")
    return parser


def _add_rules(parser: argparse.ArgumentParser, prefix: str) -> None:
    no_longer = "no longer " if prefix else ""
    parser.add_argument(
        f"--{prefix}member", metavar="CLIENT", action="append", default=[], help=f"{no_longer}this client; may be repeated"
    )
    parser.add_argument(
        f"--{prefix}include",
        metavar="C",
        action="append",
        default=[],
        help=f"{no_longer}all members of this collection; may be repeated",
    )
    parser.add_argument(
        f"--{prefix}exclude",
        metavar="C",
        action="append",
        default=[],
        help=f"{no_longer}without the members of this collection; may be repeated",
    )
    if not prefix:
        parser.add_argument("--member-file", metavar="FILE", help="clients, one a line; - reads standard input")
