"""`purveyor client …`: the agent of this machine."""

import argparse
from collections.abc import Mapping

from purveyor.cli.arguments.moments import local_moment, port
from purveyor.cli.arguments.shape import DONE, LOCAL, Noun
from purveyor.cli.arguments.values import count, duration_seconds

_MODULE = "purveyor.cli.client"
_USERS = "purveyor.cli.offered"
_JOIN_CODES = {0: "a member, or waiting for an administrator's approval", 1: "refused: the code is unknown, used up or expired, or the machine is blocked", 2: "wrong usage",
               3: "the CAP cannot be reached, or the site has not answered in time; run the same again"}  # fmt: skip
_TIME = "2026-12-01T19:00 on this machine's clock, with Z or an offset, or 2h for two hours from now"
_CHECK_CODES = {0: "OK", 1: "WARNING: something needs looking after", 2: "CRITICAL: this client does not do its work, or soon will not; also wrong usage",
                3: "UNKNOWN: there is no agent's state, or it cannot be read"}  # fmt: skip
_USER_CODES = {0: DONE, 1: "refused: not offered, not for this user, too late, beyond the limit, running already; nothing was changed", 2: "wrong usage",
               3: "neither the agent's state nor its page can be reached"}  # fmt: skip
_WHERE = """Where the agent's state can be read (by its owner, or by root), name it with --state DIR. Everybody else asks the agent's
page on this machine: --page URL, or PURVEYOR_PAGE; without either, http://127.0.0.1:8475. It knows by itself who asks."""
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
    join.add_argument("cap", metavar="CAP", help="address, share or folder of a client access point")
    join.add_argument("--name", metavar="NAME", default="", help="what the site calls this machine (default: its host name)")
    join.add_argument("--code", metavar="CODE", required=True, help="join code; - reads it from standard input")
    join.add_argument(
        "--credentials",
        metavar="FILE",
        help="for a share (smb://SERVER/SHARE): a file that only you can read, with username=, password= and perhaps domain=",
    )
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
        "say in a line for monitoring, and then one by one, whether all is well: agent, CAP, clock, trust, disk, reports",
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
    credentials = _verb(
        client,
        "credentials",
        "use shares with another user or password from now on",
        "purveyor client credentials /root/purveyor.credentials --state /var/lib/purveyor",
        LOCAL,
    )
    credentials.add_argument(
        "file", metavar="FILE", help="a file that only you can read, with username=, password=, perhaps domain="
    )
    _register_for_users(client)


def _register_for_users(client: Noun) -> None:
    """What the people in front of the machine ask for."""
    _user_verb(
        client, "programs", "programs", "list the programs that are offered to you, when they run, and why they wait",
        "purveyor client programs", "purveyor client programs --state /var/lib/purveyor --user alice",
    )  # fmt: skip
    now = _user_verb(
        client, "run-now", "run_now", "run a program that is offered to you, now or at a time",
        "purveyor client run-now S0100001/1", "purveyor client run-now S0100001/setup --at 2026-12-01T19:00",
    )  # fmt: skip
    _add_program(now)
    now.add_argument("--at", metavar="TIME", type=local_moment, help=_TIME)
    postpone = _user_verb(
        client, "postpone", "postpone", "put off the run of a program, within the limit that its advertisement allows",
        "purveyor client postpone S0100001/1 --for 2h", "purveyor client postpone S0100001/1 --until 2026-12-01T19:00",
    )  # fmt: skip
    _add_program(postpone)
    until = postpone.add_mutually_exclusive_group(required=True)
    until.add_argument("--for", metavar="DURATION", dest="seconds", type=duration_seconds, help="for how long, such as 2h")
    until.add_argument("--until", metavar="TIME", type=local_moment, help=_TIME)
    restart = client.noun("restart", "the restart that a program needs")
    _user_verb(
        restart, "now", "restart_now", "restart this machine now, where a restart is pending", "purveyor client restart now"
    )
    _user_verb(
        restart, "postpone", "postpone_restart", "put a pending restart off, by the time that the site allows",
        "purveyor client restart postpone",
    )  # fmt: skip
    page = client.verb(
        "page", f"{_USERS}:page", "serve the agent's page on this machine until it is interrupted",
        examples=("purveyor client page --state /var/lib/purveyor --port 8475",), codes=LOCAL,
        more="The agent serves the page by itself where the site's setting page_port names a port.",
    )  # fmt: skip
    page.add_argument("--state", metavar="DIR", required=True, help="the agent's folder")
    page.add_argument("--port", metavar="PORT", type=port, default=0, help="port on 127.0.0.1; 0 takes a free one (default: 0)")


def _user_verb(noun: Noun, verb: str, function: str, what: str, *examples: str) -> argparse.ArgumentParser:
    parser = noun.verb(verb, f"{_USERS}:{function}", what, examples=examples, codes=_USER_CODES, more=_WHERE)
    parser.add_argument("--state", metavar="DIR", default="", help="the agent's folder")
    parser.add_argument("--page", metavar="URL", default="", help="address of the agent's page, in place of its state")
    parser.add_argument("--user", metavar="NAME", default="", help="for an administrator: whose programs; needs --state")
    return parser


def _add_program(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PACKAGE/PROGRAM", help="the package's id, and the program's number or name")


def _verb(client: Noun, verb: str, what: str, example: str, codes: Mapping[int, str]) -> argparse.ArgumentParser:
    parser = client.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,), codes=codes)
    parser.add_argument("--state", metavar="DIR", required=True, help="the agent's folder")
    return parser
