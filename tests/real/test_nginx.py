"""Clients and a site with real nginx between them: different users, the access log, what the printed comments ask for."""

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from counted_point import CountedPoint
from http_servers import NGINX_USER, Nginx, nginx_running
from purveyor.client_access_point.nginx import ARRIVING, Plan, nginx_configuration
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.http.point import HttpPoint
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import AbsentError, UnavailableError

TIMESTAMP = "clidata.box/timestamp.json"
SHARD = "offerinf.box/lookup/1/0.lkp"
NOBODY = 65534


def test_two_publications_within_one_second_are_both_seen_by_a_polling_client(nginx: Nginx, cap_shelf: FolderShelf) -> None:
    point = HttpPoint(f"{nginx.url}/cap")
    tags = {TIMESTAMP: "", SHARD: ""}
    for number in range(6):
        for path in tags:
            cap_shelf.replace(path, b"publication %03d" % number)
        for path, tag in tags.items():
            answer = point.read(path, limit_bytes=1000, tag=tag)
            assert answer is not None
            assert answer.content == b"publication %03d" % number
            tags[path] = answer.tag
            assert point.read(path, limit_bytes=1000, tag=answer.tag) is None
    point.close()


def test_the_access_log_tells_what_the_client_counted(nginx: Nginx, cap_shelf: FolderShelf) -> None:
    cap_shelf.replace(TIMESTAMP, b"one")
    inner = HttpPoint(f"{nginx.url}/cap")
    point = CountedPoint(inner)
    answer = point.read(TIMESTAMP, limit_bytes=1000)
    assert answer is not None
    point.read(TIMESTAMP, limit_bytes=1000, tag=answer.tag)
    item = f"statmsgs.box/{secrets.token_hex(16)}"
    point.put(item, b"sealed")
    with pytest.raises(AbsentError):
        point.read("clidata.box/2.root.json", limit_bytes=1000)
    inner.close()
    assert [line for line in nginx.logged() if "/cap/" in line] == [
        f"GET /cap/{TIMESTAMP} 200",
        f"GET /cap/{TIMESTAMP} 304",
        f"PUT /cap/{item} 201",
        "GET /cap/clidata.box/2.root.json 404",
    ]
    assert (point.counts.requests, point.counts.unchanged, point.counts.absent) == (4, 1, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the site and nginx as different users")
def test_site_and_nginx_work_as_different_users_once_the_printed_commands_were_run(open_folder: Path) -> None:
    cap = open_folder / "CAP_S01"
    cap.mkdir()
    os.chown(cap, NOBODY, NOBODY)
    assert as_site(cap, make) == "made"
    plan = Plan(cap_folder=str(cap), dp_folder="", nginx_user=NGINX_USER)
    subprocess.run(["sh", "-euc", "\n".join(printed_commands(nginx_configuration(plan)))], check=True)
    with nginx_running(plan) as nginx:
        point = HttpPoint(f"{nginx.url}/cap")
        assert point.read(TIMESTAMP, limit_bytes=100) is not None
        point.put(f"statmsgs.box/{secrets.token_hex(16)}", b"from a client")
        assert as_site(cap, take) == "b'from a client'"
        assert as_site(cap, take) == ""
        owner = (cap / "statmsgs.box").stat()
        assert (owner.st_uid, oct(owner.st_mode & 0o7777)) == (NOBODY, "0o1730")
        point.close()


def test_without_the_right_to_put_an_item_waits(nginx: Nginx, cap_shelf: FolderShelf) -> None:
    point = HttpPoint(f"{nginx.url}/cap")
    (cap_shelf.folder / "ddr.box").chmod(0o1700)
    if os.geteuid() == 0:
        with pytest.raises(UnavailableError):
            point.put(f"ddr.box/{secrets.token_hex(16)}", b"sealed")
        assert cap_shelf.listed("ddr.box", limit=10) == []
    assert [path for path in (cap_shelf.folder / ARRIVING).rglob("*") if path.is_file()] == []
    point.close()


def test_a_path_with_spaces_is_served(open_folder: Path) -> None:
    shelf = FolderShelf(open_folder / "a folder with spaces" / "CAP_S01")
    shelf.make_boxes()
    shelf.replace(TIMESTAMP, b"one")
    with nginx_running(Plan(cap_folder=str(shelf.folder), dp_folder="")) as nginx:
        point = HttpPoint(f"{nginx.url}/cap")
        assert point.read(TIMESTAMP, limit_bytes=100) is not None
        point.close()


def printed_commands(configuration: str) -> list[str]:
    """The commands in the comment, as an administrator would copy them."""
    return re.findall(r"^#   (.+)$", configuration, re.MULTILINE)


def as_site(cap: Path, work: Callable[[FolderShelf], str]) -> str:
    """What the site's side says that runs as the user nobody, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        said = b"failed"
        with contextlib.suppress(Exception):
            said = work(FolderShelf(cap)).encode()
        os.write(writing, said)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def make(shelf: FolderShelf) -> str:
    """The site makes its boxes and publishes."""
    shelf.make_boxes()
    shelf.replace(TIMESTAMP, b"one")
    return "made"


def take(shelf: FolderShelf) -> str:
    """The site takes what came in."""
    taken = []
    for item in shelf.listed("statmsgs.box", limit=10):
        taken.append(f"{shelf.read(f'statmsgs.box/{item.name}')!r}")
        shelf.remove(f"statmsgs.box/{item.name}")
    return " ".join(taken)


def test_every_up_box_has_a_door_and_no_other(nginx: Nginx, cap_shelf: FolderShelf) -> None:
    point = HttpPoint(f"{nginx.url}/cap")
    for box in UP_BOXES:
        point.put(f"{box.name}/{secrets.token_hex(16)}", b"x")
        assert len(cap_shelf.listed(box.name, limit=10)) == 1
    point.close()
