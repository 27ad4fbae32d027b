"""`purveyor client …`: the agent of this machine."""

import argparse
from collections.abc import Mapping

from purveyor.cli.arguments.shape import DONE, LOCAL, Noun
from purveyor.cli.arguments.values import count, duration_seconds

_MODULE = "purveyor.cli.client"
_JOIN_CODES = {0: "a member, or waiting for an administrator's approval", 1: "refused: the code is unknown, used up or expired, or the machine is blocked", 2: "wrong usage",
               3: "the CAP cannot be reached, or the site has not answered in time; run the same again"}  # fmt: skip
_CHECK_CODES = {0: "all is well", 1: "something needs looking after", 2: "wrong usage", 3: "the state cannot be read"}
_RUN_CODES = {0: DONE, 1: "this machine has not joined, or may not", 2: "wrong usage", 3: "no CAP can be reached"}


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    client = root.noun("client", "the agent of this machine")
    join = _verb(
        client,
        "join",
        "join a site",
        "purveyor client join http://site.example:8470/cap --code S01-1-… --state /var/lib/purveyor",
        _JOIN_CODES,
    )
    join.add_argument("cap", metavar="CAP", help="address or folder of a client access point")
    join.add_argument("--name", metavar="NAME", default="", help="what the site calls this machine (default: its host name)")
    join.add_argument("--code", metavar="CODE", required=True, help="join code; - reads it from standard input")
    join.add_argument(
        "--wait",
        metavar="DURATION",
        type=duration_seconds,
        default=60,
        help="how long to wait for the site's answer (default: 60s)",
    )
    run = _verb(
        client,
        "run",
        "run the agent: poll, download, run what is due, report",
        "purveyor client run --state /var/lib/purveyor",
        _RUN_CODES,
    )
    run.add_argument("--once", action="store_true", help="one full pass, then end")
    _verb(client, "jobs", "list the jobs of this machine", "purveyor client jobs --state /var/lib/purveyor", LOCAL)
    log = _verb(client, "log", "show the agent's log", "purveyor client log --state /var/lib/purveyor --lines 50", LOCAL)
    log.add_argument("--lines", metavar="N", type=count, default=100, help="lines to show at most, the newest (default: 100)")
    _verb(
        client,
        "check",
        "say whether all is well: CAP, last poll, trust, disk, pending reports",
        "purveyor client check --state /var/lib/purveyor",
        _CHECK_CODES,
    )
    uninstall = _verb(
        client, "uninstall", "remove software from its receipt, even long after its package was deleted",
        "purveyor client uninstall S0100001 --state /var/lib/purveyor", LOCAL,
    )  # fmt: skip
    uninstall.add_argument("package", metavar="PACKAGE", help="the package's id")
    _verb(
        client,
        "leave",
        "leave the site: tell it, and forget everything but receipts",
        "purveyor client leave --state /var/lib/purveyor",
        LOCAL,
    )


def _verb(client: Noun, verb: str, what: str, example: str, codes: Mapping[int, str]) -> argparse.ArgumentParser:
    parser = client.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,), codes=codes)
    parser.add_argument("--state", metavar="DIR", required=True, help="the agent's folder")
    return parser
