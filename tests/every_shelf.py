"""Every kind of shelf, empty. As a pytest plugin it gives `shelf`, once over each of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from purveyor.lab.transport import MemoryBoxes
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.transport.smb.shelf import SmbShelf
from s3_server import Bucket
from samba_server import Samba, share_of


@pytest.fixture
def folder_shelf(tmp_path: Path) -> FolderShelf:
    """In a folder."""
    return FolderShelf(tmp_path / "point")


@pytest.fixture
def memory_shelf() -> Shelf:
    """The lab's."""
    return MemoryBoxes("memory:point", lambda: datetime(2026, 1, 1, tzinfo=UTC)).shelf()


@pytest.fixture
def smb_shelf(samba: Samba) -> Iterator[Shelf]:
    """On a share of a real Samba."""
    share = share_of(samba)
    yield SmbShelf(share, owner="site")
    share.close()


@pytest.fixture
def s3_shelf(bucket: Bucket) -> Shelf:
    """Below a prefix of a bucket at a real S3 server."""
    return bucket.shelf("sites/point")


@pytest.fixture(params=["folder_shelf", "memory_shelf", "smb_shelf", "s3_shelf"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """One of all of them."""
    found: Shelf = request.getfixturevalue(request.param)
    return found
