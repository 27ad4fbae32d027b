"""The whole tree of commands."""

import argparse
from collections.abc import Sequence

from purveyor import __version__
from purveyor.cli.arguments import (
    advertisements,
    branches,
    client,
    collections,
    jobs,
    join_codes,
    lab,
    oversight,
    packages,
    points,
    preview,
    programs,
    resources,
    roles,
    shape,
    site,
    tokens,
    why,
    windows,
)

_MODULES = {
    "site": site,
    "join-code": join_codes,
    "token": tokens,
    "package": packages,
    "program": programs,
    "collection": collections,
    "advertise": advertisements,
    "advertisement": advertisements,
    "preview": preview,
    "why": why,
    "job": jobs,
    "window": windows,
    "point": points,
    "resource": resources,
    "status": oversight,
    "settings": oversight,
    "audit": oversight,
    "client": client,
    "cap": roles,
    "demo": roles,
    "lab": lab,
    "courier": branches,
}
"""The first word of every command, and the module that declares what begins with it, in the order of the help."""


def command_tree(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of every command; for `words` that begin with a noun that of its module alone, which is quicker."""
    parser = shape.root_parser(__version__)
    root = shape.Noun(parser)
    named = _MODULES.get(words[0]) if words else None
    for module in dict.fromkeys([named] if named else _MODULES.values()):
        module.register(root)
    return parser
