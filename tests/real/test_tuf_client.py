"""A second reader: python-tuf's own client, which knows nothing of Purveyor, over what a site publishes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from publishing_site import PublishingSite
from purveyor.lab.clock import Clock
from purveyor.site_server.database import schema
from purveyor.site_server.database.wanted import want_package
from purveyor.wire import offers, package_info
from purveyor.wire import settings as settings_file

BASE = "memory:/"


class BoxFetcher(FetcherInterface):
    """Fetches from the boxes in memory, and writes down what it was asked for."""

    def __init__(self, site: PublishingSite) -> None:
        self.site = site
        self.asked: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(BASE)
        self.asked.append(path)
        stored = self.site.boxes.files.get(path)
        if stored is None:
            raise DownloadHTTPError("not there", 404)
        return iter([stored.content])


@pytest.fixture
def site() -> PublishingSite:
    """A site of today, because this client looks at the real clock."""
    made = PublishingSite(Clock(datetime.now(UTC)))
    made.turn()
    return made


def updater(site: PublishingSite, folder: Path) -> Updater:
    """Their client, beginning with the site's first root."""
    (folder / "metadata").mkdir(exist_ok=True)
    (folder / "targets").mkdir(exist_ok=True)
    return Updater(
        str(folder / "metadata"),
        f"{BASE}clidata.box/",
        str(folder / "targets"),
        BASE,
        fetcher=BoxFetcher(site),
        bootstrap=site.files()["clidata.box/1.root.json"],
    )


def fetched(site: PublishingSite, folder: Path, path: str) -> bytes | None:
    """A target as their client gets it, or None when the metadata lists none."""
    client = updater(site, folder)
    found = client.get_targetinfo(path)
    return None if found is None else Path(client.download_target(found)).read_bytes()


def test_another_client_reads_what_the_site_publishes(site: PublishingSite, tmp_path: Path) -> None:
    package, collection = site.add_package(), site.add_collection()
    advertisement = site.advertise(package, collection)
    site.turn()
    settings = fetched(site, tmp_path, settings_file.PATH)
    assert settings is not None
    assert settings_file.decode(settings).site == "S01"
    read = fetched(site, tmp_path, package_info.path_of(package))
    assert read is not None
    assert package_info.decode(read).id == package
    offered = fetched(site, tmp_path, offers.path_of(collection))
    assert offered is not None
    assert [one.id for one in offers.decode(offered).advertisements] == [advertisement]


def test_another_client_follows_publication_after_publication(site: PublishingSite, tmp_path: Path) -> None:
    known = []
    for number in range(6):
        known.append(site.add_package(f"package {number}"))
        site.turn()
        for package in known:
            assert fetched(site, tmp_path, package_info.path_of(package)) is not None


def test_another_client_sees_that_what_was_deleted_is_gone(site: PublishingSite, tmp_path: Path) -> None:
    package, other = site.add_package(), site.add_package("other")
    site.turn()
    assert fetched(site, tmp_path, package_info.path_of(package)) is not None
    site.do(lambda tx: tx.execute(schema.package.update().where(schema.package.c.id == package).values(state="retiring")))
    site.do(lambda tx: want_package(tx, package))
    site.turn()
    assert fetched(site, tmp_path, package_info.path_of(package)) is None
    assert fetched(site, tmp_path, package_info.path_of(other)) is not None


def test_another_client_follows_a_renewed_root(site: PublishingSite, tmp_path: Path) -> None:
    package = site.add_package()
    site.turn()
    fetched(site, tmp_path, package_info.path_of(package))
    renew_root(site)
    assert fetched(site, tmp_path, package_info.path_of(package)) is not None
    assert (tmp_path / "metadata" / "root.json").resolve().read_bytes() == site.files()["clidata.box/2.root.json"]


def renew_root(site: PublishingSite) -> None:
    """Lets the site's own turn sign the next root, as it does half a year on."""
    now = site.clock.now()
    site.clock.advance(timedelta(days=183))
    site.turn()
    assert "clidata.box/2.root.json" in site.files()
    site.clock._now = now


def test_another_client_refuses_what_a_hostile_cap_makes_of_it(site: PublishingSite, tmp_path: Path) -> None:
    package = site.add_package()
    site.turn()
    old = site.files()["clidata.box/timestamp.json"]
    site.add_package("other")
    site.turn()
    assert fetched(site, tmp_path, package_info.path_of(package)) is not None
    site.boxes.files["clidata.box/timestamp.json"] = site.boxes.files["clidata.box/timestamp.json"]._replace(content=old)
    client = updater(site, tmp_path)
    with pytest.raises(RepositoryError):
        client.refresh()
