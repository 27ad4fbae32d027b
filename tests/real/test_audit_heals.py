"""The audit over a real folder: what is lost or put there by somebody else is healed with the stored bytes."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from publishing_site import audit_all
from purveyor.site_server.executive import Executive
from purveyor.site_server.site import Site, create_site, open_site
from purveyor.wire.boxes import DOWN_BOXES


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A new site, everything published."""
    folder = tmp_path / "site"
    create_site(folder, code="S01", now=datetime.now(UTC))
    made = open_site(folder)
    executive = Executive(made)
    while executive.turn():
        pass
    return made


def test_every_down_box_that_was_deleted_is_back_byte_for_byte(site: Site) -> None:
    cap = _cap(site)
    before = _files(cap)
    for box in DOWN_BOXES:
        shutil.rmtree(cap / box.name)

    healed = audit_all(site.database, site.cap)

    assert sorted(healed) == sorted(before)
    assert _files(cap) == before
    site.database.dispose()


def test_a_link_in_the_place_of_a_published_file_is_replaced_by_the_file(site: Site, tmp_path: Path) -> None:
    cap = _cap(site)
    before = _files(cap)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody else's")
    for path in ("clidata.box/timestamp.json", "clidata.box/1.targets.json"):
        (cap / path).unlink()
        (cap / path).symlink_to(elsewhere)

    healed = audit_all(site.database, site.cap)

    assert sorted(healed) == ["clidata.box/1.targets.json", "clidata.box/timestamp.json"]
    assert _files(cap) == before
    assert not (cap / "clidata.box/timestamp.json").is_symlink()
    assert elsewhere.read_text() == "somebody else's"
    site.database.dispose()


def _cap(site: Site) -> Path:
    assert site.folder is not None
    return site.folder / "CAP_S01"


def _files(cap: Path) -> dict[str, bytes]:
    files = (path for box in DOWN_BOXES for path in (cap / box.name).rglob("*") if path.is_file())
    return {path.relative_to(cap).as_posix(): path.read_bytes() for path in files}
