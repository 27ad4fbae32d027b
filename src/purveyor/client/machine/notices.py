"""Says something to the user of a session on the real machine: a desktop notice, where the user has a desktop that shows any.

Shown by `notify-send` with the rights of that user, on that user's own message bus, for a limited time. What cannot be shown is
no error. Titles and texts are taken as they are: never as options, and never as markup. Which number the desktop gave to a notice
is kept in the agent's folder, so that a later pass can replace or close it.
Source: the Desktop Notifications Specification, notify-send(1).
"""

import html
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from purveyor.client.machine.interface import LANGUAGE, SEARCH_PATH, Account, Disk, Session
from purveyor.wire.errors import UnavailableError
from purveyor.wire.form import to_bytes

SHOW_SECONDS = 5.0
TITLE_LIMIT = 100
TEXT_LIMIT = 1000
NUMBERS = "notices.json"
NUMBER_LIMIT = 500
"""Notices whose numbers are remembered; those of the lowest are forgotten, and stay until their user closes them."""
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_CLOSE = ("org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.freedesktop.Notifications.CloseNotification")
_Numbers = dict[str, int]


class RealNotices:
    """Implements `client.machine.interface.Notices`. `account` looks up whose session it is; `users` has the users' folders."""

    def __init__(
        self,
        disk: Disk,
        account: Callable[[str], Account | None],
        *,
        users: Path = Path("/run/user"),
        search_path: str = SEARCH_PATH,
    ) -> None:
        self._disk = disk
        self._account = account
        self._users = users
        self._search_path = search_path

    def show(self, session: Session, name: str, title: str, text: str) -> None:
        """Shows a notice; one of the same name in the same session is replaced. Errors: none."""
        command = shutil.which("notify-send", path=self._search_path)
        if command is None or not any(self._users.glob("*/bus")):
            return
        numbers, key = self._numbers(), _key(session, name)
        old = [f"--replace-id={numbers[key]}"] if key in numbers else []
        words = [command, "--app-name=Purveyor", "--print-id", *old, "--", _line(title, TITLE_LIMIT), _body(text)]
        printed = self._run_as(session, words)
        if printed is not None and printed.strip().isdigit():
            self._remember({**{one: number for one, number in numbers.items() if one != key}, key: int(printed.strip()[:10])})

    def close(self, session: Session, name: str) -> None:
        """Takes a notice back. Errors: none."""
        numbers = self._numbers()
        number = numbers.pop(_key(session, name), None)
        if number is None:
            return
        place, thing, method = _CLOSE
        if command := shutil.which("gdbus", path=self._search_path):
            words = [command, "call", "--session", "--dest", place, "--object-path", thing, "--method", method, str(number)]
        elif command := shutil.which("busctl", path=self._search_path):
            words = [command, "--user", "call", place, thing, *method.rsplit(".", 1), "u", str(number)]
        else:
            words = []
        if words:
            self._run_as(session, words)
        self._remember(numbers)

    def _run_as(self, session: Session, words: list[str]) -> str | None:
        """What a command printed that was run as the user of a session; None where it could not be."""
        try:
            account = self._account(session.user)
        except UnavailableError:
            return None
        bus = None if account is None else self._users / str(account.user_id) / "bus"
        if account is None or bus is None or not _is_bus_of(bus, account.user_id):
            return None
        own = os.geteuid()
        if own not in (0, account.user_id):
            return None
        try:
            ended = subprocess.run(
                words,
                cwd="/",
                env=self._environment(account, bus),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                timeout=SHOW_SECONDS,
                check=False,
                user=account.user_id if own == 0 else None,
                group=account.group_id if own == 0 else None,
                extra_groups=list(account.group_ids) if own == 0 else None,
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return ended.stdout[:1000].decode("ascii", "replace") if ended.returncode == 0 else None

    def _environment(self, account: Account, bus: Path) -> Mapping[str, str]:
        return {
            "PATH": self._search_path,
            "LANG": LANGUAGE,
            "HOME": account.home,
            "USER": account.name,
            "LOGNAME": account.name,
            "XDG_RUNTIME_DIR": str(bus.parent),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        }

    def _numbers(self) -> _Numbers:
        try:
            return msgspec.json.decode(self._disk.read(NUMBERS) or b"{}", type=_Numbers)
        except (msgspec.MsgspecError, UnavailableError, UnicodeDecodeError):
            return {}

    def _remember(self, numbers: _Numbers) -> None:
        kept = dict(sorted(numbers.items(), key=lambda item: item[1])[-NUMBER_LIMIT:])
        try:
            self._disk.remove(f"{NUMBERS}.new")
            self._disk.append(f"{NUMBERS}.new", to_bytes(kept))
            self._disk.rename(f"{NUMBERS}.new", NUMBERS)
        except UnavailableError:
            return  # a notice that cannot be replaced is shown beside the old one


def _key(session: Session, name: str) -> str:
    return f"{session.id} {session.user} {name}"


def _is_bus_of(bus: Path, user_id: int) -> bool:
    try:
        found = bus.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == user_id


def _line(text: str, limit: int) -> str:
    return " ".join(_UNPRINTABLE.sub(" ", text).split())[:limit] or "Purveyor"


def _body(text: str) -> str:
    """The text as a desktop shows it that reads markup, without any of its own."""
    return html.escape(_UNPRINTABLE.sub(" ", text)[:TEXT_LIMIT], quote=False)
