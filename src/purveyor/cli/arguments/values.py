"""Values as people write them on the command line, and what they mean. Pure; each fits `type=` of an argument.

Errors: argparse.ArgumentTypeError with an example, which becomes exit code 2.
"""

import argparse
import re
from datetime import UTC, datetime, timedelta

from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import RejectedError
from purveyor.wire.schedule import Zone, parse_time

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_SIZE = re.compile(r"([0-9]{1,12})([KMGT]?)I?B?")
LONGEST_SECONDS = 100 * 365 * 86_400
EXIT_CODE_LIMIT = 2**31


def duration_seconds(text: str) -> int:
    """Seconds in a duration such as 90s, 15m, 1h, 7d or 2w."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m, 1h, 7d or 2w")
    return seconds


def duration_or_none(text: str) -> int:
    """Seconds in a duration; 0 is none."""
    return 0 if text.strip() == "0" else duration_seconds(text)


def size_bytes(text: str) -> int:
    """Bytes in a size such as 4096, 500M or 2G, in powers of 1024; 0 too."""
    match = _SIZE.fullmatch(text.strip().upper())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 500M, 2G, or a number of bytes")
    return int(match[1]) << 10 * " KMGT".index(match[2] or " ")


def budget(text: str) -> str:
    """A budget of bandwidth, such as 512K or `mon-fri 08:00-18:00 512K`; given on as written. An empty one is unlimited."""
    try:
        parse_budget(text)
    except RejectedError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def count(text: str) -> int:
    """A number of at least one."""
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not 0 < int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def weight(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else count(text)


def exit_codes(text: str) -> list[int]:
    """Exit codes, separated by commas; an empty text is none."""
    try:
        codes = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} are no exit codes: write 0,1641,3010") from error
    if any(not -EXIT_CODE_LIMIT <= code < 2 * EXIT_CODE_LIMIT for code in codes):
        raise argparse.ArgumentTypeError(f"{text!r} has an exit code that no program can give")
    return codes


def moment(text: str) -> str:
    """An instant: `now`, a duration from now, or a time with `Z` or an offset. Given on as written, once it is seen to be one."""
    if text != "now" and not _DURATION.fullmatch(text):
        instant_of(text, now=datetime.now(UTC))
    return text


def instant_of(text: str, *, now: datetime) -> datetime:
    """The aware UTC instant that `moment` let pass."""
    if text == "now":
        return now
    if _DURATION.fullmatch(text):
        return now + timedelta(seconds=duration_seconds(text))
    try:
        wall, zone = parse_time(text)
    except RejectedError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-12-01T09:00Z, now, or 2h for two hours from now"
        ) from error
    if zone is not Zone.UTC:
        raise argparse.ArgumentTypeError(f"{text!r} does not say on whose clock: add Z for UTC, or an offset such as +01:00")
    return wall.replace(tzinfo=UTC)


def starting_time(text: str) -> str:
    """A time that `parse_time` reads, on whichever clock; given on as written."""
    try:
        parse_time(text)
    except RejectedError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def assignment(text: str) -> str:
    """`asap`, an event, a time that `parse_time` reads, or a rule after its start or alone; given on as written."""
    word = text.strip().lower()
    if word in ("asap", "logon", "logoff", "startup"):
        return word
    before, equals, _ = text.partition("=")
    start = before.strip().rpartition(" ")[0] if equals else text
    if start or not equals:
        try:
            parse_time(start)
        except RejectedError as error:
            raise argparse.ArgumentTypeError(f"{error}; or write asap, logon, logoff, startup or FREQ=WEEKLY;BYDAY=TU") from error
    return text


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, [V6]:PORT, :PORT or PORT."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else ""
    if not port.isascii() or not port.isdigit() or len(port) > 6 or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address to listen on: write 127.0.0.1:8470")
    return host or "127.0.0.1", int(port)
