"""Q293187 as it was seen, and its opposite: what clients ask of a share, captured on the wire and decrypted.

The article's capture shows a client that searches for the package file of a deleted package, at every cycle, for ever. Here real
agents run programs of several packages over a real Samba; then one is deleted, others are disabled, expire, leave the collection,
and come back. Every request for a file, and its answer, is looked at: none at all is for a file that is not there. No probing is
excused: not for the next root, not for a mark, not for an item that is being written.
"""

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from installation import Installation
from purveyor.wire.boxes import DOWN_BOXES
from purveyor.wire.offers import decode
from samba_server import PASSWORD, Samba, credentials_file, samba_as_printed
from smb_wire import SUCCESS, FileRequest, Seen, capturing, requests_in

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs for another account")

AGENTS = ("anna", "boris")
ONCE = "clara"
CLIENTS = (*AGENTS, ONCE)
NAME_NOT_FOUND, NO_SUCH_FILE = 0xC0000034, 0xC000000F
WAYS = ("Kept", "Deleted", "Disabled", "Expired", "Taken")


@pytest.fixture
def samba(installation: Installation) -> Iterator[Samba]:
    """The site's folder, shared as printed."""
    with samba_as_printed(installation.site) as running:
        yield running


def test_no_client_asks_for_what_is_not_there_and_nothing_runs_twice(installation: Installation, samba: Samba) -> None:
    capture = installation.folder / "wire.pcapng"
    with capturing(samba.port, capture):
        _join(installation, samba, *CLIENTS)
        installation.purveyor("collection", "add", "Pilots", *_each("--member"))
        packages = {way: _advertised(installation, way, to="Pilots" if way == "Taken" else "All Systems") for way in WAYS}
        for name in AGENTS:
            installation.run_agent(name)
        installation.until("all ran everywhere", lambda: _pass(installation) and _succeeded(installation, *packages.values()))

        installation.purveyor("program", "disable", packages["Disabled"], "install")
        offer = _advertisement(installation, "Expired")
        installation.purveyor("advertisement", "edit", offer, "--expires", "1s", "--yes")
        installation.purveyor("collection", "edit", "Pilots", *_each("--remove-member"))
        deleted = packages["Deleted"]
        installation.purveyor("package", "delete", deleted, "--yes")
        installation.until(
            "all forgot it",
            lambda: _pass(installation) and installation.asked("package", "retirement", deleted)["acknowledged"] == 3,
        )
        _restart(installation)
        _polls(installation, 2)

        installation.purveyor("program", "enable", packages["Disabled"], "install")
        installation.purveyor("advertisement", "edit", offer, "--no-expires", "--yes")
        installation.purveyor("collection", "edit", "Pilots", *_each("--member"))
        _polls(installation, 2)
        _restart(installation)
        _polls(installation, 2)
        last = _advertised(installation, "Last", to="All Systems")
        installation.until("the last one ran", lambda: _pass(installation) and _succeeded(installation, last))
    seen = requests_in(capture, port=samba.port, password=PASSWORD)
    _keep_excerpt(installation, seen, deleted)

    assert seen.sealed == 0, "every packet was decrypted"
    assert seen.absent == []
    assert [one for one in seen.requests if one.is_search] == [], "nothing is looked for, either, as the article's clients did"
    _assert_only_who_was_ended_got_no_answer(seen)
    assert [one for one in seen.requests if one.status != SUCCESS] == [], "nor was anything refused"
    for name in CLIENTS:
        assert sorted(_runs(installation, name)) == sorted([*packages.values(), last]), "each ran once"
    _assert_the_story_was_on_the_wire(seen, packages, last)
    assert {client["absent_requests"] for client in _rows(installation.asked("resource", "list"))} == {0}


def test_a_file_removed_by_hand_is_seen_as_absent(installation: Installation, samba: Samba) -> None:
    """So the one above could fail: the decoder sees a request that is for nothing, and so does the client's own counter.

    The decoder sees the article's own request too, made by another client: a search for the file's name, answered "no such file".
    """
    capture = installation.folder / "wire.pcapng"
    with capturing(samba.port, capture):
        _join(installation, samba, ONCE)
        kept = _advertised(installation, "Kept", to="All Systems")
        installation.until("it ran", lambda: _pass(installation) and _succeeded(installation, kept, clients=1))
        package = _advertised(installation, "Removed", to="All Systems")
        installation.until("it is offered", lambda: _is_offered(samba, package))
        installation.kill()
        removed = {f"pkginfo.box\\{file.name}" for file in _published(samba, package)}
        for file in _published(samba, package):
            file.unlink()
        installation.pass_of(ONCE)
        _search(samba, f"pkginfo.box\\{package}.PKG")
    seen = requests_in(capture, port=samba.port, password=PASSWORD)

    assert seen.sealed == 0
    opened, searched = seen.absent
    assert (opened.path in removed, opened.is_search, opened.status) == (True, False, NAME_NOT_FOUND)
    assert (searched.path, searched.is_search, searched.status) == (f"pkginfo.box\\{package}.PKG", True, NO_SUCH_FILE)
    assert seen.naming("timestamp.json"), "and what is there was read"
    check = installation.call("client", "check", "--state", str(installation.state(ONCE)), "--json")
    found = {one["subject"]: one["words"] for one in json.loads(check.out)["findings"]}
    assert found["requests for absent files"] == f"1 at smb://127.0.0.1:{samba.port}/CAP_S01"


