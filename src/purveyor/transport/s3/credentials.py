"""The access key with which a site writes into a bucket, read from a file of its own. Never part of an address, never shown.

The file is what AWS's own tools keep (`[default]`, `aws_access_key_id = …`) or lines of `NAME=VALUE` as for an environment.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from purveyor.wire.errors import RejectedError, UnavailableError

SIZE_LIMIT_BYTES = 64 * 1024
DEFAULT_PROFILE = "default"

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]+)\s*=\s*(.*)")
_VALUE = re.compile(r"[\x21-\x7e]{1,4096}")
_NAMES = {"access_key_id": "access_key_id", "secret_access_key": "secret_access_key", "session_token": "session_token"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key. Its text says the key's id alone."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def read_credentials(path: Path, *, profile: str = DEFAULT_PROFILE) -> Credentials:
    """The credentials in a file, asked for at each connection, so that a changed key is taken up.

    Errors: UnavailableError when it cannot be read; RejectedError when it holds none, or others than its owner may read it.
    """
    try:
        with path.open("rb") as stream:
            if os.name == "posix" and os.fstat(stream.fileno()).st_mode & 0o077:
                raise RejectedError(f"{path} holds a secret and can be read by others than its owner: chmod 600 {path}")
            content = stream.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise UnavailableError(f"the credentials in {path} cannot be read: {error.strerror}") from error
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"{path} is too large to be a file of credentials")
    return credentials_in(content.decode("utf-8", "replace"), profile=profile)


def credentials_in(text: str, *, profile: str = DEFAULT_PROFILE) -> Credentials:
    """The credentials in the text of such a file. Lines before the first section count for every profile.

    Errors: RejectedError, which repeats nothing of the text.
    """
    found: dict[str, str] = {}
    is_meant = True
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            is_meant = stripped[1:-1].strip().removeprefix("profile ").strip() == profile
            continue
        match = _LINE.fullmatch(stripped)
        if not is_meant or match is None:
            continue
        name = _NAMES.get(match[1].lower().removeprefix("aws_"))
        if name is not None:
            found[name] = _unquoted(match[2].strip())
    missing = [name for name in ("access_key_id", "secret_access_key") if name not in found]
    if missing:
        raise RejectedError(f"the file of credentials has no aws_{missing[0]} for the profile {profile[:80]!r}")
    for name, value in found.items():
        if not _VALUE.fullmatch(value):
            raise RejectedError(f"the aws_{name} in the file of credentials cannot be one")
    return Credentials(**found)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value
