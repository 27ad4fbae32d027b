"""The one place that chooses a transport by its URL. Opens no connection and looks at no disk: the first read does."""

import re
from urllib.parse import urlsplit
from urllib.request import url2pathname

from purveyor.transport.folder_point import FolderPoint
from purveyor.transport.http import HttpPoint
from purveyor.transport.interface import Point
from purveyor.wire.errors import RejectedError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: C: is a drive
_KNOWN = "http://…, https://…, file://… and plain paths are"


def point_for(url: str) -> Point:
    """The CAP or DP at `url`: http, https, file, or the path of a folder.

    Errors: RejectedError for any other kind, an address without a host, or one that carries a password.
    """
    if not url.strip() or any(ord(sign) < 32 for sign in url):
        raise RejectedError(f"{url[:80]!r} is no address of a point: {_KNOWN}")
    if not _SCHEME.match(url):
        return FolderPoint(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RejectedError(f"the address of a point cannot be read: {error}") from error
    match parts.scheme:
        case "http" | "https":
            return _http_point(url)
        case "file":
            if parts.netloc not in ("", "localhost"):
                raise RejectedError(f"{url} names the machine {parts.netloc}; file:// means this machine")
            return FolderPoint(url2pathname(parts.path), url=url)
        case other:
            raise RejectedError(f"points of the kind {other}:// cannot be opened; {_KNOWN} known")


def _http_point(url: str) -> HttpPoint:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise RejectedError("the address of a point must not carry a name or password")
    if not parts.hostname or parts.query or parts.fragment:
        raise RejectedError(f"{url} is no address of a point: http://HOST[:PORT]/PATH is expected")
    return HttpPoint(url)