def _search(samba: Samba, path: str) -> None:
    """Asks for a file as the article's clients did: its name is looked for in its folder."""
    words = ["smbclient", "//127.0.0.1/CAP_S01", "-p", str(samba.port), "-U", f"{samba.credentials.user}%{PASSWORD}"]
    ended = subprocess.run(
        [*words, "--client-protection=encrypt", "-c", f"ls {path}"], capture_output=True, text=True, check=False
    )
    assert "NT_STATUS_NO_SUCH_FILE" in ended.stdout, ended


def _assert_the_story_was_on_the_wire(seen: Seen, packages: dict[str, str], last: str) -> None:
    """The capture is of what it claims to be: each box was read, each package file by each client, many polls made."""
    for box in DOWN_BOXES:
        assert box.name == "clicomp.box" or seen.naming(f"{box.name}\\"), f"{box.name} was read"
    assert seen.naming(".arriving\\"), "reports were put"
    assert any(one.share == "DP_S01" for one in seen.requests), "content was read"
    for package in [*packages.values(), last]:
        assert len(seen.naming(f".{package}.pkg")) >= len(CLIENTS)
    assert len(seen.naming("timestamp.json")) > 15 * len(CLIENTS), "there were many polls"
    gone = seen.naming(f".{packages['Deleted']}.pkg")
    first_of_last = seen.naming(f".{last}.pkg")[0].frame
    after: list[FileRequest] = [one for one in seen.requests if gone[-1].frame < one.frame < first_of_last]
    assert len([one for one in after if "timestamp.json" in one.path]) > 10 * len(CLIENTS), (
        "it was polled on, but not for that one"
    )


def _assert_only_who_was_ended_got_no_answer(seen: Seen) -> None:
    """A client that is ended, or the capture, between request and answer leaves one: it has to be for what others found."""
    found = {one.path for one in seen.requests if one.status == SUCCESS}
    assert len(seen.unanswered) <= 3 * len(AGENTS), "two restarts, and the end"
    assert [path for path in seen.unanswered if path not in found and not path.startswith(".arriving\\")] == []


def _keep_excerpt(installation: Installation, seen: Seen, deleted: str) -> None:
    """Leaves what the page about this tells, for whoever asks for it with PURVEYOR_TEST_EXCERPT=FILE."""
    wanted = os.environ.get("PURVEYOR_TEST_EXCERPT")
    if not wanted:
        return
    lines = [str(one) for one in seen.requests]
    Path(wanted).write_text(f"deleted: {deleted}\nclients in {installation.folder}\n" + "\n".join(lines) + "\n")


def _join(installation: Installation, samba: Samba, *names: str) -> None:
    credentials = credentials_file(installation.folder, samba)
    code = installation.purveyor("join-code", "create", "--uses", str(len(names)))
    for name in names:
        state = str(installation.state(name))
        words = ("--code", code, "--state", state, "--credentials", str(credentials), "--name", name)
        installation.purveyor("client", "join", samba.url, *words)


def _advertised(installation: Installation, name: str, *, to: str) -> str:
    source = installation.folder / name
    source.mkdir()
    (source / "install.sh").write_text(f'# {name}\necho "$PURVEYOR_PACKAGE" >> "$PURVEYOR_STATE-runs"\n')
    package = installation.purveyor("package", "add", str(source), "--name", name)
    installation.purveyor("program", "add", package, "install", "--command", "sh install.sh")
    installation.purveyor("advertise", package, "install", "--to", to, "--assign", "asap", "--yes", "--name", name)
    return package


def _published(samba: Samba, package: str) -> list[Path]:
    return list((samba.folder / "pkginfo.box").glob(f"*.{package}.pkg"))


def _is_offered(samba: Samba, package: str) -> bool:
    """Whether an offer of it was published, with its content at hand, and the timestamp after it."""
    published_at = (samba.folder / "clidata.box" / "timestamp.json").stat().st_mtime
    offers = [file for file in (samba.folder / "offerinf.box").glob("*.ofr") if file.stat().st_mtime < published_at]
    return any(one.package == package for file in offers for one in decode(file.read_bytes()).advertisements)


def _pass(installation: Installation) -> bool:
    return installation.pass_of(ONCE).code == 0


def _polls(installation: Installation, count: int) -> None:
    """Lets time go by: passes of the one client, polls of the agents beside them."""
    for _ in range(count):
        assert _pass(installation)
    for name in AGENTS:
        plan = installation.state(name) / "next.json"
        before = plan.stat().st_mtime_ns
        installation.until(f"{name} makes a pass", functools.partial(_is_other, plan, before))


def _is_other(file: Path, before_ns: int) -> bool:
    return file.stat().st_mtime_ns != before_ns


def _restart(installation: Installation) -> None:
    for name in AGENTS:
        installation.agents[name].terminate()
        installation.agents[name].wait(30)
        installation.run_agent(name)


def _succeeded(installation: Installation, *packages: str, clients: int = len(CLIENTS)) -> bool:
    return all([job["state"] for job in installation.jobs_of(package)] == ["succeeded"] * clients for package in packages)


def _runs(installation: Installation, name: str) -> list[str]:
    return Path(f"{installation.state(name)}-runs").read_text().split()


def _each(option: str) -> list[str]:
    return [word for name in CLIENTS for word in (option, name)]


def _advertisement(installation: Installation, name: str) -> str:
    return str(next(row["id"] for row in _rows(installation.asked("advertisement", "list")) if row["name"] == name))


def _rows(answer: object) -> list[dict[str, object]]:
    if isinstance(answer, dict):
        return next(value for value in answer.values() if isinstance(value, list))
    assert isinstance(answer, list)
    return answer
