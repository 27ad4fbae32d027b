"""`purveyor job …`: what is asked of single runs, and what clients answered."""

import argparse

from purveyor.cli.arguments.shape import Noun, add_yes
from purveyor.cli.arguments.values import count, moment

_MODULE = "purveyor.cli.jobs"
_MORE = (
    "Prints the number of the request alone. Each client answers it once, with its next poll: done, too late, or refused.\n"
    "Without --client all members of the advertisement's collection are asked."
)


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    jobs = root.noun("job", "single runs of what is advertised: called off, stopped, run again")
    _asking(
        jobs,
        "cancel",
        "call off what an advertisement asks for next, where it has not begun",
        "purveyor job cancel S0120001 --client ws-001 --reason 'the user gives a talk'",
    )
    _asking(
        jobs,
        "stop",
        "end runs of an advertisement that are under way: asked first, then forced",
        "purveyor job stop S0120001 --yes",
    )
    again = _asking(
        jobs,
        "run-again",
        "run what is advertised once more, whatever was before",
        "purveyor job run-again S0120001 --failed",
    )
    again.add_argument("--failed", action="store_true", help="only where the last run of the program did not succeed")
    listing = jobs.verb(
        "requests",
        f"{_MODULE}:requests",
        "list what was asked, the newest first; or show one request with the answer of each client",
        examples=("purveyor job requests", "purveyor job requests 17", "purveyor job requests --advertisement S0120001 --open"),
    )
    listing.add_argument("number", metavar="NUMBER", nargs="?", type=count, help="show this request")
    listing.add_argument("--advertisement", metavar="ID", default="", help="only about this advertisement")
    listing.add_argument("--open", action="store_true", help="only those that clients are still told of")
    listing.add_argument("--limit", metavar="N", type=count, default=50, help="requests to show at most (default: 50)")
    jobs.verb(
        "withdraw",
        f"{_MODULE}:withdraw",
        "take a request back: clients that have not heard of it yet never will",
        examples=("purveyor job withdraw 17",),
    ).add_argument("number", metavar="NUMBER", type=count, help="the request")


def _asking(jobs: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    run = f"{_MODULE}:{verb.replace('-', '_')}"
    parser = jobs.verb(verb, run, what, more=_MORE, examples=(example,))
    parser.add_argument("advertisement", metavar="ADVERTISEMENT", help="the advertisement, such as S0120001")
    parser.add_argument("--client", metavar="NAME", action="append", help="only this client, by id or name; may be repeated")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for whoever looks at it later")
    parser.add_argument(
        "--expires", metavar="TIME", type=moment, help="when clients that were silent are no longer told of it (default: 30d)"
    )
    add_yes(parser, "it reaches many clients")
    return parser
