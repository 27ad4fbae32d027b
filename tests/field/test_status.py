"""What went wrong with status in the field: words out of order, lost, late, twice or hostile; counts that drift; clocks."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as some
from sqlalchemy import Connection, select

from field.mifs import SUCCESS_MIF
from field.words import told
from purveyor.cli.output import moment
from purveyor.client import join
from purveyor.client.machine.interface import RunReport, RunState
from purveyor.client.programs.ending import results
from purveyor.client.programs.ending.mif import is_named
from purveyor.client.programs.ending.outcome import Result, Unreadable
from purveyor.client.programs.launch.preparing import scratch_of
from purveyor.lab.clock import Clock
from purveyor.lab.fleet import Fleet
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.site_server import executive
from purveyor.site_server.admin import advertisements, collections, packages, programs, resources, settings, status
from purveyor.site_server.database import schema
from purveyor.site_server.database.engine import open_database
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.receive import ageing
from purveyor.site_server.receive.status import newest_jobs
from purveyor.site_server.receive.status import told as rows_told
from purveyor.wire import ids
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.form import Wire
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, Command, Program, Reporting
from purveyor.wire.reports import StatusMessage, StatusMessages
from purveyor.wire.status_messages import StatusId
from site_rows import NOW
from upward_items import PACKAGE, Machine, Receiving, heartbeat
from upward_items import status as said

POLL = timedelta(minutes=15)
HOSTILE = "O'Brien\"; drop table client; -- \\ %s {0} \x00 \u202e <script> \r\n 日本"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Receiving]:
    """A site that receives, its database in a file."""
    with open_database(f"sqlite:///{tmp_path / 'site.db'}") as database:
        database.migrate()
        yield Receiving(database, tmp_path)


def state_of(site: Receiving) -> list[str]:
    """The states of all jobs."""
    return [row.state for row in site.rows(schema.job_state)]


@contextmanager
def without_writing(tx: Connection) -> Iterator[None]:
    """The database takes nothing, as on a disk that was mounted read-only."""
    tx.exec_driver_sql("pragma query_only = on")
    try:
        yield
    finally:
        tx.exec_driver_sql("pragma query_only = off")


# --- order ---


def test_q242421_q318834_an_older_word_that_arrives_late_never_overwrites_a_newer_one(site: Receiving) -> None:
    machine = site.joined("pc-1")
    started, ended = (machine.sealed(said(state)) for state in (JobState.RUNNING, JobState.SUCCEEDED))
    old, new = (machine.sealed(heartbeat(Machine(name))) for name in ("old-name", "new-name"))
    for box, content in (("statmsgs.box", ended), ("ddr.box", new), ("statmsgs.box", started), ("ddr.box", old)):
        site.put(box, content)
        site.turn()
    assert state_of(site) == [JobState.SUCCEEDED.value]
    assert site.client(machine).name == "new-name"
    assert len(site.rows(schema.status_message)) == 2, "the late word is history all the same"


@how(max_examples=30, deadline=None)
@given(order=some.permutations(range(6)), cuts=some.sets(some.integers(1, 5)))
def test_in_whatever_order_and_batches_words_arrive_the_last_one_said_is_the_state(order: list[int], cuts: set[int]) -> None:
    states = [JobState.DOWNLOADING, JobState.READY, JobState.RUNNING, JobState.FAILED, JobState.RUNNING, JobState.SUCCEEDED]
    jobs = [rows_told(said(state).messages, client=1, sequence=number + 2, now=NOW).jobs for number, state in enumerate(states)]
    bounds = sorted({0, *cuts, len(order)})
    known: list[dict[str, object]] = []
    for start, end in itertools.pairwise(bounds):
        known = newest_jobs([*known, *(job for number in order[start:end] for job in jobs[number])])
    assert [job["state"] for job in known] == [JobState.SUCCEEDED.value]


# --- hostile and malformed ---


def test_q246949_text_of_any_kind_is_stored_as_it_is_and_what_cannot_be_read_is_set_aside(
    site: Receiving,
) -> None:
    machine = site.joined("pc-1")
    site.put("statmsgs.box", b"'; drop table client; --")
    site.put("statmsgs.box", machine.sealed(said(JobState.FAILED, text=HOSTILE), sequence=2)[:-7])
    machine.sequence = 1
    site.send(machine, said(JobState.FAILED, text=HOSTILE))
    received = site.turn()
    assert (received.stored, received.rejected) == (1, 2)
    assert len(site.reasons()) == 2 and all(site.reasons())
    with site.database.read() as tx:
        (message,) = status.messages(tx, package=PACKAGE)
        assert message.text == HOSTILE.replace("\0", "")
        assert [job.text for job in status.of_client(tx, machine.id).jobs] == [HOSTILE.replace("\0", "")]


class Newer(StatusMessages, tag="status", tag_field="kind"):
    """Status messages with a word that this release does not know."""

    mood: str = "fine"


class Unheard(Wire, tag="unheard-of", tag_field="kind"):
    """A body of a kind that this release does not know."""


def test_messages_whose_numbers_a_newer_agent_knows_are_kept_under_those_numbers(site: Receiving) -> None:
    machine = site.joined("pc-1")
    messages = [StatusMessage(id=StatusId(number), at=NOW, package=PACKAGE, text="new") for number in (10_999, 99_999)]
    newer = Newer(messages=(*messages, *said(JobState.SUCCEEDED).messages))
    site.put("statmsgs.box", machine.sealed_as("statmsgs.box", newer))
    site.turn()
    assert [row.status for row in site.rows(schema.status_message)] == [10_999, 99_999, StatusId.PROGRAM_STARTED]
    assert state_of(site) == [JobState.SUCCEEDED.value]
    with pytest.raises(ValueError, match="100000"):
        StatusId(100_000)


def test_an_item_that_only_a_newer_site_could_read_is_told_and_holds_up_none_behind_it(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.put("statmsgs.box", machine.sealed_as("statmsgs.box", Unheard()))
    site.send(machine, said(JobState.SUCCEEDED))
    site.turn()
    assert state_of(site) == [JobState.SUCCEEDED.value]
    assert site.client(machine).received == 3, "what cannot be read would be sent again for ever"
    assert StatusId.ITEM_UNREADABLE in [row.status for row in site.rows(schema.status_message)]


# --- one run, one result ---


def test_q247230_a_run_belongs_to_the_advertisement_that_asked_for_it_and_deleting_one_moves_nothing_to_another() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        one, other = (fleet.admin.add_collection(client.name, [client.name]) for client in fleet.clients)
        first = fleet.admin.advertise(program, one)
        second = fleet.admin.advertise(program, other)
        fleet.admin.advertise(program, assignments=["2027-01-01T00:00Z"])
        fleet.settle()
        fleet.admin.change(advertisements.delete, first)
        fleet.settle()
        jobs = {job.client_name: job.advertisement for job in fleet.admin.ask(status.clients_of_package, program.package)}
        assert jobs == {"pc1": first, "pc2": second}
        runs = {
            (message.advertisement, message.client_name)
            for message in fleet.admin.ask(status.messages, package=program.package)
            if message.status in (StatusId.PROGRAM_STARTED, StatusId.SUCCEEDED_BY_EXIT_CODE)
        }
        assert runs == {(first, "pc1"), (second, "pc2")}


def test_q268791_a_status_file_of_another_product_is_named_with_the_reason_why_it_does_not_count() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        fleet.script("setup.exe", Script(exit_code=1603, mif=SUCCESS_MIF))
        package = fleet.admin.add_package("Viewer")
        program = fleet.admin.add_program(package, "install", "setup.exe", reporting=Reporting(product="Viewer"))
        fleet.admin.advertise(program)
        fleet.settle()
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.FAILED: 1}
        (text,) = told(fleet, StatusId.FAILED_BY_EXIT_CODE)
        assert "does not count" in text and "Contoso Editor 4.2" in text


@pytest.mark.parametrize("hours", [-1, 1])
def test_q268791_a_status_file_of_another_time_is_named_with_the_reason_why_it_does_not_count(hours: int) -> None:
    clock = Clock()
    disk = SimulatedMachine("pc1", clock).disk
    disk.make_folder(scratch_of("run"))
    disk.write_as_program(f"{scratch_of('run')}/editor.mif", SUCCESS_MIF)
    began = clock.now() - timedelta(hours=hours, seconds=10)
    report = RunReport(state=RunState.ENDED, exit_code=1, started_at=began, ended_at=began + timedelta(seconds=5))
    program = Program(
        number=ids.ProgramNumber(1), name="install", command=Command(argv=("a",)), reporting=Reporting(product="Editor")
    )
    found = results.said(disk, "run", program, report, started_at=None)
    assert isinstance(found, Unreadable) and "'editor.mif' does not count, as it was not written during the run" in found.reason
    newer = msgspec.structs.replace(report, started_at=clock.now(), ended_at=clock.now())
    assert isinstance(results.said(disk, "run", program, newer, started_at=None), Result)


@pytest.mark.parametrize("name", ["editor", "EDITOR", "editor.mif", "Editor.MIF", " editor "])
@pytest.mark.parametrize("found", ["editor.mif", "EDITOR.MIF"])
def test_q200437_a_status_file_is_found_by_its_name_with_or_without_the_ending_in_any_case(name: str, found: str) -> None:
    assert is_named(found, Reporting(file_name=name))
    assert not is_named("editors.mif", Reporting(file_name=name))


def test_q272174_q292261_a_run_that_restarts_the_machine_has_one_result_whoever_restarts_it() -> None:
    with Fleet(3, poll_interval=POLL) as fleet:
        fleet.admin.change(settings.change, "may_restart", True)
        package = fleet.admin.add_package("Editor")
        fleet.script("asks.exe", Script(exit_code=3010))
        fleet.script("restarts.exe", Script(restarts_machine=True))
        asks = fleet.admin.add_program(package, "asks", "asks.exe", restart_codes=[3010])
        restarts = fleet.admin.add_program(package, "restarts", "restarts.exe", after_run=AfterRun.PROGRAM_RESTARTS)
        for program in (asks, restarts):
            fleet.admin.advertise(program)
            fleet.advance(hours=3)
            assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 3}
            messages = fleet.admin.ask(status.messages, package=package, program=program.program, limit=1000)
            finals = [message.client_name for message in messages if message.state is JobState.SUCCEEDED]
            assert sorted(finals) == ["pc1", "pc2", "pc3"]


def test_a_word_that_arrives_twice_and_one_that_was_lost_leave_counts_that_equal_the_rows() -> None:
    with Fleet(2, poll_interval=timedelta(minutes=30)) as fleet:
        fleet.admin.change(settings.change, "heartbeat_interval_seconds", 3600)
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        taken: dict[str, object] = {}
        fleet.cap.discard()
        fleet.admin.advertise(program)
        fleet.settle()
        fleet.cap.mend()
        for _ in range(8):
            fleet.advance(minutes=60)
            boxed = {path: stored for path, stored in fleet.cap.files.items() if path.startswith("statmsgs.box/")}
            fleet.cap.files |= taken
            taken = boxed
        counts = fleet.admin.ask(status.of_program, program).counts
        messages = fleet.admin.ask(status.messages, package=program.package, limit=1000)
        assert counts.states == {JobState.SUCCEEDED: 2} and counts.clients == 2
        assert sum(message.status == StatusId.SUCCEEDED_BY_EXIT_CODE for message in messages) == 2


# --- names ---


def test_q271885_q278334_q277744_names_and_ids_are_one_thing_in_whatever_case_they_are_written() -> None:
    assert ids.site_code("s01") == "S01" and ids.package_id("s0100001") == "S0100001"
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        pilot = fleet.admin.add_collection("Pilot", ["PC1"])
        assert fleet.admin.ask(collections.find, "PILOT") == pilot
        fleet.admin.advertise(program, pilot)
        fleet.settle()
        assert fleet.ran(client, "setup.exe") == 1
        assert {fleet.admin.ask(resources.find, name) for name in ("pc1", "PC1", client.id.upper())} == {client.id}
        client.machine.name = "PC1"
        client.machine.state.remember("heartbeat_at", "")
        fleet.settle()
        assert [view.state for view in fleet.admin.ask(resources.listed)] == ["member"]


def test_q323146_blanks_around_a_name_are_taken_off_and_a_name_of_blanks_is_refused() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("  Editor \t")
        program = fleet.admin.add_program(package, " install ", "setup.exe")
        collection = fleet.admin.add_collection("\u3000Pilot  ", ["pc1"])
        fleet.admin.advertise(program, collection)
        fleet.settle()
        seen = fleet.admin.ask(status.of_package, package)
        assert (seen.name, seen.programs[0].name) == ("Editor", "install")
        assert fleet.admin.ask(collections.shown, collection).name == "Pilot"
        assert seen.programs[0].counts.states == {JobState.SUCCEEDED: 1}
        for add in (lambda: fleet.admin.add_package("   "), lambda: fleet.admin.add_collection(" \n ")):
            with pytest.raises(RefusedError, match="name"):
                add()


# --- floods, and what is said again and again ---


def test_q297870_what_fails_again_and_again_is_tried_seldom_and_told_seldom(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[datetime] = []

    def failing(**_: object) -> None:
        tries.append(fleet.clock.now())
        raise UnavailableError("the change cannot be read")

    with Fleet(0) as fleet, pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING"):
        patch.setattr(executive.content, "turn", failing)
        for _ in range(60):
            fleet.clock.advance(timedelta(minutes=1))
            fleet.executive.turn()
        assert 5 <= len(tries) <= 20
        assert len([record for record in caplog.records if "cannot be read" in record.message]) == len(tries)
        assert fleet.executive.health["publish"].error == "", "another component went on"


def test_a_client_that_floods_a_box_delays_nobody_else(site: Receiving) -> None:
    loud, quiet = site.joined("loud"), site.joined("quiet")
    for _ in range(60):
        site.send(loud, said(JobState.RUNNING))
    site.send(quiet, said(JobState.SUCCEEDED))
    limit = 20
    turns = 0
    while JobState.SUCCEEDED.value not in state_of(site):
        site.turn(limit=limit)
        turns += 1
    assert turns == 1
    while any(site.boxes()):
        site.turn(limit=limit)
    assert site.client(loud).received == 61


# --- counts and what is behind them ---


def test_q198669_q226918_a_state_leads_to_the_message_behind_it_or_says_that_none_is_kept() -> None:
    with Fleet(1) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        fleet.admin.advertise(program)
        fleet.advance(hours=4)
        (job,) = fleet.admin.ask(status.clients_of_package, program.package)
        (behind,) = (one for one in fleet.admin.ask(status.messages, client=job.client) if one.id == job.message)
        assert (behind.state, behind.status) == (JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_EXIT_CODE)
        fleet.admin.change(settings.change, "status_history_seconds", 3600)
        fleet.advance(hours=12)
        assert fleet.admin.ask(status.messages, package=program.package) == ()
        (job,) = fleet.admin.ask(status.clients_of_package, program.package)
        assert (job.state, job.message) == (JobState.SUCCEEDED, None)
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 1}


@pytest.mark.parametrize("effect", range(1, 6))
def test_q271181_counts_are_those_of_the_messages_wherever_the_power_fails_while_they_come_in(effect: int) -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        fleet.admin.advertise(program)
        fleet.advance(minutes=20)
        fleet.power.fail_at(effect)
        fleet.advance(hours=2)
        newest = {}
        for message in fleet.admin.ask(status.messages, package=program.package, limit=1000):
            if message.state is not None:
                newest.setdefault(message.client, message.state)
        assert list(newest.values()) == [JobState.SUCCEEDED] * 2
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 2}


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_q306315_q226914_forgetting_goes_in_batches_and_leaves_nothing_without_its_owner(site: Receiving, limit: int) -> None:
    machine = site.joined("pc-1")
    site.send(machine, said(*[JobState.RUNNING] * 5))
    site.turn()
    site.later(days=31)
    site.send(machine, said(JobState.SUCCEEDED))
    site.turn()
    turns = 0
    is_more = True
    while is_more:
        aged = ageing.turn(database=site.database, settings=SiteSettings(), now=site.now, limit=limit)
        assert aged.messages <= limit
        is_more = aged.is_more
        turns += 1
    assert turns == 5 // limit + 1
    assert [row.state for row in site.rows(schema.status_message)] == [JobState.SUCCEEDED.value]
    with site.database.read() as tx:
        assert tx.exec_driver_sql("pragma foreign_key_check").all() == []


def test_q226914_q235833_q245613_q256203_messages_are_read_a_page_at_a_time_and_each_once(site: Receiving) -> None:
    machine = site.joined("pc-1")
    for _ in range(5):
        site.send(machine, said(*[JobState.RUNNING] * 9))
    site.turn()
    seen: list[int] = []
    with site.database.read() as tx:
        while page := status.messages(tx, before_id=seen[-1] if seen else None, limit=7):
            assert len(page) <= 7
            seen += [message.id for message in page]
        assert seen == sorted(set(seen), reverse=True) and len(seen) == 45
        with pytest.raises(RefusedError, match="1000"):
            status.messages(tx, limit=10**6)


def test_q262034_another_retention_holds_for_what_is_stored_already(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.send(machine, said(JobState.RUNNING))
    site.turn()
    site.later(days=2)
    kept = SiteSettings(status_history_seconds=3 * 86_400)
    assert ageing.turn(database=site.database, settings=kept, now=site.now).messages == 0
    shorter = SiteSettings(status_history_seconds=86_400)
    assert ageing.turn(database=site.database, settings=shorter, now=site.now).messages == 1


def test_q235805_status_of_a_package_that_nobody_knows_is_kept_and_holds_up_no_other(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.send(machine, said(JobState.FAILED, package="XYZ99999"))
    site.send(machine, said(JobState.FAILED, package="no id at all"))
    site.send(machine, said(JobState.SUCCEEDED))
    site.turn()
    rows = {row.package: row.text for row in site.rows(schema.status_message)}
    assert set(rows) == {None, PACKAGE} and "no id at all" in rows[None] + str(rows)
    assert state_of(site) == [JobState.SUCCEEDED.value]


def test_q249121_q264378_whoever_asks_while_words_come_in_is_answered_and_all_comes_in(site: Receiving) -> None:
    machines = [site.joined(f"pc-{number}") for number in range(4)]
    for machine in machines:
        for state in (JobState.RUNNING, JobState.FAILED, JobState.SUCCEEDED):
            site.send(machine, said(state))
    number = site.client(machines[0]).number

    def ask(_: int) -> int:
        with site.database.read() as tx:
            return len(status.messages(tx, client=machines[0].id, limit=100))

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(ask, range(40))
        turns = [pool.submit(site.turn, 3) for _ in range(2)]
        assert all(turn.result() for turn in turns)
        while any(site.boxes()):
            site.turn(3)
        assert set(answers) <= set(range(4))
    assert number and state_of(site) == [JobState.SUCCEEDED.value] * 4
    assert len(site.rows(schema.status_message)) == 12


# --- clocks ---


def test_q226888_times_are_kept_in_utc_shown_by_the_viewers_clock_and_asked_for_by_span(
    site: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = site.joined("pc-1")
    tokyo = timezone(timedelta(hours=9))
    for hour in range(4):
        site.later(hours=1)
        site.send(machine, said(JobState.RUNNING, at=site.now.astimezone(tokyo), text=f"hour {hour}"))
        site.turn()
    start = NOW + timedelta(hours=2)
    with site.database.read() as tx:
        found = status.messages(tx, since=start.astimezone(tokyo), until=start + timedelta(hours=2))
    assert [message.text for message in found] == ["hour 2", "hour 1"]
    assert [message.at for message in found] == [start + timedelta(hours=1), start]
    shown = {}
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        shown[zone] = moment("2026-12-01T09:00:00.5Z")
    monkeypatch.undo()
    time.tzset()
    assert shown == {
        "UTC": "2026-12-01 09:00:00Z",
        "America/New_York": "2026-12-01 04:00:00-05:00",
        "Asia/Kolkata": "2026-12-01 14:30:00+05:30",
    }


@pytest.mark.parametrize("days", [-3000, -1, 1, 3000])
def test_a_client_whose_clock_is_years_off_is_heard_and_its_words_stand_where_they_arrived(site: Receiving, days: int) -> None:
    machine = site.joined("pc-1")
    at = NOW + timedelta(days=days)
    site.send(machine, said(JobState.RUNNING, at=at), made_at=at)
    site.send(machine, said(JobState.SUCCEEDED, at=at), made_at=at)
    site.send(machine, heartbeat(machine), made_at=at)
    site.turn()
    assert state_of(site) == [JobState.SUCCEEDED.value]
    with site.database.read() as tx:
        found = status.messages(tx, since=NOW, until=NOW + timedelta(seconds=1))
    assert len([message for message in found if message.package]) == 2
    assert (StatusId.CLOCK_DIFFERS in [message.status for message in found]) == (days > 0)


# --- agents, sites, and a database that is away ---


def test_q256125_q257185_another_version_of_the_agent_is_told_with_both_and_known_at_once() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.settle()
        assert told(fleet, StatusId.AGENT_CHANGED) == []
        client.machine.agent_version = "2.0"
        fleet.settle()
        (text,) = told(fleet, StatusId.AGENT_CHANGED)
        assert "from version lab to 2.0" in text
        assert fleet.admin.ask(resources.shown, client.id).agent_version == "2.0"
        fleet.settle()
        assert len(told(fleet, StatusId.AGENT_CHANGED)) == 1


def test_q256215_a_client_that_went_to_another_site_tells_the_new_one_nothing_of_the_old() -> None:
    with Fleet(1, poll_interval=POLL) as fleet, Fleet(0, poll_interval=POLL, seed=5) as other:
        client = fleet.clients[0]
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        fleet.admin.advertise(program)
        while client.machine.running() == []:
            fleet.advance(minutes=1)
        fleet.cap.discard()
        fleet.settle()
        join.leave(client.machine.state, client.machine, point_for=client.point_for)
        other.clock.advance(fleet.clock.now() - other.clock.now())
        client.point_for = client.agent.point_for = lambda url: other._point_for(url, client.machine)
        client.join(other.cap.url, other.new_join_code())
        for _ in range(6):
            other.site_turn()
            for clock in (fleet.clock, other.clock):
                clock.advance(timedelta(hours=1))
            client.turn()
        assert client.standing() is not None
        assert [one for one in other.admin.ask(status.messages, limit=1000) if one.package] == []
        assert [one.name for one in other.admin.ask(resources.listed)] == ["pc1"]


def test_q263359_a_deletion_that_the_database_did_not_take_is_an_error_and_the_thing_is_still_shown(site: Receiving) -> None:
    said_by = {"by": "anna", "now": NOW}
    with site.database.write() as tx:
        package = packages.add(tx, name="Editor", **said_by)
        program = programs.add(tx, package, name="install", command="setup.exe", **said_by).number
        advertised = advertisements.add(
            tx,
            package=package,
            program=program,
            collection=site.all_systems,
            assignments=("asap",),
            is_confirmed=True,
            **said_by,
        )

    def delete() -> None:
        with site.database.write() as tx, without_writing(tx):
            advertisements.delete(tx, advertised, **said_by)

    with pytest.raises(UnavailableError):
        delete()
    with site.database.read() as tx:
        assert [view.id for view in advertisements.listed(tx)] == [advertised]
        assert "advertisement.delete" not in tx.execute(select(schema.audit.c.action)).scalars().all()
