"""Points that a site pushes to over real wires: a bucket of an S3 server, a share of Samba, and folders."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from http_servers import serving
from purveyor.console.api import points as points_api
from purveyor.console.server import RunningServer, bound
from purveyor.distribution_point.application import application as dp_application
from purveyor.site_server import certificates
from purveyor.site_server.admin import points
from purveyor.site_server.database import points as point_rows
from purveyor.site_server.database.engine import Database
from purveyor.site_server.executive import Executive
from purveyor.site_server.model.points import PointGiven, PointKind
from purveyor.site_server.site import create_site, open_site, utc_now
from purveyor.site_server.threads import Threads
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.http.serving import answer_lifespan
from purveyor.transport.open_point import Points
from purveyor.transport.smb.shelf import SmbShelf
from purveyor.transport.strays import ASIDES, UNCHANGED_SECONDS, Strays
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import UnavailableError
from purveyor.wire.status_messages import StatusId
from running_site import RunningSite
from s3_server import Bucket
from samba_server import Samba, credentials_file, samba_running, share_of

START_SECONDS = 60
ITEM = "statmsgs.box/" + "ab" * 16
TIMESTAMP = "clidata.box/timestamp.json"


def down(folder: Path) -> dict[str, bytes]:
    """What lies in the down boxes of a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if is_down_path(str(path.relative_to(folder)))}


def given(site: RunningSite, *words: str) -> str:
    """The one line that a command prints."""
    said = site.purveyor(*words)
    assert said.code == 0, said
    return said.line


def turns(site: RunningSite) -> None:
    """Turns of the site until nothing is left to do at once; no component fails."""
    while site.executive.turn():
        pass
    assert [health for health in site.executive.health.values() if health.error] == []


def tell_whole_addresses(site: RunningSite) -> None:
    """The site's own points are told by whole addresses, as they must be beside other CAPs."""
    for name, folder in (("cap1", "cap"), ("dp1", "dp")):
        assert site.purveyor("point", "edit", name, "--url", f"{site.url}/{folder}").code == 0


def roll_out(site: RunningSite, folder: Path, name: str) -> str:
    """A package with content that everybody is offered."""
    source = folder / name
    source.mkdir()
    (source / "setup").write_bytes(name.encode() * 5000)
    package = given(site, "package", "add", str(source), "--name", name)
    assert site.purveyor("program", "add", package, "install", "--command", "sh setup").code == 0
    assert site.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes").code == 0
    turns(site)
    return package


def test_a_cap_and_a_dp_in_a_bucket_are_read_by_clients_over_plain_http(
    running_site: RunningSite, bucket: Bucket, tmp_path: Path
) -> None:
    site = running_site
    tell_whole_addresses(site)
    secret = tmp_path / "s3.credentials"
    secret.touch(0o600)
    secret.write_text(
        f"[default]\naws_access_key_id={bucket.credentials.access_key_id}\n"
        f"aws_secret_access_key={bucket.credentials.secret_access_key}\n"
    )
    where = ("--credentials", str(secret), "--endpoint", bucket.endpoint)
    public = f"{bucket.endpoint}/{bucket.name}/s"
    for kind, folder in (("cap", "CAP_S01"), ("dp", "DP_S01")):
        assert given(site, "point", "add", kind, f"{public}/{folder}", "--push-to", f"s3://{bucket.name}/s/{folder}", *where)
    bucket.open_to_everybody(site.purveyor("cap", "s3-policy", f"s3://{bucket.name}/s").out)
    deleted = roll_out(site, tmp_path, "Deleted")
    roll_out(site, tmp_path, "Kept")
    turns(site)

    root = tmp_path / "root.json"
    root.write_bytes((tmp_path / "CAP_S01" / "clidata.box" / "1.root.json").read_bytes())
    copy = ("cap", "mirror", f"{public}/CAP_S01", str(tmp_path / "copy"), "--root", str(root))
    mirrored = site.purveyor(*copy, "--dp", f"{public}/DP_S01", str(tmp_path / "copy-dp"))

    assert (mirrored.code, mirrored.err) == (0, mirrored.err), "what a client judges it by holds: whole, signed, content verified"
    assert len([path for path in (tmp_path / "copy-dp" / "manifests").iterdir() if path.is_file()]) == 2
    shown = {row["id"]: row for row in site.purveyor("point", "list", "--json").json}
    assert (shown["cap2"]["behind"], shown["cap2"]["takes_items"], shown["dp2"]["behind"]) == (0, False, 0)
    assert bucket.credentials.secret_access_key not in site.purveyor("point", "show", "cap2", "--json").out
    site.purveyor("package", "delete", deleted, "--yes")
    turns(site)
    assert HttpPoint(f"{public}/CAP_S01").read("clidata.box/timestamp.json", limit_bytes=10_000)
    assert site.purveyor(*copy).code == 0


