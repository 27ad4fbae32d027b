"""What went wrong with rights and secrets: whom a system believed, what it wrote down, what it left behind.

Here whoever asks presents a token, whose one role is all that he may do; machines prove their own keys; there is nothing else.
"""

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Connection

from purveyor.client import main as agent
from purveyor.client import share_credentials
from purveyor.client.points import pauses
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State, open_state
from purveyor.lab.fleet import Fleet
from purveyor.site_server.admin import collections, resources, tokens
from purveyor.site_server.admin.tokens import Role
from purveyor.site_server.database.engine import open_database
from purveyor.site_server.site import utc_now
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire import join_code
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import ClientId
from purveyor.wire.shards import ClientState
from running_site import RunningSite

SHARE_PASSWORD = "the password of the share"
DATABASE_PASSWORD = "the-password-of-the-database"


def operations(site: RunningSite) -> list[tuple[str, str]]:
    """Every operation that the REST API describes, with something in place of each variable."""
    _, document = site.ask("GET", "/openapi.json")
    found = [(method.upper(), path) for path, item in document["paths"].items() for method in item]
    return [(method, path.replace("{", "").replace("}", "").removeprefix("/api/v1")) for method, path in found]


def publish(site: RunningSite) -> None:
    """Lets the site do all that is to be done: take in what came, and publish."""
    while site.executive.turn():
        pass


def join(site: RunningSite, folder: Path) -> tuple[ClientId, str]:
    """A client that has joined, its state in `agent`; and the code by which it did."""
    FolderShelf(folder / "CAP_S01").make_boxes()
    publish(site)
    code = site.ask("POST", "/join-codes", {})[1]["code"]
    joined = agent.join(folder / "agent", cap=f"{site.url}/cap", code=code, wait_seconds=0, tell=lambda _: None)
    publish(site)
    return joined.client, code


def accesses(site: RunningSite, token: str) -> dict[str, int]:
    """What a token opens: the answer to a question, and to a change that changes nothing."""
    return {
        "look": site.ask("GET", "/packages", token=token)[0],
        "change": site.ask("DELETE", "/collections/none", token=token)[0],
    }


LOOKS, CHANGES, NOTHING = {"look": 200, "change": 403}, {"look": 200, "change": 409}, {"look": 401, "change": 401}


# --- what is written down ---


