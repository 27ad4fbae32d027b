"""`purveyor resource …`."""

import argparse

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import duration_seconds

_MODULE = "purveyor.cli.resources"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    resources = root.noun("resource", "machines that the site knows")
    listing = resources.verb(
        "list", f"{_MODULE}:show_all", "list resources", examples=("purveyor resource list --state waiting",)
    )
    listing.add_argument("--containing", metavar="TEXT", default="", help="only those whose name contains this")
    listing.add_argument(
        "--state", choices=("waiting", "member", "refused", "blocked", "removed"), help="only those in this state"
    )
    _by_name(resources, "show", "show a resource", "purveyor resource show ws-001")
    _by_name(resources, "approve", "let a waiting machine be a member", "purveyor resource approve ws-001")
    block = _by_name(
        resources, "block", "offer a machine nothing, and believe it nothing", "purveyor resource block ws-001 --reason stolen"
    )
    block.add_argument("--reason", metavar="TEXT", default="", help="why; the machine is told")
    _by_name(resources, "unblock", "let a blocked machine be a member again", "purveyor resource unblock ws-001")
    remove = _by_name(
        resources, "remove", "take a machine out of the site; it is told to join again", "purveyor resource remove ws-001"
    )
    _remove_clones(resources)
    remove.add_argument(
        "--yes", action="store_true", dest="is_confirmed", help="nothing needs to be confirmed here; for scripts that always do"
    )


def _remove_clones(resources: Noun) -> None:
    clones = resources.verb(
        "remove-clones",
        f"{_MODULE}:remove_clones",
        "take clones out of the site in whose place others came: machines that go back each night to an image",
        examples=(
            "purveyor resource remove-clones image-2026",
            "purveyor resource remove-clones image-2026 --silent-for 7d --yes",
        ),
    )
    clones.add_argument("resource", metavar="CLIENT", help="the id or name of the client that had joined in the image")
    clones.add_argument(
        "--silent-for",
        metavar="DURATION",
        type=duration_seconds,
        help="only those that said nothing for so long (default: 2d)",
    )
    clones.add_argument("--yes", action="store_true", dest="is_confirmed", help="do it; without this, it is said whom it means")


def _by_name(resources: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = resources.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("resource", metavar="CLIENT", help="the client's id or name")
    return parser
