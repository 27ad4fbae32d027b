"""Who is logged on at the real machine: the sessions that systemd-logind (or elogind) writes down, or those in utmp.

A session is a user's own. Greeters, lock screens, user managers, services and cron are none, nor is one that is being closed or
whose first process is gone (Q314342). Asks no service for the list; only whether a screen is locked is asked, where that can be.
Source: the files in /run/systemd/sessions, which sd-login(3) reads; utmp(5).
"""

import os
import platform
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from purveyor.client.machine.directory import Directory
from purveyor.client.machine.interface import Session
from purveyor.client.machine.system_commands import Answer, asked
from purveyor.wire.accounts import LENGTH_LIMIT
from purveyor.wire.errors import UnavailableError

LOGIND = "run/systemd/sessions"
UTMP = ("run/utmp", "var/run/utmp")
SESSION_LIMIT = 1000
FILE_LIMIT_BYTES = 64 * 1024
_CLASSES = frozenset({"user", "user-early", "user-light", "user-early-light"})
_GRAPHICAL = frozenset({"x11", "wayland", "mir"})
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_UTMP_SHORT = struct.Struct("=hxxi32s4s32s256shhiii16s20s")
_UTMP_LONG = struct.Struct("=hxxi32s4s32s256shhqqq16s20sxxxx")
"""Where a system keeps no times of 32 bits: the 64-bit ARM, for one."""
_USER = 7
"""The kind of an entry that is a logged-on user."""
_SLACK_SECONDS = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")


def sessions(root: Path, directory: Directory, *, ask: Callable[[Sequence[str]], Answer] = asked) -> tuple[Session, ...]:
    """Who is logged on now, the longest first. Errors: UnavailableError when it cannot be told."""
    found = _by_logind(root, directory, ask) if _is_logind_there(root) else _by_utmp(root, directory)
    return tuple(sorted(found, key=lambda session: (session.since or datetime.min.replace(tzinfo=UTC), session.id)))


def watched_paths(root: Path = Path("/")) -> tuple[str, ...]:
    """What changes whenever somebody logs on or off: a folder of files, or a file. Errors: none."""
    if os.path.exists(root / "run/systemd/seats/seat0"):
        return (str(root / LOGIND),)
    return (str(root / LOGIND), str(root / UTMP[0]))


# --- logind ---


def _is_logind_there(root: Path) -> bool:
    """Whether logind keeps sessions here: with its package alone there is an empty folder and no seat."""
    folder = root / LOGIND
    try:
        return folder.is_dir() and (any((root / "run/systemd/seats").glob("*")) or any(folder.iterdir()))
    except OSError as error:
        raise UnavailableError(f"who is logged on cannot be read: {error.strerror}") from error


def _by_logind(root: Path, directory: Directory, ask: Callable[[Sequence[str]], Answer]) -> list[Session]:
    folder = root / LOGIND
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))[:SESSION_LIMIT]
    except OSError as error:
        raise UnavailableError(f"who is logged on cannot be read: {error.strerror}") from error
    known = {name: fields for name in names if (fields := _fields(folder / name))}
    present = {name: fields for name, fields in known.items() if _is_present(root, fields)}
    locked = _locked([name for name, fields in present.items() if fields.get("TYPE") in _GRAPHICAL], ask)
    return [_logind_session(name, fields, directory, is_locked=name in locked) for name, fields in present.items()]


def _fields(path: Path) -> dict[str, str]:
    """What a session's file says; nothing when the session ended meanwhile."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(FILE_LIMIT_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnavailableError(f"who is logged on cannot be read: {error.strerror}") from error
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _is_present(root: Path, fields: dict[str, str]) -> bool:
    if fields.get("CLASS", "user") not in _CLASSES or fields.get("STATE") == "closing":
        return False
    began = _number(fields.get("MONOTONIC", ""))
    leader = _number(fields.get("LEADER", ""))
    return leader is None or _is_leader_alive(root, leader, None if began is None else _latest_uptime(began / 1e6))


def _locked(names: list[str], ask: Callable[[Sequence[str]], Answer]) -> set[str]:
    """Which of these sessions have locked screens: not in their files, so logind is asked. One that cannot be told is not."""
    if not names:
        return set()
    try:
        answer = ask(["loginctl", "show-session", "--property=LockedHint", "--value", "--", *names])
    except UnavailableError:
        return set()
    words = answer.output.split()
    return {name for name, word in zip(names, words, strict=True) if word == "yes"} if len(words) == len(names) else set()


def _logind_session(name: str, fields: dict[str, str], directory: Directory, *, is_locked: bool) -> Session:
    user = fields.get("USER", "") or directory.name_of(_number(fields.get("UID", "")) or 0)
    return Session(
        id=f"{name}-{_number(fields.get('MONOTONIC', '')) or 0}",
        user=user[:LENGTH_LIMIT],
        groups=directory.groups_of(user),
        since=_time((_number(fields.get("REALTIME", "")) or 0) / 1e6),
        is_active=fields.get("ACTIVE", "1") == "1" and not is_locked,
    )


# --- utmp ---


def _by_utmp(root: Path, directory: Directory) -> list[Session]:
    for path in UTMP:
        try:
            with (root / path).open("rb") as file:
                content = file.read(SESSION_LIMIT * _UTMP_LONG.size)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UnavailableError(f"who is logged on cannot be read: {error.strerror}") from error
        return list(_utmp_sessions(root, content, directory))
    return []


def _utmp_sessions(root: Path, content: bytes, directory: Directory) -> Iterator[Session]:
    form = _utmp_form(len(content))
    for kind, pid, line, _, user, _, _, _, _, seconds, micro, _, _ in form.iter_unpack(
        content[: len(content) // form.size * form.size]
    ):
        if kind != _USER or not user.rstrip(b"\0") or not _is_leader_alive(root, pid, None):
            continue
        name = user.split(b"\0", 1)[0].decode(errors="replace")
        place = re.sub(r"[^A-Za-z0-9]", "-", line.split(b"\0", 1)[0].decode(errors="replace"))
        yield Session(
            id=f"{place}-{pid}-{seconds}",
            user=name,
            groups=directory.groups_of(name),
            since=_time(seconds + micro / 1e6),
        )


def _utmp_form(size_bytes: int) -> struct.Struct:
    """The form of the entries in a utmp file of this size; where both fit, that of this machine."""
    fits = [form for form in (_UTMP_SHORT, _UTMP_LONG) if size_bytes % form.size == 0]
    usual = _UTMP_LONG if platform.machine() in ("aarch64", "arm64") else _UTMP_SHORT
    return fits[0] if len(fits) == 1 else usual


# --- the process that began a session ---


def _is_leader_alive(root: Path, pid: int, began_before: float | None) -> bool:
    """Whether the first process of a session lives: not one that was given its number later. Units: seconds of uptime."""
    try:
        with (root / f"proc/{pid}/stat").open("rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return root == Path("/") and _is_hidden(pid)
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return False
    return began_before is None or int(fields[19]) / _TICKS <= began_before


def _is_hidden(pid: int) -> bool:
    """Whether a process is there that /proc does not show to this one. Source: proc(5), hidepid."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _latest_uptime(monotonic: float) -> float:
    """The latest uptime at which a moment can have been: what was slept through counts in the one clock and not in the other."""
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return monotonic + slept + _SLACK_SECONDS


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _time(seconds: float) -> datetime | None:
    if seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
