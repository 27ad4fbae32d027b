"""What a program finds around it: its environment variables, and how they are written into its command.

Pure. The variables are documented in `docs/package-journey.md`; nothing of the agent's own environment reaches a program.
"""

import re
from collections.abc import Mapping

import msgspec

from purveyor.client.machine.interface import LANGUAGE, SEARCH_PATH, Account
from purveyor.wire.package_info import Command, CommandRule, DetectionRule, FileRule, OsPackageRule

CONTENT = "PURVEYOR_CONTENT"
"""The folder with the package's content, which is also where the program starts. It is gone after the run."""
RESULT_FILE = "PURVEYOR_RESULT_FILE"
"""Where the program may write `{"status": "success" | "failure", "description": "…"}`, which beats its exit code."""
PACKAGE = "PURVEYOR_PACKAGE"
"""The package id."""
PROGRAM = "PURVEYOR_PROGRAM"
"""The program's name."""
ADVERTISEMENT = "PURVEYOR_ADVERTISEMENT"
"""The advertisement that made it run; empty for an uninstall."""
SITE = "PURVEYOR_SITE"
"""The site code."""
SOURCE_VERSION = "PURVEYOR_SOURCE_VERSION"
"""The package's source version."""
RUN = "PURVEYOR_RUN"
"""What this one run is known by."""
USER = "PURVEYOR_USER"
"""The user for whom it runs; not there where it is for the machine."""
STATE = "PURVEYOR_STATE"
"""The agent's folder: tells apart several agents of one machine, each with a system root of its own."""

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<open>\{))"
)


class UndefinedVariableError(ValueError):
    """A command names a variable that is not there."""


def environment(
    *,
    content: str,
    result_file: str,
    scratch: str,
    package: str,
    program: str,
    advertisement: str,
    site: str,
    source_version: int,
    run: str,
    state: str,
    user: str = "",
    account: Account | None = None,
) -> dict[str, str]:
    """All variables that a program gets.

    Shape:  `scratch` is a folder of its own, its place for temporary files, and its home unless it has the rights of an account.
    """
    own = {} if account is None else {"HOME": account.home, "USER": account.name, "LOGNAME": account.name}
    return {
        "PATH": SEARCH_PATH,
        "HOME": scratch,
        "LANG": LANGUAGE,
        "TMPDIR": scratch,
        CONTENT: content,
        RESULT_FILE: result_file,
        PACKAGE: package,
        PROGRAM: program,
        ADVERTISEMENT: advertisement,
        SITE: site,
        SOURCE_VERSION: str(source_version),
        RUN: run,
        STATE: state,
        **({USER: user} if user else {}),
        **own,
    }


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with `$NAME` and `${NAME}` replaced, and `$$` as a dollar sign.

    Errors: UndefinedVariableError, naming the variable. Source: Q235136.
    """

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        if found["open"]:
            raise UndefinedVariableError(f"{text!r} has a ${{ that names no variable; a dollar sign itself is written $$")
        name = found["plain"] or found["braced"]
        if name not in variables:
            raise UndefinedVariableError(f"the variable {name} in {text!r} is not defined; a dollar sign itself is written $$")
        return variables[name]

    return _REFERENCE.sub(value, text)


def expanded_command(command: Command, variables: Mapping[str, str]) -> Command:
    """The command with its words expanded; a line for the shell is left to the shell.

    Errors: UndefinedVariableError.
    """
    if command.shell_line:
        return command
    return Command(argv=tuple(expanded(word, variables) for word in command.argv))


def expanded_rule(rule: DetectionRule, *, state: str) -> DetectionRule:
    """A detection rule with the agent's folder in place of `$PURVEYOR_STATE`; a rule knows no other variable.

    Errors: UndefinedVariableError.
    """
    variables = {STATE: state}
    match rule:
        case FileRule(path=path):
            return msgspec.structs.replace(rule, path=expanded(path, variables))
        case CommandRule(command=command):
            return msgspec.structs.replace(rule, command=expanded_command(command, variables))
        case OsPackageRule(root=root):
            return msgspec.structs.replace(rule, root=expanded(root, variables))
