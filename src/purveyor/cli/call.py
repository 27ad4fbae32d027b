"""One call of a command: what was asked, where it writes, and which site it speaks to."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from purveyor.cli.output import Output
from purveyor.wire.errors import NotAllowedError, PurveyorError, UnavailableError

SITE_URL_FILE = "site.url"
SITE_CERTIFICATE_FILE = "site.pem"
"""The certificate that a running site shows over HTTPS."""
TOKEN_FILE = "admin.token"  # noqa: S105 - the name of a file, no secret
_LIMIT_CHARACTERS = 4096


class UsageError(PurveyorError):
    """What was typed cannot be meant; exit code 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a command is given."""

    arguments: argparse.Namespace
    environment: Mapping[str, str]
    output: Output


class Access(NamedTuple):
    """A site's address, and the token with which to speak to it. The token is never printed."""

    url: str
    token: str
    certificate: str = ""
    """Over HTTPS: a file with the CAs to ask, or the site's own certificate; empty: the system's CAs."""
    is_exact: bool = False
    """That certificate alone is taken, whatever it is made for: it lies in the folder of the site that is spoken to."""

    def __repr__(self) -> str:
        return f"Access({self.url!r})"


def access_of(call: Call) -> Access:
    """Which site is meant, and with which token: options first, then the environment.

    The token of a site's folder goes to that site alone, unless an option names both.
    Errors: UsageError when no site is named, UnavailableError when the folder's site does not run, NotAllowedError
    without a token.
    """
    options, environment = call.arguments, call.environment
    named_folder = options.site_dir
    folder = named_folder or ("" if options.site else environment.get("PURVEYOR_SITE_DIR", ""))
    url = options.site or (
        _url_in(folder) if named_folder else environment.get("PURVEYOR_SITE") or (_url_in(folder) if folder else "")
    )
    if not url:
        raise UsageError(
            "which site? Name it with --site URL, or --site-dir DIR on its own machine, or PURVEYOR_SITE or PURVEYOR_SITE_DIR"
        )
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} is no address of a site: one such as http://site.example:8470 is expected")
    url, token = url.rstrip("/"), _checked(_token(options, environment, folder))
    named = options.ca or environment.get("PURVEYOR_CA", "")
    is_of_folder = bool(folder) and not options.site and bool(named_folder or not environment.get("PURVEYOR_SITE"))
    is_exact = is_of_folder and not named and url.startswith("https://")
    return Access(url, token, str(Path(folder) / SITE_CERTIFICATE_FILE) if is_exact else named, is_exact=is_exact)


def site_folder_of(call: Call) -> Path:
    """The folder of the site that is meant, for what is done on its own machine. Errors: UsageError when none is named."""
    folder = call.arguments.site_dir or call.environment.get("PURVEYOR_SITE_DIR", "")
    if not folder:
        raise UsageError("which site? This is done on its own machine: name its folder with --site-dir DIR, or PURVEYOR_SITE_DIR")
    return Path(folder)


def _checked(token: str) -> str:
    """The token, once it is seen to be one that a header can carry; a damaged one is never shown."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NotAllowedError("the access token is damaged: it has signs in it that no token has")
    return token


def _token(options: argparse.Namespace, environment: Mapping[str, str], folder: str) -> str:
    if options.token_file:
        return first_line(Path(options.token_file), "token file")
    if options.site_dir:
        return first_line(Path(folder) / TOKEN_FILE, "access token")
    if environment.get("PURVEYOR_TOKEN"):
        return environment["PURVEYOR_TOKEN"].strip()
    if folder:
        return first_line(Path(folder) / TOKEN_FILE, "access token")
    raise NotAllowedError("no access token: name one with --token-file FILE, or put it into PURVEYOR_TOKEN")


def _url_in(folder: str) -> str:
    path = Path(folder) / SITE_URL_FILE
    if not path.parent.is_dir():
        raise UnavailableError(f"there is no folder {folder}: a site's own folder is to be named, on its own machine")
    try:
        return path.read_text(encoding="utf-8")[:_LIMIT_CHARACTERS].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            f"the site in {folder} does not run: {path.name} cannot be read; start it with: purveyor site run {folder}"
        ) from error


def first_line(path: Path, what: str) -> str:
    """The secret in the first line of a file, as any editor writes it. Errors: NotAllowedError: none that can be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_CHARACTERS)
    except OSError as error:
        raise NotAllowedError(f"the {what} {path} cannot be read: {error.strerror}") from error
    try:
        line = content.partition(b"\n")[0].decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise NotAllowedError(f"the {what} {path} is no text in UTF-8: write it as such (PowerShell: -Encoding utf8)") from error
    if not line:
        raise NotAllowedError(f"the first line of the {what} {path} is empty")
    return line
