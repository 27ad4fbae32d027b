"""A stick in one file: a plain tar archive with the list first, for whatever carries files and not folders.

Unpacked is only what the list names, each file no longer than it says; whether it is right is judged afterwards, as on any stick.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from purveyor.transport.folder.confined import PIECE_BYTES
from purveyor.transport.paths import is_plain_path
from purveyor.wire import bundle as lists
from purveyor.wire.bundle import LIST, LIST_LIMIT_BYTES
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

ENDING = ".tar"


class _Bounded(io.FileIO):
    """A file of which nobody gets more at once than a list may have: the heads in an archive have no limit of their own."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes. Errors: tarfile.ReadError: too many are asked for."""
        if size is None or not 0 <= size <= LIST_LIMIT_BYTES:
            raise tarfile.ReadError(f"{size} bytes are asked for at once")
        return super().read(size) or b""


@contextmanager
def packing(place: Path) -> Iterator[Path]:
    """A folder to fill, which becomes the archive `place` in the end. Errors: RefusedError, UnavailableError."""
    if place.exists():
        raise RefusedError(f"{place} is there already: each bundle wants a file of its own")
    folder = place.with_name(f"{place.name}.folder")
    try:
        yield folder
        _pack(folder, place)
    except OSError as error:
        raise UnavailableError(f"{place} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def unpacked(place: Path) -> Iterator[Path]:
    """The folder in an archive, beside it, for as long as it is worked with. Errors: RejectedError, UnavailableError."""
    folder = place.with_name(f"{place.name}.folder")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with _Bounded(place) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            _unpack(archive, folder)
        yield folder
    except (tarfile.TarError, ValueError, LookupError, RecursionError) as error:  # the library checks few of the numbers in heads
        raise RejectedError(f"{place} is no archive that can be read, or ends too early") from error
    except OSError as error:
        raise UnavailableError(f"{place} cannot be unpacked: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pack(folder: Path, place: Path) -> None:
    """Packs and takes away what is packed, so that there is never room needed for all of it twice."""
    aside = place.with_name(f"{place.name}.part")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with aside.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in [LIST, *(name for name in names if name != LIST and is_plain_path(name))]:
                archive.add(folder / name, name, recursive=False)
                (folder / name).unlink()
        file.flush()
        os.fsync(file.fileno())
    aside.replace(place)


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    first = archive.next()
    if first is None or first.name != LIST or not _is_plain(first) or first.size > LIST_LIMIT_BYTES:
        raise RejectedError(f"this archive does not begin with {LIST}: it is no bundle")
    folder.mkdir(parents=True)
    listed = archive.extractfile(first)
    content = listed.read() if listed else b""
    (folder / LIST).write_bytes(content)
    sizes = {piece.path: piece.size_bytes for piece in lists.unverified(content).pieces if piece.is_here}
    while (member := archive.next()) is not None:
        if not _is_plain(member) or not is_plain_path(member.name) or sizes.pop(member.name, -1) != member.size:
            raise RejectedError(f"{member.name[:120]!r} in this archive is not what its list says")
        source = archive.extractfile(member)
        place = folder / member.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as target:
            if source is not None:
                shutil.copyfileobj(source, target, PIECE_BYTES)


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Whether it is a file that has all its bytes in the archive: one with holes fills a disk from nothing."""
    return member.isreg() and not member.issparse()
