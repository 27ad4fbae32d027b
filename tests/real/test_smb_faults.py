"""What shares do to clients: passwords that change, servers that go or hang, no room, no rights, other sites' boxes, clocks.

Real Samba, real clients. Whatever happens, a client keeps what it has, asks for nothing absent, tells what is wrong without its
password, and goes on once the share is as it was.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from smbprotocol.session import Session

from installation import Ended, Installation
from purveyor.client import share_credentials
from purveyor.content.shelf_store import ShelfStore
from purveyor.lab.transport import MemoryBoxes
from purveyor.mirror.bringing import Bringing
from purveyor.mirror.content import Store
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import Memory
from purveyor.site_server.site import utc_now
from purveyor.transport.folder.shelf import ARRIVING, FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.transport.open_point import Points
from purveyor.transport.pace import Pace
from purveyor.transport.smb import session as smb_session
from purveyor.transport.smb.address import address_of
from purveyor.transport.smb.session import session_with
from purveyor.transport.smb.share import SmbShare
from purveyor.transport.smb.shelf import SmbShelf
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.manifest import File, Manifest, encode, file_path, hash_of, manifest_path
from samba_server import PASSWORD, Samba, credentials_file, samba_as_printed, samba_running, share_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs for another account")

TIMESTAMP = "clidata.box/timestamp.json"
ITEM = "statmsgs.box/" + "ab" * 16
OTHER = "statmsgs.box/" + "cd" * 16
LIMIT = 64 * 2**20


def shared_site(folder: Path, code: str = "S01") -> FolderShelf:
    """The folders of a site that has published one file."""
    folder.mkdir(0o755, exist_ok=True)
    cap = FolderShelf(folder / f"CAP_{code}")
    cap.make_boxes()
    (folder / f"DP_{code}").mkdir(0o755)
    cap.replace(TIMESTAMP, b"published")
    return cap


def children_of(pid: int) -> list[int]:
    """The processes that serve connections, under the one that listens."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(word) for word in found.split()]


def kill_sessions(samba: Samba) -> None:
    """Ends every connection as a power cut of the server would: from one packet to the next."""
    for child in children_of(samba.pid):
        os.kill(child, signal.SIGKILL)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own size at a folder, on which little has room."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(place: Path) -> None:
    """Writes a file until its disk has no room."""
    with place.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def site(open_folder: Path) -> FolderShelf:
    """A site's CAP."""
    return shared_site(open_folder / "site")


@pytest.fixture
def samba(site: FolderShelf) -> Iterator[Samba]:
    """It, shared as printed."""
    with samba_as_printed(site.folder.parent) as running:
        yield running


def read(points: Points, url: str) -> bytes:
    """The timestamp."""
    answer = points.at(url).read(TIMESTAMP, limit_bytes=LIMIT)
    assert answer is not None
    return answer.content


# --- passwords ---


