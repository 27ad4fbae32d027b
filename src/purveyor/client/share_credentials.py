"""As whom this machine uses shares: read from a file that a person wrote, kept in the agent's own folder, shown to nobody.

    username=purveyor-clients
    password=…
    domain=EXAMPLE          (where there is one)
    encryption=off          (only where a server has none; what is sent is then signed, but can be read on the way)

The form is that of the credentials files of `mount.cifs`, with one line more. A file that others can read is refused: whoever
could read it should change the password. Nothing of a file's content is ever repeated in an error.
Source: mount.cifs(8), option `credentials`.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from purveyor.transport.smb.address import Credentials
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

FILE = "share.credentials"
"""In the agent's folder."""
LIMIT_BYTES = 4096
_NAMES = {
    "username": "username",
    "user": "username",
    "password": "password",
    "pass": "password",
    "domain": "domain",
    "dom": "domain",
    "encryption": "encryption",
}


def read_credentials(text: str) -> Credentials:
    """The credentials in a file's text. Errors: RejectedError, which names a line by its number alone."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.lstrip().partition("=")
        known = _NAMES.get(name.strip().casefold())
        if not equals or known is None:
            raise RejectedError(f"line {number} is none of username=…, password=…, domain=…")
        if known in found:
            raise RejectedError(f"line {number} says {known} again")
        if not value.isprintable():
            raise RejectedError(f"line {number} has signs in it that cannot be typed")
        found[known] = value
    if not found.get("username") or not found.get("password"):
        raise RejectedError("a line username=… and a line password=… are needed")
    if found.get("encryption", "on") not in ("on", "off"):
        raise RejectedError("encryption is on or off")
    return Credentials(
        found["username"].strip(), found["password"], found.get("domain", "").strip(), found.get("encryption", "on") == "on"
    )


def credentials_text(credentials: Credentials) -> str:
    """The text of a file that says these credentials."""
    lines = [f"username={credentials.user}", f"password={credentials.password}"]
    lines += [f"domain={credentials.domain}"] if credentials.domain else []
    lines += [] if credentials.is_encrypted else ["encryption=off"]
    return "\n".join([*lines, ""])


def given_in(path: Path) -> Credentials:
    """The credentials in a person's file. Errors: RefusedError when others can read it, RejectedError, UnavailableError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            seen = os.fstat(descriptor)
            if not stat.S_ISREG(seen.st_mode):
                raise RefusedError(f"{path} is no plain file")
            if seen.st_mode & 0o077 or seen.st_uid not in (0, os.geteuid()):
                raise RefusedError(f"others can read {path}: change the password, then `chmod 600` the file that says it")
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise UnavailableError(f"the credentials in {path} cannot be read: {error.strerror}") from error
    return _read(content, str(path))


def keep(folder: Path, credentials: Credentials) -> None:
    """Puts credentials in the place of those that the agent has. Errors: UnavailableError."""
    aside = folder / f".{FILE}.{os.getpid()}"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(credentials_text(credentials).encode())
            file.flush()
            os.fsync(descriptor)
        aside.replace(folder / FILE)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise UnavailableError(f"the credentials cannot be kept in {folder}: {error.strerror}") from error


def kept(folder: Path) -> Credentials:
    """The credentials that the agent has. Errors: UnavailableError when it has none or they cannot be read."""
    place = folder / FILE
    try:
        content = place.read_bytes()
    except FileNotFoundError as error:
        raise UnavailableError(
            "no user and password for shares were given to this machine: `purveyor client credentials FILE` does that"
        ) from error
    except OSError as error:
        raise UnavailableError(f"the credentials in {place} cannot be read: {error.strerror}") from error
    try:
        return _read(content, str(place))
    except RejectedError as error:
        raise UnavailableError(str(error)) from error


def are_kept(folder: Path) -> bool:
    """Whether the agent has credentials."""
    return (folder / FILE).exists()


def forget(folder: Path) -> None:
    """Removes what the agent has. Errors: UnavailableError."""
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"the credentials in {folder} cannot be removed: {error.strerror}") from error


def _read(content: bytes, place: str) -> Credentials:
    if len(content) > LIMIT_BYTES:
        raise RejectedError(f"{place} is too long for a file of credentials")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise RejectedError(f"{place} is no text in UTF-8") from None
    try:
        return read_credentials(text)
    except RejectedError as error:
        raise RejectedError(f"{place}: {error}") from None
