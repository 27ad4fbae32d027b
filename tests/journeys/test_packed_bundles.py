"""A bundle in one file: the same stick again; what is cut off, foreign or smuggled in is refused."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.test_couriers import sender_of
from purveyor.courier.packed import packing, unpacked
from purveyor.courier.sending import send
from purveyor.courier.sticks import pieces_in
from purveyor.lab.fleet import Fleet
from purveyor.wire.bundle import LIST, Piece, Scope, unverified
from purveyor.wire.errors import RejectedError


def test_a_packed_bundle_unpacks_to_the_same_files_and_nothing_else_gets_out_of_it(tmp_path: Path) -> None:
    place = tmp_path / "s01.tar"
    with Fleet(1) as fleet, packing(place) as folder:
        send(sender_of(fleet), folder, scope=Scope.NEEDED, since=None, now=fleet.clock.now())
        sent = [piece for piece in pieces_in(folder) if not piece.path.startswith(".")]
    with unpacked(place) as folder:
        assert list(pieces_in(folder)) == sent
    assert list(tmp_path.iterdir()) == [place]

    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])
    with pytest.raises(RejectedError), unpacked(place):
        pass
    place.write_bytes(content)
    with tarfile.open(place, "a") as archive:
        smuggled = tarfile.TarInfo("../escaped")
        smuggled.size = 1
        archive.addfile(smuggled, io.BytesIO(b"x"))
    with pytest.raises(RejectedError, match="not what its list says"), unpacked(place):
        pass
    place.write_bytes(b"no archive at all")
    with pytest.raises(RejectedError), unpacked(place):
        pass
    assert list(tmp_path.iterdir()) == [place]


def with_holes(archive: tarfile.TarFile, piece: Piece) -> None:
    """A file of the list that is said to be one hole."""
    said = tarfile.TarInfo(piece.path)
    said.pax_headers = {"GNU.sparse.size": str(piece.size_bytes), "GNU.sparse.map": f"{piece.size_bytes},0"}
    archive.addfile(said)


def with_a_long_head(archive: tarfile.TarFile, _: Piece) -> None:
    """A head that is said to have more bytes than there is memory."""
    head = tarfile.TarInfo("head")
    head.type, head.size = tarfile.XHDTYPE, 2**40
    assert isinstance(archive.fileobj, io.BufferedIOBase)
    archive.fileobj.write(head.tobuf(tarfile.GNU_FORMAT))
    archive.fileobj.truncate(2 * head.size)


def with_no_number(archive: tarfile.TarFile, piece: Piece) -> None:
    """A head with words where numbers are due."""
    said = tarfile.TarInfo(piece.path)
    said.pax_headers = {"GNU.sparse.size": "many", "GNU.sparse.map": "here,there"}
    archive.addfile(said)


def with_heads_alone(archive: tarfile.TarFile, _: Piece) -> None:
    """Heads of heads, more than there is stack."""
    head = tarfile.TarInfo("head")
    head.type = tarfile.XHDTYPE
    assert archive.fileobj is not None
    archive.fileobj.write(head.tobuf() * 2000)


@pytest.mark.parametrize("spoil", [with_holes, with_a_long_head, with_no_number, with_heads_alone])
def test_an_archive_fills_neither_disk_nor_memory(tmp_path: Path, spoil: Callable[[tarfile.TarFile, Piece], None]) -> None:
    place = tmp_path / "s01.tar"
    with Fleet(0) as fleet, packing(tmp_path / "made.tar") as folder:
        send(sender_of(fleet), folder, scope=Scope.NEEDED, since=None, now=fleet.clock.now())
        content = (folder / LIST).read_bytes()
    with tarfile.open(place, "w") as archive:
        listed = tarfile.TarInfo(LIST)
        listed.size = len(content)
        archive.addfile(listed, io.BytesIO(content))
        spoil(archive, next(piece for piece in unverified(content).pieces if piece.is_here))
    with pytest.raises(RejectedError), unpacked(place):
        pass