def test_q235179_no_secret_stands_in_a_log_an_answer_or_the_database(
    running_site: RunningSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, token = running_site.ask("POST", "/tokens", {"name": "short", "role": "reader"})
    joined, code = join(running_site, tmp_path)
    running_site.ask("GET", "/packages", token=token["token"])
    running_site.ask("GET", "/packages", token=token["token"][:-1])
    said = caplog.text + json.dumps(
        [running_site.ask("GET", path)[1] for path in ("/tokens", "/audit", "/join-codes", "/settings")]
    )
    kept = (tmp_path / "site.db").read_bytes() + (tmp_path / "site.db-wal").read_bytes()
    assert joined.encode() in kept, "or nothing was looked at"
    hidden = [running_site.admin, running_site.reader, token["token"], code, join_code.read(code).secret]
    assert [one for one in hidden if one in said or one.encode() in kept] == []
    for name in running_site.site.keys.names():
        key = running_site.site.keys.find(name) or running_site.site.keys.sealing[name.id]
        raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        assert raw not in kept and raw.hex().encode() not in kept and raw.hex() not in said, name.role


def test_q235179_an_error_of_the_database_does_not_name_its_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (
        f"postgresql://purveyor:{DATABASE_PASSWORD}@127.0.0.1:1/purveyor",
        f"postgresql://purveyor:{DATABASE_PASSWORD}@/purveyor?host=/nowhere",
        f"oracle://purveyor:{DATABASE_PASSWORD}@127.0.0.1/purveyor",
        f"purveyor:{DATABASE_PASSWORD}@127.0.0.1/purveyor",
    ):
        with pytest.raises((UnavailableError, RefusedError)) as refused, open_database(url) as database, database.read():
            pass
        assert DATABASE_PASSWORD not in f"{refused.value}{refused.value.__cause__}{caplog.text}"


# --- who asks ---


def test_q316258_without_a_caller_that_is_known_nothing_is_shown_or_changed(running_site: RunningSite) -> None:
    """It comes from this machine, says whose it is in headers that anybody may set, or holds most of a token: it is nobody's."""
    claims = {"X-Forwarded-User": "root", "X-Remote-User": "admin", "Forwarded": "for=127.0.0.1", "Cookie": "token=admin"}
    for method, path in operations(running_site):
        for token in ("", running_site.admin[:-1], running_site.admin.upper()):
            body = None if method in ("GET", "DELETE") else {"name": "x"}
            status, answer = running_site.ask(method, path, body, token=token, headers=claims)
            assert (status, answer["kind"]) == (401, "not-allowed"), (method, path)


def test_q316258_while_it_cannot_be_told_who_asks_access_is_denied(
    running_site: RunningSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def away() -> Iterator[Connection]:
        raise UnavailableError("the database is away")
        yield  # type: ignore[unreachable]

    monkeypatch.setattr(running_site.site.database, "read", away)
    for method, path in operations(running_site):
        status, _ = running_site.ask(method, path, None if method in ("GET", "DELETE") else {"name": "x"})
        assert status == 503, (method, path)


def test_q254120_a_client_is_its_key_however_its_name_is_written() -> None:
    with Fleet(2) as fleet:
        first, second = fleet.clients
        first.machine.host_name, second.machine.host_name = "PC1.corp.example", first.machine.name
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Tool"), "install", "tool.exe"))
        fleet.advance(days=2)
        for client in fleet.clients:
            assert client.standing() is ClientState.MEMBER
            assert fleet.ran(client, "tool.exe") == 1
        names = {row.id: row.name for row in fleet.admin.ask(resources.listed)}
        assert names[first.id] == "PC1.corp.example"
        assert names[second.id] == "pc1"


def test_q279234_a_name_in_other_letters_is_the_same_name(running_site: RunningSite) -> None:
    assert running_site.ask("POST", "/tokens", {"name": "Anna Straße", "role": "reader"})[0] == 201
    for name in ("Anna Straße", "anna straße", "ANNA STRASSE"):
        status, answer = running_site.ask("POST", "/tokens", {"name": name, "role": "admin"})
        assert (status, answer["kind"]) == (409, "refused"), name


# --- what somebody may do ---


def test_q207421_each_operation_needs_one_role_and_a_refusal_names_it(running_site: RunningSite) -> None:
    """Who may look may look at everything, and who may change needs no second right for what hangs on it."""
    for method, path in operations(running_site):
        status, answer = running_site.ask(method, path, None if method in ("GET", "DELETE") else {}, token=running_site.reader)
        assert (status == 403) is (method != "GET"), (method, path, answer)
        if status == 403:
            assert "needs one with the role admin" in answer["error"]


@pytest.mark.parametrize("is_granted_by_command", [True, False])
@pytest.mark.parametrize("is_revoked_by_command", [True, False])
def test_q213272_what_is_granted_and_then_revoked_by_any_way_is_as_before(
    running_site: RunningSite, is_granted_by_command: bool, is_revoked_by_command: bool
) -> None:
    _, before = running_site.ask("GET", "/tokens")
    if is_granted_by_command:
        made = running_site.purveyor("token", "create", "guest", "--role", "reader", "--json").json
    else:
        _, made = running_site.ask("POST", "/tokens", {"name": "guest", "role": "reader"})
    assert accesses(running_site, made["token"]) == LOOKS
    if is_revoked_by_command:
        assert running_site.purveyor("token", "revoke", str(made["id"])).code == 0
    else:
        running_site.ask("DELETE", f"/tokens/{made['id']}")
    assert accesses(running_site, made["token"]) == NOTHING
    assert accesses(running_site, running_site.reader) == LOOKS
    assert accesses(running_site, running_site.admin) == CHANGES
    standing = [one["name"] for one in running_site.ask("GET", "/tokens")[1] if one["revoked_at"] is None]
    assert standing == [one["name"] for one in before]
    assert running_site.ask("POST", "/tokens", {"name": "guest", "role": "admin"})[0] == 201, "the name is free again"


def test_q235190_q235765_what_one_administrator_made_every_other_one_changes_and_deletes(running_site: RunningSite) -> None:
    _, other = running_site.ask("POST", "/tokens", {"name": "colleague", "role": "admin"})
    assert running_site.purveyor("package", "add", "--name", "Tool").code == 0
    [package] = [one["id"] for one in running_site.ask("GET", "/packages")[1]]
    running_site.ask("POST", f"/packages/{package}/programs", {"name": "install", "command": "tool.exe"})
    changed = running_site.ask("PATCH", f"/packages/{package}/programs/1", {"command": "tool.exe /q"}, token=other["token"])
    assert changed[0] == 200
    assert running_site.purveyor("package", "delete", package, "--yes", token=other["token"]).code == 0


def test_q238633_a_collection_is_the_same_made_at_once_or_step_by_step_and_by_whomever() -> None:
    with Fleet(2) as fleet:
        names = [client.name for client in fleet.clients]
        at_once = fleet.admin.add_collection("At once", names)
        stepwise = fleet.admin.add_collection("Step by step")
        for name in names:
            fleet.admin.change(collections.edit, stepwise, add_members=[name])
        seen = [fleet.admin.ask(collections.shown, one) for one in (at_once, stepwise)]
        assert seen[0].members == seen[1].members == 2
        assert seen[0].direct == seen[1].direct


# --- what is left behind ---


def test_q226829_who_leaves_or_is_removed_leaves_no_credential_behind(running_site: RunningSite, tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    joined, _ = join(running_site, tmp_path)
    given = tmp_path / "given"
    given.write_text(f"username=S01\\agent\npassword={SHARE_PASSWORD}\n")
    given.chmod(0o600)
    agent.change_credentials(folder, given)
    with closing(open_state(str(folder / agent.STATE_FILE)).connection) as connection:
        private = read_identity(State(connection)).key.private_bytes_raw()
    agent.leave(folder)
    with closing(open_state(str(folder / agent.STATE_FILE)).connection) as connection:
        assert not has_identity(State(connection))
    assert not share_credentials.are_kept(folder)
    for path in folder.iterdir():
        if path.is_file():
            assert private not in path.read_bytes() and SHARE_PASSWORD.encode() not in path.read_bytes(), path
    publish(running_site)
    assert running_site.ask("GET", f"/resources/{joined}")[1]["state"] == "removed"


def test_q231399_whoever_gives_the_right_password_does_not_wait_until_the_wrong_one_would_be_tried_again(tmp_path: Path) -> None:
    given, now = tmp_path / "given", utc_now()
    given.write_text(f"username=agent\npassword={SHARE_PASSWORD}\n")
    given.chmod(0o600)
    state = open_state(str(tmp_path / agent.STATE_FILE))
    with closing(state.connection):
        for _ in range(9):
            pauses.begin(state, "smb://server/CAP_S01", "the server refuses this user or password", now=now)
        assert pauses.ends_at(state, "smb://server/CAP_S01", now) is not None
        agent.change_credentials(tmp_path, given)
        assert pauses.ends_at(state, "smb://server/CAP_S01", now) is None


def test_q226829_a_revoked_token_cannot_be_made_valid_again(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        made = tokens.create(
            tx, name="once", role=Role.ADMIN, random=secrets.token_bytes(32), by="test", now=running_site.site.clock()
        )
    running_site.ask("DELETE", f"/tokens/{made.id}")
    status, answer = running_site.ask("DELETE", f"/tokens/{made.id}")
    assert (status, answer["kind"]) == (409, "refused")
    assert accesses(running_site, made.secret) == NOTHING