def test_a_cap_on_a_share_is_filled_over_samba_and_its_items_are_collected(
    running_site: RunningSite, samba: Samba, tmp_path: Path
) -> None:
    site = running_site
    tell_whole_addresses(site)
    secret = credentials_file(tmp_path, samba)
    name = given(site, "point", "add", "cap", samba.url, "--push-to", samba.url, "--credentials", str(secret))
    roll_out(site, tmp_path, "Editor")
    assert down(samba.folder) == down(tmp_path / "CAP_S01")

    session = Points(lambda: samba.credentials)
    session.at(samba.url).put(ITEM, b"no envelope, which is set aside")
    session.close()
    site.executive.rounds.forget()
    turns(site)

    assert not (samba.folder / ITEM).exists()
    assert site.purveyor("point", "show", name, "--json").json["quiet_since"] is not None
    assert [path.name for path in (tmp_path / "rejected" / "items").iterdir() if ITEM.rpartition("/")[2] in path.name]


def test_a_share_that_is_not_there_is_said_and_delays_no_other(running_site: RunningSite, samba: Samba, tmp_path: Path) -> None:
    site = running_site
    tell_whole_addresses(site)
    secret = credentials_file(tmp_path, samba, password="another one")
    said = site.purveyor("point", "add", "cap", samba.url, "--push-to", samba.url, "--credentials", str(secret))
    assert (said.code, said.line) == (0, "cap2")
    assert "could not be reached yet" in said.err
    (tmp_path / "other").mkdir()
    given(site, "point", "add", "cap", f"file://{tmp_path}/other", "--push-to", str(tmp_path / "other"))
    roll_out(site, tmp_path, "Editor")

    assert down(tmp_path / "other") == down(tmp_path / "CAP_S01")
    shown = {row["id"]: row for row in site.purveyor("point", "list", "--json").json}
    assert shown["cap2"]["failures"] and shown["cap2"]["behind"] is None, "nothing was ever pushed there"
    assert (shown["cap3"]["failures"], shown["cap3"]["behind"]) == (0, 0)
    assert "another one" not in str(shown)

    credentials_file(tmp_path, samba)
    secret.chmod(0o644)
    assert site.purveyor("point", "edit", "cap2", "--weight", "60").code == 0
    turns(site)
    assert "others can read" in site.purveyor("point", "show", "cap2", "--json").json["problem"]
    secret.chmod(0o600)
    assert site.purveyor("point", "edit", "cap2", "--weight", "50").code == 0, "it is tried at once when something was changed"
    turns(site)
    assert down(samba.folder) == down(tmp_path / "CAP_S01")
    told = site.purveyor("status", "messages", "--point", "cap2", "--json").json
    assert StatusId.POINT_FOREIGN not in [row["status"] for row in told]


