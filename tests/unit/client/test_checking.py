"""`client check`: each condition that it knows is planted here, and found with the grade that monitoring is to see."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from purveyor.client import checking, reports
from purveyor.client.checking import EXIT_CODES, Finding, Grade, Verdict
from purveyor.client.main import STATE_FILE, Parts
from purveyor.client.state import published
from purveyor.client.state.store import open_state
from purveyor.lab.client import LabClient
from purveyor.lab.clock import START
from purveyor.lab.disk import UNLIMITED_BYTES
from purveyor.lab.fleet import CAP_URL, DP_URL, Fleet
from purveyor.site_server.admin import settings
from purveyor.wire.reports import StatusMessage
from purveyor.wire.shards import ClientState, Entry
from purveyor.wire.status_messages import StatusId

SENTINEL = 4711
Plant = Callable[[Fleet, LabClient], object]


@pytest.fixture(scope="module")
def whole() -> Iterator[Fleet]:
    """A fleet of one client that has polled for some hours and is well."""
    with Fleet(1) as made:
        made.advance_polls(3)
        yield made


@pytest.fixture
def fleet(whole: Fleet) -> Iterator[Fleet]:
    """The same, made whole again after what a test did to it."""
    [client] = whole.clients
    before = client.machine.state.connection.serialize()
    yield whole
    client.machine.state.connection.deserialize(before)
    client.machine.clock.skew = timedelta(0)
    client.machine.disk.capacity_bytes = UNLIMITED_BYTES
    whole.cap.mend()


def checked(client: LabClient, sentinel: int | None = SENTINEL) -> Verdict:
    parts = Parts(client.machine, client.machine.state, client.point_for)
    return Verdict(tuple(checking.findings(parts, sentinel_process=sentinel)))


def entry_is(client: LabClient, entry: Entry | None) -> None:
    held = published.held_entry(client.machine.state)
    assert held is not None
    published.store_entry(client.machine.state, msgspec.structs.replace(held, entry=entry))


def message(number: int) -> StatusMessage:
    return StatusMessage(id=StatusId.JOB_WAITING, at=START, text=f"{number}")


def fill_spool(client: LabClient) -> None:
    with client.machine.state.transaction() as tx:
        rows = [(1000 + number, "statmsgs.box", b"", 0, "2026-01-05T08:00:00+00:00") for number in range(5000)]
        tx.executemany("insert into item (sequence, box, content, is_result, made_at) values (?, ?, ?, ?, ?)", rows)


def send_in_vain(client: LabClient) -> None:
    with client.machine.state.transaction() as tx:
        row = (1000, "statmsgs.box", b"", 0, "2026-01-05T08:00:00+00:00", 4)
        tx.execute("insert into item (sequence, box, content, is_result, made_at, send_count) values (?, ?, ?, ?, ?, ?)", row)


def skewed(**by: float) -> Plant:
    def plant(_: Fleet, client: LabClient) -> None:
        client.machine.clock.skew = timedelta(**by)

    return plant


def free_bytes(over_reserve: float) -> Plant:
    def plant(fleet: Fleet, client: LabClient) -> None:
        used = UNLIMITED_BYTES - client.machine.disk.free_bytes()
        reserve = fleet.site.settings().disk_reserve_bytes
        client.machine.disk.capacity_bytes = used + int(reserve * over_reserve)

    return plant


def standing(state: ClientState | None, reason: str = "") -> Plant:
    return lambda _, client: entry_is(client, Entry(state=state, reason=reason) if state else None)


def remembered(name: str, value: str) -> Plant:
    return lambda _, client: client.machine.state.remember(name, value)


CONDITIONS: dict[str, tuple[Plant, str, Grade, str]] = {
    "not joined": (lambda _, client: _forget(client, "identity"), "membership", Grade.CRITICAL, "has not joined"),
    "waits for approval": (standing(ClientState.WAITING), "membership", Grade.WARNING, "must approve"),
    "no answer yet": (standing(None), "membership", Grade.WARNING, "not answered yet"),
    "refused": (standing(ClientState.REFUSED, "used up"), "membership", Grade.CRITICAL, "with a join code that holds"),
    "blocked": (standing(ClientState.BLOCKED, "lost"), "membership", Grade.CRITICAL, "blocked this client: lost"),
    "removed": (standing(ClientState.REJOIN), "membership", Grade.CRITICAL, "join again"),
    "a copy": (lambda _, client: _move_to_another_machine(client), "identity", Grade.WARNING, "came from another machine"),
    "never polled": (remembered("polled_at", ""), "last pass", Grade.CRITICAL, "not polled yet"),
    "late": (skewed(days=1, hours=6), "last pass", Grade.WARNING, "2026-01-05"),
    "very late": (skewed(days=3), "last pass", Grade.CRITICAL, "2026-01-05"),
    "no access point": (lambda fleet, _: fleet.cap.cut(), "access point", Grade.CRITICAL, CAP_URL),
    "a wrong access point": (lambda fleet, _: fleet.cap.serve_nothing(), "access point", Grade.CRITICAL, "is no access point"),
    "clock behind": (skewed(hours=-4), "clock", Grade.CRITICAL, "it is behind"),
    "clock set back": (lambda _, client: _polled_in(client, hours=2), "clock", Grade.WARNING, "it went back"),
    "withheld": (remembered("problems", f"{CAP_URL}: newer ones are kept back"), "problem", Grade.WARNING, "kept back"),
    "expired": (lambda _, client: _expires_in(client, hours=-1), "trust", Grade.CRITICAL, "expired"),
    "expires soon": (lambda _, client: _expires_in(client, hours=5), "trust", Grade.WARNING, "good until"),
    "never verified": (remembered("metadata_expires", ""), "trust", Grade.CRITICAL, "no metadata"),
    "disk full": (free_bytes(0.5), "disk", Grade.CRITICAL, "bytes free"),
    "disk nearly full": (free_bytes(1.5), "disk", Grade.WARNING, "bytes free"),
    "a distribution point": (
        lambda _, client: published.remember_point(client.machine.state, DP_URL, failures=3, next_try_at=None),
        "distribution points", Grade.WARNING, "failed 3 times",
    ),
    "sent in vain": (lambda _, client: send_in_vain(client), "reports", Grade.WARNING, "the oldest since 2026-01-05"),
    "no room": (lambda _, client: fill_spool(client), "reports", Grade.CRITICAL, "room for no more"),
    "absent files": (
        lambda _, client: published.count_absent(client.machine.state, CAP_URL, 2),
        "requests for absent files", Grade.WARNING, f"2 at {CAP_URL}",
    ),
}  # fmt: skip


def _move_to_another_machine(client: LabClient) -> None:
    client.machine.machine_id, before = "another", client.machine.machine_id
    client.turn()
    client.machine.machine_id = before


def _forget(client: LabClient, table: str) -> None:
    client.machine.state.connection.execute(f"delete from {table}")


def _polled_in(client: LabClient, *, hours: float) -> None:
    client.machine.state.remember_time("polled_at", client.machine.now() + timedelta(hours=hours))


def _expires_in(client: LabClient, *, hours: float) -> None:
    client.machine.state.remember_time("metadata_expires", client.machine.now() + timedelta(hours=hours))


def test_a_client_that_is_well_is_well_in_every_point(fleet: Fleet) -> None:
    verdict = checked(fleet["pc1"])
    assert {one.grade for one in verdict.findings} == {Grade.OK}
    assert EXIT_CODES[verdict.grade] == 0
    assert verdict.summary.startswith(f"OK: client {fleet['pc1'].id}: this client is a member of site S01 | free=")
    assert "reports=0" in verdict.summary


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_is_found(fleet: Fleet, condition: str) -> None:
    plant, subject, grade, words = CONDITIONS[condition]
    plant(fleet, fleet["pc1"])
    verdict = checked(fleet["pc1"])
    [found] = [one for one in verdict.findings if one.subject == subject]
    assert found.grade is grade
    assert words in found.words
    assert EXIT_CODES[verdict.grade] >= EXIT_CODES[grade]
    assert words in verdict.summary.partition(" | ")[0] or verdict.grade is Grade.CRITICAL


@pytest.mark.parametrize(("hours_left", "grade"), [(7, Grade.OK), (5, Grade.WARNING)])
def test_a_timestamp_of_a_day_is_a_warning_only_in_its_last_quarter(hours_left: float, grade: Grade) -> None:
    with Fleet(1) as fleet:
        for name, hours in (("timestamp_rhythm_seconds", 6), ("timestamp_lifetime_seconds", 24)):
            fleet.admin.change(settings.change, name, hours * 3600)
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("App"), "install", "a.exe"))
        fleet.settle()
        _expires_in(fleet["pc1"], hours=hours_left)
        assert [one.grade for one in checked(fleet["pc1"]).findings if one.subject == "trust"] == [grade]


@pytest.mark.parametrize(("fault", "grade"), [("the last resort", Grade.OK), ("both", Grade.CRITICAL)])
def test_an_address_that_settings_do_not_name_may_be_gone_while_others_answer(fleet: Fleet, fault: str, grade: Grade) -> None:
    state = fleet["pc1"].machine.state
    gone = "http://gone.lab/cap"
    state.connection.execute("update identity set access_point = ?", (gone,))
    if fault == "both":
        fleet.cap.cut()
    parts = Parts(fleet["pc1"].machine, state, fleet["pc1"].point_for)
    [found] = [one for one in checking.findings(parts, sentinel_process=SENTINEL) if one.subject == "access point"]
    assert found.grade is grade
    assert gone in found.words and "the last resort" in found.words


def test_an_agent_that_does_not_run_is_a_warning_until_its_last_pass_is_too_long_ago(fleet: Fleet) -> None:
    client = fleet["pc1"]
    assert [one.grade for one in checked(client, None).findings if one.subject == "agent"] == [Grade.WARNING]
    client.machine.clock.skew = timedelta(days=3)
    assert [one.grade for one in checked(client, None).findings if one.subject == "agent"] == [Grade.CRITICAL]


def test_reports_that_wait_are_counted_and_are_well(fleet: Fleet) -> None:
    for number in range(3):
        reports.tell(fleet["pc1"].machine.state, message(number))
    verdict = checked(fleet["pc1"])
    assert verdict.grade is Grade.OK
    assert "reports=3" in verdict.summary


def test_a_job_that_cannot_go_on_is_named_with_its_reason(fleet: Fleet) -> None:
    client = fleet["pc1"]
    program = fleet.admin.add_program(fleet.admin.add_package("App", {"a.exe": b"x" * 100}), "install", "a.exe")
    fleet.admin.advertise(program)
    fleet.dp.cut()
    fleet.settle()
    [found] = [one for one in checked(client).findings if one.subject == "jobs"]
    fleet.dp.mend()
    assert found.grade is Grade.WARNING
    assert found.words.startswith("1 planned, 0 of them running; S0100001/1: ")


def test_the_worst_finding_is_the_verdict_and_is_said_first() -> None:
    found = [
        Finding(subject="membership", grade=Grade.OK, words="a member"),
        Finding(subject="disk", grade=Grade.UNKNOWN, words="cannot | be\nlooked at"),
        Finding(subject="trust", grade=Grade.WARNING, words="expires", measured=(("left", "5"),)),
    ]
    assert Verdict(tuple(found)).summary == "WARNING: trust: expires; disk: cannot / be looked at | left=5"
    assert Verdict(tuple(found[:2])).grade is Grade.UNKNOWN
    worst = Verdict((*found, Finding(subject="clock", grade=Grade.CRITICAL, words="behind")))
    assert worst.summary.startswith("CRITICAL: clock: behind; trust")
    assert [EXIT_CODES[grade] for grade in (Grade.OK, Grade.WARNING, Grade.CRITICAL, Grade.UNKNOWN)] == [0, 1, 2, 3]


def test_a_folder_without_a_state_is_unknown_and_stays_as_it_was(tmp_path: Path) -> None:
    verdict = checking.check(tmp_path / "none")
    assert (verdict.grade, verdict.findings[0].subject) == (Grade.UNKNOWN, "state")
    assert not (tmp_path / "none").exists()


def test_a_damaged_state_is_critical(tmp_path: Path) -> None:
    open_state(str(tmp_path / STATE_FILE)).connection.close()
    content = bytearray((tmp_path / STATE_FILE).read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / STATE_FILE).write_bytes(content)
    verdict = checking.check(tmp_path)
    assert (verdict.grade, verdict.findings[0].subject) == (Grade.CRITICAL, "state")


def test_a_state_that_others_may_read_is_critical(tmp_path: Path) -> None:
    open_state(str(tmp_path / STATE_FILE)).connection.close()
    (tmp_path / STATE_FILE).chmod(0o644)
    [state, membership] = checking.check(tmp_path).findings
    assert (state.grade, state.words) == (Grade.CRITICAL, "others may read the agent's state, in which its private key lies")
    assert membership.subject == "membership"


def test_a_process_that_is_no_sentinel_is_none(tmp_path: Path) -> None:
    (tmp_path / "sentinel.lock").write_text("1")
    assert checking.sentinel_of(tmp_path) is None
    assert checking.sentinel_of(tmp_path / "none") is None
