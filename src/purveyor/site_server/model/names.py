"""What may be the name of something, or a line of text about it. Pure."""

import unicodedata

from purveyor.wire.errors import RefusedError


def name_of(text: str, what: str, limit: int) -> str:
    """The name without the blanks around it.

    Errors: RefusedError: nothing is left, it is longer than `limit` characters, or has characters that cannot be shown.
    """
    name = line_of(text, what, limit)
    if not name:
        raise RefusedError(f"{what} must have a name")
    return name


def line_of(text: str, what: str, limit: int) -> str:
    """One line of text, which may be empty, without the blanks around it. Errors: RefusedError."""
    line = unicodedata.normalize("NFC", text.strip())
    if len(line) > limit:
        raise RefusedError(f"{what}: {len(line)} characters are too many, {limit} are possible")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line):
        raise RefusedError(f"{what}: {line[:80]!r} has control characters in it")
    return line
