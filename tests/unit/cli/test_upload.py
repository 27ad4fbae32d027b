"""Sending a source to the site, which may lose meanwhile what it had when it was asked."""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from purveyor.cli.output import Output
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
    assert site.sent == [f"/content/files/{hash_of(b'one')}", f"/content/files/{hash_of(b'two')}"]


def test_a_site_that_keeps_losing_files_is_not_asked_for_ever(source: Path) -> None:
    site = Purging(losses=100)
    with pytest.raises(RefusedError, match="lacks 2 files"):
        taken_in_at_site(site, output(), source)  # type: ignore[arg-type]
    assert site.losses == 100 - ATTEMPTS
