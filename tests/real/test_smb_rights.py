"""What clients may do in a CAP and DP that Samba shows, with exactly the configuration and commands that we print.

The client's account owns nothing of the site. Each test is somebody who has its password and tries what no agent does.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from purveyor.client_access_point.samba import Plan, samba_configuration
from purveyor.transport.folder.shelf import ARRIVING, FolderShelf
from purveyor.transport.open_point import Points
from purveyor.transport.smb.share import SmbShare
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import AbsentError, RefusedError, UnavailableError
from purveyor.wire.manifest import file_path, hash_of
from samba_server import PASSWORD, Samba, commands_in, samba_as_printed, share_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs for another account")

TIMESTAMP = "clidata.box/timestamp.json"
ITEM = "statmsgs.box/" + "ab" * 16
CONTENT = b"what is installed"


@dataclass(frozen=True)
class World:
    """A site's folders, shared as printed."""

    samba: Samba
    cap: FolderShelf
    dp: FolderShelf
    share: SmbShare
    points: Points

    def smbclient(self, command: str, share: str = "CAP_S01") -> str:
        """What Samba's own client says to a command, whatever comes of it."""
        words = ["smbclient", f"//127.0.0.1/{share}", "-p", str(self.samba.port), "-U", f"games%{PASSWORD}"]
        ended = subprocess.run(
            [*words, "--client-protection=encrypt", "-c", command], capture_output=True, text=True, check=False
        )
        return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """One server for all tests of the module: each leaves it as it was."""
    site = Path(tempfile.mkdtemp(prefix="purveyor-smb-"))
    site.chmod(0o755)
    cap, dp = FolderShelf(site / "CAP_S01"), FolderShelf(site / "DP_S01")
    cap.make_boxes()
    dp.write(file_path(hash_of(CONTENT)), CONTENT)
    (site / "keys").mkdir()
    (site / "keys" / "secret").write_text("the site's key")
    with samba_as_printed(site) as samba:
        share = share_of(samba)
        yield World(samba, cap, dp, share, Points(lambda: samba.credentials))
        share.close()
    shutil.rmtree(site)


@pytest.fixture
def world(shared: World) -> World:
    """A CAP with one publication, and one item that another client has dropped."""
    shared.cap.replace(TIMESTAMP, b"published")
    shared.cap.remove(ITEM)
    shared.points.at(shared.samba.url).put(ITEM, b"another's sealed report")
    return shared


def test_a_client_reads_down_files_and_content_and_drops_items(world: World) -> None:
    answer = world.points.at(world.samba.url).read(TIMESTAMP, limit_bytes=100)
    assert answer is not None
    assert answer.content == b"published"
    dp = world.points.at(world.samba.url.replace("CAP_", "DP_"))
    assert b"".join(dp.read_from(file_path(hash_of(CONTENT)), offset=0, limit_bytes=100)) == CONTENT
    assert world.cap.read(ITEM) == b"another's sealed report"
    assert os.stat(world.cap.folder / ITEM).st_uid == os.stat(world.cap.folder).st_uid, "the item is the site's"
    assert os.listdir(world.cap.folder / ARRIVING) == []


def test_nobody_reads_an_item_that_was_dropped_not_even_by_its_name(world: World) -> None:
    with pytest.raises(UnavailableError, match="denied"):
        world.share.look(ITEM)
    assert "ACCESS_DENIED" in world.smbclient(f"get {ITEM.replace('/', chr(92))} -")


@pytest.mark.parametrize("box", [box.name for box in UP_BOXES] + [ARRIVING])
def test_nobody_lists_an_up_box(world: World, box: str) -> None:
    with pytest.raises(UnavailableError, match="denied"):
        world.share.entries(box, limit=10)
    said = world.smbclient(f"ls {box}\\*")
    assert "ACCESS_DENIED" in said
    assert "abab" not in said


def test_nobody_removes_replaces_or_moves_an_item(world: World) -> None:
    with pytest.raises(UnavailableError, match="denied"):
        world.share.remove(ITEM)
    with pytest.raises(UnavailableError, match="denied"):
        world.share.place(ITEM, [b"forged"], aside=f"{ARRIVING}/forged", replaces=True)
    path = ITEM.replace("/", "\\")
    assert "ACCESS_DENIED" in world.smbclient(f"rename {path} {ARRIVING}\\mine")
    assert "ACCESS_DENIED" in world.smbclient(f"del {path}")
    assert world.cap.read(ITEM) == b"another's sealed report"
    assert os.listdir(world.cap.folder / ARRIVING) == []


def test_nobody_writes_to_what_the_site_publishes(world: World) -> None:
    with pytest.raises(UnavailableError, match="denied"):
        world.share.place(TIMESTAMP, [b"forged"], aside=f"{ARRIVING}/forged", replaces=True)
    with pytest.raises(UnavailableError, match="denied"):
        world.share.place("pkginfo.box/new.pkg", [b"forged"], aside=f"{ARRIVING}/forged", replaces=False)
    with pytest.raises(UnavailableError, match="denied"):
        world.share.remove(TIMESTAMP)
    with pytest.raises(UnavailableError, match="denied"):
        world.share.make_folder("clidata.box/folder")
    assert "ACCESS_DENIED" in world.smbclient(f"rename {TIMESTAMP.replace('/', chr(92))} {ARRIVING}\\mine")
    assert world.cap.read(TIMESTAMP) == b"published"


