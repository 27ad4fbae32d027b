"""The agent's log: lines in the form that CMTrace and its kin show, in one file that is bounded, with one older file kept.

Writes nothing that would break a line: what comes from outside is made harmless and short. Losing a line is no error of a pass.
"""

import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

TEXT_LIMIT = 4000
OLDER = ".lo_"
"""What the older file's name ends in, as the ancestor named it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]+")
_COMPONENT = re.compile(r"[^A-Za-z0-9_.-]+")


class Weight(IntEnum):
    """How a line is shown."""

    INFORMATION = 1
    WARNING = 2
    ERROR = 3


class Log:
    """One log file. Two processes may write to it; each line is one write."""

    def __init__(self, path: Path, *, component: str, limit_bytes: int, now: Callable[[], datetime]) -> None:
        self._path = path
        self._component = component
        self._limit_bytes = max(10 * TEXT_LIMIT, limit_bytes)
        self._now = now

    def write(self, text: str, weight: Weight = Weight.INFORMATION) -> None:
        """Adds a line. Errors: none; on a full disk it is lost."""
        line = line_of(text, at=self._now(), component=self._component, weight=weight, thread=threading.get_native_id())
        content = line.encode(errors="replace")
        try:
            self._rotate(len(content))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, content)
            finally:
                os.close(descriptor)
        except OSError:
            return

    def _rotate(self, coming_bytes: int) -> None:
        try:
            size = os.lstat(self._path).st_size
        except FileNotFoundError:
            return
        if size + coming_bytes > self._limit_bytes:
            os.replace(self._path, older_of(self._path))


def older_of(path: Path) -> Path:
    """Where the older file lies."""
    return path.with_suffix(OLDER)


def line_of(text: str, *, at: datetime, component: str, weight: Weight, thread: int) -> str:
    """One line in CMTrace form, with its end. Times are UTC, which the `+000` behind the time says."""
    at = at.astimezone(UTC)
    time, date = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}+000", f"{at:%m-%d-%Y}"
    name = _COMPONENT.sub("_", component)
    return (
        f'<![LOG[{harmless(text)}]LOG]!><time="{time}" date="{date}" component="{name}" context="" '
        f'type="{weight.value}" thread="{thread}" file="">\n'
    )


def harmless(text: str) -> str:
    """The text on one line, without what ends a line's text, and not too long."""
    text = _CONTROL.sub(" ", text).replace("]LOG]!>", "]LOG]!_").replace("<![LOG[", "<!_LOG[")
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"


def last_lines(path: Path, count: int) -> list[str]:
    """The newest lines of a log, the oldest of them first; none when there is no log. Errors: OSError."""
    lines: list[str] = []
    for one in (older_of(path), path):
        try:
            lines += one.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            continue
    return lines[-count:] if count > 0 else []
