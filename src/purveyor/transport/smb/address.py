r"""Where a share is and as whom it is used. Pure, and light: who only has to know whether an address is one loads no library.

`smb://HOST[:PORT]/SHARE[/FOLDER…]`, or `\\HOST\SHARE\FOLDER` as Windows writes it. Neither ever carries a name or password.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from purveyor.wire.errors import RejectedError

PORT = 445
SCHEME = "smb"
_UNC = "\\\\"
_SHARE_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,80}")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +@=-]{0,99}")


class SmbAddress(NamedTuple):
    """Where a share is, and the folder in it that is meant; the folder is empty for the share itself."""

    host: str
    port: int
    share: str
    folder: str

    @property
    def server_url(self) -> str:
        """The address of the server alone."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"smb://{host}" + ("" if self.port == PORT else f":{self.port}")

    @property
    def url(self) -> str:
        """The address as it is written."""
        return f"{self.server_url}/{self.share}" + (f"/{self.folder}" if self.folder else "")


class Credentials(NamedTuple):
    """As whom shares are used, and whether encrypted. Never shown: its text says the user alone."""

    user: str
    password: str
    domain: str = ""
    is_encrypted: bool = True

    def __repr__(self) -> str:
        return f"Credentials({self.account!r})"

    @property
    def account(self) -> str:
        """The user with the domain, as servers are told it."""
        return f"{self.domain}\\{self.user}" if self.domain else self.user


def is_share(url: str) -> bool:
    """Whether this is the address of a share, well formed or not."""
    return url.startswith(_UNC) or url[: len(SCHEME) + 1].casefold() == f"{SCHEME}:"


def address_of(url: str) -> SmbAddress:
    """The share that an address means. Errors: RejectedError, also when it carries a password, which is not repeated."""
    if url.startswith(_UNC):
        url = f"{SCHEME}:" + url.replace("\\", "/")
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError as error:
        raise RejectedError("the address of a share cannot be read: its host or port is none") from error
    if "@" in parts.netloc:
        raise RejectedError("the address of a share must not carry a name or password: they are given in a file of their own")
    names = [unquote(name) for name in parts.path.split("/") if name]
    if parts.scheme != SCHEME or not parts.hostname or not names or parts.query or parts.fragment:
        raise RejectedError(f"{url[:200]!r} is no address of a share: smb://HOST[:PORT]/SHARE[/FOLDER] is expected")
    share, *folders = names
    if not _SHARE_NAME.fullmatch(share) or not all(_FOLDER_NAME.fullmatch(name) for name in folders):
        raise RejectedError(f"{url[:200]!r} names a share or folder that cannot be one")
    return SmbAddress(parts.hostname, port, share, "/".join(folders))
