"""The whole tree of commands."""

import argparse

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


def command_tree() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = shape.root_parser(__version__)
    root = shape.Noun(parser)
    for noun in (
        site,
        join_codes,
        tokens,
        packages,
        programs,
        collections,
        advertisements,
        preview,
        why,
        jobs,
        windows,
        points,
        resources,
        oversight,
        client,
        roles,
        lab,
        branches,
    ):
        noun.register(root)
    return parser
