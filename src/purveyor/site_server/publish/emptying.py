"""The end of the emptying of a point: what others put there is counted and told of, and the folders that are empty go.

What the site itself put there went before, known from its own rows (`pushing.empty`, `content.point_turn`). Whatever is found
here is somebody else's, and stays.
"""

from purveyor.site_server.database.points import PointRow
from purveyor.site_server.model.points import PointKind
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.boxes import BOXES

_COUNTED = 1000


def leave(shelf: Shelf, point: PointRow) -> str:
    """Removes the folders of a point in which nothing is left. Shape: what lies there still, in words.

    Errors: UnavailableError.
    """
    folders = _folders(point)
    found = [f"{folder}/{item.name}" for folder in folders for item in shelf.listed(folder, limit=_COUNTED)]
    shelf.remove_folders(folders)
    shelf.sync()
    return f"{len(found)} files that the site did not put there, {min(found)} for one" if found else ""


def _folders(point: PointRow) -> list[str]:
    """The folders that the site made there, inner ones first."""
    if point.kind is PointKind.DP:
        return [*(f"files/{digits:02x}" for digits in range(256)), "files", "manifests"]
    lookup = [shards.path_of(generation, 0).rpartition("/")[0] for generation in range(1, point.generation + 2)]
    return [*lookup, lookup[0].rpartition("/")[0], *(box.name for box in BOXES)]
