"""The boxes of a CAP: which there are, which way they go, who writes and who reads each, and how much they hold.

This table is data. The folder of a site's CAP, the server of boxes, the nginx configuration and a rule test are made from it.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from purveyor.wire.ids import SiteCode


class Way(StrEnum):
    """Down: site to clients. Up: clients to site."""

    DOWN = "down"
    UP = "up"


class Box(NamedTuple):
    """One box. Units: bytes for `item_limit_bytes`, items for `depth_limit`."""

    name: str
    way: Way
    holds: str
    writer: str
    reader: str
    item_limit_bytes: int
    depth_limit: int


CACHE_CHANGING = "no-cache"
"""How a file that is replaced may be kept on the way: to be asked for again each time."""
CACHE_LASTING = "public, max-age=31536000, immutable"
"""How a file that never changes may be kept on the way, content too."""

_DOWN_LIMIT = 16 * 2**20


def _down(name: str, holds: str) -> Box:
    return Box(name, Way.DOWN, holds, "site_server.publish", "client.policy", _DOWN_LIMIT, 0)


def _up(name: str, holds: str, item_limit_bytes: int, depth_limit: int) -> Box:
    return Box(name, Way.UP, holds, "client.reports", "site_server.receive", item_limit_bytes, depth_limit)


BOXES: tuple[Box, ...] = (
    _down("clidata.box", "TUF metadata, agent settings"),
    _down("pkginfo.box", "packages and their programs"),
    _down("offerinf.box", "offers of collections, lookup shards"),
    _down("clicomp.box", "agent releases"),
    _up("ccr.box", "requests to join", 16 * 1024, 10_000),
    _up("ddr.box", "discovery records", 64 * 1024, 200_000),
    _up("inventry.box", "hardware inventory", 300 * 1024, 200_000),
    _up("sinv.box", "software inventory", 300 * 1024, 200_000),
    _up("statmsgs.box", "status messages", 300 * 1024, 200_000),
)

OF_A_DISK = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""What a disk has of itself, and is no hindrance where boxes or content are to lie."""

UP_BOXES = tuple(box for box in BOXES if box.way is Way.UP)
DOWN_BOXES = tuple(box for box in BOXES if box.way is Way.DOWN)

ITEM_NAME = re.compile(r"[0-9a-f]{32}")
"""Names of upward items: 128 random bits, so that they cannot collide."""

_DOWN_PATH = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,150}/){1,3}[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


def cap_folder(site: SiteCode) -> str:
    """The name of a site's CAP folder, `CAP_S01`."""
    return f"CAP_{site}"


def dp_folder(site: SiteCode) -> str:
    """The name of a site's DP folder, `DP_S01`."""
    return f"DP_{site}"


def up_box_of(path: str) -> Box | None:
    """The up box that an item path such as `statmsgs.box/<32 digits>` lies in, or None when it is no such path."""
    name, _, item = path.partition("/")
    if not ITEM_NAME.fullmatch(item):
        return None
    return next((box for box in UP_BOXES if box.name == name), None)


def is_down_path(path: str) -> bool:
    """Whether this can be the path of a file in a down box: plain names only, nothing hidden, nothing that leaves the box."""
    return bool(_DOWN_PATH.fullmatch(path)) and any(path.startswith(box.name + "/") for box in DOWN_BOXES)


def is_mutable(path: str) -> bool:
    """Whether this is one of the three kinds of down file that are ever replaced (protocol 3.4)."""
    return path in ("clidata.box/timestamp.json", "clidata.box/root.json") or path.endswith(".lkp")


def cache_control(path: str, size_bytes: int) -> str:
    """The `Cache-Control` with which every server shows this file of a CAP or DP (protocol 3.4).

    An empty file may be the word of a mirror that content is yet to come, so nobody keeps it.
    """
    return CACHE_CHANGING if is_mutable(path) or not size_bytes else CACHE_LASTING
