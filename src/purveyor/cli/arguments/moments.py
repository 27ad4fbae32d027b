"""Times and ports as the people in front of a machine write them: times are those of that machine's own clock. Pure.

Errors: argparse.ArgumentTypeError with an example, which becomes exit code 2.
"""

import argparse
from contextlib import suppress
from datetime import UTC, datetime

from purveyor.cli.arguments.values import duration_seconds, instant_of
from purveyor.wire.errors import RejectedError
from purveyor.wire.schedule import Zone, parse_time


def local_moment(text: str) -> str:
    """An instant as the people at a machine write it, on its clock. Given on as written, once it is seen to be one."""
    if text == "now" or is_duration(text):
        return text
    try:
        parse_time(text)
    except RejectedError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-12-01T09:00, now, or 2h for two hours from now"
        ) from error
    return text


def local_instant_of(text: str, *, now: datetime) -> datetime:
    """The aware instant that `local_moment` let pass, on this machine's clock where it does not say on whose."""
    if text == "now" or is_duration(text):
        return instant_of(text, now=now)
    wall, zone = parse_time(text)
    return wall.replace(tzinfo=UTC) if zone is Zone.UTC else wall.astimezone()


def port(text: str) -> int:
    """A port number; 0 stands for any that is free."""
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write a number up to 65535")
    return int(text)


def is_duration(text: str) -> bool:
    """Whether a text is a duration."""
    with suppress(argparse.ArgumentTypeError):
        return duration_seconds(text) > 0
    return False
