"""The one place that chooses a transport by its URL. Opens no connection and looks at no disk: the first read does.

What shares need is loaded when the address of a share is first opened, and not before.
"""

import importlib
import re
import ssl
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.http.pinned import Pins
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.interface import Point
from purveyor.transport.smb.address import Credentials, address_of, is_share
from purveyor.wire.errors import RejectedError, UnavailableError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: C: is a drive
_KNOWN = r"http://…, https://, smb://…, \\SERVER\SHARE, file://… and plain paths are"


def no_credentials() -> Credentials:
    """Where none were given. Errors: UnavailableError, always."""
    raise UnavailableError("no user and password for shares were given to this machine")


def no_pins(url: str) -> Collection[str]:
    """Where none are known: the CAs of the system decide. Shape: nothing, whatever the address."""
    del url
    return ()


class Points:
    """Points as one pass uses them: each is opened once and keeps its connections; shares of one server have one session.

    `credentials` says as whom shares are used; it is asked at each connection. `pins` says by which keys an HTTPS server is
    known, by its address; it is asked at each request. `tls` has the CAs that decide where no pins are known; none: the system's.
    """

    def __init__(
        self,
        credentials: Callable[[], Credentials] = no_credentials,
        pins: Callable[[str], Collection[str]] = no_pins,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._credentials = credentials
        self._pins = pins
        self._tls = tls
        self._opened: dict[str, Point] = {}
        self._sessions: dict[tuple[str, int], Any] = {}

    def at(self, url: str) -> Point:
        """The CAP or DP at `url`. Errors: as `point_for`."""
        if url not in self._opened:
            self._opened[url] = self._share_point(url) if is_share(url) else point_for(url, partial(self._pins, url), self._tls)
        return self._opened[url]

    def unpinned(self) -> Mapping[str, str]:
        """The points whose server showed a key last that is not one of its pins. Shape: that key's pin by the point's address."""
        seen = {url: point.unpinned for url, point in self._opened.items() if isinstance(point, HttpPoint)}
        return {url: pin for url, pin in seen.items() if pin}

    def close(self) -> None:
        """Ends the sessions with servers of shares; the next use begins others."""
        for session in self._sessions.values():
            session.close()

    def _share_point(self, url: str) -> Point:
        address = address_of(url)
        sessions = importlib.import_module("purveyor.transport.smb.session")
        shares = importlib.import_module("purveyor.transport.smb.share")
        points = importlib.import_module("purveyor.transport.smb.point")
        server = (address.host, address.port)
        if server not in self._sessions:
            self._sessions[server] = sessions.session_with(address, self._credentials)
        point: Point = points.SmbPoint(shares.SmbShare(address, self._sessions[server]))
        return point


def point_for(url: str, pins: Pins = tuple, tls: ssl.SSLContext | None = None) -> Point:
    r"""The CAP or DP at `url`: http, https, smb, `\\SERVER\SHARE`, file, or the path of a folder.

    Errors: RejectedError for any other kind, an address without a host, or one that carries a password.
    """
    if not url.strip() or any(ord(sign) < 32 for sign in url):
        raise RejectedError(f"{url[:80]!r} is no address of a point: {_KNOWN}")
    if is_share(url):
        return Points().at(url)
    if not _SCHEME.match(url):
        return FolderPoint(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RejectedError(f"the address of a point cannot be read: {error}") from error
    match parts.scheme:
        case "http" | "https":
            return _http_point(url, pins, tls)
        case "file":
            if parts.netloc not in ("", "localhost"):
                raise RejectedError(f"{url} names the machine {parts.netloc}; file:// means this machine")
            return FolderPoint(url2pathname(parts.path), url=url)
        case "s3":
            raise RejectedError("clients read a bucket over HTTP, without a key: give its https:// address in place of s3://…")
        case other:
            raise RejectedError(f"points of the kind {other}:// cannot be opened; {_KNOWN} known")


def _http_point(url: str, pins: Pins, tls: ssl.SSLContext | None) -> HttpPoint:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise RejectedError("the address of a point must not carry a name or password")
    if not parts.hostname or parts.query or parts.fragment:
        raise RejectedError(f"{url} is no address of a point: http://HOST[:PORT]/PATH is expected")
    return HttpPoint(url, pins=pins, tls=tls)
