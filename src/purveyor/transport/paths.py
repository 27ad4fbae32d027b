"""Which paths a transport takes at all, and which items may go into an up box. Pure: looks at names, never at a disk.

Every transport asks here before it touches anything, so that all of them refuse the same things in the same words.
"""

import re

from purveyor.wire.boxes import Box, up_box_of
from purveyor.wire.errors import RejectedError

PATH_LIMIT = 1000

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@=-]{0,254}(?:/[A-Za-z0-9_][A-Za-z0-9._+@=-]{0,254}){0,15}")


def is_plain_path(path: str) -> bool:
    """Whether this is a relative path of plain names: none hidden, none that leaves the folder or means something to a system."""
    return len(path) <= PATH_LIMIT and _PATH.fullmatch(path) is not None


def check_path(path: str) -> None:
    """Nothing for a path that stays inside.

    Errors: RejectedError.
    """
    if not is_plain_path(path):
        raise RejectedError(f"{path[:120]!r} is no path inside a point")


def check_item(path: str, content: bytes) -> Box:
    """The up box into which this item may go.

    Errors: RejectedError when the path is no item of an up box or the content is larger than the box takes.
    """
    box = up_box_of(path)
    if box is None:
        raise RejectedError(f"{path[:120]!r} is no item of an up box")
    if len(content) > box.item_limit_bytes:
        raise RejectedError(f"{path} has {len(content)} bytes, more than the {box.item_limit_bytes} that {box.name} takes")
    return box
