"""A command line as an administrator types it, split into words by the rules of POSIX. Pure.

Nothing is run through a shell unless the administrator says so: a line with a pipe or the like in it is refused, with the advice
to mark it as a shell line. `$NAME` and `${NAME}` stay in the words, and the client puts the values in; a dollar sign that stands
for itself, in single quotes or behind a backslash, becomes `$$`, which is how the client is told so.
Source: POSIX.1-2017, Shell Command Language, 2.2.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from purveyor.wire.errors import RefusedError
from purveyor.wire.package_info import Command

LENGTH_LIMIT = 8000
WORD_LIMIT = 500

_OPERATORS = frozenset("|&;<>()`\n")
_ESCAPED_IN_QUOTES = frozenset('$`"\\')
_BROKEN_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{(?![A-Za-z_][A-Za-z0-9_]*\})")
_SENSITIVE = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|credentials?)"
_PASSWORD_GIVEN = re.compile(rf"{_SENSITIVE}['\"]?\s*[=:]\s*['\"]?(?![$%'\"\s])\S", re.IGNORECASE)
_PASSWORD_OPTION = re.compile(rf"(?:--?|/)[\w-]*{_SENSITIVE}", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]+:[^/\s@$]+@")
_PATH_WITH_BACKSLASHES = re.compile(r"(?:^|\s)(?:[A-Za-z]:|\\)?\\\w")
_PATTERN = re.compile(r"[*?]|\[[^\]]+\]|^~")


def command_of(given: str | Sequence[str], *, is_shell: bool = False) -> Command:
    """The command in a line of text, or in words that were split already.

    Errors: RefusedError: nothing to start, a quote that is not closed, or something that only a shell can do.
    """
    if not isinstance(given, str):
        if is_shell:
            raise RefusedError("a shell line is one text, not words")
        return Command(argv=_checked(tuple(given)))
    if len(given) > LENGTH_LIMIT or "\0" in given:
        raise RefusedError(f"a command line may have {LENGTH_LIMIT} characters, and no character 0")
    if is_shell:
        if not given.strip():
            raise RefusedError("the command is empty")
        return Command(shell_line=given.strip())
    return Command(argv=_checked(tuple(split(given))))


def split(line: str) -> list[str]:
    """The words of a line. Errors: RefusedError."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    rest = iter(enumerate(line := line.strip()))
    for position, character in rest:
        following = line[position + 1 : position + 2]
        if quote == "'":
            quote, word = ("", word) if character == "'" else (quote, (word or "") + _literal(character))
        elif character == "\\" and (not quote or following in _ESCAPED_IN_QUOTES or following == "\n"):
            if not following:
                raise RefusedError("the command ends with a backslash that stands before nothing")
            word = (word or "") + ("" if following == "\n" else _literal(following))
            next(rest)
        elif character == "`" or (character == "$" and following == "(") or (not quote and character in _OPERATORS):
            raise _operator_refused("$(" if character == "$" else character)
        elif quote:
            quote, word = ("", word) if character == quote else (quote, (word or "") + character)
        elif character in "'\"":
            quote, word = character, word or ""
        elif character in " \t\r":
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + character
    if quote:
        raise RefusedError(f"a quote {quote} is opened in the command and not closed")
    return words if word is None else [*words, word]


def warnings_about(given: str | Sequence[str], *, is_shell: bool = False) -> tuple[str, ...]:
    """What an administrator should look at once more in a command that is otherwise good."""
    words = given.split() if isinstance(given, str) else list(given)
    warnings = []
    if looks_like_password(words):
        warnings.append(
            "this command line looks as if it carried a password: every client and access point can read it; "
            "take the secret from the machine instead"
        )
    if isinstance(given, str) and not is_shell:
        if _PATH_WITH_BACKSLASHES.search(_without_quoted(given)):
            warnings.append(
                "a backslash outside quotes is taken away with what it escapes: put a path such as 'C:\\Temp' in single quotes"
            )
        if any(_PATTERN.search(word) for word in _without_quoted(given).split()):
            warnings.append("no shell runs this command: * ? [ ] and ~ are passed on as they are")
    return tuple(warnings)


def looks_like_password(words: Sequence[str]) -> bool:
    """Whether words of a command line look as if one of them was a password (one that is taken from a variable does not)."""
    line = " ".join(words)
    if _PASSWORD_GIVEN.search(line) or _PASSWORD_IN_URL.search(line):
        return True
    return any(
        _PASSWORD_OPTION.fullmatch(word) and following[:1] not in ("-", "/", "$", "%") for word, following in pairwise(words)
    )


def _checked(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0].strip():
        raise RefusedError("the command is empty")
    if len(words) > WORD_LIMIT or sum(len(word) for word in words) > LENGTH_LIMIT or any("\0" in word for word in words):
        raise RefusedError(f"a command may have {WORD_LIMIT} words and {LENGTH_LIMIT} characters, and no character 0")
    for word in words:
        if _BROKEN_VARIABLE.search(word):
            raise RefusedError(f"{word[:80]!r} has a ${{ that names no variable: write ${{NAME}}, and $$ for the sign itself")
    return words


def _operator_refused(operator: str) -> RefusedError:
    shown = "a line break" if operator == "\n" else operator
    return RefusedError(
        f"{shown} is something that only a shell understands, and no shell runs this command: "
        "put it in quotes if it stands for itself, or mark the command as a shell line"
    )


def _literal(character: str) -> str:
    return "$$" if character == "$" else character


def _without_quoted(line: str) -> str:
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"", "''", line)