def test_a_share_that_turns_read_only_or_another_site_s_is_said_and_left_as_it_is(
    running_site: RunningSite, open_folder: Path, tmp_path: Path
) -> None:
    site, share = running_site, open_folder / "share"
    share.mkdir()
    share.chmod(0o777)
    tell_whole_addresses(site)

    def pushed_to(samba: Samba) -> str:
        secret = credentials_file(tmp_path, samba)
        words = ("--url", samba.url, "--push-to", samba.url, "--credentials", str(secret))
        if given_points(site) == 1:
            given(site, "point", "add", "cap", samba.url, *words[2:])
        else:
            assert site.purveyor("point", "edit", "cap2", *words).code == 0
        turns(site)
        return str(site.purveyor("point", "show", "cap2", "--json").json["problem"])

    with samba_running(share) as samba:
        assert pushed_to(samba) == ""
    before = down(share)
    with samba_running(share, more="read only = yes") as samba:
        roll_out(site, tmp_path, "Editor")
        assert "cannot be written" in pushed_to(samba)
    (share / "site.json").write_text('{"site":"S99","root":"' + "ab" * 32 + '"}')
    with samba_running(share) as samba:
        assert "another site, S99" in pushed_to(samba)
    assert down(share) == before != down(tmp_path / "CAP_S01")
    told = site.purveyor("status", "messages", "--point", "cap2", "--json").json
    assert [row["status"] for row in told] == [StatusId.POINT_FOREIGN, StatusId.POINT_READ_ONLY]


def test_a_share_whose_clock_is_years_off_is_filled_like_another_and_nothing_of_it_is_taken_away(
    running_site: RunningSite, open_folder: Path, tmp_path: Path
) -> None:
    site = running_site
    for name in ("CAP_S01", "DP_S01"):
        (open_folder / "share" / name).mkdir(parents=True)
        (open_folder / "share" / name).chmod(0o777)
    tell_whole_addresses(site)
    cap, dp = open_folder / "share" / "CAP_S01", open_folder / "share" / "DP_S01"
    with samba_running(open_folder / "share") as samba:
        secret = credentials_file(tmp_path, samba)
        for kind, folder in (("cap", cap), ("dp", dp)):
            where = f"{samba.url}/{folder.name}"
            given(site, "point", "add", kind, where, "--push-to", where, "--credentials", str(secret))
        for number, hours in enumerate((0, -24 * 365 * 20, 24 * 365 * 10, 30)):
            for path in (one for folder in (cap, dp) for one in folder.rglob("*") if one.is_file()):
                when = time.time() + hours * 3600
                os.utime(path, (when, when))
            before, seen = whole(dp), (cap / TIMESTAMP).stat().st_mtime if number else 0
            roll_out(site, tmp_path, f"Package {number}")
            site.executive.rounds.forget()  # as after a start: all of it is looked at and swept
            turns(site)
            assert down(cap) == down(tmp_path / "CAP_S01")
            assert before < whole(dp) == whole(tmp_path / "DP_S01")
            assert (cap / TIMESTAMP).stat().st_mtime > seen, "to whoever asks by its date it is another one"
    assert [row["problem"] for row in site.purveyor("point", "list", "--json").json] == [""] * 4


def whole(folder: Path) -> set[str]:
    """The content that lies on a DP."""
    return {
        str(path.relative_to(folder)) for name in ("manifests", "files") for path in (folder / name).rglob("*") if path.is_file()
    }


