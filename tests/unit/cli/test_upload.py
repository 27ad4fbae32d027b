"""Sending a source to the site, which may lose meanwhile what it had when it was asked."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from threading import Barrier

import pytest

from purveyor.cli.output import Output
from purveyor.cli.rest import CONNECTION_COUNT
from purveyor.cli.upload import ATTEMPTS, taken_in_at_site
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import hash_of


class Purging:
    """A site that has every file when it is asked, and loses them so many times before the manifest comes."""

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.files: set[str] = {hash_of(b"one"), hash_of(b"two")}
        self.sent: list[str] = []

    def post_bytes(self, path: str, content: bytes) -> dict[str, list[dict[str, object]]]:
        entries = json.loads(content)["files"]
        missing = [
            {"sha256": one["sha256"], "size_bytes": one["size_bytes"]} for one in entries if one["sha256"] not in self.files
        ]
        return {"missing": missing}

    def upload(self, path: str, pieces: Iterable[bytes], size_bytes: int) -> None:
        self.files.add(hash_of(b"".join(pieces)))
        self.sent.append(path)

    def put_bytes(self, path: str, content: bytes) -> None:
        if self.losses:
            self.losses -= 1
            self.files.clear()
            raise RefusedError("the site lacks 2 files of this manifest")


class Waiting(Purging):
    """A site that answers the first so many files only once all of them are on their way."""

    def __init__(self, *, at_once: int, refused: str = "") -> None:
        super().__init__(losses=0)
        self._refused = refused
        self._on_their_way = Barrier(at_once)
        self._first = iter(range(at_once))

    def upload(self, path: str, pieces: Iterable[bytes], size_bytes: int) -> None:
        if next(self._first, None) is not None:
            self._on_their_way.wait(timeout=60)
        if path.endswith(f"/{self._refused}"):
            raise RefusedError("the disk is full")
        super().upload(path, pieces, size_bytes)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "1").write_bytes(b"one")
    (tmp_path / "2").write_bytes(b"two")
    return tmp_path


def output() -> Output:
    return Output(stdout=io.StringIO(), stderr=io.StringIO(), stdin=io.StringIO())


def test_files_that_were_purged_since_the_site_was_asked_are_sent_after_all(source: Path) -> None:
    site = Purging(losses=1)
    taken_in_at_site(site, output(), source)  # type: ignore[arg-type]
    assert sorted(site.sent) == sorted(f"/content/files/{hash_of(content)}" for content in (b"one", b"two"))


def test_files_are_sent_several_at_a_time_each_once_and_a_refusal_is_told(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_bytes(b"%d" % (number // 2))
    site = Waiting(at_once=CONNECTION_COUNT)
    taken_in_at_site(site, output(), tmp_path)  # type: ignore[arg-type]
    assert len(site.sent) == len(set(site.sent)) == 50
    refusing = Waiting(at_once=CONNECTION_COUNT, refused=hash_of(b"0"))
    with pytest.raises(RefusedError, match="the disk is full"):
        taken_in_at_site(refusing, output(), tmp_path)  # type: ignore[arg-type]


def test_a_site_that_keeps_losing_files_is_not_asked_for_ever(source: Path) -> None:
    site = Purging(losses=100)
    with pytest.raises(RefusedError, match="lacks 2 files"):
        taken_in_at_site(site, output(), source)  # type: ignore[arg-type]
    assert site.losses == 100 - ATTEMPTS
