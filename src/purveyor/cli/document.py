"""Writes `docs/cli.md` from the tree of commands: `python -m purveyor.cli.document > docs/cli.md`. The help is the one source."""

import argparse
import sys
from collections.abc import Iterator

from purveyor.cli.arguments.tree import command_tree

_HEAD = """# The command line

Made from the help of the commands themselves by `python -m purveyor.cli.document > docs/cli.md`; a test holds the two together.

- Administrative commands go through the site's REST API (`/api/v1`, described at `/api/v1/openapi.json`). Which site:
  `--site URL` or `PURVEYOR_SITE`, with a token from `--token-file FILE` or `PURVEYOR_TOKEN`; on the site's own machine
  `--site-dir DIR` or `PURVEYOR_SITE_DIR` finds both. Options are stronger than the environment, and may stand before the noun
  or after the verb.
- What makes something prints its id (or code, or token) alone on standard output; messages go to standard error. `--json` prints
  what the API gives.
- Exit codes: 0 done, 1 refused (nothing was changed), 2 wrong usage, 3 unreachable, 4 not allowed. 70 is a fault in Purveyor
  itself, 130 an interruption.
- What reaches far needs a confirmation: without `--yes` it is refused, and says how far it reaches.
- A collection or a client is named by its id or its name, a program by its number or its name.
"""


def document() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *(_section(parser) for parser in commands(command_tree()))])


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command below a parser that can be carried out, in the order of the help."""
    if parser.get_default("run"):
        yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands(below)


def _section(parser: argparse.ArgumentParser) -> str:
    return f"## {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(document())