async def answer_skewed(scope: Scope, receive: Receive, send: Send) -> None:
    """An S3 server for which this machine's clock is too far off."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    words = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>"
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/xml")]})
    await send({"type": "http.response.body", "body": words})


def test_a_bucket_whose_server_finds_the_clocks_too_far_apart_is_said_plainly_and_delays_no_other(
    running_site: RunningSite, tmp_path: Path
) -> None:
    site = running_site
    tell_whole_addresses(site)
    secret = tmp_path / "s3.credentials"
    secret.touch(0o600)
    secret.write_text("[default]\naws_access_key_id=site\naws_secret_access_key=secret\n")
    with serving(answer_skewed) as endpoint:
        where = ("--push-to", "s3://bucket/cap", "--credentials", str(secret), "--endpoint", endpoint)
        said = site.purveyor("point", "add", "cap", "https://bucket.example/cap", *where)
        assert (said.code, "are too far apart" in said.err) == (0, True), said
        (tmp_path / "other").mkdir()
        given(site, "point", "add", "cap", f"file://{tmp_path}/other", "--push-to", str(tmp_path / "other"))
        roll_out(site, tmp_path, "Editor")
    assert down(tmp_path / "other") == down(tmp_path / "CAP_S01")
    problem = site.purveyor("point", "show", "cap2", "--json").json["problem"]
    assert "the clock of this machine and that of the server are too far apart" in problem


def test_a_server_that_is_killed_in_the_middle_of_a_push_shows_no_half_file_and_what_it_left_goes(open_folder: Path) -> None:
    folder, path = open_folder / "share", f"files/ab/{'ab' * 32}"
    folder.mkdir()
    folder.chmod(0o777)
    strays = Strays(ASIDES)
    with samba_running(folder) as samba:

        def breaking() -> Iterator[bytes]:
            yield b"x" * 100_000
            os.killpg(samba.pid, signal.SIGKILL)
            yield b"y" * 100_000

        with pytest.raises(UnavailableError):
            SmbShelf(share_of(samba), owner="site").write_from(path, breaking(), limit_bytes=300_000)
    assert not (folder / path).exists()
    left = os.listdir(folder / ".aside")
    assert left == ["site-1"], "a server that ends in good order removes it itself"
    with samba_running(folder) as samba:
        shelf = SmbShelf(share_of(samba), owner="other")
        assert shelf.write_from(path, iter([b"whole"]), limit_bytes=300_000) == 5
        assert (strays.sweep(shelf, 0.0).removed, os.listdir(folder / ".aside")) == (0, left)
        assert (strays.sweep(shelf, UNCHANGED_SECONDS).removed, os.listdir(folder / ".aside")) == (1, [])
        assert (folder / path).read_bytes() == b"whole"
        shelf.close()


def test_whoever_looks_at_a_share_leaves_no_connection_behind(running_site: RunningSite, samba: Samba, tmp_path: Path) -> None:
    def connections() -> int:
        return sum(one.name.startswith("msg_worker") for one in threading.enumerate())

    site = running_site
    tell_whole_addresses(site)
    where = (samba.url, "--push-to", samba.url, "--credentials", str(credentials_file(tmp_path, samba)))
    before = connections()
    mark = '{"site":"S99","root":"' + "ab" * 32 + '"}'
    (samba.folder / "site.json").write_text(mark)
    assert "another site, S99" in site.purveyor("point", "add", "cap", *where).err
    (samba.folder / "site.json").unlink()
    given(site, "point", "add", "cap", *where)
    until(lambda: connections() == before)
    turns(site)
    assert connections() == before + 1, "one is kept for the rounds"
    (samba.folder / "site.json").write_text(mark)
    for weight in ("10", "20"):
        assert site.purveyor("point", "edit", "cap2", "--weight", weight).code == 0
        turns(site)
        assert "another site" in site.purveyor("point", "show", "cap2", "--json").json["problem"]
    until(lambda: connections() == before)


def given_points(site: RunningSite) -> int:
    """How many CAPs stand."""
    return sum(row["kind"] == "cap" for row in site.purveyor("point", "list", "--json").json)


@contextmanager
def silent_server() -> Iterator[tuple[str, socket.socket]]:
    """A server that takes connections and answers nothing: its address, and the socket at which it could."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(START_SECONDS)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", listening


