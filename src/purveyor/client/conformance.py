"""The command by which the public TUF conformance suite drives the judgement of this client over any repository.

It decides nothing: arguments go to `foreign`, errors come out as one line and exit code 1.
Source: theupdateframework/tuf-conformance, CLIENT-CLI.md.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from purveyor.client.foreign import Foreign, MetadataFolder, fetch_target
from purveyor.client.judgement import Judged
from purveyor.transport.http.point import HttpPoint
from purveyor.wire.errors import PurveyorError, RejectedError, UnavailableError


def main(arguments: Sequence[str] | None = None) -> int:
    """One command; gives the exit code: 0 when all of it succeeded, 1 when any part failed, 2 when it is not understood."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    needed = {
        "init": (),
        "refresh": ("metadata_url",),
        "download": ("metadata_url", "target_name", "target_base_url", "target_dir"),
    }
    for option in needed[asked.command]:
        if not getattr(asked, option):
            parser.error(f"{asked.command} needs --{option.replace('_', '-')}")
    try:
        _run(asked)
    except PurveyorError as error:
        sys.stderr.write(f"{asked.command}: {error}\n")
        return 1
    return 0


def _run(asked: argparse.Namespace) -> None:
    folder = MetadataFolder(asked.metadata_dir)
    if asked.command == "init":
        folder.write("root", _trusted_root(asked.root))
        return
    repository = Foreign(folder, _point(asked.metadata_url), datetime.now(UTC))
    repository.refresh()
    if asked.command == "download":
        targets = _point(asked.target_base_url)
        for path in asked.target_name:
            fetch_target(repository.find(path), targets, asked.target_dir, is_consistent=repository.is_consistent)


def _trusted_root(place: Path) -> bytes:
    """A root to begin with, which must at least have signed itself. Errors: RejectedError, UnavailableError."""
    try:
        content = place.read_bytes()
    except OSError as error:
        raise UnavailableError(f"{place} cannot be read: {error}") from error
    Judged(content)
    return content


def _point(url: str) -> HttpPoint:
    """A repository's folder. What is asked of it is quoted already, and may be any name that its metadata leads to."""
    if not url.startswith(("http://", "https://")):
        raise RejectedError(f"{url} is no address of a repository")
    return HttpPoint(url, address_of=str)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tuf-conformance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--metadata-dir", type=Path, required=True, help="where verified metadata is kept")
    parser.add_argument("--metadata-url", help="the repository's metadata")
    parser.add_argument("--target-name", action="append", help="a target's path; may be given several times")
    parser.add_argument("--target-base-url", help="the repository's targets")
    parser.add_argument("--target-dir", type=Path, help="where fetched targets are kept")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="begin with a root").add_argument("root", type=Path)
    commands.add_parser("refresh", help="bring the metadata up to date")
    commands.add_parser("download", help="bring the metadata up to date, then fetch the targets")
    return parser


if __name__ == "__main__":
    sys.exit(main())
