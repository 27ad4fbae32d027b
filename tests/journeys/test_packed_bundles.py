"""A bundle in one file: the same stick again; what is cut off, foreign or smuggled in is refused."""

import io
import tarfile
from pathlib import Path

import pytest

from journeys.test_couriers import sender_of
from purveyor.courier.packed import packing, unpacked
from purveyor.courier.sending import send
from purveyor.courier.sticks import pieces_in
from purveyor.lab.fleet import Fleet
from purveyor.wire.bundle import Scope
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