@pytest.mark.parametrize("path", ["anything", "clidata.box/anything", "offerinf.box/lookup/x", ".aside/x"])
def test_nothing_is_put_anywhere_but_into_an_up_box(world: World, path: str) -> None:
    with pytest.raises((UnavailableError, AbsentError)):
        world.share.place(path, [b"x"], aside=path, replaces=False)
    with pytest.raises((UnavailableError, AbsentError)):
        world.share.place(path, [b"x"], aside=f"{ARRIVING}/x", replaces=False)
    assert not (world.cap.folder / path).exists()


def test_content_is_for_reading_alone(world: World) -> None:
    path = file_path(hash_of(CONTENT))
    before = sorted(os.listdir(world.dp.folder))
    assert "ACCESS_DENIED" in world.smbclient(f"del {path.replace('/', chr(92))}", share="DP_S01")
    assert "ACCESS_DENIED" in world.smbclient("put /etc/hostname forged", share="DP_S01")
    assert world.dp.read(path) == CONTENT
    assert sorted(os.listdir(world.dp.folder)) == before


@pytest.mark.parametrize("path", ["..\\keys\\secret", "clidata.box\\..\\..\\keys\\secret", "\\..\\keys\\secret"])
def test_the_rest_of_the_sites_folder_is_out_of_reach(world: World, path: str) -> None:
    said = world.smbclient(f"get {path} -")
    assert "the site's key" not in said


def test_rights_cannot_be_changed(world: World) -> None:
    path = ITEM.replace("/", "\\")
    words = ["smbcacls", "//127.0.0.1/CAP_S01", path, "-p", str(world.samba.port), "-U", f"games%{PASSWORD}"]
    subprocess.run(
        [*words, "--client-protection=encrypt", "-S", "ACL:Everyone:ALLOWED/0x0/FULL"], capture_output=True, check=False
    )
    world.smbclient(f"setmode {path} -r")
    assert os.stat(world.cap.folder / ITEM).st_mode & 0o7777 == 0o600
    with pytest.raises(UnavailableError, match="denied"):
        world.share.look(ITEM)


def test_a_folder_that_somebody_makes_in_a_box_stops_nothing(world: World) -> None:
    world.share.make_folder("statmsgs.box/folder")
    try:
        assert [one.name for one in world.cap.listed("statmsgs.box", limit=10)] == [ITEM.rpartition("/")[2]]
        with pytest.raises(UnavailableError, match="denied"):
            world.share.place("statmsgs.box/folder/x", [b"x"], aside=f"{ARRIVING}/x", replaces=False)
    finally:
        (world.cap.folder / "statmsgs.box" / "folder").rmdir()


def test_without_the_password_and_without_encryption_nobody_comes_in(world: World) -> None:
    words = ["smbclient", "//127.0.0.1/CAP_S01", "-p", str(world.samba.port)]
    nobody = subprocess.run([*words, "-N", "-c", "ls"], capture_output=True, text=True, check=False)
    assert "ACCESS_DENIED" in nobody.stdout + nobody.stderr
    plain = [*words, "-U", f"games%{PASSWORD}", "--max-protocol=SMB2_10", "-c", "ls"]
    unencrypted = subprocess.run(plain, capture_output=True, text=True, check=False)
    assert "ACCESS_DENIED" in unencrypted.stdout + unencrypted.stderr


def test_a_full_box_takes_nothing_and_takes_again_and_nothing_was_looked_for(world: World) -> None:
    point = world.points.at(world.samba.url)
    other = "statmsgs.box/" + "cd" * 16
    world.cap.set_full("statmsgs.box", is_full=True)
    with pytest.raises(UnavailableError, match="denied"):
        point.put(other, b"x")
    point.put("ddr.box/" + "cd" * 16, b"the other boxes go on")
    world.cap.set_full("statmsgs.box", is_full=False)
    point.put(other, b"x")
    assert world.cap.read(other) == b"x"
    world.cap.remove(other)
    world.cap.remove("ddr.box/" + "cd" * 16)


@pytest.mark.parametrize("cap", ["/srv/a;b/CAP_S01", "/srv/%U/CAP_S01", "/srv/a'b/CAP_S01", "srv/CAP_S01", "/srv/../CAP_S01"])
@pytest.mark.parametrize("account", ["a b", "$(x)", "root", "games"])
def test_what_samba_or_a_shell_would_take_for_its_own_is_refused(cap: str, account: str) -> None:
    with pytest.raises(RefusedError):
        samba_configuration(Plan(cap_folder=cap, dp_folder="/srv/DP_S01", site_user="root", account=account))


def test_the_printed_text_is_one_that_samba_accepts_and_whose_commands_a_shell_reads(tmp_path: Path) -> None:
    text = samba_configuration(Plan(cap_folder="/srv/the site/CAP_S01", dp_folder="/srv/the site/DP_S01", site_user="purveyor"))
    (tmp_path / "smb.conf").write_text(text)
    said = subprocess.run(["testparm", "-s", str(tmp_path / "smb.conf")], capture_output=True, text=True, check=True)
    assert "[CAP_S01]" in said.stdout
    assert not [word for word in ("Unknown parameter", "Invalid combination") if word in said.stderr], said.stderr
    assert subprocess.run(["sh", "-n", "-c", commands_in(text)], check=False).returncode == 0
    assert "smbpasswd -a purveyor-clients" in commands_in(text)
