"""The accounts that the system knows, its own and those of a directory service: asked by `getent` and `id`, for a limited time.

An answer "there is none" is believed only where nobody else could know: a name that no source has is surely nobody's account when
the sources are all files of this machine, or when the directory service behind them says that it reaches its servers. Else it
cannot be told now (Q235205). Never asks from within this process: a directory that hangs would hold the agent for minutes.

    files, compat, db, systemd, altfiles, extrausers, mymachines    always known
    winbind     known when `wbinfo --ping-dc` says so
    sss         known when `sssctl domain-status --online` says so of every domain of `sssctl domain-list`
    any other   (ldap, nis, …) never known
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from purveyor.client.machine.interface import Account
from purveyor.client.machine.system_commands import Answer, asked
from purveyor.wire.errors import UnavailableError

GROUP_LIMIT = 1000
"""Groups of one account that are looked at; more than any system takes on along with a process."""
DOMAIN_LIMIT = 20
KEPT_SECONDS = 300.0
"""How long the groups of a user are not asked for again: they change only when the user logs on."""
_LARGEST_ID = 2**32 - 2
_LOCAL_SOURCES = frozenset({"files", "compat", "db", "systemd", "altfiles", "extrausers", "mymachines"})
_NONE_FOUND = 2
"""How `getent` ends when it knows nothing of a key. Source: getent(1)."""


class Directory:
    """What the system knows of accounts and groups. `root` is where its file system begins."""

    def __init__(self, root: Path = Path("/"), *, ask: Callable[[Sequence[str]], Answer] = asked) -> None:
        self._root = root
        self._ask = ask
        self._groups: dict[str, tuple[float, tuple[str, ...]]] = {}

    def account(self, name: str) -> Account | None:
        """The account of this name with its groups; None: there surely is none. Errors: UnavailableError."""
        if not name or name.startswith("-") or "\0" in name or "\n" in name or ":" in name:
            return None
        entry = self._entry(name)
        if entry is None:
            return None
        return Account(
            name=entry.name,
            user_id=entry.user_id,
            group_id=entry.group_id,
            group_ids=self._group_ids(entry.name, entry.group_id),
            home=entry.home,
        )

    def name_of(self, user_id: int) -> str:
        """The name of the account with a number; the number itself where it has none that can be told. Errors: none."""
        try:
            answer = self._ask(["getent", "passwd", str(user_id)])
        except UnavailableError:
            return str(user_id)
        entry = _entry_in(answer.output) if answer.exit_code == 0 else None
        return str(user_id) if entry is None else entry.name

    def groups_of(self, user: str) -> tuple[str, ...]:
        """The names of a user's groups, as far as they can be told now. Errors: none. Shape: kept for some minutes."""
        known = self._groups.get(user)
        if known is not None and time.monotonic() - known[0] < KEPT_SECONDS:
            return known[1]
        try:
            account = self.account(user)
            names = () if account is None else self._group_names(account.group_ids)
        except UnavailableError:
            return () if known is None else known[1]
        self._groups[user] = (time.monotonic(), names)
        return names

    def _entry(self, name: str) -> "_Entry | None":
        answer = self._ask(["getent", "passwd", name])
        if answer.exit_code == 0:
            entry = _entry_in(answer.output)
            if entry is None or (name.isdigit() and entry.name != name):
                return None  # a number is the number of an account, never its name
            return entry
        if answer.exit_code != _NONE_FOUND:
            raise UnavailableError(f"the account {name} cannot be looked up: getent ended with {answer.exit_code}")
        self._check_sources(name)
        return None

    def _check_sources(self, name: str) -> None:
        """Errors: UnavailableError when a source that does not know a name may be one that cannot be reached."""
        for source in _sources(self._root):
            if source not in _LOCAL_SOURCES and not self._is_reached(source):
                raise UnavailableError(
                    f"the account {name} cannot be looked up: whether {source} reaches its directory is not known"
                )

    def _is_reached(self, source: str) -> bool:
        match source:
            case "winbind":
                return self._ask(["wbinfo", "--ping-dc"]).exit_code == 0
            case "sss":
                domains = self._ask(["sssctl", "domain-list"])
                names = domains.output.split()[:DOMAIN_LIMIT]
                return domains.exit_code == 0 and all(self._is_online(domain) for domain in names)
            case _:
                return False

    def _is_online(self, domain: str) -> bool:
        answer = self._ask(["sssctl", "domain-status", "--online", "--", domain])
        return answer.exit_code == 0 and "offline" not in answer.output.casefold()

    def _group_ids(self, name: str, group_id: int) -> tuple[int, ...]:
        answer = self._ask(["id", "-G", "--", name])
        if answer.exit_code != 0:
            raise UnavailableError(f"the groups of {name} cannot be looked up: id ended with {answer.exit_code}")
        found = [int(word) for word in answer.output.split()[:GROUP_LIMIT] if _is_number(word) and int(word) <= _LARGEST_ID]
        return tuple(dict.fromkeys([group_id, *found]))

    def _group_names(self, group_ids: tuple[int, ...]) -> tuple[str, ...]:
        answer = self._ask(["getent", "group", *(str(number) for number in group_ids)])
        if answer.exit_code not in (0, _NONE_FOUND):  # some of them may have no name
            raise UnavailableError(f"the names of groups cannot be looked up: getent ended with {answer.exit_code}")
        return tuple(line.partition(":")[0] for line in answer.output.splitlines() if ":" in line)


class _Entry(NamedTuple):
    name: str
    user_id: int
    group_id: int
    home: str


def _entry_in(output: str) -> _Entry | None:
    """The first account in what `getent passwd` printed. Source: passwd(5)."""
    parts = (output.splitlines() or [""])[0].split(":")
    if len(parts) < 7 or not parts[0] or not (_is_number(parts[2]) and _is_number(parts[3])):
        return None
    user_id, group_id = int(parts[2]), int(parts[3])
    if max(user_id, group_id) > _LARGEST_ID:
        return None
    return _Entry(parts[0], user_id, group_id, parts[5] or "/")


def _is_number(text: str) -> bool:
    """Whether this is a number as systems write it, no longer than any id: other signs count as digits too."""
    return text.isascii() and text.isdigit() and len(text) <= 20


def _sources(root: Path) -> list[str]:
    """Where this system looks accounts up, in order. Source: nsswitch.conf(5)."""
    try:
        with (root / "etc/nsswitch.conf").open(encoding="utf-8", errors="replace") as file:
            lines = file.read(2**16).splitlines()
    except FileNotFoundError:
        return ["files"]
    except OSError as error:
        raise UnavailableError(f"where accounts are looked up cannot be read: {error.strerror}") from error
    for line in lines:
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == "passwd":
            return [word for word in rest.split() if not word.startswith("[") and not word.endswith("]")]
    return ["files"]
