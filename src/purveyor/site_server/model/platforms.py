"""The platforms that a program runs on: `linux`, `linux/debian`, `linux/debian/12`, with `@x86_64` where it matters. Pure."""

import re
from collections.abc import Iterable

from purveyor.wire.errors import RefusedError

LIMIT = 50
_PLATFORM = re.compile(r"(?:linux|windows|macos)(?:/[a-z0-9][a-z0-9._-]{0,63}){0,2}(?:@[a-z0-9][a-z0-9_]{0,31})?")


def platforms_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The platforms in lower case, each once, in the order given; none means all.

    Errors: RefusedError, with examples.
    """
    platforms = tuple(dict.fromkeys(text.strip().lower() for text in texts))
    if len(platforms) > LIMIT:
        raise RefusedError(f"{len(platforms)} platforms are too many: {LIMIT} are possible")
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            raise RefusedError(
                f"{platform[:80]!r} is no platform: write linux, linux/debian, linux/debian/12, windows or macos, "
                "with the architecture where it matters, such as linux/debian@x86_64"
            )
    return platforms
