"""A stick as a courier sees it: a folder with a list of what is to lie in it; every file judged by its digest."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.paths import is_plain_path
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.bundle import LIST_LIMIT_BYTES, Piece
from purveyor.wire.errors import AbsentError, PurveyorError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import SiteCode

SHOWN = 5
"""So many files are named where something is wrong with more."""


def new_stick(folder: Path) -> FolderShelf:
    """An empty folder to fill. Errors: RefusedError when something lies in it; UnavailableError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lying = sorted(os.listdir(folder))
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be written: {error.strerror}") from error
    if lying:
        raise RefusedError(f"{folder} is not empty ({lying[0]}): each bundle wants a folder of its own")
    return FolderShelf(folder)


def read_list(folder: Path, name: str) -> bytes:
    """A list on a stick. Errors: RejectedError when there is none, which is written last; UnavailableError."""
    try:
        answer = FolderPoint(folder).read(name, limit_bytes=LIST_LIMIT_BYTES)
    except AbsentError as error:
        raise RejectedError(f"{folder} has no {name}: it is no such stick, or was taken away before it was finished") from error
    if answer is None:
        raise RejectedError(f"{name} in {folder} cannot be read")
    return answer.content


def cap_on(folder: Path, site: SiteCode) -> Path:
    """Where the down boxes lie on a stick."""
    return folder / cap_folder(site)


def dp_on(folder: Path, site: SiteCode) -> Path:
    """Where content lies on a stick."""
    return folder / dp_folder(site)


def pieces_in(folder: Path) -> Iterator[Piece]:
    """What lies in a folder now, read back. Errors: UnavailableError."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if not name.startswith((".", "_")):
            yield Piece(path=name, sha256=_digest(path), size_bytes=path.stat().st_size)


def wrong(folder: Path, pieces: Iterable[Piece]) -> list[str]:
    """The pieces that are missing from a stick or damaged on it, in words."""
    found = []
    for piece in pieces:
        problem = _problem(folder, piece)
        if problem:
            found.append(f"{piece.path} {problem}")
    return found


def in_words(problems: list[str]) -> str:
    """Some of many."""
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return ", ".join(problems[:SHOWN]) + more


def _problem(folder: Path, piece: Piece) -> str:
    if not is_plain_path(piece.path):
        return "is no path on a stick"
    point = FolderPoint(folder)
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        for content in point.read_from(piece.path, offset=0, limit_bytes=piece.size_bytes + 1):
            size_bytes += len(content)
            digest.update(content)
    except PurveyorError:
        return "is missing"
    return "" if (size_bytes, digest.hexdigest()) == (piece.size_bytes, piece.sha256) else "is damaged"


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read back: {error.strerror}") from error
