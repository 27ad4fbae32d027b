"""How the real machine stands now: who is logged on, power, network cost, and whether it is going down.

`root` is where the file system begins, so that a test can build one. What a machine cannot tell is None and stands in nobody's
way; only who is logged on has to be known.
Source: /sys/class/power_supply (sysfs-class-power in the kernel's documentation), nmcli(1), route in proc(5), shutdown(8).
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from purveyor.client.machine import sessions
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.interface import Account, Surroundings
from purveyor.client.machine.system_commands import Answer, asked, is_installed
from purveyor.wire.accounts import is_same
from purveyor.wire.errors import UnavailableError

GOING_DOWN = timedelta(minutes=5)
"""How near a planned shutdown is when the machine counts as going down."""
SUPPLY_LIMIT = 64
_FIELD_LIMIT_BYTES = 4096
_DOWNWARD = frozenset({"poweroff", "reboot", "halt", "kexec", "soft-reboot"})
_MAINS = frozenset({"Mains", "USB", "Wireless"})
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,31}")


def surroundings(
    now: datetime, directory: Directory, *, root: Path = Path("/"), ask: Callable[[Sequence[str]], Answer] = asked
) -> Surroundings:
    """How the machine stands now. Errors: UnavailableError when it cannot be told who is logged on."""
    return Surroundings(
        sessions=sessions.sessions(root, directory, ask=ask),
        is_on_mains=is_on_mains(root),
        is_metered=is_metered(root, ask),
        is_going_down=is_going_down(root, now, ask),
    )


def account(
    user: str, directory: Directory, *, root: Path = Path("/"), ask: Callable[[Sequence[str]], Answer] = asked
) -> Account | None:
    """The account of a user; None: there surely is none, and nobody of that name is logged on. Errors: UnavailableError."""
    found = directory.account(user)
    if found is None and any(is_same(user, session.user) for session in sessions.sessions(root, directory, ask=ask)):
        raise UnavailableError(f"the account {user} cannot be looked up, and yet {user} is logged on")
    return found


def is_on_mains(root: Path) -> bool | None:
    """Whether the machine draws on the mains; None where it has no battery that tells, as most machines without one."""
    supplies = [_supply(folder) for folder in _folders(root / "sys/class/power_supply")]
    own = [supply for supply in supplies if supply.get("scope") != "Device"]  # the battery of a mouse is not the machine's
    mains = [supply["online"] for supply in own if supply.get("type", "") in _MAINS and supply.get("online")]
    stored = [one.get("status", "") for one in own if one.get("type") in ("Battery", "UPS") and one.get("present") != "0"]
    if any(online != "0" for online in mains):
        return True
    if "Discharging" in stored or (mains and stored):
        return False
    return True if {"Charging", "Full", "Not charging"} & set(stored) else None


def is_metered(root: Path, ask: Callable[[Sequence[str]], Answer]) -> bool | None:
    """Whether the network that leads out costs by volume, as NetworkManager knows or guesses; None where it is not there."""
    interface = _way_out(root)
    if interface is None or not _can_tell_metered(root):
        return None
    try:
        answer = ask(["nmcli", "--terse", "--get-values", "GENERAL.METERED", "device", "show", interface])
    except UnavailableError:
        return None
    word = answer.output.strip().partition(" ")[0]
    return {"yes": True, "no": False}.get(word) if answer.exit_code == 0 else None


def is_going_down(root: Path, now: datetime, ask: Callable[[Sequence[str]], Answer]) -> bool:
    """Whether the machine is shutting down, or will within minutes. Errors: none; what cannot be told is no shutdown."""
    refusal = _text(root / "run/nologin")
    if refusal is not None and "booting up" not in refusal:
        return True
    if _is_shutdown_near(_text(root / "run/systemd/shutdown/scheduled") or "", now):
        return True
    if not (root / "run/systemd/system").is_dir():
        return False
    try:
        return ask(["systemctl", "is-system-running"]).output.strip() == "stopping"
    except UnavailableError:
        return False


def _is_shutdown_near(scheduled: str, now: datetime) -> bool:
    fields = dict(line.split("=", 1) for line in scheduled.splitlines() if "=" in line)
    at = fields.get("USEC", "")
    if fields.get("MODE") not in _DOWNWARD or not (at.isascii() and at.isdigit()) or len(at) > 18:
        return False
    return int(at) / 1e6 <= (now + GOING_DOWN).timestamp()


def _way_out(root: Path) -> str | None:
    """The network interface of the default route; None when there is none. Source: proc(5), net/route and net/ipv6_route."""
    routes = [line.split() for line in (_text(root / "proc/net/route", limit=2**20) or "").splitlines()[1:]]
    found = [
        (int(words[6]), words[0])
        for words in routes
        if len(words) >= 8 and words[1] == words[7] == "00000000" and words[6].isdigit()
    ]
    if not found:
        routes = [line.split() for line in (_text(root / "proc/net/ipv6_route", limit=2**20) or "").splitlines()]
        found = [
            (int(words[5], 16), words[9])
            for words in routes
            if len(words) >= 10 and words[1] == "00" and set(words[0]) == {"0"} and words[9] != "lo"
        ]
    interface = min(found, default=(0, ""))[1]
    return interface if _INTERFACE.fullmatch(interface) else None


def _can_tell_metered(root: Path) -> bool:
    return (root / "run/NetworkManager").is_dir() and (root != Path("/") or is_installed("nmcli"))


def _supply(folder: Path) -> dict[str, str]:
    names = ("type", "scope", "online", "status", "present")
    return {name: text.strip() for name in names if (text := _text(folder / name)) is not None}


def _folders(above: Path) -> list[Path]:
    try:
        return sorted(above.iterdir())[:SUPPLY_LIMIT]
    except OSError:
        return []


def _text(path: Path, *, limit: int = _FIELD_LIMIT_BYTES) -> str | None:
    """What a file of the system says; None when there is none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return None