def add_silent_and_other(database: Database, secret: Path, endpoint: str, other: Path) -> None:
    """A CAP in a bucket of a server that never answers, for which `point add` would wait, and one in a folder."""
    secret.touch(0o600)
    secret.write_text("[default]\naws_access_key_id=site\naws_secret_access_key=secret\n")
    said = PointGiven(url="https://silent.example/cap", target="s3://silent/cap", credentials=str(secret), endpoint=endpoint)
    with database.write() as tx:
        for name in ("cap1", "dp1"):
            points.edit(tx, name, url=f"https://site.example/{name}", by="test", now=utc_now())
        points.add(tx, PointKind.CAP, by="test", now=utc_now(), **said)
        points.add(tx, PointKind.CAP, url="https://other.example/cap", target=str(other), by="test", now=utc_now())


def until(is_so: Callable[[], bool]) -> None:
    """Looks until something is so."""
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_that_never_answers_holds_up_no_other_point_and_has_one_thread(
    running_site: RunningSite, tmp_path: Path
) -> None:
    def threads() -> int:
        return sum(one.name == "point" for one in threading.enumerate())

    site = running_site.site
    with silent_server() as (endpoint, listening):
        add_silent_and_other(site.database, tmp_path / "secret", endpoint, tmp_path / "other")
        executive = Executive(site, pushers=Threads())
        executive.turn()
        asked, _ = listening.accept()

        def is_filled() -> bool:
            executive.turn()
            return down(tmp_path / "other") == down(tmp_path / "CAP_S01") != {}

        until(is_filled)
        for _ in range(20):
            executive.turn()
        until(lambda: threads() == 1)
        assert executive.rounds.end(0.0) == ["cap2"]
        asked.close()
    until(lambda: threads() == 0)
    assert executive.rounds.end(0.0) == []
    with site.database.read() as tx:
        row = point_rows.point_of(tx, "cap2")
    assert row is not None and (row.failures, endpoint.partition("//")[2] in row.problem or "silent" in row.problem) == (1, True)


