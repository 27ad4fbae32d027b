"""The command line's border: reads what was typed, imports the noun that was called, turns errors into exit codes.

Only this module looks at the environment. Nothing of the site is imported before a command asks for it.
"""

import argparse
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from purveyor.cli.arguments.tree import command_tree
from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output
from purveyor.wire.errors import ConfirmationNeededError, NotAllowedError, PurveyorError, UnavailableError

DONE, REFUSED, USAGE, UNREACHABLE, NOT_ALLOWED = 0, 1, 2, 3, 4
FAULT, INTERRUPTED = 70, 130
_ROOM, _RIGHTS = "make room there, and say it again", "run this as its owner, or as root"
_REMEDIES = {errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EACCES: _RIGHTS, errno.EPERM: _RIGHTS}


def main() -> int:
    """Carries out the command that was typed, and gives its exit code."""
    with open(os.devnull, "r+", encoding="utf-8") as nowhere:  # for a stream that whoever called us has closed
        output = Output(stdout=sys.stdout or nowhere, stderr=sys.stderr or nowhere, stdin=sys.stdin or nowhere)
        for stream in (output.stdout, output.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # no name makes a command fail that this terminal cannot show
        return carry_out(sys.argv[1:], environment=os.environ, output=output)


def carry_out(words: Sequence[str], *, environment: Mapping[str, str], output: Output) -> int:
    """Carries out one command, and gives its exit code."""
    parser = command_tree(words)
    try:
        arguments, unknown = parser.parse_known_args(words)
        if unknown:
            getattr(arguments, "parser_of_verb", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as ended:  # argparse ends so, after help and after wrong usage
        return int(ended.code or 0)
    target = getattr(arguments, "run", "")
    if not target:
        getattr(arguments, "parser_of_noun", parser).print_help(output.stderr)
        return USAGE
    call = Call(arguments=arguments, environment=environment, output=output.with_json(is_json=arguments.is_json))
    try:
        code = command_named(target)(call)
        output.stdout.flush()
        return code
    except PurveyorError as error:
        output.say(f"purveyor: {error}{' (--yes confirms it)' if isinstance(error, ConfirmationNeededError) else ''}")
        return exit_code_of(error)
    except argparse.ArgumentTypeError as error:
        output.say(f"purveyor: {error}")
        return USAGE
    except BrokenPipeError:
        # Whoever read our output has enough; what Python still holds for it must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        output.say(f"purveyor: {in_words(error)}")
        return UNREACHABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - `main` is one of the three borders
        output.say(traceback.format_exc())
        output.say("purveyor: this is a fault in Purveyor itself, shown above")
        return FAULT


def command_named(target: str) -> Callable[[Call], int]:
    """The function that `module:function` names; importing it here keeps `--help` quick.

    Errors: UnavailableError: it needs a Python package that is not installed.
    """
    module, _, name = target.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "purveyor":
            raise
        raise UnavailableError(
            f"this command needs the Python package {error.name!r}, which is not installed: pip install 'purveyor[site]'"
        ) from error
    return cast(Callable[[Call], int], getattr(found, name))


def in_words(error: OSError) -> str:
    """What the system refused, of which file, and what to do about it where that is known."""
    said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{said}; {remedy}" if remedy else said


def exit_code_of(error: PurveyorError) -> int:
    """The exit code for an expected error."""
    match error:
        case UsageError():
            return USAGE
        case UnavailableError():
            return UNREACHABLE
        case NotAllowedError():
            return NOT_ALLOWED
        case _:
            return REFUSED


if __name__ == "__main__":
    sys.exit(main())
