"""What this machine is: read from the files of its operating system, asking nobody."""

import hashlib
import os
import platform
import socket
import struct
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from purveyor import __version__
from purveyor.wire.reports import Facts

ADDRESS_LIMIT = 16
_ZONES = "zoneinfo/"


def facts(root: Path = Path("/")) -> Facts:
    """What the machine is. `root` is where its file system begins."""
    release = os_release(root)
    return Facts(
        name=socket.gethostname()[:200],
        platform=platform_of(release),
        architecture=platform.machine(),
        system=release.get("PRETTY_NAME", platform.system()),
        addresses=addresses(root),
        machine_id=machine_id(root),
        zone=zone_name(root),
        agent_version=__version__,
    )


def os_release(root: Path) -> dict[str, str]:
    """What the system says about itself. Source: os-release(5)."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        text = _text(root / place)
        if text:
            pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
            return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
    return {}


def platform_of(release: dict[str, str]) -> str:
    """The platform, such as `linux/debian/12`: what programs name when they are not for every machine."""
    parts = [platform.system().lower() or "unknown", release.get("ID", "").lower(), release.get("VERSION_ID", "").lower()]
    return "/".join(part for part in parts if part)


def machine_id(root: Path) -> str:
    """What tells this machine from others, without giving away the secret that it is made of. Source: machine-id(5)."""
    secret = _text(root / "etc/machine-id").strip()
    return hashlib.sha256(f"purveyor {secret}".encode()).hexdigest()[:32] if secret else ""


def addresses(root: Path) -> tuple[str, ...]:
    """The machine's own addresses, without those that only it can reach. Source: proc(5), fib_trie and if_inet6."""
    found: list[str] = []
    before = ""
    for line in _text(root / "proc/net/fib_trie").splitlines():
        words = line.split()
        if "host LOCAL" in line and before and not before.startswith("127."):
            found.append(before)
        elif len(words) == 2 and words[0] == "|--":
            before = words[1]
    for line in _text(root / "proc/net/if_inet6").splitlines():
        words = line.split()
        if len(words) >= 4 and words[3] == "00":  # global scope
            found.append(
                socket.inet_ntop(socket.AF_INET6, struct.pack("!4I", *(int(words[0][at : at + 8], 16) for at in (0, 8, 16, 24))))
            )
    return tuple(dict.fromkeys(found))[:ADDRESS_LIMIT]


def zone_name(root: Path) -> str:
    """The name of the machine's time zone, such as `Europe/Berlin`; UTC when it has none."""
    try:
        target = os.readlink(root / "etc/localtime")
    except OSError:
        target = ""
    name = target.rpartition(_ZONES)[2] if _ZONES in target else _text(root / "etc/timezone").strip()
    return name or "UTC"


def zone(root: Path = Path("/")) -> tzinfo:
    """The machine's time zone, by its name or by its own file."""
    try:
        return ZoneInfo(zone_name(root))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        with (root / "etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(2**20)
    except OSError:
        return ""
