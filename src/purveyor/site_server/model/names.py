"""What may be the name of something, or a line of text about it. Pure."""

import unicodedata

from purveyor.wire.errors import RefusedError

_UNSEEN = ("Cc", "Cs", "Zl", "Zp")
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Controls, and signs that turn the direction of what stands around them: with those one name reads like another."""


def name_of(text: str, what: str, limit: int) -> str:
    """The name without the blanks around it.

    Errors: RefusedError: nothing that can be seen is left, it is longer than `limit` characters, or has signs that are no text.
    """
    name = line_of(text, what, limit)
    if all(unicodedata.category(character) in ("Cf", "Zs") for character in name):
        raise RefusedError(f"{what} must have a name")
    return name


def line_of(text: str, what: str, limit: int) -> str:
    """One line of text, which may be empty, without the blanks around it. Errors: RefusedError."""
    line = unicodedata.normalize("NFC", text.strip())
    if len(line) > limit:
        raise RefusedError(f"{what}: {len(line)} characters are too many, {limit} are possible")
    if any(unicodedata.category(sign) in _UNSEEN or unicodedata.bidirectional(sign) in _TURNING for sign in line):
        raise RefusedError(f"{what}: {line[:80]!r} has control characters in it")
    return line
