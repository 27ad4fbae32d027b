"""What went wrong with inboxes and the parts of a site server in the field: one bad thing stopped everything, silently."""

import ast
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

import purveyor
from purveyor.content.store import ContentStore
from purveyor.lab.clock import Clock
from purveyor.lab.fleet import Fleet
from purveyor.site_server.admin import advertisements, collections, packages, programs, settings, windows
from purveyor.site_server.database import schema
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.executive import Executive
from purveyor.site_server.keys import KeyName, keyring_of, make_keys, open_keyring, path_in, save_keys, write_key
from purveyor.site_server.receive import rejected, storing
from purveyor.site_server.site import LOCAL_POINT, Site, prepare_database
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import CollectionId, ProgramNumber, site_code
from purveyor.wire.jobs import JobState
from small_site import fixed_keys
from upward_items import Machine, Receiving, heartbeat, status

BY = {"by": "anna"}


@pytest.fixture
def database() -> Iterator[Database]:
    with open_database("sqlite://") as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def inbox(database: Database, tmp_path: Path) -> Receiving:
    return Receiving(database, tmp_path)


class Server:
    """A site server in a folder, on a clock moved by hand."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.clock, self.folder = Clock(), folder / "CAP_S01"
        keys, cap = fixed_keys(), FolderShelf(folder / "CAP_S01")
        self.site = Site(
            code=site_code("S01"),
            folder=None,
            database=database,
            keys=keyring_of(keys),
            cap=cap,
            mark_full_boxes=cap.mark_full_boxes,
            rejected=FolderShelf(folder / "rejected"),
            store=ContentStore(folder / "content"),
            points={LOCAL_POINT: ContentStore(folder / "DP_S01")},
            clock=self.clock.now,
        )
        prepare_database(database, code=self.site.code, keys=keys, bin_bits=1, now=self.clock.now())
        self.executive = Executive(self.site)

    def turn(self, after: timedelta = timedelta(0)) -> dict[str, str]:
        """What is wrong with each component after a turn."""
        self.clock.advance(after)
        self.executive.turn()
        return {name: health.error for name, health in self.executive.health.items()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with open_database("sqlite://") as opened:
        yield Server(tmp_path, opened)


# --- one bad thing stops nothing else ---------------------------------------------------------------------------------


def test_q223755_a_component_that_fails_stops_no_other_and_works_again_by_itself(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.site.cap, "replace", _strange)
    errors = server.turn()
    assert errors.pop("publish") == "LookupError: an answer that no server gives"
    assert errors == dict.fromkeys(("receive", "retirement", "content", "ageing", "audit", *errors), "")
    monkeypatch.undo()
    assert server.turn(timedelta(minutes=1))["publish"] == ""
    assert server.site.cap.read("clidata.box/timestamp.json")


def _strange(*given: object, **named: object) -> None:
    raise LookupError("an answer that no server gives")


def test_q223755_an_item_at_which_the_site_itself_fails_is_set_aside_and_the_others_are_stored(
    inbox: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = inbox.joined("pc-1"), inbox.joined("pc-2")
    real, culprit = storing.upward.insert_items, inbox.client(bad).number

    def failing(tx: object, items: list[storing.upward.StoredItem], now: datetime) -> None:
        if any(item.client == culprit for item in items):
            raise OverflowError("a number that no column holds")
        real(tx, items, now)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(storing.upward, "insert_items", failing)
    for machine in (good, bad, good):
        inbox.send(machine, heartbeat(machine))
    received = inbox.turn()
    assert (received.stored, received.rejected) == (2, 1)
    assert inbox.client(good).received == 3
    assert inbox.client(bad).received == 1, "what is not stored is not acknowledged: its client keeps it and sends it again"
    assert list(inbox.boxes()) == []
    assert ["the site fails at this item: OverflowError" in reason for reason in inbox.reasons()] == [True]


def test_q223755_where_no_item_can_be_stored_none_is_taken_for_the_culprit(
    inbox: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = [inbox.joined(f"pc-{number}") for number in range(3)]
    with monkeypatch.context() as broken:
        broken.setattr(storing.upward, "insert_items", _strange)
        for machine in machines:
            inbox.send(machine, heartbeat(machine))
        with pytest.raises(LookupError):
            inbox.turn()
    assert inbox.reasons() == []
    assert inbox.turn().stored == 3


def test_q213279_what_was_set_aside_while_the_clock_was_ahead_pushes_nothing_out_that_came_after(
    inbox: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected, "RING_ITEMS", 3)
    years = timedelta(days=4000)
    for ahead, size in ((years, 20_001), (timedelta(0), 20_002), (timedelta(0), 20_003)):
        inbox.now += ahead
        for _ in range(2):
            inbox.put("ccr.box", b"x" * size)
        inbox.turn()
        inbox.now -= ahead
        inbox.now += timedelta(seconds=1)
    sizes = [reason.partition(" ")[0] for reason in inbox.reasons()]
    assert sorted(sizes) == ["20002", "20003", "20003"], "the oldest go, whatever their dates say"


@pytest.mark.parametrize("box", [box.name for box in UP_BOXES])
def test_q236061_empty_files_in_any_box_are_set_aside_at_once_and_stop_nothing(inbox: Receiving, box: str) -> None:
    machine = inbox.joined("pc-1")
    for _ in range(30):
        inbox.put(box, b"")
    inbox.send(machine, heartbeat(machine))
    received = inbox.turn()
    assert (received.stored, received.rejected, received.is_more) == (1, 30, False)
    assert list(inbox.boxes()) == []


# --- half of a file is no file ------------------------------------------------------------------------------------------


def test_q243179_an_item_that_is_being_written_is_not_seen_and_one_that_is_held_is_tried_again(
    inbox: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = inbox.joined("pc-1")
    whole = machine.sealed(heartbeat(machine))
    seen_while_writing: list[int] = []
    real = FolderShelf.listed
    with monkeypatch.context() as watched:
        watched.setattr("os.fsync", lambda descriptor: seen_while_writing.append(inbox.turn().read))
        inbox.cap.write("ddr.box/" + "0" * 32, whole, is_synced=True)
    assert seen_while_writing and set(seen_while_writing) == {0}
    with monkeypatch.context() as held:
        held.setattr(FolderShelf, "read", _held)
        received = inbox.turn()
    assert (received.stored, received.rejected, received.unreadable) == (0, 0, 1)
    assert [item.size_bytes for item in real(inbox.cap, "ddr.box", limit=9)] == [len(whole)], "nothing became of it"
    assert inbox.turn().stored == 1


def _held(shelf: FolderShelf, path: str) -> bytes:
    raise UnavailableError(f"{path} is used by somebody else just now")


def test_items_that_nobody_can_read_are_told_of_once_and_taken_in_when_they_can_be_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = "ddr.box/" + "0" * 32
    server.turn()
    server.site.cap.write(path, b"an item")
    with monkeypatch.context() as held:
        held.setattr(FolderShelf, "read", lambda shelf, path: _held(shelf, path) if "ddr.box" in path else b"")
        for _ in range(3):
            assert server.turn(timedelta(minutes=1))["receive"] == ""
    assert caplog.text.count("cannot be read: look at the rights") == 1
    server.turn(timedelta(minutes=1))
    assert server.site.cap.size_of(path) is None, "it could be read, and is no item: it was set aside"


# --- what was lost comes back, or is told -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["package", "collection", "advertisement", "window"])
def test_q227021_a_lost_counter_gives_no_number_twice(server: Server, kind: str) -> None:
    site = server.site

    def make(name: str) -> dict[str, str]:
        with site.database.write() as tx:
            now = server.clock.now()
            package = packages.add(tx, name=name, now=now, **BY)
            programs.add(tx, package, name="install", command="true", now=now, **BY)
            collection = collections.add(tx, name=name, now=now, **BY)
            offered = advertisements.add(
                tx, package=package, program=ProgramNumber(1), collection=collection, is_confirmed=True, now=now, **BY
            )
        return {
            "package": package,
            "collection": collection,
            "advertisement": offered,
            "window": str(_window(server, collection)),
        }

    before = [make("one")[kind], make("two")[kind]]
    with site.database.write() as tx:
        if kind == "advertisement":
            advertisements.delete(tx, before[1], now=server.clock.now(), **BY)  # type: ignore[arg-type]  # an id
        tx.execute(delete(schema.counter).where(schema.counter.c.kind == kind))
    assert make("three")[kind] > before[1] > before[0]


def _window(server: Server, collection: CollectionId) -> int:
    with server.site.database.write() as tx:
        return windows.add(
            tx, collection=collection, start="2026-12-24T22:00Z", duration_seconds=3600, now=server.clock.now(), **BY
        )


def test_q227021_boxes_that_were_lost_take_items_again_by_themselves(server: Server) -> None:
    server.turn()
    for box in UP_BOXES:
        (server.folder / box.name).rmdir()
    assert set(server.turn(timedelta(minutes=5)).values()) == {""}
    machine = Machine("pc-1")
    FolderPoint(server.folder).put("ccr.box/" + "0" * 32, machine.sealed(machine.joining()))
    server.turn(timedelta(minutes=5))
    assert server.executive.totals["items_rejected"] == 1, "the item was read; it is sealed to another site's key"


# --- parts that stop ----------------------------------------------------------------------------------------------------


def test_q199816_a_component_that_stopped_is_started_within_a_cycle_and_both_are_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "purveyor.site")
    with monkeypatch.context() as broken:
        broken.setattr(server.site.cap, "replace", _strange)
        for _ in range(20):
            server.turn(timedelta(minutes=5))
    assert server.executive.health["publish"].failures >= 20, "it is never given up"
    assert server.turn(timedelta(minutes=5))["publish"] == ""
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("publish: ")]
    assert told[0] == "publish: an answer that no server gives"
    assert told[-1] == f"publish: works again after {len(told) - 1} failed turns"


def test_q242926_an_item_is_one_item_however_often_it_is_sent_and_every_failed_one_is_tried_again(
    inbox: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = inbox.joined("pc-1")
    contents = [machine.sealed(status(JobState.RUNNING)) for _ in range(3)]
    for _ in range(4):
        for content in contents:
            inbox.put("statmsgs.box", content)
    with monkeypatch.context() as away:
        away.setattr(storing.upward, "insert_items", _away)
        with pytest.raises(UnavailableError):
            inbox.turn()
    assert len(list(inbox.boxes())) == 12, "what could not be stored waits where it lies, under the name that it has"
    received = inbox.turn()
    assert (received.stored, received.duplicates) == (3, 9)
    assert len(inbox.rows(schema.status_message)) == 3
    assert list(inbox.boxes()) == []


def _away(*given: object) -> None:
    raise UnavailableError("the database is restarted just now")


# --- nobody sits in front of a server -----------------------------------------------------------------------------------


def test_q281603_nothing_that_a_service_runs_asks_anybody_anything(tmp_path: Path) -> None:
    keys = make_keys()
    save_keys(keys, tmp_path / "keys")
    path_in(tmp_path / "keys", KeyName("root", "0" * 16)).unlink(missing_ok=True)
    write_key(path_in(tmp_path / "keys", KeyName("root", "0" * 16)), keys.private("root"), b"a passphrase")
    with pytest.raises(RefusedError, match="is protected"):
        open_keyring(tmp_path / "keys")
    source = Path(purveyor.__path__[0])
    asking = [
        f"{path.relative_to(source)}:{node.lineno}"
        for path in source.rglob("*.py")
        if not path.is_relative_to(source / "cli")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name | ast.Attribute) and _word(node) in ("input", "getpass", "stdin")
    ]
    assert asking == []


def _word(node: ast.Name | ast.Attribute) -> str:
    """The name that is used; what a program that is started reads is not ours."""
    if isinstance(node, ast.Name):
        return node.id if isinstance(node.ctx, ast.Load) else ""
    return node.attr if ast.unparse(node.value) in ("sys", "getpass", "builtins") else ""


def test_q303649_neither_a_restart_nor_another_setting_brings_anything_forward() -> None:
    with Fleet(3) as fleet:
        package = fleet.admin.add_package("Weekly", {"setup.sh": b"#!/bin/sh\n"})
        due = fleet.clock.now() + timedelta(days=3)
        at = f"{due:%Y-%m-%dT%H:%MZ}"
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.sh /q"), assignments=(at,))
        fleet.advance(hours=12)
        published = fleet.executive.totals["files_published"]
        for _ in range(4):
            fleet.executive = Executive(fleet.site)
            for client in fleet.clients:
                client.switch_off()
                client.switch_on()
            fleet.admin.change(settings.change, "confirm_above", 500)
            fleet.advance(minutes=30)
        assert fleet.executive.totals.get("files_published", 0) < published
        fleet.advance(hours=48)
        assert [fleet.ran(client, "setup.sh /q") for client in fleet.clients] == [0, 0, 0]
        fleet.advance(hours=24)
        assert [fleet.ran(client, "setup.sh /q") for client in fleet.clients] == [1, 1, 1]