def test_a_wrong_password_is_tried_once_and_the_right_one_is_taken_up_without_a_new_start(
    samba: Samba, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []
    connect = Session.connect

    def counted(session: Session) -> None:
        tries.append(session.password)
        connect(session)

    monkeypatch.setattr(Session, "connect", counted)
    said = [samba.credentials._replace(password="wrong Passw0rd")]
    points = Points(lambda: said[0])
    for used in (points, points, Points(lambda: said[0])):
        with pytest.raises(UnavailableError, match="refuses this user or password") as caught:
            read(used, samba.url)
        assert "wrong Passw0rd" not in str(caught.value)
    said[0] = samba.credentials
    assert read(points, samba.url) == b"published"
    assert tries == ["wrong Passw0rd", samba.credentials.password], "ten tries lock an account"


def test_a_client_with_an_old_password_says_so_and_goes_on_with_the_new_one(
    installation: Installation, open_folder: Path
) -> None:
    with samba_as_printed(installation.site) as samba:
        state = installation.state("anna")
        words = ("client", "join", samba.url, "--code", installation.purveyor("join-code", "create"), "--state", str(state))
        nothing = installation.call(*words)
        assert nothing.code == 1
        assert "--credentials" in nothing.err
        wrong = installation.call(*words, "--credentials", str(credentials_file(open_folder, samba, password="not this one")))
        assert wrong.code == 3
        installation.purveyor(*words, "--credentials", str(credentials_file(open_folder, samba)))

        file = str(credentials_file(open_folder, samba, password="not this one"))
        said = installation.call("client", "credentials", file, "--state", str(state))
        assert (said.code, PASSWORD in said.err, "not this one" in said.err) == (0, False, False)
        failed = installation.pass_of("anna")
        checked = installation.call("client", "check", "--state", str(state))
        assert failed.code == 3
        assert "refuses this user or password" in failed.err + checked.out
        installation.purveyor("client", "credentials", str(credentials_file(open_folder, samba)), "--state", str(state))
        assert installation.pass_of("anna").code == 0

        secrets = (PASSWORD.encode(), b"not this one")
        for path in state.rglob("*"):
            if path.is_file() and path.name != share_credentials.FILE:
                assert not any(secret in path.read_bytes() for secret in secrets), path
        for ended in (nothing, wrong, failed, checked):
            assert not any(secret.decode() in ended.out + ended.err for secret in secrets)
        installation.purveyor("client", "leave", "--state", str(state))
        assert not (state / share_credentials.FILE).exists()


# --- servers that go ---


def test_a_server_that_goes_in_the_middle_of_a_read_is_left_and_the_rest_is_read_when_it_is_back(
    site: FolderShelf, samba: Samba
) -> None:
    content = os.urandom(8 * 2**20)
    path = file_path(hash_of(content))
    FolderShelf(site.folder.parent / "DP_S01").write(path, content)
    points = Points(lambda: samba.credentials)
    point = points.at(samba.url.replace("CAP_", "DP_"))
    pieces = point.read_from(path, offset=0, limit_bytes=LIMIT)
    got = next(pieces)
    kill_sessions(samba)
    before = [got]
    with pytest.raises(UnavailableError):
        before.extend(pieces)
    got = b"".join(before)
    assert 0 < len(got) < len(content)
    assert got + b"".join(point.read_from(path, offset=len(got), limit_bytes=LIMIT)) == content


def test_a_server_that_goes_in_the_middle_of_a_write_shows_no_half_item_and_keeps_none(site: FolderShelf, samba: Samba) -> None:
    points = Points(lambda: samba.credentials)
    share = points.at(samba.url)._share  # type: ignore[attr-defined]

    def broken_off() -> Iterator[bytes]:
        yield b"the first half"
        (aside,) = os.listdir(site.folder / ARRIVING)
        assert site.listed("statmsgs.box", limit=10) == [], f"{aside} is not in the box yet"
        share._session._session.connection.transport.close()
        yield b"the second half"

    with pytest.raises(UnavailableError):
        share.place(ITEM, broken_off(), aside=f"{ARRIVING}/{'ab' * 16}", replaces=False)
    assert site.listed("statmsgs.box", limit=10) == []
    deadline = time.monotonic() + 20
    while os.listdir(site.folder / ARRIVING) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert os.listdir(site.folder / ARRIVING) == [], "the server cleared it away when the session ended"
    points.at(samba.url).put(ITEM, b"whole")
    assert site.read(ITEM) == b"whole"


def test_a_server_that_hangs_is_given_up(samba: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smb_session, "ANSWER_SECONDS", 1)
    points = Points(lambda: samba.credentials)
    assert read(points, samba.url) == b"published"
    hanging = children_of(samba.pid)
    for child in hanging:
        os.kill(child, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="timeout"):
        read(points, samba.url)
    assert time.monotonic() - began < 20
    for child in hanging:
        os.kill(child, signal.SIGCONT)
    assert read(points, samba.url) == b"published"


def test_a_server_that_is_stopped_and_started_is_used_again(site: FolderShelf) -> None:
    with samba_as_printed(site.folder.parent) as samba:
        points = Points(lambda: samba.credentials)
        assert read(points, samba.url) == b"published"
    for _ in range(2):
        with pytest.raises(UnavailableError):
            read(points, samba.url)
    with samba_as_printed(site.folder.parent, port=samba.port):
        assert read(points, samba.url) == b"published"


def test_a_session_that_the_server_ended_while_nobody_asked_is_no_failure(site: FolderShelf, samba: Samba) -> None:
    address = address_of(samba.url)
    session = session_with(address, lambda: samba.credentials)
    share = SmbShare(address, session)
    assert share.has(TIMESTAMP)
    for child in children_of(samba.pid):
        os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while session.is_live:
        assert time.monotonic() < deadline, "that the server ended it is never heard"
        time.sleep(0.02)
    assert share.has(TIMESTAMP), "the next use begins another"
    share.close()


# --- no room, no rights ---


def test_a_share_without_room_takes_nothing_shows_no_half_item_and_takes_again(open_folder: Path) -> None:
    with small_disk(open_folder / "small", "1m") as disk:
        site = shared_site(disk / "site")
        with samba_as_printed(site.folder.parent) as samba:
            points = Points(lambda: samba.credentials)
            filler = disk / "filler"
            fill(filler)
            with pytest.raises(UnavailableError, match=r"no room|quota"):
                points.at(samba.url).put(ITEM, b"x" * 200_000)
            assert site.listed("statmsgs.box", limit=10) == []
            assert read(points, samba.url) == b"published", "what is there is read on"
            filler.unlink()
            points.at(samba.url).put(ITEM, b"x" * 200_000)
            assert os.listdir(site.folder / ARRIVING) == []


@pytest.mark.parametrize("is_shared", [False, True], ids=["folder", "share"])
def test_content_that_does_not_fit_on_a_small_disk_leaves_room_for_what_is_published(open_folder: Path, is_shared: bool) -> None:
    content = os.urandom(600_000)
    manifest = encode(Manifest(files=(File(path="setup", sha256=hash_of(content), size_bytes=len(content)),)))
    source = MemoryBoxes("the source", utc_now)
    source.shelf().write(manifest_path(hash_of(manifest)), manifest)
    source.shelf().write(file_path(hash_of(content)), content)
    with small_disk(open_folder / "small", "1m") as disk, ExitStack() as stack:
        (disk / "DP_S01").mkdir()
        (disk / "DP_S01").chmod(0o777)
        shelf: Shelf = FolderShelf(disk / "DP_S01")
        if is_shared:
            shelf = SmbShelf(share_of(stack.enter_context(samba_running(disk / "DP_S01"))), owner="mirror")
            stack.callback(shelf.close)
        place = ShelfStore(shelf, name="the copy")
        for reserve_bytes, is_whole in ((500_000, False), (300_000, True)):
            store = Store(source=source.point("the mirror"), shelf=shelf, place=place, reserve_bytes=reserve_bytes)
            intake = Intake(store.source, Pace())
            nowhere = frozenset[str]().__contains__
            bringing = Bringing(store, intake, memory=Memory(), elsewhere=nowhere, now=utc_now(), noted=lambda: None)
            bringing.bring([hash_of(manifest)])
            bringing.promise()
            assert place.has_manifest(hash_of(manifest)) is is_whole, bringing.problems()
            assert (disk / "DP_S01" / manifest_path(hash_of(manifest))).exists()
            assert 2**20 - (shelf.free_bytes() or 0) < (800_000 if is_whole else 200_000)


def test_a_share_that_is_read_only_is_read_and_takes_nothing_until_it_can(site: FolderShelf) -> None:
    (site.folder / ARRIVING).mkdir()
    (site.folder / ARRIVING).chmod(0o777)
    with samba_running(site.folder, more="  read only = yes\n") as samba:
        points = Points(lambda: samba.credentials)
        assert read(points, samba.url) == b"published"
        with pytest.raises(UnavailableError, match=r"denied|write-protected"):
            points.at(samba.url).put(ITEM, b"sealed")
    assert site.listed("statmsgs.box", limit=10) == []


def test_a_share_that_was_not_prepared_says_what_it_lacks(site: FolderShelf, samba: Samba) -> None:
    (site.folder / ARRIVING).rmdir()
    with pytest.raises(UnavailableError, match="was not prepared"):
        Points(lambda: samba.credentials).at(samba.url).put(ITEM, b"sealed")


def test_a_share_or_folder_that_is_none_is_told_from_an_absent_file(samba: Samba) -> None:
    points = Points(lambda: samba.credentials)
    with pytest.raises(UnavailableError, match="no such share"):
        read(points, f"{samba.url}X")
    with pytest.raises(UnavailableError, match="no point") as caught:
        read(points, f"{samba.url}/nothing")
    assert not isinstance(caught.value, AbsentError)
    with pytest.raises(AbsentError):
        points.at(samba.url).read("clidata.box/absent.json", limit_bytes=LIMIT)


# --- names and clocks ---


def test_a_share_without_case_is_no_other(site: FolderShelf) -> None:
    with samba_as_printed(site.folder.parent) as samba:
        conf = samba.url.replace("CAP_S01", "cap_s01")
        points = Points(lambda: samba.credentials)
        assert read(points, conf) == b"published", "names of shares have no case"
    shutil.chown(site.folder, "nobody")
    (site.folder / ARRIVING).chmod(0o777)
    (site.folder / "statmsgs.box").chmod(0o777)
    with samba_running(site.folder, more="  case sensitive = no\n  default case = upper\n  preserve case = no\n") as samba:
        points = Points(lambda: samba.credentials)
        assert read(points, samba.url) == b"published"
        with pytest.raises(RejectedError):
            points.at(samba.url).put(ITEM.upper(), b"named otherwise")
        points.at(samba.url).put(ITEM, b"sealed")
        names = [one.name for one in site.listed("statmsgs.box", limit=10)]
        assert [name.lower() for name in names] == ["ab" * 16]


@pytest.mark.parametrize("hours", [-30, 30, 24 * 365 * 20])
def test_a_server_whose_clock_is_hours_off_is_polled_like_another(site: FolderShelf, samba: Samba, hours: int) -> None:
    points = Points(lambda: samba.credentials)
    tag = ""
    for number in range(3):
        site.replace(TIMESTAMP, b"publication %d" % number)
        when = os.stat(site.folder / TIMESTAMP).st_mtime + hours * 3600
        os.utime(site.folder / TIMESTAMP, (when, when))
        answer = points.at(samba.url).read(TIMESTAMP, limit_bytes=LIMIT, tag=tag)
        assert answer is not None
        assert answer.content == b"publication %d" % number
        tag = answer.tag
        assert points.at(samba.url).read(TIMESTAMP, limit_bytes=LIMIT, tag=tag) is None


# --- other sites ---


def test_two_sites_on_one_server_keep_apart(open_folder: Path) -> None:
    first = shared_site(open_folder / "one", "S01")
    second = shared_site(open_folder / "two", "S02")
    second.replace(TIMESTAMP, b"of the second")
    both = open_folder / "both"
    both.mkdir(0o755)
    for shelf in (first, second):
        shelf.folder.rename(both / shelf.folder.name)
        (shelf.folder.parent / shelf.folder.name.replace("CAP", "DP")).rename(both / shelf.folder.name.replace("CAP", "DP"))
        (both / shelf.folder.name / ARRIVING).mkdir()
        for name in (ARRIVING, "statmsgs.box"):
            (both / shelf.folder.name / name).chmod(0o777)
    with samba_running(both) as samba:
        points = Points(lambda: samba.credentials)
        assert read(points, f"{samba.url}/CAP_S01") == b"published"
        assert read(points, f"{samba.url}/CAP_S02") == b"of the second"
        points.at(f"{samba.url}/CAP_S02").put(ITEM, b"for the second")
        assert os.listdir(both / "CAP_S01" / "statmsgs.box") == []
        assert os.listdir(both / "CAP_S02" / "statmsgs.box") == ["ab" * 16]


def test_a_client_does_not_join_at_another_sites_share_and_keeps_all_when_one_takes_its_place(
    installation: Installation, open_folder: Path
) -> None:
    (open_folder / "other").mkdir(0o755)
    other = Installation(open_folder / "other")
    other.init()
    other.start()
    try:
        with samba_as_printed(other.site) as theirs:
            code = installation.purveyor("join-code", "create")
            refused = _join(installation, theirs, code)
            assert refused.code == 1
            assert "another one" in refused.err or "no client access point of the site" in refused.err
        with samba_as_printed(installation.site) as ours:
            assert _join(installation, ours, code).code == 0
            package = installation.purveyor("package", "add", "--name", "Counter")
            installation.purveyor(
                "program", "add", package, "count", "--shell", "--command", 'echo once >> "$PURVEYOR_STATE-runs"'
            )
            installation.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
            runs = Path(f"{installation.state('anna')}-runs")
            installation.until("it ran", lambda: installation.pass_of("anna").code == 0 and runs.exists())
        with samba_as_printed(other.site, port=ours.port):
            failed = installation.pass_of("anna")
            assert failed.code == 3
        with samba_as_printed(installation.site, port=ours.port):
            assert installation.pass_of("anna").code == 0
            assert installation.jobs_of(package)[0]["state"] == "succeeded"
            assert runs.read_text() == "once\n"
    finally:
        other.end()


def _join(installation: Installation, samba: Samba, code: str) -> Ended:
    file = str(credentials_file(installation.folder, samba))
    words = ("--code", code, "--state", str(installation.state("anna")), "--credentials", file)
    return installation.call("client", "join", samba.url, *words)
