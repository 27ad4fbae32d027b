"""What commands print: results on standard output, everything else on standard error, and progress as the place allows.

What comes from machines and people is shown without control characters: no name can move the cursor of a terminal.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TextIO

_BAR_WIDTH = 30
_PIPE_STEPS = 4
_TOLD_BYTES = 100 * 1000 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a command prints, and what it may read."""

    stdout: TextIO
    stderr: TextIO
    stdin: TextIO
    is_json: bool = False

    def with_json(self, *, is_json: bool) -> "Output":
        """The same place, with JSON or without."""
        return replace(self, is_json=is_json)

    def say(self, text: str) -> None:
        """A message for people."""
        print(plain(text), file=self.stderr, flush=True)

    def give(self, text: str) -> None:
        """A result: a line on standard output."""
        print(plain(text), file=self.stdout)

    def give_json(self, value: object) -> None:
        """What the API gave, for programs to read: in ASCII, whatever the terminal can show."""
        print(json.dumps(value, indent=2), file=self.stdout)  # at once: where nothing is buffered, each piece is a write

    def done(self, answer: object, text: str) -> None:
        """A change was made that has nothing to give: a message for people, the answer for programs."""
        if self.is_json:
            self.give_json(answer)
        else:
            self.say(text)

    def give_result(self, answer: object, result: str, text: str = "") -> None:
        """One result: for people a line, and a message; the answer for programs."""
        if self.is_json:
            self.give_json(answer)
            return
        self.give(result)
        if text:
            self.say(text)

    def give_list(self, answer: object, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """A list: a table for people, the answer for programs."""
        if self.is_json:
            self.give_json(answer)
        else:
            self.give_table(columns, rows, empty=empty)

    def give_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """Rows under headings, as wide as they need to be."""
        lines = [tuple(cell(value) for value in row) for row in rows]
        if not lines:
            self.say(empty)
            return
        widths = [max(len(line[place]) for line in (tuple(columns), *lines)) for place in range(len(columns))]
        for line in (tuple(name.upper() for name in columns), *lines):
            self.give("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())

    def give_fields(self, fields: Iterable[tuple[str, object]]) -> None:
        """Names and values below each other; those that say nothing are left out."""
        shown = [(name, cell(value)) for name, value in fields if value not in (None, "", [], {})]
        width = max((len(name) for name, _ in shown), default=0)
        for name, text in shown:
            self.give(f"{name.ljust(width)}  {text}".rstrip())

    def progress(self, what: str, total_bytes: int) -> "Progress":
        """Progress of long work, on standard error."""
        return Progress(self.stderr, what, total_bytes)


class Progress:
    """A bar on a terminal; in a pipe a line at every quarter. Several threads may share it."""

    def __init__(self, stream: TextIO, what: str, total_bytes: int) -> None:
        self._stream, self._what, self._total = stream, plain(what), max(total_bytes, 1)
        self._seen, self._shown = 0, -1
        self._is_terminal = stream.isatty()
        self._lock = Lock()

    def advance(self, count_bytes: int) -> None:
        """So many bytes more are there."""
        with self._lock:
            self._show(count_bytes)

    def _show(self, count_bytes: int) -> None:
        self._seen = min(self._seen + count_bytes, self._total)
        step = self._seen * (100 if self._is_terminal else _PIPE_STEPS) // self._total
        if step == self._shown:
            return
        self._shown = step
        if self._is_terminal:
            filled = self._seen * _BAR_WIDTH // self._total
            width = max(20, shutil.get_terminal_size().columns - 1)
            line = f"{self._what} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {step:3d} % of {size(self._total)}"
            print(f"\r{line[:width]}", end="\n" if self._seen == self._total else "", file=self._stream, flush=True)
        else:
            print(f"{self._what}: {self._seen * 100 // self._total} % of {size(self._total)}", file=self._stream, flush=True)


class Tally:
    """Progress of work of which nobody knows how much it is: a line for each hundred megabytes that were read."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._read_bytes = self._told_bytes = 0

    def add(self, count_bytes: int) -> None:
        """So many bytes more were read."""
        self._read_bytes += count_bytes
        if self._read_bytes - self._told_bytes >= _TOLD_BYTES:
            self._told_bytes = self._read_bytes
            self._output.say(f"{size(self._read_bytes)} read so far")


def plain(text: str) -> str:
    """The text with control characters made visible; line ends and tabs stay."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else f"\\x{ord(character):02x}" for character in text
    )


def cell(value: object) -> str:
    """A value as one line of text."""
    match value:
        case None:
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case str():
            return plain(" ".join(value.split("\n"))) or "-"
        case list() | tuple():
            return ", ".join(cell(part) for part in value) or "-"
        case dict():
            return ", ".join(f"{name}: {cell(part)}" for name, part in value.items()) or "-"
        case _:
            return str(value)


def size(count_bytes: int) -> str:
    """A number of bytes as people say it, such as 12.5 MB."""
    if count_bytes < 1000:
        return f"{count_bytes} bytes"
    amount, units = float(count_bytes), iter(("kB", "MB", "GB", "TB", "PB"))
    unit = "bytes"
    while amount >= 1000:
        amount, unit = amount / 1000, next(units)
    return f"{amount:.1f} {unit}"


def counted(count: int, thing: str) -> str:
    """A number of things, such as `1 client` or `2 clients`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def moment(text: str | None) -> str:
    """A time of the API as people read it: to the second, by the clock of their own machine, and how far that is from UTC."""
    if not text:
        return "-"
    shown = datetime.fromisoformat(text).astimezone().replace(microsecond=0).isoformat(" ")
    return shown.removesuffix("+00:00") + ("Z" if shown.endswith("+00:00") else "")


def duration(seconds: int | float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and not seconds % length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
