"""Looks whether an account can start what it is to run, before it is started: words that name path and account, not a number.

Only root can start a program for another account. What is to belong to that account, `Disk.give` gives to it.

PAM is not opened for a run: there is no session of login, no keyring, no limits of `limits.conf`, no home that is mounted at
logon. A program that needs these needs a user who is logged on.
"""

import os
import subprocess

from purveyor.client.machine.interface import LANGUAGE, SEARCH_PATH, Account, RunOrder
from purveyor.wire.errors import UnavailableError

CHECK_SECONDS = 30.0
_CHECK = """
cd -- "$1" || exit 3
case "$2" in
'') exit 0 ;;
*/*) test -f "$2" && test -x "$2" || exit 4 ;;
*) command -v -- "$2" || exit 4 ;;
esac
"""
_NO_FOLDER, _NO_COMMAND = 3, 4


def obstacle(order: RunOrder) -> str:
    """What keeps the account of an order from starting it, in words that name path and account; empty when nothing does.

    Errors: UnavailableError when it cannot be found out now. Source: Q273754, Q263279.
    """
    account = order.account
    if account is None or account.user_id == os.geteuid():
        return ""
    if os.geteuid() != 0:
        return f"the agent does not run as root, so it cannot start a program as {account.name}"
    first = "" if order.command.shell_line else (order.command.argv or ("",))[0]
    beside = f"{order.working_directory}/{first}"
    word = beside if first and "/" not in first and os.path.isfile(beside) else first
    code = _checked(account, order.working_directory, word, order.environment.get("PATH", SEARCH_PATH))
    reasons = {
        0: "",
        _NO_FOLDER: f"{account.name} cannot enter the working directory {order.working_directory}",
        _NO_COMMAND: f"{account.name} cannot start {first}: it is not there, or may not be executed",
    }
    if code not in reasons:
        raise UnavailableError(f"whether {account.name} can start it cannot be found out: the check ended with {code}")
    return reasons[code]


def _checked(account: Account, folder: str, word: str, search_path: str) -> int:
    try:
        return subprocess.run(
            ["/bin/sh", "-c", _CHECK, "sh", folder, word],
            cwd="/",
            env={"PATH": search_path, "LANG": LANGUAGE},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=CHECK_SECONDS,
            check=False,
            user=account.user_id,
            group=account.group_id,
            extra_groups=list(account.group_ids),
        ).returncode
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"whether {account.name} can start it cannot be found out: {error}") from error