def test_a_site_stops_although_a_server_never_answers(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    create_site(folder, code="S01", now=utc_now())
    with silent_server() as (endpoint, listening):
        site = open_site(folder)
        add_silent_and_other(site.database, tmp_path / "secret", endpoint, tmp_path / "other")
        site.database.dispose()
        process = subprocess.Popen(
            [sys.executable, "-m", "purveyor.cli", "site", "run", str(folder), "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE
        )
        try:
            asked, _ = listening.accept()
            until((tmp_path / "other" / "clidata.box" / "timestamp.json").exists)
            until((folder / "site.url").exists)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=START_SECONDS)
        finally:
            process.kill()
            process.wait()
            asked.close()
    assert (process.returncode, b"cap2 does not answer" in said) == (0, True), said


@pytest.mark.parametrize("kind", ["s3", "smb"])
def test_who_adds_a_point_at_a_silent_server_is_told_so_soon(
    running_site: RunningSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    tell_whole_addresses(running_site)
    assert points_api.LOOK_SECONDS <= 20
    monkeypatch.setattr(points_api, "LOOK_SECONDS", 0.5)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(
        "[default]\naws_access_key_id=site\naws_secret_access_key=secret\n" if kind == "s3" else "username=a\npassword=b\n"
    )
    with silent_server() as (endpoint, listening):
        target = {"s3": "s3://silent/cap", "smb": f"smb://{endpoint.partition('//')[2]}/CAP_S01"}[kind]
        where = ("--push-to", target, "--credentials", str(secret), *(("--endpoint", endpoint) if kind == "s3" else ()))
        said = running_site.purveyor("point", "add", "cap", "https://cap2.example/cap", *where)
        asked, _ = listening.accept()
        asked.close()
    assert (said.code, said.line) == (0, "cap2"), said
    assert f"{target} does not answer within 0 seconds" in said.err


def test_what_cannot_be_a_point_is_refused_with_what_to_do(running_site: RunningSite, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        said = running_site.purveyor("point", "add", *words)
        assert (said.code, said.out) == (1, ""), said
        return said.err

    cap2 = "https://cap2.example/cap"
    assert "point edit cap1 --url" in refused("cap", cap2)
    tell_whole_addresses(running_site)
    assert "no name or password" in refused("cap", "https://anna:secret@cap2.example/cap")
    assert "https:// address" in refused("cap", "s3://bucket/CAP_S01")
    assert "no address" in refused("dp", "gopher://dp2")
    assert "no network" in refused("cap", cap2, "--network", "10.1.2.3/8")
    assert "--credentials" in refused("cap", cap2, "--push-to", "s3://bucket/CAP_S01")
    assert "whole path" in refused("cap", cap2, "--push-to", "smb://a/b", "--credentials", "anna:secret")
    assert "is the address of cap1" in refused("cap", f"{running_site.url}/cap/")
    theirs = tmp_path / "theirs"
    (theirs / "clidata.box").mkdir(parents=True)
    (theirs / "clidata.box" / "1.root.json").write_text("{}")
    assert "another site" in refused("cap", cap2, "--push-to", str(theirs))
    sources = tmp_path / "sources"
    (sources / "app").mkdir(parents=True)
    for kind in ("cap", "dp"):
        assert "'app' lies there" in refused(kind, f"https://{kind}2.example", "--push-to", str(sources))
    assert "make it first" in refused("cap", cap2, "--push-to", str(tmp_path / "two"))
    (tmp_path / "two").mkdir()
    given(running_site, "point", "add", "cap", cap2, "--push-to", str(tmp_path / "two"))
    assert "make it first" in running_site.purveyor("point", "edit", "cap2", "--push-to", str(tmp_path / "tow")).err
    assert not (tmp_path / "tow").exists()
    assert "is the address of cap2" in refused("cap", "https://CAP2.example:443/cap")
    assert "one place" in refused("dp", "https://cap2.example/dp", "--push-to", str(tmp_path / "two" / "dp"))
    assert "point edit" in running_site.purveyor("point", "edit", "dp1", "--url", "../dp").err


def test_a_dp_that_a_mirror_fills_is_read_by_the_site_over_https_as_its_pins_say(
    running_site: RunningSite, tmp_path: Path
) -> None:
    site = running_site
    tell_whole_addresses(site)
    roll_out(site, tmp_path, "editor")
    (tmp_path / "branch").mkdir()
    made = certificates.make(tmp_path / "branch", (), utc_now())
    chain = certificates.chain_of(tmp_path / "branch", made)
    branch = dp_application(tmp_path / "DP_S01")  # as a mirror has it
    server = RunningServer(branch, bound("127.0.0.1", 0), stop_seconds=1, chain=chain)
    try:
        dp = given(site, "point", "add", "dp", server.url, "--pin", made.pin)
        turns(site)
        seen = site.purveyor("point", "show", dp, "--json").json
        assert (seen["problem"], seen["behind"], seen["manifests"]) == ("", 0, 1)
    finally:
        server.stop()


@pytest.mark.parametrize(("kind", "own"), [("cap", "CAP_S01"), ("dp", "DP_S01")])
def test_a_share_that_a_mirror_fills_is_read_by_the_site_as_its_credentials_say(
    running_site: RunningSite, samba: Samba, tmp_path: Path, kind: str, own: str
) -> None:
    site = running_site
    tell_whole_addresses(site)
    roll_out(site, tmp_path, "Editor")
    shutil.copytree(tmp_path / own, samba.folder, dirs_exist_ok=True)
    name = given(site, "point", "add", kind, samba.url)

    def seen() -> tuple[bool, int | None, str]:
        turns(site)
        shown = site.purveyor("point", "show", name, "--json").json
        return shown["is_told"], shown["behind"], shown["problem"]

    assert "with --credentials" in seen()[2]
    assert site.purveyor("point", "edit", name, "--credentials", str(credentials_file(tmp_path, samba))).code == 0
    assert seen() == (True, None if kind == "cap" else 0, "")
