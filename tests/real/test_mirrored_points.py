"""Mirrors as an administrator runs them: over HTTPS, filling a DP of which the site tells its clients, a share, a bucket."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from installation import Installation, live_on
from purveyor.content.shelf_store import ShelfStore
from purveyor.mirror.copying import Ends, Store
from purveyor.mirror.turn import turn
from purveyor.site_server import certificates
from purveyor.site_server.admin import packages
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.site import open_site
from purveyor.transport.folder import FolderShelf
from purveyor.transport.folder_point import FolderPoint
from purveyor.wire.ids import PackageId

ITEM = "statmsgs.box/" + "ab" * 16
LATER = timedelta(days=40)


def test_a_mirror_over_https_fills_a_dp_of_the_site_and_what_is_deleted_leaves_it(installation: Installation) -> None:
    site, branch = installation, installation.folder / "branch"
    site.purveyor("site", "certificate", "make", "--name", "site.example")
    site.kill()
    site.start()
    root = site.site / "CAP_S01" / "clidata.box" / "1.root.json"
    words = ("cap", "mirror", f"{site.url}/cap", str(branch / "CAP_S01"), "--up")
    words += ("--dp", f"{site.url}/dp", str(branch / "DP_S01"))

    unknown = site.call(*words, "--root", str(root))
    assert (unknown.code, "--pin PIN, a join code that carries one, or --ca FILE" in unknown.err) == (3, True), unknown
    assert not (branch / "CAP_S01" / "clidata.box").joinpath("timestamp.json").exists()
    trusted = site.call("cap", "mirror", f"{site.url}/cap", str(branch / "by-ca"), "--root", str(root), "--ca", certificate(site))
    assert trusted.code == 0, trusted
    assert site.call(*words, "--code", site.purveyor("join-code", "create")).code == 0, "its pin is enough to begin"
    dp = site.purveyor("point", "add", "dp", f"file://{branch}/DP_S01")
    package = add_package(site)
    site.until("the branch's content is named", lambda: site.call(*words).code == 0 and behind(site, dp) == 0)

    for _ in range(2):
        site.purveyor("site", "certificate", "rotate", "--force")
    FolderPoint(branch / "CAP_S01").put(ITEM, b"no envelope, which is set aside")

    def is_carried() -> bool:
        site.call(*words)
        return not (branch / "CAP_S01" / ITEM).exists()

    site.until("a mirror that knew neither key sends again, once it has read the new pins", is_carried)
    site.purveyor("package", "delete", package, "--yes")
    site.end()
    away = site.call(*words)
    assert (away.code, "cannot be reached" in away.err) == (3, True)
    assert len(contents(branch)) == 2, "a mirror without a line keeps what it has"

    live_on(site.site, LATER)
    mirror_at(LATER, site, branch)
    assert len(contents(branch)) == 2, "it has just heard of the deletion"
    live_on(site.site, 2 * LATER, begin=LATER)
    mirror_at(2 * LATER, site, branch)
    assert contents(branch) == []
    assert not is_purged(site.site, package), "the site has not looked since"
    live_on(site.site, 3 * LATER, begin=2 * LATER)
    assert is_purged(site.site, package), "it has seen that the content is gone from there"


def certificate(site: Installation) -> str:
    """The file of the certificate that a site shows."""
    held = certificates.held(site.site)
    assert held is not None
    return str(certificates.chain_of(site.site, held).certificate)


def behind(site: Installation, point: str) -> int:
    """How many manifests a point lacks."""
    return int(site.asked("point", "show", point)["behind"])


def contents(branch: Path) -> list[Path]:
    """What lies on the branch's DP."""
    return [path for path in (branch / "DP_S01").rglob("*") if path.is_file() and path.parts[-2] in ("manifests", path.name[:2])]


def add_package(site: Installation) -> str:
    """A package with one file of content, which everybody is offered."""
    source = site.folder / "source"
    source.mkdir()
    (source / "setup").write_bytes(b"the bytes of the setup")
    package = site.purveyor("package", "add", str(source), "--name", "Setup")
    site.purveyor("program", "add", package, "install", "--command", "sh setup")
    site.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes")
    return package


def mirror_at(moment: timedelta, site: Installation, branch: Path) -> None:
    """A pass of the mirror, so long from now."""
    shelf = FolderShelf(branch / "DP_S01")
    store = Store(source=FolderPoint(site.site / "DP_S01"), shelf=shelf, place=ShelfStore(shelf, name="the branch"))
    ends = Ends(source=FolderPoint(site.site / "CAP_S01"), target=FolderShelf(branch / "CAP_S01"), store=store)
    outcome = turn(ends, datetime.now(UTC) + moment)
    assert outcome.is_whole, outcome.problems


def is_purged(folder: Path, package: str) -> bool:
    """Whether nothing is left of a package anywhere."""
    site = open_site(folder)
    try:
        with site.database.read() as tx:
            return packages.shown(tx, PackageId(package)).state is PackageState.PURGED
    finally:
        site.database.dispose()
