"""Mirrors as an administrator runs them: over HTTPS, filling a DP of which the site tells its clients, a share, a bucket."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from installation import Ended, Installation, live_on
from purveyor.cli.main import carry_out
from purveyor.cli.output import Output
from purveyor.content.shelf_store import ShelfStore
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.turn import turn
from purveyor.site_server import certificates
from purveyor.site_server.admin import packages
from purveyor.site_server.executive import Executive
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.site import open_site, utc_now
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.transport.smb.shelf import SmbShelf
from purveyor.wire.ids import PackageId
from real.test_points import down, roll_out
from running_site import RunningSite, running_site
from s3_server import Bucket
from samba_server import credentials_file, samba_running, share_of

__all__ = ["running_site"]

ITEM = "statmsgs.box/" + "ab" * 16
LATER = timedelta(days=40)
WRONG_PIN = f"{'A' * 43}="


def test_a_mirror_over_https_fills_a_dp_of_the_site_and_what_is_deleted_leaves_it(installation: Installation) -> None:
    site, branch = installation, installation.folder / "branch"
    site.purveyor("site", "certificate", "make", "--name", "site.example")
    site.kill()
    site.start()
    root = site.site / "CAP_S01" / "clidata.box" / "1.root.json"
    words = ("cap", "mirror", f"{site.url}/cap", str(branch / "CAP_S01"), "--up")
    words += ("--dp", f"{site.url}/dp", str(branch / "DP_S01"))

    unknown = here(site, *words, "--root", str(root))
    assert (unknown.code, "make it known" in unknown.err) == (0, False), "the settings that were read made it known"
    trusted = here(
        site, "cap", "mirror", f"{site.url}/cap", str(branch / "by-ca"), "--root", str(root), "--ca", certificate(site)
    )
    assert trusted.code == 0, trusted
    wrong = here(site, "cap", "mirror", f"{site.url}/cap", str(branch / "by-pin"), "--root", str(root), "--pin", WRONG_PIN)
    assert (wrong.code, f"{WRONG_PIN} is no key" in wrong.err) == (0, True), wrong
    assert site.call(*words, "--code", here(site, "join-code", "create").out).code == 0, "its pin is enough to begin"
    dp = here(site, "point", "add", "dp", f"file://{branch}/DP_S01").out
    package = add_package(site)
    site.until("the branch's content is named", lambda: site.call(*words).code == 0 and behind(site, dp) == 0)

    held = ("cap", "mirror", f"{site.url}/cap", str(branch / "held"), "--dp", f"{site.url}/dp", str(branch / "held-dp"), "--json")
    other_day = f"{datetime.now().astimezone() + timedelta(days=3):%a}".lower()
    waiting = here(site, *held, "--root", str(root), "--limit", f"{other_day} 1M; otherwise 0")
    said = json.loads(waiting.out)
    assert (waiting.code, said["whole"], said["problems"], said["to_come"]) == (0, False, [], 1), "cron has nothing to tell"
    assert said["waits"].startswith("held back by the budget") and said["waits_until"] > datetime.now(UTC).isoformat()
    lacking = here(site, *held[:5], str(branch), *held[6:])
    said = json.loads(lacking.out)
    is_told = "has no manifests" in str(said["problems"])
    assert (lacking.code, said["to_come"], is_told) == (3, 1, True), "its source has none of it"

    for _ in range(2):
        assert here(site, "site", "certificate", "rotate", "--force").code == 0
    FolderPoint(branch / "CAP_S01").put(ITEM, b"no envelope, which is set aside")

    def is_carried() -> bool:
        site.call(*words)
        return not (branch / "CAP_S01" / ITEM).exists()

    site.until("a mirror that knew neither key sends again, once it has read the new pins", is_carried)
    assert here(site, "package", "delete", package, "--yes").code == 0
    site.end()
    away = here(site, *words)
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


@dataclass(frozen=True)
class Place:
    """Where a mirror writes: what it is told on the command line, and the two shelves there."""

    cap: str
    dp: str
    words: tuple[str, ...]
    shelves: tuple[Shelf, Shelf]


@pytest.fixture
def share(open_folder: Path, tmp_path: Path) -> Iterator[Place]:
    """Two folders of a share."""
    for name in ("CAP_S01", "DP_S01"):
        (open_folder / "share" / name).mkdir(parents=True)
        (open_folder / "share" / name).chmod(0o777)
    with samba_running(open_folder / "share") as samba:
        words = ("--credentials", str(credentials_file(tmp_path, samba)))
        opened = [share_of(samba, name) for name in ("CAP_S01", "DP_S01")]
        shelves = SmbShelf(opened[0], owner="test"), SmbShelf(opened[1], owner="test")
        yield Place(f"{samba.url}/CAP_S01", f"{samba.url}/DP_S01", words, shelves)
        for one in opened:
            one.close()


@pytest.fixture
def in_bucket(bucket: Bucket, tmp_path: Path) -> Place:
    """Two prefixes of a bucket."""
    secret = tmp_path / "s3.credentials"
    secret.touch(0o600)
    key, own = bucket.credentials.access_key_id, bucket.credentials.secret_access_key
    secret.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key={own}\n")
    words = ("--bucket-credentials", str(secret), "--endpoint", bucket.endpoint)
    cap, dp = (f"s3://{bucket.name}/m/{name}" for name in ("CAP_S01", "DP_S01"))
    return Place(cap, dp, words, (bucket.shelf("m/CAP_S01"), bucket.shelf("m/DP_S01")))


@pytest.mark.parametrize("kind", ["share", "in_bucket"])
def test_a_mirror_fills_a_share_or_a_bucket_and_what_is_deleted_leaves_it(
    running_site: RunningSite, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    site, place = running_site, request.getfixturevalue(kind)
    FolderShelf(tmp_path / "CAP_S01").make_boxes()
    package = roll_out(site, tmp_path, "Setup")
    copy = ("cap", "mirror", f"{site.url}/cap", place.cap, "--dp", f"{site.url}/dp", place.dp, *place.words)
    copy += ("--root", str(tmp_path / "CAP_S01" / "clidata.box" / "1.root.json"))
    cap, dp = place.shelves

    said = site.purveyor(*copy, "--up")
    if kind == "in_bucket":
        assert (said.code, "a bucket has no up boxes" in said.err) == (1, True), said
        said = site.purveyor(*copy)
    assert said.code == 0, said
    published = down(tmp_path / "CAP_S01")
    copied = {path: cap.read(path) for path in published} | {"clidata.box/timestamp.json": cap.read("clidata.box/timestamp.json")}
    assert {path: content for path, content in copied.items() if content is not None}.items() <= published.items()
    assert [path for path in published if package in path and copied[path] is None] == [], "the older metadata alone is left out"
    assert len(list(ShelfStore(dp, name="the copy").walk())) == 2, "a manifest and its file"
    if kind == "share":
        cap.write(ITEM, b"no envelope, which is set aside")
        assert site.purveyor(*copy, "--up").code == 0
        assert (cap.size_of(ITEM), (tmp_path / "CAP_S01" / ITEM).exists()) == (None, True)

    assert site.purveyor("package", "delete", package, "--yes").code == 0
    store = Store(source=FolderPoint(tmp_path / "DP_S01"), shelf=dp, place=ShelfStore(dp, name="the copy"))
    ends = Ends(source=FolderPoint(tmp_path / "CAP_S01"), target=cap, store=store)
    for days in (0, 40):
        moment = timedelta(days=days)
        executive = Executive(replace(site.site, clock=lambda moment=moment: utc_now() + moment, running=moment.total_seconds))
        while executive.turn():
            pass
        outcome = turn(ends, utc_now() + moment)
        assert outcome.is_whole, outcome.problems
    assert list(store.place.walk()) == []
    assert not [one for one in cap.listed("pkginfo.box", limit=99) if package in one.name]


def test_a_mirror_that_runs_begins_nothing_anew_where_its_disk_has_gone_and_goes_on_when_it_is_back(
    running_site: RunningSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, branch, away = running_site, tmp_path / "branch", tmp_path / "away"
    roll_out(site, tmp_path, "First")
    root = str(tmp_path / "CAP_S01" / "clidata.box" / "1.root.json")
    there: list[list[str]] = []

    def timestamp(folder: Path) -> bytes:
        return (folder / "clidata.box" / "timestamp.json").read_bytes()

    def between_passes(seconds: float) -> None:
        assert seconds == 60
        there.append(sorted(path.name for path in branch.iterdir()))
        match len(there):
            case 1:
                branch.rename(away)
                branch.mkdir()
                roll_out(site, tmp_path, "Second")
            case 2:
                branch.rmdir()
                away.rename(branch)
            case _:
                raise KeyboardInterrupt

    monkeypatch.setattr("purveyor.cli.mirror.time.sleep", between_passes)
    said = site.purveyor("cap", "mirror", f"{site.url}/cap", str(branch), "--root", root, "--up", "--every", "1m")
    assert there[1] == [], "nothing is written where the disk was"
    assert "nothing is mirrored here yet" in said.err
    assert timestamp(branch) == timestamp(tmp_path / "CAP_S01")


def certificate(site: Installation) -> str:
    """The file of the certificate that a site shows."""
    held = certificates.held(site.site)
    assert held is not None
    return str(certificates.chain_of(site.site, held).certificate)


def here(site: Installation, *words: str) -> Ended:
    """Carries out a command in this process, which is the quicker way."""
    out, err = io.StringIO(), io.StringIO()
    code = carry_out(
        words, environment={"PURVEYOR_SITE_DIR": str(site.site)}, output=Output(stdout=out, stderr=err, stdin=io.StringIO())
    )
    return Ended(code, out.getvalue().strip(), err.getvalue().strip())


def behind(site: Installation, point: str) -> int:
    """How many manifests a point lacks."""
    return int(json.loads(here(site, "point", "show", point, "--json").out)["behind"])


def contents(branch: Path) -> list[Path]:
    """What lies on the branch's DP."""
    return [path for path in (branch / "DP_S01").rglob("*") if path.is_file() and path.parts[-2] in ("manifests", path.name[:2])]


def add_package(site: Installation) -> str:
    """A package with one file of content, which everybody is offered."""
    source = site.folder / "source"
    source.mkdir()
    (source / "setup").write_bytes(b"the bytes of the setup")
    package = here(site, "package", "add", str(source), "--name", "Setup").out
    assert here(site, "program", "add", package, "install", "--command", "sh setup").code == 0
    assert here(site, "advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes").code == 0
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
