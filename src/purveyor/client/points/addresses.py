"""Where the points are that signed settings name, and by which keys their servers are known. Pure: asks nobody, holds nothing.

Clients and mirrors read settings alike.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from purveyor.transport.smb.address import address_of, is_share
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import SiteCode
from purveyor.wire.pins import is_pin
from purveyor.wire.settings import AgentSettings, Point

_HTTPS_PORT = 443


def resolved(url: str, access_point: str, site: SiteCode) -> str:
    """A point's URL as settings give it, made whole: one that starts with `.` is relative to the CAP that is asked.

    Beside a CAP that is a plain folder or on a share, `../dp` is `DP_<site code>`: in the place of a last part
    `CAP_<site code>`, else inside. `smb://server/CAP_S01` has the share `DP_S01`, `smb://server/a/CAP_S01` that folder in `a`.
    """
    if is_share(url):
        with suppress(RejectedError):  # opening it says what is wrong
            return address_of(url).url
    if not url.startswith("."):
        return url
    try:
        if urlsplit(access_point).scheme in ("http", "https"):
            return urljoin(access_point.rstrip("/") + "/", url).rstrip("/")
    except ValueError:  # no address at all; opening it says so
        return access_point
    folder = access_point.rstrip("/")
    if url != "../dp":
        return folder
    before, _, last = folder.rpartition("/")
    own = cap_folder(site)
    is_named = last.casefold() == own.casefold() if is_share(folder) else last == own
    return f"{before if is_named else folder}/{dp_folder(site)}"


def named_pins(settings: AgentSettings, url: str, access_points: Collection[str]) -> tuple[str, ...]:
    """The pins that settings name for the server of an address. `access_points`: those beside which relative places lie."""
    return pins_in(points_at(settings, url, access_points))


def points_at(settings: AgentSettings, url: str, access_points: Collection[str]) -> list[Point]:
    """The points that settings name at the server of an address."""
    server = server_of(url)
    return [
        point
        for point in (*settings.access_points, *settings.distribution_points)
        if server is not None and any(server_of(resolved(point.url, cap, settings.site)) == server for cap in access_points)
    ]


def pins_in(points: Iterable[Point]) -> tuple[str, ...]:
    """The pins of points, each once."""
    return tuple(dict.fromkeys(pin for point in points for pin in point.pins if is_pin(pin)))


def server_of(url: str) -> tuple[str, int] | None:
    """The name and port of an HTTPS server; None for all other addresses."""
    try:
        parts = urlsplit(url)
        return (parts.hostname, parts.port or _HTTPS_PORT) if parts.scheme == "https" and parts.hostname else None
    except ValueError:
        return None
